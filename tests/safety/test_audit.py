"""The audit of invocations: one line for each, with what an auditor asks for and nothing that is secret."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._audit import Audits
from lmfunction._audit_record import MEMBERS, encoded
from lmfunction._spool import LINE_LIMIT
from lmfunction.errors import GuardError, LMWarning, ServiceError, TransportError

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"
KILLED = str(Path(__file__).with_name("killed.py"))


def test_what_a_line_tells(tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any) -> None:
    """A line names who, where, what and what became of it; the payload only by its digest and size."""
    counting.headers = {"X-Amz-Executed-Version": "7"}
    session.invoke_lm(ARN, {"note": "4111"}, **profile(audit=str(tmp_path / "audit" / "{date}.jsonl")))
    (record,) = records()
    body = counting.bodies[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert re.fullmatch(r"[0-9a-f]{32}", record.pop("id"))
    assert record.pop("duration_ms") > 0
    assert record.pop("program")
    record.pop("cell", None)  # where another test left an IPython behind in this process
    import pwd

    assert record == {
        "outcome": "OK",
        "operation": "Invoke",
        "function": ARN,
        "qualifier": "live",
        "executed_version": "7",
        "invocation_type": "RequestResponse",
        "payload_sha256": hashlib.sha256(body).hexdigest(),
        "payload_bytes": len(body),
        "request_id": "request-1",
        "attempts": 1,
        "what_if": False,
        "profile": "stage",
        "account": "123456789012",
        "region": "eu-west-1",
        "endpoint": counting.url,
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "version": lm.__version__,
    }
    assert "4111" not in (tmp_path / "audit").glob("*.jsonl").__next__().read_text()


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "error_type"),
    [
        (200, {"X-Amz-Function-Error": "Unhandled"}, "FUNCTION_ERROR", "OrderError"),
        (404, {"x-amzn-ErrorType": "ResourceNotFoundException"}, "REJECTED", "ResourceNotFoundException"),
        (500, {"x-amzn-ErrorType": "ServiceException"}, "UNKNOWN", "ServiceException"),
        (0, {}, "UNKNOWN", "DispatchFailure"),
    ],
)
def test_what_became_of_a_call(
    tmp_path: Path,
    counting: Any,
    profile: Any,
    session: lm.Session,
    records: Any,
    status: int,
    headers: dict[str, str],
    outcome: str,
    error_type: str,
) -> None:
    """The line of a call that failed tells its outcome class and the type of the error, not its message."""
    counting.status, counting.headers = status, headers
    counting.answer = json.dumps({"errorType": "OrderError", "errorMessage": "card 4111", "Message": "4111"}).encode()
    with contextlib.suppress(ServiceError, TransportError):
        session.invoke_lm("f", **profile(audit=str(tmp_path / "audit" / "{date}.jsonl")))
    (record,) = records()
    assert (record["outcome"], record["error_type"]) == (outcome, error_type)
    assert "4111" not in json.dumps(record)
    assert list((tmp_path / "audit").glob("*.open.jsonl")) == []


def test_what_is_not_sent_has_a_line_too(
    tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any
) -> None:
    """What-if, a guard's refusal and a replayed step are written down as what they are; a mistyped line is not."""
    rule = {"audit": str(tmp_path / "audit" / "{date}.jsonl")}
    session.invoke_lm("f", what_if=True, **profile(**rule))
    with pytest.raises(GuardError):
        session.invoke_lm("f", **profile(guard={"deny": ["f"]}, **rule))
    session.invoke_lm("g", once_key="k", **profile(**rule))
    session.invoke_lm("g", once_key="k", **profile(**rule))
    with pytest.raises(lm.ParameterError):
        session.invoke_lm("f", "{", **profile(**rule))
    told = [(r["outcome"], r["function"], r["what_if"], r.get("once_key")) for r in records()]
    assert told == [
        ("WHAT_IF", "f", True, None),
        ("REFUSED", "f", False, None),
        ("OK", "g", False, "k"),
        ("REPLAYED", "g", False, "k"),
    ]
    assert len(counting.bodies) == 1


def test_a_pipeline_writes_one_line_for_each_call(
    tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any
) -> None:
    """Many objects at a time are a line each; a stage that is checked in advance leaves none."""
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))
    session.invoke_lm("f", input_object=list(range(40)), throttle_limit=8, **place)
    assert len(records()) == 40
    assert {r["payload_sha256"] for r in records()} == set(counting.digests)
    before = len(records())
    _ = session.invoke_lm("f", {"a": 1}, **place) | lm.Invoke("g", **place).session(session)
    assert len(records()) == before + 2


def test_replay_is_a_call_of_its_own(
    tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any
) -> None:
    """`result.replay()` sends again, and has a line of its own."""
    session.invoke_lm("f", **profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))).replay()
    assert [r["request_id"] for r in records()] == ["request-1", "request-2"]


def test_changes_are_written_down_and_reading_is_not(
    tmp_path: Path, profile: Any, session: lm.Session, records: Any
) -> None:
    """A cmdlet that changes a function has a line, with the names of what it sets; one that reads has none."""
    place = profile(endpoint="embedded", audit=str(tmp_path / "audit" / "{date}.jsonl"))
    session.publish_lm_function("tax", "def handler(event, context):\n    return 'hunter2'\n", **place)
    session.get_lm_function_list(**place)
    session.update_lm_function_configuration("tax", environment_variable={"PASSWORD": "hunter2"}, **place)
    session.remove_lm_function("tax", force=True, **place)
    told = [(r["operation"], r["function"], r["outcome"], "request_id" in r) for r in records()]
    assert told == [
        ("CreateFunction", "tax", "OK", True),
        ("UpdateFunctionConfiguration", "tax", "OK", True),
        ("DeleteFunction", "tax", "OK", True),
    ]
    assert records()[1]["members"] == ["Environment", "FunctionName"]
    assert "hunter2" not in json.dumps(records())


def test_secrets_stay_references(
    tmp_path: Path,
    counting: Any,
    profile: Any,
    session: lm.Session,
    records: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The digest is that of the payload with its references in it, so that no secret can be guessed from it."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))
    result = session.invoke_lm("f", {"password": lm.Secret("env:DB_PASSWORD")}, **place)
    assert b"hunter2" in counting.bodies[0]
    (record,) = records()
    assert record["payload_sha256"] == hashlib.sha256(result.request.payload).hexdigest()
    assert record["payload_sha256"] not in counting.digests


def test_a_line_passes_through_the_redaction(
    tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any
) -> None:
    """What the profile hides is hidden in the audit too, and a line is one line of ASCII whatever stands in it."""
    counting.headers = {"X-Amz-Function-Error": "Unhandled"}
    counting.answer = json.dumps({"errorType": "Bad\u2028\x85AKIAIOSFODNN7EXAMPLE\n", "errorMessage": ""}).encode()
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"), redact={"keys": ["user"]})
    session.invoke_lm("f", **place)
    (record,) = records()
    assert (record["user"], record["error_type"]) == ("***", "Bad\u2028\x85***\n")
    (path,) = (tmp_path / "audit").iterdir()
    assert path.read_bytes().isascii()


def test_a_long_record_fits() -> None:
    """A record whose texts are too long for a line is cut, but for digests and ids; it stays JSON."""
    record = dict.fromkeys(MEMBERS, "Ω" * 5000) | {
        "id": "a" * 32,
        "payload_sha256": "b" * 64,
        "members": ["é"] * 99,
    }
    line = encoded(record)
    assert len(line) <= LINE_LIMIT
    found = json.loads(line)
    assert (found["id"], found["payload_sha256"]) == ("a" * 32, "b" * 64)
    assert list(found) == list(MEMBERS)


def test_required_or_not(tmp_path: Path, counting: Any, profile: Any, session: lm.Session) -> None:
    """What cannot be written down is not sent where it must be; elsewhere that is told once, and the call goes on."""
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "calls.jsonl").mkdir()
    file = str(tmp_path / "audit" / "calls.jsonl")
    required = profile(audit={"file": file, "required": True})
    with pytest.raises(GuardError, match=re.escape(f"The audit file {file} cannot be written: it is a folder")):
        session.invoke_lm("f", **required)
    assert counting.bodies == []
    optional = profile(audit=file)
    with pytest.warns(LMWarning, match="it is a folder; the call goes on without a line. This is told once"):
        assert session.invoke_lm("f", **optional).ok
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.invoke_lm("f", **optional)
    assert len(counting.bodies) == 2


@pytest.mark.parametrize("required", [True, False])
def test_a_disk_that_fills_up(tmp_path: Path, counting: Any, profile: Any, records: Any, required: bool) -> None:
    """Where the audit can grow no more, calls are refused unsent, or go on with one warning; what was sent has a line.

    The one call that is under way when it happens keeps its line beside the file.
    """
    place = profile(audit={"file": str(tmp_path / "audit" / "calls.jsonl"), "required": required})
    program = (
        "import json, resource, sys, warnings\n"
        "import lmfunction as lm\n"
        "lm.invoke_lm('f', {'n': -1}, **json.loads(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))\n"
        "told = []\n"
        "with warnings.catch_warnings(record=True) as warned:\n"
        "    warnings.simplefilter('always')\n"
        "    for n in range(30):\n"
        "        try:\n"
        "            lm.invoke_lm('f', {'n': n}, **json.loads(sys.argv[1]))\n"
        "        except lm.GuardError as error:\n"
        "            told.append(str(error))\n"
        "print(json.dumps([told, [str(w.message) for w in warned]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(place)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    refused, warned = json.loads(done.stdout)
    assert len(warned) == 1
    assert "calls.jsonl cannot be written: File too large" in warned[0]
    digests = [record["payload_sha256"] for record in records()]
    assert len(digests) == len(set(digests))
    if required:
        assert len(refused) >= 10
        assert "File too large. The profile requires it, so nothing was sent" in refused[0]
        assert set(digests) == set(counting.digests)
    else:
        assert refused == []
        assert len(counting.bodies) == 31
        assert 0 < len(digests) < 31


def test_a_day_ends_while_it_runs(tmp_path: Path, profile: Any, records: Any) -> None:
    """A running process writes into the file of the day (UTC) on which a call begins."""
    times = iter([1_795_564_799.9, 1_795_564_800.1])  # around midnight of 2026-11-25
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))
    from dataclasses import replace

    with lm.Session() as session:
        session.engine = replace(session.engine, audits=Audits(now=lambda: next(times)))
        session.invoke_lm("f", **place)
        session.invoke_lm("f", **place)
    assert [path.name for path in sorted((tmp_path / "audit").iterdir())] == ["2026-11-24.jsonl", "2026-11-25.jsonl"]
    assert [record["time"][11:19] for record in records()] == ["23:59:59", "00:00:00"]


def test_fifty_kills(
    tmp_path: Path, counting: Any, profile: Any, session: lm.Session, records: Any, until: Callable[..., None]
) -> None:
    """Processes killed at any moment while they send: no line is torn, and each call the server got has one line."""
    counting.wait = lambda: time.sleep(0.002)
    place = profile(audit={"file": str(tmp_path / "audit" / "{date}.jsonl"), "required": True})
    done = subprocess.run(
        [sys.executable, KILLED, json.dumps(place), "50"], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    session.invoke_lm("f", {"the": "next one"}, **place)
    found = records()
    assert [*(tmp_path / "audit").glob("*.open.jsonl")] == []
    by_digest = {record["payload_sha256"]: record["outcome"] for record in found}
    assert len(by_digest) == len(found) == len({record["id"] for record in found})
    assert set(counting.digests) - set(by_digest) == set()
    assert {digest for digest, outcome in by_digest.items() if outcome == "OK"} <= set(counting.digests)
    assert len(found) > 100
    taken_over = [record for record in found if "note" in record]
    assert len(taken_over) > 10, "hardly a process died within a call, so that this shows nothing"
    assert {record["outcome"] for record in taken_over} == {"UNKNOWN"}


def test_get_audit(tmp_path: Path, counting: Any, profile: Any, session: lm.Session) -> None:
    """Get-LMAudit gives records, of several days and outcomes, filtered, with those of calls under way among them."""
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))
    for name in ("a", "b", "c"):
        session.invoke_lm(name, **place)
    session.invoke_lm("d", what_if=True, **place)
    found = session.get_lm_audit(**place)
    assert [record.function for record in found] == ["a", "b", "c", "d"]
    assert (found[0]["Outcome"], found[0].request_id, found[0]["Profile"]) == ("OK", "request-1", "stage")
    assert [r["Function"] for r in session.get_lm_audit(last=2, **place)] == ["c", "d"]
    assert [r["Function"] for r in session.get_lm_audit(outcome="what*", **place)] == ["d"]
    (path,) = (tmp_path / "audit").iterdir()
    assert len(session.get_lm_audit(path=str(path))) == 4
    assert len(session.get_lm_audit(path=str(path.with_name("*.jsonl")))) == 4
    seen: list[Any] = []
    counting.wait = lambda: seen.append(session.get_lm_audit(last=1, **place))
    session.invoke_lm("e", **place)
    assert [(r["Function"], r["Outcome"]) for r in seen[0]] == [("e", "UNDER_WAY")]
    path.write_bytes(path.read_bytes() + b'{"half')
    assert [r["Function"] for r in session.get_lm_audit(**place)] == ["a", "b", "c", "d", "e"]


def test_an_audit_runs_nothing(tmp_path: Path, counting: Any, profile: Any, session: lm.Session) -> None:
    """Records of the audit or of keys that are piped into an invocation by mistake run nothing again."""
    place = profile(audit=str(tmp_path / "audit" / "{date}.jsonl"))
    session.invoke_lm("f", once_key="k", **place)
    for found in (session.get_lm_audit(**place), session.get_lm_once_key()):
        with pytest.raises(lm.LMError):
            (lm.pipe(found) | lm.Invoke(**place).session(session)).raise_for_error()
    assert len(counting.bodies) == 1


def test_get_audit_without_one(tmp_path: Path, profile: Any, session: lm.Session) -> None:
    """A profile without an audit, a file that is not there and nothing named at all say what is missing."""
    with pytest.raises(lm.ParameterError, match="The profile stage has no audit: add `audit:"):
        session.get_lm_audit(**profile())
    with pytest.raises(lm.ParameterError, match="There is no audit file"):
        session.get_lm_audit(path=str(tmp_path / "none.jsonl"))
    with pytest.raises(lm.ParameterError, match="Whose audit"):
        session.get_lm_audit()
    assert len(session.get_lm_audit(**profile(audit=str(tmp_path / "audit" / "{date}.jsonl")))) == 0
