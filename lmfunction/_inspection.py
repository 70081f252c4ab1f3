"""Shift-Tab in Jupyter: help for the cmdlet, verb or parameter under the cursor.

A kernel looks up one name, which it takes from the cell by Python's rules: `%Invoke-LMFunction` is a subtraction to it.
So the kernel's own method is put behind one that looks at our lines first. It stays the kernel's for everything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from lmfunction._table import find_cmdlet

if TYPE_CHECKING:
    from lmfunction._params import Cmdlet

_WORD: Final = re.compile(r"[\w%$@.:/-]+")
_MAGIC: Final = re.compile(r"(?:^|[=:;(])\s*%{0,2}(?P<name>[\w-]+)\Z")


class Inspector:
    """Stands for a kernel's `do_inspect`; `shell` is asked whether a magic's name may stand without its `%`."""

    def __init__(self, shell: Any, usual: Any) -> None:
        self.shell = shell
        self.usual = usual
        self.active = True

    def __call__(self, code: str, cursor_pos: int, *arguments: Any, **keywords: Any) -> Any:
        """The reply to a front end that asks what stands at the cursor."""
        text = self._help(code, cursor_pos) if self.active else None
        if text is None:
            return self.usual(code, cursor_pos, *arguments, **keywords)
        return {"status": "ok", "found": True, "data": {"text/plain": text}, "metadata": {}}

    def _help(self, code: str, position: int) -> str | None:
        try:
            return help_at(code, position, lambda name: self.shell.automagic and name not in self.shell.user_ns)
        except Exception:  # noqa: BLE001 - then it is the kernel's own business
            return None


def add_inspector(shell: Any) -> None:
    """Teaches the kernel of `shell` our names; a shell without a kernel has no Shift-Tab."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None and not isinstance(kernel.do_inspect, Inspector):
        kernel.do_inspect = Inspector(shell, kernel.do_inspect)


def remove_inspector(shell: Any) -> None:
    """Gives the kernel its own method back; where somebody else has taken its place since, ours only passes on."""
    kernel = getattr(shell, "kernel", None)
    found = getattr(kernel, "do_inspect", None)
    if kernel is None or not isinstance(found, Inspector):
        return
    found.active = False
    if getattr(found.usual, "__func__", None) is getattr(type(kernel), "do_inspect", None):
        del kernel.do_inspect
    else:
        kernel.do_inspect = found.usual


def help_at(code: str, position: int, is_automagic: Any = lambda _: False) -> str | None:
    """The help for what stands at the cursor; None when it is nothing of ours."""
    from lmfunction._cells import typed_at
    from lmfunction._help import View, cmdlet_help

    line_start = code.rfind("\n", 0, position) + 1
    word = next((m for m in _WORD.finditer(code, line_start) if m.start() <= position <= m.end()), None)
    end = word.end() if word is not None else position
    line = code[line_start:end]
    name = _MAGIC.search(line)
    named = find_cmdlet(name["name"]) if name is not None else None
    if word is not None and named is None and "-" in word.group():
        named = find_cmdlet(word.group())  # a dashed name that is no magic's: in a comment, say
    typed = typed_at(code, end, is_automagic)
    if typed is not None and not typed.body:
        return _help_in_line(typed.text, typed.cmdlet)
    return cmdlet_help(named, view=View.BASIC) if named is not None else None


def _help_in_line(text: str, cmdlet: Cmdlet | None) -> str | None:
    """The help for the word that `text` ends with: a parameter's, also on its value; else the stage's."""
    from lmfunction._cursor import parameter_of, place_of, seen_in
    from lmfunction._grammar import Form, Value
    from lmfunction._help import View, cmdlet_help, parameter_help
    from lmfunction._verb_table import VERBS

    place = place_of(text)
    if place is None or place.fragment.startswith(("$", "@")):
        return None  # a comment, or a variable, of which the kernel knows more
    tokens = place.tokens
    is_name = (bool(place.before) or cmdlet is None) and not tokens
    if place.before or cmdlet is None:
        head = tokens[0].text if tokens and isinstance(tokens[0], Value) and tokens[0].form is Form.WORD else ""
        name = head if tokens else place.fragment
        cmdlet = find_cmdlet(name, VERBS) or find_cmdlet(name)
        tokens = tokens[1:]
        if cmdlet is None:
            return None
    dashed = re.match(r"[-–—―]+([\w-]+)", place.fragment)
    seen = seen_in(cmdlet, tokens, {})
    if dashed is not None:
        parameter = parameter_of(cmdlet, dashed[1])
    else:
        parameter = seen.wanting or (seen.next_positional() if place.fragment and not is_name else None)
    return parameter_help(cmdlet, parameter) if parameter is not None else cmdlet_help(cmdlet, view=View.BASIC)
