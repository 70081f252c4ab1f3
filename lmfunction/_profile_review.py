"""What a profile's file is shown as before it is approved or written: its text, and what it would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lmfunction._profile_records import guard_in_words
from lmfunction._profile_values import Profile
from lmfunction._render.card import Card, Section, Tone
from lmfunction._text import visible


@dataclass(frozen=True)
class Review:
    """One file to look at. `title` says what would become of it, `effects` what it would do."""

    title: str
    file: str
    text: str
    effects: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """The whole of it as lines, each on one line whatever it holds."""
        numbered = [f"{number:>4} | {line}" for number, line in enumerate(self.text.split("\n"), 1)]
        while numbered and numbered[-1].endswith(" | "):
            numbered.pop()
        shown = [visible(line, one_line=True) for line in numbered]
        return [f"{self.file}:", *shown, "What it does:", *(f"  {name}: {value}" for name, value in self.effects)]

    def __repr__(self) -> str:
        return "\n".join([self.title, *self.lines()])

    def card(self) -> Card:
        """The card that notebooks and terminals show."""
        sections = [Section("What it does", list(self.effects), "pairs")]
        if self.text:
            sections.append(Section(self.file, self.text, "text"))
        return Card(Tone.DRYRUN, "WHAT IF", self.title, sections=tuple(sections))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from lmfunction._render import mime_bundle

        return mime_bundle(self.card, lambda: repr(self), include, exclude)


def effects_of(profile: Profile) -> tuple[tuple[str, str], ...]:
    """What calls through `profile` do, in pairs for people."""
    return tuple((name, visible(value, one_line=True)) for name, value in _effects(profile))


def _effects(profile: Profile) -> Iterator[tuple[str, str]]:
    where = {"aws": "AWS", "embedded": "the embedded Lambda"}.get(profile.endpoint, profile.endpoint)
    yield "Calls go to", f"{where}{f', region {profile.region}' if profile.region else ''}"
    if profile.endpoint != "embedded":
        whose = f"profile {profile.aws_profile} of ~/.aws" if profile.aws_profile else "boto3's own chain"
        yield "Signed by", whose
    yield "Account", f"must be {profile.account}" if profile.account else "not checked"
    yield "Guard", guard_in_words(profile.guard) or "none"
    if profile.defaults:
        yield "Defaults", ", ".join(f"{name}: {_plain(value)}" for name, value in profile.defaults.items())
    if profile.functions:
        yield "Short names", ", ".join(f"{name} = {text}" for name, text in profile.functions.items())
    hidden = profile.redaction
    if hidden.keys or hidden.patterns or hidden.paths:
        yield "Hides", ", ".join([*hidden.keys, *hidden.paths, *hidden.patterns])
    if profile.audit is not None:
        yield "Writes", f"{profile.audit.file}{' (required)' if profile.audit.required else ''}"
    if profile.inherits:
        yield "Inherits", ", ".join(profile.inherits)
    for notice in profile.notices:
        yield "Left out", notice


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
