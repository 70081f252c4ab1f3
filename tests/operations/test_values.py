"""What is typed for the members of a request, and what is sent for it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._arguments import convert
from lmfunction._binder import bind
from lmfunction._grammar import parse_line
from lmfunction._operation_requests import request_members
from lmfunction._scope import Scope
from lmfunction._service import operation
from lmfunction._table import OPERATIONS, find_cmdlet

CASES = yaml.safe_load(Path(__file__).with_name("values.yaml").read_text())
PROVIDER = {"CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"}
NAMES = {
    "provider": {"LambdaManagedInstancesCapacityProviderConfig": PROVIDER},
    "names": ["x", "y"],
    "number": 5,
    "vpc": {"SubnetIds": ["s1"]},
    "none": [],
    "bytes": b"\x00\x01",
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['cmdlet']} {c['line']}")
def test_a_line_makes_a_request(case: dict[str, Any], tmp_path: Path) -> None:
    """The table of lines: members as the API takes them, or an error that names the parameter and the cure."""
    file = tmp_path / "content"
    file.write_bytes(b"in a file")
    line = case["line"].replace("$file", str(file))
    cmdlet = find_cmdlet(case["cmdlet"])
    assert cmdlet is not None

    def request() -> dict[str, Any]:
        (stage,) = parse_line(line)
        bound = bind(cmdlet, stage, Scope(NAMES)).values
        values = {name: b.value for name, b in bound.items()}
        return request_members(cmdlet, operation(OPERATIONS[cmdlet.name]), convert(cmdlet, values))

    if "says" in case:
        with pytest.raises(lm.ParameterError) as caught:
            request()
        assert case["says"] in str(caught.value), f"{line}\nexpected: {case['says']}\nactual: {caught.value}"
        return
    actual = request()
    assert actual == case["members"], f"{line}\nexpected: {case['members']}\nactual: {actual}"


def test_what_is_given_is_left_as_it_is() -> None:
    """A leaf that is added to a structure of the user does not change the user's mapping."""
    cmdlet = find_cmdlet("Update-LMFunctionConfiguration")
    assert cmdlet is not None
    vpc: dict[str, Any] = {"SubnetIds": ["s1"]}
    arguments = {"function_name": "f", "vpc_config": vpc, "vpc_config_security_group_ids": ["g"]}
    made = request_members(cmdlet, operation("UpdateFunctionConfiguration"), arguments)
    assert made["VpcConfig"] == {"SubnetIds": ["s1"], "SecurityGroupIds": ["g"]}
    assert vpc == {"SubnetIds": ["s1"]}


def test_a_time_without_a_zone_is_local_time() -> None:
    """A datetime keeps its instant; one without a zone is taken as the machine's."""
    cmdlet = find_cmdlet("New-LMEventSourceMapping")
    assert cmdlet is not None
    naive = datetime.datetime(2026, 1, 31, 12)
    converted = convert(cmdlet, {"StartingPositionTimestamp": naive})["starting_position_timestamp"]
    assert converted == naive.astimezone()


def test_no_value_stands_in_a_validation_error() -> None:
    """The validator's own text shows values; ours shows places and types alone."""
    cmdlet = find_cmdlet("Update-LMFunctionConfiguration")
    assert cmdlet is not None
    with pytest.raises(lm.ParameterError) as caught:
        request_members(
            cmdlet,
            operation("UpdateFunctionConfiguration"),
            {"function_name": "f", "environment": {"Variables": {"TOKEN": ["hunter2"]}}, "layers": "hunter2"},
        )
    assert "hunter2" not in str(caught.value)
    assert caught.value.parameter in ("Environment_Variables", "Layers")
