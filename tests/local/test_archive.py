"""A deployment package stays in its folder, whatever it holds."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from lmfunction.local import _archive
from lmfunction.local._archive import ArchiveError, unpack


def packed(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_unpacks_folders_and_modes(tmp_path: Path) -> None:
    """Files land where they belong, and an executable stays one."""
    info = zipfile.ZipInfo("bin/run")
    info.external_attr = (stat.S_IFREG | 0o755) << 16
    unpack(packed(("pkg/", b""), ("pkg/a.py", b"x"), (info, b"y")), tmp_path)
    assert (tmp_path / "pkg/a.py").read_bytes() == b"x"
    assert (tmp_path / "bin/run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../b", "a\\..\\b", "C:\\x"])
def test_paths_that_leave(tmp_path: Path, name: str) -> None:
    """A path out of the folder is refused, and nothing is written there."""
    folder = tmp_path / "code"
    folder.mkdir()
    with pytest.raises(ArchiveError, match="leaves its folder"):
        unpack(packed((name, b"x")), folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_links(tmp_path: Path) -> None:
    """A symbolic link is refused."""
    with pytest.raises(ArchiveError, match="symbolic link"):
        unpack(packed((link("a"), b"/etc/passwd")), tmp_path)


def test_size_is_counted_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small package that unpacks to much is refused."""
    monkeypatch.setattr(_archive, "UNZIPPED_LIMIT", 1000)
    unpack(packed(("a", bytes(600))), tmp_path)
    with pytest.raises(ArchiveError, match="Unzipped size must be smaller than"):
        unpack(packed(("b", bytes(600)), ("c", bytes(600))), tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all"])
def test_no_zip(tmp_path: Path, data: bytes) -> None:
    """What is no zip file is refused in AWS's words."""
    with pytest.raises(ArchiveError, match="Could not unzip uploaded file"):
        unpack(data, tmp_path)
