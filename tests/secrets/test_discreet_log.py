"""boto3's DEBUG log of our calls tells what happened, and nothing of what was carried."""

from __future__ import annotations

import base64
import json
import logging

import boto3
import pytest
from botocore.config import Config

import lmfunction as lm
from lmfunction.local._child import embedded

CANARY = "canary-4f1c9d"


def _holds(text: str, canary: str = CANARY) -> bool:
    encoded = base64.b64encode(json.dumps({"custom": {"k": canary}}).encode()).decode()
    return canary in text or encoded[8:40] in text


def test_our_calls_are_logged_without_their_contents(caplog: pytest.LogCaptureFixture) -> None:
    """Payload, client context, log tail and session token are not in the log; the events still are."""
    with caplog.at_level(logging.DEBUG):
        result = lm.invoke_lm(
            "echo", {"p": CANARY}, client_context={"custom": {"k": CANARY}}, log_type="Tail", profile_name="local"
        )
    assert result.payload == {"p": CANARY}
    assert not _holds(caplog.text)
    assert "Making request for" in caplog.text


def test_a_session_token_is_not_logged(caplog: pytest.LogCaptureFixture, faults: object) -> None:
    """A canonical request holds the session token; it is not written."""
    credential = lm.Credential("AKIDEXAMPLE", f"{CANARY}-secret", f"{CANARY}-token")
    with caplog.at_level(logging.DEBUG), pytest.raises(lm.TransportError):
        lm.invoke_lm("f", endpoint_url="http://127.0.0.1:1", region="us-east-1", credential=credential)
    assert not _holds(caplog.text)


def test_a_failing_call_ends_the_discretion(caplog: pytest.LogCaptureFixture) -> None:
    """After our call, failed or not, another boto3 client of the program logs as it always did."""
    with caplog.at_level(logging.DEBUG), pytest.raises(lm.TransportError):
        lm.invoke_lm(
            "f", endpoint_url="http://127.0.0.1:1", region="us-east-1", credential=lm.Credential("AKIDEXAMPLE", "s")
        )
    caplog.clear()
    running = embedded(region="us-east-1")
    session = boto3.Session(running.access_key, running.secret_key, region_name="us-east-1")
    client = session.client("lambda", endpoint_url=running.url, config=Config(retries={"total_max_attempts": 1}))
    with caplog.at_level(logging.DEBUG):
        client.invoke(FunctionName="echo", Payload=json.dumps({"p": CANARY}))["Payload"].read()
    assert CANARY in caplog.text


def test_a_published_functions_environment_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The control plane's calls are as discreet: a function's environment holds secrets as a rule."""
    with caplog.at_level(logging.DEBUG):
        lm.publish_lm_function(
            "quiet", "def handler(event, context):\n    return 1\n", environment={"KEY": CANARY}, profile_name="local"
        )
    assert not _holds(caplog.text)
