"""Import-LMTemplate: a template's or a folder's functions in the embedded Lambda, from a line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import lmfunction as lm

TEMPLATES = Path(__file__).with_name("local") / "templates"


@pytest.fixture
def session() -> Iterator[lm.Session]:
    with lm.Session(region="eu-central-1") as found:
        yield found


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATES / "orders", tmp_path / "orders"))


@pytest.mark.filterwarnings("ignore::lmfunction.errors.LMWarning")
def test_a_template_is_loaded_and_loaded_again(session: lm.Session, orders: Path) -> None:
    """The functions are there with their settings; a second time changes them, and edited code needs none."""
    file = str(orders / "template.yaml")
    found = session.import_lm_template(file)
    assert [f.function_name for f in found] == ["orders-dev-create", "ShipFunction", "PingFunction"]
    assert found[1].timeout == 20
    local = {"profile_name": "local"}
    assert session.invoke_lm("CreateFunction:live", {"prices": [1, 2.5]}, **local).payload["total"] == 3.5
    app = orders / "src/ship/app.py"
    app.write_text(app.read_text().replace('"shipped"', '"gone"'))
    assert session.invoke_lm("ShipFunction", 1, **local).payload == {"gone": 1, "table": "local-orders"}
    again = session.import_lm_template(file, parameter={"Slow": 7})
    assert again[1].timeout == 7
    assert session.get_lm_alias("orders-dev-create", name="live", **local).function_version == "$LATEST"


def test_what_is_not_read_is_told(session: lm.Session, orders: Path) -> None:
    """Resources and functions that are left out are warnings, each by name."""
    with pytest.warns(lm.LMWarning) as told:
        session.import_lm_template(str(orders / "template.yaml"))
    texts = [str(w.message) for w in told]
    assert any(t.startswith("ReportFunction is left out: it is an image") for t in texts)
    assert any(t.startswith("not read: OrdersTable (AWS::DynamoDB::Table)") for t in texts)


@pytest.mark.filterwarnings("ignore::lmfunction.errors.LMWarning")
def test_what_if_loads_nothing(session: lm.Session, orders: Path) -> None:
    """-WhatIf shows the functions and makes none."""
    (orders / "template.yaml").write_text(
        "Resources:\n  NeverMade:\n    Type: AWS::Serverless::Function\n"
        "    Properties: {CodeUri: src/ship, Handler: app.lambda_handler, Runtime: python3.11}\n"
    )
    shown = session.import_lm_template(str(orders / "template.yaml"), what_if=True)
    assert [r["FunctionName"] for r in shown] == ["NeverMade"]
    with pytest.raises(lm.ServiceError, match="Function not found"):
        session.get_lm_function("NeverMade", profile_name="local")


def test_a_folder(session: lm.Session, tmp_path: Path) -> None:
    """A folder is loaded as `lmfunction local start --folder` serves it."""
    (tmp_path / "double.py").write_text("def handler(event, context):\n    return 2 * event\n")
    (found,) = session.import_lm_template(str(tmp_path))
    assert (found.function_name, found.handler) == ("double", "double.handler")
    assert session.invoke_lm("double", 21, profile_name="local").payload == 42


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"path": "missing.yaml"}, r"missing\.yaml cannot be read"),
        ({"path": "bad.yaml"}, r"bad\.yaml:3:3: The key 'F' stands twice"),
        ({"path": ".", "parameter": {"A": "b"}}, "Parameter is for a template"),
        ({"path": "bad.yaml", "endpoint_url": "aws"}, "loads functions into the embedded Lambda"),
        ({"path": "bad.yaml", "parameter": {"A": [1]}}, "A must be text or a number"),
    ],
)
def test_mistakes(
    session: lm.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, object], text: str
) -> None:
    """What cannot be loaded is said with its place, and nothing is started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("Resources:\n  F: {}\n  F: {}\n")
    with pytest.raises(lm.ParameterError, match=text):
        session.import_lm_template(**given)
