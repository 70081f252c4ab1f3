"""A JupyterLab of the tests' own: a server on loopback with a home, settings, data and token that nobody else has."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmfunction

# Ends with its parent, however that ends: the pipe of its standard input closes. TERM makes it stop its kernels; where
# that hangs (it does, while a kernel starts) it just ends, and kernels end when their parent is gone.
_PROGRAM = """
import os, signal, sys, threading, time
def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
from jupyterlab.labapp import main
main()
"""
_ARGUMENTS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--ServerApp.jpserver_extensions={'jupyter_lsp': False, 'jupyter_server_terminals': False}",
    "--LabApp.expose_app_in_browser=True",  # as window.jupyterapp
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    "--LabApp.news_url=",
    "--FileContentsManager.delete_to_trash=False",
)
_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # everything is in the page
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 1_000, "autoStartDefaultKernel": True},
    "completer-extension/manager": {"providerTimeout": 60_000},  # of a busy machine
    "docmanager-extension/plugin": {"autosave": False},
}
_START_SECONDS = 120.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class LabServer:
    """A running JupyterLab. `root` is the folder it shows; `page_url` opens it."""

    port: int
    token: str
    root: Path
    pid: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def page_url(self) -> str:
        """The page to open, in a workspace of its own that shows nothing yet."""
        return f"{self.url}/lab?reset&token={self.token}"

    def ask(self, path: str) -> Any:
        """What the server's REST API answers to a GET."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def processes(self) -> set[int]:
        """The ids of the server, its kernels and all that they have started."""
        return {self.pid, *_descendants(self.pid)}


@contextmanager
def lab_server(folder: Path) -> Iterator[LabServer]:
    """A JupyterLab whose files all lie in `folder`; it and all that it started is gone afterwards.

    Raises RuntimeError, with the server's own words, when it does not listen.
    """
    root = folder / "work"
    root.mkdir(parents=True)
    for name, values in _SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    port, token = _free_port(), secrets.token_hex(16)
    log = folder / "server.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *_ARGUMENTS, f"--ServerApp.port={port}", f"--ServerApp.root_dir={root}"],
            env=_environment(folder, token),
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
        )
    try:
        server = LabServer(port, token, root, process.pid)
        _wait_until_ready(process, folder / "runtime", log)
        yield server
    finally:
        _stop(process)


def _environment(folder: Path, token: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": str(Path(lmfunction.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "JUPYTER_TOKEN": token,
        "JUPYTER_NO_CONFIG": "1",  # of the machine
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> None:
    """Returns once the server has said that it listens, by the file that it writes for other programs."""
    end = time.monotonic() + _START_SECONDS
    while not [*runtime.glob("jpserver-*.json")]:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"JupyterLab does not listen:\n{log.read_text('utf-8', 'replace')[-4_000:]}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server, which ends its kernels, and by their ids what is left of its family."""
    family = _descendants(process.pid)
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end = time.monotonic() + _STOP_SECONDS
    while left := running(family):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _descendants(pid: int) -> set[int]:
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(map(int, line.split()) for line in listing.splitlines())
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def running(pids: Iterable[int]) -> set[int]:
    """Those of the processes that have not ended yet."""
    listing = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    there = {int(pid) for pid, state in map(str.split, listing.splitlines()) if not state.startswith("Z")}
    return there & {*pids}
