"""Whether this machine can do what the settings ask for, found out before anything is started."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from lmfunction.local._settings import AWSLAMBDARIC, PYTHON_LOOPS, Settings


def missing(settings: Settings) -> str | None:
    """Why an embedded Lambda with `settings` could not run functions, with what to do about it; None when it could."""
    if settings.python_loop not in PYTHON_LOOPS:
        return f"python_loop {settings.python_loop!r} is not one of {', '.join(PYTHON_LOOPS)}."
    if settings.python_loop == AWSLAMBDARIC and not _has_module(settings.python, AWSLAMBDARIC):
        return (
            f"{AWSLAMBDARIC} is not installed for {settings.python}. "
            f"Install it (`{settings.python} -m pip install {AWSLAMBDARIC}`, on Linux), or leave out its choice."
        )
    if settings.enforce_memory and sys.platform != "linux":
        return "Memory can be enforced on Linux only; it is reported everywhere."
    return None


def _has_module(python: str, name: str) -> bool:
    if python == sys.executable:
        return find_spec(name) is not None
    program = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    command = [python, "-P", "-c", program, name]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - the user's choice
    except OSError:  # the server says what is wrong with that interpreter
        return True
