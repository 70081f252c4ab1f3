"""What JupyterLab leaves of HTML in a notebook that somebody else has run, after the rules of its own sanitizer.

The rules are data (`jupyterlab_sanitizer.json`, written by `sanitizer.mjs` from the package named in it); this is the
way they are applied, as the library `sanitize-html` does. `sanitizer_cases.yaml` holds what the real one answered.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

_RULES: dict[str, Any] = json.loads((Path(__file__).parent / "jupyterlab_sanitizer.json").read_text("utf-8"))
ABOUT: str = _RULES["about"]
_TAGS = frozenset(_RULES["tags"])
_VOID = frozenset(["area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
_SILENT = frozenset(["script", "style", "textarea", "option", "noscript"])  # their text goes with them

Attributes = list[tuple[str, str | None]]
Event = tuple[str, str, tuple[tuple[str, str], ...]]


def structure(markup: str) -> list[Event]:
    """`markup` as tags, attributes and texts, whatever the quoting and the entities."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader.events


def sanitized(markup: str) -> list[Event]:
    """The structure of what the sanitizer leaves of `markup`."""
    reader = _Sanitizer()
    reader.feed(markup)
    reader.close()
    return reader.events


class _Reader(HTMLParser):
    """Gathers events; a text in several pieces is one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.events: list[Event] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.events.append(("tag", tag, tuple((name, _even(name, value or "")) for name, value in attrs)))

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.events.append(("end", tag, ()))

    def handle_data(self, data: str) -> None:
        if self.events and self.events[-1][0] == "text":
            data = self.events.pop()[1] + data
        self.events.append(("text", data, ()))


class _Sanitizer(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag not in _TAGS:
            self._silent += tag in _SILENT
            return
        kept = [(name, left) for name, value in attrs if (left := _left(tag, name, value or "")) is not None]
        if tag == "a":
            kept.append(("rel", "nofollow"))
        if tag == "input":
            kept.append(("disabled", "disabled"))
        super().handle_starttag(tag, kept)

    def handle_endtag(self, tag: str) -> None:
        if tag in _TAGS:
            super().handle_endtag(tag)
        elif tag in _SILENT and self._silent:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            super().handle_data(data)


def _left(tag: str, name: str, value: str) -> str | None:
    """What is left of an attribute; None when nothing is."""
    allowed = _RULES["attributes"]
    if name == "id":
        return None  # renamed, which is a change
    if name not in allowed["*"] and name not in allowed.get(tag, ()):
        return None
    if name in ("href", "cite") and re.match(r"\s*[a-z][a-z0-9.+-]*:", value, re.IGNORECASE):
        return value if value.split(":")[0].strip().lower() in ("http", "https", "ftp", "mailto", "tel") else None
    if name != "style":
        return value
    kept = [(prop, setting) for prop, setting in _declarations(value) if _allows(prop, setting)]
    return ";".join(f"{prop}:{setting}" for prop, setting in kept) or None


def _declarations(style: str) -> list[tuple[str, str]]:
    pairs = (rule.partition(":") for rule in style.split(";") if rule.strip())
    return [(prop.strip().lower(), setting.strip()) for prop, _, setting in pairs]


def _allows(prop: str, setting: str) -> bool:
    return any(rule.search(setting) for rule in _compiled(prop))


@cache
def _compiled(prop: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rule, re.IGNORECASE | re.ASCII) for rule in _RULES["styles"].get(prop, ()))


def _even(name: str, value: str) -> str:
    """A style as the sanitizer spells it."""
    return ";".join(f"{prop}:{setting}" for prop, setting in _declarations(value)) if name == "style" else value
