"""Runs with a journal in forked children of a warm process, and what holds of them afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journal.invariants import opened, violations, violations_while_open
from journal.stub import Stub, answer

HERE = Path(__file__).parent


class Parent:
    """The warm process. One task at a time."""

    def __init__(self, url: str, home: Path, around: Sequence[str] = ()) -> None:
        environ = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
        environ["LMFUNCTION_STATE"] = str(home)
        self._process = subprocess.Popen(
            [*around, sys.executable, str(HERE / "parent.py"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )

    def run(self, **task: Any) -> dict[str, Any]:
        """What became of a child that did `task`: `status`, and what it `said`."""
        self.begin(**task)
        return self.end()

    def begin(self, **task: Any) -> None:
        """Starts a child."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()

    def begin_told(self, **task: Any) -> int:
        """Starts a child, and gives its number."""
        self.begin(**task, tells=True)
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def end(self) -> dict[str, Any]:
        """Waits for the child that was started."""
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(20)


@dataclass
class Trial:
    """One run with its journal, in as many processes as it takes."""

    parent: Parent
    stub: Stub
    path: str
    count: int = 30
    options: Mapping[str, Any] = field(default_factory=dict)
    function: str = field(default_factory=lambda: f"f-{uuid.uuid4().hex}")
    found: list[str] = field(default_factory=list)

    @property
    def seen(self) -> str:
        """Where the journal can be looked at; a copy, when the children have mounts of their own."""
        if "root" not in self.options:
            return self.path
        copy = f"{Path(self.path).parent}-copy.db"
        for ending in ("", "-wal", "-journal"):
            Path(copy + ending).unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{self.options['root']}{self.path}{ending}", copy + ending)
        return copy

    @property
    def ran(self) -> Counter[int]:
        """How often each item ran."""
        return self.stub.ran(self.function)

    def go(self, *, resume: bool = False, **more: Any) -> dict[str, Any]:
        """Runs it in a child, once."""
        self.begin(resume=resume, **more)
        return self.parent.end()

    def begin(self, *, resume: bool = False, parent: Parent | None = None, **more: Any) -> None:
        """Starts a child that runs it."""
        (parent or self.parent).begin(**self._task(resume=resume, **more))

    def begin_told(self, **more: Any) -> int:
        """Starts a child that begins it, and gives its number."""
        return self.parent.begin_told(**self._task(resume=False, **more))

    def _task(self, *, resume: bool, **more: Any) -> dict[str, Any]:
        parameters = {"throttle_limit": 4, **self.options.get("parameters", {}), **more.pop("parameters", {})}
        task = {"function": self.function, "journal": self.path, "count": self.count, **self.options, **more}
        task.pop("root", None)
        return {**task, "parameters": {**parameters, "resume": resume}}

    def exists(self) -> bool:
        """Whether a run was begun."""
        return Path(self.seen).exists() and bool(self.look("SELECT 1 FROM sqlite_master WHERE name = 'item'"))

    def look(self, question: str) -> list[tuple[Any, ...]]:
        """The rows that answer an SQL question."""
        with opened(self.seen) as database:
            return database.execute(question).fetchall()

    def check_killed(self, *, at_most_once: bool = True) -> None:
        """Collects what does not hold right after a kill."""
        if Path(self.seen).exists():
            self.found += violations_while_open(self.seen, self.ran, at_most_once=at_most_once)
        elif self.ran:
            self.found.append("(a) it ran without a journal")

    def finish(self, *, at_most_once: bool = True, **more: Any) -> dict[str, Any]:
        """Goes on with the run until it is over, and collects what does not hold then."""
        found = self.go(resume=self.exists(), **more)
        said = found["said"]
        if said is None or "summary" not in said:
            self.found.append(f"(c) it could not be resumed: {found}")
            return found
        duplicates = self.look(
            "SELECT COUNT(*) FROM intent i WHERE EXISTS (SELECT 1 FROM outcome o WHERE o.outcome = 'UNKNOWN'"
            " AND o.place < i.place AND o.place >> 20 = i.place >> 20)"
        )[0][0]
        self.found += violations(
            self.seen,
            self.ran,
            self.count,
            answer,
            said["summary"],
            at_most_once=at_most_once,
            possible_duplicates=duplicates,
        )
        unknown = self.look("SELECT place >> 20, outcome FROM outcome WHERE final ORDER BY place")
        listed = [seq for seq, outcome in dict(unknown).items() if outcome == "UNKNOWN"]
        if listed != said["unknown"]:
            self.found.append(f"(c) {listed} are unknown, {said['unknown']} are listed")
        return found
