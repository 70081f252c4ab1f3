"""A home and a project of their own for tests of profiles."""

from __future__ import annotations

import pathlib

import pytest

from lmfunction._profile_approvals import approvals

REGION = "region: eu-west-1\n"


class Project:
    """A working directory, and a home beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder.parent / "home"

    def write(self, name, text=REGION, *, suffix=".yaml"):
        """A profile of the project."""
        path = self.folder / "profiles" / f"{name}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def approved(self, name, text=REGION, *, suffix=".yaml"):
        """A profile of the project, approved."""
        return approve(self.write(name, text, suffix=suffix))

    def own(self, name, text=REGION):
        """A profile of the user's own."""
        path = self.home / ".config" / "lmfunction" / "profiles" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def approve(path: pathlib.Path) -> pathlib.Path:
    """Approves what the file holds now."""
    approvals().approve(path, path.read_bytes())
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder to work in."""
    found = Project(tmp_path / "work")
    for folder in (found.folder, found.home):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.chdir(found.folder)
    return found
