"""Lambda called as paws and boto3 call it, beside boto3 on the same embedded Lambda."""

from __future__ import annotations

import base64
import inspect
import io
import json
import pickle
import re
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.config import Config

import lmfunction as lm
from lmfunction import _wire
from lmfunction._session import default_session
from lmfunction.local._child import start_embedded

KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "not-a-secret"}
CONTEXT = {"custom": {"trace": "é"}}
CONTEXT_BASE64 = base64.b64encode(json.dumps(CONTEXT).encode()).decode()
THROTTLED = {"status": 429, "type": "TooManyRequestsException", "body": "{}"}


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    with start_embedded() as running:
        yield running


@pytest.fixture(scope="module")
def theirs(running: Any) -> Iterator[Any]:
    client = boto3.client(
        "lambda",
        endpoint_url=running.url,
        region_name=running.region,
        aws_access_key_id=running.access_key,
        aws_secret_access_key=running.secret_key,
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def there(running: Any) -> dict[str, Any]:
    """The settings, as paws names them, by which calls go to the embedded Lambda."""
    keys = {"access_key_id": running.access_key, "secret_access_key": running.secret_key}
    return {"credentials": {"creds": keys}, "endpoint": running.url, "region": running.region}


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


CALLS: list[dict[str, Any]] = [
    {},
    {"Payload": b""},
    {"Payload": ""},
    {"Payload": '{"id": 1}'},
    {"Payload": b'{"id":\t1}'},
    {"Payload": bytearray(b"[1]")},
    {"Payload": '"é"'},
    {"InvocationType": "RequestResponse", "LogType": "None", "Qualifier": "$LATEST"},
    {"InvocationType": "Event", "Payload": "{}"},
    {"InvocationType": "DryRun"},
    {"ClientContext": CONTEXT_BASE64},
]


@pytest.mark.parametrize("members", CALLS, ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", repr(value)))
def test_the_answer_has_boto3s_members(theirs: Any, there: dict[str, Any], members: dict[str, Any]) -> None:
    """Same names, same values; what Lambda did not send is absent. Only boto3's own metadata is left out."""
    expected = theirs.invoke(FunctionName="echo", **members)
    expected.pop("ResponseMetadata")
    expected["Payload"] = expected["Payload"].read()
    assert lm.lambda_invoke("echo", **members, **there) == expected


def test_a_failed_function_is_no_exception(theirs: Any, there: dict[str, Any]) -> None:
    """Whatever a default says: FunctionError stands in the answer, beside its payload and log."""
    expected = theirs.invoke(FunctionName="fail", LogType="Tail", Payload='{"order": 3}')
    lm.defaults["*:ErrorAction"] = "Stop"
    try:
        found = lm.lambda_invoke("fail", LogType="Tail", Payload={"order": 3}, **there)
    finally:
        del lm.defaults["*:ErrorAction"]
    assert set(found) == set(expected) - {"ResponseMetadata"}
    assert found["FunctionError"] == expected["FunctionError"] == "Unhandled"
    assert json.loads(found["Payload"])["errorMessage"] == json.loads(expected["Payload"].read())["errorMessage"]
    assert b"REPORT RequestId" in base64.b64decode(found["LogResult"])


def test_payloads_may_be_objects_and_open_files(there: dict[str, Any]) -> None:
    """Which boto3 and paws leave to the caller."""
    for payload in ({"id": [1]}, '{"id": [1]}', io.BytesIO(b'{"id": [1]}'), memoryview(b'{"id": [1]}')):
        assert json.loads(lm.lambda_invoke("echo", Payload=payload, **there)["Payload"]) == {"id": [1]}
    assert json.loads(lm.lambda_invoke("echo", Payload=[1], **there)["Payload"]) == [1]


def test_the_body_is_sent_untouched(server: Any) -> None:
    """Text and bytes as they are; the client context is not encoded again, and a dict is encoded once."""
    with lm.client(endpoint=server.url, region="eu-west-1", credentials=KEYS) as client:
        for payload in ('{ "a" :1.0 }', b'{\n"a":1e2}'):
            client.invoke("f", Payload=payload, ClientContext=CONTEXT_BASE64)
        client.invoke("f", ClientContext=CONTEXT)
    assert [r.body for r in server.requests] == [b'{ "a" :1.0 }', b'{\n"a":1e2}', b"{}"]
    contexts = [r.headers["x-amz-client-context"] for r in server.requests]
    assert contexts[:2] == [CONTEXT_BASE64] * 2
    assert json.loads(base64.b64decode(contexts[2])) == CONTEXT


def test_every_member_reaches_its_header(server: Any) -> None:
    """In paws's order of arguments, too."""
    with lm.client(endpoint=server.url, region="eu-west-1", credentials=KEYS) as client:
        client.invoke("f", "RequestResponse", "Tail", CONTEXT_BASE64, "run-1", b"1", "live", "tenant-1")
    request = server.requests[0]
    assert request.line.startswith("POST /2015-03-31/functions/f/invocations?Qualifier=live ")
    assert request.body == b"1"
    assert request.headers[_wire.LOG_TYPE.lower()] == "Tail"
    assert request.headers["x-amz-tenant-id"] == "tenant-1"
    assert request.headers["x-amz-durable-execution-name"] == "run-1"
    assert request.headers["x-amz-client-context"] == CONTEXT_BASE64


def test_the_payload_reads_as_bytes_and_as_boto3s_stream(there: dict[str, Any]) -> None:
    """`rawToChar(resp$Payload)` and `resp["Payload"].read()` both have their counterpart."""
    body = lm.lambda_invoke("echo", Payload="[1, 2]", **there)["Payload"]
    assert isinstance(body, bytes)
    assert body.decode() == "[1, 2]"
    assert (body.read(3), body.read(), body.read()) == (b"[1,", b" 2]", b"")
    assert json.load(lm.lambda_invoke("echo", Payload="[1]", **there)["Payload"]) == [1]
    assert pickle.loads(pickle.dumps(body)) == body
    body.close()


def test_the_signatures_are_the_apis_and_paws() -> None:
    """The members in paws's order, then its settings; a client's invoke takes the same."""
    members = ["FunctionName", "InvocationType", "LogType", "ClientContext", "DurableExecutionName"]
    members += ["Payload", "Qualifier", "TenantId"]
    function = inspect.signature(lm.lambda_invoke).parameters
    assert [n for n, p in function.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == members
    model = boto3.Session().client("lambda", region_name="eu-west-1").meta.service_model
    assert set(members) == set(model.operation_model("Invoke").input_shape.members)
    method = inspect.signature(type(lm.client(region="eu-west-1")).invoke).parameters
    assert [str(p) for n, p in method.items() if n != "self"] == [str(p) for p in function.values()]
    assert set(inspect.signature(lm.client).parameters) - {"service_name"} == set(function) - set(members)


@pytest.mark.parametrize(
    "settings",
    [
        {"credentials": {"creds": KEYS}},
        {"credentials": KEYS},
        {"credentials": lm.Credential("AKIDEXAMPLE", "not-a-secret")},
        {"credentials": boto3.Session("AKIDEXAMPLE", "not-a-secret")},
        {"config": {"credentials": {"creds": {**KEYS, "session_token": ""}}}},
    ],
    ids=["creds", "keys", "Credential", "boto3 session", "config"],
)
def test_credentials_come_in_every_shape(server: Any, settings: dict[str, Any]) -> None:
    """paws's lists, and Python's objects."""
    lm.lambda_invoke("f", endpoint=server.url, region="eu-west-1", **settings)
    assert "Credential=AKIDEXAMPLE/" in server.requests[0].headers["authorization"]
    assert "x-amz-security-token" not in server.requests[0].headers


def test_profiles_and_tokens(server: Any) -> None:
    """A profile by keyword or inside credentials; a session token is sent."""
    assert lm.lambda_invoke("hello", profile="local")["StatusCode"] == 200
    assert lm.lambda_invoke("hello", credentials={"profile": "local", "anonymous": False})["StatusCode"] == 200
    keys = {**KEYS, "session_token": "token-1"}
    lm.lambda_invoke("f", endpoint=server.url, region="eu-west-1", credentials={"creds": keys})
    assert server.requests[0].headers["x-amz-security-token"] == "token-1"


@pytest.mark.parametrize(
    ("settings", "sends"),
    [
        ({}, 5),
        ({"max_retries": 0}, 1),
        ({"max_retries": 2}, 3),
        ({"config": {"max_retries": 1}}, 2),
        ({"config": {"max_retries": 4}, "max_retries": 1}, 2),
        ({"config": Config(retries={"max_attempts": 1})}, 2),
        ({"config": Config(retries={"total_max_attempts": 1, "mode": "standard"})}, 1),
    ],
    ids=["unset", "none", "two", "config", "keyword first", "botocore's retries", "botocore's attempts"],
)
def test_max_retries_counts_what_comes_after_the_first_send(
    server: Any, settings: dict[str, Any], sends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the safe kind only: what may have run is sent once, whatever is asked."""
    policy = default_session().engine.policy
    monkeypatch.setitem(policy.__dict__, "sleep", lambda _: None)
    where = {"endpoint": server.url, "region": "eu-west-1", "credentials": KEYS, **settings}
    server.play([THROTTLED])
    with pytest.raises(lm.ServiceError):
        lm.lambda_invoke("f", **where)
    assert len(server.requests) == sends
    server.play([{"status": 500, "type": "ServiceException", "body": "{}"}])
    with pytest.raises(lm.ServiceError):
        lm.lambda_invoke("f", **where)
    assert len(server.requests) == 1


def test_timeouts_are_seconds(server: Any) -> None:
    """read_timeout ends the wait, with an outcome that is unknown; connect_timeout is the client's."""
    server.play([{"raw": b"", "then": "stall"}])
    where = {"endpoint": server.url, "region": "eu-west-1", "credentials": KEYS}
    for settings in ({"read_timeout": 0.3}, {"config": {"timeout": 0.3}}, {"config": Config(read_timeout=0.3)}):
        with pytest.raises(lm.TransportError) as caught:
            lm.lambda_invoke("f", connect_timeout=2, **settings, **where)
        assert (caught.value.kind, caught.value.sent) == ("TimeoutError", None)
    client = lm.client(connect_timeout=2.5, **where)
    with pytest.raises(lm.TransportError):
        client.invoke("f", read_timeout=0.3)
    (transport,) = client._engine.connections._open.values()
    assert transport.client.meta.config.connect_timeout == 2.5
    client.close()


def test_a_botocore_config_keeps_its_other_options(server: Any) -> None:
    """Its region and user agent are used; what would break a promise is refused with the reason."""
    config = Config(region_name="eu-west-3", user_agent_extra="team-a", tcp_keepalive=True)
    lm.lambda_invoke("f", endpoint=server.url, credentials=KEYS, config=config)
    headers = server.requests[0].headers
    assert "/eu-west-3/lambda/" in headers["authorization"]
    assert "team-a" in headers["user-agent"]
    with pytest.raises(lm.ParameterError, match="signature_version cannot be set: Lambda takes"):
        lm.lambda_invoke("f", endpoint=server.url, region="eu-west-3", config=Config(signature_version="v4"))


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"credentials": {"anonymous": True}}, "Lambda refuses calls that are not signed"),
        ({"credentials": {"creds": {"acces_key_id": "x"}}}, "no member 'acces_key_id'. Did you mean access_key_id?"),
        ({"credentials": {"creds": {"access_key_id": "hidden-1"}}}, "needs access_key_id and secret_access_key"),
        ({"credentials": "hidden-1"}, "Credential is str"),
        ({"config": {"regoin": "x"}}, "config has no setting 'regoin'. Did you mean region?"),
        ({"config": {"s3_force_path_style": True}}, "s3_force_path_style is not taken"),
        ({"config": "hidden-1"}, "config is str; it must be a mapping or a botocore Config"),
        ({"max_retries": -1}, "max_retries must be a whole number"),
        ({"max_retries": "3"}, "max_retries must be a whole number"),
        ({"connect_timeout": 0}, "connect_timeout must be a number of seconds"),
        ({"read_timeout": -1}, "TimeoutSec"),
        ({"endpoint": "http://example.com"}, "EndpointUrl"),
        ({"Payload": 3}, "Payload is int; it must be text, bytes, an open file, a dict or a list"),
        ({"Payload": "{hidden-1"}, "Payload"),
        ({"ClientContext": '{"custom": {}}'}, "ClientContextBase64 is not base64"),
        ({"LogType": "Tial"}, "LogType is 'Tial'"),
        ({"FunctionName": None}, "FunctionName"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_wrong_is_refused_before_it_is_sent(server: Any, keywords: dict[str, Any], says: str) -> None:
    """As a ParameterError that names it and shows no value that may be secret."""
    where = {"FunctionName": "f", "endpoint": server.url, "region": "eu-west-1", "credentials": KEYS}
    with pytest.raises(lm.ParameterError) as caught:
        lm.lambda_invoke(**{**where, **keywords})
    assert says in str(caught.value)
    assert "hidden-1" not in str(caught.value)
    assert server.requests == []


def test_a_client_has_settings_and_connections_of_its_own(there: dict[str, Any], server: Any) -> None:
    """Given once for all calls, replaced for one; its repr shows no key. Another service is refused."""
    with lm.client("lambda", **there) as client:
        assert client.invoke(FunctionName="hello", Payload={"name": "R"})["Payload"] == b'{"message": "Hello, R!"}'
        assert client.invoke("f", endpoint=server.url)["StatusCode"] == 200
        assert client.invoke("hello", max_retries=0)["StatusCode"] == 200
        assert "creds" not in repr(client)
        assert there["endpoint"] in repr(client)
    assert client.invoke("hello")["StatusCode"] == 200
    client.close()
    with pytest.raises(lm.ParameterError, match="only a client for lambda, not for 's3'"):
        lm.client("s3")
    with pytest.raises(lm.ParameterError, match="anonymous"):
        lm.client(credentials={"anonymous": True})


def test_refusals_raise_as_everywhere(there: dict[str, Any]) -> None:
    """AWS's refusal is a ServiceError with its code, a default of WhatIf no silent success."""
    with pytest.raises(lm.ServiceError) as caught:
        lm.lambda_invoke("no-such-function", **there)
    assert (caught.value.code, caught.value.status) == ("ResourceNotFoundException", 404)
    lm.defaults["*:WhatIf"] = True
    try:
        with pytest.raises(lm.GuardError, match="WhatIf is set by the defaults"):
            lm.lambda_invoke("hello", **there)
    finally:
        del lm.defaults["*:WhatIf"]


def test_code_written_for_boto3_runs_as_it_is(running: Any, there: dict[str, Any]) -> None:
    """The same function over either client gives the same."""
    source = textwrap.dedent("""
        def ask(client, order):
            response = client.invoke(FunctionName="fail", Payload=json.dumps({"order": order}))
            if "FunctionError" in response:
                return json.load(response["Payload"])["errorType"]
            return response["Payload"].read()
    """)
    names: dict[str, Any] = {"json": json}
    exec(source, names)
    keys = {"aws_access_key_id": running.access_key, "aws_secret_access_key": running.secret_key}
    theirs = boto3.client("lambda", endpoint_url=running.url, region_name=running.region, **keys)
    assert names["ask"](lm.client(**there), 1) == names["ask"](theirs, 1) == "OrderNotFoundError"
    theirs.close()
