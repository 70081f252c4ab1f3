"""Tables of invocations and what AWS answers, over raw HTTP, over boto3 and over our own cmdlet.

What a function does is run under both Python loops: our own, and awslambdaric where it is installed.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from botocore.exceptions import ClientError, ParamValidationError

import lmfunction as lm
from lmfunction._retry import RetryPolicy
from lmfunction.errors import LMWarning, ParameterError, ServiceError
from lmfunction.local._answers import NAME_PATTERN, QUALIFIER_PATTERN, TENANT_PATTERN
from lmfunction.local._child import Embedded, start_embedded
from lmfunction.local._settings import AWSLAMBDARIC, OWN_LOOP, Settings

ARN = "arn:aws:lambda:us-east-1:000000000000:function"
CLIENTS = ("raw", "boto3", "lm")
FUNCTIONS = yaml.safe_load((Path(__file__).parent / "cases" / "functions.yaml").read_text("utf-8"))
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


@dataclass
class Ask:
    """One invocation, as a caller would spell it. None is not given."""

    function: str
    event: bytes | None = None
    type: str | None = None
    log_type: str | None = None
    qualifier: str | None = None
    context: str | None = None
    context_base64: str | None = None
    tenant: str | None = None
    durable: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def encoded_context(self) -> str | None:
        text = self.context
        return self.context_base64 if text is None else base64.b64encode(text.encode()).decode()


@dataclass
class Seen:
    """One answer, whoever asked. `refused` is what a client says that has sent nothing."""

    status: int = 0
    error: str | None = None
    version: str | None = None
    payload: bytes = b""
    log: str | None = None
    request_id: str | None = None
    code: str | None = None
    message: str = ""
    refused: str | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)


class World:
    """A server with one Python loop, three clients of it, and the functions that were deployed so far."""

    def __init__(self, server: Embedded, wire: Any, deploy: Any, read_reply: Any, to_bytes: Any) -> None:
        self.server = server
        self._wire = wire
        self._deploy = deploy
        self._read_reply = read_reply
        self._to_bytes = to_bytes
        self._named: dict[str, str] = {}
        self._connection: socket.socket | None = None
        self._session = lm.Session(
            region=server.region,
            endpoint_url=server.url,
            credential=lm.Credential(server.access_key, server.secret_key),
            retry_policy=RetryPolicy(max_attempts=2, sleep=lambda seconds: None),
        )

    def close(self) -> None:
        self._session.close()
        if self._connection is not None:
            self._connection.close()

    def deployed(self, case: dict[str, Any]) -> str:
        """The name of the function that a case is about."""
        if "code" in case:
            return self._deploy_case(case)
        name: str = case.get("function", "echo")
        if name not in FUNCTIONS:
            return name
        if name not in self._named:
            self._named[name] = self._deploy_case(FUNCTIONS[name])
        return self._named[name]

    def _deploy_case(self, case: dict[str, Any]) -> str:
        more = {
            "Handler": case.get("handler", "app.handler"),
            "Timeout": case.get("timeout", 20),
            "Runtime": case.get("runtime", "python3.12"),
            "MemorySize": case.get("memory", 128),
            "files": case.get("files", {}),
        }
        if "logging" in case:
            more["LoggingConfig"] = case["logging"]
        if "tenancy" in case:
            more["TenancyConfig"] = {"TenantIsolationMode": case["tenancy"]}
        client = self._deploy.client
        name: str = self._deploy(case.get("publish", case["code"]), **more)
        if "publish" in case:
            version = client.publish_version(FunctionName=name)["Version"]
            client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
            client.update_function_code(FunctionName=name, ZipFile=self._deploy.zipped({"app.py": case["code"]}))
        if "reserved" in case:
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=case["reserved"])
        return name

    def folder(self, name: str) -> str:
        """Where the code of a function is."""
        location: str = self._deploy.client.get_function(FunctionName=name)["Code"]["Location"]
        return location.removeprefix("file://")

    def ask(self, client: str, ask: Ask) -> Seen:
        """Invokes by one of the clients."""
        asks: dict[str, Callable[[Ask], Seen]] = {"raw": self._ask_raw, "boto3": self._ask_boto3, "lm": self._ask_lm}
        return asks[client](ask)

    def ask_told(self, client: str, ask: Ask) -> Seen:
        """The same, with what the client warned of."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", LMWarning)
            seen = self.ask(client, ask)
        return replace(seen, warned=[str(w.message) for w in caught])

    def _ask_raw(self, ask: Ask) -> Seen:
        given = {
            "X-Amz-Invocation-Type": ask.type,
            "X-Amz-Log-Type": ask.log_type,
            "X-Amz-Client-Context": ask.encoded_context,
            "X-Amz-Tenant-Id": ask.tenant,
            "X-Amz-Durable-Execution-Name": ask.durable,
        }
        headers = {name: value for name, value in given.items() if value is not None} | ask.headers
        path = f"/2015-03-31/functions/{quote(ask.function, safe='')}/invocations"
        if ask.qualifier is not None:
            path += f"?Qualifier={quote(ask.qualifier, safe='')}"
        body = ask.event or b""
        data = self._to_bytes("POST", path, self._wire.signed(path, body, headers=headers), body)
        with socket.create_connection(("127.0.0.1", self._wire.port), timeout=20) as connection:
            connection.sendall(data)
            reply = self._read_reply(connection)
        log = reply.lower.get("x-amz-log-result")
        failed = reply.status >= 400
        shown = reply.json() if failed else {}
        return Seen(
            status=reply.status,
            error=reply.lower.get("x-amz-function-error"),
            version=reply.lower.get("x-amz-executed-version"),
            payload=reply.body,
            log=None if log is None else base64.b64decode(log).decode("utf-8", "replace"),
            request_id=reply.lower.get("x-amzn-requestid"),
            code=reply.lower.get("x-amzn-errortype"),
            message=shown.get("message", shown.get("Message", "")),
            body=shown if failed else None,
            headers=reply.headers,
        )

    def _ask_boto3(self, ask: Ask) -> Seen:
        given = {
            "FunctionName": ask.function,
            "Payload": ask.event,
            "InvocationType": ask.type,
            "LogType": ask.log_type,
            "Qualifier": ask.qualifier,
            "ClientContext": ask.encoded_context,
            "TenantId": ask.tenant,
            "DurableExecutionName": ask.durable,
        }
        try:
            answer = self._deploy.client.invoke(**{name: value for name, value in given.items() if value is not None})
        except ParamValidationError as e:
            return Seen(refused=str(e))
        except ClientError as e:
            error, metadata = e.response["Error"], e.response["ResponseMetadata"]
            status, request_id = metadata["HTTPStatusCode"], metadata["RequestId"]
            return Seen(status=status, code=error["Code"], message=error["Message"], request_id=request_id)
        log = answer.get("LogResult")
        return Seen(
            status=answer["StatusCode"],
            error=answer.get("FunctionError"),
            version=answer.get("ExecutedVersion"),
            payload=answer["Payload"].read(),
            log=None if log is None else base64.b64decode(log).decode("utf-8", "replace"),
            request_id=answer["ResponseMetadata"]["RequestId"],
        )

    def _ask_lm(self, ask: Ask) -> Seen:
        given = {
            "payload": ask.event,
            "invocation_type": ask.type,
            "log_type": ask.log_type,
            "qualifier": ask.qualifier,
            "client_context": ask.context,
            "client_context_base64": ask.context_base64,
            "tenant_id": ask.tenant,
            "durable_execution_name": ask.durable,
        }
        given = {name: value for name, value in given.items() if value is not None}
        try:
            result = self._session.invoke_lm(ask.function, **given)
        except ParameterError as e:
            return Seen(refused=str(e))
        except ServiceError as e:
            return Seen(status=e.status, code=e.code, message=str(e), request_id=e.request_id)
        return Seen(
            status=result.status_code,
            error=result.function_error,
            version=result.executed_version,
            payload=result.raw_payload or b"",
            log=result.log,
            request_id=result.request_id,
        )


@pytest.fixture(scope="session")
def world(Wire: Any, Deployer: Any, client_of: Any, read_reply: Any, to_bytes: Any) -> Iterator[Callable[[str], World]]:
    """Worlds by the Python loop they run; each is started when first asked for."""
    worlds: dict[str, World] = {}

    def get(loop: str) -> World:
        if loop not in worlds:
            settings = Settings(python_loop=loop, enforce_memory=sys.platform == "linux", retry_delays=(0.01, 0.01))
            server = start_embedded(settings=settings)
            worlds[loop] = World(server, Wire(server), Deployer(client_of(server)), read_reply, to_bytes)
        return worlds[loop]

    yield get
    for one in worlds.values():
        one.close()
        assert one.server.errors == ""
        one.server.close()


@pytest.fixture(params=[OWN_LOOP, AWSLAMBDARIC])
def both(request: pytest.FixtureRequest, world: Callable[[str], World]) -> World:
    """A world of each Python loop."""
    if request.param == AWSLAMBDARIC and find_spec(AWSLAMBDARIC) is None:
        pytest.skip("awslambdaric is not installed")
    return world(request.param)


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
