"""The boto3 clients: every setting is ours, whatever the environment says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lmfunction as lm
from lmfunction._auth import Credential
from lmfunction._boto import Connection, make_client

KEYS = Credential("AKIDEXAMPLE", "not-a-secret")
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture
def server(faults: ModuleType) -> Iterator[Any]:
    with faults.FaultServer() as server:
        yield server


@pytest.fixture
def caller(faults: ModuleType) -> Iterator[Any]:
    caller = faults.Caller()
    yield caller
    caller.close()


def test_a_live_connection_is_probed_often_enough_to_outlive_a_nat(
    server: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep-alive is on, after 45 s idle, each 15 s, four times; and small packets are not held back."""
    opened: list[socket.socket] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        opened.append(self)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted, raising=False)
    caller.call(server.url)
    live = [found for found in opened if _peer(found) == server.port]
    assert len(live) == 1
    read = live[0].getsockopt
    assert read(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert read(socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))) == 45
    assert read(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15
    assert read(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 4
    assert read(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def _peer(connection: socket.socket) -> int | None:
    try:
        return int(connection.getpeername()[1])
    except (OSError, IndexError, ValueError, TypeError):
        return None


@pytest.fixture
def client() -> Iterator[Any]:
    client = make_client(Connection(region="eu-west-1", credential=KEYS))
    yield client
    client.close()


def test_a_client_waits_long_connects_fast_and_never_repeats(client: Any) -> None:
    """Read timeout 930 s, connect timeout 5 s, one attempt, in the client's own words."""
    config = client.meta.config
    assert (config.read_timeout, config.connect_timeout) == (930.0, 5.0)
    assert config.retries["total_max_attempts"] == 1
    assert config.tcp_keepalive is True
    assert f"lmfunction/{lm.__version__}" in config.user_agent_extra


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_MAX_ATTEMPTS": "10", "AWS_RETRY_MODE": "adaptive"},
        {"AWS_MAX_ATTEMPTS": "abc"},
        {"AWS_MAX_ATTEMPTS": "0"},
        {"AWS_RETRY_MODE": "Standard"},
        {"AWS_RETRY_MODE": ""},
    ],
    ids=str,
)
def test_retry_settings_of_the_environment_change_nothing(
    variables: dict[str, str], server: Any, caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good or bad, what the environment says about retries is not asked."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server.play([{"status": 500, "type": "ServiceException"}])
    with pytest.raises(lm.ServiceError):
        caller.call(server.url)
    assert len(server.requests) == 1


def test_retry_settings_of_a_config_file_change_nothing(
    server: Any, caller: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither does ~/.aws/config."""
    config = tmp_path / "config"
    config.write_text("[default]\nretry_mode = adaptive\nmax_attempts = 9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    server.play([{"raw": "", "then": "fin"}])
    with pytest.raises(lm.TransportError):
        caller.call(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_proxy_never_gets_what_is_meant_for_this_machine(
    host: str, server: Any, caller: Any, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every proxy variable set, a call to loopback goes straight there."""
    with faults.FaultServer() as proxy:
        for name in PROXY_NAMES:
            monkeypatch.setenv(name, proxy.url)
        assert caller.call(f"http://{host}:{server.port}").ok
        assert (len(proxy.requests), proxy.connections, len(server.requests)) == (0, 0, 1)


def test_a_proxy_gets_what_is_meant_for_aws(caller: Any, faults: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to AWS asks the proxy for a tunnel; when it refuses, nothing was sent."""
    with faults.FaultServer() as proxy:
        proxy.play([{"status": 403, "bare": True, "then": "fin"}])
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(lm.TransportError) as caught:
            caller.session.invoke_lm("some-function", region="eu-west-1", timeout_sec=0.3)
        assert (caught.value.outcome, caught.value.sent) == ("NOT_SENT", False)
        assert {r.line.rpartition(" ")[0] for r in proxy.requests} == {"CONNECT lambda.eu-west-1.amazonaws.com:443"}


BROKEN = {
    "config that is no INI file": ({}, "this is [not an ini file\n"),
    "config of bytes": ({}, "\udcff\udcfe\x00"),
    "AWS_PROFILE naming nothing": ({"AWS_PROFILE": "no-such-profile"}, ""),
    "AWS_DEFAULT_PROFILE naming nothing": ({"AWS_DEFAULT_PROFILE": "no-such-profile"}, ""),
    "files that are folders": ({"AWS_CONFIG_FILE": "/", "AWS_SHARED_CREDENTIALS_FILE": "/"}, ""),
    "a wrong region": ({"AWS_DEFAULT_REGION": "no where"}, "[default]\nregion = !!\n"),
    "a wrong CA bundle": ({"AWS_CA_BUNDLE": "/nonexistent", "REQUESTS_CA_BUNDLE": "/nonexistent"}, ""),
    "another endpoint": ({"AWS_ENDPOINT_URL_LAMBDA": "https://lambda.invalid"}, ""),
    "wrong modes": ({"AWS_DEFAULTS_MODE": "nonsense", "AWS_USE_FIPS_ENDPOINT": "maybe"}, ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_embedded_lambda_works_with_any_setup_of_aws(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Broken files and variables of AWS's tools do not reach `-ProfileName local`."""
    variables, text = BROKEN[name]
    for file in ("config", "credentials"):
        (tmp_path / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with lm.Session(profile_name="local") as session:
        assert session.invoke_lm("hello", {"name": "you"}).payload == {"message": "Hello, you!"}


def test_importing_and_calling_the_embedded_lambda_needs_no_home(tmp_path: Path) -> None:
    """In a process with an empty environment the whole way works."""
    code = "import lmfunction as lm; print(lm.invoke_lm('echo', [1], profile_name='local').payload)"
    environment = {"PYTHONPATH": str(Path(lm.__file__).parents[1]), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[1]\n", "")
