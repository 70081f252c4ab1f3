"""Names that Lambda has, asked for in the background: when it is asked, how long anybody waits, what is never done."""

from __future__ import annotations

import ast
import json
import os
import socket
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._blank import Surroundings
from lmfunction._catalog import ALIASES, FUNCTIONS, Catalog, Question
from lmfunction._completion import complete
from lmfunction._engine import Engine
from lmfunction._session import Session
from lmfunction._table import find_cmdlet
from lmfunction.local import _child
from lmfunction.local._child import Embedded, start_embedded

INVOKE = find_cmdlet("invoke_lm")
assert INVOKE is not None


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Answers questions as it is told and counts them; `gate` holds the answers back."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.pages: list[list[tuple[str, str]]] = [[("hello", "python3.12")]]
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, question: Question) -> Iterator[list[tuple[str, str]]]:
        self.questions.append(question)
        for page in self.pages:
            self.gate.wait(10)
            yield page
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def catalog(clock: Clock, asked: Asked) -> Catalog:
    return Catalog(Engine, clock=clock, budget=0.05, ask=asked)


def _wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "lmfunction-names":
            thread.join(10)


def test_an_answer_is_kept_for_a_minute(catalog: Catalog, clock: Clock, asked: Asked) -> None:
    """Lambda is asked once a minute for the same names; those that are gone by then are dropped."""
    question = Question(FUNCTIONS, INVOKE)
    assert catalog.names(question) == {"hello": "python3.12"}
    clock.now += 59
    assert catalog.names(question) == {"hello": "python3.12"}
    assert len(asked.questions) == 1
    clock.now += 2
    asked.pages = [[("bye", "")]]
    assert catalog.names(question) == {"bye": ""}
    assert len(asked.questions) == 2


def test_a_failure_is_silent_and_kept(
    catalog: Catalog, clock: Clock, asked: Asked, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failure offers what came before it, says nothing, and is not repeated for half a minute."""
    asked.error = RuntimeError("refused")
    question = Question(FUNCTIONS, INVOKE)
    assert catalog.names(question) == {"hello": "python3.12"}
    clock.now += 29
    catalog.names(question)
    assert len(asked.questions) == 1
    clock.now += 2
    catalog.names(question)
    _wait_for_threads()
    assert len(asked.questions) == 2
    assert capfd.readouterr() == ("", "")


def test_nobody_waits_twice_for_what_is_slow(catalog: Catalog, clock: Clock, asked: Asked) -> None:
    """The first Tab waits for the budget, the next not at all; once the answer is there, it is offered."""
    asked.gate.clear()
    question = Question(FUNCTIONS, INVOKE)
    start = time.monotonic()
    assert catalog.names(question) == {}
    assert 0.04 < time.monotonic() - start < 1
    clock.now += 0.06
    start = time.monotonic()
    assert catalog.names(question) == {}
    assert time.monotonic() - start < 0.04
    assert len(asked.questions) == 1
    asked.gate.set()
    _wait_for_threads()
    assert catalog.names(question) == {"hello": "python3.12"}


def test_pages_are_offered_as_they_come(catalog: Catalog, clock: Clock, asked: Asked) -> None:
    """Of an account with many functions the first pages are offered before the last has come."""
    first = threading.Event()

    def slow(*_: Any) -> Iterator[list[tuple[str, str]]]:
        yield [("a", "")]
        first.set()
        asked.gate.wait(10)
        yield [("b", "")]

    catalog = Catalog(Engine, clock=clock, budget=0.05, ask=slow)
    asked.gate.clear()
    question = Question(FUNCTIONS, INVOKE)
    catalog.names(question)
    assert first.wait(5)
    assert catalog.names(question) == {"a": ""}
    asked.gate.set()
    _wait_for_threads()
    assert catalog.names(question) == {"a": "", "b": ""}


def test_old_names_are_offered_until_new_ones_come(catalog: Catalog, clock: Clock, asked: Asked) -> None:
    """After a minute the old names are offered while the new ones are on their way."""
    question = Question(FUNCTIONS, INVOKE)
    assert catalog.names(question) == {"hello": "python3.12"}
    clock.now += 61
    asked.gate.clear()
    assert catalog.names(question) == {"hello": "python3.12"}
    asked.gate.set()
    _wait_for_threads()


def test_not_more_than_eight_at_once(catalog: Catalog, asked: Asked) -> None:
    """Questions that hang do not pile up threads."""
    asked.gate.clear()
    for number in range(12):
        catalog.names(Question(FUNCTIONS, INVOKE, {"Region": f"eu-west-{number}"}))
    assert len(asked.questions) == 8
    asked.gate.set()
    _wait_for_threads()


@pytest.mark.parametrize(
    "other",
    [
        Question(ALIASES, INVOKE, {}, "f"),
        Question(FUNCTIONS, INVOKE, {"Region": "eu-west-1"}),
        Question(FUNCTIONS, INVOKE, {"Credential": lm.Credential("AKID", "not-a-secret")}),
        Question(FUNCTIONS, find_cmdlet("publish_lm_function") or INVOKE),
    ],
    ids=["listing", "region", "credential", "publish"],
)
def test_another_place_is_another_question(other: Question, catalog: Catalog, asked: Asked) -> None:
    """Names of one place, or of one function, are never offered for another."""
    catalog.names(Question(FUNCTIONS, INVOKE))
    catalog.names(other)
    assert len(asked.questions) == 2


@pytest.mark.parametrize(
    ("written", "function"),
    [
        ("orders:", "orders"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:orders:l",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
        ),
        ("123456789012:function:orders:l", "123456789012:function:orders"),
        ("orders:live -Qualifier l", "orders"),
        ("arn:aws:lambda:us-east-1:123456789012:function", None),
        ("arn:aws:la", None),
    ],
)
def test_whose_versions_are_asked_for(written: str, function: str | None, catalog: Catalog, asked: Asked) -> None:
    """The versions of the function before the colon are asked for, by the name it has; of half an ARN none are."""
    complete(written, INVOKE, Surroundings({}, catalog=catalog))
    assert {one.function for one in asked.questions} == ({function} if function else set())


def test_another_environment_is_another_question(
    catalog: Catalog, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of AWS_PROFILE the names of the other account are gone."""
    catalog.names(Question(FUNCTIONS, INVOKE))
    monkeypatch.setenv("AWS_PROFILE", "other")
    catalog.names(Question(FUNCTIONS, INVOKE))
    assert len(asked.questions) == 2


def test_another_default_is_another_question(asked: Asked, clock: Clock) -> None:
    """After Set-DefaultAWSRegion, or with another default, the names of the place before are gone."""
    engine = Engine()
    catalog = Catalog(lambda: engine, clock=clock, budget=5, ask=asked)
    catalog.names(Question(FUNCTIONS, INVOKE))
    engine.shell.region = "eu-west-1"
    catalog.names(Question(FUNCTIONS, INVOKE))
    engine.defaults["*-LM*:Region"] = "eu-west-2"
    catalog.names(Question(FUNCTIONS, INVOKE))
    catalog.names(Question(FUNCTIONS, INVOKE, {"ClientConfig": {"user_agent_extra": "x"}}))
    assert len(asked.questions) == 4


# Against real endpoints


@pytest.fixture
def opened() -> Iterator[Callable[..., Catalog]]:
    """Makes catalogs that really ask; their connections are closed afterwards."""
    made: list[Catalog] = []

    def make(session: Session | None = None, budget: float = 20) -> Catalog:
        engine = session.engine if session is not None else Engine()
        made.append(Catalog(lambda: engine, budget=budget))
        return made[-1]

    yield make
    _wait_for_threads()
    for catalog in made:
        catalog.close()


@pytest.fixture
def hanging(opened: Callable[..., Catalog]) -> Iterator[str]:
    """The URL of an endpoint that takes connections and never says anything; at the end it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def texts(line: str, around: Surroundings, cmdlet: str = "invoke_lm", after: str = "") -> list[str]:
    """What is offered at the end of a line."""
    return [one.text for one in complete(line, find_cmdlet(cmdlet), around, after=after)]


@pytest.mark.usefixtures("keys")
def test_an_endpoint_that_hangs(hanging: str, opened: Callable[..., Catalog]) -> None:
    """A Tab is back within its budget whatever the network does, and the second at once."""
    import boto3  # noqa: F401 - its import is no part of the wait

    around = Surroundings({}, catalog=opened(budget=0.3))
    start = time.monotonic()
    assert texts("-EndpointUrl " + hanging + " x", around) == []
    first = time.monotonic() - start
    start = time.monotonic()
    assert texts("-EndpointUrl " + hanging + " x", around) == []
    assert first < 1
    assert time.monotonic() - start < 0.2


@pytest.mark.usefixtures("keys")
def test_a_kernel_is_never_blocked_for_more_than_a_second(
    hanging: str, folder: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    """Through the protocol: a complete_request against an endpoint that hangs is answered in about a second."""
    from jupyter_client.manager import start_new_kernel

    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **environ,
        **{name: os.environ[name] for name in os.environ if name.startswith("AWS_")},
        "AWS_ENDPOINT_URL_LAMBDA": hanging,
        "PYTHONPATH": str(Path(lm.__file__).parents[1]),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=str(tmp_path))
    try:
        for code in ("%load_ext lmfunction", "import boto3; boto3.client('lambda').close()"):
            reply = client.execute_interactive(code, timeout=60, output_hook=lambda _: None)
            assert reply["content"]["status"] == "ok"
        # What a Tab waits for is measured where it waits: the rest is IPython's, and the machine's other work.
        watched = (
            "import time\n"
            "(_usual,) = [m for m in get_ipython().Completer.custom_matchers if m.matcher_identifier == 'lmfunction']\n"
            "def _timed(context):\n"
            "    start = time.monotonic()\n"
            "    try:\n"
            "        return _usual(context)\n"
            "    finally:\n"
            "        spent.append(time.monotonic() - start)\n"
            "vars(_timed).update(vars(_usual))\n"
            "get_ipython().Completer.custom_matchers[:] = [_timed]\n"
            "spent = []"
        )
        assert client.execute_interactive(watched, timeout=60)["content"]["status"] == "ok"
        client.complete("%invoke_lm f -LogT", 18, reply=True, timeout=60)
        for _ in range(2):
            client.complete("%invoke_lm zz", 13, reply=True, timeout=60)
        told = client.execute_interactive("", user_expressions={"spent": "spent[1:]"}, timeout=60)["content"]
        first, second = ast.literal_eval(told["user_expressions"]["spent"]["data"]["text/plain"])
        assert 0.9 < first < 2
        assert second < 0.9
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@pytest.fixture(scope="module")
def server() -> Iterator[Embedded]:
    with start_embedded() as running:
        yield running


@pytest.fixture
def at_the_server(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.region)


@pytest.mark.usefixtures("at_the_server")
def test_functions_of_the_place(server: Embedded, opened: Callable[..., Catalog]) -> None:
    """The functions of the line's place are offered by every cmdlet that takes one, with their runtimes."""
    around = Surroundings({}, catalog=opened())
    assert sorted(texts("-FunctionName ", around)) == ["echo", "fail", "hello", "slow"]
    assert texts("h", around) == ["hello"]
    assert texts("f", around, "get_lm_function") == ["fail"]
    assert texts("x | invoke_lm ec", around) == ["echo"]
    (hello,) = complete("he", INVOKE, around)
    assert hello.what == "function"
    assert hello.about.startswith("python3.")
    assert texts("h", Surroundings({})) == []  # without a catalog nobody is asked


@pytest.mark.usefixtures("at_the_server")
def test_a_place_that_is_not_known_is_not_asked(opened: Callable[..., Catalog]) -> None:
    """Where an expression says the profile, no other place's names are offered."""
    around = Surroundings({"p": 1}, catalog=opened())
    assert texts("-ProfileName $(which()) h", around) == []
    assert texts("-Region $typo h", around) == []
    assert texts("h", around, after=" -ProfileName $(which())") == []


def test_tab_starts_no_embedded_lambda(monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Catalog]) -> None:
    """Its sample functions are offered without it; once it runs, what was put into it is offered too."""
    for running in [*_child._by_region.values()]:
        running.close()
    monkeypatch.setattr(_child, "start_embedded", lambda **_: pytest.fail("it was started"))
    around = Surroundings({}, catalog=opened())
    for line in ("-ProfileName local ", "-EndpointUrl embedded "):
        assert sorted(t for t in texts(line + "-FunctionName ", around)) == ["echo", "fail", "hello", "slow"]
    assert texts("h", around, "publish_lm_function") == ["hello"]
    monkeypatch.undo()
    lm.publish_lm_function("zebra", "def handler(event, context):\n    return event\n")
    around = Surroundings({}, catalog=opened())
    assert texts("-ProfileName local z", around) == ["zebra"]
    assert texts("z", around, "publish_lm_function") == ["zebra"]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a moto server in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports'
        from moto.server import ThreadedMotoServer

        running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
    host, port = running.get_host_and_port()
    # What moto keeps belongs to the process, and other modules use it, too.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    running.stop()


def test_versions_and_aliases(
    moto: str, keys: None, package: Callable[[], bytes], opened: Callable[..., Catalog]
) -> None:
    """After `orders:` and for -Qualifier the function's aliases and versions are offered, for -Name its aliases."""
    import boto3

    iam = boto3.client("iam", endpoint_url=moto)
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.close()
    with Session(endpoint_url=moto) as session:
        for name in ("orders", "ordinary"):
            session.publish_lm_function(
                name, {"ZipFile": package()}, handler="app.handler", role=role, runtime="python3.12"
            )
        session.publish_lm_version("orders")
        session.new_lm_alias("orders", name="live", function_version="1")
    around = Surroundings({}, catalog=opened(), defaults={"EndpointUrl": moto})
    assert sorted(texts("ord", around)) == ["orders", "ordinary"]
    assert texts("orders:l", around) == ["live"]
    assert set(texts("orders:", around)) == {"live", "$LATEST", "1"}
    assert texts("orders -Qualifier l", around) == ["live"]
    assert texts("orders -Qualifier $L", around) == ["$LATEST"]
    assert texts("orders:live -Qualifier l", around) == ["live"]
    assert texts("orders -Name l", around, "get_lm_alias") == ["live"]
    assert texts("orders -Name x -FunctionVersion 1", around, "new_lm_alias") == ["1"]
    assert texts("ordinary -Qualifier l", around) == []
    starts = {one.start for one in complete("orders:l", INVOKE, around)}
    assert starts == {7}


@pytest.fixture
def package() -> Callable[[], bytes]:
    """The bytes of a zip file with a handler."""

    def made() -> bytes:
        import io
        import zipfile

        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.writestr("app.py", "def handler(event, context):\n    return event\n")
        return content.getvalue()

    return made


def test_no_program_is_run_for_a_tab(
    server: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Catalog]
) -> None:
    """A profile whose credentials come of a program is asked only once a call has had it run."""
    ran = tmp_path / "ran"
    keys = {"Version": 1, "AccessKeyId": server.access_key, "SecretAccessKey": server.secret_key}
    program = tmp_path / "keys.py"
    program.write_text(f"open({str(ran)!r}, 'a').write('x')\nprint('''{json.dumps(keys)}''')\n")
    config = tmp_path / "config"
    config.write_text(
        f"[profile tool]\nregion = {server.region}\ncredential_process = {sys.executable} {program}\n"
        f"[profile mfa]\nregion = {server.region}\nrole_arn = arn:aws:iam::123456789012:role/r\n"
        "source_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        "[profile chained]\nrole_arn = arn:aws:iam::123456789012:role/q\nsource_profile = mfa\n"
        f"region = {server.region}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
    with Session() as session:
        around = Surroundings({}, catalog=opened(session))
        for profile in ("tool", "mfa", "chained"):
            assert texts(f"-ProfileName {profile} h", around) == []
        assert not ran.exists()
        assert session.invoke_lm("hello", profile_name="tool").ok
        often = ran.read_text()
        around = Surroundings({}, catalog=opened(session))
        assert texts("-ProfileName tool h", around) == ["hello"]
        assert ran.read_text() == often


def test_switched_off(hanging: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With %config LMFunction.complete_functions = False no Tab asks anybody."""
    from types import SimpleNamespace

    from lmfunction._magics import LMFunction

    monkeypatch.setattr(LMFunction, "__init__", lambda self, shell: None)
    settings = LMFunction(None)
    settings._last = settings._catalog = None
    settings.shell = SimpleNamespace(user_ns={}, user_ns_hidden={})
    assert settings.surroundings().catalog is not None
    settings.complete_functions = False
    assert settings.surroundings().catalog is None
