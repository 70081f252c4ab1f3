"""The embedded Lambda as our child: it starts quickly, says why when it does not, and never outlives us."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lmfunction.errors import TransportError
from lmfunction.local import _child
from lmfunction.local._child import embedded, start_embedded

ROOT = str(Path(__file__).resolve().parents[2])
PARENT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from lmfunction.local._child import start_embedded
e = start_embedded()
print(json.dumps([e.url, e.region, e.access_key, e.secret_key, e.pid]), flush=True)
sys.stdin.read()
"""
# Ends by SIGKILL only, and so do its children: one forked, one another program.
CLINGING = """
import os, signal, subprocess, time
def handler(event, context):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(["sleep", "60"])
    if os.fork() == 0:
        time.sleep(60)
    open(event, "w").close()
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


class Started:
    """A server that another process has started."""

    def __init__(self, line: bytes) -> None:
        self.url, self.region, self.access_key, self.secret_key, self.pid = json.loads(line)


@pytest.fixture(autouse=True)
def _none_left(all_gone: Any) -> Any:
    yield
    for started in list(_child._by_region.values()):
        started.close()
        assert all_gone({started.pid})
    _child._by_region.clear()


def test_close_leaves_nothing(client_of: Any, children_of: Any, all_gone: Any, tmp_path: Path) -> None:
    """After close neither the server nor its processes are there; closing again does nothing."""
    server = start_embedded()
    client_of(server).invoke(FunctionName="echo")
    pids = {server.pid, *children_of(server.pid)}
    assert len(pids) == 2
    server.close()
    server.close()
    assert all_gone(pids)
    assert not server.running
    assert not list(Path(_child.tempfile.gettempdir()).glob(f"lmfunction-local-{server.pid}-*"))


@pytest.mark.parametrize("victim", ["parent", "server"])
def test_kill_9_leaves_nothing(
    victim: str, client_of: Any, children_of: Any, all_gone: Any, Deployer: Any, tmp_path: Path
) -> None:
    """K40: kill -9 of the parent or of the server leaves no process, however a busy handler clings, and no port."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        server = Started(parent.stdout.readline())
        client = client_of(server)
        client.invoke(FunctionName="echo")
        name = Deployer(client)(CLINGING, Timeout=60)
        client.invoke(FunctionName=name, Payload=json.dumps(str(tmp_path / "ready")), InvocationType="Event")
        while not (tmp_path / "ready").exists():
            time.sleep(0.01)
        pids = {server.pid, *children_of(server.pid)}
        assert len(pids) == 5  # the server, echo, and the other with two children
        os.kill(parent.pid if victim == "parent" else server.pid, signal.SIGKILL)
        assert all_gone(pids - {server.pid} if victim == "server" else pids)
        parent.kill()
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with start_embedded(port=port) as anew:
        assert anew.url == server.url


def test_started_twice(make_wire: Any) -> None:
    """K39: a second server on the same port is refused with the reason, and the first one serves on."""
    with start_embedded() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(TransportError, match=f"cannot listen on port {port}: Address already in use"):
            start_embedded(port=port)
        assert make_wire(first).request().status == 200


def test_repr_is_masked(server: Any) -> None:
    """The secret key is not in the repr."""
    assert server.secret_key not in repr(server)
    assert server.url in repr(server)


def test_port_taken() -> None:
    """K38: a port that is taken is named in the error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TransportError) as raised:
            start_embedded(port=port)
    assert f"cannot listen on port {port}: Address already in use" in str(raised.value)
    assert raised.value.sent is False


def test_chosen_port_and_region(client_of: Any) -> None:
    """The port and the region are those that were asked for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start_embedded(port=port, region="eu-west-1") as server:
        assert server.url == f"http://127.0.0.1:{port}"
        config = client_of(server).get_function_configuration(FunctionName="echo")
        assert config["FunctionArn"] == "arn:aws:lambda:eu-west-1:000000000000:function:echo"


def test_dies_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that dies at start is reported with its own words, and one that says nothing after a while."""
    monkeypatch.setattr(_child, "_PROGRAM", "raise SystemExit('no reason at all')")
    with pytest.raises(TransportError, match=r"(?s)ended with status 1.*no reason at all"):
        start_embedded()
    monkeypatch.setattr(_child, "_PROGRAM", "import sys; sys.stdin.read()")
    with pytest.raises(TransportError, match="did not listen within"):
        start_embedded(seconds=0.2)


def test_working_directory_shadows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_of: Any) -> None:
    """Modules in the working directory are not taken for the package or the standard library."""
    for name in ("lmfunction.py", "asyncio.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    with start_embedded() as server:
        assert client_of(server).invoke(FunctionName="echo", Payload=b"1")["Payload"].read() == b"1"


def test_one_for_the_process() -> None:
    """`embedded` gives the same server to every thread, another per region, and a new one when it has died."""
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(embedded())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(s) for s in found}) == 1
    first = found[0]
    os.kill(first.pid, signal.SIGKILL)
    first._process.wait()
    second = embedded()
    assert second is not first
    assert second.running


def test_ctrl_c_does_not_reach_it() -> None:
    """The server is in a session of its own, so that SIGINT in our group is not for it."""
    server = embedded()
    assert os.getsid(server.pid) != os.getsid(0)
    os.kill(server.pid, signal.SIGINT)
    assert server.running


def test_forgotten_after_fork(client_of: Any, all_gone: Any) -> None:
    """A fork has no server of its parent's, cannot stop it, and does not keep it alive."""
    program = (
        "import os, sys, time\nsys.path.insert(0, sys.argv[1])\n"
        "from lmfunction.local import _child\n"
        "e = _child.embedded()\n"
        "if os.fork() == 0:\n"
        "    assert not e.running and not _child._by_region\n"
        "    e.close()\n    os.write(1, f'fork {os.getpid()}\\n'.encode())\n    time.sleep(60)\n    os._exit(0)\n"
        "os.write(1, f'server {e.pid}\\n'.encode())\n"
        "sys.stdin.read()\nassert e.running\nos.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        said = dict(parent.stdout.readline().split() for _ in range(2))
        assert parent.stdin is not None
        parent.stdin.close()
        assert parent.wait(10) == -signal.SIGKILL
        assert all_gone({int(said["server"])})
        os.kill(int(said["fork"]), signal.SIGKILL)


def test_starting_needs_no_boto3() -> None:
    """The server imports neither boto3 nor yaml: its start is short and its memory small."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import lmfunction.local.__main__; "
        "print([m for m in ('boto3', 'botocore', 'yaml', 'IPython', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, ROOT], capture_output=True, text=True, check=True)
    assert "boto" not in done.stdout
    assert "yaml" not in done.stdout
    assert "IPython" not in done.stdout
