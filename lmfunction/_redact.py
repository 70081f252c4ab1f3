"""What must not be shown: values hidden by their key, by their look, by their place, and secrets known by heart.

A result in memory stays whole; cards, reprs, errors, history and audit show what `Redaction` leaves of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

HIDDEN: Final = "***"
Path = tuple[str | int, ...]  # from the result's member on: ("Payload", "orders", 0, "card")

_SECRET_KEY: Final = re.compile(
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|\w*authorization|\w*cookie|credentials?|signature|otp|pin|cvv|cvc"
    r"|(?:api|access|private|secret|session|signing|encryption|auth)key(?:id)?|connectionstring"
    r"|\w*(?:password|passwd|passphrase|secret|secretkey|token|apikey|privatekey|accesskey(?:id)?|credentials?)",
)
# Tokens that only tell where a list goes on.
_PAGING: Final = re.compile(
    r"(?:next|page|pagination|continuation|nextpage|start|previous|prev|sync|resume|client|idempotency)\w*token",
)
_LOOKS: Final = re.compile(
    r"\b(?:A3T[A-Z0-9]|AKIA|ASIA)[A-Z0-9]{16}\b"  # an access key id of AWS
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"  # a JSON Web Token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # the user and password of a URL
    r"|(?i:(?<=x-amz-security-token=)|(?<=x-amz-signature=)|(?<=x-amz-credential=))[^&\s\"']+"
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/-]{8,}=*"
    # NAME=value and "name": "value" in a log line, where the name tells
    r"|(?i:(?<=aws_secret_access_key=)|(?<=aws_session_token=)|(?<=aws_secret_access_key = )"
    r"|(?<=aws_session_token = )|(?<=password=)|(?<=passwd=)|(?<=secret=)|(?<=api_key=)|(?<=apikey=)|(?<=token=)"
    r"|(?<=access_token=)|(?<=authorization: )|(?<=authorization=))[^\s\"'&,;]+"
)
# A name and a value in quotes, also where JSON text stands inside JSON text and its quotes are escaped.
_NAMED: Final = re.compile(
    r"""(?P<lead>(?P<q>\\{0,8}["'])(?P<name>[\w.-]{2,64})(?P=q)\s*[:=]\s*)"""
    r"""(?P<v>\\{0,8}["'])(?P<value>(?:(?!(?P=v))(?:\\.|.))*)(?P=v)"""
)


@dataclass(frozen=True)
class Redaction:
    """What is hidden. `keys` are names in any case and spelling (`api_key` is also ApiKey), `patterns` regular
    expressions, `paths` places from a member of the result on (`Payload.customer.card`, `Payload.orders[].card`),
    `secrets` values known by heart with what stands for each.

    Names that look like a secret's, and texts that do, are always hidden.
    """

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def with_secrets(self, found: tuple[tuple[str, str], ...]) -> Redaction:
        """The same, which knows these secrets too: (value, what is shown for it)."""
        if not found:
            return self
        return replace(self, secrets=tuple(dict.fromkeys((*self.secrets, *found))))

    def and_also(self, other: Redaction) -> Redaction:
        """What hides what either of the two hides."""
        merged = {
            name: tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name))))
            for name in ("keys", "patterns", "paths", "secrets")
        }
        return Redaction(**merged)

    def hides(self, path: Path) -> bool:
        """Whether the value at `path` is hidden whole, for its key or its place."""
        key = next((step for step in reversed(path) if isinstance(step, str)), None)
        if key is not None and path and isinstance(path[-1], str) and self._hides_key(key):
            return True
        return any(_matches(place, path) for place in _places(self.paths))

    def text(self, text: str) -> str:
        """`text` without what looks like a secret, matches a pattern, or is a secret known by heart."""
        text = self._without_known(text)
        text = _LOOKS.sub(HIDDEN, text)
        if '"' in text or "'" in text:
            text = _NAMED.sub(self._hidden_pair, text)
        for pattern in _compiled(self.patterns):
            text = pattern.sub(HIDDEN, text)
        return text

    def _without_known(self, text: str) -> str:
        for value, label in self.secrets:
            if value and value in text:
                text = text.replace(value, label)
        return text

    def value(self, found: Any, path: Path = ()) -> Any:
        """JSON-like data with everything hidden that `hides` and `text` hide; the same object where nothing is."""
        if path and found not in (None, "", [], {}) and not isinstance(found, bool) and self.hides(path):
            return HIDDEN
        if isinstance(found, str):
            return self.text(found)
        if isinstance(found, Mapping):
            return {self._name(key): self.value(item, (*path, str(key))) for key, item in found.items()}
        if isinstance(found, list | tuple):
            return [self.value(item, (*path, index)) for index, item in enumerate(found)]
        return found

    def only_secrets(self) -> Redaction:
        """What hides the secrets known by heart and leaves all else: for data that a program reads."""
        return _OnlySecrets(secrets=self.secrets)

    def _name(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) else key

    def _hides_key(self, key: str) -> bool:
        plain = _plain(key)
        return plain in _plain_keys(self.keys) or is_secret_name(key)

    def _hidden_pair(self, match: re.Match[str]) -> str:
        if not match["value"] or not self._hides_key(match["name"]):
            return match.group()
        return f"{match['lead']}{match['v']}{HIDDEN}{match['v']}"


class _OnlySecrets(Redaction):
    def hides(self, path: Path) -> bool:
        return False

    def text(self, text: str) -> str:
        return self._without_known(text)


NONE: Final = Redaction()


def typed_secret(text: str) -> str | None:
    """What in a typed text looks like a secret: the name before it, or what it looks like; None when nothing does.

    A `$variable` and a reference (`ssm:/path`) behind a name are none.
    """
    found = _LOOKS.search(text)
    if found is not None:
        return "an access key, a token or a password"
    for match in (*_NAMED.finditer(text), *_YAML_PAIR.finditer(text)):
        value = match["value"].strip()
        if value and is_secret_name(match["name"]) and not _REFERS.match(value):
            return f"the value of {match['name']}"
    return None


_YAML_PAIR: Final = re.compile(r"^[ \t-]*(?P<name>[\w.-]{2,64}):[ \t]+(?P<value>[^\s#\"'{\[|>&*!].*)$", re.MULTILINE)
_REFERS: Final = re.compile(r"\$|(?:env|ssm|secretsmanager):|(?:null|true|false|\d{1,3})$")


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a member, variable or header of this name usually holds a secret."""
    plain = _plain(name)
    return bool(_SECRET_KEY.fullmatch(plain)) and not _PAGING.fullmatch(plain)


def parsed_path(text: str) -> Path:
    """The steps of a path: names, `[]` or `[*]` for every item, `[0]` for one, `*` for every name.

    Raises ValueError for what is none.
    """
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (position == 0) == bool(match["dot"] or match["index"] is not None):
            raise ValueError(f"'{text}' is no path: write it like Payload.orders[].card")
        if match["index"] is not None:
            steps.append(int(match["index"]) if match["index"].isdecimal() else "[]")
        else:
            steps.append(match["name"] or match["quoted"])
        position = match.end()
    if not steps:
        raise ValueError("the path is empty")
    return tuple(steps)


_STEP: Final = re.compile(
    r"(?P<dot>\.)?(?:(?P<name>\*|[A-Za-z_$][\w$-]*)|\"(?P<quoted>[^\"]+)\")|\[(?P<index>\*|\d+|)\]",
)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


@functools.lru_cache(maxsize=64)
def _plain_keys(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_plain, keys))


@functools.lru_cache(maxsize=64)
def _places(paths: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(map(parsed_path, paths))


@functools.lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, patterns))


def _matches(place: Path, path: Path) -> bool:
    """Whether `path` is at `place` or below it; the result's member is matched in any case."""
    if len(path) < len(place):
        return False
    for index, (wanted, step) in enumerate(zip(place, path, strict=False)):
        if wanted == "[]":
            if not isinstance(step, int):
                return False
        elif wanted != "*" and wanted != step:
            if index == 0 and isinstance(step, str) and str(wanted).casefold() == step.casefold():
                continue
            return False
    return True
