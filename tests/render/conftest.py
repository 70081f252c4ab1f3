"""What every rendered card must satisfy, whatever was put into it."""

import re
from html.parser import HTMLParser

import pytest

from lmfunction._render import Card, Section, Tone

TAGS = {"div", "span", "code", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
CLASSES = {"tex2jax_ignore mathjax_ignore", "dataframe"}

_LENGTH = r"(?:0|-?\d+px)"
_COLOR = r"(?:#[0-9a-f]{6}|rgba\(128,128,128,0\.\d\)|transparent)"
_BORDER = rf"(?:none|\d+px solid {_COLOR})"
# The properties and values JupyterLab's sanitizer keeps, narrowed to the ones cards use.
STYLES = {
    "background": _COLOR,
    "border": _BORDER,
    "border-bottom": _BORDER,
    "border-collapse": "collapse",
    "border-left": _BORDER,
    "border-radius": _LENGTH,
    "color": "#[0-9a-f]{6}",
    "cursor": "pointer",
    "font-family": r"[\w-]+(?:,[\w-]+)*",
    "font-size": r"\d+px",
    "font-weight": "600|700",
    "height": r"\d+px",
    "letter-spacing": r"0\.\d+px",
    "line-height": r"\d\.\d",
    "margin": rf"{_LENGTH}(?: {_LENGTH}){{0,3}}",
    "margin-left": _LENGTH,
    "margin-top": _LENGTH,
    "max-height": r"\d+px",
    "opacity": r"0\.(?:7[5-9]|[89]\d?)",
    "overflow": "auto",
    "overflow-wrap": "break-word",
    "padding": rf"{_LENGTH}(?: {_LENGTH}){{0,3}}",
    "padding-left": r"\d+px",
    "text-align": "left|right",
    "text-indent": _LENGTH,
    "vertical-align": "top",
    "white-space": "nowrap|pre-wrap",
    "width": r"\d{1,3}px",
    "word-break": "normal",
}
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Page(HTMLParser):
    """Reads a card back, failing on any tag, attribute or style that is not one of ours."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.strings = []
        self.open = []
        self.dimmed = 0
        self.feed(markup)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    @property
    def text(self):
        return "".join(self.strings)

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            self.attribute(tag, name, value)
        dim = "opacity" in dict(attrs).get("style", "")
        assert not (dim and any(d for _, d in self.open)), "opacity inside opacity falls below 0.75"
        self.open.append((tag, dim))

    def attribute(self, tag, name, value):
        if name == "open":
            assert tag == "details"
        elif name == "class":
            assert value in CLASSES
        else:
            assert name == "style", name
            for rule in filter(None, value.split(";")):
                prop, _, setting = rule.partition(":")
                assert prop in STYLES, rule
                assert re.fullmatch(STYLES[prop], setting), rule

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        assert not UNSAFE.search(data), ascii(data[:200])
        self.strings.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"declaration: {decl}")

    def handle_pi(self, data):
        raise AssertionError(f"processing instruction: {data}")

    def unknown_decl(self, data):
        raise AssertionError(f"declaration: {data}")


@pytest.fixture
def page():
    """Parse a card's HTML, checking every tag, attribute and style."""
    return Page


@pytest.fixture
def controls():
    """Find a control, bidirectional or zero-width character in a string."""
    return UNSAFE.search


@pytest.fixture
def everywhere():
    """Build a card with the given text in every place that takes text from outside."""
    return _everywhere


def _everywhere(text):
    return Card(
        Tone.FAILED,
        text,
        text,
        (text, "200", text),
        (
            Section(text, {text: text, "list": [text, {text: [text]}]}, "data", more=text),
            Section("rows", [{text: text, "b": 1}, {text: text, "b": 2}], "table", more=text),
            Section("log", f"START RequestId: 1\n{text}\nERROR {text}\n", "log", more=text),
            Section("error", text, "text", more=text),
            Section("request", [(text, text)], "pairs", more=text),
        ),
        {text: text},
    )
