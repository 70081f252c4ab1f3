"""One card of each kind that people meet, made of real objects, and the hostile texts in every place of each.

`cards()` gives names and HTML, for a browser; `shown()` names and the objects themselves.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lmfunction import errors
from lmfunction._bulk_result import BulkResult
from lmfunction._cards import card_of, plan_card
from lmfunction._item import Item
from lmfunction._model import Attempt, InvokeResult, Outcome
from lmfunction._record import Record, Records
from lmfunction._redact import Redaction
from lmfunction._render import Card, Section, Tone, render_html
from lmfunction._request import InvokeRequest, Target
from lmfunction._sinks import Formatted

HERE = Path(__file__).parent
BAD: dict[str, str] = yaml.safe_load((HERE / "bad_text.yaml").read_text("utf-8")) | {"lone surrogate": "a\ud800b"}
TRACES: dict[str, Any] = yaml.safe_load((HERE / "traces.yaml").read_text("utf-8"))
REQUEST_ID = "8f5c1e0a-3b1d-4f0a-9c52-0d3f2f1f9a10"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders-api-with-a-rather-long-name-as-they-are-in-real-accounts"
LOG = f"""START RequestId: {REQUEST_ID} Version: 12
2026-01-14T09:12:44.100Z\t{REQUEST_ID}\tDEBUG\tcache miss for price list
2026-01-14T09:12:44.120Z\t{REQUEST_ID}\tINFO\tloading order 4711
2026-01-14T09:12:44.188Z\t{REQUEST_ID}\tWARN\tprice list is 3 days old
2026-01-14T09:12:44.190Z\t{REQUEST_ID}\tERROR\tcarrier "dhl" answered 502, used "ups" instead
END RequestId: {REQUEST_ID}
REPORT RequestId: {REQUEST_ID}\tDuration: 102.25 ms\tBilled Duration: 103 ms\tMemory Size: 512 MB\t\
Max Memory Used: 491 MB\tInit Duration: 412.07 ms\t
XRAY TraceId: 1-5e1b4151-43a0913a12345678901234567\tSegmentId: 6a0fd6ff1d1a2f3b\tSampled: true\t
"""
JSON_LOG = "\n".join(
    json.dumps(line, separators=(",", ":"))
    for line in (
        {"time": "2026-01-14T09:12:44.001Z", "type": "platform.start", "record": {"requestId": REQUEST_ID}},
        {"timestamp": "2026-01-14T09:12:44Z", "level": "INFO", "message": "loading order 4711"},
        {"timestamp": "2026-01-14T09:12:44Z", "level": "ERROR", "message": "carrier answered 502"},
    )
)
ORDER = {
    "orderId": 4711,
    "status": "shipped",
    "total": {"amount": 129.9, "currency": "EUR"},
    "customer": {
        "id": "c-1029",
        "name": "Zoë Müller",
        "email": "zoe@example.com",
        "addresses": [
            {"kind": "billing", "street": "Lange Straße 12", "city": "Köln", "zip": "50667", "verified": True},
            {"kind": "shipping", "street": "Am Markt 3", "city": "Bonn", "zip": "53111", "verified": False, "x": None},
        ],
    },
    "items": [{"sku": "A-100", "qty": 2}, {"sku": "B-220", "qty": 1}],
    "meta": {"deep": {"deeper": {"deepest": {"a": [1, 2, 3], "b": {"x": {"y": 1}}}}}},
    "note": "Leave it with the neighbours, please, and ring twice: the bell of the second floor does not work. " * 3,
}


def result(
    payload: Any = None, *, raw: bytes | None = None, status: int = 200, log: str = "", request: Any = None, **more: Any
) -> InvokeResult:
    """An answer as AWS gives it, to an ordinary request."""
    asked = request or InvokeRequest(
        "orders-api", b'{"id": 4711}', log_type="Tail", qualifier="live", target=Target(region="eu-west-1")
    )
    body = raw if raw is not None else json.dumps(payload).encode()
    known = {"executed_version": "12", "request_id": REQUEST_ID, "elapsed_ms": 142.3} | more
    tail = base64.b64encode(log.encode("utf-8", "surrogatepass")).decode() or None
    return InvokeResult(asked, status, body, log_result=tail, **known)


def failure(payload: Any, log: str = LOG, **more: Any) -> InvokeResult:
    """The answer of a function that failed."""
    return result(payload, function_error="Unhandled", log=log, **more)


def many() -> BulkResult:
    """Some thousand calls: most went well, some did not in three ways."""
    run = BulkResult()
    run.elapsed_ms = 31_200.0
    for index in range(2_000):
        # Times as they are: most near each other, a few far out.
        elapsed = 40 + (index * 37 % 100) ** 2 / 250 + (900 if index % 400 == 7 else 0)
        if index % 250 == 3:
            told = {"errorType": "OrderNotFoundError", "errorMessage": f"There is no order {index}"}
            run.items.append(Item(index, {"id": index}, failure(told, "", elapsed_ms=elapsed)))
        elif index in (17, 18):
            lost = errors.TransportError("No answer came in 930 s.", phase="wait")
            run.items.append(Item(index, {"id": index}, error=lost))
        elif index > 1_990:
            run.items.append(Item(index, {"id": index}))
        else:
            run.items.append(Item(index, {"id": index}, result({"id": index, "ok": True}, elapsed_ms=elapsed)))
    return run


def few() -> BulkResult:
    """Five calls that went well."""
    run = BulkResult()
    run.elapsed_ms = 211.0
    for index in range(5):
        run.items.append(Item(index, {}, result({"message": f"Hello, {index}!"}, elapsed_ms=11.0 + 17 * index)))
    return run


def functions() -> Records:
    """What Get-LMFunctionList emits."""
    return Records(
        "FunctionConfiguration",
        [
            Record(
                "FunctionConfiguration",
                {
                    "FunctionName": name,
                    "FunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
                    "Runtime": runtime,
                    "Role": "arn:aws:iam::123456789012:role/service-role/orders-api-role-1x2y3z",
                    "CodeSize": 1_234_567 * (index + 1),
                    "Timeout": 3 * 10**index,
                    "MemorySize": 128 * 2**index,
                    "LastModified": "2026-01-14T10:11:12.123+0000",
                    "Version": "$LATEST",
                },
            )
            for index, (name, runtime) in enumerate(
                [("orders-api", "python3.13"), ("nightly-report", "nodejs22.x"), ("prices", "java21")]
            )
        ],
    )


def function() -> Record:
    """What Get-LMFunction emits."""
    return Record(
        "GetFunctionResponse",
        {
            "Configuration": {
                **functions()[0].to_dict(),
                "Environment": {"Variables": {"STAGE": "production", "DB_PASSWORD": "correct horse", "API_KEY": "k"}},
                "VpcConfig": {"SubnetIds": ["subnet-0a1b2c3d4e5f60718", "subnet-0f1e2d3c4b5a69788"], "VpcId": "vpc-1"},
                "Layers": [{"Arn": "arn:aws:lambda:eu-west-1:580247275435:layer:LambdaInsightsExtension:53"}],
            },
            "Code": {"RepositoryType": "S3", "Location": "https://x.s3.amazonaws.com/f?X-Amz-Security-Token=s3cr3t"},
            "Tags": {"team": "orders", "cost-center": "4711"},
        },
    )


def _kinds() -> Iterator[tuple[str, Any]]:
    yield "ok", result(ORDER, log=LOG)
    yield "small", result({"message": "Hello, Ada!"})
    yield (
        "rows",
        result([{"name": f"worker-{i:03}", "memory": 128 * (1 + i % 4), "on": bool(i % 3)} for i in range(512)]),
    )
    yield "text", result("The quick brown fox jumps over the lazy dog. " * 8)
    yield "bytes", result(raw=b"\x89PNG\r\n\x1a\n\x00\xff" * 50)
    yield "null", result(None)
    yield "json log", result({"ok": True}, log=JSON_LOG)
    yield "huge", result({"rows": [{"n": i, "text": "x" * 300} for i in range(3_000)], "line": "y" * 500_000})
    for language, payload in TRACES.items():
        yield f"failed {language}", failure(payload)
    yield (
        "failed early",
        failure({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}),
    )
    yield "accepted", result(raw=b"", status=202, executed_version=None)
    yield "dry run", result(raw=b"", status=204, executed_version=None)
    yield (
        "retried",
        result(
            {"ok": True},
            attempt_log=(
                Attempt(Outcome.THROTTLED_OUT, "TooManyRequestsException", 31.0),
                Attempt(Outcome.THROTTLED_OUT, "TooManyRequestsException", 28.0, 412.0),
                Attempt(Outcome.OK, "", 142.0, 988.0),
            ),
        ),
    )
    yield "arn", result({"ok": True}, request=InvokeRequest(ARN, b"{}", target=Target("eu-west-1", profile_name="p")))
    yield "what if", plan_card(InvokeRequest(ARN, b"{}", target=Target("eu-west-1")), "123456789012", "AWS")
    yield "many", many()
    yield "few", few()
    yield "functions", functions()
    yield "function", function()
    yield "no records", Records("FunctionConfiguration")
    yield "table", Formatted([{"Name": "a", "Value": {"x": 1}}, {"Name": "b", "Value": None}], "Orders")
    yield from _errors()
    yield (
        "redacted",
        result(
            {"customer": {"card": "4111 1111 1111 1111", "email": "zoe@example.com"}, "token": "t0ps3cr3t", "ok": True},
            redaction=Redaction(keys=("email",), paths=("Payload.customer.card",)),
        ),
    )


def _errors() -> Iterator[tuple[str, errors.LMError]]:
    yield (
        "refused",
        errors.ServiceError(
            f"AWS answered 404 ResourceNotFoundException: Function not found: {ARN}\n  RequestId: {REQUEST_ID}",
            code="ResourceNotFoundException",
            status=404,
            request_id=REQUEST_ID,
            outcome="REJECTED",
        ),
    )
    yield (
        "throttled",
        errors.ServiceError(
            "AWS answered 429 TooManyRequestsException: Rate Exceeded.",
            code="TooManyRequestsException",
            status=429,
            reason="ReservedFunctionConcurrentInvocationLimitExceeded",
            retry_after=2.0,
            outcome="THROTTLED_OUT",
            attempts=8,
        ),
    )
    yield "unknown", errors.TransportError("No answer came in 930 s. orders-api may still be running.", phase="wait")
    yield "not sent", errors.TransportError("No connection to eu-west-1.", sent=False, outcome="NOT_SENT")
    source = "invoke_lm orders-api -Qualifer live"
    wrong = errors.ParameterError("Unknown parameter -Qualifer. Did you mean -Qualifier?", source=source, column=22)
    yield "wrong line", wrong
    yield "guarded", errors.GuardError("orders-api: -Confirm needs somebody to answer, and nobody can.")
    try:
        failure(TRACES["python"], redaction=Redaction(keys=("email",))).raise_for_error()
    except errors.FunctionError as error:
        yield "function error", error


def hostile(text: str) -> Iterator[tuple[str, Any]]:
    """`text` in every place that takes text from outside, in each kind of card."""
    request = InvokeRequest(text, b"{}", qualifier=text, target=Target(text, text, text, text))
    payload = {"value": text, text: [text, {text: [text]}], "list": [text] * 3}
    yield "result", result(payload, log=f"START\n{text}\nERROR {text}\n", request=request, executed_version=text)
    yield "rows", result([{text: text, "b": 1}, {text: text, "b": 2}], request_id=text, trace_id=text)
    yield "text", result(text)
    told = {"errorType": text, "errorMessage": text, "stackTrace": [text, f'  File "{text}", line 1, in {text}']}
    yield "failure", failure(told | {"cause": dict(told)}, log=text)
    run = BulkResult()
    run.items += [Item(0, text, failure(told)), Item(1, text, result(text)), Item(2, text, error=errors.LMError(text))]
    yield "many", run
    yield "records", Records(text, [Record(text, {"Name": text, text: text})])
    yield "record", Record(text, {"Name": text, text: text, "more": {text: text}, "list": [text] * 40})
    yield "plan", plan_card(request, text, text)
    yield "refusal", errors.ServiceError(text, code=text, reason=text, request_id=text)
    yield "wrong line", errors.ParameterError(text, source=text, column=2)
    yield "table", Formatted([{text: text}], text)
    sections = tuple(
        Section(text, body, kind, more=text)
        for kind in ("text", "data", "table", "log", "trace", "pairs")
        for body in (text, {text: text}, [(text, text)], [{text: text}])
    )
    yield "card", Card(Tone.FAILED, text, text, (text, "200"), sections, {text: text})


def shown() -> Iterator[tuple[str, Any]]:
    """Every kind of card: its name, and what has it."""
    yield from _kinds()
    for name, text in BAD.items():
        for kind, found in hostile(text):
            yield f"{name} in {kind}", found


def cards() -> Iterator[tuple[str, str]]:
    """Every kind of card: its name and HTML. Hostile texts come together, a card for each kind."""
    for name, found in _kinds():
        yield name, markup_of(found)
    together = "\n".join(text for name, text in BAD.items() if name != "lone surrogate")
    for kind, found in hostile(together):
        yield f"hostile {kind}", markup_of(found)


def made(found: Any) -> Card:
    """The card of `found`."""
    card = found if isinstance(found, Card) else card_of(found)
    assert card is not None, found
    return card


def markup_of(found: Any) -> str:
    """The HTML of `found`'s card."""
    return render_html(made(found))
