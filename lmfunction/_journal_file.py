"""A journal's files: the SQLite database, what SQLite puts beside it, and the lock of who opens it or gives it back.

The database is in WAL mode with every commit forced to the disk. Never is it opened by plain `open()` in a process that
has it open by SQLite: closing that file would drop the locks that SQLite holds on it. Who only looks opens it
read-only; one connection writes, since SQLite before 3.51.3 can damage a WAL file that two connections write at once.
Network file systems lack the shared memory that WAL needs: there it is a rollback journal, and nobody else may look.

When its owner gives a journal back in order, the database leaves that mode: it is one file then, and who looks at it
leaves none beside it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmfunction._journal_mark import mark_path
from lmfunction._locks import SAFELY, HeldFile, hold
from lmfunction._text import one_line
from lmfunction._user_files import make_private_folder
from lmfunction.errors import JournalError

if TYPE_CHECKING:
    import sqlite3

APPLICATION: Final = int.from_bytes(b"LMfJ", "big")
VERSION: Final = 1
_OLDEST: Final = (3, 37)  # STRICT tables
_PATIENCE: Final = 5.0
_STEP: Final = 0.02  # seconds between two looks at what others do: neither a lock nor SQLite tells when it is free
_WRITE: Final = 0.5  # seconds that the end of a journal's last write may take
# File systems of a network, by the names that Linux gives them; those of FUSE are `fuse.NAME`.
_OF_A_NETWORK: Final = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "9p", "beegfs"]
)
_SETTINGS: Final = (
    "trusted_schema = OFF",
    "mmap_size = 0",
    "foreign_keys = ON",
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "wal_autocheckpoint = 1000",
)


class Database(Protocol):
    """What is asked of a connection; sqlite3's is one."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun that has not ended."""

    def execute(self, statement: str, values: Any = ..., /) -> Any:
        """Runs one statement."""

    def close(self) -> None:
        """Closes it."""


def connect(path: str, *, writes: bool) -> Database:
    """A connection to the database at `path`, which must exist."""
    import sqlite3  # only who uses a journal pays for it

    # A URI, so that only looking is possible; `?` and `#` in a name would end the path.
    name = pathlib.Path(path).absolute().as_uri()
    return sqlite3.connect(
        f"{name}?mode={'rw' if writes else 'ro'}",
        uri=True,
        isolation_level=None,
        timeout=_PATIENCE,
        check_same_thread=False,
        cached_statements=256,
    )


def make_file(path: str) -> None:
    """Makes an empty file that only its owner can read, and the folders to it; one that exists is left as it is.

    Raises JournalError for a path that leads to something else than a file, such as a symbolic link.
    """
    with telling(path):
        folder = make_private_folder(pathlib.Path(path).absolute().parent)
        _check_folder(folder, path)
        _check_file(path)
        # SQLite would make the file by the umask; the files beside it get the mode that it has. One that exists is not
        # opened: this process may be its owner.
        if pathlib.Path(path).exists():
            return
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFELY, 0o600))


def check_file(path: str) -> None:
    """Raises JournalError unless `path` is a file that nobody else can put another in the place of."""
    with telling(path):
        _check_folder(pathlib.Path(path).absolute().parent, path)
        _check_file(path)


def open_to_write(path: str, *, shared: bool) -> Database:
    """The database at `path`, which may be empty. `shared` unless it is on a network.

    Raises JournalError for a file that is no journal, or was written by a newer version.
    """
    with telling(path):
        database = connect(path, writes=True)
        try:
            if not shared:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
            for setting in _SETTINGS:
                database.execute(f"PRAGMA {setting}")
            identify(database, path)
            mode = "WAL" if shared else "DELETE"
            answer = str(database.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0])
            if answer.casefold() != mode.casefold():
                raise JournalError(_told(path, f"the file system does not allow SQLite's mode {mode}"))
        except BaseException:
            database.close()
            raise
        return database


def fill(database: Database, make: Callable[[Database], None]) -> None:
    """Makes a journal of an empty database, by `make`, in one transaction."""
    database.execute("BEGIN IMMEDIATE")
    make(database)
    database.execute(f"PRAGMA application_id = {APPLICATION}")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def into_one_file(database: Database) -> None:
    """Moves what the -wal file holds into the database, and removes the files beside it; not while somebody looks."""
    import sqlite3

    database.execute("PRAGMA busy_timeout = 0")
    end = time.monotonic() + _WRITE
    while True:
        try:
            database.execute("PRAGMA journal_mode = DELETE").fetchone()
            return
        except sqlite3.OperationalError as error:
            busy = str(getattr(error, "sqlite_errorname", "SQLITE_BUSY")).startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > end:
                raise
        time.sleep(_STEP)


def remove_files(path: str) -> None:
    """Removes a journal, and what is beside it but the lock."""
    for name in _files(path):
        pathlib.Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def alone(path: str, patience: float = 10.0) -> Iterator[None]:
    """For one process at a time, so that of two that begin at once one finds the other's lease.

    Raises JournalError when another does not end within `patience` seconds.
    """
    held: HeldFile | None = None
    try:
        with telling(path):
            end = time.monotonic() + patience
            while (held := hold(f"{path}-lock")) is None:
                if time.monotonic() > end:
                    raise JournalError(f"Another process has been opening this journal for seconds.\n  {_shown(path)}")
                time.sleep(_STEP)
        yield
    finally:
        if held is not None:
            held.release()


@contextlib.contextmanager
def opened_to_read(path: str) -> Iterator[Database]:
    """The database at `path`, read-only. Raises JournalError for one that is no journal, or holds no run yet."""
    with telling(path):
        _check_file(path)
        if not pathlib.Path(path).exists():
            raise JournalError(f"There is no journal {_shown(path)}.")
        if _being_written(path):
            raise JournalError(_told(path, "a write was cut off, or is under way", "-Resume mends it."))
        database = connect(path, writes=False)
        try:
            if not identify(database, path):
                raise JournalError(f"No run was begun in {_shown(path)}: the file is empty.")
            yield database
        finally:
            database.close()


def identify(database: Database, path: str) -> bool:
    """Whether the database is a journal; False when it is empty. Raises JournalError when it is something else."""
    import sqlite3

    if sqlite3.sqlite_version_info < _OLDEST:
        raise JournalError(f"A journal needs SQLite 3.37 or later; this Python has {sqlite3.sqlite_version}.")
    application, version = (int(_one(database, f"PRAGMA {name}")) for name in ("application_id", "user_version"))
    if application == 0 and version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
        return False
    if application != APPLICATION:
        raise JournalError(f"{_shown(path)} is a database of another program: name another file.")
    if version > VERSION:
        raise JournalError(f"{_shown(path)} was written by a newer lmfunction: go on with that one.")
    return True


def damaged(path: str, what: str) -> JournalError:
    """The error for a journal of which it cannot be told what was sent."""
    return JournalError(
        f"The journal is damaged: {one_line(what, 300)}. Nothing was sent: what ran cannot be told from it. "
        "Export-LMRun shows what can still be read; look into the function's log for the rest.\n  "
        f"{_shown(path)}"
    )


@contextlib.contextmanager
def telling(path: str) -> Iterator[None]:
    """Makes of whatever is wrong with the files an error that says what to do."""
    import sqlite3

    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise as_error(path, error) from error
    except UnicodeDecodeError as error:
        raise damaged(path, "it holds text that is none") from error
    except ValueError as error:  # from those who compare what is read with its checksum
        raise damaged(path, str(error)) from error


def as_error(path: str, error: sqlite3.Error | OSError) -> JournalError:
    """The error that says what is wrong with the files, and what to do."""
    import sqlite3

    if isinstance(error, OSError):
        return JournalError(_told(path, error.strerror or str(error)))
    if isinstance(error, sqlite3.OperationalError):
        name = str(getattr(error, "sqlite_errorname", ""))
        cure = _CURES.get(name.removeprefix("SQLITE_").partition("_")[0], "")
        return JournalError(_told(path, f"{error}{f' ({name})' if name else ''}", cure))
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB" and not pathlib.Path(mark_path(path)).exists():
        return JournalError(
            f"{_shown(path)} is no journal, or one whose beginning was overwritten: it is not a database of SQLite. "
            "Name another file."
        )
    return damaged(path, str(error))


_CURES: Final = {
    "FULL": "The disk is full: make room, then repeat the line with -Resume.",
    "IOERR": "The disk does not take it: mend that, then repeat the line with -Resume.",
    "BUSY": "Another process is in it: wait for that one, or stop it.",
}


def network_of(path: str, mounts: str = "/proc/mounts") -> str | None:
    """The kind of the network's file system that `path` lies on; None where it is a local one, or nobody knows."""
    try:
        lines = pathlib.Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in lines:
        _, mount, found, *_ = [*line.split(" "), "", "", ""]
        mount = mount.replace("\\040", " ")
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind if kind in _OF_A_NETWORK or kind.startswith("fuse.") else None


def _check_folder(folder: pathlib.Path, path: str) -> None:
    """In a folder that everybody may write, somebody could put a link in the place of a file that SQLite opens."""
    if sys.platform == "win32":
        return
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise JournalError(
            _told(path, "everybody may write in its folder", "Take a folder that only you can write in.")
        )


def _check_file(path: str) -> None:
    for name in _files(path):
        try:
            found = os.lstat(name)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(found.st_mode):
            kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}
            kind = kinds.get(stat.S_IFMT(found.st_mode), "no file")
            raise JournalError(_told(path, f"{one_line(pathlib.Path(name).name, 100)} is {kind}"))
        if sys.platform != "win32" and found.st_uid != os.geteuid() and os.geteuid() != 0:
            raise JournalError(_told(path, "it belongs to another user"))


def _files(path: str) -> tuple[str, ...]:
    return (path, f"{path}-wal", f"{path}-shm", f"{path}-journal", mark_path(path))


def _being_written(path: str) -> bool:
    """Whether a rollback journal is there, and stays: the one that ends a run is gone in a moment."""
    end = time.monotonic() + _WRITE
    while pathlib.Path(f"{path}-journal").exists():
        if time.monotonic() > end:
            return True
        time.sleep(_STEP)
    return False


def _one(database: Database, statement: str) -> Any:
    return database.execute(statement).fetchone()[0]


def _told(path: str, why: str, cure: str = "") -> str:
    return f"The journal cannot be used: {one_line(why, 200)}.{f' {cure}' if cure else ''}\n  {_shown(path)}"


def _shown(path: str) -> str:
    return one_line(path, 300)
