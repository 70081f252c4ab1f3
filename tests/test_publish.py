"""Publish-LMFunction: a handler's source becomes a function that runs."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._commands import run_line
from lmfunction._door import NOTHING, Door
from lmfunction._engine import Engine
from lmfunction._publish import _code_and_handler
from lmfunction._table import PUBLISH

GREET = """
def handler(event, context):
    return f"Hello, {event['name']}!"
"""


@pytest.fixture
def session() -> Iterator[lm.Session]:
    with lm.Session() as session:
        yield session


@pytest.fixture
def name() -> str:
    """A function's name that no other test has."""
    return f"fn-{os.urandom(4).hex()}"


Invoke = Callable[..., Any]


@pytest.fixture
def invoke(session: lm.Session, name: str) -> Invoke:
    return lambda payload=None, **more: session.invoke_lm(name, payload or {}, profile_name="local", **more)


def test_source_becomes_a_function(session: lm.Session, name: str, invoke: Invoke) -> None:
    """In the embedded Lambda when nothing else is named; its configuration comes back as a record."""
    made = session.publish_lm_function(name, GREET)
    assert (made.FunctionName, made["Timeout"], made.MemorySize) == (name, 3, 128)
    assert made.Handler == "lambda_function.handler"
    assert made.Runtime == f"python3.{sys.version_info.minor}"
    assert "ResponseMetadata" not in made
    assert repr(made) == f"<FunctionConfiguration {name}>"
    assert invoke({"name": "Ada"}).payload == "Hello, Ada!"


def test_an_existing_function_gets_the_new_code(session: lm.Session, name: str, invoke: Invoke) -> None:
    """Under another handler name too."""
    session.publish_lm_function(name, GREET)
    session.publish_lm_function(name, "def lambda_handler(event, context):\n    return 'new'\n")
    assert invoke().payload == "new"


def test_an_update_leaves_the_settings_alone_that_it_does_not_name(
    session: lm.Session, name: str, invoke: Invoke
) -> None:
    """New code takes nobody's environment, timeout or memory away; a setting that is named is changed."""
    code = "import os\ndef handler(event, context):\n    return [os.environ.get('STAGE'), context.memory_limit_in_mb]\n"
    session.publish_lm_function(
        name, code, environment={"STAGE": "test"}, timeout=9, memory_size=256, description="what it is for"
    )
    again = session.publish_lm_function(name, code + "\n")
    assert (again.Timeout, again.MemorySize, again.Description) == (9, 256, "what it is for")
    assert invoke().payload == ["test", "256"]
    changed = session.publish_lm_function(name, code, timeout=5, environment={})
    assert (changed.Timeout, changed.MemorySize) == (5, 256)
    assert invoke().payload == [None, "256"]


def test_the_environment_reaches_the_function(session: lm.Session, name: str, invoke: Invoke) -> None:
    """Text as it is."""
    variables = {"EMPTY": "", "QUOTED": 'it\'s "$HOME" é\n'}
    code = f"import os\ndef handler(event, context):\n    return {{n: os.environ[n] for n in {sorted(variables)}}}\n"
    session.publish_lm_function(name, code, environment=variables)
    assert invoke().payload == variables


def test_the_timeout_is_kept(session: lm.Session, name: str, invoke: Invoke) -> None:
    """A function that is slower than its timeout ends with Lambda's own error."""
    session.publish_lm_function(name, "import time\ndef handler(event, context):\n    time.sleep(30)\n", timeout=1)
    failed = invoke()
    assert failed.error.type == "Sandbox.Timedout"
    assert "its own Timeout" in failed.error.hint


@pytest.mark.parametrize(
    ("source", "handler"),
    [
        ("def handler(event, context): pass", "handler"),
        ("def lambda_handler(event, context): pass", "lambda_handler"),
        ("def lambda_handler(e, c): pass\ndef handler(e, c): pass", "handler"),
        ("def greet(event, context): pass", "greet"),
        ("def greet(event, context, /): pass", "greet"),
        ("def help(a): pass\ndef greet(event, context): pass\ndef more(a, b, c): pass", "greet"),
        ("def handler(event): pass", "handler"),  # by its name, whatever its parameters
        ("class C:\n    def handler(self, event): pass\ndef f(event, context): pass", "f"),
        ("def f(event, context):\n    def handler(a, b): pass", "f"),
        # nothing to go by
        ("def a(event, context): pass\ndef b(event, context): pass", None),
        ("async def handler(event, context): pass", None),
        ("x = 1", None),
        ("def f(event): pass", None),
    ],
)
def test_the_handler_is_found(source: str, handler: str | None) -> None:
    """By its usual name, else the only function with two parameters; else the error says what to do."""
    if handler is None:
        with pytest.raises(lm.ParameterError, match="-Handler") as caught:
            _code_and_handler({"code": source})
        assert caught.value.parameter == "Code"
    else:
        assert _code_and_handler({"code": source})[1] == f"lambda_function.{handler}"


@pytest.mark.parametrize(
    ("handler", "module"),
    [("app.run", "app.py"), ("folder/app.run", "folder/app.py"), ("lambda_function.x", "lambda_function.py")],
)
def test_the_package_holds_one_module_that_can_be_read(handler: str, module: str) -> None:
    """Named by the handler, readable by everybody, and the same bytes for the same source."""
    package, found = _code_and_handler({"code": "é = 1\n", "handler": handler})
    (entry,) = zipfile.ZipFile(io.BytesIO(package)).infolist()
    assert (found, entry.filename, entry.external_attr >> 16) == (handler, module, 0o644)
    assert zipfile.ZipFile(io.BytesIO(package)).read(entry).decode() == "é = 1\n"
    assert _code_and_handler({"code": "é = 1\n", "handler": handler})[0] == package


@pytest.mark.parametrize("handler", ["run", "app.", ".run", "app.1x", "../app.run", "/app.run", "app.py:run", "a b.c"])
def test_a_handler_that_is_no_module_and_function_is_refused(handler: str) -> None:
    """Paths out of the package among them."""
    with pytest.raises(lm.ParameterError, match=r"MODULE\.FUNCTION"):
        _code_and_handler({"code": GREET, "handler": handler})


@pytest.mark.parametrize(
    ("source", "line", "column", "says"),
    [
        ("def handler(event, context)\n    pass\n", 1, 28, "expected ':'"),
        ("x = 1\ny = = 2\n", 2, 5, "invalid syntax"),
        ("def handler(event, context):\nreturn 1\n", 2, 1, "indented block"),
    ],
)
def test_a_syntax_error_is_told_with_its_place(source: str, line: int, column: int, says: str) -> None:
    """Line and column of the code, and the line with a caret; nothing is published."""
    with pytest.raises(lm.ParameterError) as caught:
        _code_and_handler({"code": source})
    error = caught.value
    assert (error.parameter, error.line, error.column) == ("Code", line, column)
    assert says in str(error)
    assert source.splitlines()[line - 1].strip() in str(error)
    assert str(error).splitlines()[-1].strip() == "^"


@pytest.mark.parametrize(
    "source",
    ["", "  \n", None, 7, "x = '\ud800'\n", "a\x00b", "(" * 5000, "-" * 100_000 + "1"],
    ids=lambda source: repr(source)[:20],
)
def test_what_is_no_source_is_refused(source: Any) -> None:
    """Empty, no text, not encodable, not parseable: an error of ours each time."""
    with pytest.raises(lm.ParameterError) as caught:
        _code_and_handler({"code": source})
    assert caught.value.parameter == "Code"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"timeout": 0}, "Timeout is 0; it must be 1 to 900"),
        ({"timeout": 901}, "it must be 1 to 900"),
        ({"timeout": 1.5}, "a whole number"),
        ({"memory_size": 64}, "it must be 128 to 10240"),
        ({"environment": {"A": 1}}, "Environment: A is int"),
        ({"environment": ["A"]}, "a mapping with text keys"),
        ({"function_name": "no/such name"}, "not a function name"),
        ({"function_name": ""}, "FunctionName is empty"),
        ({"hander": "x"}, "hander"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused(arguments: dict[str, Any], says: str, session: lm.Session) -> None:
    """Before anything is started or sent."""
    with pytest.raises((lm.ParameterError, TypeError)) as caught:
        session.publish_lm_function(**{"function_name": "f", "code": GREET, **arguments})
    assert says in str(caught.value)


def test_aws_is_asked_only_when_it_is_named(session: lm.Session, faults: Any) -> None:
    """With an endpoint and keys the request goes there; without a role only an existing function is looked for."""
    with faults.FaultServer() as server:
        place = {"endpoint_url": server.url, "region": "eu-west-1", "credential": lm.Credential("AKID", "not-a-secret")}
        server.play([{"status": 404, "type": "ResourceNotFoundException"}])
        with pytest.raises(lm.ParameterError, match="Role is missing"):
            session.publish_lm_function("f", GREET, **place)
        assert [r.line.split()[:2] for r in server.requests] == [["PUT", "/2015-03-31/functions/f/code"]]
        server.play([{"status": 403, "type": "AccessDeniedException"}])
        with pytest.raises(lm.ServiceError, match="AccessDeniedException"):
            session.publish_lm_function("f", GREET, role="arn:aws:iam::123456789012:role/r", **place)
        assert [r.line.split()[:2] for r in server.requests] == [["POST", "/2015-03-31/functions"]]
        server.play([{"raw": "", "then": "fin"}])
        with pytest.raises(lm.TransportError):
            session.publish_lm_function("f", GREET, role="arn:aws:iam::123456789012:role/r", **place)
        assert len(server.requests) == 1


def test_what_if_and_confirm_publish_nothing(name: str) -> None:
    """What would happen is shown; a confirmation that does not come refuses."""
    shown: list[Any] = []
    door = Door(show=shown.append)
    assert run_line(PUBLISH, f"{name} -WhatIf", GREET, Engine(), door, {}) is NOTHING
    (text,) = map(repr, shown)
    assert text.startswith('What if: Performing the operation "Publish-LMFunction" on target')
    assert name in text
    assert "the embedded Lambda" in text
    with pytest.raises(lm.GuardError):
        run_line(PUBLISH, f"{name} -Confirm", GREET, Engine(), door, {})
    with lm.Session(profile_name="local") as session, pytest.raises(lm.ServiceError) as caught:
        session.invoke_lm(name)
    assert caught.value.code == "ResourceNotFoundException"


def test_a_cells_body_is_the_code(name: str, invoke: Invoke) -> None:
    """As it stands in the cell; the record is emitted and kept by -OutVariable."""
    names: dict[str, Any] = {}
    engine = Engine()
    made = run_line(
        PUBLISH,
        f'{name} -Timeout 5 -Environment {{"STAGE": "b"}} -OutVariable made',
        GREET,
        engine,
        Door(assign=names.__setitem__),
        {},
    )
    engine.connections.close()
    assert names["made"] is made
    assert (made.Timeout, made.Environment) == (5, {"Variables": {"STAGE": "b"}})
    assert invoke({"name": "you"}).payload == "Hello, you!"
