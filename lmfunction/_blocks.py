"""Blocks (`{ $_.price > 10 }`: Python over the object under way) and properties (`customer.name`, in any case)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lmfunction._paths import fault
from lmfunction._text import did_you_mean, one_line
from lmfunction.errors import LMError, ParameterError

_MISSING: Final = object()
_VARIABLE: Final = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|\$env:(?P<env>\w+)|\$(?P<constant>true|false|null)\b|\$(?P<name>[^\W\d]\w*)""",
    re.IGNORECASE,
)
_SIGNS: Final = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "and": "and",
    "or": "or",
    "not": "not",
    "in": "in",
    "contains": "in",
    "match": "re.search()",
    "like": "fnmatch.fnmatch()",
}
_POWERSHELL: Final = re.compile(rf"(?<![\w-])-({'|'.join(_SIGNS)})\b", re.IGNORECASE)
_CONSTANTS: Final = {"true": "True", "false": "False", "null": "None"}


class Attributes(dict[str, Any]):
    """A mapping whose members are attributes too, as `$_.member` wants them; members go before a dict's methods."""

    def __getattribute__(self, name: str) -> Any:
        found = dict.get(self, name, _MISSING)
        if found is not _MISSING:
            return viewed(found)
        if name.startswith("__"):
            return super().__getattribute__(name)
        key = next((k for k in dict.keys(self) if isinstance(k, str) and k.casefold() == name.casefold()), None)
        if key is not None:
            return viewed(dict.__getitem__(self, key))
        try:
            return super().__getattribute__(name)
        except AttributeError:
            raise AttributeError(f"it has no member '{name}'.{did_you_mean(name, map(str, self))}") from None

    def __getitem__(self, key: Any) -> Any:
        return viewed(dict.__getitem__(self, key))


class Items(list[Any]):
    """A list whose elements are seen as `$_` sees them."""

    def __getitem__(self, index: Any) -> Any:
        return viewed(list.__getitem__(self, index))

    def __iter__(self) -> Any:
        return map(viewed, list.__iter__(self))


def viewed(value: Any) -> Any:
    """`value` as `$_` gives it: mappings with members as attributes, results by their wire names."""
    if isinstance(value, dict) and not isinstance(value, Attributes):
        return Attributes(value)
    if type(value) is list:
        return Items(value)
    return value


def plain(value: Any) -> Any:
    """`value` without the views that a block was given."""
    if isinstance(value, Attributes):
        return {key: plain(dict.__getitem__(value, key)) for key in dict.keys(value)}
    if isinstance(value, Items):
        return [plain(item) for item in list.__iter__(value)]
    if type(value) is list:
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if type(value) is dict else value


class Block:
    """A Python expression over `$_`. Raises ParameterError when it is none."""

    def __init__(self, source: str, names: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.source = source.strip()
        self.names = names
        translated = _VARIABLE.sub(lambda m: _translated(m, environ), self.source)
        try:
            self.code = compile(translated.strip(), "<block>", "eval")
        except (SyntaxError, ValueError) as error:
            why = getattr(error, "msg", None) or str(error)
            hint = _POWERSHELL.search(_VARIABLE.sub("", self.source))
            advice = f" Write Python's {_SIGNS[hint[1].lower()]} for {hint[0]}." if hint else ""
            raise fault(f"This block is not a Python expression: {why}.{advice}", self.source, 1) from None

    def __call__(self, value: Any) -> Any:
        """What the expression gives for `value`."""
        view = viewed(value.to_dict()) if _is_result(value) else viewed(value)
        try:
            return plain(eval(self.code, {**self.names, "_": view}))  # noqa: S307 - the user's own block
        except LMError:
            raise
        except Exception as error:
            what = one_line(f"{type(error).__name__}: {error}", 200)
            raise LMError(f"The block {{ {one_line(self.source, 80)} }} failed: {what}") from error

    def __repr__(self) -> str:
        return f"{{ {self.source} }}"


def property_of(value: Any, path: str) -> Any:
    """The member `path` (dotted, any case) of a mapping, a result or an object; None when there is none.

    A member whose own name holds the dots goes first. As in PowerShell, a list on the way gives the member of each of
    its elements.
    """
    if "." in path and isinstance(value, Mapping) and (whole := _member(value, path)) is not None:
        return whole
    for name in path.split("."):
        value = _member(value, name)
        if value is None:
            return None
    return value


def getter(wanted: str | Block | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that takes the property or evaluates the block."""
    if isinstance(wanted, str):
        if not wanted.strip():
            raise ParameterError("A property's name is empty.")
        if wanted == "@":  # JMESPath's name for the object itself
            return lambda value: value
        return lambda value: property_of(value, wanted)
    return wanted if isinstance(wanted, Block) else lambda value: called(wanted, value)


def called(function: Callable[[Any], Any], value: Any) -> Any:
    """What a function of the user gives for `value`. Raises LMError for whatever it raises."""
    try:
        return function(value)
    except LMError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", "the function")
        raise LMError(f"{name}() failed: {one_line(f'{type(error).__name__}: {error}', 200)}") from error


def _member(value: Any, name: str) -> Any:
    if isinstance(value, list | tuple):
        members = [_member(item, name) for item in value]
        return [item for item in members if item is not None] or None
    if _is_result(value):
        value = value.to_dict()
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        return next((v for k, v in value.items() if isinstance(k, str) and k.casefold() == name.casefold()), None)
    found = getattr(value, name, None)
    if found is None and callable(getattr(value, "to_dict", None)):
        members = value.to_dict()
        return _member(members, name) if isinstance(members, Mapping) else None
    return None if callable(found) else found


def _is_result(value: Any) -> bool:
    return (
        not isinstance(value, Mapping) and callable(getattr(value, "to_dict", None)) and hasattr(value, "raw_payload")
    )


def _translated(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["text"] is not None:
        return match["text"]
    if match["env"] is not None:
        return repr(environ.get(match["env"]))
    if match["constant"] is not None:
        return _CONSTANTS[match["constant"].lower()]
    return match["name"]
