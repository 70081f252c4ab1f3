"""The formats of --output, beside the AWS CLI's own."""

from __future__ import annotations

import copy
import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from awscli.formatter import get_formatter
from hypothesis import given, settings
from hypothesis import strategies as st

from lmfunction._awscli_output import formatted
from lmfunction.errors import LMError

YAML_CASES = yaml.safe_load(Path(__file__).with_name("yaml_cases.yaml").read_text("utf-8"))
_SCALARS = st.none() | st.booleans() | st.integers(-9, 999) | st.floats(-9, 9) | st.text("aZ é日\u00a0", max_size=45)
_KEYS = st.sampled_from(["A", "b", "Key", "Zeta", "LogResult", "日本"])


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects, lists of objects, lists of anything else: the AWS CLI breaks down over lists that mix these."""
    objects = st.dictionaries(_KEYS, inner, max_size=4)
    others = inner.filter(lambda value: not isinstance(value, dict))
    return objects | st.lists(objects, max_size=3) | st.lists(others, max_size=4)


class _Query:
    """A query that finds what it holds."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def search(self, _: Any) -> Any:
        return self.found


def theirs(value: Any, output: str) -> str:
    """What the AWS CLI prints, not in colour and at 80 columns."""
    stream = io.StringIO()
    get_formatter(output, Namespace(query=_Query(copy.deepcopy(value)), color="off"))("Invoke", {}, stream)
    return stream.getvalue()


@pytest.mark.parametrize("output", ["json", "text", "table"])
def test_any_value_is_printed_as_the_aws_cli_prints_it(output: str) -> None:
    """Whatever a query finds: the same characters; where no table can show it both fail."""

    @settings(max_examples=400, deadline=None, database=None)
    @given(st.recursive(_SCALARS, _deeper, max_leaves=12))
    def compare(value: Any) -> None:
        try:
            wanted = theirs(value, output)
        except (ValueError, IndexError, AttributeError):
            with pytest.raises(LMError, match="The answer came, but no table shows"):
                formatted(value, output)
            return
        assert formatted(value, output) == wanted

    compare()


@pytest.mark.parametrize("case", YAML_CASES, ids=[case["json"] for case in YAML_CASES])
def test_yaml_is_that_of_version_2(case: dict[str, Any]) -> None:
    """Blocks with sorted keys, quotes where YAML 1.2 needs them, and a scalar of its own as JSON."""
    value = json.loads(case["json"], strict=False)
    assert formatted(value, "yaml") == case["yaml"]
    assert formatted(value, "yaml-stream") == formatted([value], "yaml")


def test_off_prints_nothing() -> None:
    """`--output off` is for those who want the outfile alone."""
    assert formatted({"StatusCode": 200}, "off") == ""


def test_a_narrow_terminal_gets_an_upright_table() -> None:
    """A table wider than the terminal shows a single row as lines of header and value."""
    wide = formatted({"StatusCode": 200, "ExecutedVersion": "$LATEST"}, "table", width=80)
    upright = formatted({"StatusCode": 200, "ExecutedVersion": "$LATEST"}, "table", width=20)
    assert max(map(len, upright.splitlines())) < max(map(len, wide.splitlines()))
    assert "|  StatusCode      |  200      |\n" in upright


def test_a_list_of_objects_and_others_makes_no_table() -> None:
    """The AWS CLI breaks down here; the error says that the answer came."""
    with pytest.raises(LMError, match="The answer came, but no table shows objects beside other values"):
        formatted([{"a": 1}, 2], "table")
