"""What the tests of guards share: AWS with two accounts on this machine, profiles, and somebody who can be asked."""

from __future__ import annotations

import io
import json
import re
import threading
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

import lmfunction as lm
from lmfunction._client import Connections
from lmfunction._commands import run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope

HERE = Path(__file__).parent
STAGING, PRODUCTION = "123456789012", "210987654321"
REGION = "eu-west-1"
FUNCTIONS = ("orders-api", "orders-delete", "billing")


@dataclass
class Cloud:
    """A moto server that counts: every request as (service, method, path). `keys` are those of the two accounts."""

    url: str
    requests: list[tuple[str, str, str]]
    keys: dict[str, lm.Credential] = field(default_factory=dict)

    def client(self, service: str, account: str) -> Any:
        key = self.keys[account]
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            aws_session_token=key.session_token,
        )

    @property
    def asked(self) -> int:
        """How often STS was asked."""
        return sum(service == "sts" for service, _, _ in self.requests)

    @property
    def invoked(self) -> list[str]:
        """The names under which functions were invoked."""
        paths = [path for _, _, path in self.requests if "/invocations" in path or "/response-streaming" in path]
        return [urllib.request.unquote(path.split("/functions/")[1].split("/")[0]) for path in paths]  # type: ignore[attr-defined]

    @property
    def sent(self) -> list[tuple[str, str]]:
        """What Lambda was asked."""
        return [(method, path) for service, method, path in self.requests if service == "lambda"]


@pytest.fixture(scope="module")
def the_cloud() -> Iterator[Cloud]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    requests: list[tuple[str, str, str]] = []
    moto = DomainDispatcherApplication(create_backend_app)

    def recording(environ: dict[str, Any], start_response: Any) -> Any:
        scope = re.search(r"/(\w+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
        requests.append((scope[1] if scope else "", environ["REQUEST_METHOD"], environ["RAW_URI"]))
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, recording, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    cloud = Cloud(f"http://127.0.0.1:{server.server_port}", requests)
    # What moto keeps belongs to the process, and other modules use it, too.
    urllib.request.urlopen(urllib.request.Request(f"{cloud.url}/moto-api/reset", method="POST")).close()
    config = json.dumps({"lambda": {"use_docker": False}}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{cloud.url}/moto-api/config", data=config, method="POST")).close()
    cloud.keys[STAGING] = lm.Credential("AKIAIOSFODNN7EXAMPLE", "secret-of-staging")
    cloud.keys[PRODUCTION] = role_keys(cloud, "Operator", "ada")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("h.py", "def handler(event, context): return event")
    for account in (STAGING, PRODUCTION):
        role = cloud.client("iam", account).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        functions = cloud.client("lambda", account)
        for name in FUNCTIONS:
            functions.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role,
                Handler="h.handler",
                Code={"ZipFile": package.getvalue()},
                Publish=True,
            )
            functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield cloud
    server.shutdown()
    thread.join(10)
    server.server_close()


def role_keys(cloud: Cloud, role: str, session: str, account: str = PRODUCTION) -> lm.Credential:
    """Keys of a role, newly made."""
    found = cloud.client("sts", STAGING).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}", RoleSessionName=session
    )["Credentials"]
    return lm.Credential(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


@pytest.fixture
def cloud(the_cloud: Cloud) -> Cloud:
    """The same, nothing counted yet."""
    the_cloud.requests.clear()
    return the_cloud


@dataclass
class Person:
    """Gives its answers one after the other, the last one for ever; None: nobody is there."""

    answers: list[Any] = field(default_factory=lambda: [None])
    questions: list[str] = field(default_factory=list)

    def __call__(self, question: str) -> str | None:
        self.questions.append(question)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer  # type: ignore[no-any-return]


@dataclass
class Desk:
    """Runs lines through profiles against the cloud as somebody with the keys of one account."""

    cloud: Cloud
    folder: Path
    engine: Engine
    person: Person = field(default_factory=Person)
    shown: list[Any] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    what_if: bool = False
    error_action: str = "Stop"

    def profile(self, name: str = "guarded", **keys: Any) -> str:
        """Writes a profile for the cloud, and gives its name."""
        text = yaml.safe_dump({"region": REGION, "endpoint": self.cloud.url, **keys})
        (self.folder / f"{name}.yaml").write_text(text)
        return name

    def door(self) -> Door:
        return Door(
            scope=Scope(self.names, environ={}),
            error_action=self.error_action,
            tell=lambda level, text: self.told.append((level, text)),
            show=self.shown.append,
            ask=self.person,
            assign=self.names.__setitem__,
            what_if=self.what_if,
        )

    def __call__(self, line: str, account: str = PRODUCTION, **names: Any) -> Any:
        """What the line emits with `-ProfileName guarded` and the account's keys, unless it says otherwise."""
        self.names.update(names, keys=self.cloud.keys[account], folder=str(self.folder))
        defaults = {"ProfileName": "guarded", "ProfileLocation": str(self.folder), "Credential": self.names["keys"]}
        return run_pipeline(line, self.engine, self.door(), defaults)


@pytest.fixture(scope="session")
def connections() -> Iterator[Connections]:
    """Clients cost most of a test's time, so that they are kept."""
    kept = Connections()
    yield kept
    kept.close()


@pytest.fixture
def desk(cloud: Cloud, connections: Connections, tmp_path: Path) -> Desk:
    (tmp_path / "profiles").mkdir()
    return Desk(cloud, tmp_path / "profiles", Engine(connections))


@pytest.fixture
def nothing() -> Any:
    return NOTHING


@pytest.fixture
def someone() -> Callable[..., Person]:
    return lambda *answers: Person(list(answers))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test with a `case` runs once for each row of the table named like it."""
    if "case" in metafunc.fixturenames:
        table = metafunc.function.__name__.removeprefix("test_")
        rows = yaml.safe_load((HERE / "cases.yaml").read_text())[table]
        metafunc.parametrize("case", rows, ids=[str(row.get("id", i)) for i, row in enumerate(rows)])
