"""Values and rules below the server that are easier to prove alone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lmfunction._wire import parse_report
from lmfunction.local._fleet import ACCOUNT_LIMIT, RESERVED_LIMIT, Fleet
from lmfunction.local._functions import Configuration, Function, Functions, Provisioned
from lmfunction.local._invocation import Invocation, exit_payload
from lmfunction.local._log_lines import Measured, log_tail
from lmfunction.local._server import _remove_leftovers
from lmfunction.local._settings import Settings


def invocation() -> Invocation:
    return Invocation("id", Configuration("f", "arn", Path(), "a.b"), "arn", b"{}", done=lambda i, o: None)


def test_settings_travel_as_json() -> None:
    """Settings come out of the child's argument as they went in."""
    settings = Settings(region="eu-west-1", retry_delays=(0.5,), python="/bin/python")
    assert Settings.from_json(settings.to_json()) == settings


def test_report_is_what_the_client_reads() -> None:
    """The REPORT line that is written here is understood by the client's parser."""
    tail = log_tail(invocation(), b"", b"no newline", Measured(3.014, 36, 110.1)).decode()
    assert tail.splitlines()[1:3] == ["no newline", "END RequestId: id"]
    report = parse_report(tail)
    assert report is not None
    assert (report.duration_ms, report.billed_duration_ms, report.max_memory_used_mb) == (3.01, 4, 36)
    assert report.init_duration_ms == 110.1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "without providing a reason"),
        (1, "with error: exit status 1"),
        (-9, "with error: signal: killed"),
        (-15, "with error: signal: terminated"),
    ],
)
def test_exit_texts(status: int, text: str) -> None:
    """A process's end is told as Lambda tells it."""
    assert exit_payload(invocation(), status).endswith(f'Runtime exited {text}"}}'.encode())


def test_arns() -> None:
    """ARNs carry the partition of their region."""
    functions = Functions("cn-north-1", "000000000000")
    assert functions.arn("f", "1") == "arn:aws-cn:lambda:cn-north-1:000000000000:function:f:1"


def test_concurrency_set_aside() -> None:
    """Only reservations count, and what is kept ready; what is gone does not."""
    functions = Functions("us-east-1", "000000000000")
    for name, reserved in (("a", 3), ("b", None), ("c", 0)):
        functions.put(Function(Configuration(name, "arn", Path(), "a.b"), reserved))
    ready = Function(Configuration("d", "arn", Path(), "a.b"), provisioned={"1": Provisioned(2)})
    functions.put(ready)
    assert functions.set_aside == {"a": 3, "c": 0, "d": 2}
    functions.remove("a")
    ready.provisioned.clear()
    functions.put(ready)
    assert functions.set_aside == {"c": 0}


@pytest.mark.parametrize(
    ("running", "name", "reason"),
    [
        ({}, "free", None),
        ({"free": 2}, "free", None),
        ({"free": 3}, "free", ACCOUNT_LIMIT),
        ({"free": 3}, "reserved", None),
        ({"reserved": 1}, "reserved", None),
        ({"reserved": 2}, "reserved", RESERVED_LIMIT),
        ({}, "none", RESERVED_LIMIT),
        ({"free": 3}, "ready", None),
        ({"free": 3, "ready": 5}, "ready", ACCOUNT_LIMIT),
        ({"free": 1, "ready": 6}, "ready", None),
        ({"free": 1, "ready": 7}, "free", ACCOUNT_LIMIT),
        ({"reserved": 4, "free": 1}, "free", ACCOUNT_LIMIT),
    ],
)
def test_limits(running: dict[str, int], name: str, reason: str | None, tmp_path: Path) -> None:
    """Of 10, 2 are reserved for one function and 5 kept ready for another; 3 are anybody's.

    What is beyond one's own share counts among those, be it that the share was cut while it ran.
    """

    async def look() -> str | None:
        functions = Functions("us-east-1", "000000000000")
        for known, more in (("free", {}), ("reserved", {"reserved": 2}), ("none", {"reserved": 0}),
                            ("ready", {"provisioned": {"1": Provisioned(5)}})):  # fmt: skip
            functions.put(Function(Configuration(known, "arn", Path(), "a.b"), **more))  # type: ignore[arg-type]
        fleet = Fleet(None, Settings(concurrency=10), functions, tmp_path)  # type: ignore[arg-type]
        fleet._running.update(running)
        fleet._running_total = sum(running.values())
        fleet.close()
        return fleet.limit_met(name)

    assert asyncio.run(look()) == reason


def test_leftovers_of_killed_servers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of servers that are gone go; those of living ones and of others stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("lmfunction-local-999999999-x", f"lmfunction-local-{os.getpid()}-x", "lmfunction-local-me-x", "other"):
        (tmp_path / name).mkdir()
    _remove_leftovers()
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {f"lmfunction-local-{os.getpid()}-x", "lmfunction-local-me-x", "other"}
