"""Documents that no SDK would send: any JSON in any member is refused or understood, and never our own fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import botocore.loaders
import botocore.model
import pytest
from answer_shapes import shape_faults
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmfunction.local._control import OPERATIONS
from lmfunction.local._routes import operations

MODEL = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("lambda", "service-2"))
PATHS = {name: (method, path) for method, path, name in operations()}
NAMES = sorted(n for n in OPERATIONS if PATHS[n][0] in ("POST", "PUT") and n in MODEL.operation_names)
SCALARS = st.none() | st.booleans() | st.integers(-5, 3_000) | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=2) | st.dictionaries(st.text(max_size=5), v, max_size=2), max_leaves=4
)


def value_for(shape: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Mostly what the model says, sometimes anything."""
    kind = shape.type_name
    right: st.SearchStrategy[Any] = JSON
    if depth and kind == "structure":
        right = document_for(shape, depth - 1)
    elif depth and kind == "list":
        right = st.lists(value_for(shape.member, depth - 1), max_size=2)
    elif depth and kind == "map":
        right = st.dictionaries(st.sampled_from(["a", "1", "$LATEST"]), value_for(shape.value, depth - 1), max_size=2)
    elif getattr(shape, "enum", None):
        right = st.sampled_from(shape.enum)
    elif kind == "string":
        right = st.sampled_from(["a", "1", "$LATEST", "live", "arn:aws:sqs:us-east-1:000000000000:q", "", "\u00e4\n"])
    return right | JSON


def document_for(shape: Any, depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """What is required, and one or two members beside it: more of them would nearly always be refused for one."""
    inside = {n: m for n, m in shape.members.items() if "location" not in m.serialization}
    required = {n: value_for(inside[n], depth) for n in shape.required_members if n in inside}
    some = st.sets(st.sampled_from(sorted(inside)), max_size=2) if inside else st.just(set())
    return some.flatmap(
        lambda chosen: st.fixed_dictionaries({**{n: value_for(inside[n], depth) for n in chosen}, **required})
    )


@pytest.fixture(scope="module")
def fuzzed(client: Any, deploy: Any) -> Any:
    """The ARN of a function with a version and an alias."""
    deploy("def handler(event, context):\n    pass\n", name="fuzzed", Publish=True)
    client.create_alias(FunctionName="fuzzed", Name="live", FunctionVersion="1")
    yield "arn:aws:lambda:us-east-1:000000000000:function:fuzzed"
    client.delete_function(FunctionName="fuzzed")


@pytest.fixture(scope="module")
def connection(wire: Any) -> Iterator[HTTPConnection]:
    """One connection for all."""
    made = HTTPConnection("127.0.0.1", wire.port)
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_document(name: str, fuzzed: str, wire: Any, connection: HTTPConnection, data: st.DataObject) -> None:
    """Never a 500; what succeeds is answered by the model."""
    method, path = PATHS[name]
    model = MODEL.operation_model(name)
    subject = fuzzed if "tags" in path else "fuzzed"
    body = json.dumps(data.draw(document_for(model.input_shape))).encode()
    target = path.replace("{}", subject, 1).replace("{}", "live")
    connection.request(method, target, body, wire.signed(target, body, method=method))
    reply = connection.getresponse()
    answer = reply.read()
    assert reply.status < 500, answer
    if reply.status < 300 and model.output_shape is not None and answer:
        assert [*shape_faults(json.loads(answer), model.output_shape)] == []
