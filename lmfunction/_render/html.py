"""Cards as HTML that is safe to store, to sanitise and to read on a light or dark page.

Nothing from outside ever reaches a tag or an attribute: every attribute here is a constant, but for a bar's width. The
styles are the ones JupyterLab's sanitizer keeps (no `<style>`, no variables, no flex), because a notebook somebody else
executed is sanitised when it is opened. Text keeps the page's own colour; only the badge brings its own pair.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from lmfunction._redact import Redaction
from lmfunction._text import shorten, size

from .body import Cell, Data, Limits, Pairs, Table, Words, body_of, note, shown_part, shown_rows, weight
from .card import Bar, Card, Section, Tone
from .leaf import label
from .lines import TAB, frame_styles, level, lines_of
from .markup import GROWTH, INERT, Room, escaped
from .room import Piece, share
from .walk import Event, Shape, Step, Walk

# Badge background and text: at least 4.5:1. The left edge: at least 3:1 on white and on #111 alike.
BADGE: Final = {
    Tone.OK: ("#1b5e20", "#ffffff"),
    Tone.FAILED: ("#b71c1c", "#ffffff"),
    Tone.WARNING: ("#ffb300", "#000000"),
    Tone.INFO: ("#0d47a1", "#ffffff"),
    Tone.DRYRUN: ("#4a148c", "#ffffff"),
    Tone.PLAIN: ("#424242", "#ffffff"),
}
EDGE: Final = {
    Tone.OK: "#388e3c",
    Tone.FAILED: "#e53935",
    Tone.WARNING: "#c77700",
    Tone.INFO: "#1e88e5",
    Tone.DRYRUN: "#ab47bc",
    Tone.PLAIN: "#757575",
}

_MONO: Final = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_BODY: Final = f"margin:4px 0 0 0;{_MONO};font-size:12px;line-height:1.5;max-height:400px;overflow:auto"
_NAME: Final = f"<code style='{_MONO};font-size:13px;font-weight:600;background:transparent;padding:0'>"
# word-break: JupyterLab would break a <pre>'s lines in the middle of words.
_PRE: Final = (
    f"<pre style='{_BODY};padding:0;border:none;background:transparent;"
    "white-space:pre-wrap;overflow-wrap:break-word;word-break:normal'>"
)
_TREE: Final = f"<div style='{_BODY};white-space:pre-wrap;overflow-wrap:break-word'>"
# A wrapped line hangs behind its first one, so keys stay the left edge of the tree.
_LINE: Final = "<div style='padding-left:28px;text-indent:-14px'>"
_TOP: Final = "<div>"
_EDGE_LINE: Final = "<div style='padding-left:14px'>"
_INNER: Final = "<div style='padding-left:14px'>"
_FOLD: Final = "<summary style='cursor:pointer'>"
_DIM: Final = "<span style='opacity:0.75'>"
_WHOLE: Final = "<span style='white-space:nowrap'>"
_NOTE: Final = "<div style='margin-top:4px;font-size:12px;opacity:0.75'>"
_SECTION: Final = "<details{} style='margin-top:8px'><summary style='cursor:pointer;font-size:12px;font-weight:600'>"
_CELL: Final = "padding:2px 20px 2px 0;line-height:1.5;white-space:nowrap"
# JupyterLab stripes the rows of every table; lines do in all front ends, and on any background.
_ROW: Final = "<tr style='border-bottom:1px solid rgba(128,128,128,0.3);background:transparent'>"
_PAIR_ROW: Final = "<tr style='background:transparent'>"
_PAIR: Final = "padding:1px 20px 1px 0;border:none;line-height:1.5;vertical-align:top;text-align:left"
_GRID: Final = (
    "<div style='margin:4px 0 0 0;max-height:520px;overflow:auto'>"
    "<table{} style='border-collapse:collapse;border:none;margin:0;font-size:12px;line-height:1.5;{}'>"
)
_TABLE: Final = _GRID.format(" class='dataframe'", _MONO)
_PAIRS: Final = _GRID.format("", "") + "<tbody>"
_LINES: Final = _PRE.replace("padding:0;", "padding:0 0 0 9px;")  # a gutter for the flags below
_FLAG: Final = "margin-left:-9px;padding-left:6px;border-left:3px solid"
_STYLE: Final = {
    "dim": _DIM,
    "strong": "<span style='font-weight:600'>",
    "error": f"<span style='{_FLAG} {EDGE[Tone.FAILED]};font-weight:600'>",
    "warn": f"<span style='{_FLAG} {EDGE[Tone.WARNING]}'>",
}

_BAR: Final = f"<div style='background:{EDGE[Tone.INFO]};width:{{}}px;height:8px'></div>"
_BAR_WIDTH: Final = 200
_ROWS: Final = 20
_WHOLE_FACT: Final = 60  # characters of a fact that is not wrapped: a request id
_COLUMNS: Final = 12
_CELL_TEXT: Final = 80  # characters
_LONG_LINE: Final = 4_000  # characters of a log line
_PIECE: Final = 512  # characters escaped at a time: what does not fit is lost in pieces of this size
_OPEN_DEPTH: Final = 3
_OPEN_ITEMS: Final = 50
_NOTE_ROOM: Final = 500
_SECTION_ROOM: Final = 1_500


def render_html(card: Card, *, limit: int = 65_536) -> str:
    """The card as one `<div>` of at most `limit` bytes of UTF-8; empty when not even the header fits."""
    start, end = _header(card), "</div>"
    left = limit - len((start + end).encode())
    if left < 0:
        return ""
    shown = card.sections[: left // _SECTION_ROOM]
    dropped = len(card.sections) - len(shown)
    tail = f"{_NOTE}… {dropped:,} more section{'' if dropped == 1 else 's'}</div>" if dropped else ""
    if len(tail.encode()) > left:
        return start + end
    sections = share(left - len(tail.encode()), [partial(_section, section, card.redaction) for section in shown])
    return start + "".join(sections) + tail + end


def _header(card: Card) -> str:
    back, front = BADGE[card.tone]
    badge = (
        f"<span style='background:{back};color:{front};padding:2px 8px;border-radius:3px;"
        f"font-size:11px;font-weight:700;letter-spacing:0.5px'>{escaped(label(card.status, 40, card.redaction))}</span>"
    )
    title = f"{_NAME}{escaped(label(card.title, 200, card.redaction))}</code>"
    facts = "".join(f" · {_fact(label(fact, 120, card.redaction))}" for fact in card.facts[:20])
    return (
        f"<div class='{INERT}' style='border:1px solid rgba(128,128,128,0.4);border-left:4px solid {EDGE[card.tone]};"
        "border-radius:4px;padding:8px 12px 10px 12px;margin:4px 0;line-height:1.5;font-size:13px'>"
        f"<div>{badge} &nbsp;{title}{_DIM}{facts}</span></div>"
    )


def _fact(text: str) -> str:
    return f"{_WHOLE}{escaped(text)}</span>" if len(text) <= _WHOLE_FACT else escaped(text)


def _section(section: Section, redaction: Redaction, limit: int) -> Piece:
    room = Room(limit - _NOTE_ROOM)
    title = escaped(label(section.title, 200, redaction))
    if not room.open(_SECTION.format(" open" if section.open else "") + title + "</summary>", "</details>"):
        return Piece("", cut=True)
    about = _body(section, redaction, room)
    text = room.finish()
    if about:
        text = text.removesuffix("</details>") + f"{_NOTE}{escaped(note(about, section.more))}</div></details>"
    return Piece(text, cut=bool(about))


def _body(section: Section, redaction: Redaction, room: Room) -> str:
    """Write the body; the note to add when it was cut."""
    match body_of(section, redaction, Limits(rows=_ROWS, columns=_COLUMNS, cell=_CELL_TEXT, text=max(room.left, 1))):
        case Words(kind="text") as words:
            return _words(room, words)
        case Words() as words:
            return _lines(room, words)
        case Table() as table:
            return shown_rows(table, _table(room, table))
        case Pairs(pairs, total):
            shown = _pairs(room, pairs)
            return f"showing {shown:,} of {total:,} entries" if shown < total else ""
        case Data(value):
            walk = Walk(Shape(items=200, leaf=4_000), redaction, section.path, each=section.each)
            whole = _tree(room, walk, value)
            return "" if whole and not walk.cut else shown_part(value, walk.shown, section.size)


def _words(room: Room, words: Words) -> str:
    text = words.text
    if not room.open(_PRE, "</pre>"):
        return _bytes_note(words, 0)
    shown = 0
    # One newline right after <pre> is swallowed by the parser, so a text that starts with one is given another.
    room.add("\n")
    while shown < len(text) and room.add(escaped(text[shown : shown + _PIECE])):
        shown += _PIECE
    if not text:
        room.add("(empty)")
    room.close()
    return _bytes_note(words, weight(text[:shown])) if shown < len(text) or not words.whole else ""


def _lines(room: Room, words: Words) -> str:
    """The lines of a log or a trace: from the end where that says what went wrong, else from the beginning."""
    if not words.text:
        return _words(room, words)
    if not room.open(_LINES + "\n", "</pre>"):
        return _bytes_note(words, 0)
    lines = lines_of(words.text)
    styles = list(frame_styles(lines)) if words.kind == "trace" else [level(line) for line in lines]
    order = range(len(lines))
    shown, cut, left = 0, not words.whole, room.left
    taken: list[str] = []
    for at in reversed(order) if words.from_end else order:
        line = lines[at].replace("\t", TAB)
        if len(line) > _LONG_LINE:
            cut, line = True, shorten(line, _LONG_LINE if taken else max(left // GROWTH, 1))
        markup = _line(line, styles[at]) + "\n"
        left -= len(markup.encode())
        if left < 0:
            cut = True
            break
        shown += weight(line) + 1
        taken.append(markup)
    room.add("".join(taken[::-1] if words.from_end else taken).removesuffix("\n"))
    room.close()
    return f"{'the end: ' if words.from_end else ''}{_bytes_note(words, shown)}" if cut else ""


def _line(line: str, style: str) -> str:
    return f"{_STYLE[style]}{escaped(line)}</span>" if style else escaped(line)


def _bytes_note(words: Words, shown: int) -> str:
    return f"showing {size(min(shown, words.bytes))} of {size(words.bytes)}"


def _table(room: Room, table: Table) -> int:
    """Write header and rows; how many rows fitted."""
    if not room.open(_TABLE, "</tbody></table></div>"):
        return 0
    head = _row(table.columns, table.numeric, "th")
    if not room.add(f"<thead>{head}</thead><tbody>"):
        room.add("<tbody>")
        room.close()
        return 0
    shown = 0
    while shown < len(table.rows) and room.add(_row(table.rows[shown], table.numeric, "td")):
        shown += 1
    room.close()
    return shown


def _row(cells: tuple[Cell, ...], numeric: tuple[bool, ...], tag: str) -> str:
    return _ROW + "".join(_cell(cell, number, tag) for cell, number in zip(cells, numeric, strict=True)) + "</tr>"


def _cell(cell: Cell, number: bool, tag: str) -> str:
    text = _bar(cell.share) if isinstance(cell, Bar) else escaped(cell)
    style = f"{_CELL};text-align:{'right' if number else 'left'}"
    return f"<{tag} style='{style}'>{text}</{tag}>"


def _bar(share: float) -> str:
    """A bar; of something at least a sliver, of nothing none."""
    return _BAR.format(round(share * _BAR_WIDTH) or 1) if share > 0 else ""


def _pairs(room: Room, pairs: tuple[tuple[str, str], ...]) -> int:
    if not room.open(_PAIRS, "</tbody></table></div>"):
        return 0
    shown = 0
    while shown < len(pairs) and room.add(_pair(*pairs[shown])):
        shown += 1
    room.close()
    return shown


def _pair(name: str, value: str) -> str:
    return (
        f"{_PAIR_ROW}<td style='{_PAIR};opacity:0.75;white-space:nowrap'>{escaped(name)}</td>"
        f"<td style='{_PAIR};{_MONO};white-space:pre-wrap;overflow-wrap:break-word'>{escaped(value)}</td></tr>"
    )


def _tree(room: Room, walk: Walk, value: object) -> bool:
    """Write data as lines, its inner branches foldable; whether all of it fitted."""
    if not room.open(_TREE, "</div>"):
        return False
    return all(_event(room, event) for event in walk.events(value))


def _event(room: Room, event: Event) -> bool:
    text = escaped(event.key + event.text)
    if event.step is Step.LINE:
        return room.add(f"{_LINE if event.depth else _TOP}{text}</div>")
    if event.depth == 0:
        return room.add(f"{_TOP}{text}</div>")
    if event.step is Step.CLOSE:
        room.close()
        fits = room.add(f"{_EDGE_LINE}{text}</div>")
        room.close()
        return fits
    wide = event.depth <= _OPEN_DEPTH and event.size <= _OPEN_ITEMS
    count = "" if wide else f"{_DIM} {event.holds}</span>"
    start = f"<details{' open' if wide else ''}>{_FOLD}{text}{count}</summary>"
    return room.open(start, "</details>") and room.open(_INNER, "</div>")
