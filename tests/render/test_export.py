"""E26: a saved notebook with hostile answers, exported by nbconvert, has no more active content than an empty one."""

from html.parser import HTMLParser

import nbformat
import pytest

from . import corpus

ACTIVE = {
    "script",
    "style",
    "link",
    "meta",
    "base",
    "iframe",
    "object",
    "embed",
    "form",
    "svg",
    "math",
    "img",
    "button",
}
ACTIVE |= {"input", "video", "audio", "a", "template"}
CARDS = dict(corpus.cards())


class Active(HTMLParser):
    """What of a page could run, load or be clicked."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        handlers = sorted(name for name, value in attrs if name.startswith("on") or "javascript:" in (value or ""))
        if tag in ACTIVE or handlers:
            self.found.append((tag, *handlers))


def exported(cards, sanitize):
    nbconvert = pytest.importorskip("nbconvert")
    data = [{"text/plain": "the card as text", "text/html": markup} for markup in cards]
    outputs = [nbformat.v4.new_output("display_data", data=bundle, metadata={}) for bundle in data]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("r", outputs=outputs)])
    notebook.cells[0].id = "cell"
    page, _ = nbconvert.HTMLExporter(sanitize_html=sanitize).from_notebook_node(notebook)
    return page


@pytest.mark.parametrize("sanitize", [False, True])
def test_an_export_is_inert(sanitize):
    """The page has the template's own scripts and no others, and every card is in it."""
    page = exported(CARDS.values(), sanitize)
    assert Active(page).found == Active(exported(["<div></div>"] * len(CARDS), sanitize)).found
    assert page.count("tex2jax_ignore mathjax_ignore") >= len(CARDS)


def test_active_content_is_noticed():
    """The comparison can fail: a handler in an output is found."""
    assert (
        Active(exported(["<div onclick='x()'></div>"], False)).found != Active(exported(["<div></div>"], False)).found
    )
