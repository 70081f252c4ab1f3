"""What tells the objects of a run apart: the key that -ItemKey finds in each, another one in every object."""

from __future__ import annotations

import array
import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from lmfunction._jsonable import jsonable
from lmfunction._run_binding import repeated
from lmfunction.errors import ParameterError

_DIGEST: Final = 16  # bytes, so that no two keys have the same one by chance


class ItemKeys:
    """Finds the key of an object by the JMESPath of -ItemKey."""

    def __init__(self, expression: str) -> None:
        from lmfunction._select import compile_expression  # here: help needs no jmespath

        self._search = compile_expression(expression, None, parameter="ItemKey").search

    def of(self, seq: int, value: Any) -> str:
        """The key of the object at place `seq`. Raises ParameterError when it has none."""
        found = self._search(jsonable(getattr(value, "input", value)))
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return str(found)
        what = "nothing" if found in (None, "") else f"a {type(found).__name__}"
        raise ParameterError(
            f"ItemKey finds {what} in item {seq + 1}: it must be a text or a whole number, and another in each.",
            parameter="ItemKey",
        )


class SeenKeys:
    """The keys seen so far, in the order of their objects, of which the first is at place `first`.

    `found` lists those seen again, each with its two places. A key takes 24 to 32 bytes: a digest, and two to four
    slots in a table, one of which holds its number, from 1. A dict of the digests takes four times as many.
    """

    def __init__(self, first: int = 0) -> None:
        self.found: list[tuple[str, int, int]] = []
        self._first = first
        self._count = 0
        self._digests = bytearray()
        self._slots = _slots(1 << 10)

    def add(self, key: str) -> None:
        """Takes in the key of the next object."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        slots, digests = self._slots, self._digests
        most = len(slots) - 1
        slot = hash(digest) & most
        while number := slots[slot]:
            if digests[(number - 1) * _DIGEST : number * _DIGEST] == digest:
                self.found.append((key, self._first + number - 1, self._first + self._count))
                break
            slot = slot + 1 & most
        digests += digest
        self._count += 1
        slots[slot] = number or self._count
        if self._count * 2 > len(slots):
            self._grow()

    def _grow(self) -> None:
        """Goes over to a table with more slots. Of a key that is there twice the first is found first."""
        slots = self._slots = _slots(len(self._slots) * 2)
        most, digests = len(slots) - 1, bytes(self._digests)
        for number in range(self._count):
            slot = hash(digests[number * _DIGEST : (number + 1) * _DIGEST]) & most
            while slots[slot]:
                slot = slot + 1 & most
            slots[slot] = number + 1


def _slots(count: int) -> array.array[int]:
    return array.array("I", [0]) * count


def told_apart(objects: Iterable[Any], expression: str, *, at_hand: bool) -> Iterable[Any]:
    """The objects, each of which has a key of its own. Where all are `at_hand` that is seen to before any is given.

    Raises ParameterError for one without a key, and for keys that are there twice.
    """
    keys = ItemKeys(expression)
    if not at_hand:
        return _each(objects, keys)
    found = objects if isinstance(objects, Collection) else list(objects)
    seen = SeenKeys()
    for seq, value in enumerate(found):
        seen.add(keys.of(seq, value))
    _refuse(seen)
    return found


def _each(objects: Iterable[Any], keys: ItemKeys) -> Iterator[Any]:
    seen = SeenKeys()
    for seq, value in enumerate(objects):
        seen.add(keys.of(seq, value))
        _refuse(seen)
        yield value


def _refuse(seen: SeenKeys) -> None:
    if seen.found:
        raise ParameterError(repeated(seen.found), parameter="ItemKey")
