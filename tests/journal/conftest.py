"""What the tests of the journal share: a Lambda that counts, and a warm process whose forked children are killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journal.stub import Stub, counting_stub
from journal.trials import Parent, Trial


@pytest.fixture(scope="session")
def stub() -> Iterator[Stub]:
    """One Lambda for all tests."""
    with counting_stub() as found:
        yield found


@pytest.fixture(scope="session")
def parent(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parent]:
    """One warm process for all tests."""
    found = Parent(stub.url, tmp_path_factory.mktemp("state"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def other_parent(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parent]:
    """A second one, for two runs at a time."""
    found = Parent(stub.url, tmp_path_factory.mktemp("state"))
    yield found
    found.close()


@pytest.fixture
def trial(parent: Parent, stub: Stub, tmp_path: Path) -> Callable[..., Trial]:
    """Makes runs, each with a journal and a function of its own."""
    stub.slowest = 0.003

    def make(**options: Any) -> Trial:
        count = options.pop("count", 30)
        return Trial(parent, stub, str(tmp_path / f"run-{uuid.uuid4().hex[:8]}.db"), count, options)

    return make


@pytest.fixture
def needs_strace() -> None:
    """Skips where there is no strace, or it may not trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run(
        ["strace", "-f", "-q", "-o", "/dev/null", "-e", "inject=getcwd:signal=SIGKILL:when=1", "/bin/pwd", "-P"],
        capture_output=True,
        check=False,
    )
    if probe.returncode not in (-signal.SIGKILL, 128 + signal.SIGKILL):
        pytest.skip("strace may not trace here")
