"""Which project profiles the user approved: by path and content, so that any edit takes the approval away.

One small file for each in the user's own configuration folder (`approved/`), readable by its owner alone.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lmfunction._profile_files import distrust
from lmfunction._user_files import config_folder, make_private_folder, write_atomically
from lmfunction.errors import ProfileError

State = Literal["approved", "changed", "unknown"]


@dataclass(frozen=True)
class Approvals:
    """The user's approvals, kept in `folder`."""

    folder: pathlib.Path

    def state_of(self, path: pathlib.Path, content: bytes) -> State:
        """Whether `path` is approved with this content, was approved with another one, or never was."""
        record = self._record(path)
        if not record.is_file() or distrust(record, explicit=False) or distrust(self.folder, explicit=False):
            return "unknown"
        try:
            held = json.loads(record.read_bytes())
            same_file, digest = held["file"] == str(path.resolve()), held["sha256"]
        except (OSError, ValueError, TypeError, KeyError):
            return "unknown"
        if not same_file:
            return "unknown"
        return "approved" if digest == digest_of(content) else "changed"

    def approve(self, path: pathlib.Path, content: bytes) -> None:
        """Approves `path` with this content, the one that was looked at. Raises ProfileError when it cannot be kept."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        held = {"file": str(path.resolve()), "sha256": digest_of(content), "approved": now}
        try:
            make_private_folder(self.folder)
            write_atomically(self._record(path), json.dumps(held, indent=2).encode() + b"\n")
        except OSError as error:
            raise ProfileError(f"The approval cannot be kept: {error.strerror}.", file=str(self.folder)) from None

    def revoke(self, path: pathlib.Path) -> bool:
        """Takes the approval of `path` away, which need not exist any more; whether there was one."""
        try:
            self._record(path).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ProfileError(f"The approval cannot be taken away: {error.strerror}.", file=str(path)) from None
        return True

    def _record(self, path: pathlib.Path) -> pathlib.Path:
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
        return self.folder / f"{name[:40]}.json"


def approvals(environ: Mapping[str, str] = os.environ) -> Approvals:
    """The approvals of the user whose environment this is."""
    return Approvals(config_folder(environ) / "approved")


def digest_of(content: bytes) -> str:
    """What an approval remembers of a content: SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
