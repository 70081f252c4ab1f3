"""Calls of a thread to which `_thread_interrupts` brings Ctrl-C: Python raises it there between two of its own steps.

So whatever waits in the system is waited for in small steps: a call is sent by a helper thread that is left to itself
when the waiting is broken off.
"""

from __future__ import annotations

import contextvars
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from lmfunction._client import Connections
from lmfunction._connection import Place
from lmfunction._engine import Engine
from lmfunction._line import Line
from lmfunction._request import InvokeRequest
from lmfunction._transport import Reply, Transport
from lmfunction._waiting import TICK, tick

T = TypeVar("T")

_STEP: Final = 0.05  # seconds that Ctrl-C may take


def patient(engine: Engine) -> Engine:
    """The engine for commands of this thread: in the main thread itself, else one whose waiting can be broken off."""
    if threading.current_thread() is threading.main_thread():
        return engine
    return dataclasses.replace(
        engine,
        connections=_PatientConnections(engine.connections),
        policy=dataclasses.replace(engine.policy, sleep=_sleep),
    )


class _PatientConnections(Connections):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections
        self._owner = threading.current_thread()
        # One for each, as there is of those behind: a run tells by them how many places its calls go to.
        self._made: dict[Transport, _PatientTransport] = {}

    def transport(self, place: Place) -> Transport:
        return self._waited_for(self._connections.transport(place))

    def renewed(self, place: Place) -> Transport:
        return self._waited_for(self._connections.renewed(place))

    def _waited_for(self, transport: Transport) -> Transport:
        found = self._made.get(transport)
        if found is None:
            found = self._made[transport] = _PatientTransport(transport, self._owner)
        return found

    def close(self) -> None:
        self._connections.close()


class _PatientTransport(Transport):
    """A transport whose sending `owner` waits for in steps; other threads, whom nobody interrupts, just send."""

    def __init__(self, transport: Transport, owner: threading.Thread) -> None:
        self.connection = transport.connection
        self.client = _PatientClient(transport.client, owner)
        self._transport = transport
        self._owner = owner

    def send(self, request: InvokeRequest) -> Reply:
        return _in_steps(lambda: self._transport.send(request), self._owner)

    def line(self) -> Line | str:
        return self._transport.line()

    def close(self) -> None:
        self._transport.close()


class _PatientClient:
    """A boto3 client whose operations are waited for in steps. Pages are short: they are asked for as they are."""

    def __init__(self, client: Any, owner: threading.Thread) -> None:
        self._client = client
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator" or not callable(found):
            return found
        return lambda *args, **kwargs: _in_steps(lambda: found(*args, **kwargs), self._owner)


def _in_steps(action: Callable[[], T], owner: threading.Thread) -> T:
    """What `action` gives or raises, run by a helper thread while `owner` waits."""
    if threading.current_thread() is not owner:
        return action()
    values: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()
    context = contextvars.copy_context()
    context.run(TICK.set, None)  # this thread waits, so this thread ticks

    def work() -> None:
        try:
            values.append(context.run(action))
        except BaseException as error:  # noqa: BLE001 - it is raised again where it belongs
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="lmfunction-send", daemon=True).start()
    tick()
    while not done.wait(_STEP):
        tick()
    if errors:
        raise errors[0]
    return values[0]


def _sleep(seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))
        tick()
