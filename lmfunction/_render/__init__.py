"""How results look: cards as values, one renderer per medium, and the bundle IPython asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from lmfunction._text import one_line

from .card import Card, Section, Tone

if TYPE_CHECKING:
    from .terminal import Stream

__all__ = ["Card", "Section", "Tone", "mime_bundle", "render_html", "render_text", "terminal_text"]

_LAST_RESORT: Final = "<lmfunction: this result cannot be shown>"
_FIGURES: Final = 50


def render_text(card: Card, *, width: int = 100, color: bool = False, limit: int = 8_192) -> str:
    """The card as text; see `lmfunction._render.text`, loaded when first used."""
    from .text import render_text as render

    return render(card, width=width, color=color, limit=limit)


def render_html(card: Card, *, limit: int = 65_536) -> str:
    """The card as HTML; see `lmfunction._render.html`, loaded when first used."""
    from .html import render_html as render

    return render(card, limit=limit)


def terminal_text(card: Card, stream: Stream) -> str:
    """The card for a terminal; see `lmfunction._render.terminal`, loaded when first used."""
    from .terminal import terminal_text as render

    return render(card, stream)


def mime_bundle(
    card_of: Callable[[], Card],
    fallback: Callable[[], str],
    include: Collection[str] | None = None,
    exclude: Collection[str] | None = None,
) -> tuple[dict[str, str], dict[str, object]]:
    """What `_repr_mimebundle_` returns: text and HTML of one card, and its figures as metadata.

    Never another type: a front end would prefer application/json, and a type chosen by the response could run.
    Never raises: an exception in a formatter makes ipykernel report the whole cell as failed.
    """
    try:
        card = card_of()
        renderers = {"text/plain": render_text, "text/html": render_html}
        wanted = [kind for kind in renderers if (not include or kind in include) and kind not in (exclude or ())]
        return {kind: renderers[kind](card) for kind in wanted}, _metadata(card.summary)
    except Exception:  # noqa: BLE001 - see above
        return {"text/plain": _plain(fallback)}, {}


def _plain(fallback: Callable[[], str]) -> str:
    try:
        return one_line(str(fallback()), 1_000)
    except Exception:  # noqa: BLE001 - the fallback is often the object's repr, and that may be what failed
        return _LAST_RESORT


def _metadata(summary: Mapping[str, object] | None) -> dict[str, object]:
    """Figures a notebook can store: flat, short, and free of what JSON or UTF-8 cannot carry."""
    if not summary:
        return {}
    figures = {one_line(str(name), 80): _figure(value) for name, value in list(summary.items())[:_FIGURES]}
    return {"lmfunction": figures}


def _figure(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= 53:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        return one_line(value, 500)
    if isinstance(value, Mapping):
        return {one_line(str(name), 80): _figure(item) for name, item in list(value.items())[:_FIGURES]}
    if isinstance(value, list | tuple):
        return [_figure(item) for item in value[:_FIGURES]]
    from .leaf import leaf

    return leaf(value, 200)
