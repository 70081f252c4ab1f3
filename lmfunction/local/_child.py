"""The embedded Lambda seen from the process that uses it: started as a child, and gone when we are gone.

A child process rather than a thread: a busy cell does not hold up the functions, and a restarted kernel leaves
nothing behind. The child reads a pipe whose writing end only this process has; when we end, however we end, the pipe
ends, and the server stops with everything it started.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Final, Self

from lmfunction.errors import TransportError
from lmfunction.local._settings import Settings

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0
# The child must find the package this process runs, and nothing in the working directory may shadow it: `-P` keeps
# that folder off the path, and ours is on it only until the package is found.
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); import lmfunction; sys.path.pop(0); "
    "from lmfunction.local.__main__ import main; sys.exit(main())"
)


class Embedded:
    """A running embedded Lambda. `close` stops it; so does leaving a `with` block, and the end of this process."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], ready: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{ready['port']}"
        self.region = ready["region"]
        self.access_key = ready["access_key"]
        self.secret_key = ready["secret_key"]
        self._process = process
        self._errors = errors
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Embedded {self.url} region={self.region} access_key={self.access_key} secret_key=***>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server is there and belongs to this process (a fork has none)."""
        return self._owner == os.getpid() and self._process.poll() is None

    @property
    def errors(self) -> str:
        """What the server has written on its standard error: nothing, unless it failed."""
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Stops the server and every function process. More calls do nothing; neither does one in a fork."""
        if self._owner != os.getpid():
            return
        with self._lock:
            _stop(self._process)
            self._errors.close()
            if self in _started:
                _started.remove(self)

    def forget_after_fork(self) -> None:
        """Closes the fork's copy of the pipe, which would keep the server alive after its real owner."""
        _close_pipes(self._process)
        self._process.returncode = 0


def start_embedded(
    *,
    region: str = "us-east-1",
    port: int = 0,
    concurrency: int = 100,
    settings: Settings | None = None,
    seconds: float = _START_SECONDS,
) -> Embedded:
    """A new embedded Lambda of our own, listening.

    `port` 0 takes a free one; `concurrency` is how many invocations run at once. `settings` replaces the three, for
    what only tests need. Raises TransportError, with the child's own words, when it does not listen within `seconds`.
    """
    if os.name != "posix":
        raise TransportError("The embedded Lambda runs on Linux and macOS.", sent=False, outcome="NOT_SENT")
    settings = settings or replace(Settings(), region=region, port=port, concurrency=concurrency)
    package_parent = str(Path(__file__).resolve().parents[2])
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server; a pipe nobody reads would fill up
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-P", "-c", _PROGRAM, package_parent, settings.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        ready = _wait_until_ready(process, errors, seconds)
    except BaseException:
        errors.close()
        raise
    embedded = Embedded(process, errors, ready)
    _started.append(embedded)
    return embedded


def embedded(region: str = "us-east-1") -> Embedded:
    """The embedded Lambda of this process for `region`: started when first asked for, again when it has died."""
    with _lock:
        current = _by_region.get(region)
        if current is None or not current.running:
            if current is not None:
                current.close()
            current = _by_region[region] = start_embedded(region=region)
        return current


def running_embedded(region: str = "us-east-1") -> Embedded | None:
    """The embedded Lambda of this process for `region` when it runs already; None, and nothing is started, else."""
    current = _by_region.get(region)
    return current if current is not None and current.running else None


_lock = threading.Lock()
_by_region: Final[dict[str, Embedded]] = {}
_started: Final[list[Embedded]] = []


def _wait_until_ready(process: subprocess.Popen[bytes], errors: IO[bytes], seconds: float) -> dict[str, str]:
    """What the child says in its first line."""
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    line = b""
    try:
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise _start_error(f"it did not listen within {seconds:g} s", errors)
            block = os.read(process.stdout.fileno(), 4096)
            if not block:
                process.wait(_STOP_SECONDS)
                raise _start_error(f"it ended with status {process.returncode}", errors)
            line += block
        ready: dict[str, str] = json.loads(line)
    except BaseException:
        _stop(process)
        raise
    return ready


def _start_error(what: str, errors: IO[bytes]) -> TransportError:
    errors.seek(0)
    said = errors.read().decode("utf-8", "replace").strip()
    text = f"The embedded Lambda did not start: {what}." + (f"\n{said}" if said else "")
    return TransportError(text, sent=False, outcome="NOT_SENT")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the child's standard input, by which it stops; kills it when it does not."""
    _close_pipes(process)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _close_all() -> None:
    for started in [*_started]:  # each takes itself out of the list
        started.close()


def _forget_all() -> None:
    """In a fork: the servers belong to the other process."""
    global _lock
    _lock = threading.Lock()  # another thread may have held it when we were forked
    for started in _started:
        started.forget_after_fork()
    _started.clear()
    _by_region.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
