"""A process held to the memory its function has: looked at fifty times a second while it works.

A limit of the operating system (RLIMIT_AS) would turn into a MemoryError that the handler may catch, which AWS's does
not, and programs that reserve address space, such as Node, would not start under it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

_SECONDS: Final = 0.02
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Calls `over` once when process `pid` has more than `limit_mb` MB resident. Linux only: it reads /proc."""

    def __init__(self, pid: int, limit_mb: int, over: Callable[[], None]) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._pages = limit_mb * 1_048_576 // _PAGE
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.look()

    def look(self) -> None:
        """Looks at the process, now and regularly from now on, until `rest`."""
        self.rest()
        try:
            resident = int(self._statm.read_bytes().split()[1])
        except (OSError, IndexError):  # it has ended
            return
        if resident > self._pages:
            self._over()
            return
        self._timer = self._loop.call_later(_SECONDS, self.look)

    def rest(self) -> None:
        """Looks no more until `look`: a process that waits for an event takes no memory."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
