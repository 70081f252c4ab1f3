"""Who may call: the signature is verified, its age too, and a captured request is of no use."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lmfunction.local._auth import Keys, SignatureCheck, _SeenCalls
from lmfunction.local._http import Request

PATH = "/2015-03-31/functions/echo/invocations"
KEYS = Keys("AKIAEXAMPLE", "secret")


def signed(path: str = PATH, body: bytes = b"{}", **headers: str) -> Request:
    request = AWSRequest("POST", f"http://127.0.0.1:1{path}", data=body, headers=headers)
    SigV4Auth(Credentials(KEYS.access_key, KEYS.secret_key), "lambda", "us-east-1").add_auth(request)
    names = {name.lower(): value for name, value in request.headers.items()}
    return Request("POST", path, {"host": "127.0.0.1:1", **names}, body)


def check(at: float = 0.0) -> SignatureCheck:
    return SignatureCheck(KEYS, "us-east-1", clock=lambda: time.time() + at)


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aecho/invocations",
        PATH + "?Qualifier=%24LATEST",
        PATH + "?b=2&a=1&a=%2B%20x",
        PATH + "?flag=",
    ],
)
def test_accepts_what_botocore_signs(path: str) -> None:
    """Encoded paths and queries are canonical as botocore has them."""
    assert check().refusal(signed(path)) is None


@pytest.mark.parametrize(
    ("at", "refused"), [(-1200, True), (-330, True), (-270, False), (270, False), (330, True), (1200, True)]
)
def test_age(at: float, refused: bool) -> None:
    """K4: a date more than five minutes off, either way, is refused."""
    answer = check(at).refusal(signed())
    assert (answer is not None) == refused
    if answer is not None:
        assert answer.status == 403
        assert (b"Signature expired" if at > 0 else b"Signature not yet current") in answer.body


def test_blanks_in_headers_are_folded() -> None:
    """Runs of blanks in a signed header count as one."""
    assert check().refusal(signed(**{"X-Amz-Client-Context": "a   b"})) is None


def test_replay_is_refused() -> None:
    """K5: the same signature with the same invocation id and attempt is a replay; another id or attempt is not."""
    verify = check()
    first = signed()
    ids = {"amz-sdk-invocation-id": "one", "amz-sdk-request": "attempt=1"}
    later = {**ids, "amz-sdk-request": "attempt=2; max=3"}, {**ids, "amz-sdk-invocation-id": "two"}
    for headers in ({**first.headers, **ids}, *({**first.headers, **more} for more in later)):
        request = Request("POST", PATH, headers, first.body)
        assert verify.refusal(request) is None
        answer = verify.refusal(request)
        assert answer is not None
        assert answer.status == 403
        assert b"used before" in answer.body


def test_signed_id_cannot_be_altered() -> None:
    """K5: where the id is signed, no other header makes a second call of a captured one."""
    verify = check()
    request = signed(**{"amz-sdk-invocation-id": "one"})
    assert verify.refusal(request) is None
    headers = {**request.headers, "amz-sdk-request": "attempt=2"}
    assert verify.refusal(Request("POST", PATH, headers, request.body)) is not None
    headers["amz-sdk-invocation-id"] = "two"
    assert verify.refusal(Request("POST", PATH, headers, request.body)) is not None


def test_without_an_id_identical_calls_pass() -> None:
    """A signer that sends no id may call twice in one second: the signature cannot tell it from a replay."""
    verify, plain = check(), signed()
    assert verify.refusal(plain) is None
    assert verify.refusal(plain) is None


def test_memory_of_calls_is_bounded() -> None:
    """When the memory is full, the oldest calls are forgotten and refused, never accepted anew."""
    seen = _SeenCalls(limit=3)
    for second in range(1, 6):
        assert seen.first_time(second, second, now=5)
    assert seen.floor == 2
    assert sum(len(marks) for marks in seen._by_second.values()) == 3
    assert not seen.first_time(5, 5, now=5)
    assert not seen.first_time(1, 1, now=5)


def test_a_server_started_anew_takes_nothing_from_before() -> None:
    """K5: keys that outlive a server do not let in what was sent to the one before."""
    request = signed()
    request.headers["amz-sdk-invocation-id"] = "one"
    assert check(at=0).refusal(request) is None
    assert check(at=3).refusal(request) is not None


def test_memory_of_one_second_is_bounded() -> None:
    """More calls in one second than can be remembered are refused, too."""
    seen = _SeenCalls(limit=3)
    assert [seen.first_time(mark, 5, now=5) for mark in range(5)] == [True, True, True, False, False]
    assert seen.first_time(9, 6, now=6)


def test_keys_are_masked() -> None:
    """The repr does not hold the secret."""
    keys = Keys.random()
    assert keys.secret_key not in repr(keys)
    assert keys != Keys.random()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "InvalidSignatureException"),
        ({"key": "AKIAWRONG"}, "UnrecognizedClientException"),
        ({"service": "s3"}, "InvalidSignatureException"),
        ({"region": "eu-west-1"}, "InvalidSignatureException"),
    ],
)
def test_wrong_keys_and_scopes(wire: Any, change: dict[str, str], code: str) -> None:
    """K2: what is signed with other keys or for another scope is refused."""
    reply = wire.request(**change)
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (403, code)


def test_altered_requests(wire: Any, to_bytes: Any) -> None:
    """K3 and K6: a signature holds for its body, path, header values and host only."""
    headers = wire.signed(headers={"X-Amz-Invocation-Type": "DryRun"})
    assert wire.send(to_bytes("POST", PATH, headers, b'{"a": 1}')).status == 204
    for path, body, changed in (
        (PATH, b'{"a": 2}', {}),
        (PATH.replace("echo", "fail"), b'{"a": 1}', {}),
        (PATH + "?Qualifier=x", b'{"a": 1}', {}),
        (PATH, b'{"a": 1}', {"X-Amz-Invocation-Type": "RequestResponse"}),
        (PATH, b'{"a": 1}', {"Host": f"localhost:{wire.port}"}),
    ):
        reply = wire.send(to_bytes("POST", path, {**headers, **changed}, body))
        assert (reply.status, reply.lower["x-amzn-errortype"]) == (403, "InvalidSignatureException")


def test_captured_request_is_refused(wire: Any, to_bytes: Any) -> None:
    """K5: what botocore sent once cannot be sent again by somebody else."""
    unsigned = {"amz-sdk-invocation-id": "one", "amz-sdk-request": "attempt=1"}
    captured = to_bytes("POST", PATH, {**wire.signed(), **unsigned}, b'{"a": 1}')
    assert wire.send(captured).status == 200
    reply = wire.send(captured)
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    assert "used before" in reply.json()["message"]


def test_identical_boto3_calls_pass(client: Any) -> None:
    """boto3 signs identical calls within a second identically; none of them is taken for a replay."""
    assert [client.invoke(FunctionName="echo", Payload=b"1")["StatusCode"] for _ in range(20)] == [200] * 20


def test_garbage_in_authorization(wire: Any, to_bytes: Any) -> None:
    """Anything that is not a Version 4 signature is refused before the body is read."""
    for text in ("Basic abc", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b", "x" * 5000):
        reply = wire.send(to_bytes("POST", PATH, {"Host": f"127.0.0.1:{wire.port}", "Authorization": text}, b"{}"))
        assert (reply.status, reply.lower["x-amzn-errortype"]) == (403, "IncompleteSignatureException")
