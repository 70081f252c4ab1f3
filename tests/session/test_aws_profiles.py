"""-ProfileName finds every kind of AWS profile, and what is wrong with one is told with its name and what to type."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore.credentials
import botocore.tokens
import pytest
from answering import AnsweringHandler, Requests

import lmfunction as lm

ROLE = "arn:aws:iam::123456789012:role/deploy"
START = "https://corp.awsapps.com/start"
CONFIG = f"""\
[default]
region = eu-west-1
[profile ops]
aws_access_key_id = AKIDOPS
aws_secret_access_key = ops-secret
[profile role]
role_arn = {ROLE}
source_profile = ops
external_id = outside
[profile chained]
role_arn = {ROLE}-2
source_profile = role
[profile web]
role_arn = {ROLE}
web_identity_token_file = TOKEN
[profile mfa]
role_arn = {ROLE}
source_profile = ops
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile loop]
role_arn = {ROLE}
source_profile = loop2
[profile loop2]
role_arn = {ROLE}
source_profile = loop
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Dev
[profile "old sso"]
sso_start_url = {START}
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Dev
[profile over-sso]
role_arn = {ROLE}
source_profile = sso
[sso-session corp]
sso_start_url = {START}
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
[profile signed-in]
login_session = arn:aws:iam::123456789012:user/me
"""


@pytest.fixture(scope="module")
def lambda_(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of cached sign-ins."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(folder))
    monkeypatch.setattr(botocore.tokens.SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def home(tmp_path: Path, sts: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ~/.aws/config with a profile of each kind; STS is moto's."""
    token = tmp_path / "web-token"
    token.write_text("header.claims.signature")
    (tmp_path / "config").write_text(CONFIG.replace("TOKEN", str(token)))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
    return tmp_path


@pytest.fixture
def session(lambda_: Any, home: Path) -> Iterator[lm.Session]:
    with lm.Session(region="eu-west-1", endpoint_url=lambda_.url) as session:
        yield session


def signer(server: Any) -> tuple[str, str | None]:
    """The key id and the token that the last request was signed with."""
    headers = server.requests[-1].headers
    found = re.search(r"Credential=(\w+)/", headers["authorization"])
    assert found is not None
    return found[1], headers.get("x-amz-security-token")


@pytest.mark.parametrize("name", ["role", "chained", "web"])
def test_a_role_is_assumed_once_and_used(name: str, session: lm.Session, lambda_: Any) -> None:
    """With a source profile, through another role, by a web identity: temporary keys sign, the same for every call."""
    session.invoke_lm("f", profile_name=name)
    first = signer(lambda_)
    session.invoke_lm("g", profile_name=name)
    assert first[0].startswith("ASIA")
    assert first[1]
    assert signer(lambda_) == first


def test_a_role_of_the_session_is_assumed_and_used(session: lm.Session, lambda_: Any) -> None:
    """Set-AWSCredential -RoleArn; also one of New-AWSCredential, given to a call."""
    session.set_aws_credential(role_arn=ROLE, source_profile="ops", external_id="outside")
    assert repr(session.get_aws_credential()) == f"<Credential of role {ROLE}>"
    session.invoke_lm("f")
    assert signer(lambda_)[0].startswith("ASIA")
    session.clear_aws_credential()
    made = session.new_aws_credential(role_arn=ROLE, source_profile="role")
    session.invoke_lm("f", credential=made)
    first = signer(lambda_)
    assert first[0].startswith("ASIA")
    session.invoke_lm("g", credential=made)
    assert signer(lambda_) == first


def program_in(folder: Path, lifetime: float) -> str:
    """A credential_process whose keys count up and end after `lifetime` seconds."""
    path = folder / "program.py"
    path.write_text(
        "import datetime, json, pathlib\n"
        f"count = pathlib.Path({str(folder / 'count')!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        f"ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds={lifetime})\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'ASIDRUN{number}', 'SecretAccessKey': 's',\n"
        "    'SessionToken': f't{number}', 'Expiration': ends.isoformat()}))\n"
    )
    return f"[profile program]\ncredential_process = {sys.executable} {path}\n"


@pytest.mark.parametrize("through", ["profile", "shell", "object"])
def test_keys_that_end_are_renewed_in_an_open_client(
    through: str, session: lm.Session, lambda_: Any, home: Path
) -> None:
    """A program's keys of five minutes are renewed by each call, those of an hour are kept; no client is made anew."""
    config = home / "config"
    config.write_text(config.read_text() + program_in(home, 300))
    given: dict[str, Any] = {}
    if through == "profile":
        given = {"profile_name": "program"}
    elif through == "object":
        given = {"credential": session.get_aws_credential("program")}
    else:
        session.set_aws_credential("program")
    seen = []
    for _ in range(3):
        session.invoke_lm("f", **given)
        seen.append(signer(lambda_))
    numbers = [int(key.removeprefix("ASIDRUN")) for key, _ in seen]
    assert numbers == sorted(set(numbers)), "each call was signed with newer keys"
    assert [token for _, token in seen] == [f"t{number}" for number in numbers], "key and token of one renewal"
    assert len(session.engine.connections._open) == 1
    program_in(home, 3600)
    session.invoke_lm("f", **given)
    kept = signer(lambda_)
    session.invoke_lm("f", **given)
    assert signer(lambda_) == kept


def test_a_boto3_sessions_keys_are_renewed_too(session: lm.Session, lambda_: Any, home: Path) -> None:
    """-Credential with a session: its own object signs, so that what it renews is used."""
    import boto3

    config = home / "config"
    config.write_text(config.read_text() + program_in(home, 300))
    given = boto3.Session(profile_name="program")
    seen = []
    for _ in range(2):
        session.invoke_lm("f", credential=given)
        seen.append(signer(lambda_)[0])
    assert len(set(seen)) == 2
    assert len(session.engine.connections._open) == 1


BROKEN: list[tuple[str, Any]] = [
    ("missing", None),
    ("ended", {"accessToken": "a", "expiresAt": "2020-01-01T00:00:00Z", "startUrl": START, "region": "eu-west-1"}),
    ("no JSON", "{"),
    ("empty", ""),
    ("a list", []),
    ("a number", 7),
    ("without a date", {"accessToken": "a"}),
    ("without a token", {"expiresAt": "2099-01-01T00:00:00Z"}),
    ("a bad date", {"accessToken": "a", "expiresAt": "soon"}),
    ("a date that is none", {"accessToken": "a", "expiresAt": 5}),
]


def sign_in(folder: Path, key: str, token: Any) -> None:
    if token is not None:
        text = token if isinstance(token, str) else json.dumps(token)
        (folder / f"{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}.json").write_text(text)


@pytest.mark.parametrize(("what", "token"), BROKEN, ids=[what for what, _ in BROKEN])
@pytest.mark.parametrize(
    ("profile", "key", "command"),
    [
        ("sso", "corp", "aws sso login --profile sso"),
        ("old sso", START, "aws sso login --profile 'old sso'"),
        ("over-sso", "corp", "aws sso login --profile sso"),
    ],
)
def test_an_ended_sign_in_says_what_to_type(
    profile: str, key: str, command: str, what: str, token: Any, session: lm.Session, lambda_: Any, tokens: Path
) -> None:
    """Missing, ended or damaged: the command with the profile that signs in (not the role over it); nothing is sent."""
    sign_in(tokens, key, token)
    sent = len(lambda_.requests)
    with pytest.raises(lm.ProfileError) as caught:
        session.invoke_lm("f", profile_name=profile)
    assert str(caught.value).endswith(f"Sign in again: {command}")
    assert str(caught.value).count("\n") == 0
    assert len(lambda_.requests) == sent


def test_after_signing_in_the_same_session_goes_on(
    session: lm.Session, lambda_: Any, tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No new kernel: the sign-in that appears is found, also through the environment's AWS_PROFILE."""
    portal = ThreadingHTTPServer(("127.0.0.1", 0), AnsweringHandler)
    asked = portal.requests = Requests()  # type: ignore[attr-defined]
    ends = int((datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).timestamp() * 1000)
    keys = {"accessKeyId": "ASIDSSO", "secretAccessKey": "s", "sessionToken": "t", "expiration": ends}
    asked.answer({"roleCredentials": keys})
    thread = threading.Thread(target=portal.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", f"http://127.0.0.1:{portal.server_address[1]}")
        monkeypatch.setenv("AWS_PROFILE", "sso")
        for given in ({"profile_name": "sso"}, {}):
            with pytest.raises(lm.ProfileError, match="aws sso login --profile sso"):
                session.invoke_lm("f", **given)
        later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        sign_in(tokens, "corp", {"accessToken": "a", "expiresAt": later, "startUrl": START, "region": "eu-west-1"})
        for given in ({"profile_name": "sso"}, {}):
            session.invoke_lm("f", **given)
            assert signer(lambda_) == ("ASIDSSO", "t")
    finally:
        portal.shutdown()
        thread.join()
        portal.server_close()


@pytest.mark.parametrize(
    ("profile", "settings", "says"),
    [
        ("bad", "credential_process = /nonexistent", "The credentials of profile bad cannot be got"),
        ("bad", f"credential_process = {sys.executable} -c \"print('{{}}')\"", "cannot be got"),
        (
            "bad",
            f"credential_process = {sys.executable} -c \"import sys; sys.exit('aws_secret_access_key=abc')\"",
            "***",
        ),
        ("bad", f"role_arn = {ROLE}", "source_profile"),
        ("bad", f"role_arn = {ROLE}\nsource_profile = gone", "gone"),
        ("bad", f"role_arn = {ROLE}\nweb_identity_token_file = /nonexistent", "cannot be got"),
        ("loop", "", "Infinite loop"),
        ("mfa", "", "needs an MFA code, and nobody is there to type it"),
        ("signed-in", "", "login"),
        ("bad", "sso_session = gone\nsso_account_id = 1\nsso_role_name = r", "does not exist"),
        ("bad", "region = eu-west-1", "Profile bad has no credentials"),
    ],
    ids=str,
)
def test_a_profile_that_gives_no_keys_says_why(
    profile: str, settings: str, says: str, session: lm.Session, lambda_: Any, home: Path, tokens: Path
) -> None:
    """One line, a ProfileError, nothing sent, no secret of a program's output in it."""
    config = home / "config"
    config.write_text(f"{config.read_text()}[profile bad]\n{settings}\n")
    sent = len(lambda_.requests)
    with pytest.raises(lm.ProfileError) as caught:
        session.invoke_lm("f", profile_name=profile)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "abc" not in str(caught.value)
    assert len(lambda_.requests) == sent


def test_an_sts_that_refuses_or_is_not_there_is_told(
    session: lm.Session, lambda_: Any, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal names the operation; an unreachable STS is a TransportError that says that nothing was sent."""
    sent = len(lambda_.requests)
    refusing = ThreadingHTTPServer(("127.0.0.1", 0), AnsweringHandler)
    asked = refusing.requests = Requests()  # type: ignore[attr-defined]
    body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    asked.answer(body.encode(), 403, Content_Type="text/xml")
    thread = threading.Thread(target=refusing.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{refusing.server_address[1]}")
    with pytest.raises(lm.ProfileError, match=r"Profile role: AWS answered AccessDenied to AssumeRole: not you"):
        session.invoke_lm("f", profile_name="role")
    refusing.shutdown()
    thread.join()
    refusing.server_close()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(lm.TransportError, match="Nothing was sent: the credentials of profile role") as caught:
        session.invoke_lm("f", profile_name="role")
    assert (caught.value.sent, caught.value.outcome) == (False, "NOT_SENT")
    assert len(lambda_.requests) == sent


Edit = Callable[[Path], None]


def _other_keys(home: Path) -> None:
    path = home / "config"
    path.write_text(path.read_text().replace("AKIDOPS", "AKIDNEWER"))


def _other_kind(home: Path) -> None:
    path = home / "config"
    path.write_text(path.read_text().replace("[profile ops]\n", f"[profile ops]\nendpoint_url = {home.name}\n"))


def test_edited_keys_sign_the_next_call(session: lm.Session, lambda_: Any, home: Path) -> None:
    """The clients of before are let go; the one of now is the only one that is kept."""
    session.invoke_lm("f", profile_name="ops")
    assert signer(lambda_)[0] == "AKIDOPS"
    _other_keys(home)
    session.invoke_lm("f", profile_name="ops")
    assert signer(lambda_)[0] == "AKIDNEWER"
    assert len(session.engine.connections._open) == 1


def test_an_edited_endpoint_is_called_and_shown(lambda_: Any, home: Path, faults: ModuleType) -> None:
    """`endpoint_url` in ~/.aws/config, changed after a call: -WhatIf and the call itself go to the new one."""
    config = home / "config"
    before = config.read_text()
    with faults.FaultServer() as other, lm.Session(profile_name="ops", region="eu-west-1") as session:
        for server in (lambda_, other):
            config.write_text(before.replace("[profile ops]\n", f"[profile ops]\nendpoint_url = {server.url}\n"))
            asked = len(server.requests)
            assert session.invoke_lm("f", what_if=True).endpoint == server.url
            session.invoke_lm("f")
            assert len(server.requests) == asked + 1


def test_a_corrected_secret_in_the_environment_is_used(
    session: lm.Session, lambda_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another secret or token of the same key makes another client."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    session.invoke_lm("f")
    assert signer(lambda_) == ("AKIDENV", None)
    wrong = lambda_.requests[-1].headers["authorization"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "right")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    session.invoke_lm("f")
    assert signer(lambda_) == ("AKIDENV", "t")
    assert lambda_.requests[-1].headers["authorization"] != wrong
