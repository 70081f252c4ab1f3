"""Tables of invocations and what AWS answers, over raw HTTP, over boto3 and over our own cmdlet.

What a function does is run under both Python loops: our own, and awslambdaric where it is installed.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from invoking import CLIENTS, Ask, Seen, World

from lmfunction.local._answers import NAME_PATTERN, QUALIFIER_PATTERN, TENANT_PATTERN
from lmfunction.local._settings import OWN_LOOP

ARN = "arn:aws:lambda:us-east-1:000000000000:function"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TRACE = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0")
ANSWER_HEADERS = {
    "Date", "Content-Type", "x-amzn-RequestId", "x-amzn-Remapped-Content-Length", "X-Amz-Executed-Version",
    "X-Amzn-Trace-Id", "Content-Length", "Connection",
}  # fmt: skip
PATTERNS = {
    "{id}": UUID.pattern,
    "{time}": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "{second}": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "{report}": r"Duration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB",
}
JACKSON = "Could not parse request body into json: Could not parse payload into json: "


def ask_of(case: dict[str, Any], name: str) -> Ask:
    """The invocation that a case describes."""
    event = case.get("event")
    body = None if event is None else str(event).encode()
    if "event_hex" in case:
        body = bytes.fromhex(str(case["event_hex"]))
    if "event_size" in case:
        body = b'"' + b"x" * (case["event_size"] - 2) + b'"'
    context_base64 = case.get("context_base64")
    if "context_size" in case:
        size = case["context_size"] // 4 * 3  # before base64
        context_base64 = base64.b64encode(b'{"k":"' + b"x" * (size - 8) + b'"}').decode()
    return Ask(
        function=filled(case.get("spelled", "{name}"), {"{name}": name, "{arn}": ARN}),
        event=body,
        type=case.get("type"),
        log_type=case.get("log_type"),
        qualifier=case.get("qualifier"),
        context=case.get("context"),
        context_base64=context_base64,
        tenant=case.get("tenant"),
        durable=case.get("durable"),
        headers={key: filled(value, {}) for key, value in case.get("ask", {}).items()},
    )


def filled(value: Any, places: dict[str, str]) -> Any:
    """A value of a case with its places filled in, at every depth."""
    if isinstance(value, dict):
        return {key: filled(v, places) for key, v in value.items()}
    if isinstance(value, list):
        return [filled(v, places) for v in value]
    if not isinstance(value, str):
        return value
    for place, text in places.items():
        value = value.replace(place, text)
    value = re.sub(r"\{mark (\w+)\}", lambda m: f"{zlib.crc32(f'{ARN}:{m[1]}'.encode()):08x}", value)
    source = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
    return re.sub(r"\{at (\d+) (\d+)\}", rf"\n at [Source: {source}; line: \1, column: \2]", value)


def ask_all(world: World, case: dict[str, Any], ask: Ask) -> list[tuple[str, Seen]]:
    """The same asked by every client; at the same time when the function takes its time."""
    clients = case.get("clients", CLIENTS)
    if "timeout" in case:
        with ThreadPoolExecutor(len(clients)) as pool:
            return list(zip(clients, pool.map(lambda client: world.ask(client, ask), clients), strict=True))
    return [(client, world.ask_told(client, ask)) for client in clients]


def check(case: dict[str, Any], client: str, seen: Seen, places: dict[str, str]) -> None:
    """Compares an answer with what the case wants."""
    told = f"{case['id']} by {client}: {replace(seen, payload=seen.payload[:500])}"
    locally = case.get("locally", {}).get(client)
    if locally is not None:
        assert locally in (seen.refused or ""), told
        return
    assert seen.refused is None, told
    warns = case.get("warns", {}).get(client)
    assert (warns or "") in " ".join(seen.warned), told
    assert bool(seen.warned) == (warns is not None), told
    assert seen.status == case.get("status", 200), told
    assert UUID.fullmatch(seen.request_id or ""), told
    places = {**places, "{id}": seen.request_id or ""}
    if "code" in case and seen.status >= 400:
        check_refusal(case, seen, places, told)
        return
    assert (seen.error, seen.version) == (case.get("error"), case.get("version", "$LATEST")), told
    check_payload(case, seen, places, told)
    check_log(case, seen, places, told)


def check_refusal(case: dict[str, Any], seen: Seen, places: dict[str, str], told: str) -> None:
    assert seen.code == case["code"], told
    body = filled(case.get("body"), places)
    says = filled(case.get("says"), places)
    if body is not None:
        says = body.get("message", body.get("Message"))
        assert seen.body in (None, body), told
    # Our own error shortens what is long, and writes it in one line.
    shown = [" ".join(text.split())[:120] for text in (says, seen.message)]
    assert " ".join(says.split()) in " ".join(seen.message.split()) or shown[0] in " ".join(seen.message.split()), told
    if seen.headers:
        assert seen.headers["Content-Type"] == "application/json", told
        assert "X-Amz-Executed-Version" not in seen.headers, told


def check_payload(case: dict[str, Any], seen: Seen, places: dict[str, str], told: str) -> None:
    if "payload_hex" in case:
        assert seen.payload == bytes.fromhex(str(case["payload_hex"])), told
    elif "payload_text" in case:
        assert seen.payload == case["payload_text"].encode(), told
    elif "payload" in case:
        assert json.loads(seen.payload) == filled(case["payload"], places), told
    if "payload_size" in case:
        assert len(seen.payload) == case["payload_size"], told
    for key, value in case.get("like", {}).items():
        assert json.loads(seen.payload)[key] == filled(value, places), told
    for key, value in case.get("starts", {}).items():
        assert json.loads(seen.payload)[key].startswith(filled(value, places)), told
    if "trace_begins" in case:
        assert case["trace_begins"] in json.loads(seen.payload)["stackTrace"][0], told


def check_log(case: dict[str, Any], seen: Seen, places: dict[str, str], told: str) -> None:
    if case.get("no_log"):
        assert seen.log is None, told
        return
    at = 0
    for text in case.get("log", []):
        wanted = filled(text, places)
        assert wanted in (seen.log or "")[at:], f"{wanted!r} is missing in {told}"
        at = (seen.log or "").index(wanted, at)
    for text in case.get("no_log_of", []):
        assert text not in (seen.log or ""), told


def places_of(world: World, name: str) -> dict[str, str]:
    return {
        "{name}": name,
        "{arn}": ARN,
        "{name_pattern}": NAME_PATTERN,
        "{qualifier_pattern}": QUALIFIER_PATTERN,
        "{tenant_pattern}": TENANT_PATTERN,
        "{jackson}": JACKSON,
    }


def test_answers(answers_case: dict[str, Any], world: Callable[[str], World]) -> None:
    """What is accepted is answered alike over raw HTTP, boto3 and our cmdlet, with AWS's headers and no others."""
    case, here = answers_case, world(OWN_LOOP)
    name = here.deployed(case)
    for client, seen in ask_all(here, case, ask_of(case, name)):
        check(case, client, seen, places_of(here, name))
        if client == "raw":
            check_headers(seen, tail="log_type" in case)


def check_headers(seen: Seen, *, tail: bool) -> None:
    gone = {"X-Amz-Executed-Version"} if seen.status != 200 else set()
    if seen.status == 204:
        gone |= ANSWER_HEADERS - {"Date", "x-amzn-RequestId", "Connection"}
    assert set(seen.headers) - {"X-Amz-Log-Result"} == ANSWER_HEADERS - gone, seen.headers
    if seen.status != 204:
        assert TRACE.fullmatch(seen.headers["X-Amzn-Trace-Id"])
        assert seen.headers["x-amzn-Remapped-Content-Length"] == "0"
        assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Connection"] == "keep-alive"
    assert tail or "X-Amz-Log-Result" not in seen.headers


def test_refusals(refusals_case: dict[str, Any], world: Callable[[str], World]) -> None:
    """What the service refuses, it refuses in the recorded words; our cmdlet often says so before it sends."""
    case, here = refusals_case, world(OWN_LOOP)
    name = here.deployed({key: value for key, value in case.items() if key != "code"})
    for client, seen in ask_all(here, case, ask_of(case, name)):
        check(case, client, seen, places_of(here, name))


def test_function_errors(function_errors_case: dict[str, Any], both: World) -> None:
    """Each way to fail gives the recorded payload and log; whoever asks next gets a working environment."""
    case = {**function_errors_case, "error": "Unhandled", "log_type": "Tail"}
    if case["id"] == "out of memory" and sys.platform != "linux":
        pytest.skip("memory is enforced on Linux only")
    name = both.deployed(case)
    places = {**places_of(both, name), "{folder}": both.folder(name)}
    for client, seen in ask_all(both, case, ask_of(case, name)):
        check({**case, "code": None}, client, seen, places)
        assert (seen.log or "").count(f"END RequestId: {seen.request_id}\nREPORT RequestId: {seen.request_id}\t") == 1


def test_results(results_case: dict[str, Any], both: World) -> None:
    """A result is written as AWS's runtime writes it, byte for byte."""
    case = results_case
    name = both.deployed({**case, "code": f"def handler(event, context):\n    return {case['returns']}\n"})
    for client, seen in ask_all(both, case, ask_of(case, name)):
        check(case, client, seen, places_of(both, name))


def test_logs(logs_case: dict[str, Any], both: World) -> None:
    """What a function writes comes in the tail of its log, in order and in Lambda's own lines."""
    case = {**logs_case, "log_type": "Tail", "error": "Unhandled" if "error" in logs_case else None}
    name = both.deployed(case)
    places = {**places_of(both, name), "{folder}": both.folder(name)}
    for number, (client, seen) in enumerate(ask_all(both, case, ask_of(case, name))):
        check({**case, "code": None}, client, seen, places)
        pattern = case.get("tail") if number == 0 else case.get("warm")
        if pattern is not None:
            for place, text in {**PATTERNS, "{folder}": re.escape(places["{folder}"])}.items():
                pattern = pattern.replace(place, text)
            assert re.fullmatch(pattern, seen.log or ""), seen.log
        if "size" in case:
            assert len((seen.log or "").encode()) == case["size"]
