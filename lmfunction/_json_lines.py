"""Objects read from text, as one command hands them to the next: JSON values one after the other, or plain lines.

JSON Lines is what our own doors write; a document over several lines (`cat event.json`) is read too. A text whose first
line is no JSON is plain text, each line an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from lmfunction._wire import RESULT_MEMBERS
from lmfunction.errors import LMError

_DECODER: Final = json.JSONDecoder()


class ResultRecord(dict[str, Any]):
    """An invocation's result as it was written to a line. Like the result itself it stands for its payload."""

    @property
    def payload(self) -> Any:
        """The payload; None when there was none. Raises LMError when the function failed: that payload is an error."""
        if self.get("FunctionError"):
            told = self.get("Error", {}).get("Type", self["FunctionError"])
            raise LMError(f"The piped result is of a function that failed ({told}), so that it is not fed on.")
        return self.get("Payload")


class JsonText(str):
    """A JSON string's text, which also knows how it was `written`: as a payload it is sent so."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, text: str, written: str) -> JsonText:
        made = super().__new__(cls, text)
        made.written = written
        return made


def read_objects(lines: Iterable[str]) -> Iterator[Any]:
    """The objects in `lines`, one by one, as the lines come. Raises LMError where JSON begun is not ended."""
    lines = iter(lines)
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff") if number == 1 else line.strip()
        if not text:
            continue
        try:
            yield _object(_DECODER.decode(text), text)
        except (ValueError, RecursionError):
            if text[0] not in '{["':
                yield text  # a name, say
                continue
            yield from _values("".join((line, *lines)), number)
            return


def _values(text: str, first_line: int) -> Iterator[Any]:
    """The JSON values that stand one after the other in `text`, whatever blanks and lines part them."""
    position = 0
    while (position := _after_blanks(text, position)) < len(text):
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            place = getattr(error, "pos", position)
            line, column = first_line + text.count("\n", 0, place), place - text.rfind("\n", 0, place)
            why = getattr(error, "msg", "it is nested too deep")
            raise LMError(f"The input is not JSON (line {line}, column {column}): {why}.") from None
        yield _object(value, text[position:end])
        position = end


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _object(value: Any, written: str) -> Any:
    if isinstance(value, str):
        return JsonText(value, written)
    if isinstance(value, dict) and {"StatusCode", "Attempts"} <= value.keys() <= RESULT_MEMBERS.keys():
        return ResultRecord(value)
    return value
