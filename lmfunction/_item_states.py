"""What is known of each item of a run, by its place: a byte an item, however many there are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import overload


class States(Sequence[str]):
    """The name of each item's state, in order. There are a few names, and any number of items."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._codes: dict[str, int] = {}
        self._of = bytearray()

    def append(self, name: str) -> None:
        """Adds the state of the next item."""
        self._of.append(self._code(name))

    def __setitem__(self, seq: int, name: str) -> None:
        self._of[seq] = self._code(name)

    @overload
    def __getitem__(self, seq: int) -> str: ...
    @overload
    def __getitem__(self, seq: slice) -> list[str]: ...
    def __getitem__(self, seq: int | slice) -> str | list[str]:
        if isinstance(seq, slice):
            return [self._names[code] for code in self._of[seq]]
        return self._names[self._of[seq]]

    def __len__(self) -> int:
        return len(self._of)

    def number_in(self, names: Collection[str]) -> int:
        """How many items are in one of these states."""
        return sum(self._of.count(code) for name, code in self._codes.items() if name in names)

    def places(self, names: Collection[str]) -> Iterator[int]:
        """The places of the items that are in one of these states, of those that there are now."""
        wanted = {code for name, code in self._codes.items() if name in names}
        known = itertools.islice(self._of, len(self._of))
        return (seq for seq, code in enumerate(known) if code in wanted) if wanted else iter(())

    def coded(self, code_of: Callable[[str], int]) -> bytearray:
        """A byte for each item, the one that `code_of` gives for its state."""
        return self._of.translate(bytes(map(code_of, self._names)).ljust(256, b"\0"))

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self._names)
            self._names.append(name)
        return code
