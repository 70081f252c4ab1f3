"""The xontrib in a session of xonsh's own test fixtures: what loading adds, completion, and what unloading takes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("xonsh")

from lmfunction import xontrib
from lmfunction._table import CMDLETS
from lmfunction._xonsh import Names, _catalog_of, settings_of
from lmfunction.errors import LMError

EVENT = "on_post_spec_run_lmfunction"


class _Person:
    def __init__(self) -> None:
        self.address = "x"


@pytest.fixture
def loaded(xsh_with_aliases: Any) -> Iterator[Any]:
    """A session with the xontrib, as an interactive xonsh has it."""
    xsh_with_aliases.env["XONSH_INTERACTIVE"] = True
    xontrib._load_xontrib_(xsh=xsh_with_aliases)
    yield xsh_with_aliases
    xontrib._unload_xontrib_(xsh_with_aliases)


def _state(xsh: Any) -> dict[str, Any]:
    return {
        "aliases": sorted(xsh.aliases),
        "settings": sorted(name for name in xsh.env._vars if "LMFUNCTION" in name),
        "completers": list(xsh.completers),
        "handlers": len(getattr(xsh.builtins.events, EVENT)),
    }


def test_loading_and_unloading(xsh_with_aliases: Any) -> None:
    """Loading adds every name of the table, also with %; unloading leaves the session as it was, twice over."""
    xsh = xsh_with_aliases
    xsh.env["XONSH_INTERACTIVE"] = True
    before = _state(xsh)
    for _ in range(2):
        assert xontrib._load_xontrib_(xsh=xsh) == {}
        names = {name for cmdlet in CMDLETS for name in cmdlet.names} | {"lm"}
        assert {*xsh.aliases} - {*before["aliases"]} == {*names, *(f"%{name}" for name in names), "@lm"}
        assert "lmfunction" in xsh.completers
        assert list(xsh.completers).index("lmfunction") < list(xsh.completers).index("base")
        assert xsh.env["LMFUNCTION_WHAT_IF"] is False
        assert xsh.env["LMFUNCTION_ERROR_ACTION"] == "Stop"
        assert xsh.env.get("LMFUNCTION_PROFILE") is None
        xontrib._unload_xontrib_(xsh)
        assert _state(xsh) == before


def test_an_alias_of_the_user_survives_unloading(loaded: Any) -> None:
    """What the user put in place of a command of ours is not taken away."""
    loaded.aliases["lm"] = ["ls", "-l"]
    xontrib._unload_xontrib_(loaded)
    assert loaded.aliases["lm"] == ["ls", "-l"]
    xontrib._load_xontrib_(xsh=loaded)


def test_settings_have_types(loaded: Any) -> None:
    """$LMFUNCTION_WHAT_IF is a boolean, $LMFUNCTION_ERROR_ACTION one of three in any case, and each has a text."""
    loaded.env["LMFUNCTION_WHAT_IF"] = "0"
    assert loaded.env["LMFUNCTION_WHAT_IF"] is False
    loaded.env["LMFUNCTION_ERROR_ACTION"] = "continue"
    assert loaded.env["LMFUNCTION_ERROR_ACTION"] == "Continue"
    with pytest.raises(ValueError, match="Stop, Continue, SilentlyContinue"):
        loaded.env["LMFUNCTION_ERROR_ACTION"] = "Ignore"
    for name in xontrib._VARIABLES:
        assert loaded.env.get_docs(name).doc


def test_a_setting_from_before_gets_its_type(xsh_with_aliases: Any) -> None:
    """A setting that the environment held as text means what it says: "0" is off."""
    xsh_with_aliases.env["LMFUNCTION_WHAT_IF"] = "0"
    xontrib._load_xontrib_(xsh=xsh_with_aliases)
    assert xsh_with_aliases.env["LMFUNCTION_WHAT_IF"] is False
    xontrib._unload_xontrib_(xsh_with_aliases)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("invoke_lm hello -LogT", {"-LogType"}),
        ("%invoke_lm hello -LogT", {"-LogType"}),
        ("Invoke-LMFunction hello -LogType T", {"Tail"}),
        ("invoke_lm hello -LogType Tail -LogT", set()),
        ("cat x | invoke_lm hello -LogT", {"-LogType"}),
        ("r = $(@lm invoke_lm hello -LogT", {"-LogType"}),
        ("invoke_lm! hello -LogT", {"-LogType"}),
        ('invoke_lm! hello -Payload {"a": $ord', {"$order"}),
        ("invoke_lm! hello | sel", {"select"}),
        ("invoke_lm! hello | where x -cnotm", {"-CNotMatch"}),
        ("x = $(invoke_lm! hello | sel", {"select"}),
        ("lm! $many | sel", {"select"}),
        ("lm sel", {"select"}),
        ("for i in x: invoke_lm hello -LogT", {"-LogType"}),
        ("invoke_lm hello -ProfileName loc", {"local"}),
        ("publish_lm_function f -MemoryS", {"-MemorySize"}),
        ("invoke_lm hello -Region eu-west-1", {"eu-west-1"}),
        ("invoke_lm hel", {"hello"}),
        ("invoke_lm! hello $person.add", {"address"}),
        ("invoke_lm! hello $order.customer.na", {"name"}),
        ("lm! $many | where cit", {"city"}),
        ("lm! $many | where { $_.cit", {"city"}),
        ("invoke_lm hello -Select Rep", {"Report", "Replayed"}),
        ("get_help invoke_lm -Parameter LogT", {"LogType"}),
    ],
)
def test_completion(
    line: str,
    expected: set[str],
    loaded: Any,
    check_completer: Callable[..., Any],
    surroundings: dict[str, str],
) -> None:
    """xonsh's own completer offers ours at the cursor, as rich completions that replace what is being typed."""
    loaded.ctx.update(order={"customer": {"name": 1}}, many=[{"city": "Paris"}], person=_Person())
    loaded.env.update({name: value for name, value in surroundings.items() if name.startswith("AWS_")})
    _catalog_of(loaded)._budget = 30  # a busy machine may need longer for a first client than anybody waits
    values, found = check_completer(line, prefix=None, send_original=True)
    ours = [one for one in found if getattr(one, "provider", None) == "lmfunction"]
    assert {one.value.strip() for one in ours} == expected
    assert expected <= values
    for one in ours:
        replaced = line[len(line) - one.prefix_len :]
        assert replaced
        assert one.value.casefold().startswith(replaced.casefold())
        goes_on = one.value.startswith("$") or replaced in ("add", "na", "cit", "Rep")
        assert one.value.endswith(" ") != goes_on


@pytest.mark.parametrize(
    "line", ["echo invoke_lm -LogT", "invoke_lm f | jq -LogT", "invoke_lm f && ls -LogT", "invoke_lm f | j"]
)
def test_other_commands_are_left_alone(line: str, loaded: Any) -> None:
    """Where our command is an argument, or has ended, nothing is offered."""
    assert [*xontrib._completions(loaded, line)] == []


def test_completion_of_a_script(xsh_with_aliases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ours is not registered, xonsh's completer for aliases gets the same from the command itself."""
    from xonsh.parsers.completion_context import CompletionContextParser

    monkeypatch.delitem(sys.modules, "xonsh.completers.init", raising=False)
    xontrib._load_xontrib_(xsh=xsh_with_aliases)
    context = CompletionContextParser().parse("invoke_lm hello -LogT", 21)
    assert context is not None
    found = [*xsh_with_aliases.aliases["invoke_lm"].xonsh_complete(command=context.command)]
    assert [one.value for one in found] == ["-LogType"]
    xontrib._unload_xontrib_(xsh_with_aliases)


def test_names_are_the_shell_s_then_the_environment_s(loaded: Any) -> None:
    """A variable hides an environment variable of its name; what is no plain value comes as other programs get it."""
    loaded.env["PATH"] = ["/one", "/two"]
    loaded.env["LMTEST_N"] = 5
    names = Names({"LMTEST_V": {"a": 1}, "LMTEST_N": 6}, loaded.env)
    assert (names["LMTEST_V"], names["LMTEST_N"], names["PATH"]) == ({"a": 1}, 6, "/one:/two")
    assert names.get("LMTEST_NONE") is None
    assert sorted(names) == ["LMTEST_N", "LMTEST_V"]


def test_two_commands_with_different_aws_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has its environment once: of two commands at a time with other settings the second is refused."""
    monkeypatch.setenv("AWS_PROFILE", "of-the-process")
    one = SimpleNamespace(detype=lambda: {"AWS_PROFILE": "one", "OTHER": "x"})
    two = SimpleNamespace(detype=lambda: {"AWS_REGION": "two"})
    with settings_of(one):
        assert (os.environ["AWS_PROFILE"], os.environ.get("OTHER")) == ("one", None)
        with settings_of(one):
            pass
        assert os.environ["AWS_PROFILE"] == "one"
        with pytest.raises(LMError, match="Nothing was sent"), settings_of(two):
            pass
    with settings_of(two):
        assert (os.environ["AWS_REGION"], os.environ.get("AWS_PROFILE")) == ("two", None)
    assert (os.environ["AWS_PROFILE"], os.environ.get("AWS_REGION")) == ("of-the-process", None)


def test_a_collector_is_one_command_s_own() -> None:
    """Two commands decorated with @lm do not see each other's objects; without any, lines are read as JSON."""
    first, second = SimpleNamespace(), SimpleNamespace()
    decorator = xontrib.ObjectsDecorator()
    decorator.decorate_spec(first)
    decorator.decorate_spec(second)
    first.output_format.append(1)
    assert first.output_format(["ignored"]) == 1
    assert second.output_format([]) is None
    assert second.output_format(['{"a": 1}\n', "text\n", "\n"]) == [{"a": 1}, "text"]


@pytest.mark.parametrize(
    ("spec", "watched"),
    [
        ({}, True),
        ({"captured": False}, True),
        ({"captured": "stdout"}, False),
        ({"captured": "object"}, False),
        ({"last_in_pipeline": False}, False),
        ({"captured_stdout": None}, False),
        ({"captured_stdout": None, "stdout": None}, True),
        ({"alias_stack": ["", "outer"]}, True),
    ],
)
def test_who_watches(spec: dict[str, Any], watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card is for the last command of a line, neither captured nor redirected, and only at a terminal."""
    usual = {
        "captured": "hiddenobject",
        "last_in_pipeline": True,
        "stdout": 1,
        "captured_stdout": 2,
        "alias_stack": [""],
    }
    made = SimpleNamespace(**{**usual, **spec})
    for tty in (True, False):
        monkeypatch.setattr(sys, "__stdout__", SimpleNamespace(isatty=lambda tty=tty: tty))
        assert xontrib._is_watched(made, {}) == (watched and tty)
    monkeypatch.setattr(sys, "__stdout__", SimpleNamespace(isatty=lambda: True))
    inside = "outer" in made.alias_stack
    assert xontrib._is_watched(made, {"XONSH_CAPTURE_ALWAYS": True}) == (watched and not inside)


def test_interrupts_are_forwarded_from_the_main_thread_only(loaded: Any) -> None:
    """A command that another thread has started, or that runs in the background, leaves the signal handler alone."""
    before = signal.getsignal(signal.SIGINT)
    proc = threading.Thread(target=lambda: None)
    spec = SimpleNamespace(background=False, captured="hiddenobject")
    starter = threading.Thread(target=lambda: xontrib._forward_interrupts(spec=spec, proc=proc))
    starter.start()
    starter.join()
    xontrib._forward_interrupts(spec=SimpleNamespace(background=True, captured=False), proc=proc)
    assert signal.getsignal(signal.SIGINT) is before
    try:
        xontrib._forward_interrupts(spec=spec, proc=proc)
        assert signal.getsignal(signal.SIGINT) is not before
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # nothing of ours runs: it goes to the handler before
    finally:
        signal.signal(signal.SIGINT, before)
