"""Functions that outlive the server: stored whenever one changes, and put back at the next start.

Code lies beside the database in folders that are never changed, so that a function's row and its code belong together:
the code is on the disk before the row that names it, and removed only after no row does.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmfunction._text import one_line
from lmfunction.errors import JournalError
from lmfunction.local._functions import Function, Functions
from lmfunction.local._state import State
from lmfunction.local._store import Store


class Keeping:
    """Keeps the functions of one server in its state; without one it does nothing."""

    def __init__(self, functions: Functions, store: Store, state: State | None, say: Callable[[str], None]) -> None:
        self._functions = functions
        self._store = store
        self._state = state
        self._say = say
        self._pending = 0
        self._failed = False

    def changed(self, name: str) -> None:
        """Stores a function that was added or changed, or forgets one that was removed."""
        if self._state is None:
            return
        self._pending += 1
        function = self._functions.get(name)
        if function is None:
            self._store.remove_function(name, self._stored)
        else:
            code = self._state.code
            content = json.dumps(_with_folders(function.to_state(), lambda folder: _inside(folder, code)))
            owned = [folder for folder in _folders(function) if folder.is_relative_to(code)]
            self._store.put_function(name, content, owned, self._stored)

    def when_kept(self, done: Callable[[bool], None]) -> None:
        """Calls `done` when all changes so far are on the disk, with whether they are."""
        if not self._pending:
            done(True)
            return

        def settled(_: Exception | None) -> None:
            failed, self._failed = self._failed, False
            done(not failed)

        self._store.flush(settled)

    def restore(self) -> None:
        """Puts back what was stored; code that no function has is removed.

        Raises JournalError for a function that cannot be read.
        """
        if self._state is None:
            return
        code, used = self._state.code, set()
        for name, content in self._state.functions().items():
            try:
                stored = Function.from_state(_with_folders(json.loads(content), lambda folder: str(code / folder)))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                text = f"The function {one_line(name, 80)} in the state folder {self._state.folder} cannot be read."
                raise JournalError(text) from error
            self._put_back(stored)
            used |= set(_folders(stored))
        for folder in code.iterdir():
            if folder not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def _put_back(self, stored: Function) -> None:
        name = stored.latest.name
        here = self._functions.get(name)
        if here is not None and self._state is not None and not stored.latest.folder.is_relative_to(self._state.code):
            stored.latest = replace(stored.latest, folder=here.latest.folder)  # a sample, wherever it is installed now
        for configuration in (stored.latest, *stored.versions.values()):
            if not configuration.folder.is_dir():
                shown = f"{name}:{configuration.version}"
                self._say(f"The code of {shown} is gone: there is no folder {one_line(str(configuration.folder), 300)}")
        self._functions.put(stored)

    def _stored(self, error: Exception | None) -> None:
        self._pending -= 1
        if error is not None:
            self._failed = True
            self._say(f"A function could not be stored: {error}")


def _folders(function: Function) -> Iterator[Path]:
    """Every folder that a function runs from, its layers' among them."""
    for configuration in (function.latest, *function.versions.values()):
        yield configuration.folder
        yield from (layer.folder for layer in configuration.layers)


def _with_folders(state: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A function's stored values with every folder of code changed."""
    for holder in _holders(state):
        holder["folder"] = change(holder["folder"])
    return state


def _holders(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for configuration in (state["latest"], *state["versions"].values()):
        yield configuration
        yield from configuration["layers"]


def _inside(folder: str, code: Path) -> str:
    """A folder as it is stored: relative to that of all code, so that the state can be moved."""
    with contextlib.suppress(ValueError):
        return str(Path(folder).relative_to(code))
    return folder
