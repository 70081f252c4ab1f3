"""JMESPath through a line: no expression is damaged on its way, quoted or bare."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
import yaml

from lmfunction._verb_table import SELECT


def _shown(value: Any, nothing: Any) -> Any:
    return None if value is nothing else value


def _quoted_only(production: str) -> bool:
    from pathlib import Path

    table = yaml.safe_load(Path(__file__).with_name("expressions.yaml").read_text("utf-8"))
    return any(g["production"] == production and g.get("quoted_only") for g in table["groups"])


def test_quoted_it_gives_what_jmespath_gives(expression_case: Any, offline: Any, nothing: Any) -> None:
    """In single quotes ('' for a quote) any expression finds exactly what jmespath finds."""
    data, _, expression = expression_case
    literal = expression.replace("'", "''")
    got = _shown(offline(f"$data | select '{literal}'", data=data), nothing)
    assert got == jmespath.search(expression, data), expression


def test_bare_it_gives_what_jmespath_gives(expression_case: Any, offline: Any, nothing: Any) -> None:
    """As it stands, blanks and all, and with a parameter behind it."""
    data, production, expression = expression_case
    if _quoted_only(production):
        expression = f"({expression})"  # a bracket around makes it legal bare
    expected = jmespath.search(expression, data)
    assert _shown(offline(f"$data | select {expression}", data=data), nothing) == expected, expression
    rest = expected[:1] if isinstance(expected, list) else expected
    assert _shown(offline(f"$data | select {expression} -First 1", data=data), nothing) == rest, expression


def test_named_it_gives_what_jmespath_gives(expression_case: Any, offline: Any, nothing: Any) -> None:
    """Behind -Expression, from a variable, nothing of it is read again."""
    data, _, expression = expression_case
    got = _shown(offline("$data | select -Expression $wanted", data=data, wanted=expression), nothing)
    assert got == jmespath.search(expression, data), expression


def test_every_function_of_jmespath_stands_in_the_table() -> None:
    """No built-in function is left out."""
    from pathlib import Path

    from jmespath.functions import Functions

    text = Path(__file__).with_name("expressions.yaml").read_text("utf-8")
    assert [name for name in Functions.FUNCTION_TABLE if f"{name}(" not in text] == []


@pytest.mark.parametrize(("line", "gives"), [("select FOO.bar.baz[0]", 1), ("select Text", "Hello"), ("select foo", 5)])
def test_root_names_match_in_any_case_unless_they_match_exactly(line: str, gives: Any, offline: Any) -> None:
    """A name at the root that the object has in another case is found; an exact one goes first."""
    data = {"Foo": {"bar": {"baz": [1]}}, "text": "Hello"} if gives != 5 else {"Foo": 4, "foo": 5}
    assert offline(f"$data | {line}", data=data) == gives


def test_a_double_quoted_expression_fills_variables_in(offline: Any) -> None:
    """Double quotes are the line's: $name is filled in, so that an expression can be made of parts."""
    assert offline(
        "$data | select \"list[?name == '$wanted'].n\"", data={"list": [{"name": "b", "n": 1}]}, wanted="b"
    ) == [1]


def test_select_is_documented_with_both_ways() -> None:
    """The table's help names JMESPath and names with commas."""
    assert "JMESPath" in SELECT.synopsis
