"""What outlives a server: a folder with its functions and the events it has accepted, for one server at a time.

SQLite in WAL mode with every commit forced to the disk. One connection, used by one thread at a time: SQLite before
3.51.3 can damage a WAL file that two connections write, and in exclusive mode it needs no shared memory, which network
file systems lack. A lock file beside it keeps other servers out and names the one that is in.

Every row carries a digest, since SQLite keeps no checksum of its pages: what is not as it was stored is told, never
passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmfunction import _private_sqlite
from lmfunction._locks import HeldFile, hold
from lmfunction._text import one_line
from lmfunction._user_files import make_private_folder
from lmfunction.errors import JournalError
from lmfunction.local._event import Event, Response

if TYPE_CHECKING:
    import sqlite3

Statement = tuple[str, tuple[Any, ...]]

_APPLICATION: Final = int.from_bytes(b"LMs1", "big")
# The statements that make each version of the file from the one before; `user_version` counts them.
_VERSIONS: Final = (
    (
        "CREATE TABLE made_for(region TEXT NOT NULL, account TEXT NOT NULL)",
        """CREATE TABLE event(
             number INTEGER PRIMARY KEY,
             request_id TEXT NOT NULL,
             name TEXT NOT NULL,
             qualifier TEXT,
             arn TEXT NOT NULL,
             accepted REAL NOT NULL,
             trace_id TEXT NOT NULL,
             tenant_id TEXT NOT NULL,
             attempts INTEGER NOT NULL,
             due REAL NOT NULL,
             error TEXT,
             executed_version TEXT,
             body BLOB NOT NULL,
             response BLOB,
             digest BLOB NOT NULL)""",
        "CREATE TABLE function(name TEXT PRIMARY KEY, content TEXT NOT NULL, digest BLOB NOT NULL)",
    ),
)
_EVENT: Final = (
    "number, request_id, name, qualifier, arn, accepted, trace_id, tenant_id, attempts, due, error, executed_version, "
    "body, response, digest"
)
_REPLACE_EVENT: Final = f"REPLACE INTO event({_EVENT}) VALUES({', '.join('?' * len(_EVENT.split(', ')))})"
_REPLACE_FUNCTION: Final = "REPLACE INTO function(name, content, digest) VALUES(?, ?, ?)"
_DATABASE: Final = "state.db"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Row:
    """A row to be stored, whose digest is still to be made: `small` are its first columns, `large` the last ones."""

    statement: str
    small: tuple[Any, ...]
    large: tuple[bytes | None, ...] = ()

    def with_digest(self) -> Statement:
        """The statement with all its values."""
        return self.statement, (*self.small, *self.large, _digest(self.small, self.large))


Change = Row | Statement


def event_row(event: Event) -> Row:
    """Stores an event as it is now."""
    response = event.response
    small = (
        event.number,
        event.request_id,
        event.name,
        event.qualifier,
        event.arn,
        float(event.accepted),
        event.trace_id,
        event.tenant_id,
        event.attempts,
        float(event.due),
        None if response is None else response.error,
        None if response is None else response.executed_version,
    )
    return Row(_REPLACE_EVENT, small, (event.body, None if response is None else response.payload))


def no_event(event: Event) -> Statement:
    """Forgets an event."""
    return "DELETE FROM event WHERE number = ?", (event.number,)


def function_row(name: str, content: str) -> Row:
    """Stores a function."""
    return Row(_REPLACE_FUNCTION, (name, content))


def no_function(name: str) -> Statement:
    """Forgets a function."""
    return "DELETE FROM function WHERE name = ?", (name,)


class State:
    """The state in `folder`, which is made where there is none, held until `close`.

    Raises JournalError for a folder that cannot be used: another server's, another region's, damaged, newer.
    """

    def __init__(self, folder: Path, region: str, account: str) -> None:
        self.folder = folder
        self._made_for = (region, account)
        with self._told():
            self._lock = self._held()
            try:
                self._database = _private_sqlite.connect(
                    self.folder / _DATABASE, self._identify, patience=0, any_thread=True
                )
            except BaseException:
                self._lock.release()
                raise

    @property
    def code(self) -> Path:
        """Where the code of functions is kept."""
        return make_private_folder(self.folder / "code")

    @property
    def destinations(self) -> Path:
        """Where records of destinations are kept."""
        return self.folder / "destinations"

    @property
    def keys(self) -> Path:
        """Where access keys are kept, when they are to stay the same."""
        return self.folder / "keys.json"

    def events(self) -> list[Event]:
        """The events that were accepted and not concluded, in the order of arrival. Raises JournalError."""
        with self._told():
            rows = self._database.execute(f"SELECT {_EVENT} FROM event ORDER BY number").fetchall()  # noqa: S608
            return [_event(row) for row in rows]

    def functions(self) -> dict[str, str]:
        """The functions that were stored, by name. Raises JournalError."""
        with self._told():
            rows = self._database.execute("SELECT name, content, digest FROM function ORDER BY name").fetchall()
            for name, content, digest in rows:
                _check_digest(digest, (name, content), ())
            return {name: content for name, content, _ in rows}

    def write(self, changes: Iterable[Change]) -> None:
        """Makes changes in one transaction: on the disk when this returns. Raises JournalError."""
        statements = [c.with_digest() if isinstance(c, Row) else c for c in changes]
        with self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in statements:
                    self._database.execute(statement, values)
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(Exception):
                    self._database.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Lets the folder go."""
        with contextlib.suppress(Exception):
            self._database.close()
        self._lock.release()

    def _held(self) -> HeldFile:
        make_private_folder(self.folder)
        names = os.listdir(self.folder)  # noqa: PTH208 - names only
        if names and _DATABASE not in names and _LOCK not in names:
            raise JournalError(
                f"{self._shown} is not empty and holds no state of an embedded Lambda: name a new folder."
            )
        self.folder.chmod(0o700)
        lock = hold(str(self.folder / _LOCK))
        if lock is None:
            raise JournalError(f"{self._shown} is in use by {self._owner()}. Stop it, or name another folder.")
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _owner(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return f"the process {int((self.folder / _LOCK).read_text())}"
        return "another process"

    @property
    def _shown(self) -> str:
        return f"The state folder {one_line(str(self.folder), 300)}"

    def _identify(self, database: sqlite3.Connection) -> None:
        """Makes the tables of a new file; refuses one that is not ours, is newer, damaged or of another region."""
        application, version = _private_sqlite.identity(database) or (_APPLICATION, 0)
        if application != _APPLICATION:
            raise JournalError(f"{self._shown} holds a {_DATABASE} of another program: name a new folder.")
        if version > len(_VERSIONS):
            raise JournalError(f"{self._shown} was written by a newer lmfunction: use that one, or name a new folder.")
        if not _private_sqlite.is_whole(database):
            raise JournalError(self._damaged)
        if version < len(_VERSIONS):
            self._upgrade(database, version)
        made_for = database.execute("SELECT region, account FROM made_for").fetchone()
        if made_for != self._made_for:
            region, account = made_for or ("?", "?")
            raise JournalError(f"{self._shown} is that of region {region}, account {account}: start with these.")

    def _upgrade(self, database: sqlite3.Connection, version: int) -> None:
        database.execute("BEGIN IMMEDIATE")
        for statements in _VERSIONS[version:]:
            for statement in statements:
                database.execute(statement)
        if version == 0:
            database.execute("INSERT INTO made_for(region, account) VALUES(?, ?)", self._made_for)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
        database.execute("COMMIT")

    @property
    def _damaged(self) -> str:
        return f"{self._shown} is damaged. Restore {_DATABASE}, or name a new folder: what it held is lost to that one."

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Makes of whatever is wrong with the files an error that says what to do."""
        import sqlite3

        try:
            yield
        except _DamagedError:
            raise JournalError(self._damaged) from None
        except sqlite3.OperationalError as error:
            raise JournalError(f"{self._shown} cannot be used: {one_line(str(error), 200)}.") from error
        except sqlite3.DatabaseError as error:
            raise JournalError(self._damaged) from error
        except OSError as error:
            raise JournalError(f"{self._shown} cannot be used: {error.strerror or error}.") from error


class _DamagedError(Exception):
    """A row is not as it was stored."""


def _event(row: tuple[Any, ...]) -> Event:
    *small, body, response, digest = row
    _check_digest(digest, tuple(small), (body, response))
    number, request_id, name, qualifier, arn, accepted, trace_id, tenant_id, attempts, due, error, version = small
    return Event(
        number,
        request_id,
        name,
        qualifier,
        arn,
        body,
        accepted,
        trace_id=trace_id,
        tenant_id=tenant_id,
        attempts=attempts,
        due=due,
        response=None if response is None else Response(response, error, version),
    )


def _check_digest(digest: object, small: tuple[Any, ...], large: tuple[bytes | None, ...]) -> None:
    if not all(part is None or isinstance(part, bytes) for part in large) or digest != _digest(small, large):
        raise _DamagedError


def _digest(small: tuple[Any, ...], large: tuple[bytes | None, ...]) -> bytes:
    made = hashlib.sha256(repr(small).encode("utf-8", "surrogatepass"))
    for part in large:
        made.update(b"\n-" if part is None else b"\n%d " % len(part) + part)
    return made.digest()
