"""SAM and CloudFormation templates: what is read of them, and where a mistake is pointed at."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lmfunction.errors import ParameterError
from lmfunction.local._template import read_template

TEMPLATES = Path(__file__).with_name("templates")


def test_cases(template_case: dict[str, Any], tmp_path: Path) -> None:
    """Each case of cases/template.yaml is read as it says, or refused where it says."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def h(e, c): pass\n")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", "def h(e, c): pass\n")
    file = tmp_path / "template.yaml"
    file.write_text(template_case["template"])
    parameters = template_case.get("parameters", {})
    if "error" in template_case:
        with pytest.raises(ParameterError) as caught:
            read_template(file, parameters, region="eu-west-1")
        assert re.search(template_case["error"], str(caught.value)), str(caught.value)
        assert str(caught.value).startswith(f"{file}:")
        return
    template = read_template(file, parameters, region="eu-west-1")
    (found,) = template.definitions
    assert found.name == "F"
    assert {name: found.members.get(name) for name in template_case["read"]} == template_case["read"]
    if "source" in template_case:
        assert str(found.code).endswith(template_case["source"])
    told = "\n".join(template.notices)
    assert [text for text in template_case.get("notices", []) if text not in told] == []
    assert len(template.notices) == len(template_case.get("notices", [])), told


def test_a_whole_template() -> None:
    """A template as people have it: Globals, parameters, conditions, mappings, layers, an alias, destinations."""
    template = read_template(TEMPLATES / "orders" / "template.yaml", {}, region="eu-west-1")
    create, ship, ping = template.definitions
    assert (create.name, ship.name, ping.name) == ("orders-dev-create", "ShipFunction", "PingFunction")
    assert create.alias == "live"
    assert create.reserved == 5
    assert create.event_invoke == {
        "MaximumEventAgeInSeconds": 3600,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:000000000000:FailedQueue"}},
    }
    assert create.members["Environment"]["Variables"] == {
        "STAGE": "dev",
        "TABLE": "local-orders",
        "RATE": "1.10",
        "NEXT": "arn:aws:lambda:eu-west-1:000000000000:function:ShipFunction",
        "FIRST": "EUR",
    }
    assert (create.members["MemorySize"], create.members["Timeout"], ship.members["Timeout"]) == (256, 5, 20)
    assert ship.members["DeadLetterConfig"] == {"TargetArn": "arn:aws:sqs:eu-west-1:000000000000:FailedQueue"}
    assert ship.members["Tags"] == {"team": "shop", "cost": "42", "aws:cloudformation:logical-id": "ShipFunction"}
    assert [layer.name for layer in create.layers] == ["shared"]
    assert ping.layers == ()
    assert dict(ping.code.files)["index.py"].startswith("def handler(event, context):\n")
    assert template.notices == (
        "ReportFunction is left out: it is an image, and the embedded Lambda runs packages only.",
        "OldFunction is left out: its code lies in S3.",
        "not read: OrdersTable (AWS::DynamoDB::Table); FailedQueue (AWS::SQS::Queue)",
    )


def test_parameters_decide() -> None:
    """A parameter changes names, sizes and which functions there are."""
    template = read_template(TEMPLATES / "orders" / "template.yaml", {"Stage": "live"}, region="eu-west-1")
    by_name = {d.name: d for d in template.definitions}
    assert set(by_name) == {"orders-live-create", "ShipFunction", "PingFunction", "AuditFunction"}
    create = by_name["orders-live-create"]
    assert create.members["MemorySize"] == 1024
    assert create.members["Environment"]["Variables"]["BUCKET"] == "shop-live"


def test_plain_cloudformation_in_json() -> None:
    """AWS::Lambda::Function, the long spellings of functions, and JSON instead of YAML."""
    template = read_template(TEMPLATES / "plain" / "template.json", {"Prefix": "my"}, region="eu-west-1")
    (greeter,) = template.definitions
    assert greeter.name == "my-greeter"
    assert greeter.members["Environment"]["Variables"] == {
        "TOPIC": "arn:aws:sns:eu-west-1:000000000000:news",
        "PORT": "8080",
    }
    archive = zipfile.ZipFile(io.BytesIO(greeter.code.members()["ZipFile"]))
    assert archive.read("index.py").decode().startswith("import os\ndef handler")
    assert template.notices == (
        "Packaged is left out: its code lies in S3.",
        "not read: Topic (AWS::SNS::Topic)",
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A template that is not there, or not text, is named."""
    file = tmp_path / "template.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ParameterError, match=r"template\.yaml"):
        read_template(file, {}, region="eu-west-1")
