"""A profile's values, each of one kind: what is not plainly of that kind is refused at its place.

YAML's guesses are not trusted: `no`, `off`, `0` and `"false"` are no booleans, `1e3` is no number, nothing is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmfunction._text import ascii_only, did_you_mean, shorten

if TYPE_CHECKING:
    from lmfunction import _yaml

T = TypeVar("T")
_NULLS: Final = ("", "~", "null", "Null", "NULL")
_CONFIRM: Final = {"always": True, "never": False}
_FLAGS: Final = {"true": True, "false": False}
_MOST_LISTED: Final = 200


class Refused(Exception):  # noqa: N818 - it says no to one value, and the next is read
    """Why a value cannot stand where it stands; `node` has the place."""

    def __init__(self, message: str, node: Any) -> None:
        super().__init__(message)
        self.node = node


def pairs_of(node: Any, what: str, *, may_be_empty: bool = False) -> tuple[tuple[_yaml.Scalar, _yaml.Node], ...]:
    """The keys and values of a mapping. A guard that is empty is unclear, so that only what protects nothing may be."""
    if not hasattr(node, "items") or not all(isinstance(item, tuple) for item in node.items):
        raise Refused(f"{what} must be a mapping of keys to values.", node)
    if not node.items and not may_be_empty:
        raise Refused(f"{what} is empty: leave it out, or say what it holds.", node)
    pairs: tuple[tuple[_yaml.Scalar, _yaml.Node], ...] = node.items
    return pairs


def text_of(node: Any, key: str) -> str:
    """Text that is there and can be printed."""
    text = getattr(node, "text", None)
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or (node.plain and text in _NULLS):
        raise Refused(f"{key} must be text.", node)
    return text


def flag_of(node: Any, key: str) -> bool:
    """True or false, spelled so and without quotes."""
    text = getattr(node, "text", None)
    if text not in _FLAGS or not node.plain:
        raise Refused(f"{key} must be true or false{_instead_of(node)}.", node)
    return _FLAGS[text]


def confirmation_of(node: Any, key: str) -> bool:
    """Whether a guard asks: always or never, or true or false without quotes."""
    text = getattr(node, "text", None)
    if text in _CONFIRM:
        return _CONFIRM[text]
    if text in _FLAGS and node.plain:
        return _FLAGS[text]
    hint = did_you_mean(text, [*_CONFIRM, *_FLAGS]) if isinstance(text, str) else ""
    raise Refused(f"{key} must be always, never, true or false{_instead_of(node)}.{hint}", node)


def whole_of(node: Any, key: str) -> int:
    """A whole number from 1 on, in plain digits."""
    text = getattr(node, "text", None)
    if not isinstance(text, str) or not node.plain or not re.fullmatch(r"[1-9][0-9]{0,11}", text):
        raise Refused(f"{key} must be a whole number from 1 on{_instead_of(node)}.", node)
    return int(text)


def account_of(node: Any, key: str) -> str:
    """An account's twelve digits, each as it is written."""
    text = text_of(node, key)
    if re.fullmatch(r"[0-9]{12}", text):
        return text
    why = f"; it has {len(text)}" if re.fullmatch(r"[0-9]+", text) else _instead_of(node)
    raise Refused(f"{key} must be 12 digits{why}.", node)


def texts_of(node: Any, key: str, check: Callable[[str], T]) -> tuple[T, ...]:
    """A list of texts that is not empty, each as `check` reads it (it raises ValueError)."""
    if not hasattr(node, "items") or any(isinstance(item, tuple) for item in node.items):
        raise Refused(f'{key} must be a list, such as ["one", "two"].', node)
    if not 0 < len(node.items) <= _MOST_LISTED:
        why = "is empty: leave it out, or list what it holds" if not node.items else f"lists more than {_MOST_LISTED}"
        raise Refused(f"{key} {why}.", node)
    found = []
    for item in node.items:
        try:
            found.append(check(text_of(item, f"each of {key}")))
        except ValueError as error:
            raise Refused(f"{key}: {error}.", item) from None
    return tuple(dict.fromkeys(found))


def _instead_of(node: Any) -> str:
    text = getattr(node, "text", None)
    if not isinstance(text, str):
        return ""
    if text in _FLAGS:
        return f"; '{text}' in quotes is text"
    return ", not empty" if text in _NULLS else f", not '{ascii_only(shorten(text, 30))}'"
