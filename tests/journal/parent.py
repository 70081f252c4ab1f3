"""A warm process that runs journals in forked children, kills them, and says how each ended: `python parent.py URL`.

It reads a JSON object from each line of its input and answers with one. What a child is to do stands in `Task`.
Children are forked from a process that has boto3 loaded and a client made, so that they are sending at once.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, NoReturn

import lmfunction as lm
from lmfunction import _lease
from lmfunction._cmdlets import prepare
from lmfunction._door import Door
from lmfunction._table import INVOKE

PLACE = {"region": "eu-west-1", "endpoint_url": ""}


def main() -> None:
    PLACE["endpoint_url"] = sys.argv[1]
    session = lm.Session()
    given = {INVOKE.by_target[name].name: value for name, value in PLACE.items()}
    call = prepare({"FunctionName": "f", **given}, session.engine, Door())
    assert call is not None
    session.engine.connections.transport(call.plan.place)
    _ = call.plan.endpoint  # remembered, which takes a client too
    for line in sys.stdin:
        print(json.dumps(run(session, json.loads(line))), flush=True)


def run(session: lm.Session, task: dict[str, Any]) -> dict[str, Any]:
    """What became of the child that did `task`: its status, and what it said."""
    reading, writing = os.pipe()
    held, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.close(release)
        work(session, task, held, writing)
    os.close(writing)
    os.close(held)
    if task.get("tells"):
        print(pid, flush=True)
    tracer = traced(pid, task["inject"], task["journal"]) if "inject" in task else None
    os.write(release, b".")
    os.close(release)
    if "signal" in task:
        time.sleep(task["after"])
        os.kill(pid, task["signal"])
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    if tracer is not None:
        tracer.wait()
    return {"status": os.waitstatus_to_exitcode(status), "said": json.loads(said) if said else None}


def traced(pid: int, inject: str, journal: str) -> subprocess.Popen[bytes]:
    """strace at the child, which injects a fault into a system call: on the journal's files, or any on a socket."""
    files = [f"--trace-path={journal}{ending}" for ending in ("", "-wal", "-shm", "-journal", "-mark")]
    name = inject.split(":")[0]
    tracer = subprocess.Popen(
        ["strace", "-f", "-q", "-o", "/dev/null", "-p", str(pid), f"--trace={name}", f"--inject={inject}"]
        + (files if "send" not in name else []),
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    while b"TracerPid:\t0" in Path(f"/proc/{pid}/status").read_bytes():
        assert tracer.poll() is None, "strace did not attach"
        time.sleep(0.001)
    return tracer


def work(session: lm.Session, task: dict[str, Any], held: int, writing: int) -> NoReturn:
    """Does `task` in a child, says what came of it, and ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    session.engine.connections._pid = os.getpid()  # the client, which has no connection yet, serves the child
    warnings.simplefilter("ignore", lm.LMWarning)  # of what is unknown; it is told as an error, too
    try:
        import mutations

        for name in task.get("mutations", ()):
            mutations.ALL[name](task)
        _lease.PATIENCE, _lease.BEAT = task.get("patience", 20.0), task.get("beat", 4.0)
        if "largest" in task:
            resource.setrlimit(resource.RLIMIT_FSIZE, (task["largest"], resource.RLIM_INFINITY))
        os.read(held, 1)
        said = answer_of(session, task)
    except BaseException as error:
        said = {"error": type(error).__name__, "message": str(error)}
    os.write(writing, json.dumps(said).encode())
    os._exit(0)


def answer_of(session: lm.Session, task: dict[str, Any]) -> dict[str, Any]:
    """What the user gets."""
    numbers = task.get("numbers") or range(task["count"])
    coming = ({"n": number, "pad": "x" * (task.get("pad") or number % 90)} for number in numbers)
    objects: Any = coming if task.get("streamed") else [*coming]
    try:
        found = session.invoke_lm(
            task["function"], input_object=objects, journal=task["journal"], **PLACE, **task.get("parameters", {})
        )
    except (lm.LMError, lm.InvocationInterrupted) as error:
        said = {"error": type(error).__name__, "message": str(error)}
        found = getattr(error, "result", None)
        if found is None:
            return said
    else:
        said: dict[str, Any] = {}
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return {**said, "summary": found.summary(), "unknown": [item.index for item in found.unknown]}


if __name__ == "__main__":
    main()
