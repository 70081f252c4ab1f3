"""What the API's cmdlets have in common: pages, -Select, what-if, confirmation, retries, errors, streams, doors."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from answering import Requests

import lmfunction as lm
from lmfunction._commands import run_line
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._operation_plan import OperationPlan
from lmfunction._record import Record, Records, recorded
from lmfunction._scope import Scope
from lmfunction._table import find_cmdlet

FIRST = {"Functions": [{"FunctionName": "a", "Timeout": 3}, {"FunctionName": "b"}], "NextMarker": "m1"}
SECOND = {"Functions": [{"FunctionName": "c"}]}


def run(session: lm.Session, line: str, **door: Any) -> Any:
    """What a line emits, run with the session's connection."""
    name, _, rest = line.partition(" ")
    cmdlet = find_cmdlet(name)
    assert cmdlet is not None
    return run_line(cmdlet, rest, None, session.engine, Door(**door), {})


def test_pages_are_followed(session: lm.Session, requests: Requests) -> None:
    """All pages come as one list; each request carries the marker of the page before."""
    requests.answer(FIRST)
    requests.answer(SECOND)
    functions = session.get_lm_function_list(function_version="all")
    assert [f.function_name for f in functions] == ["a", "b", "c"]
    assert [path for _, path, _ in requests] == [
        "/2015-03-31/functions?FunctionVersion=ALL",
        "/2015-03-31/functions?FunctionVersion=ALL&Marker=m1",
    ]


def test_the_whole_answer_of_all_pages(session: lm.Session, requests: Requests) -> None:
    """`-Select *` gives one answer with every item and no marker."""
    requests.answer(FIRST)
    requests.answer(SECOND)
    whole = session.get_lm_function_list(select="*")
    assert list(whole) == ["Functions"]
    assert len(whole.functions) == 3


@pytest.mark.parametrize("manual", [{"no_auto_iteration": True}, {"max_items": 2}, {"max_item": 2}, {"marker": "m0"}])
def test_one_page_by_hand(session: lm.Session, requests: Requests, manual: dict[str, Any]) -> None:
    """-NoAutoIteration, a limit or a marker ask for one page, and `-Select *` tells where the next begins."""
    requests.answer(FIRST)
    page = session.get_lm_function_list(select="*", **manual)
    assert page.next_marker == "m1"
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("Functions", ["a", "b"]),
        ("functions[].FunctionName", ["a", "b"]),
        ("Functions[0].Timeout", 3),
        ("^FunctionVersion", "ALL"),
        ("NEXTMARKER", "m1"),
    ],
)
def test_select(session: lm.Session, requests: Requests, select: str, expected: Any) -> None:
    """A member in any case, a JMESPath expression, or the value given for a parameter."""
    requests.answer(FIRST)
    found = session.get_lm_function_list(select=select, function_version="ALL", no_auto_iteration=True)
    assert (
        [f.function_name if isinstance(f, Record) else f for f in found] == expected
        if isinstance(expected, list)
        else found == expected
    )


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("Function", "Did you mean Functions?"),
        ("^Function", "no such parameter"),
        ("", "Select is empty"),
        ("Functions[", "not a JMESPath"),
    ],
)
def test_a_bad_select_sends_nothing(session: lm.Session, requests: Requests, select: str, says: str) -> None:
    """What names no member is refused before anything is sent."""
    requests.answer(FIRST)
    with pytest.raises(lm.ParameterError, match="Select") as caught:
        session.get_lm_function_list(select=select)
    assert says in str(caught.value)
    assert requests == []


def test_what_if_shows_the_call_without_secrets(session: lm.Session, requests: Requests) -> None:
    """In Python the plan is the value; variables, which the model calls sensitive, are counted and not shown."""
    requests.answer()
    plan = session.update_lm_function_configuration(
        "f", timeout=5, environment_variables={"TOKEN": "hunter2"}, what_if=True
    )
    assert isinstance(plan, OperationPlan)
    assert 'operation "Update-LMFunctionConfiguration (UpdateFunctionConfiguration)" on target "f"' in repr(plan)
    shown = repr(plan.card())
    assert "Timeout" in shown
    assert "hunter2" not in shown + repr(plan)
    assert requests == []


def test_a_notebook_of_what_if_still_reads(session: lm.Session, requests: Requests) -> None:
    """`%config LMFunction.what_if` stops what changes something; reading goes on, unless the line itself asks."""
    requests.answer(SECOND)
    shown: list[Any] = []
    assert run(session, "Remove-LMFunction f", what_if=True, show=shown.append) is NOTHING
    assert len(run(session, "Get-LMFunctionList", what_if=True, show=shown.append)) == 1
    assert run(session, "Get-LMFunctionList -WhatIf", show=shown.append) is NOTHING
    assert [plan.operation.name for plan in shown] == ["DeleteFunction", "ListFunctions"]
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("line", "answer", "outcome"),
    [
        ("Remove-LMFunction f", "f", "sent"),
        ("Remove-LMFunction f", "g", "refused"),
        ("Remove-LMFunction f", None, "sent"),
        ("Remove-LMFunction f -Force", "g", "sent unasked"),
        ("Remove-LMFunction f -Confirm:$false", "g", "sent unasked"),
        ("Remove-LMFunction f -Confirm", None, "refused"),
        ("Remove-LMFunction f -Confirm -Force", None, "sent unasked"),
        ("Remove-LMFunction arn:aws:lambda:us-east-1:123456789012:function:f:7", "f", "sent"),
        ("Remove-LMAlias f -Name live", "f", "sent"),
        ("Update-LMFunctionConfiguration f -Timeout 5", "g", "sent unasked"),
        ("Update-LMFunctionConfiguration f -Timeout 5 -Confirm", "g", "refused"),
        ("Update-LMFunctionConfiguration f -Timeout 5 -Confirm", "f", "sent"),
        ("Update-LMFunctionConfiguration f -Timeout 5 -Confirm", None, "refused"),
        ("Get-LMFunction f", "g", "sent unasked"),
    ],
)
def test_confirmation(session: lm.Session, requests: Requests, line: str, answer: str | None, outcome: str) -> None:
    """A removal asks where somebody can answer; -Confirm always asks, and fails closed where nobody can."""
    requests.answer({"StatusCode": 204})
    questions: list[str] = []

    def ask(question: str) -> str | None:
        questions.append(question)
        return answer

    if outcome == "refused":
        with pytest.raises(lm.GuardError):
            run(session, line, ask=ask)
    else:
        run(session, line, ask=ask)
    assert len(requests) == (0 if outcome == "refused" else 1)
    assert len(questions) == (0 if outcome == "sent unasked" else 1)
    assert all("Type f to go on" in question for question in questions)


def test_reading_is_repeated_and_writing_is_not(session: lm.Session, requests: Requests) -> None:
    """A 500 to a Get is tried again; one to anything else is told at once, with what is unknown."""
    requests.answer({"message": "later"}, status=500, x_amzn_ErrorType="ServiceException")
    requests.answer(SECOND)
    assert len(session.get_lm_function_list()) == 1
    assert len(requests) == 2
    requests.clear()
    requests.answers[:] = []
    requests.answer({"message": "later"}, status=500, x_amzn_ErrorType="ServiceException")
    with pytest.raises(lm.ServiceError, match="Unknown whether PublishVersion was carried out on f") as caught:
        session.publish_lm_version("f")
    assert caught.value.code == "ServiceException"
    assert caught.value.request_id == "request-1"
    assert len(requests) == 1


def test_a_refusal_is_a_service_error(session: lm.Session, requests: Requests) -> None:
    """Code, status and request id of AWS's answer; -ErrorAction SilentlyContinue of this very line passes it over."""
    requests.answer({"Message": "nothing there"}, status=404, x_amzn_ErrorType="ResourceNotFoundException")
    with pytest.raises(lm.ServiceError, match="404 ResourceNotFoundException: nothing there") as caught:
        session.get_lm_alias("f", name="live")
    assert (caught.value.status, caught.value.outcome) == (404, "REJECTED")
    assert "Unknown" not in str(caught.value)
    assert run(session, "Get-LMAlias f -Name live -ErrorAction SilentlyContinue") is NOTHING


def test_no_answer() -> None:
    """A closed port is nothing sent; a connection that breaks is unknown for a write, harmless for a read."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with lm.Session(endpoint_url=url, region="us-east-1", credential=lm.Credential("AKID", "no-secret")) as session:
            with pytest.raises(lm.TransportError, match="Nothing was sent") as caught:
                session.publish_lm_version("f")
            assert caught.value.sent is False


def test_an_arn_names_the_region_and_another_region_is_refused(requests: Requests, session: lm.Session) -> None:
    """The same rule as for invocations."""
    requests.answer()
    with pytest.raises(lm.ParameterError, match="eu-west-1") as caught:
        session.get_lm_function("arn:aws:lambda:eu-west-1:123456789012:function:f")
    assert caught.value.parameter == "FunctionName"
    with pytest.raises(lm.ParameterError, match="not a function name"):
        session.get_lm_function("no such name")
    assert requests == []


def test_defaults_reach_the_cmdlets_that_have_the_parameter(session: lm.Session, requests: Requests) -> None:
    """A pattern's default fills a member where there is one; others go on without it."""
    requests.answer({"FunctionName": "f"})
    session.defaults["Get-LM*:Qualifier"] = "live"
    try:
        session.get_lm_function("f")
        session.get_lm_function_concurrency("f")
    finally:
        del session.defaults["Get-LM*:Qualifier"]
    assert [path.partition("?")[2] for _, path, _ in requests] == ["Qualifier=live", ""]


def test_a_profiles_defaults_fill_no_member(requests: Requests, session: lm.Session, tmp_path: Any) -> None:
    """`Qualifier: live` of a profile is for invocations: it must not turn a function's removal into an alias's."""
    requests.answer(status=204)
    (tmp_path / "p.yaml").write_text("region: us-east-1\ndefaults: {Qualifier: live, LogType: Tail}\n")
    session.remove_lm_function("f", force=True, profile_name="p", profile_location=str(tmp_path))
    assert [path for _, path, _ in requests] == ["/2015-03-31/functions/f"]


def test_out_variable_and_error_variable(session: lm.Session, requests: Requests) -> None:
    """The common parameters work as they do for an invocation."""
    names: dict[str, Any] = {}
    door: dict[str, Any] = {"assign": names.__setitem__, "scope": Scope(names)}
    requests.answer(SECOND)
    run(session, "Get-LMFunctionList -OutVariable found", **door)
    assert [f.function_name for f in names["found"]] == ["c"]
    requests.answers[:] = []
    requests.answer({"Message": "no"}, status=403, x_amzn_ErrorType="AccessDeniedException")
    assert run(session, "Get-LMFunctionList -ea SilentlyContinue -ev errors", **door) is NOTHING
    assert [e.code for e in names["errors"]] == ["AccessDeniedException"]


def test_records_flow_through_a_pipeline(session: lm.Session, requests: Requests) -> None:
    """A list goes on one by one, and binds by property name."""
    requests.answer(SECOND)
    requests.answer({"ReservedConcurrentExecutions": 4})
    assert run(session, "Get-LMFunctionList | select FunctionName") in ("c", ["c"])
    requests.clear()
    requests.answers[:] = []
    requests.answer(SECOND)
    requests.answer({"ReservedConcurrentExecutions": 4})
    assert run(session, "Get-LMFunctionList | Get-LMFunctionConcurrency") in (4, [4])
    assert requests[1][1].endswith("/functions/c/concurrency")


def event(kind: str, body: bytes, content_type: str) -> bytes:
    """One message of an event stream, as Lambda frames it."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in ((":event-type", kind), (":content-type", content_type), (":message-type", "event"))
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def chunk(content: bytes) -> bytes:
    """A piece of the payload."""
    return event("PayloadChunk", content, "application/octet-stream")


def complete(**members: str) -> bytes:
    """How the function ended."""
    return event("InvokeComplete", json.dumps(members).encode(), "application/json")


Stream = Callable[..., Any]


@pytest.fixture
def stream(session: lm.Session, requests: Requests) -> Stream:
    """Invokes a function whose answer streams the given messages."""

    def invoke(*messages: bytes, **keywords: Any) -> Any:
        requests.answer(
            b"".join(messages), Content_Type="application/vnd.amazon.eventstream", X_Amz_Executed_Version="7"
        )
        return session.invoke_lm_with_response_stream("f", payload={"n": 1}, **keywords)

    return invoke


def test_a_stream_is_collected(stream: Stream, requests: Requests) -> None:
    """The chunks make one payload, decoded; the log and the version come along."""
    log = "U1RBUlQK"
    result = stream(chunk(b'{"parts": '), chunk(b"[1, 2]}"), complete(LogResult=log), log_type="tail")
    assert result.payload == {"parts": [1, 2]}
    assert result.raw_payload == b'{"parts": [1, 2]}'
    assert (result.log, result.executed_version, result.error, result.ok) == ("START\n", "7", None, True)
    assert requests[0][1].endswith("/functions/f/response-streaming-invocations")
    assert requests[0][2] == b'{"n":1}'


def test_a_stream_that_fails_keeps_what_came(stream: Stream) -> None:
    """The failure is that of the stream's end, the payload what was streamed before it."""
    details = json.dumps({"errorType": "ValueError", "errorMessage": "half way"})
    result = stream(chunk(b"some text"), complete(ErrorCode="Unhandled", ErrorDetails=details))
    assert result.payload == "some text"
    assert (result.error.type, result.error.message) == ("ValueError", "half way")
    with pytest.raises(lm.FunctionError, match="ValueError: half way"):
        result.raise_for_error()


def test_a_stream_that_breaks_off_is_lost(stream: Stream) -> None:
    """Without the function's end nobody can see whether the payload is whole."""
    result = stream(chunk(b"half"))
    assert next(iter(result)) == "half"
    with pytest.raises(lm.TransportError, match="answer is lost after 4 bytes") as caught:
        list(result)
    assert (caught.value.sent, caught.value.outcome) == (True, "RESULT_LOST")
    assert (caught.value.result, result.received) == (result, b"half")


def test_a_stream_is_sent_once(stream: Stream, requests: Requests) -> None:
    """Also when its answer breaks off, and whatever is asked of it afterwards."""
    result = stream(chunk(b"half"))
    for _ in range(2):
        with pytest.raises(lm.TransportError):
            list(result)
    with pytest.raises(lm.TransportError):
        _ = result.payload
    assert len(requests) == 1


def test_a_stream_in_the_audit(requests: Requests, session: lm.Session, tmp_path: Path) -> None:
    """It is written down as begun before it is sent, and how it ended when it has; so is one that nobody reads on."""
    url = session.engine.fixed["EndpointUrl"]
    profile = f"region: us-east-1\nendpoint: {url}\naudit: {tmp_path}/audit.jsonl\n"
    (tmp_path / "audited.yaml").write_text(profile)
    fixed = {"profile_name": "audited", "profile_location": str(tmp_path), "credential": lm.Credential("AKID", "no")}
    details = json.dumps({"errorType": "ValueError", "errorMessage": "half way"})
    endings = [
        (complete(),),
        (complete(ErrorCode="Unhandled", ErrorDetails=details),),
        (),
        (chunk(b"more"), complete()),
    ]
    with lm.Session(**fixed) as audited:
        for ending in endings:
            requests.answers[:] = []
            requests.answer(chunk(b"a") + b"".join(ending), Content_Type="application/vnd.amazon.eventstream")
            result = audited.invoke_lm_with_response_stream("f")
            assert next(iter(result)) == "a"
            assert b'"UNKNOWN"' in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if "audit." in p.name)
            if len(ending) == 2:
                result.close()
            else:
                with contextlib.suppress(lm.TransportError):
                    result.finish()
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines]
    assert outcomes == ["OK", "FUNCTION_ERROR", "RESULT_LOST", "RESULT_LOST"]
    assert lines[1]["error_type"] == "ValueError"


def test_a_streams_select(stream: Stream) -> None:
    """The members are those of an invocation's result."""
    assert stream(chunk(b'{"a": {"b": 3}}'), complete(), select="Payload.a.b") == 3


def test_a_table_of_records() -> None:
    """The identifying member is the first column; values that are structures are no columns."""
    records = recorded("FunctionConfiguration", FIRST["Functions"])
    assert isinstance(records, Records)
    assert repr(records) == "<2 FunctionConfiguration: a, b>"
    (section,) = records.card().sections
    assert section.kind == "table"
    assert section.body == [{"FunctionName": "a", "Timeout": 3}, {"FunctionName": "b", "Timeout": ""}]
    assert "FunctionName" in str(records._repr_mimebundle_())
    assert recorded("Arns", ["x"]).card().sections[0].body == [{"Arns": "x"}]
    assert recorded("Function", []).card().sections == ()


def test_a_record_s_attributes() -> None:
    """Both spellings, nested ones too; what is not there has the nearest name."""
    record = Record("GetFunctionResponse", {"Configuration": {"FunctionName": "f", "KMSKeyArn": "k"}, "Tags": {}})
    assert record.Configuration.FunctionName == record.configuration.function_name == "f"
    assert record.configuration.kms_key_arn == "k"
    assert isinstance(record["Configuration"], dict)
    assert repr(record) == "<GetFunctionResponse f>"
    with pytest.raises(AttributeError, match=r"Did you mean Configuration\?"):
        record.Configurations
    import pickle

    assert pickle.loads(pickle.dumps(record)) == record
    assert pickle.loads(pickle.dumps(recorded("X", [{"Name": "n"}])))[0].name == "n"


def test_an_engine_of_its_own_has_the_defaults() -> None:
    """A cmdlet of the API takes any engine: without a region it says so before anything is sent."""
    cmdlet = find_cmdlet("get_lm_account_setting")
    assert cmdlet is not None
    with pytest.raises(lm.ProfileError, match="No region"):
        run_line(cmdlet, "", None, Engine(), Door(), {})
