"""What the tests of pipelines share: a Lambda to call, a door that remembers, and the tables."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._commands import run_pipeline
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._scope import Scope
from lmfunction._transport import Reply
from lmfunction.local._child import Embedded, start_embedded

HERE = Path(__file__).parent


@dataclass
class Desk:
    """Runs lines against one session; remembers what they showed, told and set."""

    engine: Engine
    names: dict[str, Any] = field(default_factory=dict)
    shown: list[Any] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    what_if: bool = False

    def __call__(self, line: str, **names: Any) -> Any:
        """What the line emits; NOTHING when nothing is."""
        self.names.update(names)
        door = Door(
            scope=Scope(self.names, environ={}),
            tell=lambda level, text: self.told.append((level, text)),
            show=self.shown.append,
            assign=self.names.__setitem__,
            what_if=self.what_if,
        )
        return run_pipeline(line, self.engine, door, {}, self.results.append)


@pytest.fixture(scope="session")
def the_lambda() -> Iterator[Embedded]:
    """An embedded Lambda with the sample functions."""
    with start_embedded() as server:
        yield server
        assert server.errors == ""


@pytest.fixture(scope="session")
def session(the_lambda: Embedded) -> Iterator[lm.Session]:
    """A session whose every call reaches the embedded Lambda."""
    keys = lm.Credential(the_lambda.access_key, the_lambda.secret_key)
    with lm.Session(region=the_lambda.region, endpoint_url=the_lambda.url, credential=keys) as opened:
        yield opened


@pytest.fixture
def line(session: lm.Session) -> Desk:
    """Runs a line against the embedded Lambda."""
    return Desk(session.engine)


@pytest.fixture
def offline() -> Desk:
    """Runs a line that must send nothing: there is no endpoint, no region and no credential."""
    return Desk(Engine())


@pytest.fixture(scope="session")
def nothing() -> Any:
    """What a line gives that emits nothing."""
    return NOTHING


class FakeLambda:
    """Stands for the transport: answers by a function of name and event, counts, and can hold answers back."""

    connection = SimpleNamespace(endpoint_url="http://127.0.0.1:9")
    client = None

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events: list[Any] = []
        self.names: list[str] = []
        self.requests: list[Any] = []
        self.busy = self.most = 0
        self.answer: Callable[[str, Any], Any] = lambda name, event: {"got": event}
        self.gate: Callable[[Any], None] = lambda event: None

    def send(self, request: Any) -> Reply:
        event = json.loads(request.payload)
        with self.lock:
            self.requests.append(request)
            self.events.append(event)
            self.names.append(request.function_name)
            self.busy += 1
            self.most = max(self.most, self.busy)
        try:
            self.gate(event)
            answer = self.answer(request.function_name, event)
        finally:
            with self.lock:
                self.busy -= 1
        if isinstance(answer, Reply):
            return answer
        return Reply(200, {"x-amzn-requestid": "r"}, json.dumps(answer).encode())

    @staticmethod
    def failing(message: str) -> Reply:
        """The answer of a function that raised."""
        body = json.dumps({"errorType": "Refused", "errorMessage": message}).encode()
        return Reply(200, {"x-amzn-requestid": "r-failed", "x-amz-function-error": "Unhandled"}, body)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeLambda:
    """A Lambda in this process, and in its `line` a desk that reaches nothing else."""
    made = FakeLambda()
    keys = lm.Credential("AKIDEXAMPLE", "not-a-secret")
    policy = lm.RetryPolicy(sleep=lambda seconds: None)
    made.session = lm.Session(
        region="us-east-1", endpoint_url="http://127.0.0.1:9", credential=keys, retry_policy=policy
    )
    monkeypatch.setattr(made.session.engine.connections, "transport", lambda place: made)
    made.line = Desk(made.session.engine)
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `verb_case` or `expression_case` gets each row of that table."""
    if "verb_case" in metafunc.fixturenames:
        table = yaml.safe_load((HERE / "verb_cases.yaml").read_text("utf-8"))
        rows = [(table["names"], case) for group in table["groups"] for case in group["cases"]]
        metafunc.parametrize("verb_case", rows, ids=[case["line"] or "empty" for _, case in rows])
    if "expression_case" in metafunc.fixturenames:
        table = yaml.safe_load((HERE / "expressions.yaml").read_text("utf-8"))
        rows = [(table["data"], group["production"], e) for group in table["groups"] for e in group["expressions"]]
        metafunc.parametrize("expression_case", rows, ids=[expression for _, _, expression in rows])
