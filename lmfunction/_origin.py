"""Where a call comes from: the user, the machine and the process, and the notebook's cell as far as it is known."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from typing import Any

# The cell under way, as the notebook's door told it last.
_cell: list[str] = []


def enter_cell(name: str) -> None:
    """Tells that the cell `name` (its id, or `In [5]`) begins to run."""
    _cell[:] = [name]


def origin(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Who calls, by the names that an audit uses; what is not known is left out."""
    found = {**_process(os.getpid()), "notebook": notebook(environ), "cell": _cell[0] if _cell else None}
    return {name: value for name, value in found.items() if value is not None}


def notebook(environ: Mapping[str, str] = os.environ) -> str | None:
    """The notebook's path: as papermill injects it, as VS Code sets it, as Jupyter's server names it; else None.

    A kernel that papermill starts inherits Jupyter's variable from the notebook that started papermill, so that it
    comes last.
    """
    names = vars(sys.modules["__main__"])
    for value in (
        names.get("PAPERMILL_INPUT_PATH"),  # with `papermill --inject-paths`
        names.get("__vsc_ipynb_file__"),
        environ.get("JPY_SESSION_NAME"),
    ):
        if isinstance(value, str) and value:
            return value
    return None


@functools.lru_cache(maxsize=1)
def _process(pid: int) -> dict[str, Any]:
    program = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 - it may be no path at all
    return {"user": _user(), "host": host(), "pid": pid, "program": program or None}


def _user() -> str:
    """The user that the process runs as, by the system's own list: the environment can say anything."""
    if hasattr(os, "getuid"):
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # as in a container that runs as a number
            return str(os.getuid())
    import getpass

    return getpass.getuser()


@functools.lru_cache(maxsize=1)
def host() -> str:
    """The machine's name."""
    import socket

    return socket.gethostname()
