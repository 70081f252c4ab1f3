"""Get-Help in every door: names, patterns, views, parameters; what it says when there is nothing."""

from __future__ import annotations

import io
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._commands import run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._help import View, cmdlet_help
from lmfunction._scope import Scope
from lmfunction._session import default_session
from lmfunction._table import CMDLETS, find_cmdlet
from lmfunction._terminal import Terminal
from lmfunction._verb_table import VERBS
from lmfunction.errors import ParameterError


def shown(line: str) -> str:
    """What a line of Get-Help shows; it emits nothing."""
    screen: list[Any] = []
    assert run_pipeline(line, default_session().engine, Door(show=screen.append), {}) is NOTHING
    (text,) = screen
    return str(text) + "\n"


@pytest.mark.parametrize("name", [name for c in (*CMDLETS, *VERBS) for name in c.names])
def test_every_name(name: str) -> None:
    """Each name of each cmdlet and verb, in any case, has help."""
    cmdlet = find_cmdlet(name) or find_cmdlet(name, VERBS)
    assert cmdlet is not None
    assert shown(f"get_help {name.upper()}") == cmdlet_help(cmdlet, view=View.BASIC)


@pytest.mark.parametrize(
    ("line", "holds", "lacks"),
    [
        ("get_help invoke_lm", ["SYNTAX", "-LogType", "RELATED"], ["Required?", "-wi"]),
        ("get_help %invoke_lm", ["NAME\n    Invoke-LMFunction"], []),
        ("get_help invoke_lm -Examples", ["EXAMPLES", "SYNOPSIS"], ["SYNTAX", "PARAMETERS", "RELATED"]),
        ("get_help invoke_lm -Detailed", ["-WhatIf   (alias wi)"], ["Required?"]),
        ("get_help invoke_lm -Full", ["Required?", "Accept pipeline input?   true (ByValue, ByPropertyName)"], []),
        ("get_help invoke_lm -Parameter LogType", ["-LogType {None|Tail}", "Position?                5"], ["NAME"]),
        ("get_help invoke_lm -Parameter '-logt'", ["-LogType"], ["-Qualifier"]),
        ("get_help invoke_lm -Parameter *Variable", ["-OutVariable", "-ErrorVariable"], ["-LogType", "-InformationV"]),
        ("get_help invoke_lm -Parameter *", ["-FunctionName", "-WhatIf"], ["-OutBuffer"]),
        ("get_help invoke_lm -Parameter NetworkCredential", ["is not available: SAML"], ["Required?"]),
        ("get_help *LMAlias*", ["Get-LMAlias ", "Remove-LMAlias", "Returns details"], ["Get-LMFunction"]),
        ("get_help *-Object", ["Where-Object", "Keeps the objects"], ["Get-LM"]),
        ("get_help new-lmal*", ["NAME\n    New-LMAlias"], []),
        ("get_help", ["Invoke-LMFunction", "VERBS", "Where-Object", "get_help invoke_lm"], ["Returns details"]),
        ("Get-Help get_help", ["NAME\n    Get-Help", "-Parameter <text>"], ["CommonParameters"]),
    ],
)
def test_what_is_shown(line: str, holds: list[str], lacks: list[str]) -> None:
    """Views, parameters and patterns show what they are asked for and no more."""
    text = shown(line)
    assert [one for one in holds if one not in text] == []
    assert [one for one in lacks if one in text] == []
    assert max(map(len, text.split("\n"))) <= 110


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("get_help invok_lm", "There is no help for 'invok_lm'. Did you mean invoke_lm?"),
        ("get_help zz*", "There is no help for 'zz*'."),
        (
            "get_help invoke_lm -Parameter LogTyp3",
            "Invoke-LMFunction has no parameter -LogTyp3. Did you mean -LogType?",
        ),
        ("get_help invoke_lm -Parameter Zz*", "Invoke-LMFunction has no parameter like 'Zz*'."),
        ("get_help invoke_lm -Examples -Full", "exclude each other"),
        ("get_help invoke_lm -Parameter Log -Full", "exclude each other"),
    ],
)
def test_what_is_refused(line: str, says: str) -> None:
    """What has no help is named, with the nearest name that has."""
    with pytest.raises(ParameterError) as caught:
        shown(line)
    assert says in str(caught.value)


def test_names_from_the_pipeline() -> None:
    """Names that are piped in are each helped with."""
    screen: list[Any] = []
    door = Door(Scope({"names": ["where", "sort"]}), show=screen.append)
    run_pipeline("$names | get_help -Examples", default_session().engine, door, {})
    assert [text.split()[1] for text in screen] == ["Where-Object", "Sort-Object"]


def test_in_python() -> None:
    """`lm.get_help` gives the text, which shows itself as it is."""
    text = lm.get_help("invoke_lm", examples=True)
    assert text.startswith("NAME\n    Invoke-LMFunction")
    assert repr(text) == str(text)
    assert "get_help" in dir(lm)


@pytest.mark.parametrize(
    "arguments",
    [["help", "invoke_lm", "-Examples"], ["get_help", "invoke_lm", "-Examples"], ["get_help invoke_lm -Exa"]],
)
def test_at_the_terminal(arguments: list[str]) -> None:
    """`lmfunction help NAME` prints text on stdout for a program too: it was asked for help, not for an object."""
    out, err = io.StringIO(), io.StringIO()
    assert Terminal(stdout=out, stderr=err).run(arguments) == 0
    assert out.getvalue() == lm.get_help("invoke_lm", examples=True) + "\n"
    assert err.getvalue() == ""


def test_an_unknown_name_at_the_terminal() -> None:
    """A name without help is a usage error."""
    out, err = io.StringIO(), io.StringIO()
    assert Terminal(stdout=out, stderr=err).run(["help", "nothing-like-it"]) == 252
    assert "There is no help" in err.getvalue()


@pytest.mark.parametrize(
    "line", ["invoke_lm -?", "invoke_lm -Help", "invoke_lm hello -?", "where -?", "get_lm_alias -?"]
)
def test_a_question_mark_shows_the_same(line: str) -> None:
    """-? shows what Get-Help NAME shows, and runs nothing."""
    name = line.split()[0]
    screen: list[Any] = []
    whole = f"$x | {line}" if name == "where" else line
    assert run_pipeline(whole, default_session().engine, Door(Scope({"x": [1]}), show=screen.append), {}) is NOTHING
    assert screen == [lm.get_help(name)]
