"""What is wrong with a JSON document, in the words of Jackson, the parser that AWS uses.

As near as Python's parser lets us see it; the place is counted as Jackson counts, behind what it read last.
"""

from __future__ import annotations

import gc
import json
import re
from typing import Final, NoReturn

_LARGE: Final = 262_144  # characters
_VALUES: Final = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'"
_TOKEN: Final = re.compile(r"[A-Za-z_$][\w$]*")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)  # texts are skipped whole
_SOURCE: Final = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
# Python's message -> what Jackson says after the unexpected character.
_EXPECTED: Final = {
    "Expecting value": f"expected a valid value ({_VALUES})",
    "Expecting ':' delimiter": "was expecting a colon to separate field name and value",
    "Expecting ',' delimiter": "was expecting comma to separate {kind} entries",
    "Expecting property name enclosed in double quotes": "was expecting double-quote to start field name",
    "Illegal trailing comma before end of object": "was expecting double-quote to start field name",
    "Illegal trailing comma before end of array": f"expected a valid value ({_VALUES})",
    "Extra data": f"expected a valid value ({_VALUES})",
}


class _NonStandardError(ValueError):
    """NaN or an infinity."""


def json_fault(document: bytes) -> str | None:
    """Why `document` is not JSON in UTF-8; None when it is. Its numbers may have any length."""
    try:
        _parse(document.decode("utf-8"))
    except UnicodeDecodeError as e:
        before = document[: e.start].decode("utf-8")
        where = _where(before, len(before) + 1)
        kind = "middle" if e.start + 1 < e.end or _is_start(document[e.start]) else "start"
        byte = document[min(e.end, len(document) - 1)] if kind == "middle" else document[e.start]
        return f"Invalid UTF-8 {kind} byte 0x{byte:x}{where}"
    except json.JSONDecodeError as e:
        return _text(e)
    except _NonStandardError as e:
        return f"Non-standard token '{e}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
    except RecursionError:
        limit = "(1000, from `StreamReadConstraints.getMaxNestingDepth()`)"
        return f"Document nesting depth (1001) exceeds the maximum allowed {limit}"
    return None


def _parse(text: str) -> None:
    if len(text) < _LARGE or not gc.isenabled():
        _DECODER.decode(text)
        return
    gc.disable()  # it would look for garbage among the hundred thousands of new objects, which takes half of the time
    try:
        _DECODER.decode(text)
    finally:
        gc.enable()


def _is_start(byte: int) -> bool:
    return 0xC2 <= byte <= 0xF4


def _text(error: json.JSONDecodeError) -> str:
    document, at = error.doc, error.pos
    if error.msg.startswith("Unterminated string"):
        return (
            f"Unexpected end-of-input: was expecting closing quote for a string value{_where(document, len(document))}"
        )
    if at >= len(document):
        return _end_text(error)
    token = _TOKEN.match(document, at)
    if token is not None and error.msg in ("Expecting value", "Extra data"):
        where = _where(document, token.end())
        return f"Unrecognized token '{token.group()[:64]}': was expecting ({_VALUES}){where}"
    char, where = document[at], _where(document, at + 1)
    if error.msg.startswith("Invalid control character"):
        code = f"CTRL-CHAR, code {ord(char)}"
        escaped = "has to be escaped using backslash to be included in string value"
        return f"Illegal unquoted character (({code})): {escaped}{where}"
    if error.msg.startswith("Invalid \\escape"):
        char = document[at + 1 : at + 2] or " "
        return f"Unrecognized character escape '{char}' (code {ord(char)}){where}"
    opened = _opened(document, at)
    kind = "Array" if opened is not None and document[opened] == "[" else "Object"
    expected = _EXPECTED.get(error.msg, error.msg.lower()).format(kind=kind)
    return f"Unexpected character ('{char}' (code {ord(char)})): {expected}{where}"


def _end_text(error: json.JSONDecodeError) -> str:
    document = error.doc
    opened, where = _opened(document, len(document)), _where(document, len(document))
    if opened is None:
        return f"Unexpected end-of-input{where}"
    kind = "Array" if document[opened] == "[" else "Object"
    if error.msg == "Expecting value":
        return f"Unexpected end-of-input within/between {kind} entries{where}"
    start = _where(document, opened).lstrip()
    return f"Unexpected end-of-input: expected close marker for {kind} (start marker {start}){where}"


def _opened(document: str, end: int) -> int | None:
    """Where the innermost object or array begins that is open at `end`; None when none is."""
    opened: list[int] = []
    for found in _BRACKETS.finditer(document, 0, end):
        if found.group() in "{[":
            opened.append(found.start())
        elif found.group() in "}]" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _where(document: str, read: int) -> str:
    """The place after the first `read` characters."""
    line = document.count("\n", 0, read) + 1
    column = read - document.rfind("\n", 0, read)
    return f"\n at [Source: {_SOURCE}; line: {line}, column: {column}]"


def _refuse_constant(name: str) -> NoReturn:
    raise _NonStandardError(name)


# Numbers stay text: only their spelling is checked here, and Python refuses to convert very long ones.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)
