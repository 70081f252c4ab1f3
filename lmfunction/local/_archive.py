"""A deployment package unpacked where it cannot do harm: no path leaves the folder, and the size is bounded."""

from __future__ import annotations

import io
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import zipfile

UNZIPPED_LIMIT: Final = 262_144_000  # AWS: "Unzipped size must be smaller than 262144000 bytes"
_FILES_LIMIT: Final = 100_000
_CHUNK: Final = 1_048_576
_UNREADABLE: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."


class ArchiveError(ValueError):
    """The package cannot be used; the message is meant for who uploaded it."""


def unpack(data: bytes, folder: Path) -> None:
    """Unpacks the zip file `data` into `folder`, which must exist and be empty. Raises ArchiveError."""
    import zipfile  # here: it would be a tenth of the server's start

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _FILES_LIMIT:
                raise ArchiveError(f"The package holds more than {_FILES_LIMIT} files.")
            left = UNZIPPED_LIMIT
            for member in members:
                left -= _unpack_member(archive, member, folder, left)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as e:
        # RuntimeError is an encrypted member, OSError a name the file system refuses.
        raise ArchiveError(_UNREADABLE) from e


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, left: int) -> int:
    """Unpacks one member and returns its size, counted while reading: the size it declares may be a lie."""
    path = PurePosixPath(member.filename)
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or "\0" in member.filename:
        raise ArchiveError(f"The package holds a path that leaves its folder: {member.filename!r}.")
    if stat.S_ISLNK(mode):
        raise ArchiveError(f"The package holds a symbolic link: {member.filename!r}.")
    target = folder / path
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with archive.open(member) as source, target.open("wb") as copy:
        while block := source.read(_CHUNK):
            count += len(block)
            if count > left:
                raise ArchiveError(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
            copy.write(block)
    target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
    return count
