"""Something to do while an answer is waited for: `TICK` is called now and then by whatever waits, in its own thread.

boto3 reads an answer in one call into the system, during which Python runs nothing. So the socket is asked in small
steps, each of which ends with a tick. That leaves the call where it was: Ctrl-C, context variables and at-most-once
are those of one thread. A helper thread that makes the call while this one waits was measured, and cost a warm call a
tenth (a new thread for each call, three tenths); the steps cost nothing while TICK is not set.
"""

from __future__ import annotations

import contextlib
import functools
import io
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any, Final

STEP: Final = 0.25  # seconds between two ticks
TICK: Final[ContextVar[Callable[[], None] | None]] = ContextVar("tick", default=None)


@contextlib.contextmanager
def ticking(tick: Callable[[], None] | None) -> Iterator[None]:
    """While something inside waits, in this thread, `tick` is called."""
    token = TICK.set(tick)
    try:
        yield
    finally:
        TICK.reset(token)


def tick() -> None:
    """What a loop that waits calls in each round."""
    found = TICK.get()
    if found is not None:
        found()


def pause(seconds: float, sleep: Callable[[float], None]) -> None:
    """Sleeps `seconds` by `sleep`, in steps where somebody wants ticks."""
    if TICK.get() is None:
        sleep(seconds)
        return
    while seconds > 0:
        sleep(min(seconds, STEP))
        seconds -= STEP
        tick()


def read_in_steps(pools: MutableMapping[str, Any]) -> None:
    """Makes the connections of urllib3's `pools` (classes by scheme) read their answers in steps where TICK is set."""
    for scheme, pool in pools.items():
        pools[scheme] = _stepwise(pool)


@functools.cache
def _stepwise(pool: Any) -> Any:
    connection = type(pool.ConnectionCls.__name__, (_StepwiseConnection, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _StepwiseConnection:
    """What a connection of http.client becomes: its answers come through a file that ticks."""

    response_class: Any

    def getresponse(self, *args: Any, **keywords: Any) -> Any:
        """The answer, its head read."""
        tick = TICK.get()
        if tick is None:
            return super().getresponse(*args, **keywords)  # type: ignore[misc]
        tick()  # the wait begins
        whole = self.response_class
        self.response_class = lambda sock, *a, **k: whole(_StepwiseSocket(sock, tick), *a, **k)
        try:
            return super().getresponse(*args, **keywords)  # type: ignore[misc]
        finally:
            self.response_class = whole


class _StepwiseSocket:
    """What http.client's answer asks of a socket."""

    def __init__(self, sock: Any, tick: Callable[[], None]) -> None:
        self._sock = sock
        self._tick = tick

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """The file that the answer is read from."""
        return io.BufferedReader(_StepwiseFile(self._sock, self._tick))


class _StepwiseFile(io.RawIOBase):
    """A socket's incoming bytes. Waits no longer for any of them than the socket's own timeout says."""

    def __init__(self, sock: Any, tick: Callable[[], None]) -> None:
        self._sock = sock  # botocore's set_socket_timeout looks for it here, as in the file it replaces
        self._tick = tick
        self._file = sock.makefile("rb", buffering=0)  # keeps the socket open as long as the answer is

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        limit = self._sock.gettimeout()
        end = None if limit is None else time.monotonic() + limit
        try:
            while True:
                left = STEP if end is None else end - time.monotonic()
                # Of a TLS connection the socket cannot be asked beforehand: what is there may be its own business.
                self._sock.settimeout(max(min(STEP, left), 0.001))
                try:
                    return int(self._sock.recv_into(buffer))
                except TimeoutError:
                    if left <= STEP and end is not None:
                        raise
                self._tick()
        finally:
            with contextlib.suppress(OSError):  # it was closed meanwhile
                self._sock.settimeout(limit)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
