"""JSON for requests: Python objects encoded, JSON text checked and sent as written.

Conversions beyond JSON's own types, chosen because they lose nothing: tuple -> array; datetime, date, time -> ISO 8601
text; UUID and path -> text; Enum -> its value; dataclass -> object; mapping -> object; numpy scalar and array -> number
and array. Integer, boolean and None keys become text, as `json` does it. Everything else is refused with its path
(`$.items[3]`): bytes, sets and Decimal have no one meaning in JSON, and NaN and Infinity are not in it at all.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
import pathlib
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from lmfunction._references import Secret
from lmfunction.errors import ParameterError


class CheckedJson(bytes):
    """JSON that `encode` or `check` gave: it is not looked at again."""

    __slots__ = ()


def encode(value: object, *, parameter: str = "Payload", secrets: bool = False) -> bytes:
    """`value` as compact UTF-8 JSON; with `secrets` a `Secret` in it is written as its mark.

    Non-ASCII text stays as it is: `json.dumps` alone would write six bytes for one Cyrillic letter. Raises
    ParameterError that names the path of what cannot be written.
    """
    if secrets and (content := quick(value)) is not None:
        return content
    try:
        return (_MARKING if secrets else _ENCODER).encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        path, why = _find_fault(value, _convert_marking if secrets else _convert)
        where = f" at {path}" if path else ""
        raise ParameterError(
            f"{parameter} cannot be written as JSON{where}: {why or 'it is nested too deep'}.", parameter=parameter
        ) from None


def quick(value: object) -> bytes | None:
    """As `encode` with secrets, for what can be written quickly; None where it takes a closer look."""
    if _QUICK is None:
        return None
    try:
        return "".join(_QUICK(value, 0)).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def check(text: str | bytes, *, parameter: str = "Payload", allow_duplicate_keys: bool = False) -> bytes:
    """The bytes of `text`, unchanged, when they are one JSON value in UTF-8.

    Refused with line and column: what no JSON parser takes, a byte order mark, NaN and Infinity, numbers outside the
    range of a double, lone surrogates, nesting too deep to parse and (unless allowed) duplicate keys, of which a
    parser keeps only one.
    """
    decoded, raw = _decoded(text, parameter)
    if not decoded.strip():
        raise ParameterError(
            f"{parameter} is empty text, which is not JSON: leave it out to send {{}}, or write '\"\"' for empty text.",
            parameter=parameter,
        )
    if decoded.startswith("\ufeff"):
        raise ParameterError(
            f"{parameter} begins with a byte order mark (line 1, column 1), which is not JSON: save it without one.",
            parameter=parameter,
        )
    try:
        parsed = (_LENIENT if allow_duplicate_keys else _STRICT).decode(decoded)
    except json.JSONDecodeError as error:
        _refuse(decoded, error.pos, error.msg.lower(), parameter)
    except _Refused as error:
        _refuse(decoded, _locate(decoded, error.what), str(error), parameter)
    except RecursionError:
        raise ParameterError(f"{parameter} is nested too deep to be read as JSON.", parameter=parameter) from None
    if "\\u" in decoded and not _encodable(parsed):
        _refuse(decoded, decoded.find("\\u"), "it holds half of a surrogate pair, which is no character", parameter)
    return raw


def is_json(text: str) -> bool:
    """Whether `text` has JSON's syntax, be its values acceptable or not."""
    try:
        _SYNTAX.decode(text)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def masked(text: str) -> str:
    """`text` with the values in it blanked, column for column; keys and punctuation stay.

    For error messages, which must not repeat a payload.
    """
    return _VALUE.sub(lambda m: m.group() if m["key"] else re.sub(r"[^\W_]|[^\x00-\x7f]", "·", m.group()), text)


class _Refused(ValueError):  # noqa: N818 - it is a signal between the hooks and check()
    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what


def _convert(value: Any) -> Any:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | pathlib.PurePath):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(_why_not(value))


def _convert_marking(value: Any) -> Any:
    return value.mark if isinstance(value, Secret) else _convert(value)


def _why_not(value: object) -> str:
    name = type(value).__name__
    hints = {
        "bytes": "bytes have no one meaning in JSON; decode them, or send them with -PayloadStream",
        "bytearray": "bytes have no one meaning in JSON; decode them, or send them with -PayloadStream",
        "set": "a set has no order; write sorted(...) or list(...)",
        "frozenset": "a set has no order; write sorted(...) or list(...)",
        "Decimal": "a Decimal may lose digits as a JSON number; write float(...), int(...) or str(...)",
        "DataFrame": 'write frame.to_dict("records")',
        "Series": "write series.tolist()",
        "Secret": "a Secret is taken by Payload and ClientContext of Invoke-LMFunction only",
    }
    return hints.get(name, f"{name} is not a JSON type")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_convert)
_MARKING: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_convert_marking)


def _quick() -> Callable[[Any, int], tuple[str, ...]] | None:
    """What `_MARKING` makes anew for each value; that takes as long as to write a small one. It looks for no circles,
    which end as nesting too deep. None where the standard library has it no more.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    quote = getattr(json.encoder, "encode_basestring", None)
    try:
        return make(None, _convert_marking, quote, None, ":", ",", False, False, False)  # type: ignore[no-any-return,misc]
    except TypeError:
        return None


_QUICK: Final = _quick()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("a key stands twice in one object (-AllowDuplicateKeys sends it unchanged)", "duplicate")
    return found


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON", "constant")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("a number is larger than a double can hold", "number")
    return number


# parse_int=len: an integer's digits need not be converted to be checked, and Python refuses to convert 5,000 of them.
_SYNTAX: Final = json.JSONDecoder(parse_int=len)
_LENIENT: Final = json.JSONDecoder(parse_int=len, parse_float=_finite, parse_constant=_constant)
_STRICT: Final = json.JSONDecoder(
    parse_int=len, parse_float=_finite, parse_constant=_constant, object_pairs_hook=_pairs
)

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|-?[A-Za-z]+|-?\d[\d.eE+-]*')
# A quoted key is kept; a quoted value, a number or a word is not.
_VALUE: Final = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"(?=\s*:)|'(?:[^'\\]|\\.)*'(?=\s*:)|\$\w+)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s{}\[\],:"']+"""
)


def _decoded(text: str | bytes, parameter: str) -> tuple[str, bytes]:
    if isinstance(text, str):
        try:
            return text, text.encode()
        except UnicodeEncodeError as error:
            raise ParameterError(
                f"{parameter} holds half of a surrogate pair at character {error.start + 1}, which is no character.",
                parameter=parameter,
            ) from None
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ParameterError(f"{parameter} is UTF-16 (line 1, column 1); JSON is UTF-8.", parameter=parameter)
    try:
        return text.decode(), text
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - text.rfind(b"\n", 0, error.start)
        raise ParameterError(
            f"{parameter} is not UTF-8: byte 0x{text[error.start]:02x} at line {line}, column {column}.",
            parameter=parameter,
        ) from None


def _refuse(text: str, position: int, why: str, parameter: str) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    raise ParameterError(
        f"{parameter} is not JSON: {why} (line {line}, column {column}).{_hint(text)}",
        parameter=parameter,
        source=masked(text),
        line=line,
        column=column,
    ) from None


def _hint(text: str) -> str:
    start = text.lstrip()
    if re.match(r"[{\[]\s*'", start):
        return " JSON text stands in double quotes; for a Python literal write $(...)."
    if re.fullmatch(r"[A-Za-z_][\w .-]*", start) and start not in ("true", "false", "null"):
        return " Text as a payload needs its own quotes: '\"text\"'."
    return ""


def _locate(text: str, what: str) -> int:
    """Where the first fault of the kind `what` stands in `text`, which is JSON but for that fault."""
    keys: list[set[str] | None] = []
    for match in _TOKEN.finditer(text):
        piece = match.group()
        if piece == "{":
            keys.append(set())
        elif piece == "[":
            keys.append(None)
        elif piece in "}]" and keys:
            keys.pop()
        elif what == "duplicate" and piece[0] == '"' and text[match.end() :].lstrip()[:1] == ":":
            seen = keys[-1] if keys else None
            if seen is not None and piece in seen:
                return match.start()
            if seen is not None:
                seen.add(piece)
        elif what == _KINDS_OF_WORD.get(piece.lstrip("-"), "number" if _is_infinite(piece) else ""):
            return match.start()
    return 0


_KINDS_OF_WORD: Final = {"NaN": "constant", "Infinity": "constant"}


def _is_infinite(piece: str) -> bool:
    return piece[0] in "-0123456789" and math.isinf(float(piece))


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _find_fault(value: object, convert: Callable[[Any], Any]) -> tuple[str, str]:
    """The path of the first thing in `value` that cannot be written, and why; depth first, without recursion."""
    stack: list[tuple[str, Any, tuple[int, ...]]] = [("$", value, ())]
    while stack:
        path, item, above = stack.pop()
        if id(item) in above:
            return path, "it contains itself"
        if len(above) > 2000:
            return "", "it is nested too deep"
        try:
            children = _children(path, item, convert)
        except (TypeError, ValueError) as error:
            return path, str(error)
        stack.extend((where, child, (*above, id(item))) for where, child in reversed(children))
    return "", ""


def _children(path: str, item: Any, convert: Callable[[Any], Any]) -> list[tuple[str, Any]]:
    """What stands inside `item`; raises with the reason when `item` itself cannot be written."""
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str | int | float | None):
                raise TypeError(f"a key is {type(key).__name__}; JSON keys are text")
            _leaf(key)
        return [(f"{path}.{key}" if str(key).isidentifier() else f"{path}[{key!r}]", v) for key, v in item.items()]
    if isinstance(item, list | tuple):
        return [(f"{path}[{index}]", child) for index, child in enumerate(item)]
    if isinstance(item, str | int | float | None):
        _leaf(item)
        return []
    return [(path, convert(item))]


def _leaf(item: Any) -> None:
    if isinstance(item, float) and not math.isfinite(item):
        raise ValueError(f"{item} is not JSON")
    if isinstance(item, str):
        try:
            item.encode()
        except UnicodeEncodeError:
            raise ValueError("text with half of a surrogate pair is no character") from None
    elif isinstance(item, int):
        try:
            str(item)
        except ValueError:
            raise ValueError("an integer has more digits than Python writes; send it as JSON text") from None
