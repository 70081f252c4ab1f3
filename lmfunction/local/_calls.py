"""What a request asks of the control plane, and how its document, its query and its name are read.

Every reader raises RefusedError with the answer that AWS gives: a value of the wrong type is a SerializationException,
values outside their bounds are collected in one ValidationException.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from lmfunction.local._answers import fault, not_found, other_region, refusal, validation
from lmfunction.local._code import CodeStore
from lmfunction.local._fleet import Fleet
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._http import Answer
from lmfunction.local._invoke import Address, RefusedError, parse_address
from lmfunction.local._layers import Layers

_PAGE = 50
_MOST_ITEMS = 10_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class Call:
    """One request. `name` is the first parameter of its path, `part` the second: an alias, a statement."""

    name: str
    part: str
    query: str
    body: bytes

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body."""
        try:
            value = json.loads(self.body.decode("utf-8") or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise RefusedError(serialization("The request body is not a JSON object."))
        return value

    @functools.cached_property
    def asked(self) -> dict[str, list[str]]:
        """The parameters of the query."""
        return parse_qs(self.query, keep_blank_values=True)

    @functools.cached_property
    def address(self) -> Address:
        """The function and the qualifier that path and query name."""
        return parse_address(self.name, self.query)

    def parameter(self, name: str) -> str | None:
        """A parameter of the query, or None."""
        return self.asked.get(name, [None])[0]

    def text(self, key: str) -> str | None:
        """A member that is text, or None."""
        return text_of(self.document, key)

    def flag(self, key: str) -> bool:
        """A member that is true or false; false when it is not there."""
        value = self.document.get(key)
        if value is not None and not isinstance(value, bool):
            raise RefusedError(serialization(f"{key} must be true or false."))
        return bool(value)

    def number(self, key: str, low: int, high: int | None = None) -> int | None:
        """A member that is a whole number within its bounds, or None."""
        value = self.document.get(key)
        if value is not None:
            faults = number_faults(value, member_of(key), low, high)
            if faults:
                raise RefusedError(validation(faults))
        return value

    def required_text(self, key: str, pattern: str | None = None) -> str:
        """A member that must be there, and match `pattern`."""
        value = self.text(key)
        member = member_of(key)
        if value is None:
            raise RefusedError(validation([null_fault(member)]))
        if pattern is not None and not re.fullmatch(pattern, value):
            text = f"satisfy regular expression pattern: {pattern}"
            raise RefusedError(validation([fault(value, member, text)]))
        return value


@dataclass(frozen=True)
class Account:
    """The functions of one server with what belongs to them: what the operations of the control plane work on.

    `concurrency` is how many invocations may run at once.
    """

    functions: Functions
    fleet: Fleet
    code: CodeStore
    concurrency: int
    layers: Layers

    def function(self, call: Call) -> Function:
        """The function that `call` names, whatever its qualifier."""
        return self.function_at(call.address)

    def function_at(self, address: Address) -> Function:
        """The function at `address`, whatever its qualifier."""
        functions = self.functions
        if address.region is not None and address.region != functions.region:
            raise RefusedError(other_region(address.region, functions.region))
        function = functions.get(address.name)
        if function is None or address.account not in (None, functions.account):
            raise RefusedError(not_found(self.arn(address)))
        return function

    def version(self, call: Call) -> tuple[Function, Configuration]:
        """The function that `call` names, and the version that its qualifier means: for an alias the first one."""
        function = self.function(call)
        configuration = function.resolve(call.address.qualifier)
        if configuration is None:
            raise RefusedError(not_found(self.arn(call.address)))
        return function, configuration

    def arn(self, address: Address) -> str:
        """The ARN of what `address` names, qualified as it is there."""
        arn = self.functions.arn(address.name, address.qualifier)
        if address.account is not None:
            arn = arn.replace(f":{self.functions.account}:", f":{address.account}:", 1)
        return arn

    def changed(self, function: Function) -> None:
        """Keeps a function that was changed."""
        self.functions.put(function)


def serialization(message: str) -> Answer:
    """400 for a document whose values have the wrong types."""
    return refusal(400, "SerializationException", message)


def text_of(document: dict[str, Any], key: str) -> str | None:
    """The member `key` of a document, which is text, or None."""
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise RefusedError(serialization(f"{key} must be text."))
    return value


def structure_of(document: dict[str, Any], key: str) -> dict[str, Any] | None:
    """The member `key` of a document, which is an object itself, or None."""
    value = document.get(key)
    if value is not None and not isinstance(value, dict):
        raise RefusedError(serialization(f"{key} must be an object."))
    return value


def texts_of(document: dict[str, Any], key: str) -> list[str] | None:
    """The member `key` of a document, which is a list of texts, or None."""
    value = document.get(key)
    if value is not None and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
        raise RefusedError(serialization(f"{key} must be a list of texts."))
    return value


def member_of(key: str) -> str:
    """How AWS's validation messages spell a member: `MemorySize` is `memorySize`."""
    return key[0].lower() + key[1:]


def null_fault(member: str) -> str:
    """The fault of a member that is missing."""
    return f"Value null at '{member}' failed to satisfy constraint: Member must not be null"


def number_faults(value: object, member: str, low: int, high: int | None = None) -> list[str]:
    """What is wrong with a number, in AWS's words."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedError(serialization(f"{member} must be a whole number."))
    if value < low:
        return [fault(value, member, f"have value greater than or equal to {low}")]
    if high is not None and value > high:
        return [fault(value, member, f"have value less than or equal to {high}")]
    return []


def check_revision(call: Call, current: str, given: str | None = None) -> None:
    """Refuses a change of something that has changed since the caller read it."""
    wanted = call.text("RevisionId") if given is None else given
    if wanted is not None and wanted != current:
        text = (
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
        raise RefusedError(refusal(412, "PreconditionFailedException", text))


def page_of(call: Call, items: Iterable[_T], key: Callable[[_T], str]) -> tuple[list[_T], dict[str, str]]:
    """The part of `items`, ordered by `key`, that `call` asks for: 50 at most, and the NextMarker when there are more.

    The marker is the key of the last item of the page before, which may be gone by then.
    """
    count = call.parameter("MaxItems") or str(_PAGE)
    if not (count.isascii() and count.isdigit() and int(count) >= 1):
        raise RefusedError(validation([fault(count, "maxItems", "have value greater than or equal to 1")]))
    if int(count) > _MOST_ITEMS:
        raise RefusedError(validation([fault(count, "maxItems", f"have value less than or equal to {_MOST_ITEMS}")]))
    marker = call.parameter("Marker") or ""
    left = sorted((item for item in items if key(item) > marker), key=key)
    page = left[: min(int(count), _PAGE)]
    return page, {"NextMarker": key(page[-1])} if len(left) > len(page) else {}
