"""Cards as text: layout, colour, width, and what is said when something is cut."""

from pathlib import Path

import pytest
import yaml

from lmfunction._render import Card, Section, Tone, render_text
from lmfunction._render.columns import cells, wrap

CASES = yaml.safe_load((Path(__file__).parent / "text_cases.yaml").read_text("utf-8"))


def build(card):
    sections = tuple(Section(**section) for section in card.get("sections", ()))
    return Card(Tone[card["tone"]], card["status"], card["title"], tuple(card.get("facts", ())), sections)


def one(body, kind="data", **more):
    return Card(Tone.OK, "OK", "f", (), (Section("Payload", body, kind, **more),))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_layout(case):
    """A card reads as the case says."""
    assert render_text(build(case["card"]), width=case.get("width", 60)) == case["text"].rstrip("\n")


def test_log_levels_are_coloured_and_lambda_lines_dim():
    """Colour marks the lines of a log; without it nothing but the words remains."""
    card = one('START RequestId: 1\nfine\n[ERROR] bad\nWARN hm\n{"level": "error"}\nREPORT RequestId: 1', "log")
    lines = render_text(card, color=True).splitlines()[2:]
    assert [line.partition("m")[0] for line in lines] == [
        "\x1b[2",
        "    fine",
        "\x1b[31",
        "\x1b[33",
        "\x1b[31",
        "\x1b[2",
    ]
    assert "\x1b" not in render_text(card)


@pytest.mark.parametrize("tone", Tone)
def test_the_badge_is_coloured_and_says_its_word(tone):
    """Every tone has a colour of its own and the word is there without it."""
    card = Card(tone, "WORD", "f")
    assert render_text(card) == "[WORD] f"
    assert render_text(card, color=True).startswith("\x1b[1")
    assert len({render_text(Card(each, "WORD", "f"), color=True) for each in Tone}) == len(Tone)


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_no_line_is_wider_than_asked(width):
    """Wide characters count as two columns, tabs are expanded."""
    text = "漢字かな交じり文 and\tmore é́ 👩‍💻 " * 20
    card = Card(Tone.OK, "OK", text, (text, "200"), (Section(text, text, "log"), Section("t", {text: [text]})))
    assert max(map(cells, render_text(card, width=width).splitlines())) <= width


def test_wrapping_loses_nothing():
    """The pieces of a wrapped line joined are the line."""
    text = "lorem ipsum dolor sit amet, " * 40 + "x" * 300
    assert "".join(wrap(text, 37)) == text


@pytest.mark.parametrize(
    ("body", "kind", "note"),
    [
        ("x" * 6_000_000, "text", "    showing 7.2 KiB of 5.7 MiB — r.payload"),
        ("line\n" * 100_000, "log", "    the end: showing 3.4 KiB of 488.3 KiB — r.payload"),
        ([{"a": i, "b": i} for i in range(512)], "data", "    showing 20 of 512 rows — r.payload"),
        (dict.fromkeys(map(str, range(1_000)), 1), "data", "    showing part of 1,000 keys — r.payload"),
        ({"a": "x" * 5_000}, "data", "    showing part of 1 key — r.payload"),
        ([("a", "b")] * 500, "pairs", "    showing part of 500 entries — r.payload"),
    ],
)
def test_what_is_cut_is_said(body, kind, note):
    """The last line of a cut section says how much is shown and how to get the rest."""
    assert render_text(one(body, kind, more="r.payload")).splitlines()[-1] == note


def test_a_known_size_is_used():
    """When the caller knows the bytes of the whole, the note says so instead of counting keys."""
    text = render_text(one(dict.fromkeys(map(str, range(10_000)), 1), size=6_186_598, more="r.payload"))
    assert text.splitlines()[-1].endswith("of 5.9 MiB — r.payload")
    assert "… 9,950 more keys" in text


def test_a_log_keeps_its_end():
    """When a log is cut, the first lines go: the last ones say what went wrong."""
    text = render_text(one("".join(f"line {i}\n" for i in range(10_000)), "log"))
    assert "    line 9999\n" in text
    assert "    line 0\n" not in text


def test_a_large_section_leaves_room_for_the_others():
    """The room is shared: an error below a huge payload is still shown whole."""
    error = "ValueError: " + "why " * 200
    card = Card(
        Tone.FAILED, "FAILED", "f", (), (Section("Payload", "x" * 10**6, "text"), Section("Error", error, "text"))
    )
    text = render_text(card)
    assert text.count("why") == 200
    assert len(text) > 6_000


def test_sections_that_have_no_room_are_counted():
    """A card with too many sections says how many it left out."""
    card = Card(Tone.OK, "OK", "f", (), tuple(Section(f"s{i}", "x", "text") for i in range(100)))
    assert render_text(card).splitlines()[-1] == "  … 80 more sections"
