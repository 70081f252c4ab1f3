"""What the HTTP engine signs is what botocore signs, byte for byte; what it sends is what boto3 sends."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lmfunction import _line
from lmfunction._auth import Credential
from lmfunction._boto import Connection, make_client
from lmfunction._request import InvokeRequest
from lmfunction._sending import Address
from lmfunction._signing import Signer, SigningKey

NAMES = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_.-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]+))?", fullmatch=True),
    st.from_regex(r"arn:aws:lambda:eu-west-1:[0-9]{12}:function:[a-zA-Z0-9_-]{1,20}", fullmatch=True),
)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60).filter(
    lambda text: text == text.strip()
)


def botocores(signer: Signer, made: bytes, now: float, credential: Credential, region: str) -> str:
    """The Authorization header that botocore gives the same request at the same second."""
    body = made.partition(b"\r\n\r\n")[2]
    headers = {**signer.headers, "amz-sdk-invocation-id": fields(made)["amz-sdk-invocation-id"]}
    query = f"?{signer.query}" if signer.query else ""
    request = AWSRequest("POST", f"https://{signer.host}{signer.path}{query}", headers=headers, data=body)
    auth = botocore.auth.SigV4Auth(
        Credentials(credential.access_key, credential.secret_key, credential.session_token), "lambda", region
    )
    moment = datetime.datetime.fromtimestamp(int(now), datetime.UTC)
    kept, botocore.auth.get_current_datetime = botocore.auth.get_current_datetime, lambda *_, **__: moment
    try:
        auth.add_auth(request)
    finally:
        botocore.auth.get_current_datetime = kept
    return str(request.headers["Authorization"])


def fields(request: bytes) -> dict[str, str]:
    """The headers of a request's bytes."""
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:])


@settings(max_examples=150, deadline=None)
@given(
    name=NAMES,
    qualifier=st.one_of(st.none(), st.just("$LATEST"), st.from_regex(r"[a-zA-Z0-9$_-]{1,40}", fullmatch=True)),
    context=st.one_of(st.none(), WORDS),
    tenant=st.one_of(st.none(), VALUES),
    body=st.binary(max_size=300),
    now=st.integers(0, 4_000_000_000),
    token=st.one_of(st.none(), WORDS),
    secret=WORDS,
    region=st.sampled_from(["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]),
    host=st.sampled_from(["lambda.eu-west-1.amazonaws.com", "127.0.0.1:8443", "vpce-1.lambda.vpce.amazonaws.com"]),
    base=st.sampled_from(["", "/prod", "/a//b"]),
)
def test_signatures_are_botocores(
    name: str,
    qualifier: str | None,
    context: str | None,
    tenant: str | None,
    body: bytes,
    now: int,
    token: str | None,
    secret: str,
    region: str,
    host: str,
    base: str,
) -> None:
    """Odd names and qualifiers, contexts, tokens, any body and second: the Authorization header is botocore's."""
    credential = Credential("AKIDEXAMPLE", secret, token)
    line = _line.Line(f"https://{host}", host.partition(":")[0], 8443 if ":" in host else 443, base, region, "agent",
                      _line._trust(False))  # fmt: skip
    request = InvokeRequest(name, body, qualifier=qualifier, client_context=context, tenant_id=tenant, log_type="Tail")
    signer = Address.of(line, request, SigningKey(credential, region)).signer
    assert signer.host == host
    made = signer.request(body, now)
    assert fields(made)["Authorization"] == botocores(signer, made, now, credential, region)
    assert made.endswith(b"\r\n\r\n" + body)
    assert fields(made).get("X-Amz-Security-Token") == token
    # A second later, another day, other keys: nothing of the former second is left.
    for later in (now + 1, now + 86_400):
        made = signer.request(body, later)
        assert fields(made)["Authorization"] == botocores(signer, made, later, credential, region)
    other = Credential("AKIDOTHER", "other")
    signer.use(SigningKey(other, region))
    made = signer.request(body, now)
    assert fields(made)["Authorization"] == botocores(signer, made, now, other, region)


def test_every_request_has_an_id_of_its_own() -> None:
    """Two alike in one second differ in a signed header, spelled as the SDKs' is, and so in their signature."""
    line = _line.Line("http://h", "h", 80, "", "us-east-1", "agent", None)
    request = InvokeRequest("f", b"{}")
    signers = [Address.of(line, request, SigningKey(Credential("AKID", "s"), "us-east-1")).signer for _ in range(2)]
    made = [fields(signer.request(b"{}", 0)) for signer in signers for _ in range(3)]
    assert len({head["Authorization"] for head in made}) == 6
    assert all(uuid.UUID(head["amz-sdk-invocation-id"]).version == 4 for head in made)
    assert all("SignedHeaders=amz-sdk-invocation-id;" in head["Authorization"] for head in made)


@pytest.mark.parametrize(
    "request_",
    [
        InvokeRequest("f", b"{}"),
        InvokeRequest("arn:aws:lambda:us-east-1:123456789012:function:f:PROD", b'{"a": 1}', log_type="Tail"),
        InvokeRequest("f", b"1", qualifier="$LATEST", invocation_type="Event", tenant_id="a b/c"),
        InvokeRequest("a.b_c-d", b"1", client_context="eyJhIjoxfQ==", durable_execution_name="once-1"),
        InvokeRequest("f", b"", invocation_type="DryRun"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", None, "https://[::1]:8443/base"])
def test_requests_are_boto3s(request_: InvokeRequest, endpoint: str | None) -> None:
    """Path, query, host and headers are those that boto3's client sends, but for its random and counting ones."""
    connection = Connection("us-east-1", endpoint, credential=Credential("AKIDEXAMPLE", "secret", "token"))
    client = make_client(connection)
    line = _line.line_of(client, connection)
    seen: list[Any] = []

    def take(request: Any, **_: Any) -> Any:
        seen.append(request)
        raise ConnectionError

    client.meta.events.register("before-send.lambda.Invoke", take)
    with pytest.raises(ConnectionError):
        client.invoke(**request_.members())
    client.close()
    plain = make_client(connection)  # whatever is hung into a client, only that one can do
    line = _line.line_of(plain, connection)
    plain.close()
    assert isinstance(line, _line.Line)
    assert connection.credential is not None
    signer = Address.of(line, request_, SigningKey(connection.credential, line.region)).signer
    sent = seen[0]
    moment = datetime.datetime.strptime(_text(sent.headers["X-Amz-Date"]), "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.UTC
    )
    made = signer.request(request_.payload, moment.timestamp())
    target = made.split(b" ", 2)[1].decode()
    scheme, _, rest = sent.url.partition("://")
    assert f"{scheme}://{signer.host}{target}" == f"{scheme}://{rest}"
    ours = {name.lower(): value for name, value in fields(made).items()}
    theirs = {name.lower(): _text(value) for name, value in sent.headers.items()}
    # Both send an id of the call; boto3 adds it after signing, and so does not sign it.
    ids = [uuid.UUID(headers.pop("amz-sdk-invocation-id")) for headers in (ours, theirs)]
    assert [one.version for one in ids] == [4, 4]
    theirs.pop("amz-sdk-request", None)
    signed = botocores(signer, made, moment.timestamp(), connection.credential, line.region)
    assert ours.pop("authorization") == signed
    assert signed.partition(";")[2].partition(",")[0] in theirs.pop("authorization")
    assert ours.pop("accept-encoding") == "identity"
    assert ours.pop("host") == signer.host
    assert ours.pop("content-length") == str(len(request_.payload))
    theirs.pop("content-length", None)
    assert ours == theirs


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
