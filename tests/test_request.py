"""One checked call: its label, its members, and the same call for other tools."""

from __future__ import annotations

import pickle
import shlex

import pytest

from lmfunction._request import InvokeRequest, Target

FULL = InvokeRequest(
    "orders",
    b'{"a": 1}',
    invocation_type="Event",
    log_type="Tail",
    client_context="e30=",
    qualifier="live",
    tenant_id="tenant 1",
    durable_execution_name="run-1",
    target=Target("eu-west-1", "https://x.example", "staging", "ops admin"),
)


@pytest.mark.parametrize(
    ("name", "qualifier", "label"),
    [
        ("orders", None, "orders"),
        ("orders", "live", "orders:live"),
        ("orders:live", None, "orders:live"),
        ("orders:live", "live", "orders:live"),
        ("123456789012:function:orders", "7", "orders:7"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:orders", "live", "orders:live"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:orders:7", None, "orders:7"),
    ],
)
def test_the_label_is_the_name_with_its_qualifier(name: str, qualifier: str | None, label: str) -> None:
    """However the function was named."""
    assert InvokeRequest(name, qualifier=qualifier).label == label


def test_members_are_the_apis_own_and_leave_defaults_out() -> None:
    """What boto3's `invoke` takes."""
    assert InvokeRequest("f").members() == {"FunctionName": "f", "Payload": b"{}"}
    assert FULL.members() == {
        "FunctionName": "orders",
        "InvocationType": "Event",
        "LogType": "Tail",
        "ClientContext": "e30=",
        "Qualifier": "live",
        "TenantId": "tenant 1",
        "DurableExecutionName": "run-1",
        "Payload": b'{"a": 1}',
    }


def test_the_shell_line_names_everything_and_repeats_nothing() -> None:
    """Every member, region, endpoint and profile, quoted; one attempt; room for a function's 900 s."""
    words = shlex.split(FULL.to_aws_cli("my out.json"))
    assert words == [
        "printf", "%s", '{"a": 1}', "|", "AWS_MAX_ATTEMPTS=1", "aws", "lambda", "invoke",
        "--function-name", "orders", "--invocation-type", "Event", "--log-type", "Tail", "--client-context", "e30=",
        "--qualifier", "live", "--tenant-id", "tenant 1", "--durable-execution-name", "run-1",
        "--payload", "fileb:///dev/stdin", "--cli-read-timeout", "930", "--region", "eu-west-1",
        "--endpoint-url", "https://x.example", "--profile", "ops admin", "my out.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "target",
    [Target(), Target("eu-west-1"), Target("eu-west-1", None, None, "it's"), Target("", "http://127.0.0.1:1")],
)
def test_the_program_is_python_and_repeats_nothing(target: Target) -> None:
    """It compiles whatever the target is, and makes one attempt."""
    source = InvokeRequest("f", b"\xff'\"\n", target=target).to_boto3()
    compile(source, "<to_boto3>", "exec")
    assert '"total_max_attempts": 1' in source
    assert repr(b"\xff'\"\n") in source


def test_a_request_is_a_value() -> None:
    """It cannot be changed, compares by what it holds, and survives pickling."""
    assert pickle.loads(pickle.dumps(FULL)) == FULL
    assert hash(FULL) == hash(pickle.loads(pickle.dumps(FULL)))
    with pytest.raises(AttributeError):
        FULL.payload = b""  # type: ignore[misc]
