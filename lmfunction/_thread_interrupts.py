"""Ctrl-C for what does not run in the main thread, the only one to which Python brings signals.

A door whose commands run in threads forwards the signal with `interrupt_all`; in the command's thread it becomes the
KeyboardInterrupt that it would be in the main one.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_STEP: Final = 0.1  # seconds between two questions


class Watch:
    """One thread that can be interrupted, until `close()`."""

    def __init__(self, thread: threading.Thread) -> None:
        self.ident = thread.ident
        self.open = True
        self.over = False
        self.lock = threading.Lock()

    def interrupt(self) -> bool:
        """Raises KeyboardInterrupt in the thread: once, and once more when it drains. False when it does not."""
        with self.lock:
            was_open, self.open = self.open, False
            if was_open:
                _let_threads_start()
                _raise_in(self.ident, KeyboardInterrupt)
            return was_open

    def reopen(self) -> None:
        """From now on it can be interrupted once more."""
        with self.lock:
            self.open = not self.over

    def ask(self, interrupted: Callable[[], bool]) -> None:
        """Interrupts once `interrupted` says so; ends with the command."""
        while self.open:
            if interrupted():
                self.interrupt()
            time.sleep(_STEP)

    def shut(self) -> None:
        """Nothing is interrupted for now; what has not been raised yet will not be. Called in the thread itself."""
        with self.lock:
            if not self.open:
                _take_back()  # what has not come by now would come after the command
            self.open = False

    def close(self) -> None:
        """Nothing is interrupted any more."""
        self.shut()
        self.over = True


_watches: Final[dict[threading.Thread, Watch]] = {}  # of every thread that can be interrupted
_commands: Final[set[threading.Thread]] = set()  # those of them that Ctrl-C is for


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """What runs inside, in this thread, is interrupted by whoever has the Watch, and by no Ctrl-C."""
    thread = threading.current_thread()
    watch = _watches[thread] = Watch(thread)
    try:
        yield watch
    finally:
        del _watches[thread]
        watch.close()


@contextlib.contextmanager
def interruptible(interrupted: Callable[[], bool] | None = None) -> Iterator[None]:
    """What runs inside, in this thread, can be interrupted by `interrupt_all`. In the main thread nothing changes.

    `interrupted` is asked now and then, and interrupts by answering True: for a signal that this process never gets.
    """
    thread = threading.current_thread()
    if thread is threading.main_thread():
        yield
        return
    with watched() as watch:
        _commands.add(thread)
        if interrupted is not None:
            threading.Thread(target=watch.ask, args=(interrupted,), name="lmfunction-watch", daemon=True).start()
        try:
            yield
        finally:
            _commands.discard(thread)


@contextlib.contextmanager
def interruptible_again() -> Iterator[None]:
    """What runs inside, in a thread that was interrupted, can be so once more; in the main thread it can anyway."""
    watch = _watches.get(threading.current_thread())
    if watch is None:
        yield
        return
    watch.reopen()
    try:
        yield
    finally:
        watch.shut()


def interrupt_all() -> bool:
    """Interrupts every command that runs in a thread, each once: those of one pipeline end together.

    A command that drains can be interrupted once more. False when there was none to interrupt.
    """
    return sum(_watches[thread].interrupt() for thread in list(_commands) if thread in _watches) > 0


def _let_threads_start() -> None:
    """Waits until no thread is about to start, half a second at most.

    In that moment it goes by the ident of the thread that starts it (`PyThreadState_New`): an error for this one would
    kill it, and the other would wait for its start for ever.
    """
    end = time.monotonic() + 0.5
    while getattr(threading, "_limbo", None) and time.monotonic() < end:
        time.sleep(0.0005)


def _raise_in(ident: int | None, error: type[BaseException]) -> None:
    """Raises `error` in the thread before its next step, in place of one that has not come yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident or 0), ctypes.py_object(error))


class _TakenBack(BaseException):
    """Stands in for an error that is not to come."""


def _take_back() -> None:
    """What was to be raised in this thread, and has not come yet, does not come.

    `PyThreadState_SetAsyncExc` with no error would do that too, but CPython 3.11 looks for the error ever after: each
    call takes longer, and under a profiler or a tracer none begins.
    """
    try:
        _raise_in(threading.get_ident(), _TakenBack)
        for _ in range(1_000_000):
            pass  # it comes between two rounds
    except _TakenBack:
        return
