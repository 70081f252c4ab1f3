"""A cmdlet's syntax in words: what stands for a value, and parameters that exclude each other as alternatives."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lmfunction._params import Cmdlet, Kind, Parameter, Rank

_NO_BREAK: Final = "\xa0"
_MOST_CHOICES: Final = 8  # in a syntax line; the parameter's own paragraph lists them all
_MOST_SETS: Final = 6  # a graph of exclusions with more is shown as if nothing excluded anything; the paragraphs tell


def value_word(parameter: Parameter) -> str:
    """What stands for the parameter's value in a syntax line."""
    if parameter.kind is Kind.CHOICE:
        return "{" + "|".join(parameter.choices) + "}"
    if parameter.choices:
        return "{" + "|".join(parameter.choices) + "},..."
    return f"<{parameter.kind.value}>"


def syntax_lines(cmdlet: Cmdlet, width: int) -> Iterator[str]:
    """The syntax of `cmdlet`, a paragraph for each set of parameters that go together.

    Where single parameters are alternatives (`-Select` and `-PassThru`), they stand in one paragraph with a bar
    between; where whole groups are, each group has a paragraph.
    """
    shown = [p for p in cmdlet.parameters if not p.refused and p.rank is not Rank.COMMON]
    groups = [*_groups(shown)]
    large = [g for g in groups if any(len(s) > 1 for s in _sets(g)) and len(_sets(g)) <= _MOST_SETS]
    small = [g for g in groups if len(g) > 1 and all(len(s) == 1 for s in _sets(g))]
    for chosen in itertools.product(*(_sets(group) for group in large)):
        kept = {p.name for part in chosen for p in part}
        left_out = {p.name for group in large for p in group} - kept
        rows = [p for p in shown if p.name not in left_out]
        common = ["[<CommonParameters>]"] if any(p.rank is Rank.COMMON for p in cmdlet.parameters) else []
        yield _filled(" ".join([cmdlet.name, *_written(rows, small), *common]), width)


def _filled(text: str, width: int) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent="    ",
        subsequent_indent="        ",
        break_on_hyphens=False,
        break_long_words=False,
    ).replace(_NO_BREAK, " ")


def _groups(parameters: Sequence[Parameter]) -> Iterator[list[Parameter]]:
    """The parameters put together with those that they exclude, directly or by way of others; alone in most cases."""
    left = list(parameters)
    while left:
        group = [left.pop(0)]
        grown = True
        while grown:
            more = [p for p in left if any(_exclude(p, q) for q in group)]
            group += more
            left = [p for p in left if p not in more]
            grown = bool(more)
        yield group


def _exclude(one: Parameter, other: Parameter) -> bool:
    return other.name in one.excludes or one.name in other.excludes


def _sets(group: Sequence[Parameter]) -> list[list[Parameter]]:
    """The largest choices of parameters of which none excludes another."""
    found: list[list[Parameter]] = []
    for parameter in group:
        chosen = [parameter]
        chosen += [p for p in group if p is not parameter and not any(_exclude(p, q) for q in chosen)]
        # Those after it may exclude each other: each of them begins a choice of its own.
        pairwise: list[Parameter] = []
        for p in chosen:
            if not any(_exclude(p, q) for q in pairwise):
                pairwise.append(p)
        ordered = [p for p in group if p in pairwise]
        if ordered not in found:
            found.append(ordered)
    return found


def _written(rows: Sequence[Parameter], alternatives: Sequence[Sequence[Parameter]]) -> Iterator[str]:
    """The parameters' syntax, each unbreakable: a value on the next line looks like a value of its own."""
    told: set[str] = set()
    for row in rows:
        if row.name in told:
            continue
        group = next((g for g in alternatives if row in g), [row])
        told |= {p.name for p in group}
        text = " | ".join(map(_syntax, group)).replace(" ", _NO_BREAK)
        yield text if row.mandatory and len(group) == 1 else f"[{text}]"


def _syntax(parameter: Parameter) -> str:
    name = f"-{parameter.name}"
    if parameter.kind is Kind.SWITCH:
        return name
    if parameter.position is not None:
        name = f"[{name}]"
    word = value_word(parameter) if len(parameter.choices) <= _MOST_CHOICES else f"<{parameter.kind.value}>"
    return f"{name} {word}"


def names_of(parameters: Iterable[Parameter]) -> str:
    """The parameters' names with their dashes, commas between."""
    return ", ".join(f"-{p.name}" for p in parameters)
