"""IPython's and Jupyter's completion: a matcher beside IPython's own, which speaks for our lines and no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from lmfunction._table import CMDLETS
from lmfunction._text import one_line

if TYPE_CHECKING:
    from lmfunction._blank import Surroundings
    from lmfunction._cells import Typed
    from lmfunction._completion import Candidate

IDENTIFIER: Final = "lmfunction"
# Before all others, so that those that are not wanted here need not run: Jedi may take seconds.
_PRIORITY: Final = 1_000
_ABOUT_LIMIT: Final = 70
_FRONT_END_TYPES: Final[Mapping[str, str]] = {
    "parameter": "param",
    "verb": "function",
    "cmdlet": "magic",
    "variable": "instance",
}

Matcher = Callable[[CompletionContext], SimpleMatcherResult]


def add_matcher(shell: Any, around: Callable[[], Surroundings]) -> None:
    """Registers completion with `shell`; `around` gives what stands around a line. A second call replaces the first."""
    remove_matcher(shell)
    shell.Completer.custom_matchers.append(_matcher(shell, around))


def remove_matcher(shell: Any) -> None:
    """Takes the matcher away; those of others stay."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", "") != IDENTIFIER]


def _matcher(shell: Any, around: Callable[[], Surroundings]) -> Matcher:
    @context_matcher(identifier=IDENTIFIER, priority=_PRIORITY)
    def lmfunction(context: CompletionContext) -> SimpleMatcherResult:
        """The completions of lmfunction's lines; nothing for any other."""
        try:
            return _matched(context, shell, around)
        except Exception:  # noqa: BLE001 - whoever types must not be met by a traceback
            return SimpleMatcherResult(completions=[], suppress=False)

    found: Matcher = lmfunction
    return found


def _matched(context: CompletionContext, shell: Any, around: Callable[[], Surroundings]) -> SimpleMatcherResult:
    from lmfunction._cells import name_under_way, typed_at

    cell = context.full_text
    position = _position(cell, context.cursor_line, context.cursor_position)
    name = name_under_way(cell, position)
    if name is not None:
        return _names(name, {m for m in _own_matchers(shell.Completer) if not m.endswith("magic_matcher")})
    typed = typed_at(cell, position, lambda name: _is_automagic(shell, name))
    if typed is None:
        return SimpleMatcherResult(completions=[], suppress=False)
    found = _candidates(typed, around())
    start = min((one.start for one in found), default=len(typed.text))
    fragment = typed.text[start:]
    if not found or not cell[:position].endswith(fragment):  # it began in a line that a backslash joined
        return SimpleMatcherResult(completions=[], suppress=False)
    in_kernel = hasattr(shell, "kernel")
    return SimpleMatcherResult(
        completions=[
            SimpleCompletion(typed.text[start : one.start] + one.text, type=_type(one, in_kernel)) for one in found
        ],
        matched_fragment=fragment,
        suppress=_own_matchers(shell.Completer),
        ordered=True,
    )


def _candidates(typed: Typed, around: Surroundings) -> Sequence[Candidate]:
    from lmfunction._completion import complete, complete_variables

    if typed.body:
        return complete_variables(typed.text, around, after=typed.after)
    return complete(typed.text, typed.cmdlet, around, after=typed.after)


def _names(begun: str, others: set[str]) -> SimpleMatcherResult:
    """The cmdlets whose names begin so but for the case; the others IPython finds itself, among its own magics."""
    wanted = begun.casefold()
    found = [
        SimpleCompletion(name, type="magic")
        for cmdlet in CMDLETS
        for name in cmdlet.names
        if begun and name.casefold().startswith(wanted) and not name.startswith(begun)
    ]
    return SimpleMatcherResult(completions=found, matched_fragment=begun, suppress=others)


def _type(one: Candidate, in_kernel: bool) -> str:
    """What kind of thing it is, for the front end's icon; a terminal, which has none, shows the text in its place."""
    if in_kernel or not one.about:
        return _FRONT_END_TYPES.get(one.what, one.what)
    return one_line(one.about, _ABOUT_LIMIT)


def _own_matchers(completer: Any) -> set[str]:
    """IPython's own matchers: they know nothing of our lines. Those that other extensions added go on."""
    others = {id(matcher) for matcher in completer.custom_matchers}
    return {
        getattr(matcher, "matcher_identifier", matcher.__qualname__)
        for matcher in completer.matchers
        if id(matcher) not in others
    }


def _is_automagic(shell: Any, name: str) -> bool:
    return bool(shell.automagic) and name not in shell.user_ns


def _position(cell: str, line: int, column: int) -> int:
    return sum(len(text) + 1 for text in cell.split("\n")[:line]) + column
