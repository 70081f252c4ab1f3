"""What tells the objects of a run apart: the key that -ItemKey finds in each, another one in every object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from lmfunction._jsonable import jsonable
from lmfunction._run_binding import repeated
from lmfunction.errors import ParameterError


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
    """The keys seen so far, of which a digest is held. `found` lists those seen again, each with its two places."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self.found: list[tuple[str, int, int]] = []

    def add(self, seq: int, key: str) -> None:
        """Takes in the key of the object at place `seq`."""
        digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        first = self._places.setdefault(digest, seq)
        if first != seq:
            self.found.append((key, first, seq))


def told_apart(objects: Iterable[Any], expression: str, *, at_hand: bool) -> Iterable[Any]:
    """The objects, each of which has a key of its own. Where all are `at_hand` that is seen to before any is given.

    Raises ParameterError for one without a key, and for keys that are there twice.
    """
    keys = ItemKeys(expression)
    if not at_hand:
        return _each(objects, keys)
    found = list(objects)
    seen = SeenKeys()
    for seq, value in enumerate(found):
        seen.add(seq, keys.of(seq, value))
    _refuse(seen)
    return found


def _each(objects: Iterable[Any], keys: ItemKeys) -> Iterator[Any]:
    seen = SeenKeys()
    for seq, value in enumerate(objects):
        seen.add(seq, keys.of(seq, value))
        _refuse(seen)
        yield value


def _refuse(seen: SeenKeys) -> None:
    if seen.found:
        raise ParameterError(repeated(seen.found), parameter="ItemKey")
