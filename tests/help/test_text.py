"""The text of help: every parameter, section and cmdlet stands in it, in a form that fits a screen."""

from __future__ import annotations

import dataclasses

import pytest

from lmfunction._help import View, cmdlet_help, examples_of, overview, parameter_help, related_to
from lmfunction._help_texts import TEXTS
from lmfunction._params import Cmdlet, Kind, Parameter, Rank
from lmfunction._syntax import syntax_lines
from lmfunction._table import CMDLETS, INVOKE, OPERATIONS, PUBLISH, find_cmdlet
from lmfunction._verb_table import VERBS

TOPICS = (*CMDLETS, *VERBS)
SECTIONS = ["NAME", "SYNOPSIS", "SYNTAX", "DESCRIPTION", "PARAMETERS", "EXAMPLES", "RELATED"]
topics = pytest.mark.parametrize("cmdlet", TOPICS, ids=lambda c: c.name)


def titles(text: str) -> list[str]:
    """The titles of the sections."""
    return [line for line in text.split("\n") if line and not line.startswith(" ")]


@topics
def test_every_parameter(cmdlet: Cmdlet) -> None:
    """The help tells each parameter's aliases, position, default, choices, exclusions and meaning."""
    text = cmdlet_help(cmdlet).partition("PARAMETERS\n")[2]
    # What boto3's model says is checked cmdlet by cmdlet in tests/operations.
    for parameter in [p for p in cmdlet.parameters if not p.generated]:
        heads = [line for line in text.split("\n") if line.split(maxsplit=1)[:1] == [f"-{parameter.name}"]]
        if parameter.refused:
            assert heads == []
            assert parameter.refused.split()[0] in parameter_help(cmdlet, parameter)
            continue
        (head,) = heads
        assert head.startswith("    -")
        for note in (
            *parameter.aliases,
            *parameter.choices,
            *parameter.excludes,
            parameter.default,
            f"position {parameter.position}" if parameter.position else "",
            "required" if parameter.mandatory else "",
            "" if parameter.kind is Kind.SWITCH or parameter.choices else f"<{parameter.kind.value}>",
        ):
            assert note in head
        following = text[text.index(head) + len(head) :]
        assert " ".join(following.split()).startswith(" ".join(parameter.help.split()))


@topics
def test_shape(cmdlet: Cmdlet) -> None:
    """The sections come in PowerShell's order, no line is wider than a terminal, and no argument is torn apart."""
    for view in View:
        text = cmdlet_help(cmdlet, view=view)
        found = titles(text)
        assert found == [title for title in SECTIONS if title in found]
        wanted = {"NAME", "SYNOPSIS", "EXAMPLES"} | (set() if view is View.EXAMPLES else {"SYNTAX"})
        assert wanted <= set(found)
        assert ("PARAMETERS" in found) == bool(cmdlet.parameters and view is not View.EXAMPLES)
        assert text.replace("\n", "").isascii()
        prose = text.partition("PARAMETERS\n")[0].partition("EXAMPLES\n")[0].split("\n")
        # A name of the API may be longer than a line by itself.
        assert [line for line in prose if len(line) > 100 and line.count("[") != 1] == []
        syntax = text.partition("SYNTAX\n")[2].partition("\n\nDESCRIPTION")[0].partition("\n\nPARAMETERS")[0]
        assert [line for line in syntax.split("\n") if line.count("[") != line.count("]")] == []
    assert examples_of(cmdlet), "a cmdlet without an example"


@topics
def test_the_short_view(cmdlet: Cmdlet) -> None:
    """-? tells of the cmdlet's own parameters, and only names those that most cmdlets have."""
    text = cmdlet_help(cmdlet, view=View.BASIC)
    for parameter in cmdlet.parameters:
        shown = f"    -{parameter.name}" in [
            line.split("   (")[0].split(" <")[0].split(" {")[0] for line in text.split("\n")
        ]
        if parameter.rank is Rank.COMMON:
            assert not shown
        elif not parameter.refused:
            assert f"-{parameter.name}" in text
    if "Region" in cmdlet.by_name and cmdlet.name in OPERATIONS:
        assert "Where the call goes: -ClientConfig, -AccessKey" in text
        assert f"Get-Help {cmdlet.python_names[0]} -Detailed" in text


@pytest.mark.parametrize("cmdlet", [INVOKE, PUBLISH, *VERBS], ids=lambda c: c.name)
def test_the_full_view(cmdlet: Cmdlet) -> None:
    """-Full tells every property of each parameter, as Get-Help does."""
    text = cmdlet_help(cmdlet, view=View.FULL)
    shown = [p for p in cmdlet.parameters if not p.refused]
    for property_name in ("Required?", "Position?", "Default value", "Accept pipeline input?", "Aliases"):
        assert text.count(property_name) == len(shown)


def test_a_parameter_s_properties() -> None:
    """Pipeline input, accepted values, ranges and exclusions are told."""
    log = " ".join(parameter_help(INVOKE, INVOKE.by_name["LogType"]).split())
    assert "Position? 5" in log
    assert "Accept pipeline input? true (ByPropertyName)" in log
    assert "Accepted values None, Tail" in log
    name = " ".join(parameter_help(INVOKE, INVOKE.by_name["FunctionName"]).split())
    assert "Required? true" in name
    assert "true (ByValue, ByPropertyName)" in name
    assert "Accepted values 1 to 1000" in " ".join(parameter_help(INVOKE, INVOKE.by_name["ThrottleLimit"]).split())
    assert "Not together with -PayloadStream" in " ".join(parameter_help(INVOKE, INVOKE.by_name["Payload"]).split())
    where = find_cmdlet("where", VERBS)
    assert where is not None
    assert "Accept pipeline input? false" in " ".join(parameter_help(where, where.by_name["Not"]).split())


def test_overview_names_every_cmdlet() -> None:
    """The terminal's overview lists each cmdlet and verb under both of its names."""
    for cmdlet in TOPICS:
        (line,) = [x for x in overview().split("\n") if x.split()[:1] == [cmdlet.python_names[0]]]
        assert line.split()[1:] == [cmdlet.name]


def test_every_text_is_of_a_cmdlet() -> None:
    """The texts beside the table are of cmdlets in it, and name cmdlets in it."""
    names = {c.name for c in TOPICS}
    assert set(TEXTS) <= names
    for name, texts in TEXTS.items():
        assert set(texts.related) <= names - {name}


@topics
def test_what_goes_together(cmdlet: Cmdlet) -> None:
    """RELATED names existing cmdlets, never the cmdlet itself, and of the API's cmdlets their page."""
    found = related_to(cmdlet)
    pages = [one for one in found if one.startswith("https://")]
    assert {*found} - {*pages} <= {c.name for c in TOPICS} - {cmdlet.name}
    assert [page.rpartition("API_")[2] for page in pages] == [
        f"{OPERATIONS[cmdlet.name]}.html" for _ in range(cmdlet.name in OPERATIONS)
    ]


def _cmdlet(**excludes: str) -> Cmdlet:
    """A cmdlet with a switch for each keyword, which excludes those named."""
    rows = [Parameter(name, Kind.SWITCH, "Text.", excludes=tuple(others.split())) for name, others in excludes.items()]
    return Cmdlet("Test-It", ("test_it",), "Tests.", tuple(rows))


@pytest.mark.parametrize(
    ("cmdlet", "lines"),
    [
        (_cmdlet(A="", B=""), ["Test-It [-A] [-B]"]),
        (_cmdlet(A="B", B="A"), ["Test-It [-A | -B]"]),
        (_cmdlet(A="B C", B="A C", C="A B", D=""), ["Test-It [-A | -B | -C] [-D]"]),
        (_cmdlet(A="B", B=""), ["Test-It [-A | -B]"]),
        (_cmdlet(A="C", B="C", C="A B", D=""), ["Test-It [-A] [-B] [-D]", "Test-It [-C] [-D]"]),
        (_cmdlet(A="C D", B="C D", C="A B", D="A B"), ["Test-It [-A] [-B]", "Test-It [-C] [-D]"]),
        (_cmdlet(A="B", B="A", C="E", D="E", E="C D"), ["Test-It [-A | -B] [-C] [-D]", "Test-It [-A | -B] [-E]"]),
    ],
    ids=["free", "two alternatives", "three", "one way", "a group and one", "two groups", "both kinds"],
)
def test_sets_of_parameters(cmdlet: Cmdlet, lines: list[str]) -> None:
    """Parameters that exclude each other are alternatives, and whole groups of them have a syntax each."""
    assert [line.strip() for line in syntax_lines(cmdlet, 100)] == lines


def test_a_description_of_the_api() -> None:
    """The description of the API's cmdlets is the model's, without the sentence that the synopsis has."""
    cmdlet = find_cmdlet("new_lm_event_source_mapping")
    assert cmdlet is not None
    description = cmdlet_help(cmdlet).partition("DESCRIPTION\n")[2].partition("\n\nPARAMETERS")[0]
    assert len(description) > 40
    assert cmdlet.synopsis[:60] not in " ".join(description.split())


def test_what_help_shows_of_a_hand_made_row() -> None:
    """A change of the table changes the help: nothing is written down twice."""
    changed = dataclasses.replace(INVOKE, parameters=(dataclasses.replace(INVOKE.parameters[0], help="Changed."),))
    assert "Changed." in cmdlet_help(changed)
