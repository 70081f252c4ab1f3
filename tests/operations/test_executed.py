"""Cmdlets of the API carried out: at moto, at the embedded Lambda, and each at a server that answers by the model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import botocore.loaders
import botocore.model
import pytest
from answering import Requests
from operation_samples import request_of, value_of, wire_of

import lmfunction as lm
from lmfunction._operations import default_select
from lmfunction._params import Cmdlet
from lmfunction._record import Record, Records
from lmfunction._service import operation
from lmfunction._table import CMDLETS, INVOKE, OPERATIONS, PUBLISH
from lmfunction.local._control import OPERATIONS as CONTROL

MODEL = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("lambda", "service-2"))
PLAIN = [
    c
    for c in CMDLETS
    if c.name in OPERATIONS and c not in (INVOKE, PUBLISH) and not operation(OPERATIONS[c.name]).streams
]


@pytest.mark.parametrize("cmdlet", PLAIN, ids=lambda c: c.name)
def test_at_a_server_that_answers_by_the_model(cmdlet: Cmdlet, session: lm.Session, requests: Requests) -> None:
    """The request has the model's method, path and body; what is emitted is what the answer holds."""
    found = operation(OPERATIONS[cmdlet.name])
    model = MODEL.operation_model(found.name)
    wanted = request_of(found.inputs)
    told = {m.name: value_of(m) for m in found.outputs if not m.is_status}
    if found.paging is not None:
        told.pop(found.paging.next_token)
        wanted.pop(found.paging.token)
        wanted.pop(found.paging.limit or "")
    requests.answer(wire_of(told), status=model.http.get("responseCode", 200))
    if found.deprecated:
        wanted["WarningAction"] = "SilentlyContinue"
    keywords = {cmdlet.by_name[name].target: value for name, value in wanted.items()}
    emitted = (
        getattr(session, cmdlet.python_names[0])(**keywords, force=True)
        if _writes(cmdlet)
        else getattr(session, cmdlet.python_names[0])(**keywords)
    )

    ((method, path, body),) = requests
    assert method == model.http["method"]
    path_members = {
        shape.serialization.get("name", name): name
        for name, shape in model.input_shape.members.items()
        if shape.serialization.get("location") == "uri"
    }
    wanted.pop("WarningAction", None)
    expected = urlsplit(model.http["requestUri"]).path
    for placeholder, name in path_members.items():
        expected = expected.replace(f"{{{placeholder}}}", str(wanted[name])).replace(
            f"{{{placeholder}+}}", str(wanted[name])
        )
    assert unquote(urlsplit(path).path).rstrip("/") == expected.rstrip("/")
    in_body = {
        name: value
        for name, value in wanted.items()
        if not model.input_shape.members[name].serialization.get("location")
    }
    if in_body and not model.input_shape.serialization.get("payload"):
        assert set(json.loads(body)) == {model.input_shape.members[n].serialization.get("name", n) for n in in_body}
    _check_emitted(found, emitted, told, model)


def _writes(cmdlet: Cmdlet) -> bool:
    return "Force" in cmdlet.by_name


def _check_emitted(found: Any, emitted: Any, told: dict[str, Any], model: Any) -> None:
    select = default_select(found)
    if select == "":
        assert emitted is None
    elif select == "*":
        assert isinstance(emitted, Record)
        assert emitted.to_dict() == told
        assert repr(emitted).startswith(f"<{found.output_shape}")
        assert emitted.card() is not None
    elif isinstance(emitted, Records):
        assert [dict(item) if isinstance(item, Record) else item for item in emitted] == told[select]
        assert emitted.card().title.split()[0] == str(len(emitted))
    elif select in told:
        assert emitted == told[select]
    else:
        assert emitted == model.http.get("responseCode", 200)  # the status itself


@pytest.fixture(scope="module")
def f(aws: lm.Session, role: str, package: Path) -> Iterator[Record]:
    """A function at moto, made from a zip file."""
    yield aws.publish_lm_function(
        "f", zip_filename=str(package), handler="app.handler", role=role, runtime="python3.12", tags={"a": "b"}
    )
    aws.remove_lm_function("f", force=True)
    assert aws.get_lm_function_list() == []


def test_functions(aws: lm.Session, f: Record, package: Path) -> None:
    """Code and configuration are read, changed and read again."""
    assert aws.get_lm_function("f").configuration.handler == "app.handler"
    assert aws.get_lm_function_configuration("f").runtime == "python3.12"
    assert [x.function_name for x in aws.get_lm_function_list()] == ["f"]
    assert aws.update_lm_function_code("f", zip_filename=str(package)).code_size > 0
    changed = aws.update_lm_function_configuration("f", timeout=9, environment_variables={"STAGE": "test"})
    assert changed.timeout == 9
    assert aws.get_lm_function_configuration("f", select="Environment.Variables.STAGE") == "test"
    again = aws.publish_lm_function("f", zip_filename=str(package), handler="app.handler", role=f.role, memory_size=256)
    assert again.memory_size == 256


def test_versions_and_aliases(aws: lm.Session, f: Record) -> None:
    """A version is published, an alias points to it, is changed and removed."""
    version = aws.publish_lm_version("f", description="first").version
    assert version in [v.version for v in aws.get_lm_versions_by_function("f")]
    made = aws.new_lm_alias("f", name="live", function_version=version)
    assert made.alias_arn.endswith(":f:live")
    assert aws.get_lm_alias("f", name="live").function_version == version
    assert aws.update_lm_alias("f", name="live", description="now").description == "now"
    assert [a.name for a in aws.get_lm_alias_list("f")] == ["live"]
    assert aws.remove_lm_alias("f", name="live", pass_thru=True) == "f"
    assert aws.get_lm_alias_list("f") == []


def test_permissions(aws: lm.Session, f: Record) -> None:
    """A statement is added, stands in the policy, and is gone after its removal."""
    statement = aws.add_lm_permission(
        "f", statement_id="s", action="lambda:InvokeFunction", principal="s3.amazonaws.com"
    )
    assert json.loads(statement)["Sid"] == "s"
    assert [s["Sid"] for s in json.loads(aws.get_lm_policy("f").policy)["Statement"]] == ["s"]
    assert aws.remove_lm_permission("f", statement_id="s") is None


def test_tags(aws: lm.Session, f: Record) -> None:
    """Tags are given as text or mapping, read as a mapping, and removed by a list of keys."""
    assert aws.add_lm_resource_tag(f.function_arn, tags="team=x,stage=test") is None
    assert aws.get_lm_resource_tag(f.function_arn) == {"a": "b", "team": "x", "stage": "test"}
    assert aws.remove_lm_resource_tag(f.function_arn, tag_keys="team,stage") is None
    assert aws.get_lm_resource_tag(resource=f.function_arn) == {"a": "b"}


def test_layers(aws: lm.Session, package: Path) -> None:
    """A layer is published from a file, listed, read, shared and removed."""
    made = aws.publish_lm_layer_version("lay", zip_filename=package, compatible_runtimes=["PYTHON3.12"])
    assert made.compatible_runtimes == ["python3.12"]
    assert [x.layer_name for x in aws.get_lm_layer_list()] == ["lay"]
    assert [x.version for x in aws.get_lm_layer_version_list("lay")] == [made.version]
    assert aws.get_lm_layer_version("lay", version_number=made.version).layer_version_arn == made.layer_version_arn
    shared = {"version_number": made.version, "statement_id": "s"}
    aws.add_lm_layer_version_permission("lay", **shared, action="lambda:GetLayerVersion", principal="*")
    assert "lambda:GetLayerVersion" in aws.get_lm_layer_version_policy("lay", version_number=made.version).policy
    assert aws.remove_lm_layer_version_permission("lay", **shared) is None
    assert aws.remove_lm_layer_version("lay", version_number=made.version) is None
    assert aws.get_lm_layer_version_list("lay") == []


def test_event_source_mappings(aws: lm.Session, f: Record, queue: str) -> None:
    """A mapping is made, read, changed and removed."""
    made = aws.new_lm_event_source_mapping("f", event_source_arn=queue, batch_size=5, enabled=True)
    assert [m.uuid for m in aws.get_lm_event_source_mapping_list()] == [made.UUID]
    assert aws.get_lm_event_source_mapping(made.UUID).batch_size == 5
    assert aws.update_lm_event_source_mapping(made.UUID, batch_size=7).batch_size == 7
    assert aws.remove_lm_event_source_mapping(made.UUID).uuid == made.UUID


def test_function_urls(aws: lm.Session, f: Record) -> None:
    """A function URL is made with flattened CORS members, read, changed and removed."""
    made = aws.new_lm_function_url_config(
        "f", auth_type="none", cors_allow_origins="https://a.example,https://b.example"
    )
    assert made.cors.allow_origins == ["https://a.example", "https://b.example"]
    assert aws.get_lm_function_url_config("f").auth_type == "NONE"
    assert aws.update_lm_function_url_config("f", auth_type="aws_iam").auth_type == "AWS_IAM"
    assert aws.remove_lm_function_url_config("f") is None


def test_concurrency(aws: lm.Session, f: Record) -> None:
    """Reserved concurrency is a number that is set, read and taken away."""
    assert aws.write_lm_function_concurrency("f", reserved_concurrent_execution=2) == 2
    assert aws.get_lm_function_concurrency("f") == 2
    assert aws.remove_lm_function_concurrency("f") is None
    assert aws.get_lm_function_concurrency("f") is None


def test_event_invoke_configs(aws: lm.Session, f: Record, queue: str) -> None:
    """What becomes of events is set by flattened members, read, changed and removed."""
    made = aws.write_lm_function_event_invoke_config("f", maximum_retry_attempts=1, on_failure_destination=queue)
    assert made.destination_config == {"OnFailure": {"Destination": queue}}
    assert aws.get_lm_function_event_invoke_config("f").maximum_retry_attempts == 1
    assert len(aws.get_lm_function_event_invoke_config_list("f")) == 1
    changed = aws.update_lm_function_event_invoke_config("f", maximum_event_age_in_seconds=60)
    assert changed.maximum_event_age_in_seconds == 60
    assert aws.remove_lm_function_event_invoke_config("f") is None


def test_code_signing(aws: lm.Session, f: Record) -> None:
    """A function without a code signing configuration answers so."""
    assert aws.get_lm_function_code_signing_config("f").function_name == "f"


@pytest.fixture(scope="module")
def local() -> Iterator[lm.Session]:
    """A session with the embedded Lambda."""
    with lm.Session(profile_name="local") as session:
        yield session


def test_all_that_the_embedded_lambda_has_is_tried() -> None:
    """For every operation that it has, the tests below call a cmdlet there."""
    called = set(re.findall(r"\blocal\.(\w+)\(", Path(__file__).read_text("utf-8")))
    tried = {OPERATIONS[c.name] for c in CMDLETS if c.name in OPERATIONS and set(c.python_names) & called}
    assert set(CONTROL) & set(OPERATIONS.values()) - tried == set()


def test_at_the_embedded_lambda(local: lm.Session, package: Path) -> None:
    """The embedded Lambda's control plane, through the same cmdlets: functions."""
    made = local.publish_lm_function("made", zip_filename=package, handler="app.handler", runtime="python3.12")
    assert made.function_name == "made"
    assert "made" in [x.function_name for x in local.get_lm_functions()]
    assert local.get_lm_function_list(function_version="all")[0].version == "$LATEST"
    assert local.write_lm_function_concurrency("made", reserved_concurrent_executions=3) == 3
    assert local.get_lm_function("made").concurrency == {"ReservedConcurrentExecutions": 3}
    assert local.get_lm_function_concurrency("made") == 3
    assert local.remove_lm_function_concurrency("made") is None
    assert local.update_lm_function_configuration("made", timeout=4).timeout == 4
    assert local.update_lm_function_code("made", zip_file=package).code_size == made.code_size
    assert local.get_lm_function_configuration("made").timeout == 4
    assert local.remove_lm_function("made", select="^FunctionName") == "made"
    with pytest.raises(lm.ServiceError, match="Function not found") as caught:
        local.get_lm_function("made")
    assert caught.value.status == 404


@pytest.fixture
def g(local: lm.Session, package: Path) -> Iterator[str]:
    """The ARN of a function at the embedded Lambda, with the version 1 and the alias live."""
    made = local.publish_lm_function("g", zip_filename=package, handler="app.handler", runtime="python3.12")
    assert local.publish_lm_version("g", description="first").version == "1"
    assert local.new_lm_alias("g", name="live", function_version="1").function_version == "1"
    yield made.function_arn
    local.remove_lm_function("g", force=True)


def test_versions_at_the_embedded_lambda(local: lm.Session, g: str) -> None:
    """Versions and aliases, with routing by flattened members."""
    local.update_lm_function_configuration("g", description="second")
    assert local.publish_lm_version("g").version == "2"
    assert [v.version for v in local.get_lm_versions_by_function("g")] == ["$LATEST", "1", "2"]
    moved = local.update_lm_alias("g", name="live", routing_config_additional_version_weights={"2": 1.0})
    assert moved.routing_config == {"AdditionalVersionWeights": {"2": 1.0}}
    assert local.invoke_lm("g", {"n": 1}, qualifier="live").executed_version == "2"
    assert local.get_lm_alias("g", name="live").description == ""
    assert [a.name for a in local.get_lm_alias_list("g")] == ["live"]
    assert local.remove_lm_alias("g", name="live", force=True) is None
    with pytest.raises(lm.ServiceError, match="Cannot find alias arn"):
        local.get_lm_alias("g", name="live")


def test_provisioned_concurrency_at_the_embedded_lambda(local: lm.Session, g: str) -> None:
    """Environments that are kept ready are asked for, read and given up."""
    wanted = {"qualifier": "live"}
    asked = local.write_lm_provisioned_concurrency_config("g", **wanted, provisioned_concurrent_executions=1)
    assert asked.requested_provisioned_concurrent_executions == 1
    assert local.get_lm_provisioned_concurrency_config("g", **wanted).status in ("IN_PROGRESS", "READY")
    assert [c.function_arn for c in local.get_lm_provisioned_concurrency_config_list("g")] == [f"{g}:live"]
    assert local.remove_lm_provisioned_concurrency_config("g", **wanted, force=True) is None


def test_rules_at_the_embedded_lambda(local: lm.Session, g: str) -> None:
    """Rules for events, permissions, tags and the rest of what belongs to a function."""
    queue = "arn:aws:sqs:us-east-1:000000000000:q"
    made = local.write_lm_function_event_invoke_config("g", maximum_retry_attempt=1, on_failure_destination=queue)
    assert made.destination_config["OnFailure"] == {"Destination": queue}
    assert (
        local.update_lm_function_event_invoke_config("g", maximum_event_age_in_seconds=60).maximum_retry_attempts == 1
    )
    assert local.get_lm_function_event_invoke_config("g").maximum_event_age_in_seconds == 60
    assert len(local.get_lm_function_event_invoke_config_list("g")) == 1
    assert local.remove_lm_function_event_invoke_config("g", force=True) is None
    statement = {"statement_id": "s", "action": "lambda:InvokeFunction", "principal": "s3.amazonaws.com"}
    assert json.loads(local.add_lm_permission("g", **statement))["Resource"] == g
    assert '"Sid":"s"' in local.get_lm_policy("g").policy
    assert local.remove_lm_permission("g", statement_id="s", force=True) is None
    assert local.add_lm_resource_tag(g, tags={"team": "x"}) is None
    assert local.get_lm_resource_tag(g) == {"team": "x"}
    assert local.remove_lm_resource_tag(g, tag_keys="team", force=True) is None
    assert local.get_lm_account_setting().account_usage["FunctionCount"] >= 5
    assert local.get_lm_function_code_signing_config("g").to_dict() == {}
    assert local.get_lm_runtime_management_config("g").update_runtime_on == "Auto"
    assert local.write_lm_function_recursion_config("g", recursive_loop="allow") == "Allow"
    assert local.get_lm_function_recursion_config("g") == "Allow"


def test_layers_at_the_embedded_lambda(local: lm.Session, package: Path) -> None:
    """Layers are published, read and removed."""
    made = local.publish_lm_layer_version("lay", zip_filename=package, compatible_runtimes=["python3.12"])
    assert "lay" in [x.layer_name for x in local.get_lm_layer_list()]
    assert [x.version for x in local.get_lm_layer_version_list("lay")] == [made.version]
    assert local.get_lm_layer_version("lay", version_number=made.version).version == made.version
    assert local.get_lm_layer_version_by_arn(made.layer_version_arn).version == made.version
    assert local.remove_lm_layer_version("lay", version_number=made.version, force=True) is None


def test_what_the_embedded_lambda_has_not(local: lm.Session) -> None:
    """The refusal names the operation."""
    with pytest.raises(lm.ServiceError, match="ListEventSourceMappings is an operation that the embedded") as caught:
        local.get_lm_event_source_mapping_list()
    assert (caught.value.status, caught.value.code) == (501, "NotImplementedException")
