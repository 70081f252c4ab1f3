"""The user's own folders, and files that only the user may read."""

from __future__ import annotations

import errno
import os
import pathlib
import sys
import tempfile
from collections.abc import Mapping


def config_folder(environ: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Where the user's settings stand: `~/.config/lmfunction`, `%APPDATA%` on Windows, `$XDG_CONFIG_HOME` where set."""
    return _base(environ, "XDG_CONFIG_HOME", ".config", "APPDATA") / "lmfunction"


def state_folder(environ: Mapping[str, str] = os.environ) -> pathlib.Path:
    """Where the program keeps what must outlive it: `~/.local/state/lmfunction`, `%LOCALAPPDATA%` on Windows.

    `$LMFUNCTION_STATE` names another folder.
    """
    named = environ.get("LMFUNCTION_STATE", "")
    if named:
        return pathlib.Path(named).expanduser().absolute()
    return _base(environ, "XDG_STATE_HOME", ".local/state", "LOCALAPPDATA") / "lmfunction"


def make_private_folder(folder: pathlib.Path) -> pathlib.Path:
    """Makes `folder` and those above it that are missing, which only their owner may enter, and gives it.

    One that exists keeps its mode. Raises OSError.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_private_folder(folder.parent)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    return folder


def write_atomically(path: pathlib.Path, content: bytes, *, mode: int = 0o600) -> None:
    """Writes `content` to `path`, on disk when this returns; a crash leaves the old file or the new one, never half.

    A symbolic link is followed, so that what it points at is replaced. Raises OSError.
    """
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        pathlib.Path(name).chmod(mode)
        pathlib.Path(name).replace(target)
    except BaseException:
        pathlib.Path(name).unlink(missing_ok=True)
        raise


def _base(environ: Mapping[str, str], xdg: str, usual: str, windows: str) -> pathlib.Path:
    if sys.platform == "win32":
        return pathlib.Path(environ.get(windows) or pathlib.Path.home())
    # The standard says that a relative path is to be ignored (XDG Base Directory Specification).
    set_to = environ.get(xdg, "")
    return pathlib.Path(set_to) if set_to.startswith("/") else pathlib.Path.home() / usual
