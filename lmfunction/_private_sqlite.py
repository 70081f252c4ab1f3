"""A SQLite file of one owner: made for the user alone, held by one connection, on the disk when a commit returns."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lmfunction._locks import SAFELY

if TYPE_CHECKING:
    import sqlite3

_SETTINGS = ("trusted_schema = OFF", "locking_mode = EXCLUSIVE", "synchronous = FULL", "fullfsync = ON")


def connect(
    path: Path, identify: Callable[[sqlite3.Connection], None], *, patience: float, any_thread: bool = False
) -> sqlite3.Connection:
    """The connection to the file at `path`, which is made where there is none. `patience` is seconds for its lock.

    `identify` makes its tables, or raises where it is somebody else's file. Raises OSError and sqlite3.Error too.
    """
    import sqlite3  # only who keeps something pays for it

    # SQLite would make the file by the umask; the files beside it get the mode that it has.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o600))
    database = sqlite3.connect(path, isolation_level=None, timeout=patience, check_same_thread=not any_thread)
    try:
        for setting in _SETTINGS:
            database.execute(f"PRAGMA {setting}")
        identify(database)
    except BaseException:
        database.close()
        raise
    return database


def identity(database: sqlite3.Connection) -> tuple[int, int] | None:
    """Whose file it is and the version of its tables, as the program wrote them; None for a new file.

    A new file keeps its journal as a write-ahead log from now on.
    """
    application, version = (int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in _IDENTITY)
    if application == 0 and version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
        database.execute("PRAGMA journal_mode = WAL")
        return None
    return application, version


_IDENTITY = ("application_id", "user_version")


def is_whole(database: sqlite3.Connection) -> bool:
    """Whether SQLite finds nothing wrong with the file, which it reads through."""
    found = database.execute("PRAGMA integrity_check(1)").fetchone()
    return found is not None and found[0] == "ok"
