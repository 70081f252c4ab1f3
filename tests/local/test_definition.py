"""Functions from what people have: templates, folders and layers, served by a real embedded Lambda."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lmfunction.errors import ParameterError
from lmfunction.local._folder import default_handler, read_folder

ROOT = str(Path(__file__).resolve().parents[2])
TEMPLATES = Path(__file__).with_name("templates")
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from lmfunction.local._command import run_local; "
    "sys.exit(run_local(sys.argv[1:]))"
)


class Served:
    """A running `lmfunction local start`, and what it said before it was ready."""

    def __init__(self, exports: dict[str, str], introduction: list[str]) -> None:
        self.url = exports["AWS_ENDPOINT_URL_LAMBDA"]
        self.access_key = exports["AWS_ACCESS_KEY_ID"]
        self.secret_key = exports["AWS_SECRET_ACCESS_KEY"]
        self.region = exports["AWS_DEFAULT_REGION"]
        self.introduction = introduction


@contextmanager
def serving(*words: str) -> Iterator[Served]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, ROOT, "start", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        introduction: list[str] = []
        while not introduction or not introduction[-1].startswith("For their logs"):
            line = process.stderr.readline()
            assert line, introduction
            introduction.append(line.rstrip("\n"))
        lines = [process.stdout.readline().removeprefix("export ").strip() for _ in range(4)]
        try:
            yield Served(dict(line.split("=", 1) for line in lines), introduction)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
    assert process.returncode == 0


def invoke(client: Any, name: str, event: Any = None, **more: Any) -> Any:
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template of orders with its sources."""
    return Path(shutil.copytree(TEMPLATES / "orders", tmp_path_factory.mktemp("orders"), dirs_exist_ok=True))


def test_a_template_is_served_and_reloaded(orders: Path, client_of: Any) -> None:
    """A SAM template's functions run with their layers, alias and settings; edits of code and layer are seen."""
    with serving("--template", str(orders / "template.yaml"), "--parameter", "Slow=30") as served:
        client = client_of(served)
        event = {"prices": [1.111, 2]}
        alias = invoke(client, "orders-dev-create:live", event)
        assert (alias["total"], alias["stage"], alias["version"]) == (3.11, "dev", "$LATEST")
        assert alias["arn"].endswith(":function:orders-dev-create:live")
        by_id = invoke(client, "CreateFunction", event)
        assert by_id["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:orders-dev-create"
        assert invoke(client, by_id["arn"], event)["total"] == 3.11
        assert invoke(client, "ShipFunction", 1) == {"shipped": 1, "table": "local-orders"}
        assert invoke(client, "PingFunction", 2) == {"pong": 2, "version": "$LATEST"}

        ship = client.get_function(FunctionName="ShipFunction")
        assert ship["Configuration"]["Timeout"] == 30
        assert ship["Configuration"]["DeadLetterConfig"]["TargetArn"].endswith(":FailedQueue")
        assert ship["Tags"]["cost"] == "42"
        create = client.get_function(FunctionName="orders-dev-create")
        assert create["Concurrency"]["ReservedConcurrentExecutions"] == 5
        config = client.get_function_event_invoke_config(FunctionName="orders-dev-create", Qualifier="live")
        assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (1, 3600)

        (orders / "shared/python/common/money.py").write_text("def rounded(amount):\n    return round(amount)\n")
        assert invoke(client, "orders-dev-create:live", event)["total"] == 3
        app = orders / "src/ship/app.py"
        app.write_text(app.read_text().replace('"shipped"', '"sent"'))
        assert invoke(client, "ShipFunction", 1) == {"sent": 1, "table": "local-orders"}
    lines = served.introduction
    assert "ReportFunction is left out: it is an image, and the embedded Lambda runs packages only." in lines
    assert "not read: OrdersTable (AWS::DynamoDB::Table); FailedQueue (AWS::SQS::Queue)" in lines
    assert f"  orders-dev-create:live  app.handler  python3.11  {orders}/src/create" in lines
    assert "  PingFunction  index.handler  python3.11  inline code" in lines


def test_a_folder_of_functions(tmp_path: Path, client_of: Any) -> None:
    """Folders and modules become functions under their names; the interpreter is the one with their packages."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "only_there.py").write_text("VALUE = 'from the venv'\n")
    code = tmp_path / "functions"
    (code / "greet").mkdir(parents=True)
    (code / "greet" / "app.py").write_text("import only_there\ndef handler(e, c):\n    return only_there.VALUE\n")
    (code / "add.py").write_text("import sys\ndef lambda_handler(e, c):\n    return [sum(e), sys.prefix]\n")
    with serving("--folder", str(code), "--python", str(environment)) as served:
        client = client_of(served)
        assert invoke(client, "greet") == "from the venv"
        assert invoke(client, "add", [1, 2]) == [3, str(environment)]
        (code / "add.py").write_text("def lambda_handler(e, c):\n    return 'edited'\n")
        assert invoke(client, "add") == "edited"


def test_a_given_function_is_the_one_given(tmp_path: Path, client_of: Any) -> None:
    """With a state folder a function of a file has the file's code at every start; what was set beside it stays."""
    (tmp_path / "mine.py").write_text("def handler(event, context): return 1\n")
    words = ("--state", str(tmp_path / "state"), "--function", f"mine={tmp_path}/mine.py")
    with serving(*words) as served:
        client = client_of(served)
        client.publish_version(FunctionName="mine")
        client.put_function_concurrency(FunctionName="mine", ReservedConcurrentExecutions=3)
    (tmp_path / "mine.py").write_text("def handler(event, context): return 2\n")
    with serving(*words) as served:
        client = client_of(served)
        assert invoke(client, "mine") == 2
        assert invoke(client, "mine:1") == 1
        assert client.get_function_concurrency(FunctionName="mine")["ReservedConcurrentExecutions"] == 3


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"app.py": "def handler(e, c): ...", "util.py": "def handler(e, c): ..."}, {"code": "app.handler"}),
        ({"code.py": "def lambda_handler(e, c): ..."}, {"code": "code.lambda_handler"}),
        ({"app.py": "handler = Mangum(app)"}, {"code": "app.handler"}),
        ({"index.mjs": "export const handler = async () => 1"}, {"code": "index.handler"}),
        ({"index.js": "exports.handler = async () => 1"}, {"code": "index.handler"}),
        ({"bootstrap": "#!/bin/sh"}, {"code": "bootstrap"}),
        (
            {
                "a/app.py": "def handler(e, c): ...",
                "b.py": "def handler(e, c): ...",
                "notes.py": "x = 1",
                "c/x.txt": "",
            },
            {"a": "app.handler", "b": "b.handler"},
        ),
        ({"my func/main.py": "def handler(e, c): ..."}, {"my-func": "main.handler"}),
        ({"_private.py": "def handler(e, c): ...", ".git/app.py": "def handler(e, c): ...", "x/y.txt": ""}, None),
        ({"app.py": "def ("}, None),
    ],
)
def test_what_a_folder_holds(tmp_path: Path, files: dict[str, str], found: dict[str, str] | None) -> None:
    """Which functions a folder stands for, and by which handlers; where there is none, that is told."""
    folder = tmp_path / "code"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if found is None:
        with pytest.raises(ParameterError, match="holds no function"):
            read_folder(folder)
        return
    assert {d.name: d.members["Handler"] for d in read_folder(folder)} == found


def test_a_file_that_is_no_python_has_no_handler(tmp_path: Path) -> None:
    """Nothing is imported or raised to find a handler's name."""
    assert default_handler(tmp_path / "missing.py") is None


def test_two_functions_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same name twice is an error that names both places."""
    from lmfunction.local._command import run_local

    for part in ("a", "b"):
        (tmp_path / part / "same").mkdir(parents=True)
        (tmp_path / part / "same" / "app.py").write_text("def handler(e, c): ...\n")
    assert run_local(["start", "--folder", str(tmp_path / "a"), "--folder", str(tmp_path / "b")]) == 252
    assert f"Two functions are called same: {tmp_path}/a/same and {tmp_path}/b/same" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_node_runs_from_a_folder_with_a_layer(client: Any, call: Any, zip_of: Any, tmp_path: Path) -> None:
    """A Node function runs from its folder, finds a layer's node_modules, and is loaded anew when it is edited."""
    name = f"node-{os.urandom(3).hex()}"
    content = {"ZipFile": zip_of({"nodejs/node_modules/shared/index.js": "module.exports = 'of the layer';\n"})}
    layer = client.publish_layer_version(LayerName=name, Content=content)["LayerVersionArn"]
    source = "const shared = require('shared');\nexports.handler = async () => [shared, 1];\n"
    (tmp_path / "index.js").write_text(source)
    client.create_function(
        FunctionName=name,
        Runtime="nodejs20.x",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="index.handler",
        Code={"S3Bucket": "hot-reload", "S3Key": str(tmp_path)},
        Layers=[layer],
    )
    assert call(name)[0] == ["of the layer", 1]
    (tmp_path / "index.js").write_text(source.replace("1]", "2]"))
    assert call(name)[0] == ["of the layer", 2]


def test_layers_of_the_api(client: Any, call: Any, deploy: Any, zip_of: Any) -> None:
    """A layer's versions are published, listed and removed; functions import from it, a later layer before others."""
    name = f"layer-{os.urandom(3).hex()}"
    arns = []
    for number in (1, 2):
        content = {"ZipFile": zip_of({"python/shared_code.py": f"NUMBER = {number}\n"})}
        made = client.publish_layer_version(LayerName=name, Content=content, Description=f"v{number}")
        assert made["Version"] == number
        arns.append(made["LayerVersionArn"])
    source = "import shared_code\ndef handler(e, c):\n    return shared_code.NUMBER\n"
    function = deploy(source, Layers=arns)
    assert call(function)[0] == 2
    client.update_function_configuration(FunctionName=function, Layers=arns[:1])
    assert call(function)[0] == 1
    assert [v["Version"] for v in client.list_layer_versions(LayerName=name)["LayerVersions"]] == [2, 1]
    latest = next(item for item in client.list_layers()["Layers"] if item["LayerName"] == name)
    assert latest["LatestMatchingVersion"]["Description"] == "v2"
    assert client.get_layer_version(LayerName=name, VersionNumber=1)["LayerVersionArn"] == arns[0]
    assert client.get_layer_version_by_arn(Arn=arns[1])["Version"] == 2
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    with pytest.raises(ClientError, match="does not exist"):
        client.get_layer_version(LayerName=name, VersionNumber=1)
    with pytest.raises(ClientError, match=f"Layer version {arns[0]} does not exist"):
        client.update_function_configuration(FunctionName=function, Layers=arns[:1])
    assert call(function)[0] == 1
