"""What is offered at the cursor, as a table; and that offering contacts nobody."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from lmfunction._completion import complete
from lmfunction._table import find_cmdlet

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "completion_cases.yaml").read_text("utf-8"))
NAMES = {"order": {"Qualifier": "1"}, "items": [1], "shout": str.upper, "_hidden": 1, "os": os}
CONFIG = "[default]\n[profile plain]\nregion = x\n[profile 'two words']\n[sso-session corp]\n"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "team.yaml").write_text("region: eu-west-1\nfunctions: {orders: orders-api}\n")
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text("[keys]\naws_access_key_id = AKIDEXAMPLE\n")
    return {
        "LMFUNCTION_PROFILES": str(tmp_path / "profiles"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "XDG_CONFIG_HOME": str(tmp_path),
        "LMTEST_STAGE": "blue",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"] or "empty")
def test_table(case: dict[str, Any], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The offers at the end of a text are the table's, and each replaces the table's fragment of it."""

    def refused(*_: Any) -> None:
        raise AssertionError("completion opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refused)
    name = case.get("cmdlet", "invoke_lm")
    cmdlet = find_cmdlet(name) if name else None
    found = complete(case["text"], cmdlet, NAMES, environ=environ, piped=case.get("piped", False))
    offered = [one.text for one in found]
    shown = f"text {case['text']!r}\nexpected {case}\nactual {offered}"
    if "all" in case:
        assert sorted(offered) == sorted(str(text) for text in case["all"]), shown
    assert {*case.get("has", ())} <= {*offered}, shown
    assert not {*case.get("lacks", ())} & {*offered}, shown
    assert {case["text"][one.start :] for one in found} <= {str(case.get("from"))}, shown


def test_what_is_told_of_an_offer(environ: dict[str, str]) -> None:
    """A parameter comes with its help, a profile with where it is from, a variable with its type and size alone."""
    invoke = find_cmdlet("invoke_lm")
    (log,) = complete("f -LogT", invoke, {}, environ=environ)
    assert (log.what, log.about) == ("parameter", "Tail brings the last 4 KB of the log. Only with RequestResponse.")
    told = {one.text: one.about for one in complete("f -ProfileName ", invoke, {}, environ=environ)}
    assert told["team"] == "YAML profile"
    assert told["plain"].endswith("config")
    (secret,) = complete("f $s", invoke, {"s": "not-a-secret"}, environ=environ)
    assert (secret.what, secret.about) == ("variable", "str, 12")


def test_a_broken_profile_offers_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    """A profile that cannot be read costs its offers only; running the line tells what is wrong."""
    (tmp_path / "profiles" / "bad.yaml").write_text("regoin: x\n")
    assert complete("-ProfileName bad ord", find_cmdlet("invoke_lm"), {}, environ=environ) == []
