"""Every cmdlet of the API: its rows, its help, and requests that botocore's own validator takes."""

from __future__ import annotations

import inspect
import keyword
from collections import Counter
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import pytest
from operation_samples import request_of, value_of

import lmfunction as lm
from lmfunction._arguments import convert
from lmfunction._binder import bind
from lmfunction._grammar import parse_line
from lmfunction._help import cmdlet_help
from lmfunction._operation_requests import gathered_members, request_members
from lmfunction._operations import default_select, make_cmdlet, subject_of
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._scope import Scope
from lmfunction._service import operation
from lmfunction._table import CMDLETS, INVOKE, OPERATIONS, PUBLISH, find_cmdlet

MODEL = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("lambda", "service-2"))
GENERATED = [c for c in CMDLETS if c.name in OPERATIONS and c not in (INVOKE, PUBLISH)]
every = pytest.mark.parametrize("cmdlet", CMDLETS, ids=lambda c: c.name)
generated = pytest.mark.parametrize("cmdlet", GENERATED, ids=lambda c: c.name)


def rows_of(cmdlet: Cmdlet) -> list[Parameter]:
    """The rows of a cmdlet that were read from the model."""
    return [p for p in cmdlet.parameters if p.generated]


def leaves_of(cmdlet: Cmdlet) -> list[Parameter]:
    """The rows that fill one leaf each: no whole structure, and no file instead of bytes."""
    rows = [p for p in rows_of(cmdlet) if p.kind is not Kind.FILE]
    inner = {p.path[:-1] for p in rows if len(p.path) > 1}
    return [p for p in rows if not any(path[: len(p.path)] == p.path for path in inner)]


def test_one_cmdlet_for_each_operation() -> None:
    """The list is one to one, and boto3 knows every operation of it."""
    assert len(OPERATIONS) == len(set(OPERATIONS.values())) == 85
    assert set(OPERATIONS.values()) <= set(MODEL.operation_names)
    assert {c.name for c in CMDLETS} >= set(OPERATIONS)


@every
def test_its_names(cmdlet: Cmdlet) -> None:
    """The PowerShell name and the Python name find it, and Python has a function of that name with help."""
    python = cmdlet.python_names[0]
    assert find_cmdlet(cmdlet.name.upper()) is cmdlet
    assert find_cmdlet(python) is cmdlet
    assert python.isidentifier()
    function = getattr(lm, python)
    assert inspect.signature(function)
    assert cmdlet.name in (inspect.getdoc(function) or "") or cmdlet in (INVOKE, PUBLISH)


@every
def test_its_help(cmdlet: Cmdlet) -> None:
    """Help is ASCII, names every parameter that is not refused, and begins with what the operation does."""
    text = cmdlet_help(cmdlet)
    assert text.isascii()
    assert "<p>" not in text
    assert cmdlet.synopsis.rstrip(".")
    parameters = text.partition("\nPARAMETERS\n")[2]
    for row in cmdlet.parameters:
        assert (f"\n    -{row.name} " in f"\n{parameters}" or f"\n    -{row.name}\n" in f"\n{parameters}") != bool(
            row.refused
        )


@generated
def test_its_rows(cmdlet: Cmdlet) -> None:
    """Spellings are unique and find their row, keywords are Python's, every member of the model has a row."""
    counted = Counter(spelling for p in cmdlet.parameters for spelling in p.spellings)
    assert [name for name, count in counted.items() if count > 1] == []
    targets = [p.target for p in cmdlet.parameters]
    assert len(set(targets)) == len(targets)
    assert all(t.isidentifier() and t.islower() and not keyword.iskeyword(t) for t in targets)
    for row in rows_of(cmdlet):
        assert row.help[0] == row.help[0].upper()
        assert row.help.endswith((".", "…"))
        for spelling in (row.name, row.target, row.target.replace("_", "-"), *row.aliases):
            assert cmdlet.find(spelling) is row
    shape = MODEL.operation_model(OPERATIONS[cmdlet.name]).input_shape
    members = shape.members if shape is not None else {}
    assert {p.path[0] for p in rows_of(cmdlet)} == set(members)
    assert {p.name for p in rows_of(cmdlet) if p.mandatory} <= set(shape.required_members if shape else ())


@every
def test_its_completion_data(cmdlet: Cmdlet) -> None:
    """Each enumerated member of the model has its choices, at whatever depth; nothing else has any."""

    def enums(shape: Any, path: tuple[str, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
        found = {}
        for name, inner in shape.members.items():
            told = inner.member if inner.type_name == "list" else inner
            if getattr(told, "enum", None):
                found[(*path, name)] = tuple(told.enum)
            if inner.type_name == "structure":
                found |= enums(inner, (*path, name))
        return found

    if cmdlet is INVOKE or cmdlet.name not in OPERATIONS:
        return
    shape = MODEL.operation_model(OPERATIONS[cmdlet.name]).input_shape
    expected = enums(shape, ()) if shape is not None else {}
    hand_made = {p.path for p in cmdlet.parameters if p.path and not p.generated}
    assert {p.path: p.choices for p in rows_of(cmdlet) if p.choices} == {
        path: choices for path, choices in expected.items() if path not in hand_made
    }


@generated
def test_a_request_of_whole_structures(cmdlet: Cmdlet) -> None:
    """Values for the top members alone, structures as mappings, make a request that botocore's validator takes."""
    found = operation(OPERATIONS[cmdlet.name])
    values = request_of(found.inputs)
    members = request_members(cmdlet, found, convert(cmdlet, values))
    assert accepted(found.name, members)
    assert set(members) == set(values)


@generated
def test_a_request_of_leaves(cmdlet: Cmdlet) -> None:
    """Values for the leaves alone make the request that whole structures make."""
    found = operation(OPERATIONS[cmdlet.name])
    whole = convert(cmdlet, request_of(found.inputs))
    leaves = {row.name: _at(request_of(found.inputs), row.path) for row in leaves_of(cmdlet)}
    assert gathered_members(cmdlet, convert(cmdlet, leaves)) == gathered_members(cmdlet, whole)


@generated
def test_a_request_of_a_line(cmdlet: Cmdlet) -> None:
    """The same values typed on a line, in the other case where they are choices, make the same request."""
    found = operation(OPERATIONS[cmdlet.name])
    wanted = request_of(found.inputs)
    words, names = [], {}
    for index, row in enumerate(leaves_of(cmdlet)):
        value = _at(wanted, row.path)
        words.append(_typed(row, value, index))
        names[f"v{index}"] = value
    (stage,) = parse_line(" ".join(words))
    bound = bind(cmdlet, stage, Scope(names)).values
    members = gathered_members(cmdlet, convert(cmdlet, {n: b.value for n, b in bound.items()}))
    assert members == gathered_members(cmdlet, convert(cmdlet, wanted))
    assert accepted(found.name, members)


@generated
def test_without_anything_the_required_members_are_named(cmdlet: Cmdlet) -> None:
    """A request without values is refused when the model requires any, and the error names one of them."""
    found = operation(OPERATIONS[cmdlet.name])
    required = [m.name for m in found.inputs if m.required and m.type != "blob"]
    if not required:
        assert request_members(cmdlet, found, {}) is not None
        return
    with pytest.raises(lm.ParameterError, match="is missing") as caught:
        request_members(cmdlet, found, {})
    assert caught.value.parameter in required


@generated
def test_what_it_emits(cmdlet: Cmdlet) -> None:
    """The default of -Select is *, nothing, or a member of the answer; PassThru is there for what changes something."""
    found = operation(OPERATIONS[cmdlet.name])
    select = default_select(found)
    assert select in ("*", "", *(m.name for m in found.outputs))
    if cmdlet.name.startswith("Get-") and cmdlet.name.endswith("List"):
        assert found.paging is not None
        assert select == found.paging.result
        assert "NoAutoIteration" in cmdlet.by_name
    changes = not cmdlet.name.startswith("Get-")
    assert ("Force" in cmdlet.by_name) == changes
    assert ("PassThru" in cmdlet.by_name) == (changes and subject_of(found) is not None)


def test_an_operation_that_this_boto3_does_not_know() -> None:
    """The error says which boto3 is installed, and other cmdlets go on."""
    import boto3

    with pytest.raises(lm.ParameterError, match="UnknownOperation") as caught:
        make_cmdlet("Get-LMUnknown", ("get_lm_unknown",), "UnknownOperation")
    assert boto3.__version__ in str(caught.value)
    assert make_cmdlet("Get-LMAlias", ("get_lm_alias",), "GetAlias").parameters


def test_a_function_that_is_none() -> None:
    """A name that is like a cmdlet's and is none is an AttributeError with the nearest name, also for a session."""
    with pytest.raises(AttributeError, match=r"Did you mean get_lm_alias\?"):
        lm.get_lm_alais
    with pytest.raises(AttributeError, match=r"Did you mean get_lm_alias\?"):
        lm.Session().get_lm_alais
    assert "get_lm_function_list" in dir(lm)
    assert "get_lm_function_list" in dir(lm.Session())


def accepted(name: str, members: dict[str, Any]) -> bool:
    """Whether botocore's validator takes the request."""
    report = botocore.validate.ParamValidator().validate(members, MODEL.operation_model(name).input_shape)
    assert not report.has_errors(), report.generate_report()
    return True


def _at(request: dict[str, Any], path: tuple[str, ...]) -> Any:
    for part in path:
        request = request[part]
    return request


def _typed(row: Parameter, value: Any, index: int) -> str:
    """How a person types the value; what cannot be typed is a variable."""
    name = f"-{row.name}"
    if row.kind is Kind.BOOLEAN:
        return name
    if row.kind is Kind.CHOICE:
        return f"{name} {value.swapcase()}"
    if row.kind is Kind.LIST:
        return f"{name} {','.join(value)}"
    if row.kind in (Kind.WHOLE, Kind.NUMBER):
        return f"{name} {value}"
    if row.kind is Kind.TIME:
        return f"{name}:{value.isoformat()}"
    return f"{name} $v{index}"


def test_samples_hold_every_type() -> None:
    """The samples meet each type that the model has, so that no kind goes untested."""
    types = {m.type for op in OPERATIONS.values() for m in operation(op).inputs}
    assert types == {"text", "whole", "boolean", "time", "blob", "texts", "objects", "map", "structure"}
    assert all(value_of(m) is not None for op in OPERATIONS.values() for m in operation(op).inputs)
