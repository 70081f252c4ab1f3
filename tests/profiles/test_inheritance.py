"""`inherits`: what adds up, what is replaced, and that nothing is weakened."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import yaml

from lmfunction._profile import profile_named
from lmfunction._profile_values import AuditRule, GuardRules, Profile
from lmfunction._redact import Redaction
from lmfunction.errors import ProfileError

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("inheritance.yaml").read_text(encoding="utf-8"))
KINDS = {"guard": GuardRules, "redaction": Redaction, "audit": AuditRule}


def ids(case):
    return case["id"]


def written(folder, files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return profile_named("child", location=str(folder))


def as_tuples(found):
    return tuple(map(as_tuples, found)) if isinstance(found, list) else found


@pytest.mark.parametrize("case", TABLE["good"], ids=ids)
def test_rules_add_up_and_settings_are_replaced(case, tmp_path):
    """A profile holds what the table says of it and of those that it inherits from."""
    actual = written(tmp_path, case["files"])
    members = {}
    for key, value in case["profile"].items():
        if key in KINDS:
            held = {name: as_tuples(v) for name, v in value.items()}
            if "file" in held:
                held["file"] = held["file"].replace("<folder>", str(tmp_path))
            members[key] = KINDS[key](**held)
        else:
            members[key] = as_tuples(value)
    expected = dataclasses.replace(Profile("child", str(tmp_path / "child.yaml"), "location"), **members)
    assert actual == expected, {"files": case["files"], "expected": expected, "actual": actual}


@pytest.mark.parametrize("case", TABLE["bad"], ids=ids)
def test_a_child_that_weakens_or_leads_nowhere_is_refused(case, tmp_path):
    """Cycles, missing parents and whatever undoes a parent's rule are refused at file, line and column."""
    with pytest.raises(ProfileError) as caught:
        written(tmp_path, case["files"])
    error = caught.value
    name, line, column = case["at"]
    actual = (error.file, error.line, error.column, str(error))
    assert actual[:3] == (str(tmp_path / f"{name}.yaml"), line, column), (case, actual)
    for text in case["says"]:
        assert text in str(error), (case, actual)


def test_a_long_line_of_descent_ends(tmp_path):
    """More than ten generations are refused, not followed."""
    files = {f"p{n}": f"inherits: p{n + 1}" for n in range(20)} | {"p20": "region: eu-west-1", "child": "inherits: p0"}
    with pytest.raises(ProfileError, match="more than 10 generations"):
        written(tmp_path, files)


def test_many_diamonds_are_read_in_no_time(tmp_path):
    """Each file is read once, however many ways lead to it."""
    files = {f"p{n}{side}": f"inherits: [p{n + 1}a, p{n + 1}b]" for n in range(8) for side in "ab"}
    files |= {"p8a": "guard: {deny: [x]}", "p8b": "guard: {deny: [y]}", "child": "inherits: [p0a, p0b]"}
    profile = written(tmp_path, files)
    assert profile.guard.deny == ("x", "y")
    assert len(profile.inherits) == 18


def test_a_function_must_be_in_the_allow_lists_of_all(tmp_path):
    """`allow` is the intersection over the generations, and the refusal names the list that does not have it."""
    files = {
        "base": 'guard: {allow: ["orders-*"], deny: ["*-delete"]}',
        "child": 'inherits: base\nguard: {allow: ["*-read", "*-delete"]}',
    }
    rules = written(tmp_path, files).guard
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
    assert rules.refusal("orders-read", arn + "orders-read") is None
    assert str(rules.refusal("orders-write", arn + "orders-write")) == (
        "guard.allow '*-read', '*-delete' does not name it"
    )
    assert str(rules.refusal("users-read", arn + "users-read")) == "guard.allow 'orders-*' does not name it"
    assert str(rules.refusal("orders-delete", arn + "orders-delete")) == "guard.deny '*-delete' names it"


@pytest.mark.parametrize(
    ("pattern", "name", "account", "named"),
    [
        ("orders-*", "orders-api", "1" * 12, True),
        ("orders-*", "Orders-api", "1" * 12, False),
        ("orders-?", "orders-api", "1" * 12, False),
        ("arn:aws:lambda:*:111111111111:function:*", "f", "1" * 12, True),
        ("arn:aws:lambda:*:111111111111:function:*", "f", "2" * 12, False),
        ("arn:aws:lambda:eu-west-1:*:function:f", "f", "1" * 12, True),
        ("arn:aws:lambda:us-*:*:function:f", "f", "1" * 12, False),
        ("arn:aws:lambda:*:*:function:F", "f", "1" * 12, False),
    ],
)
def test_a_pattern_names_a_function_in_its_own_case(pattern, name, account, named):
    """Patterns are for bare names or whole ARNs, case-sensitive as Lambda's names are; `*` stays within its part."""
    arn = f"arn:aws:lambda:eu-west-1:{account}:function:{name}"
    assert (GuardRules(deny=(pattern,)).refusal(name, arn) is not None) is named
    assert (GuardRules(allow=(pattern,)).refusal(name, arn) is None) is named


def test_an_unknown_account_fails_closed():
    """Without the ARN a deny pattern for ARNs refuses, and an allow pattern for ARNs allows nothing."""
    pattern = "arn:aws:lambda:*:111111111111:function:g"
    assert GuardRules(deny=(pattern,)).refusal("f", None) is not None
    assert GuardRules(allow=(pattern,)).refusal("f", None) is not None
    assert GuardRules(allow=(pattern, "f")).refusal("f", None) is None
    assert GuardRules(deny=(pattern,)).needs_arn
    assert not GuardRules(deny=("g",)).needs_arn
