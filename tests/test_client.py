"""One call from a line to what it emits: plans, what-if, confirmation, -Select, -ErrorAction, variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._client import Plan
from lmfunction._commands import run_line
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._retry import RetryPolicy
from lmfunction._scope import Scope
from lmfunction._table import INVOKE
from lmfunction.local import _child

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")


@dataclass
class Shell:
    """A door that writes down what it is told, over variables of its own."""

    names: dict[str, Any] = field(default_factory=dict)
    answer: str | None = None
    error_action: str = "Stop"
    what_if: bool = False
    told: list[tuple[str, str]] = field(default_factory=list)
    shown: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    results: list[lm.InvokeResult] = field(default_factory=list)
    engine: Engine = field(default_factory=lambda: Engine(policy=RetryPolicy(sleep=lambda _: None)))

    def run(self, line: str, body: str | None = None) -> Any:
        door = Door(
            scope=Scope(self.names, environ={}),
            error_action=self.error_action,
            tell=lambda level, text: self.told.append((level, text)),
            show=self.shown.append,
            ask=self._ask,
            assign=self.names.__setitem__,
            what_if=self.what_if,
        )
        return run_line(INVOKE, line, body, self.engine, door, {}, self.results.append)

    def _ask(self, question: str) -> str | None:
        self.asked.append(question)
        return self.answer


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell({"keys": KEYS})
    yield shell
    shell.engine.connections.close()


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


# --- what-if


def test_what_if_sends_nothing_and_starts_nothing(shell: Shell, server: Any) -> None:
    """Neither a connection nor the embedded Lambda; the plan is shown, nothing is emitted."""
    to_server = f"orders -WhatIf -Region eu-west-1 -EndpointUrl {server.url} -Credential $keys"
    assert shell.run(to_server) is NOTHING
    assert shell.run("orders:live {'a': 1} -wi -ProfileName local -Region eu-west-3".replace("'", '"')) is NOTHING
    assert (server.connections, shell.results) == (0, [])
    assert "eu-west-3" not in _child._by_region
    first, second = shell.shown
    assert isinstance(first, Plan)
    assert repr(first) == (
        'What if: Performing the operation "Invoke-LMFunction" on target "orders" at '
        f"{server.url}, account that of the credentials (not asked), region eu-west-1, 2 bytes."
    )
    assert repr(second) == (
        'What if: Performing the operation "Invoke-LMFunction" on target "orders:live" at embedded Lambda, '
        "account 000000000000, region eu-west-3, arn:aws:lambda:eu-west-3:000000000000:function:orders, 8 bytes."
    )


def test_what_if_for_a_whole_notebook_gives_way_to_what_is_typed(shell: Shell) -> None:
    """A door can show every line instead of sending it; `-WhatIf:$false` sends."""
    shell.what_if = True
    assert shell.run("hello -ProfileName local") is NOTHING
    assert shell.run("hello -ProfileName local -WhatIf:$false").ok
    assert len(shell.results) == 1


def test_a_plan_shows_itself_as_text_and_html(shell: Shell) -> None:
    """Name, account of the ARN, endpoint, bytes."""
    shell.run("arn:aws:lambda:eu-west-1:123456789012:function:f -wi -Region eu-west-1")
    plan = shell.shown[0]
    assert (plan.account, plan.name, plan.endpoint) == ("123456789012", "f", "https://lambda.eu-west-1.amazonaws.com")
    bundle = plan._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    for kind in ("text/plain", "text/html"):
        assert "123456789012" in data[kind]
        assert "nothing was sent" in data[kind]


# --- confirmation


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        ("hello", True),
        ("Hello", False),
        (" hello", False),
        ("", False),
        ("y", False),
        ("hello:live", False),
        (None, False),
    ],
)
def test_only_the_functions_name_confirms(answer: str | None, confirmed: bool, shell: Shell) -> None:
    """Anything else, and nobody, refuses before anything is sent; the question tells where the call would go."""
    shell.answer = answer
    line = "hello -Confirm -ProfileName local -Qualifier $LATEST"
    if confirmed:
        assert shell.run(line).ok
    else:
        with pytest.raises(lm.GuardError, match=r"[Nn]othing was sent"):
            shell.run(line)
        assert shell.results == []
    (question,) = shell.asked
    for part in (
        "Endpoint: embedded Lambda",
        "Region: us-east-1",
        "Payload: 2 bytes",
        "$LATEST",
        "Type hello to go on: ",
    ):
        assert part in question


@pytest.mark.parametrize("switches", ["-Confirm:$false", "-Confirm -Force", ""])
def test_who_asks_not_to_be_asked_is_not(switches: str, shell: Shell) -> None:
    """`-Confirm:$false`, `-Force`, and the default."""
    assert shell.run(f"hello -ProfileName local {switches}").ok
    assert shell.asked == []


# --- -Select


@pytest.mark.parametrize(
    ("select", "emitted"),
    [
        ("-Select Payload", {"message": "Hello, Ada!"}),
        ("-Select payload.message", "Hello, Ada!"),
        ("-Select statuscode", 200),
        ("-Select 'length(Payload.message)'", 11),
        ("-Select Report.MemorySizeMb", 128),
        ("-Select ^FunctionName", "hello"),
        ("-Select ^functionname", "hello"),
        ("-Select ^LogType", "Tail"),
        ("-Select ^StoredCredentials", "local"),
        ("-Select ^Qualifier", None),
        ("-PassThru", "hello"),
        ("-PassThru:$false -Select Payload.message", None),
    ],
)
def test_select_decides_what_is_emitted(select: str, emitted: Any, shell: Shell) -> None:
    """A JMESPath over the result, the value given for a parameter by name or alias, or the function's name."""
    line = f'hello {{"name": "Ada"}} -LogType Tail -ProfileName local {select}'
    if emitted is None and "PassThru" in select:
        with pytest.raises(lm.ParameterError, match="exclude each other"):
            shell.run(line)
        return
    assert shell.run(line) == emitted


def test_select_star_is_the_whole_result(shell: Shell) -> None:
    """As is the default."""
    assert isinstance(shell.run("hello -ProfileName local -Select *"), lm.InvokeResult)


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("Paylod.message", "Did you mean Payload?"),
        ("^Nope", "there is no such parameter"),
        ("^FunctionNam", "Did you mean ^FunctionName?"),
        ("'Payload.['", "not a JMESPath expression"),
        ("''", "Select is empty"),
        ("message", "names no member of the result"),
    ],
)
def test_a_wrong_select_is_refused_before_anything_is_sent(select: str, says: str, shell: Shell, server: Any) -> None:
    """Because afterwards the function has run."""
    with pytest.raises(lm.ParameterError) as caught:
        shell.run(f"f -Select {select} -Region eu-west-1 -EndpointUrl {server.url} -Credential $keys")
    assert says in str(caught.value)
    assert server.connections == 0


# --- -ErrorAction

FAULTS: dict[str, list[dict[str, Any]]] = {
    "function": [{"status": 200, "headers": {"X-Amz-Function-Error": "Unhandled"}, "body": '{"errorType": "E"}'}],
    "service": [{"status": 404, "type": "ResourceNotFoundException"}],
    "throttled": [{"status": 429, "type": "TooManyRequestsException"}],
    "lost": [{"status": 200, "body": "{", "length": 9, "then": "fin"}],
    "unknown": [{"raw": "", "then": "fin"}],
}
RAISED = {
    "function": lm.FunctionError,
    "service": lm.ServiceError,
    "throttled": lm.ServiceError,
    "lost": lm.TransportError,
    "unknown": lm.TransportError,
}


@pytest.mark.parametrize(
    ("action", "fault", "raises", "emits", "shows", "tells"),
    [
        #  what is typed      what goes wrong  raised emitted card  message
        ("",                  "function",      True,  False,  True,  False),
        ("",                  "service",       True,  False,  False, False),
        ("",                  "throttled",     True,  False,  False, False),
        ("",                  "lost",          True,  False,  False, False),
        ("",                  "unknown",       True,  False,  False, False),
        ("Stop",              "function",      True,  False,  True,  False),
        ("Stop",              "service",       True,  False,  False, False),
        ("Stop",              "throttled",     True,  False,  False, False),
        ("Stop",              "lost",          True,  False,  False, False),
        ("Stop",              "unknown",       True,  False,  False, False),
        ("Continue",          "function",      False, True,   True,  False),
        ("Continue",          "service",       False, False,  False, True),
        ("Continue",          "throttled",     False, False,  False, True),
        ("Continue",          "lost",          False, False,  False, True),
        ("Continue",          "unknown",       True,  False,  False, False),
        ("SilentlyContinue",  "function",      False, True,   False, False),
        ("SilentlyContinue",  "service",       False, False,  False, False),
        ("SilentlyContinue",  "throttled",     False, False,  False, False),
        ("SilentlyContinue",  "lost",          False, False,  False, False),
        ("SilentlyContinue",  "unknown",       True,  False,  False, False),
    ],
)  # fmt: skip
def test_error_action_decides_what_a_failure_does(
    action: str, fault: str, raises: bool, emits: bool, shows: bool, tells: bool, shell: Shell, server: Any
) -> None:
    """Raised, emitted, shown, told; an unknown fate is never passed over. -ErrorVariable holds the error each time."""
    server.play(FAULTS[fault])
    shell.names.update(e=["of an earlier line"], o="earlier")
    line = f"f -Region eu-west-1 -EndpointUrl {server.url} -Credential $keys -ErrorVariable e -OutVariable o"
    line += f" -ErrorAction {action}" if action else ""
    emitted: Any = NOTHING
    error = None
    try:
        emitted = shell.run(line)
    except lm.LMError as caught:
        error = caught
    assert (error is not None) == raises
    assert (isinstance(emitted, lm.InvokeResult), emitted is NOTHING) == (emits, not emits)
    assert bool(shell.shown) == shows
    assert [level for level, _ in shell.told] == (["error"] if tells else [])
    (kept,) = shell.names["e"]
    assert isinstance(kept, RAISED[fault])
    assert error is None or kept is error
    assert shell.names["o"] is (emitted if emits else "earlier")


@pytest.mark.parametrize("action", ["Continue", "SilentlyContinue"])
def test_no_error_action_passes_over_a_wrong_line(action: str, shell: Shell) -> None:
    """A parameter or a profile that cannot be used is always raised."""
    with pytest.raises(lm.ParameterError):
        shell.run(f"f -Payload [1,] -Region eu-west-1 -ErrorAction {action}")
    with pytest.raises(lm.ProfileError):
        shell.run(f"f -ProfileName no-such -ErrorAction {action}")


def test_an_error_action_of_defaults_passes_over_functions_only(shell: Shell, server: Any) -> None:
    """Continue as a default goes for failed functions; that AWS refused is only passed over by a line that says so."""
    shell.engine.defaults["*-LM*:ErrorAction"] = "SilentlyContinue"
    line = f"f -Region eu-west-1 -EndpointUrl {server.url} -Credential $keys"
    server.play(FAULTS["function"])
    assert not shell.run(line).ok
    server.play(FAULTS["service"])
    with pytest.raises(lm.ServiceError):
        shell.run(line)


# --- variables


def test_out_variable_gets_what_is_emitted(shell: Shell) -> None:
    """With `+` it is added to a list; a value that is there already becomes its first item."""
    shell.run("echo 1 -ProfileName local -Select Payload -OutVariable out")
    assert shell.names["out"] == 1
    shell.run("echo 2 -ProfileName local -Select Payload -ov +out")
    shell.run("echo [3] -ProfileName local -Select Payload -ov +out")
    shell.run("echo 4 -ProfileName local -Select Payload -ov +fresh")
    assert (shell.names["out"], shell.names["fresh"]) == ([1, 2, [3]], [4])


def test_error_and_warning_variables_hold_this_line_s(shell: Shell) -> None:
    """Empty when there was nothing; with `+` the items are added one by one."""
    shell.names.update(e=["old"], w=["old"])
    shell.run("hello -ProfileName local -ErrorVariable e -WarningVariable w")
    assert (shell.names["e"], shell.names["w"]) == ([], [])
    for _ in range(2):
        shell.run("fail -ProfileName local -ErrorAction SilentlyContinue -ev +e -InvocationType RequestResponse")
        shell.run("hello -ProfileName local -InvocationType Event -LogType Tail -wv +w")
    assert [type(e) for e in shell.names["e"]] == [lm.FunctionError] * 2
    assert len(shell.names["w"]) == 2
    assert all("brings no log" in text for text in shell.names["w"])


@pytest.mark.parametrize("name", ["OutVariable", "ErrorVariable", "WarningVariable"])
def test_a_door_without_variables_says_so(name: str) -> None:
    """Before anything is sent."""
    with pytest.raises(lm.ParameterError, match="there are none here"):
        run_line(INVOKE, f"hello -ProfileName local -{name} x", None, Engine(), Door(), {})


@pytest.mark.parametrize(
    ("action", "told"), [("", 1), ("Continue", 1), ("SilentlyContinue", 0), ("Stop", 0)]
)  # fmt: skip
def test_warning_action_decides_what_a_warning_does(action: str, told: int, shell: Shell) -> None:
    """Told, kept silent, or an error before anything is sent."""
    line = (
        f"hello -ProfileName local -InvocationType Event -LogType Tail {f'-WarningAction {action}' if action else ''}"
    )
    if action == "Stop":
        with pytest.raises(lm.ParameterError, match="-WarningAction Stop"):
            shell.run(line)
        assert shell.results == []
    else:
        assert shell.run(line).status_code == 202
    assert [level for level, _ in shell.told] == ["warning"] * told


def test_verbose_tells_the_call_and_each_attempt(shell: Shell, server: Any) -> None:
    """Where it goes, then what came of every send."""
    server.play([{"status": 429, "type": "TooManyRequestsException"}, {"status": 200, "body": "1"}])
    shell.run(f"f -Region eu-west-1 -EndpointUrl {server.url} -Credential $keys -Verbose")
    levels, texts = zip(*shell.told, strict=True)
    assert set(levels) == {"verbose"}
    assert server.url in texts[0]
    assert [text.split()[:3] for text in texts[1:]] == [
        ["attempt:", "THROTTLED_OUT", "TooManyRequestsException"],
        ["attempt:", "OK", texts[2].split()[2]],
    ]
    assert not any("not-a-secret" in text for text in texts)


# --- short names, sessions' connections


def test_short_names_of_a_profile_stand_for_functions(shell: Shell, tmp_path: Path) -> None:
    """With the qualifier that is written after them; -PassThru emits the name as it was given."""
    profile = tmp_path / "shop.yaml"
    profile.write_text(
        "region: eu-west-1\n"
        "functions: {orders: 'arn:aws:lambda:eu-west-1:123456789012:function:orders-api', users: users-v2}\n"
    )
    for line in ("orders", "orders:live", "users", "other", "orders -Qualifier 7"):
        shell.run(f"{line} -ProfileName shop -ProfileLocation {profile} -WhatIf")
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders-api"
    assert [p.request.function_name for p in shell.shown] == [arn, f"{arn}:live", "users-v2", "other", arn]
    assert shell.shown[-1].request.label == "orders-api:7"
    assert [p.account for p in shell.shown[:2]] == ["123456789012"] * 2


def test_one_client_serves_calls_to_one_place(server: Any, faults: ModuleType) -> None:
    """Clients are made once for a place and shared; another timeout is another client."""
    caller = faults.Caller()
    opened = caller.session.engine.connections._open
    for _ in range(3):
        caller.call(server.url, timeout_sec=30)
    assert (len(opened), server.connections) == (1, 1)
    caller.call(server.url, timeout_sec=31)
    assert len(opened) == 2
    caller.close()
    assert len(opened) == 0
    caller.call(server.url, timeout_sec=30)
    assert len(opened) == 1
    caller.close()


def test_the_result_tells_the_call_that_was_made(shell: Shell) -> None:
    """Names, region, endpoint and times of the one call, without keys."""
    result = shell.run("hello -ProfileName local -Qualifier $LATEST")
    assert result.request.target.region == "us-east-1"
    assert result.request.target.endpoint_url.startswith("http://127.0.0.1:")
    assert result.request.target.profile_name == "local"
    assert (result.executed_version, result.attempts) == ("$LATEST", 1)
    assert 0 < result.elapsed_ms < 20_000
    assert result.trace_id
