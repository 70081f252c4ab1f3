"""Objects from a file of JSON Lines: looked through before the first is sent, then read one by one.

Blank lines count for nothing, lines may end in CR LF, the last in nothing at all.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from lmfunction._text import one_line
from lmfunction.errors import LMError, ParameterError

_NAMED: Final = 5
_LONGEST: Final = 8 * 1024 * 1024  # bytes: a payload has 6 MB at most


class ItemsFile(Collection[Any]):
    """The objects of the file at `path`, which can be read again and again. Not more than a line is in memory.

    Raises ParameterError for a file that cannot be read, and for lines that are no JSON unless `skip_invalid`; then
    `tell` says which. A file that changed meanwhile is no longer read.
    """

    def __init__(self, path: pathlib.Path, *, skip_invalid: bool, tell: Callable[[str], None]) -> None:
        self.path = path
        self.invalid: list[tuple[int, str]] = []
        self._skipped: set[int] = set()
        try:
            if path.exists() and not path.is_file():
                raise ParameterError(f"{self._name} is no ordinary file.", parameter="InputObject")
            self._state = self._stat()
            self._count = self._look_through()
        except OSError as error:
            raise ParameterError(f"{self._name} cannot be read: {error.strerror}.", parameter="InputObject") from None
        if self._skipped and not skip_invalid:
            raise ParameterError(
                f"{self._told()}\n  Nothing was sent. Mend the file, or leave them out with -SkipInvalid.",
                parameter="InputObject",
            )
        if self._skipped:
            tell(f"{self._told()} They are left out.")

    def __iter__(self) -> Iterator[Any]:
        return _Reading(self._read(), self._count)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, value: object) -> bool:
        return any(found == value for found in self)

    @property
    def _name(self) -> str:
        return f"InputObject {one_line(str(self.path), 200)}"

    def _told(self) -> str:
        count = len(self._skipped)
        named = "; ".join(f"line {number}: {why}" for number, why in self.invalid)
        more = " …" if count > len(self.invalid) else ""
        return f"{self._name}: {count:,} line{' is' if count == 1 else 's are'} not JSON ({named}{more})."

    def _look_through(self) -> int:
        found = 0
        for number, line in self._lines():
            try:
                _value(line)
            except ValueError as error:
                self._skipped.add(number)
                if len(self.invalid) < _NAMED:
                    self.invalid.append((number, str(error)))
            else:
                found += 1
        return found

    def _read(self) -> Iterator[Any]:
        for number, line in self._lines():
            if number not in self._skipped:
                if self._stat() != self._state:
                    raise LMError(f"{self._name} was changed while it was read.")
                yield _value(line)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST):
                number += 1
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield number, line

    def _stat(self) -> tuple[int, int]:
        state = os.stat(self.path)  # noqa: PTH116 - for each line
        return state.st_size, state.st_mtime_ns


class _Reading(Iterator[Any]):
    """Objects one by one; how many are left is known."""

    def __init__(self, values: Iterator[Any], left: int) -> None:
        self._values = values
        self._left = left

    def __next__(self) -> Any:
        value = next(self._values)
        self._left -= 1
        return value

    def __length_hint__(self) -> int:
        return self._left


def _value(line: bytes) -> Any:
    """The value of a line. Raises ValueError, which says what is wrong and repeats nothing of it."""
    try:
        return json.loads(line.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError(f"column {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"column {error.colno}, {error.msg.lower()}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
