"""The table of operations against botocore's service model, and that whatever is not here says its name."""

from __future__ import annotations

import re
from typing import Any

import botocore.loaders
import botocore.model
import pytest

from lmfunction.local._control import OPERATIONS
from lmfunction.local._routes import Routes, operations

MODEL = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("lambda", "service-2"))
TABLE = {name: (method, path) for method, path, name in operations()}
STREAMS = {"Invoke", "InvokeWithResponseStream"}  # answered elsewhere
NOT_HERE = sorted(TABLE.keys() & set(MODEL.operation_names) - OPERATIONS.keys() - STREAMS)


def shape_of(uri: str) -> str:
    path, _, query = re.sub(r"{\w+}", "{}", uri).partition("?")
    return path.rstrip("/") + (f"?{query.partition('=')[0]}" if query else "")


def test_table_is_the_model() -> None:
    """Every operation that both know has the model's method and path, and that is nearly all of them."""
    both = TABLE.keys() & set(MODEL.operation_names)
    wanted = {name: MODEL.operation_model(name).http for name in both}
    assert {name: TABLE[name] for name in both} == {
        name: (http["method"], shape_of(http["requestUri"])) for name, http in wanted.items()
    }
    assert len(both) >= 85
    assert TABLE.keys() >= OPERATIONS.keys()


def test_every_operation_is_found() -> None:
    """A path with its parameters filled in leads back to its operation."""
    routes = Routes()
    for method, path, name in operations():
        filled, _, parameter = path.replace("{}", "x.y").partition("?")
        found = routes.methods(filled[1:].split("/"), f"{parameter}=1" if parameter else "Marker=List")
        assert found is not None
        assert found[method] == name
    assert routes.methods(["2015-03-31", "functions", "x", "nothing"], "") is None


@pytest.mark.parametrize("name", NOT_HERE)
def test_what_is_not_here_says_its_name(name: str, wire: Any) -> None:
    """An operation that is not here is refused by its name, with a status that no SDK retries."""
    method, path = TABLE[name]
    filled, _, parameter = path.replace("{}", "x").partition("?")
    reply = wire.request(filled + (f"?{parameter}=1" if parameter else ""), b"", method=method)
    assert (reply.status, reply.lower["x-amzn-errortype"]) == (501, "NotImplementedException")
    assert reply.json()["message"] == f"{name} is an operation that the embedded Lambda does not have."
