"""Cards as JupyterLab shows them: in every theme, and in a notebook that nobody here has run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from render.corpus import cards

from lab.labnotebook import Notebook
from lab.labpage import Lab
from lmfunction._render import Card, Section, Tone, render_html

CARDS: dict[str, str] = dict(cards())


@pytest.fixture(scope="module")
def untrusted(the_lab: Lab) -> Iterator[Notebook]:
    """A notebook that somebody else has run: a cell for each kind of card."""
    with the_lab.shown(CARDS) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def trusted(the_lab: Lab) -> Iterator[Notebook]:
    """The same notebook, declared trusted."""
    with the_lab.shown(CARDS, trust=True) as notebook:
        yield notebook


@pytest.mark.parametrize("name", CARDS)
def test_the_sanitizer_leaves_a_card_as_it_is(trusted: Notebook, the_lab: Lab, name: str) -> None:
    """JupyterLab's own sanitizer finds nothing to remove: no tag, no attribute, no style."""
    whole, left = the_lab.structures([CARDS[name], trusted.sanitized(CARDS[name])])
    assert left == whole


def test_untrusted_cards_look_like_trusted(untrusted: Notebook, trusted: Notebook, lab: Lab, tmp_path: Path) -> None:
    """A notebook that somebody else has run shows the same text in the same structure, and nothing of it runs."""
    assert not untrusted.trusted
    assert trusted.trusted
    shown = [read(notebook) for notebook in (untrusted, trusted)]
    untrusted.show()
    untrusted.node.screenshot(path=tmp_path / "untrusted.png")
    for name, strange, own in zip(CARDS, *shown, strict=True):
        assert strange == own, name
    assert lab.happened() == {}


def read(notebook: Notebook) -> list[tuple[list[list[str]], str]]:
    """For each cell: its card as tags and attributes, and as the text of everything unfolded."""
    notebook.show()
    for cell in notebook.cells():
        cell.unfold()
    return [(notebook.lab.structures(cell.shown), cell.text) for cell in notebook.cells()]


def test_lines_break_between_words(lab: Lab) -> None:
    """A long line of a log goes on in the next one at a space, as a reader expects."""
    markup = render_html(Card(Tone.OK, "OK", "f", (), (Section("Log", "consequence " * 100, "log"),)))
    with lab.shown({"log": markup}, trust=True) as notebook:
        lines = (
            notebook.cell(0)
            .area.locator("pre")
            .evaluate(
                """pre => pre.textContent.trim().split(' ').map((word, index) => {
                const range = document.createRange();
                const [text] = [...pre.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
                const start = text.data.indexOf(word) + index * (word.length + 1);
                range.setStart(text, start);
                range.setEnd(text, start + word.length);
                return range.getClientRects().length;
            })"""
            )
        )
    assert lines == [1] * 100
