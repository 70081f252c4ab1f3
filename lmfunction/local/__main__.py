"""The embedded Lambda as a child process: `python -m lmfunction.local SETTINGS`, started by `_child`.

It says on standard output, in one line of JSON, where it listens and which keys open it; then it serves until its
standard input ends, which happens when its parent closes it or is gone, or until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from lmfunction._open_files import FILES_OF_A_SERVER, let_open
from lmfunction.errors import JournalError
from lmfunction.local._installed import missing
from lmfunction.local._server import Server, collect_less_often
from lmfunction.local._settings import Settings

EXIT_FAILED = 255  # as the AWS CLI exits when something failed that was no mistake on the line


def main() -> int:
    """Runs the server; the exit status."""
    settings = Settings.from_json(sys.argv[-1])
    reason = missing(settings)
    if reason is not None:
        print(reason, file=sys.stderr)  # noqa: T201 - the parent reads it
        return EXIT_FAILED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C interrupts the parent's call, not the server
    try:
        asyncio.run(_serve(settings))
    except JournalError as e:
        print(e, file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    except OSError as e:
        print(f"The embedded Lambda cannot listen on port {settings.port}: {e.strerror}.", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    return 0


async def _serve(settings: Settings) -> None:
    let_open(FILES_OF_A_SERVER)
    collect_less_often()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_reader(0, _watch_parent, stopped)
    async with Server(settings) as server:
        ready = {
            "port": server.port,
            "access_key": server.keys.access_key,
            "secret_key": server.keys.secret_key,
            "region": settings.region,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _watch_parent(stopped: asyncio.Event) -> None:
    if not os.read(0, 1024):
        asyncio.get_running_loop().remove_reader(0)
        stopped.set()


if __name__ == "__main__":
    sys.exit(main())
