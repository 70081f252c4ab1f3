"""A profile's file on disk: its bytes, read once and again when it changed, and who else could change it."""

from __future__ import annotations

import functools
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Final

from lmfunction.errors import ProfileError

MAX_BYTES: Final = 64 * 1024
SUFFIXES: Final = (".yaml", ".yml")


def content_of(path: pathlib.Path) -> bytes:
    """The bytes of `path`, one more than MAX_BYTES at most.

    Raises ProfileError for what cannot be read or is no regular file; a pipe does not hold it up.
    """
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode):
            # The time of the last change to the inode is the one that nobody can set back.
            return _content(path, (found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be a file's"
        raise ProfileError(f"The profile cannot be read: {why}.", file=str(path)) from None
    raise ProfileError("The profile is no regular file.", file=str(path))


@functools.lru_cache(maxsize=64)
def _content(path: pathlib.Path, version: tuple[int, ...]) -> bytes:
    with open(path, "rb", opener=_open_at_once) as file:
        return file.read(MAX_BYTES + 1)


def _open_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def is_commented_out(path: pathlib.Path) -> bool:
    """Whether the file holds nothing but comments, as the shipped examples do."""
    try:
        lines = content_of(path).splitlines()
    except ProfileError:
        return False
    return not any(line.strip() and not line.lstrip().startswith(b"#") for line in lines)


def files_in(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Stem and name of each profile's file in `folder`, in no order; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, dot, suffix = entry.name.rpartition(".")
                if stem and not stem.startswith(".") and dot + suffix in SUFFIXES and not entry.is_dir():
                    yield stem, entry.name
    except OSError:
        return


def distrust(path: pathlib.Path, *, explicit: bool) -> str | None:
    """Why `path`, a file or a folder, is not taken for what its owner wrote, with what mends it; None when it is.

    What everybody may write to never is. Where the user did not name the place (`explicit`), it must also belong to
    the user or to root, and no group but the user's private one may write to it.
    """
    if not hasattr(os, "geteuid"):
        return None  # Windows guards the user's folders by access lists
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None  # reading it tells why
    shown = str(path)
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {shown}: chmod o-w {shown}"
    if explicit:
        return None
    if found.st_uid not in _own_ids():
        return f"{shown} belongs to another user (uid {found.st_uid}); name its folder with -ProfileLocation to use it"
    if found.st_mode & stat.S_IWGRP and not _is_private_group(found.st_gid, found.st_uid):
        return f"the group {found.st_gid} may write to {shown}: chmod g-w {shown}"
    return None


def _own_ids() -> tuple[int, ...]:
    """The users whose files are the user's own: the user, root, and under sudo who called it."""
    own = os.geteuid()
    behind = os.environ.get("SUDO_UID", "") if own == 0 else ""
    return (own, 0, int(behind)) if behind.isdecimal() else (own, 0)


@functools.lru_cache(maxsize=64)
def _is_private_group(group: int, owner: int) -> bool:
    """Whether the group has one member, its user: systems with umask 002 make one of the user's name for each."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(owner), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
