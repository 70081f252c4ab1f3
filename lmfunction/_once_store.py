"""The store of once keys: which call each key was used for, and what became of it.

SQLite in the user's state folder, in WAL mode with every commit forced to the disk. Only one process at a time has it
open, by a lock of our own beside it: SQLite before 3.51.3 can damage a WAL file that two connections write, and in
exclusive mode it needs no shared memory, which network file systems lack.

A key is held by a lock file of its own while its call is under way, so that a key whose outcome is not stored and that
nobody holds was left by a process that died.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmfunction import _private_sqlite
from lmfunction._locks import SAFELY, HeldFile, hold, lock
from lmfunction._text import one_line
from lmfunction._user_files import make_private_folder, state_folder
from lmfunction.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

INTENT: Final = "INTENT"
FINISHED: Final = frozenset(["OK", "ACCEPTED"])
UNKNOWN: Final = frozenset([INTENT, "UNKNOWN", "RESULT_LOST"])

_APPLICATION: Final = int.from_bytes(b"LMf1", "big")
# The statements that make each version of the file from the one before; `user_version` counts them.
_VERSIONS: Final = (
    """CREATE TABLE once_key(
         key TEXT PRIMARY KEY,
         call TEXT NOT NULL,
         outcome TEXT NOT NULL,
         first_run REAL NOT NULL,
         last_run REAL NOT NULL,
         runs INTEGER NOT NULL,
         host TEXT NOT NULL,
         pid INTEGER NOT NULL,
         request_id TEXT,
         answer TEXT,
         payload BLOB,
         digest BLOB NOT NULL)""",
)
_COLUMNS: Final = "key, call, outcome, first_run, last_run, runs, host, pid, request_id, answer, payload, digest"
_MARKS: Final = ", ".join("?" * len(_COLUMNS.split(",")))
_PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Stored:
    """What is known of a key. Times are seconds since 1970. `answer` and `payload` are those of a finished call."""

    key: str
    call: Mapping[str, Any]
    outcome: str
    first_run: float
    last_run: float
    runs: int
    host: str
    pid: int
    request_id: str | None = None
    answer: Mapping[str, Any] | None = None
    payload: bytes | None = None

    @property
    def finished(self) -> bool:
        """Whether its call ended well, so that it is not sent again."""
        return self.outcome in FINISHED

    @property
    def unknown(self) -> bool:
        """Whether nobody can know if its call ran."""
        return self.outcome in UNKNOWN


class OnceStore:
    """The store in `folder`, by default `once` in the user's state folder.

    Raises JournalError for a store that cannot be used; nothing was sent then.
    """

    def __init__(self, folder: pathlib.Path | None = None) -> None:
        self._folder = folder
        self._checked: tuple[int, int] | None = None

    @property
    def folder(self) -> pathlib.Path:
        """The folder, as the environment says now."""
        return self._folder or state_folder() / "once"

    @property
    def path(self) -> pathlib.Path:
        """The database."""
        return self.folder / "keys.db"

    def find(self, key: str) -> Stored | None:
        """What is known of `key`; where there is no store none is made."""
        found = self._select("WHERE key = ?", key)
        return found[0] if found else None

    def find_all(self) -> list[Stored]:
        """Every key, the one used last at the end."""
        return self._select("ORDER BY last_run, key")

    def hold(self, key: str) -> HeldFile | None:
        """The key, held for this process until it is released; None when another process or thread holds it."""
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        with self._told():
            make_private_folder(self.folder)
            return hold(str(self.folder / f"{name}.lock"))

    def is_held(self, key: str) -> bool:
        """Whether somebody holds the key now."""
        if not self.path.exists():
            return False
        held = self.hold(key)
        if held is not None:
            held.release()
        return held is None

    def put(self, stored: Stored) -> None:
        """Stores what is known of a key: on the disk when this returns."""
        row = _row(stored)
        with self._opened() as database:
            database.execute(f"REPLACE INTO once_key({_COLUMNS}) VALUES({_MARKS})", (*row, _digest(row)))

    def remove(self, key: str) -> None:
        """Forgets the key."""
        with self._opened() as database:
            database.execute("DELETE FROM once_key WHERE key = ?", (key,))

    def _select(self, clause: str, *values: str) -> list[Stored]:
        if not self.path.exists():
            return []
        with self._opened() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM once_key {clause}", values).fetchall()  # noqa: S608
            return [self._read(row) for row in rows]

    def _read(self, row: tuple[Any, ...]) -> Stored:
        try:
            key, call, outcome, first, last, runs, host, pid, request_id, answer, payload, digest = row
            if digest != _digest(row[:-1]):
                raise ValueError
            return Stored(
                key,
                json.loads(call),
                outcome,
                first,
                last,
                runs,
                host,
                pid,
                request_id,
                None if answer is None else json.loads(answer),
                payload,
            )
        except (ValueError, TypeError) as error:
            import sqlite3

            raise sqlite3.DatabaseError("a stored call is not what was stored") from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database in a transaction, alone; committed at the end."""
        with self._told(), self._alone():
            database = _private_sqlite.connect(self.path, self._identify, patience=_PATIENCE)
            try:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            finally:
                database.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        make_private_folder(self.folder)
        descriptor = os.open(self.folder / "keys.lock", os.O_RDWR | os.O_CREAT | SAFELY, 0o600)
        try:
            if not lock(descriptor, patience=_PATIENCE):
                import sqlite3

                raise sqlite3.OperationalError("another process has held it for seconds")
            yield
        finally:
            os.close(descriptor)

    def _identify(self, database: sqlite3.Connection) -> None:
        """Makes the tables of a new file; refuses one that is not ours, is newer than this program, or is damaged."""
        import sqlite3

        application, version = _private_sqlite.identity(database) or (_APPLICATION, 0)
        if application != _APPLICATION:
            raise sqlite3.DatabaseError("it is a database of another program")
        if version > len(_VERSIONS):
            raise sqlite3.DatabaseError("it was written by a newer lmfunction")
        if version < len(_VERSIONS):
            database.execute("BEGIN IMMEDIATE")
            for statement in _VERSIONS[version:]:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
            database.execute("COMMIT")
        self._check(database)

    def _check(self, database: sqlite3.Connection) -> None:
        """Reads through the whole file, once in this process: a key that damage hides would be sent again."""
        found = self.path.stat()
        mark = (os.getpid(), found.st_ino)
        if mark == self._checked:
            return
        if not _private_sqlite.is_whole(database):
            import sqlite3

            raise sqlite3.DatabaseError("it is damaged")
        self._checked = mark

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Makes of whatever is wrong with the files an error that says what to do."""
        import sqlite3

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            cure = " Move it away to begin anew: every key in it is forgotten then." if damaged else ""
            raise JournalError(
                f"The store of once keys cannot be used: {one_line(why, 200)}.{cure}\n  {one_line(str(self.path), 300)}"
            ) from error


def _row(stored: Stored) -> tuple[Any, ...]:
    return (
        stored.key,
        json.dumps(stored.call, sort_keys=True),
        stored.outcome,
        float(stored.first_run),
        float(stored.last_run),
        stored.runs,
        stored.host,
        stored.pid,
        stored.request_id,
        None if stored.answer is None else json.dumps(stored.answer, sort_keys=True),
        stored.payload,
    )


def _digest(row: tuple[Any, ...]) -> bytes:
    """What tells that a row is as it was stored: SQLite keeps no checksum of its pages."""
    *told, payload = row
    return hashlib.sha256(repr(told).encode() + b"\n" + (payload or b"")).digest()
