"""Code that was uploaded: kept in folders of its own, which nothing changes once they are there."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lmfunction.local._archive import ArchiveError, unpack


class CodeError(ValueError):
    """The code cannot be used; the message is meant for who uploaded it."""


@dataclass(frozen=True, slots=True)
class Code:
    """One package: where it was unpacked, and its SHA-256 in base64 and size in bytes as it was uploaded."""

    folder: Path
    sha256: str
    size: int


class CodeStore:
    """Keeps code below `root`. `when_kept` calls what it is given when all changes of functions so far are kept."""

    def __init__(
        self, root: Path, when_kept: Callable[[Callable[[bool], None]], None] = lambda done: done(True)
    ) -> None:
        self._root = root
        self._when_kept = when_kept

    def measure(self, zip_file: object) -> tuple[bytes, str]:
        """The package in a request's `ZipFile` and its SHA-256; raises CodeError when it is not base64."""
        if not isinstance(zip_file, str) or not zip_file:
            raise CodeError("Please provide a source for function code: here, Code.ZipFile only.")
        try:
            data = base64.b64decode(zip_file, validate=True)
        except (binascii.Error, ValueError):
            raise CodeError("Code.ZipFile is not base64.") from None
        return data, base64.b64encode(hashlib.sha256(data).digest()).decode()

    def unpacked(self, zip_file: object) -> Code:
        """The package in a request's `ZipFile`, unpacked. Raises CodeError."""
        data, digest = self.measure(zip_file)
        folder = self._new_folder()
        try:
            unpack(data, folder)
        except ArchiveError as e:
            shutil.rmtree(folder, ignore_errors=True)
            raise CodeError(str(e)) from None
        return Code(folder, digest, len(data))

    def copied(self, source: Path) -> Path:
        """A folder with a copy of `source`, so that later changes there do not reach a published version."""
        if self.owns(source):
            return source
        folder = self._new_folder()
        shutil.copytree(source, folder, symlinks=True, ignore=self._not_copied, dirs_exist_ok=True)
        return folder

    def owns(self, folder: Path) -> bool:
        """Whether `folder` is one of those that nothing changes."""
        return folder.parent == self._root

    def forget(self, folder: Path) -> None:
        """Removes a folder that no function needs; one that is not ours stays."""
        if self.owns(folder):
            self._when_kept(lambda kept: shutil.rmtree(folder, ignore_errors=True) if kept else None)

    def _not_copied(self, folder: str, names: list[str]) -> set[str]:
        """What is no code; nor is the folder with all code, should it lie in `folder`: a copy would hold itself."""
        here = Path(folder)
        ours = {name for name in names if self._root.is_relative_to(here / name)}
        return ours | {name for name in names if name in ("__pycache__", ".git")}

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="code-", dir=self._root))
