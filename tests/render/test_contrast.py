"""Every text of every card stands out from what is behind it, on the pages that people have."""

import re
from html.parser import HTMLParser

import pytest

from . import corpus

# The colours of an output's page and of its text, as the front ends set them.
PAGES = {
    "JupyterLab Light": ((255, 255, 255), (33, 33, 33)),  # rgba(0, 0, 0, 0.87) on white
    "JupyterLab Dark": ((17, 17, 17), (255, 255, 255)),
    "JupyterLab Dark High Contrast": ((0, 0, 0), (255, 255, 255)),
    "VS Code Light": ((255, 255, 255), (59, 59, 59)),
    "VS Code Dark": ((31, 31, 31), (204, 204, 204)),
    "nbconvert": ((255, 255, 255), (33, 33, 33)),
}
KINDS = dict(corpus.cards())
_VOID = {"br"}


def luminance(color):
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in (c / 255 for c in color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(front, back, share):
    return tuple(f * share + b * (1 - share) for f, b in zip(front, back, strict=True))


def color_of(text):
    if text.startswith("#"):
        return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5)), 1.0
    if text == "transparent":
        return (0, 0, 0), 0.0
    *parts, alpha = re.findall(r"[\d.]+", text)
    return tuple(map(int, parts)), float(alpha)


class Texts(HTMLParser):
    """The texts of a card, each with its colour and the one behind it, opacity mixed in."""

    def __init__(self, page, ink, markup):
        super().__init__(convert_charrefs=True)
        self.page = page
        self.stack = [(ink, page, 1.0)]
        self.found = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        ink, back, opacity = self.stack[-1]
        style = dict(rule.split(":", 1) for rule in (dict(attrs).get("style") or "").split(";") if rule)
        if "background" in style:
            color, alpha = color_of(style["background"])
            back = mixed(color, back, alpha)
        if "color" in style:
            color, alpha = color_of(style["color"])
            ink = mixed(color, back, alpha)
        self.stack.append((ink, back, opacity * float(style.get("opacity", 1))))

    def handle_endtag(self, tag):
        self.stack.pop()

    def handle_data(self, data):
        if data.strip():
            ink, back, opacity = self.stack[-1]
            self.found.append((contrast(mixed(ink, self.page, opacity), mixed(back, self.page, opacity)), data[:80]))


@pytest.mark.parametrize("page", PAGES)
def test_every_text_can_be_read(page):
    """At least 4.5:1 for every pair of text and background of every kind of card."""
    for name, markup in KINDS.items():
        found = Texts(*PAGES[page], markup).found
        assert found, name
        assert min(found)[0] >= 4.5, (name, min(found))


def test_poor_contrast_is_found():
    """The measure can fail: the grey of a dim text made dimmer is told."""
    markup = corpus.markup_of(corpus.result(None)).replace("opacity:0.75", "opacity:0.4")
    assert min(Texts(*PAGES["JupyterLab Light"], markup).found)[0] < 4.5
