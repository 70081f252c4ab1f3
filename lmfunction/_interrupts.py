"""Ctrl-C for a command that does not run in the main thread, the only one to which Python brings signals.

The door of such a command forwards the signal with `interrupt_all`; in the command's thread it becomes the
KeyboardInterrupt that it would be in the main one. Python raises it between two of its own steps, so whatever waits in
the system is waited for in small steps: a call is sent by a helper thread that is left to itself when the waiting is
broken off.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from lmfunction._client import Connections
from lmfunction._connection import Place
from lmfunction._engine import Engine
from lmfunction._request import InvokeRequest
from lmfunction._transport import Reply, Transport
from lmfunction._waiting import TICK, tick

T = TypeVar("T")

_STEP: Final = 0.05  # seconds that Ctrl-C may take


class _Watch:
    """One thread that runs a command, as long as it does."""

    def __init__(self, thread: threading.Thread) -> None:
        self.ident = thread.ident
        self.open = True
        self.lock = threading.Lock()

    def interrupt(self) -> bool:
        """Raises KeyboardInterrupt in the thread, once."""
        with self.lock:
            was_open, self.open = self.open, False
            if was_open:
                _raise_in(self.ident, KeyboardInterrupt)
            return was_open

    def ask(self, interrupted: Callable[[], bool]) -> None:
        """Interrupts once `interrupted` says so; ends with the command."""
        while self.open:
            if interrupted():
                self.interrupt()
            time.sleep(2 * _STEP)

    def close(self) -> None:
        """Nothing is interrupted any more."""
        with self.lock:
            if not self.open:
                _raise_in(self.ident, None)  # what has not been raised by now would come after the command
            self.open = False


_running: Final[dict[threading.Thread, _Watch]] = {}


@contextlib.contextmanager
def interruptible(interrupted: Callable[[], bool] | None = None) -> Iterator[None]:
    """What runs inside, in this thread, can be interrupted by `interrupt_all`. In the main thread nothing changes.

    `interrupted` is asked now and then, and interrupts by answering True: for a signal that this process never gets.
    """
    thread = threading.current_thread()
    if thread is threading.main_thread():
        yield
        return
    watch = _running[thread] = _Watch(thread)
    if interrupted is not None:
        threading.Thread(target=watch.ask, args=(interrupted,), name="lmfunction-watch", daemon=True).start()
    try:
        yield
    finally:
        del _running[thread]
        watch.close()


def interrupt_all() -> bool:
    """Interrupts every command that runs in a thread, each once: those of one pipeline end together.

    False when there was none to interrupt.
    """
    return sum(watch.interrupt() for watch in list(_running.values())) > 0


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

    def transport(self, place: Place) -> Transport:
        return _PatientTransport(self._connections.transport(place), self._owner)

    def renewed(self, place: Place) -> Transport:
        return _PatientTransport(self._connections.renewed(place), self._owner)

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


def _raise_in(ident: int | None, error: type[BaseException] | None) -> None:
    """Raises `error` in the thread before its next step; None takes back what has not been raised yet."""
    what = ctypes.py_object(error) if error is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident or 0), what)
