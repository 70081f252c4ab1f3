"""Cards as HTML: contrast, structure, folding, notes."""

import pytest

from lmfunction._render import Card, Section, Tone, render_html
from lmfunction._render.html import BADGE, EDGE


def one(body, kind="data", **more):
    return Card(Tone.OK, "OK", "f", ("200",), (Section("Payload", body, kind, **more),))


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tone", Tone)
def test_badges_can_be_read(tone):
    """The badge brings its own pair of colours: at least 4.5:1."""
    assert contrast(*BADGE[tone]) >= 4.5


@pytest.mark.parametrize("tone", Tone)
@pytest.mark.parametrize("page_color", ["#ffffff", "#111111", "#1f1f1f"])
def test_edges_can_be_seen(tone, page_color):
    """The coloured edge is visible on light and dark pages: at least 3:1."""
    assert contrast(EDGE[tone], page_color) >= 3


def test_structure(page):
    """A card is one element: header, then a foldable part per section."""
    markup = render_html(
        Card(
            Tone.FAILED,
            "FAILED",
            "orders-api:live",
            ("200", "88 ms"),
            (Section("Error", "KeyError: 'x'\n", "text"), Section("Log", "ERROR x", "log", open=False)),
        )
    )
    assert page(markup).text == "FAILED \xa0orders-api:live · 200 · 88 msError\nKeyError: 'x'\nLog\nERROR x"
    assert markup.count("<details open") == 1
    assert markup.count("<details") == 2


def test_data_reads_as_json(page):
    """The text of the tree is the data, branches fold, a small branch stays on one line."""
    markup = render_html(one({"a": {"b": [1, {"c": {}}], "d": {"e": "f"}}, "g": None}))
    assert page(markup).text.endswith('{"a": {"b": [1,{"c": {}}],"d": {"e": "f"}},"g": null}')
    assert markup.count("<summary") == 3


def test_deep_and_long_branches_start_folded(page):
    """What is far down is folded and says how much it holds."""
    markup = render_html(one({"a": {"b": {"c": {"d": {"e": [list(range(60))]}}}}, "long": list(range(60))}))
    assert '"long": [ 60 items' in page(markup).text
    assert "<details><summary" in markup


def test_a_table(page):
    """Rows with the same keys become a table of at most 20 rows that says how many there are."""
    markup = render_html(one([{"name": "a", "n": i} for i in range(512)], more="r.to_frame()"))
    assert markup.count("<tr") == 21
    assert page(markup).text.endswith("showing 20 of 512 rows — r.to_frame()")


@pytest.mark.parametrize(
    ("body", "kind", "note"),
    [
        ("x" * 6_186_598, "text", "showing 62.5 KiB of 5.9 MiB — r.payload"),
        ("line\n" * 1_000_000, "log", "the end: showing 62.5 KiB of 4.8 MiB — r.payload"),
        (dict.fromkeys(map(str, range(1_000)), 1), "data", "showing part of 1,000 keys — r.payload"),
        ([("a", "b")] * 500, "pairs", "showing 100 of 500 entries — r.payload"),
    ],
)
def test_what_is_cut_is_said(page, body, kind, note):
    """A cut section ends with how much is shown and how to get the rest."""
    read = page(render_html(one(body, kind, more="r.payload"))).text
    assert read.endswith(note), read[-80:]


def test_a_text_that_starts_with_a_newline_keeps_it(page):
    """A parser swallows one newline after <pre>; ours is given to it, the text keeps its own."""
    assert "Payload\n\nx" in page(render_html(one("\nx", "text"))).text


def test_output_is_the_same_every_time():
    """No ids, no times: a re-executed notebook has no differences but the data's."""
    assert render_html(one({"a": [1, {"b": 2}]})) == render_html(one({"a": [1, {"b": 2}]}))
