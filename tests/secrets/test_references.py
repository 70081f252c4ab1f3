"""Secrets named instead of typed: looked up when the call is sent, shown as their references everywhere."""

from __future__ import annotations

import base64
import json
import pickle
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

import lmfunction as lm
from lmfunction._commands import run_line
from lmfunction._door import Door
from lmfunction._scope import Scope
from lmfunction._secret_values import SecretValues
from lmfunction._session import default_session
from lmfunction._table import INVOKE
from lmfunction.errors import LMError, LMWarning, ParameterError, ServiceError, TransportError

SECRET = 'hun"ter2-Žluťoučký\\n'
CASES = yaml.safe_load(Path(__file__).with_name("reference_cases.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a moto server that keeps the secrets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # What moto keeps belongs to the process, and other modules use it, too.
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
    session = boto3.Session("AKIDEXAMPLE", "not-a-secret", region_name="us-east-1")
    ssm = session.client("ssm", endpoint_url=url)
    ssm.put_parameter(Name="/db/password", Value=SECRET, Type="SecureString")
    ssm.put_parameter(Name="/db/config", Value=json.dumps({"password": SECRET, "port": 5432}), Type="SecureString")
    manager = session.client("secretsmanager", endpoint_url=url)
    manager.create_secret(Name="prod/db", SecretString=json.dumps({"password": SECRET}))
    manager.create_secret(Name="prod/token", SecretString=SECRET)
    manager.create_secret(Name="prod/binary", SecretBinary=b"\x00")
    yield url
    server.stop()


@pytest.fixture
def environment(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the secrets are kept, and the credentials that may read them."""
    default_session().engine.connections.secrets = SecretValues()
    for name, value in {
        "DB_PASSWORD": SECRET,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_SSM": moto,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto,
    }.items():
        monkeypatch.setenv(name, value)


NAMES = {"p": lm.Secret("env:DB_PASSWORD"), "text": "env:DB_PASSWORD", "row": {"p": "env:DB_PASSWORD"}}


def run(line: str, body: str | None = None) -> Any:
    """What the line emits for the embedded function `echo`."""
    name = "" if "-FunctionName" in line else "echo "
    door = Door(scope=Scope(dict(NAMES)))
    return run_line(INVOKE, f"{name}{line} -ProfileName local", body, default_session().engine, door, {})


def filled(value: Any) -> Any:
    """`value` with the secret for each {S}."""
    return json.loads(json.dumps(value).replace("{S}", json.dumps(SECRET)[1:-1]))


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_table(case: dict[str, Any]) -> None:
    """Each row: what the function gets, what is shown of it, or why nothing is sent; the secret is shown nowhere."""
    if "error" in case:
        with pytest.raises(LMError, match=case["error"]) as caught:
            run(case["line"], case.get("body"))
        assert SECRET not in str(caught.value)
        assert getattr(caught.value, "sent", False) is False
        return
    result = run(case.get("line", ""), case.get("body"))
    assert result.payload == filled(case["payload"])
    if "shown" in case:
        assert result.request.payload.decode() == case["shown"]
    told = [repr(result.request), result.request.to_aws_cli(), result.request.to_boto3(), repr(result)]
    for mime, content in result._repr_mimebundle_()[0].items():
        told.append(f"{mime}: {content}")
    for text in told:
        assert json.dumps(SECRET)[1:-1] not in text
        assert SECRET not in text


@pytest.mark.usefixtures("environment")
def test_a_client_context() -> None:
    """A reference in the client context reaches the function's context, and the request shows the reference."""
    result = run('{} -ClientContext {"custom": {"key": "ssm:/db/password"}}')
    shown = base64.b64decode(result.request.client_context).decode()
    assert shown == '{"custom": {"key": "«secret ssm:/db/password»"}}'
    assert result.ok


@pytest.mark.usefixtures("environment")
def test_what_if_looks_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """-WhatIf shows references and asks nobody for their values."""
    monkeypatch.setattr(SecretValues, "find", lambda *_: pytest.fail("it was looked up"))
    shown: list[Any] = []
    door = Door(scope=Scope(dict(NAMES)), show=shown.append)
    run_line(
        INVOKE, 'echo {"p": "ssm:/db/password"} -ProfileName local -WhatIf', None, default_session().engine, door, {}
    )
    assert len(shown) == 1


@pytest.mark.usefixtures("environment")
def test_python_gives_secrets_as_objects() -> None:
    """`lm.Secret` in a payload of Python's door is looked up; a text that looks like one is sent, with a warning."""
    result = lm.invoke_lm("echo", {"p": lm.Secret("ssm:/db/password")}, profile_name="local")
    assert result.payload == {"p": SECRET}
    with pytest.warns(LMWarning, match="looks like a reference"):
        result = lm.invoke_lm("echo", {"p": "ssm:/db/password"}, profile_name="local")
    assert result.payload == {"p": "ssm:/db/password"}


@pytest.mark.usefixtures("environment")
def test_piped_data_is_never_looked_up() -> None:
    """What a function answered cannot make the next call read a secret."""
    first = lm.invoke_lm("echo", {"p": "env:DB_PASSWORD"}, profile_name="local")
    second = first | lm.Invoke("echo").profile_name("local")
    assert second.payload == {"p": "env:DB_PASSWORD"}


@pytest.mark.usefixtures("environment")
def test_a_replay_looks_it_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result holds references, so that a replay takes the value of its own time."""
    result = lm.invoke_lm("echo", {"p": lm.Secret("env:DB_PASSWORD")}, profile_name="local")
    monkeypatch.setenv("DB_PASSWORD", "rotated")
    assert result.replay().payload == {"p": "rotated"}


@pytest.mark.usefixtures("environment")
def test_a_failed_functions_error_hides_it() -> None:
    """An error text and a stack trace in which a secret stands are shown with its reference."""
    result = lm.invoke_lm("fail", {"message": lm.Secret("env:DB_PASSWORD")}, log_type="Tail", profile_name="local")
    assert not result.ok
    with pytest.raises(lm.FunctionError) as caught:
        result.raise_for_error()
    assert "hun" not in str(caught.value).replace("Unhandled", "")


@pytest.mark.usefixtures("environment")
def test_a_pickled_result_takes_no_secret_along_in_its_redaction() -> None:
    """The values that are hidden are not written into a file beside the answer."""
    result = lm.invoke_lm("hello", {"name": "x", "p": lm.Secret("env:DB_PASSWORD")}, profile_name="local")
    assert SECRET.encode() not in pickle.dumps(result)
    assert b"hun" not in pickle.dumps(result)


def test_many_calls_ask_once(moto: str) -> None:
    """A value is kept for five minutes, and asked for again afterwards."""
    now = [0.0]
    values = SecretValues(clock=lambda: now[0])
    asked: list[Any] = []

    import lmfunction._secret_values as module
    from lmfunction._boto import Connection
    from lmfunction._connection import Place
    from lmfunction._profile_values import Profile

    place = Place(Connection("us-east-1"), Profile(""))
    original = module._asked
    module._asked = lambda secret, place: asked.append(secret) or "value"  # type: ignore[func-returns-value]
    try:
        for moment in (0.0, 1.0, 299.0, 301.0, 302.0):
            now[0] = moment
            assert values.find(lm.Secret("ssm:/x"), place) == "value"
    finally:
        module._asked = original
    assert len(asked) == 2


@pytest.mark.usefixtures("environment")
def test_an_emulator_on_this_machine_is_asked_for_its_secrets_too(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a loopback endpoint for Lambda the neighbours are asked there, unless the environment names another."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_SSM")
    from lmfunction._boto import Connection, environment_of
    from lmfunction._connection import Place
    from lmfunction._profile_values import Profile

    place = Place(Connection("us-east-1", endpoint_url=moto, environment=environment_of()), Profile(""))
    assert SecretValues().find(lm.Secret("ssm:/db/password"), place) == SECRET


@pytest.mark.usefixtures("environment")
def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that cannot be reached refuses the call; provably nothing was invoked."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:1")
    with pytest.raises(TransportError, match="nothing was invoked") as caught:
        run('{"p": "ssm:/db/password"}')
    assert caught.value.sent is False


@pytest.mark.usefixtures("environment")
def test_a_refusal_keeps_its_code() -> None:
    """What Systems Manager refuses is a ServiceError with its code, and the function was not run."""
    with pytest.raises(ServiceError) as caught:
        run('{"p": "ssm:/db/nothing"}')
    assert caught.value.code == "ParameterNotFound"
    assert caught.value.outcome == "REJECTED"


@pytest.mark.usefixtures("environment")
def test_a_binary_secret() -> None:
    """A binary secret has no one text, so it is refused."""
    with pytest.raises(ParameterError, match="binary"):
        run('{"p": "secretsmanager:prod/binary"}')


@pytest.mark.parametrize(
    "text", ["", "password", "env:", "env:A B", "ssm:", "http://x", "ssm:/a b", 'ssm:/a"b', "env:X#y", 5]
)
def test_what_is_no_reference(text: Any) -> None:
    """A Secret takes a reference only, and does not repeat what may be the secret itself."""
    with pytest.raises(ParameterError, match=r"env:NAME, ssm:/path or secretsmanager:name") as caught:
        lm.Secret(text)
    if text in ("password", "http://x"):
        assert text not in str(caught.value)


def test_a_secret_object_shows_its_reference() -> None:
    """Text, repr and equality tell the reference; Python's own text templates refuse it."""
    secret = lm.Secret("ssm:/db/password")
    assert (str(secret), repr(secret)) == ("«secret ssm:/db/password»", "<Secret ssm:/db/password>")
    assert secret == lm.Secret("ssm:/db/password")
    assert pickle.loads(pickle.dumps(secret)) == secret
    with pytest.raises(ParameterError, match="cannot be put into a text"):
        f"{secret}"


def test_a_payload_with_its_secret_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that makes the payload too large is found before anything is sent."""
    from lmfunction import _wire

    monkeypatch.setattr(_wire, "SYNC_REQUEST_LIMIT", 1000)
    monkeypatch.setenv("LARGE", "x" * 2000)
    with pytest.raises(ParameterError, match="with its secrets"):
        run('{"p": "env:LARGE"}')
