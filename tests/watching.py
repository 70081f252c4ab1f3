"""What a person sees: every state of a notebook's outputs, and a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

from nbclient import NotebookClient


class FrontEnd(NotebookClient):
    """Runs a notebook as a person's front end does, keeps every state of a display, and presses Stop after 3 s."""

    async def async_start_new_kernel_client(self, **keywords: Any) -> Any:
        client = await super().async_start_new_kernel_client(**keywords)
        client.allow_stdin = True  # somebody is there
        return client

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        if message["msg_type"] in ("display_data", "update_display_data"):
            cell.metadata.setdefault("states", []).append(message["content"]["data"])
        return super().process_message(message, cell, cell_index)


class Screen:
    """A real terminal of 80 columns: what a program wrote, and what is left to see of it."""

    def __init__(self, *arguments: str, module: str = "lmfunction") -> None:
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=take_terminal,
            env={**os.environ, "NO_COLOR": "1"},
        )
        os.close(follower)
        self.written = ""

    def read(self, until: str | None = None) -> None:
        """Reads until the text comes, or to the end."""
        deadline = time.monotonic() + 30
        while until is None or until not in self.written:
            assert time.monotonic() < deadline, self.written
            if not select.select([self.leader], [], [], 0.2)[0]:
                continue
            try:
                block = os.read(self.leader, 4096)
            except OSError:  # Linux tells the end of the other side so
                return
            if not block:
                return
            self.written += block.decode()

    def lines(self) -> list[str]:
        """What a person sees in the end."""
        found = []
        for row in self.written.replace("\r\n", "\n").split("\n"):
            cells: list[str] = []
            for part in row.split("\r"):
                cells[: len(part)] = part
            found.append("".join(cells).rstrip())
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.leader)
