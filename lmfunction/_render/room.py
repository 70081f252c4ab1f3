"""Sharing a byte limit between the sections of a card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """A rendered section of at most the bytes it was given; `cut` when it could use more."""

    text: str
    cut: bool


def share(limit: int, sections: Sequence[Callable[[int], Piece]]) -> list[str]:
    """Every section rendered, together at most `limit` bytes.

    All get the same share first; what the short ones leave over goes to those that were cut. So a huge payload
    never pushes the error below it off the card.
    """
    if not sections:
        return []
    fair = limit // len(sections)
    pieces = [render(fair) for render in sections]
    cut = [index for index, piece in enumerate(pieces) if piece.cut]
    left = limit - sum(len(piece.text.encode()) for index, piece in enumerate(pieces) if index not in cut)
    for index in cut:
        pieces[index] = sections[index](left // len(cut))
    return [piece.text for piece in pieces]
