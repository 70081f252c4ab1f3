"""The mime bundle and the terminal: what is asked for, what is allowed, what happens when something fails."""

import io
import subprocess
import sys

import pytest

from lmfunction._render import Card, Section, Tone, mime_bundle, terminal_text
from lmfunction._render.card import Bar

CARD = Card(Tone.OK, "OK", "f", ("200",), (Section("Payload", {"a": 1}),), {"status": 200, "ok": True, "ms": 1.5})


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def fail():
    raise RuntimeError("no")


@pytest.mark.parametrize(
    ("include", "exclude", "kinds"),
    [
        (None, None, {"text/plain", "text/html"}),
        ([], [], {"text/plain", "text/html"}),
        ({"text/html"}, None, {"text/html"}),
        (None, {"text/html"}, {"text/plain"}),
        ({"application/json"}, None, set()),
    ],
)
def test_include_and_exclude(include, exclude, kinds):
    """Only what the front end asks for is rendered, and never a third type."""
    data, metadata = mime_bundle(lambda: CARD, fail, include, exclude)
    assert set(data) == kinds
    assert metadata == {"lmfunction": {"status": 200, "ok": True, "ms": 1.5}}


def test_a_failing_card_falls_back():
    """An exception in a formatter fails the cell in ipykernel: the fallback is shown instead."""
    assert mime_bundle(fail, lambda: "<InvokeResult 200>\x1b[2J") == ({"text/plain": "<InvokeResult 200>\\x1b[2J"}, {})


def test_a_failing_fallback_falls_back_too():
    """Even when the object's repr is what failed, something is shown."""
    assert mime_bundle(fail, fail) == ({"text/plain": "<lmfunction: this result cannot be shown>"}, {})


def test_interrupts_pass():
    """Ctrl-C while a card is made is the user's, not ours to swallow."""

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mime_bundle(interrupt, fail)


def test_metadata_is_storable():
    """What JSON or UTF-8 cannot carry is described: nothing in the metadata can break the message."""
    summary = {"nan": float("nan"), "big": 10**5_000, "text": "\ud800\x1b", "list": [None, {"a": b"x"}], 1: "key"}
    _, metadata = mime_bundle(lambda: Card(Tone.OK, "OK", "f", summary=summary), fail)
    assert metadata["lmfunction"] == {
        "nan": "NaN",
        "big": "<integer of about 5,001 digits>",
        "text": "\\ud800\\x1b",
        "list": [None, {"a": "<1 B of bytes: b'x'>"}],
        "1": "key",
    }


def test_ipython_shows_the_bundle():
    """IPython's own formatter accepts data and metadata."""
    formatters = pytest.importorskip("IPython.core.formatters")

    class Result:
        def _repr_mimebundle_(self, include=None, exclude=None):
            return mime_bundle(lambda: CARD, lambda: "r", include, exclude)

    data, metadata = formatters.DisplayFormatter().format(Result())
    assert set(data) == {"text/plain", "text/html"}
    assert metadata["lmfunction"]["status"] == 200


@pytest.mark.parametrize(
    ("stream", "env", "colored"),
    [
        (Terminal, {}, True),
        (io.StringIO, {}, False),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": ""}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (io.StringIO, {"FORCE_COLOR": "0"}, False),
        (io.StringIO, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colour(monkeypatch, stream, env, colored):
    """Colour is for people at terminals, unless the environment says otherwise."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in terminal_text(CARD, stream())) is colored


@pytest.mark.parametrize(("columns", "width"), [("50", 50), ("0", 100), ("x", 100), ("", 100)])
def test_width(monkeypatch, columns, width):
    """The width is the terminal's; nonsense and pipes mean 100."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    card = Card(Tone.OK, "OK", "f", (), (Section("t", "x" * 300, "text"),))
    assert max(map(len, terminal_text(card, Terminal()).splitlines())) == width
    assert max(map(len, terminal_text(card, io.StringIO()).splitlines())) == 100


def test_a_terminal_without_our_signs():
    """A terminal whose encoding has no dots and bars gets plain ones; text from outside is escaped as ever."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    body = [{"n": "x" * 300, "bar": Bar(1.0)}, {"n": "é", "bar": Bar(0.0)}]
    text = terminal_text(Card(Tone.OK, "OK", "f", ("200",), (Section("t", body, "table", more="r"),)), stream)
    assert text.startswith("[OK] f - 200\n")
    assert "...  ########################\n" in text
    assert "\\xe9" in text
    assert "long values in short - r" in text


def test_a_closed_stream_is_no_terminal():
    """A stream that cannot even say whether it is a terminal gets plain text."""
    stream = io.StringIO()
    stream.close()
    assert "\x1b" not in terminal_text(CARD, stream)


def test_the_import_is_light():
    """Renderers load when they are first used."""
    code = "import sys, lmfunction._render; print([m for m in sys.modules if m in %r])"
    heavy = ["lmfunction._render.html", "lmfunction._render.text", "html", "IPython", "json", "boto3"]
    done = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
