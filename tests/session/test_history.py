"""The history: what was called, where and how it ended; nothing of what was sent, and no secret."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._history import History
from lmfunction._redact import Redaction

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret")


@pytest.fixture(scope="module")
def local() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as session:
        yield session


@pytest.fixture
def session(local: lm.Session) -> lm.Session:
    """A session at the embedded Lambda with an empty history."""
    local.clear_aws_history()
    local.set_aws_history_configuration(100)
    return local


def members(session: lm.Session, *names: str) -> list[dict[str, Any]]:
    return [{name: entry[name] for name in names} for entry in session.history]


def test_a_call_is_kept_with_what_came_of_it(session: lm.Session) -> None:
    """When, what, where; outcome, request id, sends, time: the same as the result's."""
    before = datetime.datetime.now(datetime.UTC)
    result = session.invoke_lm("hello", {"name": "the payload"})
    (entry,) = session.get_aws_history()
    assert before <= entry.time <= datetime.datetime.now(datetime.UTC)
    assert entry.to_dict() == {
        "Time": entry.time,
        "Cmdlet": "Invoke-LMFunction",
        "Function": "hello",
        "Outcome": "OK",
        "ElapsedMs": round(result.elapsed_ms, 1),
        "RequestId": result.request_id,
        "Status": 200,
        "ErrorType": None,
        "Qualifier": None,
        "Region": "us-east-1",
        "Profile": "local",
        "Account": "000000000000",
        "Attempts": 1,
        "WhatIf": False,
    }


def test_every_way_to_end_is_kept(session: lm.Session) -> None:
    """Accepted, failed, refused by Lambda, shown by -WhatIf; what was not even a call is no entry."""
    session.invoke_lm("hello", invocation_type="Event")
    session.invoke_lm("fail", {"order": 1}, qualifier="$LATEST")
    with pytest.raises(lm.ServiceError):
        session.invoke_lm("no-such-function")
    session.invoke_lm("hello", what_if=True)
    with pytest.raises(lm.ParameterError):
        session.invoke_lm("hello", "{not json")
    assert members(session, "Function", "Outcome", "Status", "ErrorType", "Qualifier", "WhatIf") == [
        {
            "Function": "hello",
            "Outcome": "ACCEPTED",
            "Status": 202,
            "ErrorType": None,
            "Qualifier": None,
            "WhatIf": False,
        },
        {
            "Function": "fail",
            "Outcome": "FUNCTION_ERROR",
            "Status": 200,
            "ErrorType": "OrderNotFoundError",
            "Qualifier": "$LATEST",
            "WhatIf": False,
        },
        {
            "Function": "no-such-function",
            "Outcome": "REJECTED",
            "Status": 404,
            "ErrorType": "ResourceNotFoundException",
            "Qualifier": None,
            "WhatIf": False,
        },
        {
            "Function": "hello",
            "Outcome": "NOT_SENT",
            "Status": None,
            "ErrorType": None,
            "Qualifier": None,
            "WhatIf": True,
        },
    ]


def test_calls_of_other_operations_are_kept(session: lm.Session) -> None:
    """One entry for a command, however many pages; with the request id of the last."""
    session.get_lm_function_list(max_item=1, no_auto_iteration=True)
    session.get_lm_function_list()
    with pytest.raises(lm.ServiceError):
        session.get_lm_function("no-such-function")
    listed, whole, refused = session.history
    assert (listed.cmdlet, listed.function, listed.outcome, listed.status) == ("Get-LMFunctionList", "", "OK", 200)
    assert listed.request_id != whole.request_id
    assert (whole.outcome, whole.status) == ("OK", 200)
    assert (refused.cmdlet, refused.function, refused.outcome) == ("Get-LMFunction", "no-such-function", "REJECTED")
    session.publish_lm_function("kept", "def handler(event, context):\n    return 1\n")
    assert (session.history[-1].cmdlet, session.history[-1].function) == ("Publish-LMFunction", "kept")


def test_what_was_sent_again_counts_its_attempts(faults: ModuleType) -> None:
    """And an end that nobody knows is UNKNOWN."""
    with faults.FaultServer() as server:
        policy = lm.RetryPolicy(sleep=lambda _: None)
        with lm.Session(region="eu-west-1", endpoint_url=server.url, credential=KEYS, retry_policy=policy) as session:
            server.play([{"status": 429, "type": "TooManyRequestsException"}, {"status": 200, "body": "{}"}])
            session.invoke_lm("f")
            server.play([{"raw": "", "then": "fin"}])
            with pytest.raises(lm.TransportError):
                session.invoke_lm("g")
            assert members(session, "Function", "Outcome", "Attempts", "ErrorType") == [
                {"Function": "f", "Outcome": "OK", "Attempts": 2, "ErrorType": None},
                {"Function": "g", "Outcome": "UNKNOWN", "Attempts": 1, "ErrorType": "TransportError"},
            ]


def test_no_credentials_is_a_call_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal to sign stands there as what it is."""
    with lm.Session(region="eu-west-1") as session, pytest.raises(lm.ProfileError):
        session.invoke_lm("f")
    assert members(session, "Outcome", "ErrorType") == [{"Outcome": "NOT_SENT", "ErrorType": "ProfileError"}]


def test_nothing_of_a_payload_or_a_secret_is_kept(session: lm.Session) -> None:
    """Neither in the entries, nor in what they are made of, nor in a card of them."""
    payload = {"password": "hunter2", "order": "the-order-4711"}
    session.invoke_lm("echo", payload, client_context={"custom": {"k": "context-4711"}}, log_type="Tail")
    session.invoke_lm("fail", payload)
    history = session.get_aws_history()
    seen = repr(session.engine.history._entries) + repr(history) + repr(history.to_dict()) + repr(history.card())
    assert "4711" not in seen
    assert "hunter2" not in seen


def test_a_profiles_redaction_goes_for_the_history() -> None:
    """What its patterns hide in results is hidden in names too."""
    history = History()
    with history.entry(cmdlet="Invoke-LMFunction", function="f-4711", redaction=Redaction(patterns=(r"\d{4}",))):
        pass
    assert history.records()[0].function == "f-***"


def test_the_account_is_that_of_an_arn() -> None:
    """Where the line names it, nobody has to be asked."""
    history = History()
    with history.entry(cmdlet="Invoke-LMFunction", function="arn:aws:lambda:eu-west-1:123456789012:function:f:live"):
        pass
    assert history.records()[0].account == "123456789012"


def test_only_so_many_are_kept(session: lm.Session) -> None:
    """The newest; a smaller number lets go of the others, 0 keeps none; -First and -Last cut the list."""
    for number in range(5):
        session.invoke_lm("echo", number, qualifier="$LATEST")
    session.invoke_lm("hello")
    session.set_aws_history_configuration(max_cmdlet_history=3)
    assert [entry.function for entry in session.history] == ["echo", "echo", "hello"]
    assert [entry.function for entry in session.get_aws_history(last=1)] == ["hello"]
    assert [entry.function for entry in session.get_aws_history(first=2)] == ["echo", "echo"]
    assert len(session.get_aws_history(last=99)) == 3
    session.set_aws_history_configuration(0)
    session.invoke_lm("hello")
    assert session.get_aws_history() == []


def test_a_hundred_are_kept_by_default() -> None:
    """Bounded, whatever runs."""
    history = History()
    for number in range(250):
        with history.entry(cmdlet="c", function=str(number)):
            pass
    assert [entry.function for entry in history.records()] == [str(n) for n in range(150, 250)]


def test_calls_of_many_objects_are_kept_one_by_one(session: lm.Session) -> None:
    """From the threads that send them, each once; one of them that failed is told."""
    session.invoke_lm("echo", input_object=[{"n": n} for n in range(20)], throttle_limit=8)
    entries = session.history
    assert len(entries) == 20
    assert len({entry.request_id for entry in entries}) == 20


def test_entries_of_threads_do_not_mix() -> None:
    """Each entry is its own call's, whoever else is calling."""
    history = History(limit=1000)

    def call(number: int) -> None:
        for _ in range(20):
            with history.entry(cmdlet="c", function=str(number), region=str(number)):
                pass

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.records()) == 160
    assert all(entry.function == entry.region for entry in history.records())


def test_sessions_keep_their_own(session: lm.Session) -> None:
    """What one calls is not in another's history."""
    session.invoke_lm("hello")
    with lm.Session(profile_name="local") as other:
        assert other.history == []
        other.invoke_lm("echo")
        assert [entry.function for entry in other.history] == ["echo"]
    assert [entry.function for entry in session.history] == ["hello"]


def test_a_later_stage_that_is_only_checked_is_no_entry(session: lm.Session) -> None:
    """The check of a line's later stages looks like -WhatIf inside; nobody asked for that."""
    from lmfunction._commands import run_line
    from lmfunction._door import Door
    from lmfunction._table import INVOKE

    run_line(INVOKE, "echo -Payload [1] -ProfileName local | invoke_lm echo", None, session.engine, Door(), {})
    assert members(session, "Function", "WhatIf") == [{"Function": "echo", "WhatIf": False}] * 2
