"""Secrets named instead of typed: `env:NAME`, `ssm:/path`, `secretsmanager:name#key`, looked up when a call is sent.

Until then a request holds a mark in the secret's place. Marks carry a random word of this process, so that no data can
forge one: what a variable holds, or a function answered, is never taken for a reference.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from lmfunction._text import ascii_only, shorten
from lmfunction.errors import ParameterError

# Names as Systems Manager and Secrets Manager allow them (API pages of GetParameter and GetSecretValue), with
# `#key` for a member of a secret that is a JSON object. None needs an escape in JSON.
_REFERENCE: Final = re.compile(
    r"env:(?P<variable>[A-Za-z_][A-Za-z0-9_]{0,254})"
    r"|(?:ssm:(?P<parameter>[A-Za-z0-9_./:-]{1,1100})|secretsmanager:(?P<secret>[A-Za-z0-9/_+=.@:-]{1,1100}))"
    r"(?:\#(?P<key>[A-Za-z0-9_.-]{1,256}))?"
)
# What counts as a reference where it is typed inside JSON: lower-case `env:prod` is more often a tag than a secret.
_TYPED: Final = re.compile(
    r'"(?P<reference>env:[A-Z_][A-Z0-9_]*|ssm:/?[A-Za-z0-9_][A-Za-z0-9_./:#-]*|secretsmanager:[A-Za-z0-9/_+=.@:#-]+)"'
    r"(?!\s*:)"
)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD: Final = secrets.token_hex(16)
_OPENING: Final = f"lmfunction-secret-{_WORD}("
_OPENING_BYTES: Final = _OPENING.encode()
_CLOSING: Final = f"){_WORD}"
_MARK: Final = re.compile(re.escape(_OPENING.encode()) + rb"([^()]*)" + re.escape(_CLOSING.encode()))


class Secret:
    """A value that is looked up when a call is sent, and shown as its reference everywhere else.

    `env:NAME` is an environment variable, `ssm:/path` a parameter of Systems Manager (decrypted),
    `secretsmanager:NAME` a secret's text; `#key` behind the latter two takes one member of a JSON object.
    Inside a payload it is a string; as the whole payload it is the JSON text itself.
    """

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            shown = ascii_only(shorten(reference, 40)) if isinstance(reference, str) and _scheme(reference) else ""
            raise ParameterError(
                f"{f'{shown!r} is no reference' if shown else 'This is no reference to a secret'}: write env:NAME, "
                "ssm:/path or secretsmanager:name."
            )
        self.reference = reference

    @property
    def label(self) -> str:
        """What is shown in its place."""
        return f"«secret {self.reference}»"

    @property
    def mark(self) -> str:
        """What stands in its place until the call is sent. It needs no escape in JSON."""
        return f"{_OPENING}{self.reference}{_CLOSING}"

    @property
    def parts(self) -> tuple[str, str, str | None]:
        """Where it is kept (`env`, `ssm`, `secretsmanager`), its name there, and the member to take of it."""
        scheme, _, rest = self.reference.partition(":")
        name, _, key = rest.partition("#")
        return scheme, name, key or None

    def __str__(self) -> str:
        return self.label

    def __repr__(self) -> str:
        return f"<Secret {self.reference}>"

    def __format__(self, spec: str) -> str:
        raise ParameterError(
            f"{self.label} cannot be put into a text by Python: its value is looked up when the call is sent. "
            'Give it as a value of its own, or in the line: "Bearer $name".'
        )

    def __eq__(self, other: object) -> bool:
        return self.reference == other.reference if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self.reference))


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a secret's label stands in the bytes of a request, from `start` to `end`; `whole` when it is all of it."""

    start: int
    end: int
    secret: Secret
    whole: bool = False


def is_reference(text: str) -> bool:
    """Whether the bare word `text` is a reference."""
    return bool(_REFERENCE.fullmatch(text))


def mark_typed(text: str) -> str:
    """JSON text as somebody typed it, with a mark for each string that is a reference as a whole."""
    if "env:" not in text and "ssm:" not in text and "secretsmanager:" not in text:
        return text
    return _STRING.sub(lambda m: _marked(m.group(), text, m.end()), text)


def typed_value(text: str) -> Any:
    """A text as somebody typed it into YAML: a Secret when it is a reference, else the text."""
    match = _TYPED.fullmatch(f'"{text}"')
    return Secret(match["reference"]) if match else text


def looks_like_reference(content: bytes) -> bool:
    """Whether JSON data holds a string that begins as a reference to Systems Manager or Secrets Manager."""
    return b'"ssm:/' in content or b'"secretsmanager:' in content


def slots_of(content: bytes) -> tuple[bytes, tuple[Slot, ...]]:
    """`content` with a label for each mark, and where the labels stand."""
    if _OPENING_BYTES not in content:
        return content, ()
    pieces: list[bytes] = []
    found: list[Slot] = []
    position = length = 0
    for match in _MARK.finditer(content):
        secret = Secret(match[1].decode())
        before, label = content[position : match.start()], secret.label.encode()
        found.append(Slot(length + len(before), length + len(before) + len(label), secret))
        pieces += [before, label]
        length += len(before) + len(label)
        position = match.end()
    return b"".join((*pieces, content[position:])), tuple(found)


def whole(secret: Secret) -> tuple[bytes, tuple[Slot, ...]]:
    """The bytes shown for a request that is a secret's text as a whole, and its one slot."""
    label = secret.label.encode()
    return label, (Slot(0, len(label), secret, whole=True),)


def fill(content: bytes, slots: tuple[Slot, ...], values: dict[Secret, bytes]) -> bytes:
    """`content` with each slot's secret in it. `values` are JSON strings without their quotes, or a whole text."""
    pieces: list[bytes] = []
    position = 0
    for slot in slots:
        pieces += [content[position : slot.start], values[slot.secret]]
        position = slot.end
    return b"".join((*pieces, content[position:]))


def _marked(string: str, text: str, end: int) -> str:
    match = _TYPED.fullmatch(string)
    is_key = text[end:].lstrip()[:1] == ":"
    return f'"{Secret(match["reference"]).mark}"' if match and not is_key else string


def _scheme(reference: Any) -> bool:
    return str(reference).partition(":")[0] in ("env", "ssm", "secretsmanager")
