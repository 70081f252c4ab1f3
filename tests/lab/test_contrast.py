"""Whether the cards can be read in JupyterLab's themes, as axe-core, the accessibility checker, sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from render.corpus import cards

from lab.labnotebook import Notebook
from lab.labpage import Lab

# Those that people meet; the others differ in what they say, and one in its length.
ORDINARY = {name: markup for name, markup in cards() if name != "huge" and not name.startswith("hostile")}
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
# What axe-core says of the contrast of text, for one element of each look: it takes its time. It decides nothing below
# an opacity of 1, so that is written as the alpha of the text's own colour, which looks the same; and it takes all for
# hidden in JupyterLab's body, which has no height.
CONTRAST = """
async root => {
    const kept = [[document.body, document.body.style.cssText]];
    document.body.style.height = '100vh';
    const nodes = [...root.querySelectorAll('.jp-OutputArea-output *')];
    for (const node of nodes) {
        const {opacity, color} = getComputedStyle(node);
        if (opacity < 1) {
            const [red, green, blue, alpha = 1] = color.match(/[\\d.]+/g);
            kept.push([node, node.style.cssText]);
            node.style.opacity = 1;
            node.style.color = `rgba(${red}, ${green}, ${blue}, ${alpha * opacity})`;
        }
    }
    const looks = new Map();
    for (const node of nodes) {
        if ([...node.childNodes].some(child => child.nodeType === Node.TEXT_NODE && /\\w/.test(child.data))) {
            const {color, fontSize, fontWeight} = getComputedStyle(node);
            const look = [color, fontSize, fontWeight];
            for (let behind = node; behind !== root; behind = behind.parentElement) {
                look.push(getComputedStyle(behind).backgroundColor);
            }
            const key = look.filter(value => value !== 'rgba(0, 0, 0, 0)').join();
            looks.set(key, looks.get(key) ?? node);
        }
    }
    const found = await axe.run([...looks.values()], {runOnly: ['color-contrast'], elementRef: true});
    kept.forEach(([node, style]) => { node.style.cssText = style; });
    const readable = found.passes.flatMap(rule => rule.nodes).map(node => node.element);
    const poor = [...found.violations, ...found.incomplete].flatMap(rule => rule.nodes);
    const undecided = [...looks.values()].filter(node => ![...readable, ...poor.map(p => p.element)].includes(node));
    return {
        looks: looks.size,
        unreadable: poor.map(node => [node.html, node.any[0].message]),
        undecided: undecided.map(node => node.outerHTML),
    };
}
"""


@pytest.fixture(scope="module")
def ordinary(the_lab: Lab) -> Iterator[Notebook]:
    """A trusted notebook of the cards that people meet, everything unfolded."""
    with the_lab.shown(ORDINARY, trust=True) as notebook:
        for cell in notebook.cells():
            cell.unfold()
        yield notebook


@pytest.mark.parametrize("theme", THEMES)
def test_cards_can_be_read(theme: str, ordinary: Notebook, lab: Lab, tmp_path: Path) -> None:
    """Text stands out from what is behind it, by the rule of axe-core: 4.5:1, and 3:1 for large text."""
    lab.theme(theme)
    found = contrast(ordinary, tmp_path / f"{theme}.png")
    assert found["unreadable"] == []
    assert found["undecided"] == []
    assert found["looks"] >= 10


def test_poor_contrast_is_found(lab: Lab, tmp_path: Path) -> None:
    """What is too faint to read is told, whether by its colour or by its opacity."""
    markup = "<div>clear <span style='color:#aaaaaa'>pale</span> <span style='opacity:0.3'>dim</span></div>"
    with lab.shown({"pale": markup}, trust=True) as notebook:
        found = contrast(notebook, tmp_path / "pale.png")
    assert found["looks"] == 3
    assert len(found["unreadable"]) == 2


def contrast(notebook: Notebook, picture: Path) -> dict[str, Any]:
    """What axe-core says of the text of all outputs, which are written to `picture` for a reader to look at."""
    with notebook.whole():
        notebook.node.screenshot(path=picture)
        notebook.page.evaluate(AXE_SCRIPT)
        found: dict[str, Any] = notebook.node.evaluate(CONTRAST)
    return found
