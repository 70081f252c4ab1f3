"""One runtime process of the operating system: started, listened to, watched for its end, killed with its children.

Three things make sure that nothing outlives the server: the process leads a group of its own which is killed whole;
the end of the process is watched, and its group is killed then too; and it holds the reading end of a pipe whose
writing end only the server has, on which the kernel kills the group when the server is gone, however it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import py_compile
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lmfunction._text import one_line
from lmfunction.local._log_frames import LogFrames
from lmfunction.local._runtimes import CALLS, LIFE, Command

_SCRIPTS: Final = ("_loop", "_json_log")
_LOG_KEPT: Final = 8_192
_READ_SIZE: Final = 65_536
_F_SETSIG: Final = 10  # fcntl.h of Linux; Python has no name for it


def compile_loop(folder: Path, python: str = sys.executable) -> Path:
    """The runtime loop, compiled into `folder` for the interpreter with what it may import.

    As a script it would be compiled anew by each process. `folder` is LAMBDA_RUNTIME_DIR and holds nothing else.
    Raises OSError for an interpreter that does not run, or cannot run the loop.
    """
    compiled = {str(Path(__file__).with_name(f"{name}.py")): str(folder / f"{name}.pyc") for name in _SCRIPTS}
    if python == sys.executable:
        for source, target in compiled.items():
            py_compile.compile(source, cfile=target, doraise=True)
    else:
        program = "import py_compile, sys; [py_compile.compile(s, t, doraise=True) for s, t in eval(sys.argv[1])]"
        done = subprocess.run(  # noqa: S603 - the interpreter that the user chose
            [python, "-c", program, repr(list(compiled.items()))], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(errno.ENOEXEC, f"{python} cannot run functions: {one_line(done.stderr, 200)}")
    return folder / f"{_SCRIPTS[0]}.pyc"


class RuntimeProcess:
    """A running runtime. `on_exit` is called once, in the event loop, with the exit status (negative: signal).

    `on_log` hears what the process writes, as it comes. `calls` is what stands for CALLS in the command.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        environment: dict[str, str],
        on_exit: Callable[[int], None],
        *,
        on_log: Callable[[bytes], None],
        calls: socket.socket | None = None,
    ) -> None:
        self.peak_mb = 0
        self._loop = asyncio.get_running_loop()
        self._on_exit = on_exit
        self._on_log = on_log
        self._log = bytearray()
        self._frames = LogFrames() if command.framed else None
        self._log_fd, log_end = os.pipe()
        life_end, self._life_fd = os.pipe()
        os.set_blocking(self._log_fd, False)
        terminal = has_terminal()
        passed = {LIFE: life_end} if calls is None else {LIFE: life_end, CALLS: calls.fileno()}
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - running functions is what this is for
                [str(passed.get(word, word)) for word in command.words],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log_end,
                stderr=log_end,
                pass_fds=tuple(passed.values()),
                start_new_session=terminal,
                process_group=None if terminal else 0,
            )
            _kill_with_us(life_end, self._popen.pid)
        except OSError:
            os.close(self._log_fd)
            os.close(self._life_fd)
            raise
        finally:
            os.close(log_end)
            os.close(life_end)
        self._loop.add_reader(self._log_fd, self._read_log)
        self._watch()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._popen.pid

    def read_log(self) -> None:
        """Has `on_log` hear everything that was written up to this moment."""
        if self._log_fd < 0:
            return
        # Asking first: a read that finds nothing, as most do, is an exception and five times as dear.
        waiting = fcntl.ioctl(self._log_fd, termios.FIONREAD, b"\0\0\0\0")
        if waiting != b"\0\0\0\0":
            self._read_log()

    def take_log(self) -> bytes:
        """What was written since the last call (the last few KB of it), complete up to this moment."""
        self._read_log()
        taken = bytes(self._log)
        self._log.clear()
        return taken

    def memory_mb(self) -> int:
        """The most memory the process has had resident, in MB.

        Linux keeps this figure (VmHWM) while the process lives; elsewhere it is known once the process has ended.
        """
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/status", "rb") as status:  # noqa: PTH123 - hot path
            found = status.read().partition(b"VmHWM:")[2].split(maxsplit=1)
            if found:
                self.peak_mb = max(self.peak_mb, int(found[0]) // 1024)
        return self.peak_mb

    def kill(self) -> None:
        """Kills the process and all of its group; `on_exit` follows."""
        if self._popen.returncode is None:
            _kill_group(self.pid)

    def _read_log(self) -> None:
        while self._log_fd >= 0:
            try:
                data = os.read(self._log_fd, _READ_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            if not data:
                if self._frames is not None:
                    self._log += self._frames.rest()
                self._close_log()
                return
            if self._frames is not None:
                data = self._frames.plain(data)
            self._on_log(data)
            self._log += data
            if len(self._log) > 2 * _LOG_KEPT:
                del self._log[:-_LOG_KEPT]
            if len(data) < _READ_SIZE:
                return

    def _close_log(self) -> None:
        if self._log_fd >= 0:
            self._loop.remove_reader(self._log_fd)
            os.close(self._log_fd)
            self._log_fd = -1

    def _watch(self) -> None:
        if hasattr(os, "pidfd_open"):
            try:
                pidfd = os.pidfd_open(self.pid)
            except OSError:  # forbidden in some containers
                pass
            else:
                self._loop.add_reader(pidfd, self._ended, pidfd)
                return
        threading.Thread(target=self._wait, name=f"wait-{self.pid}", daemon=True).start()

    def _wait(self) -> None:
        self._popen.wait()
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._reap)

    def _ended(self, pidfd: int) -> None:
        self._loop.remove_reader(pidfd)
        os.close(pidfd)
        # Later in this turn of the loop: what the process sent before its end is to be read first.
        self._loop.call_soon(self._reap)

    def _reap(self) -> None:
        _kill_group(self.pid)  # before the process is reaped, so that its id cannot belong to anyone else
        if self._popen.returncode is None:
            _, status, usage = os.wait4(self.pid, 0)
            self._popen.returncode = os.waitstatus_to_exitcode(status)
            if not self.peak_mb:
                self.peak_mb = usage.ru_maxrss // (1024 * 1024 if sys.platform == "darwin" else 1024)
        self._read_log()
        self._close_log()
        os.close(self._life_fd)
        self._on_exit(self._popen.returncode)


def has_terminal() -> bool:
    """Whether we have a terminal, which functions must not reach: they then get a session of their own.

    Else a group of their own is enough. Linux shares the processor out among sessions (sched_autogroup), and a server
    that has to queue up again whenever it wakes a function gets a quarter less done beside other work.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _kill_with_us(fd: int, group: int) -> None:
    """Has the kernel kill `group` when the pipe `fd`, whose reading end the process holds too, ends with us.

    The order belongs to the pipe, not to a program: no runtime has to know of it, and none can be too busy for it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # it has ended already
            fcntl.fcntl(fd, fcntl.F_SETOWN, -group)
            fcntl.fcntl(fd, _F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
