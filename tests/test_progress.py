"""When a wait is shown, what it tells, and how each medium draws it."""

from __future__ import annotations

import html
import io
import operator
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmfunction._door import Door
from lmfunction._pipeline import Flow, enumerated
from lmfunction._progress import LOG_EVERY, Counts, Meter, Progress, Viewer, shown, wanted
from lmfunction._progress_card import ProgressCard, progress_card
from lmfunction._progress_lines import StatusLine, log_line
from lmfunction._render import render_html, render_text
from lmfunction._waiting import TICK, tick

CASES = yaml.safe_load(Path(__file__).with_name("progress_cases.yaml").read_text("utf-8"))


def progress_of(members: dict[str, Any]) -> Progress:
    """The value that a row spells."""
    counts = members.get("counts")
    return Progress(**{**members, "counts": Counts(**counts) if counts else None})


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("case", CASES["lines"], ids=lambda case: case["text"])
def test_what_it_tells(case: dict[str, Any]) -> None:
    """One line with whole seconds while it lasts, exact once it ended, and nothing in it that a terminal obeys."""
    assert progress_of(case["progress"]).text == case["text"]


@pytest.mark.parametrize("case", CASES["paces"], ids=lambda case: str(case["ticks"]))
def test_when_it_draws(case: dict[str, Any]) -> None:
    """Not before its first time, not oftener than its pace, and the end only where something was drawn."""
    clock, drawn = Clock(), list[float]()
    clock.now = -5.0  # what is done before the first tick is no part of the wait
    viewer = Viewer(lambda progress: drawn.append(progress.elapsed), case["after"], case["every"])
    meter = Meter([viewer], lambda elapsed: Progress("f", elapsed), clock)
    clock.now = 0.0
    for at in (0.0, *case["ticks"]):
        clock.now = at
        meter.tick()
    clock.now = case["end"]
    meter.end("waited")
    assert drawn == case["drawn"]


@pytest.mark.parametrize(
    ("error", "ended"), [(None, "waited"), (KeyboardInterrupt(), "stopped after"), (OSError(), "failed after")]
)
def test_how_it_ended(error: BaseException | None, ended: str) -> None:
    """The last state says how it ended, the error goes on, and nothing ticks any more."""
    clock, drawn = Clock(), list[Progress]()

    def work() -> None:
        with shown([Viewer(drawn.append)], lambda elapsed: Progress("f", elapsed), clock):
            tick()
            clock.now = 2.0
            tick()
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert [p.ended for p in drawn] == ["", ended]
    assert TICK.get() is None


def test_a_viewer_that_fails_costs_nothing_but_itself() -> None:
    """A closed terminal ends its drawing; the wait and other viewers go on."""
    clock, drawn = Clock(), list[Progress]()

    def broken(progress: Progress) -> None:
        raise BrokenPipeError

    with shown([Viewer(broken), Viewer(drawn.append)], lambda elapsed: Progress("f", elapsed), clock):
        for at in (0.0, 1.0, 2.0):
            clock.now = at
            tick()
    assert [p.elapsed for p in drawn] == [1.0, 2.0, 2.0]


def test_nobody_watching_costs_no_tick() -> None:
    """Without viewers nothing is installed, so that the fast path of a call stays as it is."""
    with shown((), lambda elapsed: Progress("f", elapsed)):
        assert TICK.get() is None


@pytest.mark.parametrize(
    ("line", "door", "watched"),
    [
        (None, "Continue", True),
        (None, "SilentlyContinue", False),
        ("SilentlyContinue", "Continue", False),
        ("Continue", "SilentlyContinue", True),
    ],
)
def test_who_decides(line: str | None, door: str, watched: bool) -> None:
    """ProgressAction of the line outweighs the door's; where silence is wanted nobody is even looked for."""

    def viewers() -> tuple[Viewer, ...]:
        assert watched, "nobody should be asked"
        return (Viewer(print),)

    arguments = {} if line is None else {"progress_action": line}
    assert bool(wanted(arguments, door, viewers)) is watched
    assert Door().progress() == ()


def test_a_notebooks_log_has_the_pace_of_others() -> None:
    """The setting of the magics, which loads without this module, begins with the same half minute."""
    from lmfunction._magics import LMFunction

    assert LMFunction.class_traits()["progress_log_sec"].default_value == LOG_EVERY == 30


# A terminal's line


class Terminal(io.StringIO):
    """A terminal of some encoding, whose screen is what carriage returns leave."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def screen(self) -> str:
        """The line as a person sees it."""
        cells: list[str] = []
        for row in self.getvalue().split("\r"):
            cells[: len(row)] = row
        return "".join(cells).rstrip()


def test_a_terminals_line_is_written_over_and_vanishes() -> None:
    """A shorter text leaves nothing of a longer one; a hint that would wrap is dropped; the end is clean."""
    stream = Terminal()
    line = StatusLine(stream)
    line.draw(Progress("slow", 754, on_stop="leaves the function running"))
    assert stream.screen() == "slow: 12 min 34 s; Ctrl-C leaves the function running"
    line.draw(Progress("slow", 3))
    assert stream.screen() == "slow: 3 s"
    line.draw(Progress("x" * 90, 3, on_stop="leaves the function running"))
    assert len(stream.screen()) == 79
    line.draw(Progress("slow", 3, ended="waited"))
    assert stream.screen() == ""
    assert "\n" not in stream.getvalue()
    written = stream.getvalue()
    line.clear()
    assert stream.getvalue() == written  # nothing is there to clear


def test_a_terminal_that_lacks_characters() -> None:
    """What its encoding cannot say is a question mark, not an error."""
    stream = Terminal("ascii")
    StatusLine(stream).draw(Progress("größe", 3))
    assert stream.screen() == "gr??e: 3 s"


def test_a_line_of_a_log() -> None:
    """It can be found by its first word."""
    assert log_line(Progress("slow", 61)) == "PROGRESS: slow: 1 min 1 s"


# A notebook's card


class Notebook:
    """IPython's display, that keeps each output's states."""

    def __init__(self) -> None:
        self.outputs: list[list[dict[str, str]]] = []

    def __call__(self, data: dict[str, str], *, raw: bool, metadata: Any, display_id: bool) -> Any:
        assert raw
        assert display_id
        states = [data]
        self.outputs.append(states)

        class Handle:
            def update(self, data: dict[str, str], *, raw: bool, metadata: Any) -> None:
                assert raw
                states.append(data)

        return Handle()


def test_a_notebook_keeps_one_quiet_line_for_a_cell() -> None:
    """A card while it lasts, a line when it is over; waits of one cell share an output, the next cell has its own."""
    book = Notebook()
    card = ProgressCard(book)
    card.draw(Progress("slow", 1.2, on_stop="leaves the function running"))
    assert "Stop leaves the function running" in book.outputs[0][0]["text/html"]
    assert book.outputs[0][0]["text/plain"].startswith("[WAITING] slow · 1 s")
    card.draw(Progress("slow", 4.79, ended="waited"))
    assert book.outputs[0][-1] == {"text/plain": "slow: waited 4.79 s"}
    card.draw(Progress("fast", 1.2))
    card.draw(Progress("fast", 1.31, ended="waited"))
    assert book.outputs[0][-1] == {"text/plain": "fast: waited 1.31 s (2 waits, 6.10 s)"}
    card.forget()
    card.draw(Progress("slow", 1.2))
    card.draw(Progress("slow", 1.3, ended="failed after"))
    assert [states[-1]["text/plain"] for states in book.outputs[1:]] == ["slow: failed after 1.30 s"]


def test_the_card_of_several() -> None:
    """A bar where the total is known, and the same facts in text and HTML; nothing of a title is markup."""
    counts = Counts(done=250, failed=3, in_flight=10, total=1000)
    card = progress_card(Progress("<b>f</b>", 10, counts=counts, on_stop="ends the run"))
    text = render_text(card)
    markup = render_html(card)
    assert "[RUNNING] <b>f</b>" in text
    assert "▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱ 25 %" in text
    assert "<b>" not in markup
    plain = html.unescape(re.sub(r"<[^>]*>", "", markup))
    for fact in (
        "25 %",
        "250 of 1,000 done",
        "3 failed",
        "10 in flight",
        "25/s",
        "about 30 s left",
        "Stop ends the run",
    ):
        assert fact in text.replace("\n     ", " · ")
        assert fact in plain
    unknown = progress_card(Progress("f", 10, counts=Counts(250, 0, 1)))
    assert "▰" not in render_text(unknown)


# How many there are


@pytest.mark.parametrize(
    ("objects", "left"),
    [([[1, 2, 3]], 2), ([range(9)], 8), ([(1, 2)], 1), ([[1, 2], [3]], None), ([iter([1, 2])], 1)],
    ids=["a list", "a range", "a tuple", "two lists", "an iterator of a list"],
)
def test_how_many_are_left(objects: list[Any], left: int | None) -> None:
    """Known while one collection is left, unknown where others may follow; and every object comes."""
    flow = Flow()
    found = enumerated(objects, flow)
    next(found)
    assert operator.length_hint(found, -1) == (-1 if left is None else left)
    assert len(list(found)) == (2 if left is None else left)
    assert flow.many


def test_nobody_knows_how_many_a_generator_gives() -> None:
    """Then there is no total, and nothing is read to find out."""
    read: list[int] = []

    def source() -> Any:
        for number in range(5):
            read.append(number)
            yield number

    found = enumerated([source()], Flow())
    assert next(found) == 0
    assert operator.length_hint(found, -1) == -1
    assert read == [0]


def test_an_interrupted_line_is_taken_away() -> None:
    """Ctrl-C while a line is being written: what has come of it vanishes all the same."""

    class Interrupting(io.StringIO):
        pressed = False

        def flush(self) -> None:
            if not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt

    stream = Interrupting()
    line = StatusLine(stream)
    with pytest.raises(KeyboardInterrupt):
        line.draw(Progress("slow", 1.0))
    written = len(stream.getvalue())
    line.clear()
    assert stream.getvalue()[written:] == "\r" + " " * (written + 1) + "\r"
