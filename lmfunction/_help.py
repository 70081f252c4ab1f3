"""Help for a cmdlet, in PowerShell's order, from the parameter table alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from lmfunction._params import Cmdlet, Kind, Parameter, Rank
from lmfunction._table import CMDLETS

_NO_BREAK: Final = "\xa0"


_MOST_CHOICES = 8  # in a syntax line; the parameter's own paragraph lists them all


def cmdlet_help(cmdlet: Cmdlet, *, width: int = 100) -> str:
    """NAME, SYNOPSIS, SYNTAX, PARAMETERS and EXAMPLES of `cmdlet`."""
    shown = [p for p in cmdlet.parameters if not p.refused]
    parameters = "\n".join(_parameter(p, width) for p in shown)
    examples = "\n".join(f"    {e.line}\n        {e.text}" for e in cmdlet.examples)
    syntax = textwrap.fill(
        " ".join([cmdlet.name, *_syntaxes(shown), "[<CommonParameters>]"]),
        width,
        initial_indent="    ",
        subsequent_indent="        ",
        break_on_hyphens=False,
        break_long_words=False,
    ).replace(_NO_BREAK, " ")
    names = textwrap.fill(
        f"{cmdlet.name} ({', '.join(cmdlet.python_names)})",
        width,
        initial_indent="    ",
        subsequent_indent="        ",
        break_on_hyphens=False,
    )
    return (
        f"NAME\n{names}\n\n"
        f"SYNOPSIS\n{textwrap.indent(textwrap.fill(cmdlet.synopsis, width - 4), '    ')}\n\n"
        f"SYNTAX\n{syntax}\n\n"
        f"PARAMETERS\n{parameters}\n\n"
        f"EXAMPLES\n{examples}\n"
    )


def overview() -> str:
    """What the terminal's command can do."""
    # No synopsis: those of the API's cmdlets are read from boto3's model, which takes longer than all the rest.
    lines = [f"    {c.python_names[0]:<54} {c.name}" for c in CMDLETS]
    return (
        "usage: lmfunction CMDLET [ARGUMENTS]      one cmdlet; the shell does the quoting\n"
        "       lmfunction 'CMDLET ARGUMENTS'      the same as one line with its own quoting\n"
        "       lmfunction CMDLET -?               help for a cmdlet\n"
        "       lmfunction aws lambda invoke ...   a line of the AWS CLI, as it is\n"
        "       lmfunction local start             run the embedded Lambda for other tools\n"
        "       lmfunction --version\n\n"
        "cmdlets:\n" + "\n".join(lines) + "\n\n"
        "exit codes: 0 ok, 1 function failed, 252 usage, 253 configuration, 254 AWS refused, 255 could not complete,\n"
        "            130 interrupted\n"
    )


def value_word(parameter: Parameter) -> str:
    """What stands for the parameter's value in a syntax line."""
    if parameter.kind is Kind.CHOICE:
        return "{" + "|".join(parameter.choices) + "}"
    if parameter.choices:
        return "{" + "|".join(parameter.choices) + "},..."
    return f"<{parameter.kind.value}>"


def _syntaxes(parameters: Iterable[Parameter]) -> Iterator[str]:
    """The parameters' syntax, each unbreakable: a value on the next line looks like a value of its own."""
    return (_syntax(p).replace(" ", _NO_BREAK) for p in parameters if p.rank is not Rank.COMMON)


def _syntax(parameter: Parameter) -> str:
    name = f"-{parameter.name}"
    if parameter.kind is Kind.SWITCH:
        return f"[{name}]"
    if parameter.position is not None:
        name = f"[{name}]"
    word = value_word(parameter) if len(parameter.choices) <= _MOST_CHOICES else f"<{parameter.kind.value}>"
    text = f"{name} {word}"
    return text if parameter.mandatory else f"[{text}]"


def _parameter(parameter: Parameter, width: int) -> str:
    notes = []
    if parameter.mandatory:
        notes.append("required")
    if parameter.position is not None:
        notes.append(f"position {parameter.position}")
    if parameter.aliases:
        notes.append(f"alias {', '.join(parameter.aliases)}")
    if parameter.default:
        notes.append(f"default {parameter.default}")
    if parameter.excludes:
        notes.append(f"not with {', '.join(parameter.excludes)}")
    value = "" if parameter.kind is Kind.SWITCH else f" {value_word(parameter)}"
    head = f"    -{parameter.name}{value}" + (f"   ({'; '.join(notes)})" if notes else "")
    return head + "\n" + textwrap.indent(textwrap.fill(parameter.help, width - 8), "        ")


def markdown_table(cmdlet: Cmdlet) -> str:
    """The parameters of `cmdlet` as a Markdown table, for the README."""
    rows = ["| parameter | value | position | default | meaning |", "|---|---|---|---|---|"]
    for parameter in cmdlet.parameters:
        if parameter.generated:
            continue  # another boto3 may have it otherwise; help shows it
        names = " ".join(f"`-{name}`" for name in (parameter.name, *parameter.aliases))
        value = "switch" if parameter.kind is Kind.SWITCH else value_word(parameter).strip("<>").replace("|", " ")
        meaning = f"not available: {parameter.refused}" if parameter.refused else parameter.help
        position = str(parameter.position or "")
        cells = (names, value, position, f"`{parameter.default}`" if parameter.default else "", meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)
