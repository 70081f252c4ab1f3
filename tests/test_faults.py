"""A call against a server that goes wrong: how often it is sent, and what is known afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._transport import Transport

TABLE = Path(__file__).with_name("fault_cases.yaml")
CASES = yaml.safe_load(TABLE.read_text())


@pytest.fixture(scope="module")
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture(scope="module", params=["own connections", "boto3's"])
def caller(faults: ModuleType, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Who calls: over connections of our own as usual, or as where only boto3 can send."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "boto3's":
            patch.setattr("lmfunction._client.DirectTransport", Transport)
        caller = faults.Caller()
        yield caller
        caller.close()


def expect(case: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    wanted = dict(case["want"])
    says = wanted.pop("says", "")
    found = {name: seen.get(name, "(not there)") for name in wanted}
    told = f"{case['id']}\nanswers:  {case.get('answers')}\nexpected: {case['want']}\nactual:   {seen}"
    assert found == wanted, told
    assert says in seen.get("text", ""), told
    assert ("error" in wanted) == ("error" in seen), told


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_every_fault_has_its_class_and_is_sent_again_only_when_it_did_not_run(
    case: Mapping[str, Any], server: Any, caller: Any, faults: ModuleType
) -> None:
    """Each row's error, outcome and count of requests are those of the table."""
    expect(case, faults.observe(case, server, caller))


@pytest.mark.parametrize("hands", [[], ["--boto3"]], ids=["own connections", "boto3's"])
def test_no_setting_of_the_environment_adds_a_request(tmp_path: Path, hands: list[str]) -> None:
    """With ten attempts, adaptive mode and the newer retries asked for by the environment, the table is the same."""
    environment = {
        **os.environ,
        "AWS_MAX_ATTEMPTS": "10",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_NEW_RETRIES_2026": "true",
        "PYTHONPATH": str(Path(lm.__file__).parents[1]),
    }
    run = subprocess.run(
        [sys.executable, str(TABLE.with_name("faults.py")), str(TABLE), *hands],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    for case in CASES:
        expect(case, seen[case["id"]])


@pytest.mark.parametrize("kind", ["30 MB with a length", "60 MB in one chunk"])
def test_a_hostile_answer_is_not_read_to_its_end(kind: str, server: Any, caller: Any, faults: ModuleType) -> None:
    """A huge answer is refused, and its connection closed, before the server could send it all."""
    case = next(c for c in CASES if c["id"] == f"hostile {kind}")
    assert faults.observe(case, server, caller)["outcome"] == "RESULT_LOST"
    server.wait_until_closed()
    assert server.bytes_sent < case["answers"][0]["fill"]


def test_a_request_is_sent_whole_and_signed(server: Any, caller: Any) -> None:
    """What the server got is the Invoke call: path, type headers, body, a signature, no second try announced."""
    server.play([{"status": 200, "body": "{}", "headers": {"X-Amz-Log-Result": "aGk="}}])
    result = caller.call(
        server.url, qualifier="live", log_type="tail", client_context={"a": 1}, tenant_id="t 1", timeout_sec=300
    )
    request = server.requests[0]
    assert request.line == "POST /2015-03-31/functions/some-function/invocations?Qualifier=live HTTP/1.1"
    assert request.body == b'{"n":1}'
    assert request.headers["x-amz-log-type"] == "Tail"
    assert request.headers["x-amz-client-context"] == "eyJhIjoxfQ=="
    assert request.headers["x-amz-tenant-id"] == "t 1"
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "max=1" in request.headers.get("amz-sdk-request", "max=1")
    assert result.log == "hi"
    assert result.request_id == "11111111-2222-3333-4444-555555555555"
