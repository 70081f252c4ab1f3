"""The control plane: what boto3 creates it can find, change, list and delete."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

SOURCE = "def handler(event, context):\n    return 1\n"
ROLE = "arn:aws:iam::000000000000:role/any"


def error(call: Any, **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    response = raised.value.response
    text = response["Error"]["Message"] or response.get("message", "")
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], text


def test_create_and_get(client: Any, zip_of: Any) -> None:
    """A created function is Active at once and shows what was asked for."""
    data = zip_of({"app.py": SOURCE})
    created = client.create_function(
        FunctionName="created",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": data},
        Timeout=7,
        MemorySize=256,
        Description="d",
        Environment={"Variables": {"AB": "1"}},
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    wanted = {
        "FunctionName": "created",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:created",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(data),
        "CodeSha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
        "Timeout": 7,
        "MemorySize": 256,
        "Description": "d",
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Environment": {"Variables": {"AB": "1"}},
    }
    assert wanted.items() <= created.items()
    client.get_waiter("function_active_v2").wait(FunctionName="created")
    shown = client.get_function_configuration(FunctionName="created")
    assert {k: v for k, v in shown.items() if k != "ResponseMetadata"} == {
        k: v for k, v in created.items() if k != "ResponseMetadata"
    }
    assert client.get_function(FunctionName="created")["Configuration"]["RevisionId"] == created["RevisionId"]
    assert client.invoke(FunctionName="created")["Payload"].read() == b"1"
    taken = error(
        client.create_function,
        FunctionName="created", Runtime="python3.12", Role=ROLE, Handler="a.b", Code={"ZipFile": data},
    )  # fmt: skip
    assert taken == (409, "ResourceConflictException", "Function already exist: created")
    assert client.delete_function(FunctionName="created")["ResponseMetadata"]["HTTPStatusCode"] == 204
    arn = "arn:aws:lambda:us-east-1:000000000000:function:created"
    assert error(client.get_function, FunctionName="created")[:2] == (404, "ResourceNotFoundException")
    missing = error(client.invoke, FunctionName="created")
    assert missing == (404, "ResourceNotFoundException", f"Function not found: {arn}:$LATEST")


def test_update(client: Any, deploy: Any, zip_of: Any) -> None:
    """New code and new configuration hold from the next call on."""
    name = deploy("import os\ndef handler(event, context):\n    return os.environ.get('AB')\n")
    assert client.invoke(FunctionName=name)["Payload"].read() == b"null"
    changed = client.update_function_configuration(FunctionName=name, Environment={"Variables": {"AB": "x"}}, Timeout=5)
    assert (changed["Timeout"], changed["MemorySize"]) == (5, 128)
    assert client.invoke(FunctionName=name)["Payload"].read() == b'"x"'
    stale = "00000000-0000-4000-8000-000000000000"
    code = {"FunctionName": name, "ZipFile": zip_of({"app.py": SOURCE})}
    assert error(client.update_function_code, **code, RevisionId=stale)[:2] == (412, "PreconditionFailedException")
    tried = client.update_function_code(**code, DryRun=True)
    assert tried["CodeSha256"] != changed["CodeSha256"]
    assert client.invoke(FunctionName=name)["Payload"].read() == b'"x"'
    client.update_function_code(**code, RevisionId=changed["RevisionId"])
    assert client.invoke(FunctionName=name)["Payload"].read() == b"1"


def test_list(client: Any, deploy: Any) -> None:
    """Pages of functions, by name, with the samples among them."""
    made = {deploy(SOURCE) for _ in range(3)}
    pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["Functions"]) <= 2 for page in pages)
    names = [f["FunctionName"] for page in pages for f in page["Functions"]]
    assert names == sorted(names)
    assert len(names) == len(set(names))
    assert made | {"hello", "echo", "fail", "slow"} <= set(names)


def test_concurrency_setting(client: Any, deploy: Any) -> None:
    """Reserved concurrency is kept, shown and taken back; more than the account has is refused."""
    name = deploy(SOURCE)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    refused = error(client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=101)
    assert refused[:2] == (400, "InvalidParameterValueException")
    client.delete_function_concurrency(FunctionName=name)
    assert "Concurrency" not in client.get_function(FunctionName=name)


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout'"),
        ({"MemorySize": 20000}, "ValidationException", "Value '20000' at 'memorySize'"),
        ({"Timeout": 1000, "MemorySize": 20000}, "ValidationException", "2 validation errors detected: "),
        ({"Handler": "a b"}, "ValidationException", "Value 'a b' at 'handler'"),
        ({"FunctionName": "a b"}, "ValidationException", "Value 'a b' at 'functionName'"),
        ({"FunctionName": "f:1"}, "ValidationException", "Value 'f:1' at 'functionName'"),
        ({"FunctionName": "a" * 65}, "InvalidParameterValueException", "length less than or equal to 64"),
        ({"Runtime": "ruby3.4"}, "InvalidParameterValueException", "ruby3.4 is not supported here"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "request: AWS_REGION"),
        ({"Environment": {"Variables": {"1X": "x"}}}, "ValidationException", "'1X'"),
        ({"Environment": {"Variables": {"AB": "x" * 5000}}}, "InvalidParameterValueException", "the 4KB limit"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        ({"Code": {"S3Bucket": "bucket", "S3Key": "k"}}, "InvalidParameterValueException", "ZipFile"),
        ({"Code": {"ImageUri": "i"}, "PackageType": "Image"}, "InvalidParameterValueException", "no images"),
        ({"Role": "arn:aws:iam::1:role/any"}, "ValidationException", "'role'"),
        ({"Description": "x" * 257}, "ValidationException", "length less than or equal to 256"),
        ({"Architectures": ["x86_64", "arm64"]}, "ValidationException", "Value '[x86_64, arm64]' at 'architectures'"),
        ({"Architectures": ["x86"]}, "ValidationException", "enum value set: [x86_64, arm64]"),
        ({"EphemeralStorage": {"Size": 10_241}}, "ValidationException", "'ephemeralStorage.size'"),
        ({"TracingConfig": {"Mode": "Off"}}, "ValidationException", "'tracingConfig.mode'"),
        ({"SnapStart": {"ApplyOn": "All"}}, "ValidationException", "'snapStart.applyOn'"),
        ({"Tags": {str(i): "" for i in range(51)}}, "InvalidParameterValueException", "tag limit"),
    ],
)
def test_refused_creations(client: Any, zip_of: Any, change: dict[str, Any], code: str, text: str) -> None:
    """What a function cannot be is refused with the reason, and nothing is created."""
    arguments: dict[str, Any] = {
        "FunctionName": "refused",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": zip_of({"app.py": SOURCE})},
    }
    refused = error(client.create_function, **{**arguments, **change})
    assert refused[1] == code
    assert text in refused[2]
    assert error(client.get_function, FunctionName="refused")[0] == 404


def test_unsupported_operations(client: Any) -> None:
    """What is not here says so by name, with a status that no SDK retries."""
    for call, arguments in (
        (client.create_function_url_config, {"FunctionName": "echo", "AuthType": "NONE"}),
        (client.get_layer_version_policy, {"LayerName": "l", "VersionNumber": 1}),
        (client.list_code_signing_configs, {}),
        (client.list_event_source_mappings, {}),
    ):
        status, code, text = error(call, **arguments)
        assert (status, code) == (501, "NotImplementedException")
        name = client.meta.method_to_api_mapping[call.__name__]
        assert text == f"{name} is an operation that the embedded Lambda does not have."


def test_body_that_is_no_object(wire: Any) -> None:
    """A request body that is not a JSON object is refused."""
    for body in (b"[]", b"{", b"\xff"):
        reply = wire.request("/2015-03-31/functions", body)
        assert (reply.status, reply.lower["x-amzn-errortype"]) == (400, "SerializationException")
