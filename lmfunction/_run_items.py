"""The items of a run with a journal: what is written down of each object before it can be sent, and read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._arguments import convert
from lmfunction._engine import Engine
from lmfunction._gathered import Gathered, gather
from lmfunction._item_keys import ItemKeys
from lmfunction._json import CheckedJson
from lmfunction._ledger import Entry
from lmfunction._prepare import payload_of, plain_payload
from lmfunction._table import INVOKE
from lmfunction.errors import LMError, ParameterError

_CARRIED: Final = ("Payload", "PayloadStream")
_NOBODY: Final = hashlib.sha256(b"").digest()
# Under this name stands, in place of parameters, why an object cannot be sent.
_FAULT: Final = ""


@dataclass(frozen=True)
class Kept:
    """An object of a run as it is written down. `value` is the object itself where it is still at hand."""

    entry: Entry
    value: Any = None

    def parameters(self) -> dict[str, Any]:
        """What it gives to the parameters of a line. Raises ParameterError when it cannot be sent."""
        found: dict[str, Any] = json.loads(self.entry.call) if self.entry.call is not None else {}
        if _FAULT in found:
            raise ParameterError(found[_FAULT])
        return {**found, "Payload": CheckedJson(self.payload())}

    def payload(self) -> bytes:
        """The bytes of its payload. Raises ParameterError when they are not what was written."""
        entry = self.entry
        if hashlib.sha256(entry.payload).digest() != entry.payload_sha256:
            raise ParameterError("Its payload in the journal is not what was written; it is not sent.")
        return entry.payload

    @property
    def input(self) -> Any:
        """The object, or one that stands for it."""
        return self if self.value is None else self.value

    def to_dict(self) -> Any:
        """Its payload; with its parameters where it has some of its own."""
        try:
            payload = json.loads(self.entry.payload) if self.entry.payload else None
        except ValueError:
            payload = self.entry.payload.decode("utf-8", "replace")
        return payload if self.entry.call is None else {**json.loads(self.entry.call), "Payload": payload}

    def __repr__(self) -> str:
        return f"<item {self.entry.key}>"


class ItemReader:
    """Makes of each object what is written down of it. `key` is the JMESPath of -ItemKey, None for the place."""

    def __init__(
        self, bind: Callable[[Any], Mapping[str, Any]], values: Mapping[str, Any], line: Gathered, engine: Engine
    ) -> None:
        self._bind = bind
        self._values = values
        self._line = line
        self._engine = engine
        self._type = line.arguments.get("invocation_type", "RequestResponse")
        self._payload_alone = "FunctionName" in values and not any(name in values for name in _CARRIED)
        expression = line.arguments.get("item_key")
        self._key = None if expression is None else ItemKeys(expression)

    def read(self, seq: int, value: Any) -> Kept:
        """The object at place `seq`. Raises ParameterError when it has no key."""
        if isinstance(value, Kept) and value.value is None and value.entry.seq == seq:
            return value  # of the run's own journal
        key = self._key_of(seq, value)
        if type(value) is dict and self._payload_alone:
            plain = plain_payload(value, self._type)
            if plain is not None:
                return Kept(Entry(seq, key, hashlib.sha256(plain).digest(), plain, None), value)
        try:
            payload, call = self._written(self._bind(value))
        except LMError as error:
            fault = json.dumps({_FAULT: str(error.args[0] if error.args else error)})
            return Kept(Entry(seq, key, _NOBODY, b"", fault), value)
        return Kept(Entry(seq, key, hashlib.sha256(payload).digest(), payload, call), value)

    def _written(self, bound: Mapping[str, Any]) -> tuple[bytes, str | None]:
        own = {name: value for name, value in bound.items() if name not in self._values}
        call = {name: value for name, value in own.items() if name not in _CARRIED}
        if call:
            arguments = gather(INVOKE, bound, self._engine).arguments
        else:
            arguments = {**self._line.arguments, **convert(INVOKE, own)}
        payload, slots = payload_of(arguments, arguments.get("invocation_type", "RequestResponse"), lambda _: None)
        if slots:
            raise ParameterError(
                "A secret that is looked up when it is sent cannot be written into a journal: leave -Journal out.",
                parameter="Payload",
            )
        return payload, _json(call) if call else None

    def _key_of(self, seq: int, value: Any) -> str:
        if self._key is None:
            return str(seq)
        return self._key.of(seq, value)


def _json(call: Mapping[str, Any]) -> str:
    try:
        return json.dumps(call, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        raise ParameterError(
            f"What the object gives to {', '.join(call)} cannot be written into a journal: give text and numbers."
        ) from None
