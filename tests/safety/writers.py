"""Programs that the tests of the audit's files start: writers, and writers that die at a given step.

`python writers.py many TEMPLATE COUNT`, `python writers.py dying TEMPLATE`, `python writers.py full TEMPLATE BYTES`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Callable
from typing import Any

from lmfunction._audit_file import UNDER_WAY, AuditFile

DAY = "2026-11-20"
# The functions of `os` by which a file's content or name can change.
STEPS = ("open", "write", "pwrite", "ftruncate", "unlink", "close")


def line(mark: str, outcome: str = "UNKNOWN", **more: Any) -> bytes:
    """A line as long as a real one."""
    return json.dumps({"id": mark, "outcome": outcome, "pad": "x" * 700, **more}, separators=(",", ":")).encode()


def call(file: AuditFile, sent: Callable[[str], None] = lambda _: None) -> None:
    """One invocation as its audit sees it."""
    mark = uuid.uuid4().hex
    (ticket,) = file.begin(DAY, [line(mark, **{UNDER_WAY: True})])
    sent(mark)
    file.finish([(ticket, line(mark, "OK"))])


def many(template: str, count: int) -> None:
    """Writes `count` calls, some of them overlapping."""
    file = AuditFile(template)
    open_calls: list[tuple[Any, bytes]] = []
    for number in range(count):
        mark = uuid.uuid4().hex
        (ticket,) = file.begin(DAY, [line(mark, **{UNDER_WAY: True})])
        open_calls.append((ticket, line(mark, "OK")))
        if number % 4 == 3:
            file.finish([open_calls.pop(1), open_calls.pop(0)])
            file.finish([open_calls.pop()])
            file.finish([open_calls.pop()])
    file.finish(open_calls) if open_calls else None


def dying(template: str) -> None:
    """For n = 1, 2, 3 ...: a child makes a call and is killed at its n-th step, until one gets through.

    Prints a line of JSON for each: the step, whether the call was sent, and what the file held after the next opener.
    """
    for number in range(1, 100):
        for half in (False, True):
            child = os.fork()
            sent_file = f"{template}.sent-{number}-{half}"
            if child == 0:
                _die_at(number, half=half)
                call(AuditFile(template), lambda mark, path=sent_file: _note(path, mark))
                os._exit(0)
            _, status = os.waitpid(child, 0)
            call(AuditFile(template))  # the next process, which takes over what was left
            print(json.dumps({"step": number, "half": half, "died": os.WIFSIGNALED(status), "sent": _read(sent_file)}))
            if not os.WIFSIGNALED(status):
                return


def _note(path: str, mark: str) -> None:
    descriptor = _REAL["open"](path, os.O_CREAT | os.O_WRONLY)
    _REAL["write"](descriptor, mark.encode())


def _read(path: str) -> str | None:
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return file.read()


_REAL = {name: getattr(os, name) for name in STEPS}


def _die_at(number: int, *, half: bool) -> None:
    """Makes the n-th of the steps the last: killed in front of it, or with half of its bytes written."""
    left = [number]

    def dying_version(name: str) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if half and name == "write":
                    _REAL[name](arguments[0], arguments[1][: len(arguments[1]) // 2])
                elif half:
                    _REAL[name](*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return _REAL[name](*arguments)

        return step

    for name in STEPS:
        setattr(os, name, dying_version(name))


def full(template: str, size: int) -> None:
    """Writes calls into files that may not grow beyond `size`; prints how many were sent and what was raised."""
    import resource

    file = AuditFile(template)
    sent: list[str] = []
    errors = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for _ in range(60):
        try:
            call(file, sent.append)
        except OSError as error:
            errors.append(error.strerror)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    call(file, sent.append)
    print(json.dumps({"sent": sent, "errors": errors}))


if __name__ == "__main__":
    {"many": many, "dying": dying, "full": full}[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
