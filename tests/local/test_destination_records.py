"""Get-LMDestinationRecord: what the embedded Lambda has recorded, as objects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import lmfunction as lm
from lmfunction.errors import ParameterError, ProfileError, ServiceError
from lmfunction.local._child import Embedded

QUEUE = "arn:aws:sqs:us-east-1:000000000000:{}"


@pytest.fixture(scope="module")
def session(server: Embedded) -> Iterator[lm.Session]:
    """A session at a server that was started elsewhere."""
    credential = lm.Credential(server.access_key, server.secret_key)
    with lm.Session(endpoint_url=server.url, region=server.region, credential=credential) as session:
        yield session


@pytest.fixture(scope="module")
def names(session: lm.Session, client: Any, deploy: Any) -> tuple[str, str]:
    """Two functions whose events have gone to destinations: one that succeeds, and one that fails."""
    ok = deploy("def handler(event, context): return {'seen': event}\n")
    failing = deploy(
        "def handler(event, context): raise ValueError('no')\n", DeadLetterConfig={"TargetArn": QUEUE.format("dead")}
    )
    for name in (ok, failing):
        arns = {kind: {"Destination": QUEUE.format(kind)} for kind in ("OnSuccess", "OnFailure")}
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1, DestinationConfig=arns)
        for number in range(2):
            client.invoke(FunctionName=name, InvocationType="Event", Payload=f'{{"n": {number}}}')
    for _ in range(500):
        if len(session.get_lm_destination_record(ok)) == 2 and len(session.get_lm_destination_record(failing)) == 4:
            return ok, failing
        threading.Event().wait(0.01)
    raise AssertionError("the records did not come")


def test_success(session: lm.Session, names: tuple[str, str]) -> None:
    """A record says what was asked, what came of it, and where it went."""
    first, second = session.get_lm_destination_record(names[0])
    assert {first.RequestPayload["n"], second.RequestPayload["n"]} == {0, 1}
    assert (first.Condition, first.InvokeCount, first.Function) == ("Success", 1, names[0])
    assert (first.Destination, first.ExecutedVersion) == (QUEUE.format("OnSuccess"), "$LATEST")
    assert first["ResponsePayload"] == {"seen": first["RequestPayload"]}
    assert first.Time <= second.Time
    assert "FunctionError" not in first


def test_failure_and_dead_letter(session: lm.Session, names: tuple[str, str]) -> None:
    """Failures carry the error; a dead letter is a record, too."""
    (failed,) = session.get_lm_destination_record(names[1], condition=["retriesexhausted"], last=1)
    assert (failed.InvokeCount, failed.FunctionError) == (2, "Unhandled")
    assert failed["ResponsePayload"]["errorMessage"] == "no"
    letters = session.get_lm_destination_record(names[1], condition=["DeadLetter"])
    assert [(letter.ErrorMessage, letter.Destination) for letter in letters] == [("no", QUEUE.format("dead"))] * 2
    assert {letter.RequestPayload["n"] for letter in letters} == {0, 1}
    assert failed.RequestId in {letter.RequestId for letter in letters}


def test_filters(session: lm.Session, names: tuple[str, str]) -> None:
    """By destination, and the first or the last ones."""
    every = session.get_lm_destination_record(names[1])
    assert [r.Time for r in every] == sorted(r.Time for r in every)
    assert list(session.get_lm_destination_record(names[1], first=1)) == [every[0]]
    assert list(session.get_lm_destination_record(names[1], last=2)) == list(every)[-2:]
    assert list(session.get_lm_destination_record(names[1], first=3, last=1)) == [every[2]]
    assert len(session.get_lm_destination_record(names[1], destination=QUEUE.format("dead"))) == 2
    assert len(session.get_lm_destination_record("nobody")) == 0
    assert len(session.get_lm_destination_record(names[1], first=0)) == 0


def test_refusals(session: lm.Session, server: Embedded) -> None:
    """A condition that does not exist, an endpoint of AWS, and keys of somebody else."""
    with pytest.raises(ParameterError, match=r"no condition 'Succes'.*Success"):
        session.get_lm_destination_record(condition=["Succes"])
    keys = lm.Credential("AKIAAAAAAAAAAAAAAAAA", "x" * 30)
    with pytest.raises(ParameterError, match="reads what an embedded Lambda has recorded"):
        lm.get_lm_destination_record(region="us-east-1", credential=keys)
    with pytest.raises(ServiceError, match="UnrecognizedClientException"):
        lm.get_lm_destination_record(endpoint_url=server.url, region="us-east-1", credential=keys)
    with pytest.raises(ProfileError):
        lm.get_lm_destination_record(endpoint_url=server.url, region="us-east-1")


@pytest.mark.parametrize("query", ["First=x", "Last=-1", "First="])
def test_bad_counts(wire: Any, query: str) -> None:
    """The server checks for itself."""
    reply = wire.request(f"/lmfunction/destination-records?{query}", b"", method="GET")
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (400, "ValidationException")


def test_signed_only(wire: Any, to_bytes: Any) -> None:
    """Nobody reads without the keys, and nothing is written there."""
    host = {"Host": f"127.0.0.1:{wire.port}"}
    assert wire.send(to_bytes("GET", "/lmfunction/destination-records", host)).status == 403
    assert wire.request("/lmfunction/destination-records", b"{}", method="POST").status == 404
