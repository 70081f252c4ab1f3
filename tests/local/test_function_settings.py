"""What belongs to a function beside its code: settings, tags, permissions, rules for events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

SOURCE = "def handler(event, context):\n    return 1\n"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


@pytest.fixture
def name(client: Any, deploy: Any) -> str:
    """A function with the version 1 and the alias live."""
    made: str = deploy(SOURCE, Publish=True)
    client.create_alias(FunctionName=made, Name="live", FunctionVersion="1")
    return made


@pytest.fixture
def arn(name: str) -> str:
    """Its ARN."""
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


SETTINGS = {
    "TracingConfig": {"Mode": "Active"},
    "EphemeralStorage": {"Size": 1024},
    "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    "DeadLetterConfig": {"TargetArn": QUEUE},
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0",
            "LocalMountPath": "/mnt/a",
        }
    ],
}


def test_settings_are_shown(client: Any, deploy: Any) -> None:
    """What means nothing here is kept and shown as AWS shows it."""
    made = deploy(
        SOURCE,
        **SETTINGS,
        Architectures=["arm64"],
        SnapStart={"ApplyOn": "PublishedVersions"},
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/my/group"},
        Tags={"team": "x"},
    )
    shown = client.get_function(FunctionName=made)
    assert shown["Tags"] == {"team": "x"}
    configuration = shown["Configuration"]
    assert SETTINGS.items() <= configuration.items()
    assert configuration["Architectures"] == ["arm64"]
    assert configuration["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert configuration["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    assert configuration["VpcConfig"]["VpcId"].startswith("vpc-")
    assert configuration["LoggingConfig"] == {
        "LogFormat": "JSON", "LogGroup": "/my/group", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO",
    }  # fmt: skip
    changed = client.update_function_configuration(
        FunctionName=made,
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        FileSystemConfigs=[],
        LoggingConfig={"LogFormat": "Text"},
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
    )
    assert changed["TracingConfig"] == {"Mode": "Active"}
    assert not {"DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs"} & changed.keys()
    assert changed["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/my/group"}
    assert changed["VpcConfig"]["VpcId"] == ""
    assert client.invoke(FunctionName=made)["Payload"].read() == b"1"


def test_tags(client: Any, name: str, arn: str) -> None:
    """Tags are added, overwritten and removed; keys that are not there are passed over."""
    assert client.list_tags(Resource=arn)["Tags"] == {}
    client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    client.tag_resource(Resource=arn, Tags={"b": "3", "c d": "4"})
    assert client.list_tags(Resource=arn)["Tags"] == {"a": "1", "b": "3", "c d": "4"}
    assert client.get_function(FunctionName=name)["Tags"] == {"a": "1", "b": "3", "c d": "4"}
    client.untag_resource(Resource=arn, TagKeys=["a", "c d", "z"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "3"}
    client.untag_resource(Resource=arn, TagKeys=["b"])
    assert "Tags" not in client.get_function(FunctionName=name)


@pytest.mark.parametrize(
    ("given", "shown", "condition"),
    [
        ({"Principal": "*"}, "*", None),
        ({"Principal": "111122223333"}, {"AWS": "arn:aws:iam::111122223333:root"}, None),
        ({"Principal": "arn:aws:iam::111122223333:role/r"}, {"AWS": "arn:aws:iam::111122223333:role/r"}, None),
        (
            {
                "Principal": "s3.amazonaws.com",
                "SourceArn": "arn:aws:s3:::bucket",
                "SourceAccount": "111122223333",
                "EventSourceToken": "t",
            },
            {"Service": "s3.amazonaws.com"},
            {
                "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
                "StringEquals": {"AWS:SourceAccount": "111122223333", "lambda:EventSourceToken": "t"},
            },
        ),
    ],
)
def test_statements(client: Any, name: str, arn: str, given: Any, shown: Any, condition: Any) -> None:
    """A statement is shown as it will stand in the policy."""
    wanted = {
        "Sid": "s", "Effect": "Allow", "Principal": shown, "Action": "lambda:InvokeFunction", "Resource": f"{arn}:live",
    }  # fmt: skip
    if condition is not None:
        wanted["Condition"] = condition
    made = client.add_permission(
        FunctionName=name, Qualifier="live", StatementId="s", Action="lambda:InvokeFunction", **given
    )
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert json.loads(made["Statement"]) == wanted
    policy = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [wanted]}


def test_policies(client: Any, name: str) -> None:
    """Each qualifier has its own policy; its revision is the one of what it belongs to."""
    allowed = {"FunctionName": name, "Action": "lambda:InvokeFunction", "Principal": "*"}
    client.add_permission(**allowed, StatementId="s")
    revision = client.get_policy(FunctionName=name)["RevisionId"]
    assert revision == client.get_function_configuration(FunctionName=name)["RevisionId"]
    stale = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.add_permission(**allowed, StatementId="t", RevisionId=stale)
    client.add_permission(**allowed, StatementId="t", RevisionId=revision)
    with pytest.raises(client.exceptions.ResourceConflictException, match="statement id \\(t\\) provided already"):
        client.add_permission(**allowed, StatementId="t")
    client.add_permission(**allowed, StatementId="t", Qualifier="1")
    client.add_permission(**allowed, StatementId="t", Qualifier="live")
    alias = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    assert client.get_policy(FunctionName=name, Qualifier="live")["RevisionId"] == alias
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.remove_permission(FunctionName=name, StatementId="s", RevisionId=stale)
    for sid in ("s", "t"):
        client.remove_permission(FunctionName=name, StatementId=sid)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Statement u is not found"):
        client.remove_permission(FunctionName=name, StatementId="u", Qualifier="live")
    client.remove_permission(FunctionName=name, StatementId="t", Qualifier="live")
    client.remove_permission(FunctionName=name, StatementId="t", Qualifier="1")


def test_event_invoke_configs(client: Any, deploy: Any, name: str, arn: str) -> None:
    """Put replaces all, update some; each qualifier has its own."""
    target = f"arn:aws:lambda:us-east-1:000000000000:function:{deploy(SOURCE)}"
    put = client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    assert abs(put.pop("LastModified") - datetime.now(UTC)) < timedelta(minutes=1)
    assert body_of(put) == {
        "FunctionArn": f"{arn}:$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }
    changed = client.update_function_event_invoke_config(
        FunctionName=name, MaximumEventAgeInSeconds=60, DestinationConfig={"OnSuccess": {"Destination": target}}
    )
    assert changed["MaximumRetryAttempts"] == 1
    assert changed["DestinationConfig"] == {"OnSuccess": {"Destination": target}, "OnFailure": {}}
    read = client.get_function_event_invoke_config(FunctionName=name)
    assert body_of(read) == body_of(changed)
    replaced = client.put_function_event_invoke_config(
        FunctionName=f"{name}:live", DestinationConfig={"OnFailure": {"Destination": QUEUE}}
    )
    assert replaced["FunctionArn"] == f"{arn}:live"
    assert "MaximumRetryAttempts" not in replaced
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    listed = [c["FunctionArn"] for page in pages for c in page["FunctionEventInvokeConfigs"]]
    assert listed == [f"{arn}:$LATEST", f"{arn}:live"]
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="live")
    client.delete_function_event_invoke_config(FunctionName=name)
    assert client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []


def test_what_goes_with_an_alias(client: Any, name: str) -> None:
    """A deleted alias takes its rules for events and its policy along."""
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="live", MaximumRetryAttempts=0)
    client.add_permission(
        FunctionName=name, Qualifier="live", StatementId="s", Action="lambda:InvokeFunction", Principal="*"
    )
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName=name, Qualifier="live")


def test_what_other_tools_read(client: Any, name: str, arn: str) -> None:
    """The rest of what Terraform and consoles ask for each function."""
    assert body_of(client.get_function_code_signing_config(FunctionName=name)) == {}
    runtime = client.get_runtime_management_config(FunctionName=name)
    assert body_of(runtime) == {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{arn}:$LATEST"}
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    settings = client.get_account_settings()
    assert settings["AccountUsage"]["TotalCodeSize"] > 0
    assert settings["AccountLimit"]["CodeSizeZipped"] == 52_428_800
