"""What the control plane refuses, in AWS's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture(scope="module")
def subject(client: Any, deploy: Any) -> Any:
    """A client that does not check what it sends, with the function of which the cases tell."""
    from boto3 import client as boto3_client
    from botocore.config import Config

    deploy("def handler(event, context):\n    pass\n", name="f", Publish=True)
    client.update_function_configuration(FunctionName="f", Description="2")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    keys = client._request_signer._credentials
    unchecked = boto3_client(
        "lambda",
        endpoint_url=client.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )
    before = unchecked.get_function(FunctionName="f")
    yield unchecked
    after = unchecked.get_function(FunctionName="f")
    unchecked.close()
    client.delete_function(FunctionName="f")
    for answer in (before, after):
        del answer["ResponseMetadata"]
    assert before == after, "what is refused changes nothing"


def test_refusals(control_errors_case: dict[str, Any], subject: Any) -> None:
    """Status, code and text of each refusal."""
    case = json.loads(json.dumps(control_errors_case).replace("@F", ARN))
    arguments = {"FunctionName": "f", **case["arguments"]}
    if arguments["FunctionName"] is None:
        del arguments["FunctionName"]
    with pytest.raises(ClientError) as raised:
        getattr(subject, xform_name(case["operation"]))(**arguments)
    response = raised.value.response
    text = response["Error"]["Message"] or response.get("message", "")
    told = (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"])
    assert told == (case["status"], case["code"]), text
    assert text == case["says"] if "says" in case else text.startswith(case["starts"]), text
