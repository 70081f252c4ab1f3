"""Starts processes that invoke as fast as they can and kills each at a random moment: `python killed.py PLACE COUNT`.

Children are forked from a process that has boto3 loaded, so that they are sending at once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any, NoReturn

import lmfunction as lm
from lmfunction._cmdlets import prepare
from lmfunction._door import Door
from lmfunction._table import INVOKE

AT_A_TIME = 4


def send_until_killed(session: lm.Session, child: int, place: dict[str, Any], ready: int) -> NoReturn:
    session.engine.connections._pid = os.getpid()  # the client, which has no connection yet, serves the child
    for number in range(1_000_000):
        session.invoke_lm("f", {"child": child, "number": number}, **place)
        if number == 0:
            os.write(ready, b".")
    raise AssertionError("nobody killed it")


def main() -> None:
    place, count = json.loads(sys.argv[1]), int(sys.argv[2])
    session = lm.Session()
    call = prepare({"FunctionName": "f", **{_parameter(n): v for n, v in place.items()}}, session.engine, Door())
    assert call is not None
    session.engine.connections.transport(call.plan.place)
    _ = call.plan.endpoint  # remembered, which takes a client too
    alive: list[tuple[int, int]] = []
    for child in range(count + AT_A_TIME):
        if child < count:
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                send_until_killed(session, child, place, writing)
            os.close(writing)
            alive.append((pid, reading))
        if child >= AT_A_TIME:
            pid, reading = alive.pop(0)
            os.read(reading, 1)
            os.close(reading)
            time.sleep(random.uniform(0.0, 0.06))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _parameter(target: str) -> str:
    return INVOKE.by_target[target].name


if __name__ == "__main__":
    main()
