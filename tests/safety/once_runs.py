"""Runs that use a key: `python once_runs.py PLACE KEY [POINT]`, killed at POINT. Prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import lmfunction as lm
from lmfunction._once_store import INTENT, OnceStore, Stored


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str) -> None:
    real_put, real_init = OnceStore.put, lm.InvokeResult.__init__

    def put(self: OnceStore, stored: Stored) -> None:
        begins = stored.outcome == INTENT
        if begins and point == "before the intent is stored":
            die()
        real_put(self, stored)
        if (begins and point == "after the intent is stored") or (
            not begins and point == "after the outcome is stored"
        ):
            die()

    def made(self: lm.InvokeResult, *arguments: Any, **keywords: Any) -> None:
        real_init(self, *arguments, **keywords)
        if point == "after the answer has come":
            die()

    OnceStore.put = put  # type: ignore[method-assign]
    lm.InvokeResult.__init__ = made  # type: ignore[method-assign]


def main() -> None:
    place, key, *point = sys.argv[1:]
    if point:
        die_at(point[0])
    try:
        result = lm.invoke_lm("f", {"step": key}, once_key=key, **json.loads(place))
        told = {"payload": result.payload, "replayed": result.replayed, "request_id": result.request_id}
    except lm.LMError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
