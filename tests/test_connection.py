"""Where a call goes: profile, region, endpoint, credentials and client options, resolved and nothing contacted."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._client import Plan

KEYS = lm.Credential("AKIDEXAMPLE", "not-a-secret", "token")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving contacts nobody: any connection that it tries is a failure."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of YAML profiles and an AWS config with two profiles."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "regional.yaml").write_text("region: eu-west-2\n")
    (folder / "through.yaml").write_text("aws_profile: ops\n")
    (folder / "both.yaml").write_text("aws_profile: ops\nregion: eu-west-3\n")
    (folder / "elsewhere.yaml").write_text("endpoint: https://lambda.example.com\nregion: us-east-2\n")
    (folder / "here.yaml").write_text("endpoint: embedded\n")
    (folder / "ops.yaml").write_text("region: ap-south-1\n")  # of the same name as a profile of AWS
    (folder / "lost.yaml").write_text("aws_profile: gone\n")
    config = tmp_path / "config"
    config.write_text("[default]\nregion = sa-east-1\n[profile ops]\nregion = ca-central-1\n[profile bare]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("LMFUNCTION_PROFILES", str(folder))
    return folder


def plan_of(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Plan:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with lm.Session() as session:
        plan = session.invoke_lm(**{"function_name": "f", **arguments, "what_if": True})
    assert isinstance(plan, Plan)
    return plan


ARN = "arn:aws:lambda:eu-north-1:123456789012:function:f"
CHINESE = ARN.replace("aws:", "aws-cn:")


@pytest.mark.parametrize(
    ("variables", "arguments", "region"),
    [
        # -Region, the profile, the AWS profile behind it, boto3's chain, the ARN: the first that says something
        ({"AWS_DEFAULT_REGION": "us-west-1"}, {"region": "us-west-2", "profile_name": "both"}, "us-west-2"),
        ({"AWS_DEFAULT_REGION": "us-west-1"}, {"profile_name": "both"}, "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "us-west-1"}, {"profile_name": "regional"}, "eu-west-2"),
        ({}, {"profile_name": "through"}, "ca-central-1"),
        ({"AWS_DEFAULT_REGION": "us-west-1"}, {}, "us-west-1"),
        ({}, {}, "sa-east-1"),
        ({"AWS_PROFILE": "ops"}, {}, "ca-central-1"),
        ({}, {"profile_name": "bare", "function_name": ARN}, "eu-north-1"),
        ({"AWS_CONFIG_FILE": "/dev/null"}, {"function_name": ARN}, "eu-north-1"),
        ({"AWS_CONFIG_FILE": "/dev/null"}, {"function_name": ARN, "region": "eu-north-1"}, "eu-north-1"),
        # a YAML profile wins over an AWS profile of the same name
        ({}, {"profile_name": "ops"}, "ap-south-1"),
        ({}, {"profile_name": "bare", "region": "us-east-1"}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "us-west-1"}, {"profile_name": "here"}, "us-east-1"),
        ({}, {"profile_name": "here", "region": "eu-west-1"}, "eu-west-1"),
    ],
    ids=str,
)
def test_the_region_is_the_first_that_is_said(
    variables: dict[str, str],
    arguments: dict[str, Any],
    region: str,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Typed, then the profile's, then boto3's own chain, then the function's ARN."""
    plan = plan_of(variables, monkeypatch, **arguments)
    assert plan.place.connection.region == plan.request.target.region == region


@pytest.mark.parametrize(
    ("variables", "arguments", "kind", "says"),
    [
        ({"AWS_CONFIG_FILE": "/dev/null"}, {}, lm.ProfileError, "No region: give -Region"),
        ({"AWS_DEFAULT_REGION": ""}, {"region": "mars"}, lm.ParameterError, "a region such as eu-west-1"),
        ({}, {"function_name": ARN}, lm.ParameterError, "in region eu-north-1, the call goes to sa-east-1"),
        ({}, {"function_name": ARN, "region": "us-east-1"}, lm.ParameterError, "give -Region eu-north-1"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, {"function_name": CHINESE}, lm.ParameterError, "partition aws-cn"),
        ({}, {"profile_name": "lost"}, lm.ProfileError, "gone"),
        ({}, {"profile_name": "opps"}, lm.ProfileError, "Did you mean ops?"),
        ({}, {"profile_name": "no-such"}, lm.ProfileError, "There is no profile 'no-such'"),
        ({}, {"profile_name": ""}, lm.ParameterError, "ProfileName is empty"),
        ({"AWS_PROFILE": "gone"}, {}, lm.ProfileError, "gone"),
        ({}, {"profile_location": "/nonexistent", "profile_name": "x"}, lm.ProfileError, "does not exist"),
        ({}, {"endpoint_url": "http://example.com"}, lm.ParameterError, "unencrypted"),
        ({}, {"endpoint_url": "http://169.254.169.254"}, lm.ParameterError, "EndpointUrl"),
        ({}, {"access_key": "AKID"}, lm.ParameterError, "SecretKey is missing"),
        ({}, {"session_token": "t"}, lm.ParameterError, "AccessKey is missing"),
        ({}, {"access_key": "a", "secret_key": "b", "credential": KEYS}, lm.ParameterError, "exclude each other"),
        ({}, {"credential": "AKID:secret"}, lm.ParameterError, "Credential is str"),
        ({}, {"profile_name": "here", "credential": KEYS}, lm.ParameterError, "makes its own keys"),
    ],
    ids=str,
)  # fmt: skip
def test_a_place_that_is_not_clear_is_refused_and_says_why(
    variables: dict[str, str],
    arguments: dict[str, Any],
    kind: type[lm.LMError],
    says: str,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing falls through to another account or region; the error names the next thing to try."""
    with pytest.raises(kind) as caught:
        plan_of(variables, monkeypatch, **arguments)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "credential", "aws_profile", "endpoint"),
    [
        ({}, None, None, None),
        ({"profile_name": "through"}, None, "ops", None),
        ({"profile_name": "bare", "region": "eu-west-1"}, None, "bare", None),
        ({"profile_name": "through", "credential": KEYS}, KEYS, None, None),
        ({"access_key": "a", "secret_key": "b"}, lm.Credential("a", "b"), None, None),
        ({"access_key": "a", "secret_key": "b", "session_token": "c"}, lm.Credential("a", "b", "c"), None, None),
        ({"profile_name": "elsewhere"}, None, None, "https://lambda.example.com"),
        ({"profile_name": "elsewhere", "endpoint_url": "aws"}, None, None, None),
        ({"profile_name": "elsewhere", "endpoint_url": "https://b.example"}, None, None, "https://b.example"),
        ({"profile_name": "elsewhere", "endpoint_url": "embedded"}, None, None, None),
    ],
    ids=str,
)
def test_credentials_and_endpoint_given_for_the_call_beat_the_profiles(
    arguments: dict[str, Any],
    credential: lm.Credential | None,
    aws_profile: str | None,
    endpoint: str | None,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys given for the call replace the profile's; a typed endpoint replaces the profile's."""
    connection = plan_of({}, monkeypatch, **arguments).place.connection
    assert (connection.credential, connection.aws_profile, connection.endpoint_url) == (
        credential,
        aws_profile,
        endpoint,
    )


def test_a_region_written_after_a_failed_call_is_found(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is told that there is no region and runs `aws configure` needs no new kernel."""
    config = profiles.parent / "config"
    config.write_text("")
    with pytest.raises(lm.ProfileError, match="No region"):
        plan_of({}, monkeypatch)
    config.write_text("[default]\nregion = eu-west-1\n")
    assert plan_of({}, monkeypatch).place.connection.region == "eu-west-1"
    config.write_text("[default]\nregion = eu-central-1\n")
    assert plan_of({}, monkeypatch).place.connection.region == "eu-central-1"


@pytest.mark.parametrize(
    ("variables", "arguments", "endpoint"),
    [
        ({}, {"region": "eu-west-1"}, "https://lambda.eu-west-1.amazonaws.com"),
        ({}, {"region": "cn-north-1"}, "https://lambda.cn-north-1.amazonaws.com.cn"),
        ({"AWS_ENDPOINT_URL_LAMBDA": "https://a.example"}, {}, "https://a.example"),
        ({"AWS_ENDPOINT_URL": "https://b.example"}, {}, "https://b.example"),
        ({}, {"profile_name": "elsewhere"}, "https://lambda.example.com"),
        ({"AWS_ENDPOINT_URL": "https://b.example"}, {"profile_name": "elsewhere"}, "https://lambda.example.com"),
        ({"AWS_ENDPOINT_URL": "https://b.example"}, {"profile_name": "here"}, "embedded Lambda"),
    ],
    ids=str,
)
def test_what_if_names_the_endpoint_that_would_be_called(
    variables: dict[str, str],
    arguments: dict[str, Any],
    endpoint: str,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also the one that a variable of AWS's tools sets."""
    plan = plan_of(variables, monkeypatch, **arguments)
    assert plan.endpoint == endpoint
    assert endpoint in repr(plan)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"retries": {"max_attempts": 3}}, "one command is one request"),
        ({"read_timeout": 5}, "use -TimeoutSec"),
        ({"region_name": "eu-west-1"}, "use -Region"),
        ({"tcp_keepalive": False}, "always on"),
        ({"signature_version": "v2"}, "Signature Version 4"),
        ({"parameter_validation": True}, "checked before"),
        ({"conect_timeout": 1}, "Did you mean connect_timeout?"),
        ({"user_agent_extra": "a\r\nX-Evil: 1"}, "printable ASCII"),
        ("{not json", "not a JSON object"),
        ([1], "a mapping with text keys"),
    ],
    ids=str,
)
def test_client_options_that_undo_a_promise_or_do_not_exist_are_refused(
    config: Any, says: str, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each refusal says what to use instead, or the nearest name."""
    with pytest.raises(lm.ParameterError) as caught:
        plan_of({}, monkeypatch, client_config=config)
    assert says in str(caught.value)
    assert caught.value.parameter == "ClientConfig"


def test_client_options_reach_the_client_and_make_their_own(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given options, nested ones too, are part of what one client is."""
    one = plan_of({}, monkeypatch, client_config={"connect_timeout": 1, "proxies": {"https": "http://127.0.0.1:1"}})
    same = plan_of({}, monkeypatch, client_config={"proxies": {"https": "http://127.0.0.1:1"}, "connect_timeout": 1})
    other = plan_of({}, monkeypatch, client_config={"connect_timeout": 2})
    assert one.place.connection == same.place.connection
    assert hash(one.place.connection) == hash(same.place.connection)
    assert one.place.connection != other.place.connection


@pytest.mark.parametrize("variables", [{"AWS_PROFILE": "gone"}, {"AWS_DEFAULTS_MODE": "x"}], ids=str)
def test_what_if_of_a_broken_setup_is_an_error_of_ours(
    variables: dict[str, str], profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setup of which no client can be made is told as a ProfileError, by what-if too, never by botocore's error."""
    with pytest.raises(lm.ProfileError):
        plan_of(variables, monkeypatch, region="eu-west-1")
