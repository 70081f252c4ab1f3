"""Other tools with `lmfunction local start`: a session of the AWS CLI, and the calls of Terraform's provider."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = Path(__file__).parent
SESSION: list[dict[str, Any]] = yaml.safe_load((HERE / "session.yaml").read_text("utf-8"))
ROLE = "arn:aws:iam::000000000000:role/any"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def package(number: int) -> bytes:
    source = f"import os\ndef handler(event, context):\n    return [{number}, event, os.environ.get('STAGE')]\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("app.py", source)
    return stream.getvalue()


@pytest.fixture(scope="module")
def surroundings() -> Iterator[dict[str, str]]:
    """The variables that a server of its own prints when it is started at the terminal."""
    command = [sys.executable, "-m", "lmfunction", "local", "start"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().removeprefix("export ").rstrip("\n") for _ in range(4)]
        yield dict(line.split("=", 1) for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def answers(surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the AWS CLI says to each line of the session, and the file that an invocation wrote."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "one.zip").write_bytes(package(1))
    (folder / "two.zip").write_bytes(package(2))
    environ = {**surroundings, "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}
    requests = []
    for row in SESSION:
        words = shlex.split(row["line"].replace("ROLE", ROLE).replace("ARN", ARN))
        words = [w.replace("answer.json", f"answer-{len(requests)}.json") for w in words]
        more = {"folder": str(folder), "environ": environ, "stdin": "", "together": True}
        requests.append({"words": ["lambda", *words], **more})
    asked = subprocess.run(
        [sys.executable, str(HERE / "oracle.py")],
        input=json.dumps(requests), capture_output=True, text=True, check=True, timeout=120,
        env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    for number, answer in enumerate(found):
        file = folder / f"answer-{number}.json"
        answer["file"] = file.read_text() if file.exists() else None
    return found


@pytest.mark.parametrize("number", range(len(SESSION)), ids=[row["line"].partition(" --")[0] for row in SESSION])
def test_aws_cli(number: int, answers: list[dict[str, Any]]) -> None:
    """The AWS CLI gets what it gets from AWS: exit codes, answers, errors, files."""
    row, answer = SESSION[number], answers[number]
    out = base64.b64decode(answer["out"]).decode()
    wanted = json.loads(json.dumps(row).replace("ARN", ARN))
    if "fails" in wanted:
        assert wanted["fails"] in answer["err"]
        assert answer["code"] == 255
        return
    assert (answer["code"], answer["err"]) == (0, "")
    if "out" in wanted:
        assert out == wanted["out"]
    if "has" in wanted:
        assert wanted["has"].items() <= json.loads(out).items(), out
    assert answer["file"] == wanted.get("file")


class Terraform:
    """The calls of hashicorp/aws for a function, in its order, with what it waits for."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def read_function(self, name: str) -> dict[str, Any]:
        """resourceFunctionRead."""
        found: dict[str, Any] = self.client.get_function(FunctionName=name)
        pages = self.client.get_paginator("list_versions_by_function").paginate(
            FunctionName=name, PaginationConfig={"PageSize": 10_000}
        )
        found["LatestVersion"] = [v for page in pages for v in page["Versions"]][-1]
        signing = self.client.get_function_code_signing_config(FunctionName=name)
        assert "CodeSigningConfigArn" not in signing
        return found

    def create_function(self, **arguments: Any) -> dict[str, Any]:
        """resourceFunctionCreate, with reserved concurrency."""
        name = arguments["FunctionName"]
        self.client.create_function(**arguments)
        assert self.client.get_function(FunctionName=name)["Configuration"]["State"] == "Active"
        self.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
        return self.read_function(name)

    def update_function(self, name: str, configuration: dict[str, Any], code: bytes) -> dict[str, Any]:
        """resourceFunctionUpdate of a function with `publish = true`."""
        self.client.update_function_configuration(FunctionName=name, **configuration)
        assert self.updated(name)
        self.client.update_function_code(FunctionName=name, ZipFile=code)
        assert self.updated(name)
        self.client.delete_function_concurrency(FunctionName=name)
        made = self.client.publish_version(FunctionName=name)
        read = self.client.get_function_configuration(FunctionName=made["FunctionArn"], Qualifier=made["Version"])
        assert read["LastUpdateStatus"] == "Successful"
        return self.read_function(name)

    def updated(self, name: str) -> bool:
        """waitFunctionUpdated."""
        found = self.client.get_function(FunctionName=name)["Configuration"]
        return bool(found["LastUpdateStatus"] == "Successful")

    def gone(self, call: Any, **arguments: Any) -> bool:
        """Whether a read says ResourceNotFoundException, by which the provider knows that a resource is deleted."""
        try:
            call(**arguments)
        except ClientError as e:
            return bool(e.response["Error"]["Code"] == "ResourceNotFoundException")
        return False


@pytest.fixture
def client(surroundings: dict[str, str]) -> Iterator[Any]:
    """boto3 for the server at the terminal."""
    made = boto3.client(
        "lambda",
        endpoint_url=surroundings["AWS_ENDPOINT_URL_LAMBDA"],
        region_name=surroundings["AWS_DEFAULT_REGION"],
        aws_access_key_id=surroundings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=surroundings["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def test_terraform(client: Any) -> None:
    """Apply, apply a change, destroy: function, alias, permission, rules for events, provisioned concurrency."""
    terraform, name = Terraform(client), "tf"
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    made = terraform.create_function(
        FunctionName=name, Role=ROLE, Code={"ZipFile": package(1)}, Handler="app.handler", Runtime="python3.12",
        Description="", MemorySize=128, Timeout=3, Publish=True, PackageType="Zip", Architectures=["x86_64"],
        Environment={"Variables": {"STAGE": "one"}}, EphemeralStorage={"Size": 512}, TracingConfig={"Mode": "Active"},
        LoggingConfig={"LogFormat": "Text"}, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, Tags={"a": "b"},
    )  # fmt: skip
    assert (made["LatestVersion"]["Version"], made["LatestVersion"]["FunctionArn"]) == ("1", f"{arn}:1")
    assert (made["Tags"], made["Concurrency"]) == ({"a": "b"}, {"ReservedConcurrentExecutions": 5})

    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="", RoutingConfig={})
    assert client.get_alias(FunctionName=name, Name="live")["AliasArn"] == f"{arn}:live"
    client.add_permission(
        FunctionName=name, StatementId="AllowS3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        Qualifier="live", SourceArn="arn:aws:s3:::bucket",
    )  # fmt: skip
    policy = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    assert [(s["Sid"], s["Resource"]) for s in policy["Statement"]] == [("AllowS3", f"{arn}:live")]
    client.put_function_event_invoke_config(
        FunctionName=name, Qualifier="live", MaximumRetryAttempts=1, DestinationConfig={}
    )
    rules = client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert rules["MaximumRetryAttempts"] == 1
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=1)
    ready = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    assert ready["Status"] in ("IN_PROGRESS", "READY")

    changed = terraform.update_function(
        name, {"Timeout": 9, "Environment": {"Variables": {"STAGE": "two"}}}, package(2)
    )
    client.tag_resource(Resource=arn, Tags={"c": "d"})
    client.untag_resource(Resource=arn, TagKeys=["a"])
    assert (changed["LatestVersion"]["Version"], changed["LatestVersion"]["Timeout"]) == ("2", 9)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2", Description="", RoutingConfig={})
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    assert client.list_tags(Resource=arn)["Tags"] == {"c": "d"}
    answer = client.invoke(FunctionName=name, Qualifier="live")
    assert json.loads(answer["Payload"].read()) == [2, {}, "two"]

    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="live")
    client.remove_permission(FunctionName=name, StatementId="AllowS3", Qualifier="live")
    assert terraform.gone(client.get_policy, FunctionName=name, Qualifier="live")
    client.delete_alias(FunctionName=name, Name="live")
    assert terraform.gone(client.get_alias, FunctionName=name, Name="live")
    client.delete_function(FunctionName=name)
    assert terraform.gone(client.get_function, FunctionName=name)
