"""Every line that help shows as an example is run, and gives what it is said to give."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import threading
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from answering import AnsweringHandler, Requests

import lmfunction as lm
from lmfunction._binder import bind
from lmfunction._commands import run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._grammar import Value, parse_line
from lmfunction._help import examples_of
from lmfunction._help_texts import TEXTS
from lmfunction._jsonable import jsonable
from lmfunction._ledger import Entry
from lmfunction._params import Cmdlet
from lmfunction._run_binding import Binding
from lmfunction._run_opening import begin
from lmfunction._scope import Scope
from lmfunction._select import search
from lmfunction._table import CMDLETS, JOB_CMDLETS, OPERATIONS, RUN_CMDLETS, find_cmdlet
from lmfunction._verb_table import IMPORT_CSV, VERBS
from lmfunction.local._child import Embedded, start_embedded

TABLE = yaml.safe_load((Path(__file__).parent / "examples.yaml").read_text("utf-8"))
WRITTEN = [
    c for c in (*CMDLETS, *VERBS) if c.name not in OPERATIONS or c.name in TEXTS or c.name == "Invoke-LMFunction"
]
EXAMPLES = [(c, line) for c in WRITTEN for line, _ in examples_of(c)]
DERIVED = [(c, line) for c in CMDLETS if c not in WRITTEN for line, _ in examples_of(c)]
HANDLER = "def handler(event, context):\n    return {'status': 'ok'}\n"
TEMPLATE = """
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub "greet-${Stage}", Handler: greet.handler, Runtime: python3.11}
"""
ROLE = "arn:aws:iam::123456789012:role/r"
# What the embedded Lambda serves; the other operations are moto's.
AT_THE_EMBEDDED = frozenset(
    [
        "Invoke-LMFunction",
        "Publish-LMFunction",
        "Measure-LMFunction",
        "Get-LMLog",
        "Clear-LMOnceKey",
        *(cmdlet.name for cmdlet in (*RUN_CMDLETS, *JOB_CMDLETS)),
    ]
)


@dataclass
class Screen:
    """A door that keeps what it is told, and answers every question as it is asked to."""

    shown: list[Any] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)

    def ask(self, question: str) -> str:
        wanted = re.search(r"Type (\S+) to", question)
        return wanted[1] if wanted is not None else "yes"

    def door(self) -> Door:
        return Door(
            scope=Scope(self.names),
            tell=lambda level, text: self.told.append((level, text)),
            show=self.shown.append,
            ask=self.ask,
            ask_secret=lambda _: "not-a-secret-but-forty-characters-long-xx",
            assign=self.names.__setitem__,
        )


def _begin_overnight(*, handed_over: bool) -> None:
    """A run of two items that were not sent; or were handed over, with the report of their end in `results`."""
    journal = begin("overnight.db", Binding("orders", region="eu-west-1")).journal
    journal.register([Entry(n, str(n), hashlib.sha256(b"{}").digest(), b"{}") for n in range(2)])
    journal.close()
    if handed_over:
        lm.export_lm_run("overnight.db", step_functions="overnight", bucket="my-bucket")
        items = json.loads(Path("overnight/items.json").read_text("utf-8"))
        output = json.dumps({"StatusCode": 200, "Payload": {"status": "ok"}})
        Path("results").mkdir()
        Path("results/SUCCEEDED_0.json").write_text(
            json.dumps([{"Status": "SUCCEEDED", "Input": json.dumps(item), "Output": output} for item in items])
        )


def _package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", HANDLER)
    return content.getvalue()


@pytest.fixture(scope="module")
def embedded() -> Iterator[Embedded]:
    """An embedded Lambda with the functions that examples speak of."""
    with start_embedded() as server:
        credential = lm.Credential(server.access_key, server.secret_key)
        with lm.Session(endpoint_url=server.url, region=server.region, credential=credential) as session:
            for name in ("orders", "nightly"):
                session.publish_lm_function(name, HANDLER, role=ROLE)
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a moto server in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports'
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def answering() -> Iterator[str]:
    """The URL of a server that answers every invocation with an order that is paid: an alias is invoked there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), AnsweringHandler)
    server.requests = Requests()  # type: ignore[attr-defined]
    server.requests.answer({"status": "paid"})  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class Moto:
    """Puts the function `orders` with two versions and the alias `live` into an empty moto."""

    def __init__(self, url: str) -> None:
        import boto3

        keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "not-a-secret", "region_name": "us-east-1"}
        self.url = url
        self.iam = boto3.client("iam", endpoint_url=url, **keys)
        self.session = lm.Session(
            endpoint_url=url, region="us-east-1", credential=lm.Credential("AKID", "not-a-secret")
        )
        self.is_fresh = False

    def prepare(self) -> None:
        """Makes the state anew, unless nothing has changed it."""
        if self.is_fresh:
            return
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")):
            pass
        assert self.iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"] == ROLE
        code, settings = {"ZipFile": _package()}, {"environment": {"STAGE": "green"}, "runtime": "python3.12"}
        self.session.publish_lm_function("orders", code, handler="app.handler", role=ROLE, **settings)
        for _ in range(2):
            self.session.publish_lm_version("orders")
            self.session.update_lm_function_configuration("orders", description="changed")
        self.session.new_lm_alias("orders", name="live", function_version="1")
        self.session.write_lm_function_concurrency("orders", reserved_concurrent_executions=5)
        self.is_fresh = True

    def close(self) -> None:
        self.iam.close()
        self.session.close()


@pytest.fixture(scope="module")
def at_moto(moto: str) -> Iterator[Moto]:
    """The functions at moto."""
    prepared = Moto(moto)
    yield prepared
    prepared.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[lm.Session]:
    """A session for the lines that call Lambda, so that they share connections."""
    with lm.Session() as session:
        yield session


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One path for all examples: another AWS_CONFIG_FILE would be another client, and those take long to make."""
    return tmp_path_factory.mktemp("ground") / "folder"


@pytest.fixture
def folder(ground: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and working folder with the files and profiles that examples name, as new."""
    shutil.rmtree(ground, ignore_errors=True)
    ground.mkdir()
    (ground / "order.json").write_text('{"id": 7}')
    (ground / "greet.py").write_text(HANDLER)
    (ground / "template.yaml").write_text(TEMPLATE)
    for name in ("greet.zip", "app.zip"):
        (ground / name).write_bytes(_package())
    (ground / "jobs.csv").write_text('FunctionName,Payload\nhello,"{""name"": ""Ada""}"\nhello,"{""name"": ""Bob""}"\n')
    aws_profiles = ("ops", "ops-admin", "old")
    (ground / "config").write_text("".join(f"[profile {name}]\nregion = eu-west-1\n" for name in aws_profiles))
    keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = not-a-secret\n"
    (ground / "credentials").write_text("".join(f"[{name}]\n{keys}" for name in aws_profiles))
    for name in ("config", "credentials"):
        os.utime(ground / name, (1_000_000_000, 1_000_000_000))  # as old as ever, for the same reason
    (ground / "profiles").mkdir()
    (ground / "profiles" / "staging.yaml").write_text("region: us-east-1\n")
    own = ground / "lmfunction" / "profiles"
    own.mkdir(parents=True)
    (own / "production.yaml").write_text("region: us-east-1\naudit: audit/{date}.jsonl\n")
    monkeypatch.chdir(ground)
    monkeypatch.setenv("HOME", str(ground))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(ground))
    monkeypatch.setenv("XDG_STATE_HOME", str(ground / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(ground / "data"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(ground / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(ground / "credentials"))
    return ground


@pytest.fixture
def place(
    folder: Path,
    embedded: Embedded,
    moto: str,
    answering: str,
    at_moto: Moto,
    shared: lm.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Cmdlet, str], dict[str, Any]]:
    """Leads the lines of a cmdlet to where they are served, and gives the variables that they speak of."""

    def led(cmdlet: Cmdlet, line: str) -> dict[str, Any]:
        names = {"order": {"id": 7}, "source": HANDLER, "id": "AKIDEXAMPLE", "arn": ROLE, "role": ROLE}
        url, keys = moto, ("AKID", "not-a-secret")
        if "orders:live" in line:
            url = answering
        elif (cmdlet.name in AT_THE_EMBEDDED or cmdlet is IMPORT_CSV) and "staging" not in line:
            url, keys = embedded.url, (embedded.access_key, embedded.secret_key)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        if cmdlet.name in OPERATIONS and url == moto:
            at_moto.prepare()
            at_moto.is_fresh = cmdlet.name.startswith("Get-")
            (folder / "lmfunction" / "profiles" / "staging.yaml").write_text(f"region: us-east-1\nendpoint: {moto}\n")
        if cmdlet.name == "Set-AWSCredential":
            (folder / "lmfunction" / "profiles" / "staging.yaml").write_text("region: us-east-1\naws_profile: ops\n")
        if "overnight.db" in line:
            _begin_overnight(handed_over="StepFunctions " not in line)
        elif cmdlet in RUN_CMDLETS:
            shared.invoke_lm("hello", input_object=[{"name": "Ada"}, {"name": "Bob"}], journal="retry.db")
        if cmdlet.name == "Clear-LMOnceKey":
            shared.invoke_lm("orders", once_key="restart-2026-11-20")
        return names

    return led


@pytest.mark.parametrize(("cmdlet", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example(
    cmdlet: Cmdlet, line: str, folder: Path, place: Callable[[Cmdlet, str], dict[str, Any]], shared: lm.Session
) -> None:
    """An example of the help runs as it stands, without a word of complaint, and gives what the table says."""
    expected = TABLE["lines"].get(line, {})
    screen = Screen(names=place(cmdlet, line))
    screen.names["objects"] = TABLE["texts" if cmdlet.name == "ConvertFrom-Json" else "objects"]
    whole = f"$objects | {line}" if cmdlet in VERBS and cmdlet is not IMPORT_CSV else line
    with lm.Session() as own:
        if cmdlet in JOB_CMDLETS:
            assert own.invoke_lm("hello", as_job=True).wait(20)
        engine = (shared if cmdlet.name in OPERATIONS or cmdlet is IMPORT_CSV else own).engine
        emitted = run_pipeline(whole, engine, screen.door(), {})
    value = jsonable(emitted) if emitted is not NOTHING else None
    if "members" in expected:
        one_each = isinstance(value, list)
        value = [search(expected["members"], v) for v in value] if one_each else search(expected["members"], value)
    assert [text for level, text in screen.told if level == "error"] == []
    if "gives" in expected:
        assert value == expected["gives"]
    elif expected.get("silent"):
        assert value in (None, [])
    else:
        assert value is not None or screen.shown
    if "shows" in expected:
        assert expected["shows"] in "\n".join(str(one) + repr(one) for one in screen.shown)
    if "leaves" in expected:
        assert (folder / expected["leaves"]).stat().st_size > 0


def test_the_table_speaks_of_examples() -> None:
    """Every line of the table is an example of the help."""
    assert set(TABLE["lines"]) <= {line for _, line in EXAMPLES}


@pytest.mark.parametrize(("cmdlet", "line"), DERIVED, ids=[line for _, line in DERIVED])
def test_every_derived_example(cmdlet: Cmdlet, line: str) -> None:
    """An example made from the API's model binds every parameter that is required, for the cmdlet it is of."""
    (stage,) = parse_line(line)
    head, *arguments = stage.tokens
    assert isinstance(head, Value)
    assert find_cmdlet(head.text) is cmdlet
    names = dict.fromkeys(re.findall(r"\$(\w+)", line), "x")
    bound = bind(cmdlet, type(stage)((*arguments,), stage.source, stage.column), Scope(names)).values
    assert {p.name for p in cmdlet.parameters if p.mandatory} <= set(bound)
