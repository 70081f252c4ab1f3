"""The filter patterns of CloudWatch Logs for text without a format: terms that must, may or must not occur.

Source: "Filter pattern syntax for metric filters, subscription filters, and filter log events" of the CloudWatch Logs
user guide. Patterns for JSON events and for space-delimited ones are not among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_TERM: Final = re.compile(
    r'\s*(?P<sign>[-?]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"%]\S*))'
)
_ESCAPED: Final = re.compile(r"\\(.)")

Match = Callable[[str], bool]


class PatternError(ValueError):
    """The pattern cannot be used; the message says why."""


def matcher(pattern: str) -> Match:
    """Whether a message fits `pattern`; an empty one fits all. Terms are case-sensitive. Raises PatternError."""
    text = pattern.strip()
    if text.startswith(("{", "[")):
        raise PatternError(
            "Patterns for JSON and for space-delimited events are not supported here: write terms, "
            'such as ERROR -timeout or "two words".'
        )
    wanted: list[Match] = []
    unwanted: list[Match] = []
    optional: list[Match] = []
    end = 0
    while end < len(text):
        found = _TERM.match(text, end)
        if found is None:
            raise PatternError("Invalid filter pattern")
        {"": wanted, "-": unwanted, "?": optional}[found["sign"]].append(_term(found))
        end = found.end()
    # A term that may occur says nothing beside those that must.
    any_of = [] if wanted else optional
    return lambda message: (
        all(term(message) for term in wanted)
        and not any(term(message) for term in unwanted)
        and (not any_of or any(term(message) for term in any_of))
    )


def _term(found: re.Match[str]) -> Match:
    if found["regex"] is not None:
        try:
            expression = re.compile(found["regex"])
        except re.error as error:
            raise PatternError(f"Invalid regular expression in the filter pattern: {error}") from None
        return lambda message: expression.search(message) is not None
    text = found["word"] if found["quoted"] is None else _ESCAPED.sub(r"\1", found["quoted"])
    return lambda message: text in message
