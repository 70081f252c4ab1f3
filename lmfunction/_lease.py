"""Who may write into a journal: one process at a time, told by the machine, its boot, its number and its start.

A lease has a number, the epoch, which grows with every owner. An owner that was stopped and comes back after another
took over finds a greater one, and may write no more.
"""

from __future__ import annotations

import os
import pathlib
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from lmfunction._origin import host

BEAT: Final = 4.0  # seconds between two signs of life, at most
PATIENCE: Final = 20.0  # seconds without one, after which another may take over
COLUMNS: Final = ("owner", "host", "pid", "boot", "start_ticks", "epoch", "heartbeat", "ticks", "released")


@dataclass(frozen=True)
class Times:
    """The clocks: `clock` is what people read, `ticks` grows steadily and is the same for all processes of a boot."""

    clock: Callable[[], float] = time.time
    ticks: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Lease:
    """Who owns a journal, or did. `boot` and `start_ticks` tell it from another process of that number, where known."""

    owner: str
    host: str
    pid: int
    boot: str
    start_ticks: int
    epoch: int
    heartbeat: float
    ticks: float
    released: int = 0

    @property
    def told(self) -> str:
        """Who it is, for people."""
        return f"process {self.pid} on {self.host}"

    @property
    def is_of_this_process(self) -> bool:
        """Whether this very process has it."""
        own = own_lease(self.epoch, Times())
        return (self.host, self.pid, self.boot, self.start_ticks) == (own.host, own.pid, own.boot, own.start_ticks)

    def row(self) -> tuple[Any, ...]:
        """Its values in the order of COLUMNS."""
        return tuple(getattr(self, name) for name in COLUMNS)

    def standing(self, now: float) -> Literal["dead", "alive", "stopped", "unsure"]:
        """What is known of the owner, `now` by its boot's ticks.

        `stopped` is one whose process is there and gives no sign of life; `unsure` one whose process cannot be seen
        from here, such as on another machine: only watching its heartbeat tells.
        """
        if self.released:
            return "dead"
        here = boot()
        if self.host != host() or not here or not self.boot:
            return "unsure"
        if self.boot != here and self.boot.partition(" ")[0] == here.partition(" ")[0]:
            return "unsure"  # in another container of this machine
        if self.boot != here or start_ticks(self.pid) != self.start_ticks:
            return "dead"
        return "alive" if now - self.ticks < PATIENCE else "stopped"


def own_lease(epoch: int, times: Times) -> Lease:
    """The lease of this process as the next owner."""
    pid = os.getpid()
    started = start_ticks(pid) or 0
    return Lease(uuid.uuid4().hex, host(), pid, boot(), started, epoch, times.clock(), times.ticks())


def boot() -> str:
    """What tells this boot of this machine, and its container, from any other; empty where the system does not say."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        found = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{found} {pathlib.Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """When the process began, in the system's ticks since boot; None when there is none, or it has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # its name, which stands before, may hold anything
    return None if fields[0] in "ZX" else int(fields[19])
