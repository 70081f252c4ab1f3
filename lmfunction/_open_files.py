"""How many files and connections the operating system lets this process have open at a time."""

from __future__ import annotations

import contextlib
import selectors
from typing import Final

FILES_OF_A_SERVER: Final = 65_536  # each environment of the embedded Lambda takes a handful
_OTHERS: Final = 256  # files that a process has open beside its connections: a notebook's kernel has a hundred
_SELECT: Final = 500  # what `select` takes, less a few; Windows has nothing better


def let_open(files: int) -> int | None:
    """Raises this process's own limit (`ulimit -n`) to `files` as far as it may; gives the limit, None without one."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # a system may take less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return None if soft == resource.RLIM_INFINITY else soft


def connections_at_a_time(wanted: int) -> int:
    """How many of `wanted` connections this process can have open, its limit raised where that is needed."""
    most = min(wanted, _SELECT) if issubclass(selectors.DefaultSelector, selectors.SelectSelector) else wanted
    limit = let_open(most + _OTHERS)
    return most if limit is None else min(most, max(limit - _OTHERS, limit // 2, 1))
