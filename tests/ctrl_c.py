"""Ctrl-C as a person presses it: SIGINT for the main thread, a moment after it began to wait."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def ctrl_c_when(event: threading.Event, times: int = 1) -> Iterator[Callable[[], float]]:
    """Sends SIGINT to the main thread once `event` is set, so many times; gives the seconds since the last."""
    sent: list[float] = []

    def press() -> None:
        assert event.wait(10)
        # Until the main thread waits inside the system: a signal between Python's last look for one and that call is
        # seen only when the call returns.
        for pressed in range(times):
            time.sleep(0.5 if pressed else 0.1)  # two signals before Python looks are one
            sent.append(time.monotonic())
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield lambda: time.monotonic() - sent[-1]
    finally:
        thread.join()
