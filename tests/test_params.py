"""The parameter table: one spelling means one parameter, and Python's signatures say what the table says."""

from __future__ import annotations

import inspect
import keyword
from collections import Counter
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._arguments import convert
from lmfunction._params import Cmdlet, Kind, Parameter, Rank
from lmfunction._table import CMDLETS, INVOKE, MEASURE, PUBLISH, find_cmdlet
from lmfunction._unset import UNSET
from lmfunction.errors import ParameterError

# What boto3's model says is checked cmdlet by cmdlet in tests/operations.
EVERY = [(c, p) for c in (INVOKE, MEASURE, PUBLISH) for p in c.parameters if not p.generated]
# Taken on lines written for PowerShell, without a meaning in Python.
LINES_ONLY = ("InformationAction",)
FUNCTIONS = [(INVOKE, lm.invoke_lm), (PUBLISH, lm.publish_lm_function)]

cmdlets = pytest.mark.parametrize("cmdlet", CMDLETS, ids=lambda c: c.name)
parameters = pytest.mark.parametrize(("cmdlet", "parameter"), EVERY, ids=[f"{c.name} -{p.name}" for c, p in EVERY])


@cmdlets
def test_names_and_aliases_are_unique(cmdlet: Cmdlet) -> None:
    """No name or alias, in any case, stands for two parameters."""
    counted = Counter(spelling for p in cmdlet.parameters for spelling in p.spellings)
    assert [name for name, count in counted.items() if count > 1] == []


def test_no_name_of_a_cmdlet_is_anothers() -> None:
    """Every name of a cmdlet, in any case and with a magic's %, finds that cmdlet."""
    for cmdlet in CMDLETS:
        for name in cmdlet.names:
            assert find_cmdlet(name.upper()) is cmdlet
            assert find_cmdlet(f"%{name}") is cmdlet


@cmdlets
def test_positions(cmdlet: Cmdlet) -> None:
    """Positions count 1, 2, 3 ... without a gap, in the table's order."""
    positions = [p.position for p in cmdlet.parameters if p.position is not None]
    assert positions == list(range(1, len(positions) + 1))


@cmdlets
def test_exclusions_go_both_ways(cmdlet: Cmdlet) -> None:
    """A parameter that excludes another is excluded by it, and both exist."""
    for parameter in cmdlet.parameters:
        for other in parameter.excludes:
            assert parameter.name in cmdlet.by_name[other].excludes


@cmdlets
def test_targets_are_python_names(cmdlet: Cmdlet) -> None:
    """Each parameter has a keyword of its own in Python."""
    targets = [p.target for p in cmdlet.parameters]
    assert len(set(targets)) == len(targets)
    assert all(t.isidentifier() and t.islower() and not keyword.iskeyword(t) for t in targets)


@parameters
def test_every_spelling_finds_its_parameter(cmdlet: Cmdlet, parameter: Parameter) -> None:
    """Name and aliases find the parameter in any case; the name also as kebab and as snake case."""
    kebab = parameter.target.replace("_", "-")
    for spelling in (parameter.name, parameter.name.upper(), *parameter.aliases, kebab, parameter.target):
        assert cmdlet.find(spelling) is parameter


@parameters
def test_a_row_fits_its_kind(cmdlet: Cmdlet, parameter: Parameter) -> None:
    """Choices belong to choices, bounds to numbers, defaults are allowed values, and the help is a sentence."""
    assert bool(parameter.choices) == (parameter.kind is Kind.CHOICE)
    if parameter.kind not in (Kind.SECONDS, Kind.WHOLE, Kind.NUMBER):
        assert (parameter.minimum, parameter.maximum) == (None, None)
    if parameter.kind is Kind.CHOICE and parameter.default:
        assert parameter.default.partition(";")[0] in parameter.choices
    if parameter.kind in (Kind.SECONDS, Kind.WHOLE) and parameter.default:
        assert convert(cmdlet, {parameter.name: parameter.default})
    assert parameter.help[0].isupper()
    assert parameter.help.endswith(".")
    assert parameter.refused == "" or parameter.refused.endswith(".")


@parameters
def test_no_prefix_means_a_parameter_of_ours_first(cmdlet: Cmdlet, parameter: Parameter) -> None:
    """A prefix means a parameter of ours only when none of PowerShell's begins with it."""
    for length in range(1, len(parameter.name)):
        prefix = parameter.name[:length]
        try:
            found = cmdlet.find(prefix)
        except ParameterError as error:
            assert "is ambiguous" in str(error)
            continue
        exact = prefix.casefold() in found.spellings
        theirs = any(
            s.startswith(prefix.casefold()) for p in cmdlet.parameters if p.rank is not Rank.OURS for s in p.spellings
        )
        assert exact or found.rank is not Rank.OURS or not theirs


@pytest.mark.parametrize(("cmdlet", "function"), FUNCTIONS, ids=[c.name for c, _ in FUNCTIONS])
def test_signature(cmdlet: Cmdlet, function: Any) -> None:
    """A function has one keyword for each parameter of the table, all unset; positions are the table's."""
    expected = [
        p
        for p in cmdlet.parameters
        if not p.refused and not p.generated and not p.name.endswith("Variable") and p.name not in LINES_ONLY
    ]
    signature = {n: p for n, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD}
    assert sorted(signature) == sorted(p.target for p in expected)
    assert all(p.default is UNSET for p in signature.values())
    positional = [n for n, p in signature.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    table = [p.target for p in cmdlet.positional] + ([] if cmdlet.body in (None, "Payload") else ["code"])
    assert positional == table


@pytest.mark.parametrize(("cmdlet", "function"), FUNCTIONS, ids=[c.name for c, _ in FUNCTIONS])
def test_what_a_line_cannot_take_python_cannot_either(cmdlet: Cmdlet, function: Any) -> None:
    """An unknown keyword is a TypeError of Python, with the nearest name in a session."""
    with pytest.raises(TypeError, match="qualifer"):
        function("f", qualifer="live")
    method = getattr(lm.Session(), function.__name__)
    with pytest.raises(TypeError, match=r"Did you mean region\?"):
        method("f", regoin="eu-west-1")
