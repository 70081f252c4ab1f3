"""Defaults: which wins, and which give way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._client import Plan
from lmfunction._commands import run_line
from lmfunction._defaults import Defaults
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope
from lmfunction._table import INVOKE, PUBLISH


class Shell:
    """Plans lines over a profile, defaults and variables; nothing is sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine()
        self.names: dict[str, Any] = {}
        self.warnings: list[str] = []

    def profile(self, text: str) -> None:
        (self.folder / "p.yaml").write_text(f"region: eu-west-1\n{text}")

    def plan(self, line: str, body: str | None = None) -> Plan:
        shown: list[Plan] = []
        door = Door(scope=Scope(self.names), show=shown.append, tell=lambda _, text: self.warnings.append(text))
        run_line(INVOKE, f"{line} -WhatIf -ProfileName p -ProfileLocation {self.folder}", body, self.engine, door, {})
        return shown[0]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    shell.profile("")
    yield shell
    shell.engine.connections.close()


@pytest.mark.parametrize(
    ("profile", "default", "splat", "typed", "wins"),
    [
        (None, None, None, None, None),
        ("p", None, None, None, "p"),
        ("p", "d", None, None, "d"),
        ("p", "d", "s", None, "s"),
        ("p", "d", "s", "t", "t"),
        ("p", None, "s", None, "s"),
        ("p", None, None, "t", "t"),
        (None, "d", None, "t", "t"),
        (None, None, "s", "t", "t"),
        ("p", None, "s", "t", "t"),
    ],
)
@pytest.mark.parametrize("order", ["before", "after"])
def test_later_wins(
    profile: str | None,
    default: str | None,
    splat: str | None,
    typed: str | None,
    wins: str | None,
    order: str,
    shell: Shell,
) -> None:
    """Built-in, the profile's `defaults:`, `lm.defaults`, a splat on either side, what is typed."""
    if profile:
        shell.profile(f"defaults: {{Qualifier: {profile}}}\n")
    if default:
        shell.engine.defaults["Invoke-LMFunction:Qualifier"] = default
    parts = [f"-Qualifier {typed}"] if typed else []
    if splat:
        shell.names["more"] = {"Qualifier": splat}
        parts.insert(0 if order == "before" else len(parts), "@more")
    assert shell.plan(f"f {' '.join(parts)}").request.qualifier == wins


def test_the_region_of_the_defaults_beats_the_profile_s_own(shell: Shell) -> None:
    """`-Region` as a default is -Region; typed beats it."""
    assert shell.plan("f").place.connection.region == "eu-west-1"
    shell.engine.defaults["*-LM*:Region"] = "eu-west-2"
    assert shell.plan("f").place.connection.region == "eu-west-2"
    assert shell.plan("f -Region eu-west-3").place.connection.region == "eu-west-3"


@pytest.mark.parametrize(
    ("defaults", "line", "facts", "warnings"),
    [
        # a default qualifier is for names without one
        ("{Qualifier: live}", "f", {"qualifier": "live"}, 0),
        ("{Qualifier: live}", "f:7", {"qualifier": None, "function_name": "f:7"}, 0),
        ("{Qualifier: live}", "f -Qualifier 7", {"qualifier": "7"}, 0),
        # a default log or context is for calls that wait
        ("{LogType: Tail}", "f", {"log_type": "Tail"}, 0),
        ("{LogType: Tail}", "f -InvocationType Event", {"log_type": "None", "invocation_type": "Event"}, 0),
        ("{LogType: Tail}", "f -InvocationType DryRun", {"log_type": "None"}, 0),
        ("{}", "f -InvocationType Event -LogType Tail", {"log_type": "None"}, 1),
        ("{InvocationType: Event}", "f -LogType Tail", {"log_type": "None", "invocation_type": "Event"}, 1),
        ("{ClientContext: '{}'}", "f", {"client_context": "e30="}, 0),
        ("{ClientContext: '{}'}", "f -InvocationType Event", {"client_context": None}, 0),
        # a default gives way to what excludes it
        ("{Payload: '[1]'}", "f", {"payload": b"[1]"}, 0),
        ("{Payload: '[1]'}", "f -Payload [2]", {"payload": b"[2]"}, 0),
        ("{Payload: '[1]'}", "f -PayloadStream $stream", {"payload": b"[3]"}, 0),
        ("{ClientContext: '{}'}", "f -ClientContextBase64 eyJhIjoxfQ==", {"client_context": "eyJhIjoxfQ=="}, 0),
        ("{PassThru: true}", "f -Select Payload", {}, 0),
        # names of defaults may be aliases and prefixes; those of other cmdlets are not ours
        ("{qual: live}", "f", {"qualifier": "live"}, 0),
        ("{MemorySize: '256', Qualifier: live}", "f", {"qualifier": "live"}, 0),
    ],
)
def test_a_default_gives_way_where_it_has_no_meaning(
    defaults: str, line: str, facts: dict[str, Any], warnings: int, shell: Shell
) -> None:
    """Silently, because nobody asked for it in this line; what is typed is refused or warned of."""
    shell.profile(f"defaults: {defaults}\n")
    shell.names["stream"] = b"[3]"
    request = shell.plan(line).request
    assert {name: getattr(request, name) for name in facts} == facts
    assert len(shell.warnings) == warnings


def test_what_is_typed_without_meaning_is_refused(shell: Shell) -> None:
    """A context that cannot reach the function, and a qualifier that contradicts the name."""
    with pytest.raises(lm.ParameterError, match="does not reach a function"):
        shell.plan('f -InvocationType Event -ClientContext {"a": 1}')
    with pytest.raises(lm.ParameterError, match="does not match"):
        shell.plan("f:live -Qualifier 7")


def test_a_misspelt_default_of_a_profile_points_at_the_file(shell: Shell) -> None:
    """A default that no cmdlet has a parameter for is an error, not ignored."""
    shell.profile("defaults: {Qualifer: live}\n")
    with pytest.raises(lm.ProfileError, match=r"p\.yaml.*defaults:.*Did you mean -Qualifier\?"):
        shell.plan("f")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("Region", "CMDLET:PARAMETER"),
        (":Region", "CMDLET:PARAMETER"),
        ("Get-Nothing:Region", "Invoke-LMFunction"),
        ("*-LM*:Regoin", "Did you mean -Region?"),
        ("Invoke-LMFunction:", "has no parameter"),
    ],
)
def test_a_default_for_nothing_is_refused(key: str, says: str) -> None:
    """When it is set, not when it would have been used."""
    defaults = Defaults()
    with pytest.raises(lm.ParameterError) as caught:
        defaults[key] = "x"
    assert says in str(caught.value)
    assert len(defaults) == 0


@pytest.mark.parametrize(
    ("pattern", "invoke", "publish"),
    [
        ("*", True, True),
        ("*-LM*", True, True),
        ("*-lm*", True, True),
        ("Invoke-*", True, False),
        ("invoke_lm", True, False),
        ("INVOKE-LMFUNCTION", True, False),
        ("Publish-LMFunctio?", False, True),
    ],
)
def test_a_pattern_names_cmdlets_in_any_case(pattern: str, invoke: bool, publish: bool) -> None:
    """By their PowerShell or Python names, with wildcards."""
    defaults = Defaults()
    defaults[f"{pattern}:region"] = "eu-west-1"
    expected = {"Region": "eu-west-1"}
    assert defaults.values_for(INVOKE) == (expected if invoke else {})
    assert defaults.values_for(PUBLISH) == (expected if publish else {})


def test_a_pattern_goes_for_the_cmdlets_that_have_the_parameter() -> None:
    """`*-LM*:LogType` is fine though not every cmdlet has a log."""
    defaults = Defaults()
    defaults["*-LM*:LogType"] = "Tail"
    defaults["*-LM*:MemorySize"] = 256
    assert defaults.values_for(INVOKE) == {"LogType": "Tail"}
    assert defaults.values_for(PUBLISH) == {"MemorySize": 256}


def test_defaults_are_a_mapping() -> None:
    """The one set last wins; deleting takes it back."""
    defaults = Defaults()
    defaults["*:Region"] = "eu-west-1"
    defaults["Invoke-LMFunction:RegionToCall"] = "eu-west-2"
    assert defaults.values_for(INVOKE) == {"Region": "eu-west-2"}
    assert list(defaults) == ["*:Region", "Invoke-LMFunction:RegionToCall"]
    assert defaults["*:Region"] == "eu-west-1"
    del defaults["Invoke-LMFunction:RegionToCall"]
    assert defaults.values_for(INVOKE) == {"Region": "eu-west-1"}
    assert repr(defaults) == "Defaults({'*:Region': 'eu-west-1'})"
