"""Help in PowerShell's order, from the parameter table and the texts beside it."""

from __future__ import annotations

import enum
import functools
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from lmfunction._common_rows import CONNECTION
from lmfunction._help_texts import text_of
from lmfunction._params import Cmdlet, Kind, Parameter, Rank
from lmfunction._syntax import names_of, syntax_lines, value_word
from lmfunction._table import CMDLETS, OPERATIONS
from lmfunction._text import shorten
from lmfunction._verb_table import VERBS

WIDTH: Final = 100
_API_PAGES: Final = "https://docs.aws.amazon.com/lambda/latest/api/API_"


class View(enum.Enum):
    """How much help tells, as Get-Help's switches have it."""

    BASIC = "basic"  # parameters that many cmdlets share are only named
    DETAILED = "detailed"  # a paragraph for each parameter
    FULL = "full"  # every property of each parameter
    EXAMPLES = "examples"


class HelpText(str):
    """Help that shows itself as text, whatever shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@functools.lru_cache(maxsize=512)  # a function of the API's cmdlets gets it as its docstring, each time it is looked up
def cmdlet_help(cmdlet: Cmdlet, *, view: View = View.DETAILED, width: int = WIDTH) -> str:
    """NAME, SYNOPSIS, SYNTAX, DESCRIPTION, PARAMETERS, EXAMPLES and RELATED of a cmdlet or verb."""
    sections = [
        ("NAME", _paragraph(f"{cmdlet.name} ({', '.join(cmdlet.python_names)})", width, hyphens=False)),
        ("SYNOPSIS", _paragraph(cmdlet.synopsis, width)),
    ]
    if view is not View.EXAMPLES:
        described = text_of(cmdlet).description
        sections += [
            ("SYNTAX", "\n\n".join(syntax_lines(cmdlet, width))),
            ("DESCRIPTION", "\n\n".join(_paragraph(part, width) for part in described)),
            ("PARAMETERS", _parameters(cmdlet, view, width)),
        ]
    sections.append(("EXAMPLES", _examples(cmdlet, width)))
    if view is not View.EXAMPLES:
        sections.append(("RELATED", _paragraph(", ".join(related_to(cmdlet)), width, hyphens=False)))
    return "\n\n".join(f"{title}\n{text}" for title, text in sections if text.strip()) + "\n"


def parameter_help(cmdlet: Cmdlet, parameter: Parameter, *, width: int = WIDTH) -> str:
    """Every property of one parameter, as Get-Help -Parameter shows it."""
    if parameter.refused:
        return _indented(f"-{parameter.name} is not available: {parameter.refused}", width, 4)
    pairs = (
        ("Required?", "true" if parameter.mandatory else "false"),
        ("Position?", str(parameter.position or "named")),
        ("Default value", parameter.default or ("false" if parameter.kind is Kind.SWITCH else "none")),
        ("Accept pipeline input?", _pipeline_input(cmdlet, parameter)),
        ("Aliases", ", ".join(parameter.aliases) or "none"),
        ("Accepted values", ", ".join(parameter.choices) or _range(parameter)),
        ("Not together with", names_of(cmdlet.by_name[name] for name in parameter.excludes)),
    )
    lines = [
        f"    -{parameter.name}" + ("" if parameter.kind is Kind.SWITCH else f" {value_word(parameter)}"),
        _indented(parameter.help, width, 8),
        "",
        *(_indented(f"{name:<25}{told}", width, 8, " " * 33) for name, told in pairs if told),
    ]
    return "\n".join(lines)


def examples_of(cmdlet: Cmdlet) -> tuple[tuple[str, str], ...]:
    """The lines that help shows for a cmdlet, each with what it does."""
    written = text_of(cmdlet).examples
    return tuple((e.line, e.text) for e in (written or cmdlet.examples))


def related_to(cmdlet: Cmdlet) -> list[str]:
    """The cmdlets that go with it: those named for it, those of the same noun; the API's page."""
    noun = _noun(cmdlet)
    same = [c.name for c in CMDLETS if noun and _noun(c) == noun and c is not cmdlet]
    found = [*dict.fromkeys([*text_of(cmdlet).related, *same])]
    name = OPERATIONS.get(cmdlet.name)
    return [*found, f"{_API_PAGES}{name}.html"] if name is not None else found


def overview() -> str:
    """What the terminal's command can do."""
    return (
        "usage: lmfunction CMDLET [ARGUMENTS]      one cmdlet; the shell does the quoting\n"
        "       lmfunction 'CMDLET ARGUMENTS'      the same as one line with its own quoting\n"
        "       lmfunction CMDLET -?               help for a cmdlet; also: lmfunction help CMDLET -Full\n"
        "       lmfunction aws lambda invoke ...   a line of the AWS CLI, as it is\n"
        "       lmfunction local start             run the embedded Lambda for other tools\n"
        "       lmfunction --version\n\n"
        "cmdlets:\n" + "\n".join(_listed(CMDLETS)) + "\n\n"
        "verbs, after a |:\n" + "\n".join(_listed(VERBS)) + "\n\n"
        "exit codes: 0 ok, 1 function failed, 252 usage, 253 configuration, 254 AWS refused, 255 could not complete,\n"
        "            130 interrupted\n"
    )


def listing(cmdlets: Iterable[Cmdlet], width: int = WIDTH) -> str:
    """Cmdlets and verbs with what each does, one a line."""
    found = list(cmdlets)
    wide = max((len(c.name) for c in found), default=0)
    return "".join(f"{c.name:<{wide}}  {shorten(c.synopsis, width - wide - 2)}\n" for c in found)


def _listed(cmdlets: Iterable[Cmdlet]) -> Iterator[str]:
    # No synopsis: those of the API's cmdlets are read from boto3's model, which takes longer than all the rest.
    return (f"    {c.python_names[0]:<54} {c.name}" for c in cmdlets)


def _noun(cmdlet: Cmdlet) -> str:
    return cmdlet.name.partition("-LM")[2].removesuffix("List")


def _parameters(cmdlet: Cmdlet, view: View, width: int) -> str:
    shown = [p for p in cmdlet.parameters if not p.refused]
    if view is View.FULL:
        return "\n\n".join(parameter_help(cmdlet, p, width=width) for p in shown)
    if view is View.DETAILED:
        return "\n".join(_parameter(p, width) for p in shown)
    shared = [p for p in shown if p in CONNECTION]
    common = [p for p in shown if p.rank is Rank.COMMON]
    own = [_parameter(p, width) for p in shown if p not in shared and p not in common]
    for what, rows in (("Where the call goes", shared), ("Common", common)):
        if rows:
            own.append(_indented(f"{what}: {names_of(rows)}.", width, 4, " " * 8))
    if shared or common:
        own.append(f"    Get-Help {cmdlet.python_names[0]} -Detailed tells of these too.")
    return "\n".join(own)


def _parameter(parameter: Parameter, width: int) -> str:
    notes = []
    if parameter.mandatory:
        notes.append("required")
    if parameter.position is not None:
        notes.append(f"position {parameter.position}")
    if parameter.by_value:
        notes.append("from the pipeline")
    if parameter.aliases:
        notes.append(f"alias {', '.join(parameter.aliases)}")
    if parameter.default:
        notes.append(f"default {parameter.default}")
    if parameter.excludes:
        notes.append(f"not with {', '.join(parameter.excludes)}")
    value = "" if parameter.kind is Kind.SWITCH else f" {value_word(parameter)}"
    head = f"    -{parameter.name}{value}" + (f"   ({'; '.join(notes)})" if notes else "")
    return f"{head}\n{_indented(parameter.help, width, 8)}"


def _pipeline_input(cmdlet: Cmdlet, parameter: Parameter) -> str:
    ways = []
    if parameter.by_value:
        ways.append("ByValue")
    if parameter.by_name and cmdlet not in VERBS:
        ways.append("ByPropertyName")
    return f"true ({', '.join(ways)})" if ways else "false"


def _range(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if high is not None:
        return f"{low or 0:g} to {high:g}"
    return f"{low:g} or more" if low is not None else ""


def _examples(cmdlet: Cmdlet, width: int) -> str:
    return "\n".join(f"    {line}\n{_indented(text, width, 8)}" for line, text in examples_of(cmdlet))


def _paragraph(text: str, width: int, *, hyphens: bool = True) -> str:
    if not text:
        return ""
    return textwrap.fill(
        text,
        width,
        initial_indent="    ",
        subsequent_indent="    " if hyphens else "        ",
        break_on_hyphens=hyphens,
        break_long_words=hyphens,
    )


def _indented(text: str, width: int, indent: int, following: str | None = None) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent if following is None else following,
        break_on_hyphens=False,
    )


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
