"""Cards as JupyterLab shows them: in every theme, and in a notebook that nobody here has run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from lab.labpage import Lab, Notebook
from render.corpus import cards

from lmfunction._render import Card, Section, Tone, render_html

pytestmark = pytest.mark.xdist_group("lab")

CARDS: dict[str, str] = dict(cards())
# Those that people meet; the others differ in what they say, and one in its length.
ORDINARY = {name: markup for name, markup in CARDS.items() if name != "huge" and not name.startswith("hostile")}
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
# What axe-core says of the contrast of text. It decides nothing below an opacity of 1, so that is written as the alpha
# of the text's own colour, which looks the same; and it takes all for hidden in JupyterLab's body, which has no height.
CONTRAST = """
async selector => {
    const kept = [[document.body, document.body.style.cssText]];
    document.body.style.height = '100vh';
    for (const node of document.querySelectorAll(`${selector} *`)) {
        const {opacity, color} = getComputedStyle(node);
        if (opacity < 1) {
            const [red, green, blue, alpha = 1] = color.match(/[\\d.]+/g);
            kept.push([node, node.style.cssText]);
            node.style.opacity = 1;
            node.style.color = `rgba(${red}, ${green}, ${blue}, ${alpha * opacity})`;
        }
    }
    const {passes, violations, incomplete} = await axe.run(selector, {runOnly: ['color-contrast']});
    kept.forEach(([node, style]) => { node.style.cssText = style; });
    const told = rules => rules.flatMap(rule => rule.nodes).map(node => [node.html, node.any[0].message]);
    return {readable: told(passes).length, dimmed: kept.length - 1, unreadable: told([...violations, ...incomplete])};
}
"""


def outputs(markup: str) -> list[dict[str, Any]]:
    """The outputs of a cell that shows this card."""
    data = {"text/plain": "the card as text", "text/html": markup}
    return [{"output_type": "display_data", "data": data, "metadata": {}}]


@pytest.fixture(scope="module")
def untrusted(the_lab: Lab) -> Iterator[Notebook]:
    """A notebook that somebody else has run: a cell for each kind of card."""
    stored = the_lab.write([*CARDS], outputs=[outputs(markup) for markup in CARDS.values()])
    with the_lab.notebook(path=stored) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def trusted(the_lab: Lab) -> Iterator[Notebook]:
    """The same notebook, declared trusted."""
    stored = the_lab.write([*CARDS], outputs=[outputs(markup) for markup in CARDS.values()])
    with the_lab.notebook(path=stored) as notebook:
        notebook.trust()
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
    with untrusted.whole():
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


@pytest.fixture(scope="module")
def ordinary(the_lab: Lab) -> Iterator[Notebook]:
    """A trusted notebook of the cards that people meet, everything unfolded."""
    stored = the_lab.write([*ORDINARY], outputs=[outputs(markup) for markup in ORDINARY.values()])
    with the_lab.notebook(path=stored) as notebook:
        notebook.trust()
        for cell in notebook.cells():
            cell.unfold()
        yield notebook


@pytest.mark.parametrize("theme", THEMES)
def test_cards_can_be_read(theme: str, ordinary: Notebook, lab: Lab, tmp_path: Path) -> None:
    """Text stands out from what is behind it, by the rule of axe-core: 4.5:1, and 3:1 for large text."""
    lab.theme(theme)
    found = contrast(ordinary, tmp_path / f"{theme}.png")
    assert found["unreadable"] == []
    assert found["readable"] > 3 * len(ORDINARY)
    assert found["dimmed"] >= len(ORDINARY)


def test_lines_break_between_words(lab: Lab) -> None:
    """A long line of a log goes on in the next one at a space, as a reader expects."""
    markup = render_html(Card(Tone.OK, "OK", "f", (), (Section("Log", "consequence " * 100, "log"),)))
    with lab.notebook(path=lab.write(["log"], outputs=[outputs(markup)])) as notebook:
        notebook.trust()
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


def test_poor_contrast_is_found(lab: Lab, tmp_path: Path) -> None:
    """What is too faint to read is told, whether by its colour or by its opacity."""
    markup = "<div>clear <span style='color:#aaaaaa'>pale</span> <span style='opacity:0.3'>dim</span></div>"
    with lab.notebook(path=lab.write(["pale"], outputs=[outputs(markup)])) as notebook:
        notebook.trust()
        found = contrast(notebook, tmp_path / "pale.png")
    assert found["readable"] == 1
    assert len(found["unreadable"]) == 2


def contrast(notebook: Notebook, picture: Path) -> dict[str, Any]:
    """What axe-core says of the text of all outputs, which are written to `picture` for a reader to look at."""
    with notebook.whole():
        notebook.node.screenshot(path=picture)
        notebook.page.evaluate(AXE_SCRIPT)
        found: dict[str, Any] = notebook.page.evaluate(CONTRAST, f"#{notebook.identity} .jp-OutputArea-output")
    return found
