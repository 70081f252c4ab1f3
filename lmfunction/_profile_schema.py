"""What may stand in a profile's file: the schema, read from the strict YAML tree.

Every fault of a file is collected with its place, not the first alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmfunction import _profile_rules as rules
from lmfunction._endpoint import fault_of
from lmfunction._names import check_region, parse_function_name, partition_of
from lmfunction._profile_scalars import (
    Refused,
    account_of,
    confirmation_of,
    flag_of,
    pairs_of,
    text_of,
    texts_of,
    whole_of,
)
from lmfunction._redact import Redaction
from lmfunction._text import ascii_only, did_you_mean, shorten
from lmfunction.errors import ParameterError

if TYPE_CHECKING:
    from lmfunction import _yaml

Value = Callable[["_Reader", Any, str], Any]
_MOST_PARENTS: Final = 8
_CREDENTIALS: Final = "Credentials stay in ~/.aws/config: name that profile with `aws_profile:`."
# What people look for in a profile, and where it stands instead.
_ELSEWHERE: Final = {
    **dict.fromkeys(("verify", "ca_bundle"), "Certificates are always checked; AWS_CA_BUNDLE names another bundle."),
    **dict.fromkeys(("proxy", "proxies", "http_proxy", "https_proxy"), "Set a proxy in the environment: HTTPS_PROXY."),
    **dict.fromkeys(
        ("credential_process", "credential_source", "role_arn", "source_profile", "sso_session", "mfa_serial"),
        _CREDENTIALS,
    ),
    **dict.fromkeys(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), _CREDENTIALS),
    **dict.fromkeys(("access_key", "secret_key", "session_token"), _CREDENTIALS),
    "endpoint_url": "Did you mean endpoint?",
    **dict.fromkeys(("confirm", "allow", "deny", "max_items", "allow_force"), "It stands inside `guard:`."),
    **dict.fromkeys(("keys", "patterns", "paths"), "It stands inside `redact:`."),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and where (from 1)."""

    message: str
    line: int
    column: int


@dataclass(frozen=True)
class Written:
    """What a file says, or several of which one inherits from the others; None and empty where nothing is said.

    A function must be named in each of `allow_lists`. `places` are line and column by key, such as `guard.confirm`.
    """

    aws_profile: str | None = None
    region: str | None = None
    endpoint: str | None = None
    account: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    confirm: bool | None = None
    allow_lists: tuple[tuple[str, ...], ...] = ()
    deny: tuple[str, ...] = ()
    max_items: int | None = None
    allow_force: bool | None = None
    redaction: Redaction = field(default_factory=Redaction)
    audit_file: str | None = None
    audit_required: bool | None = None
    inherits: tuple[str, ...] = ()
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)

    def fault(self, key: str, message: str) -> Fault:
        """A fault at `key`, or at what it stands in."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        return Fault(message, *self.places.get(key, (1, 1)))


def read_schema(tree: _yaml.Node) -> tuple[Written, list[Fault]]:
    """What the tree says as far as it is clear, and all its faults in the order of the file."""
    reader = _Reader()
    written = reader.written(tree)
    return written, sorted(reader.faults, key=lambda fault: (fault.line, fault.column))


class _Reader:
    """Reads one tree; what is wrong with one value does not hide what is wrong with the next."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.places: dict[str, tuple[int, int]] = {}

    def written(self, tree: _yaml.Node) -> Written:
        values: dict[str, Any] = self._taken(tree, lambda: self.section(tree, "", "the profile", _TOP)) or {}
        for name in ("guard", "redact", "audit"):
            values |= values.pop(name, {})
        allow = values.pop("allow", ())
        redaction = Redaction(**{name: values.pop(name) for name in _REDACT if name in values})
        found = Written(**values, allow_lists=(allow,) if allow else (), redaction=redaction, places=dict(self.places))
        self.faults += _foreign_partitions(found)
        return found

    def section(self, node: Any, prefix: str, what: str, schema: Mapping[str, Value]) -> dict[str, Any]:
        """The values of a mapping whose keys `schema` knows."""
        values: dict[str, Any] = {}
        for key, value in pairs_of(node, what):
            name = prefix + key.text
            self.places[name] = (value.line, value.column)
            if key.text not in schema:
                self._note(_unknown(key, prefix, schema), key)
                continue
            read = functools.partial(schema[key.text], self, value, name)
            if (found := self._taken(value, read)) is not None:
                values[key.text] = found
        return values

    def entries(self, node: Any, key: str, read: Callable[[Any, Any, str], Any]) -> dict[str, Any]:
        """The values of a mapping whose keys are the user's own names."""
        found: dict[str, Any] = {}
        for name, value in pairs_of(node, key, may_be_empty=True):
            place = f"{key}.{name.text}"
            self.places[place] = (value.line, value.column)
            taken = self._taken(value, functools.partial(read, name, value, place))
            if taken is not None:
                found[name.text] = taken
        return found

    def _taken(self, node: Any, read: Callable[[], Any]) -> Any:
        """What `read` gives; None, and a fault noted, when it refuses."""
        try:
            return read()
        except Refused as refused:
            self._note(str(refused), refused.node)
        except ParameterError as error:
            self._note(str(error), node)
        except ValueError as error:
            self._note(f"{error}.", node)
        return None

    def _note(self, message: str, node: Any) -> None:
        self.faults.append(Fault(message, node.line, node.column))


def _unknown(key: Any, prefix: str, schema: Mapping[str, Value]) -> str:
    elsewhere = "" if prefix else _ELSEWHERE.get(key.text.casefold().replace("-", "_"), "")
    where = f" in {prefix.rstrip('.')}" if prefix else ""
    hint = f" {elsewhere}" if elsewhere else did_you_mean(key.text, schema)
    return f"Unknown key '{ascii_only(shorten(key.text, 40))}'{where}.{hint}"


def _foreign_partitions(found: Written) -> list[Fault]:
    """Functions by ARNs of another partition than the region's, which no call could reach."""
    if found.region is None:
        return []
    home = partition_of(found.region)
    arns = {name: parse_function_name(text).partition for name, text in found.functions.items()}
    return [
        found.fault(
            f"functions.{name}", f"functions.{name} is in partition {partition}, region {found.region} is in {home}."
        )
        for name, partition in arns.items()
        if partition not in (None, home)
    ]


def _text(_: _Reader, node: Any, key: str) -> str:
    return text_of(node, key)


def _region(_: _Reader, node: Any, key: str) -> str:
    return check_region(text_of(node, key), parameter=key)


def _endpoint(_: _Reader, node: Any, key: str) -> str:
    text = text_of(node, key)
    fault = None if text in ("aws", "embedded") else fault_of(text)
    if fault:
        raise Refused(f"{key} {fault}.", node)
    return text


def _defaults(reader: _Reader, node: Any, key: str) -> dict[str, Any]:
    return reader.entries(node, key, _default)


def _default(name: Any, value: Any, key: str) -> str | bool:
    """A parameter's default: text as written, and true or false for a switch."""
    try:
        rules.check_default(name.text)
    except ValueError as error:
        raise Refused(f"defaults: {error}.", name) from None
    text = text_of(value, key)
    return text == "true" if value.plain and text in ("true", "false") else text


def _functions(reader: _Reader, node: Any, key: str) -> dict[str, Any]:
    return reader.entries(node, key, _function)


def _function(name: Any, value: Any, key: str) -> str:
    parse_function_name(name.text, parameter="functions: the short name")
    return parse_function_name(text_of(value, key), parameter=key).text


def _guard(reader: _Reader, node: Any, key: str) -> dict[str, Any]:
    return reader.section(node, f"{key}.", key, _GUARD)


def _redact(reader: _Reader, node: Any, key: str) -> dict[str, Any]:
    return reader.section(node, f"{key}.", key, _REDACT)


def _audit(reader: _Reader, node: Any, key: str) -> dict[str, Any]:
    if hasattr(node, "text"):
        return {"audit_file": _audit_file(reader, node, key)}
    return {f"audit_{name}": value for name, value in reader.section(node, f"{key}.", key, _AUDIT).items()}


def _audit_file(_: _Reader, node: Any, key: str) -> str:
    try:
        return rules.audit_path(text_of(node, key))
    except ValueError as error:
        raise Refused(f"{key}: {error}.", node) from None


def _inherits(_: _Reader, node: Any, key: str) -> tuple[str, ...]:
    if hasattr(node, "text"):
        return (rules.profile_name(text_of(node, key)),)
    names = texts_of(node, key, rules.profile_name)
    if len(names) > _MOST_PARENTS:
        raise Refused(f"{key} lists more than {_MOST_PARENTS} profiles.", node)
    return names


def _list(check: Callable[[str], str]) -> Value:
    return lambda _, node, key: texts_of(node, key, check)


def _scalar(read: Callable[[Any, str], Any]) -> Value:
    return lambda _, node, key: read(node, key)


_TOP: Final[Mapping[str, Value]] = {
    "aws_profile": _text,
    "region": _region,
    "endpoint": _endpoint,
    "account": _scalar(account_of),
    "defaults": _defaults,
    "functions": _functions,
    "guard": _guard,
    "redact": _redact,
    "audit": _audit,
    "inherits": _inherits,
}
_GUARD: Final[Mapping[str, Value]] = {
    "confirm": _scalar(confirmation_of),
    "allow": _list(rules.function_pattern),
    "deny": _list(rules.function_pattern),
    "max_items": _scalar(whole_of),
    "allow_force": _scalar(flag_of),
}
_REDACT: Final[Mapping[str, Value]] = {
    "keys": _list(rules.hidden_key),
    "patterns": _list(rules.hiding_pattern),
    "paths": _list(rules.hidden_path),
}
_AUDIT: Final[Mapping[str, Value]] = {"file": _audit_file, "required": _scalar(flag_of)}
