"""Who may call: the signature is verified, its age too, and a captured request is of no use."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lmfunction.local._auth import Keys, SignatureCheck, _SeenSignatures
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


def test_replay_is_refused_where_it_can_be_told() -> None:
    """K5: with an invocation id the same signature twice is a replay; without one identical calls must pass."""
    verify = check()
    request = signed(**{"amz-sdk-invocation-id": "one"})
    assert verify.refusal(request) is None
    answer = verify.refusal(request)
    assert answer is not None
    assert answer.status == 403
    plain = signed()
    assert verify.refusal(plain) is None
    assert verify.refusal(plain) is None


def test_memory_of_signatures_is_bounded() -> None:
    """When the memory is full, old signatures are forgotten and refused, never accepted anew."""
    seen = _SeenSignatures(limit=3)
    for second in range(1, 6):
        assert seen.first_time(f"{second:064x}"[::-1], second, now=5)
    assert seen.floor == 1
    assert sum(len(marks) for marks in seen._by_second.values()) <= 4
    assert not seen.first_time(f"{5:064x}"[::-1], 5, now=5)


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
    """K5: what was sent once with a signed invocation id cannot be sent again by somebody else."""
    captured = to_bytes("POST", PATH, wire.signed(headers={"amz-sdk-invocation-id": "one"}), b'{"a": 1}')
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
