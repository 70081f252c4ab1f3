"""Text made safe and short: escapes for what came from outside, near misses for "did you mean"."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from typing import Final

# C0 and C1 controls (ESC, BEL, CR, backspace ...), the bidirectional and zero-width controls, line and
# paragraph separators, the BOM and lone surrogates: each can hide, forge or reorder what a terminal shows.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str, *, one_line: bool = False) -> str:
    r"""`text` with every control, bidirectional and zero-width character written as a visible escape (`\x1b`).

    Newline and tab stay, unless `one_line` asks for them to be escaped too.
    """
    if one_line:
        text = text.replace("\n", "\\n").replace("\t", "\\t")
    return _UNSAFE.sub(lambda m: _escape(m.group()), text)


def visible_json(text: str) -> str:
    """JSON text with the same characters written as JSON's escapes: it reads back unchanged, on one line everywhere."""
    return _UNSAFE.sub(lambda m: f"\\u{ord(m.group()):04x}", text)


def ascii_only(text: str, *, keep: str = "") -> str:
    """`text` with every non-ASCII and control character, but those to `keep`, written as its code point.

    For names that must be ASCII: a look-alike letter is only visible when it is spelled out.
    """
    return "".join(c if " " <= c <= "~" or c in keep else _escape(c) for c in text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of `text`; the cut is marked with `…`."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def one_line(text: str, limit: int) -> str:
    """`text` as one safe line of at most `limit` characters."""
    return shorten(visible(shorten(text, limit * 2), one_line=True), limit)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that a person who typed `name` probably meant, or None."""
    by_folded = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def one_slip(written: str, meant: str) -> bool:
    """Whether `written` is `meant` but for one letter: missing, too much, another one, or two in the wrong order."""
    if abs(len(written) - len(meant)) > 1 or written == meant:
        return False
    same = next((n for n, (one, other) in enumerate(zip(written, meant, strict=False)) if one != other), None)
    at = min(len(written), len(meant)) if same is None else same
    here, there = written[at:], meant[at:]
    swapped = here[:2] == there[1::-1] and here[2:] == there[2:]
    return here[1:] == there[1:] or here[1:] == there or here == there[1:] or swapped


def did_you_mean(name: str, names: Iterable[str], *, prefix: str = "") -> str:
    """` Did you mean X?` with a leading blank, or nothing."""
    found = nearest(name, names)
    return f" Did you mean {prefix}{found}?" if found else ""


def size(count: int) -> str:
    """A byte count for people: `512 B`, `1.2 KiB`, `5.9 MiB`."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / 1024 / 1024:.1f} MiB"


def duration(ms: float) -> str:
    """A duration for people: `8.4 ms`, `142 ms`, `2.35 s`, `14 min 3 s`."""
    if not math.isfinite(ms):
        return "? ms"
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.2f} s"
    return f"{int(ms // 60_000)} min {ms % 60_000 / 1000:.0f} s"


def _escape(char: str) -> str:
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
