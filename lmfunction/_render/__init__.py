"""How results look: cards as values, one renderer per medium, and the bundle IPython asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from lmfunction._redact import HIDDEN, Redaction
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
        return {kind: renderers[kind](card) for kind in wanted}, _metadata(card.summary, card.redaction)
    except Exception:  # noqa: BLE001 - see above
        return {"text/plain": _plain(fallback)}, {}


def _plain(fallback: Callable[[], str]) -> str:
    try:
        return one_line(str(fallback()), 1_000)
    except Exception:  # noqa: BLE001 - the fallback is often the object's repr, and that may be what failed
        return _LAST_RESORT


def _metadata(summary: Mapping[str, object] | None, redaction: Redaction) -> dict[str, object]:
    """Figures a notebook can store: flat, short, and free of what JSON or UTF-8 cannot carry."""
    return {"lmfunction": _figures(summary, redaction)} if summary else {}


def _figures(found: Mapping[Any, object], redaction: Redaction) -> dict[str, object]:
    from .leaf import label

    named = [(label(name, 80, redaction), value) for name, value in islice(found.items(), _FIGURES)]
    return {name: HIDDEN if redaction.hides((name,)) else _figure(value, redaction) for name, value in named}


def _figure(value: object, redaction: Redaction) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= 53:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, Mapping):
        return _figures(value, redaction)
    if isinstance(value, list | tuple):
        return [_figure(item, redaction) for item in value[:_FIGURES]]
    from .leaf import label

    return label(value, 500 if isinstance(value, str) else 200, redaction)
