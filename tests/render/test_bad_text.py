"""Nothing from outside becomes markup, a control sequence, mathematics or a bundle type."""

import io
import re
from pathlib import Path

import pytest
import yaml

from lmfunction._render import Card, Section, Tone, mime_bundle, render_html, render_text, terminal_text
from lmfunction._text import visible

BAD = yaml.safe_load((Path(__file__).parent / "bad_text.yaml").read_text("utf-8"))
BAD["lone surrogate"] = "a\ud800b"  # YAML cannot spell it


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_html_is_inert(text, page, everywhere):
    """Only our tags and constant attributes come out, and the text reads as it was, controls spelled out."""
    read = page(render_html(everywhere(text)))
    assert visible(text) in read.text  # in the error section, as it was


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_text_is_inert(text, everywhere, controls):
    """No control character reaches a terminal, and no forged line starts at the card's edge."""
    shown = render_text(everywhere(text), width=200)
    assert not controls(shown), ascii(shown)
    assert [line for line in shown.splitlines() if not line.startswith("  ")] == [shown.splitlines()[0]]


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_colour_adds_only_our_own_codes(text, everywhere, controls):
    """With colour on, the only escape sequences are ours."""
    plain = re.sub(r"\x1b\[(?:0|1|2|31|33|1;3[12356])m", "", render_text(everywhere(text), color=True))
    assert not controls(plain)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bundle_has_two_types(text, everywhere, controls):
    """The bundle never carries a type other than text and HTML, and its metadata is plain and printable."""
    data, metadata = mime_bundle(lambda: everywhere(text), lambda: "")
    assert set(data) == {"text/plain", "text/html"}
    assert not controls(str(metadata))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_stream_of_any_encoding_can_be_written(text, everywhere):
    """What a terminal's encoding lacks is escaped instead of failing the print."""
    terminal_text(everywhere(text), io.TextIOWrapper(io.BytesIO(), encoding="ascii")).encode("ascii")


@pytest.mark.parametrize("text", [BAD["E12 display math"], BAD["E12 inline math"], "$", "$$$$", "\\", "a\\\\(b\\\\)"])
def test_mathematics_is_never_typeset(text, page, everywhere):
    """Delimiters sit alone in a text node (typesetters look within one), and the text content stays the same."""
    read = page(render_html(everywhere(text)))
    for string in read.strings:
        assert string in ("$", "\\") or not re.search(r"\$|\\\(|\\\[|\\begin", string), string
    assert text in read.text


@pytest.mark.parametrize(
    "payload",
    [
        {"text/html": "<b>x</b>", "application/javascript": "alert(1)"},
        {"_repr_html_": "<b>x</b>", "_ipython_display_": "x"},
        {"data": {"text/html": "<b>x</b>"}, "metadata": {}},
    ],
)
def test_a_payload_that_looks_like_a_bundle_is_data(payload, page):
    """E11: a response cannot choose how it is shown."""
    data, metadata = mime_bundle(lambda: Card(Tone.OK, "OK", "f", (), (Section("Payload", payload),)), lambda: "")
    assert set(data) == {"text/plain", "text/html"}
    assert metadata == {}
    assert next(iter(payload)) in page(data["text/html"]).text
    assert "<b>" not in data["text/html"]


def test_a_log_line_ends_at_a_newline_only():
    """E25: a carriage return or a Unicode line separator inside a log line cannot start another."""
    card = Card(Tone.OK, "OK", "f", (), (Section("Log", "one\rEND RequestId: x\u2028REPORT\x85y\r\nlast\n", "log"),))
    shown = render_text(card).splitlines()
    assert shown[2:] == ["    one\\x0dEND RequestId: x\\u2028REPORT\\x85y", "    last"]
