"""What outlives a server: the state folder, the thread that writes to it, and the files of records."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmfunction.errors import JournalError
from lmfunction.local._auth import kept_keys
from lmfunction.local._event import Event, Response
from lmfunction.local._sinks import Sinks, arn_of, file_of, read_lines
from lmfunction.local._state import State, event_row, function_row, no_event, no_function
from lmfunction.local._store import Store

QUEUE = "arn:aws:sqs:us-east-1:000000000000:my_queue"


def opened(folder: Path) -> State:
    return State(folder, "us-east-1", "000000000000")


def event(number: int = 1, **more: Any) -> Event:
    fields = {"qualifier": None, "body": b'{"a": 1}', "accepted": 1_700_000_000.123, **more}
    return Event(number, f"id-{number}", "f", arn="arn", **fields)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


EVENTS = [
    event(1),
    event(2, qualifier="live", trace_id="Root=1", tenant_id="t", body=b"\x00\xff" * 1000),
    event(3, attempts=2, due=1_700_000_060.7, response=Response(b'{"errorMessage": "x"}', "Unhandled", "$LATEST")),
    event(4, attempts=1, response=Response(b"", None, "7")),
]


def test_events_come_back(tmp_path: Path) -> None:
    """Events come back as they were, in the order of arrival, changed where they were changed."""
    state = opened(tmp_path / "state")
    state.write([event_row(e) for e in reversed(EVENTS)])
    state.write([no_event(EVENTS[0]), event_row(replace(EVENTS[1], attempts=1))])
    state.close()
    state = opened(tmp_path / "state")
    assert state.events() == [replace(EVENTS[1], attempts=1), *EVENTS[2:]]
    state.close()


def test_functions_come_back(tmp_path: Path) -> None:
    """So do functions."""
    state = opened(tmp_path)
    state.write([function_row("a", "1"), function_row("b", "2"), function_row("a", "3"), no_function("b")])
    state.close()
    state = opened(tmp_path)
    assert state.functions() == {"a": "3"}
    state.close()


def test_modes(tmp_path: Path) -> None:
    """Only the owner gets at the state: 0700 and 0600, whatever the umask and the folder were."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        state = opened(folder)
        state.write([event_row(event())])
        Sinks(state.destinations, durable=True).append([(QUEUE, b"{}")])
        kept_keys(state.keys)
        assert state.code.is_dir()
    finally:
        os.umask(before)
    for path in (folder, *folder.rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert {"lock", "state.db", "state.db-wal", "keys.json", "code", "destinations"} == {
        p.name for p in folder.iterdir()
    }
    state.close()


def test_one_server_for_a_folder(tmp_path: Path) -> None:
    """A second server is refused and hears who holds the folder; it can have it afterwards."""
    state = opened(tmp_path)
    with pytest.raises(JournalError, match=rf"in use by the process {os.getpid()}\. Stop it, or name another folder"):
        opened(tmp_path)
    state.close()
    opened(tmp_path).close()


def _other_region(folder: Path) -> None:
    State(folder, "eu-west-1", "000000000000")


def _newer(folder: Path) -> None:
    with sqlite3.connect(folder / "state.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()


def _foreign(folder: Path) -> None:
    (folder / "state.db").unlink()
    with sqlite3.connect(folder / "state.db") as database:
        database.execute("CREATE TABLE t(x)")
    database.close()


def _no_database(folder: Path) -> None:
    (folder / "state.db").write_bytes(b"something else" * 1000)


def _page_destroyed(folder: Path) -> None:
    with (folder / "state.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))


def _row_changed(folder: Path) -> None:
    with sqlite3.connect(folder / "state.db") as database:
        database.execute("UPDATE event SET attempts = 7 WHERE number = 3")
    database.close()


def _body_changed(folder: Path) -> None:
    content = (folder / "state.db").read_bytes()
    assert content.count(b'{"a": 1}') >= 1
    (folder / "state.db").write_bytes(content.replace(b'{"a": 1}', b'{"a": 2}'))


def _cut(folder: Path) -> None:
    os.truncate(folder / "state.db", 5000)


def _unreadable(folder: Path) -> None:
    (folder / "state.db").unlink()
    (folder / "state.db").mkdir()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_other_region, "is that of region us-east-1, account 000000000000: start with these"),
        (_newer, "written by a newer lmfunction"),
        (_foreign, "of another program"),
        (_no_database, "is damaged"),
        (_page_destroyed, "is damaged"),
        (_row_changed, "is damaged"),
        (_body_changed, "is damaged"),
        (_cut, "is damaged"),
        (_unreadable, "cannot be used: Is a directory"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, damage: Callable[[Path], None], text: str) -> None:
    """Damage, a newer version, another region or program: an error that says so, and the folder is free afterwards."""
    state = opened(tmp_path)
    state.write([event_row(e) for e in EVENTS])
    state.close()

    def read() -> None:
        damage(tmp_path)
        state = opened(tmp_path)
        try:
            state.events()
        finally:
            state.close()

    with pytest.raises(JournalError, match=text):
        read()
    assert not (tmp_path / "lock").exists()


def test_folder_with_other_things(tmp_path: Path) -> None:
    """A folder that holds other things is not made one's own."""
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(JournalError, match="not empty and holds no state"):
        opened(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    file = tmp_path / "thesis.txt"
    with pytest.raises(JournalError, match="Not a directory"):
        opened(file)


def test_keys_are_kept(tmp_path: Path) -> None:
    """Kept keys are the same at every start; a file that holds none is named."""
    path = tmp_path / "keys.json"
    assert kept_keys(path) == kept_keys(path)
    path.write_text('{"access_key": 1}')
    with pytest.raises(JournalError, match=r"keys\.json holds no access keys"):
        kept_keys(path)


# -- the thread that writes


class Slow:
    """A state that records groups; the first one takes until it is let go."""

    def __init__(self, fail: Callable[[list[Any]], bool] = lambda changes: False) -> None:
        self.groups: list[list[Any]] = []
        self.go = threading.Event()
        self.closed = False
        self._fail = fail

    def write(self, changes: list[Any]) -> None:
        self.groups.append(changes)
        if len(self.groups) == 1:
            self.go.wait(5)
        if self._fail(changes):
            raise OSError("disk full")

    def close(self) -> None:
        self.closed = True


async def _settled(heard: list[Any], count: int) -> None:
    deadline = time.monotonic() + 5
    while len(heard) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


def test_many_events_are_one_commit(tmp_path: Path) -> None:
    """What comes while a commit is under way goes into the next one, and nobody is told before it is there."""

    async def main() -> None:
        state, heard = Slow(), []
        store = Store(Sinks(tmp_path, durable=True), state)  # type: ignore[arg-type]
        store.add(event(0), lambda error: heard.append((0, error)))
        while not state.groups:
            await asyncio.sleep(0.001)
        for number in range(1, 101):
            store.add(event(number), lambda error, number=number: heard.append((number, error)))
        await asyncio.sleep(0)
        assert heard == []
        state.go.set()
        await _settled(heard, 101)
        assert [len(group) for group in state.groups] == [1, 100]
        assert heard == [(number, None) for number in range(101)]
        store.close()
        assert state.closed

    asyncio.run(main())
    assert not [t for t in threading.enumerate() if t.name == "lmfunction-store"]


def test_one_that_fails_does_not_spoil_the_others(tmp_path: Path) -> None:
    """When a commit of many fails each is tried alone, and only the one that cannot be stored is told so."""

    async def main() -> None:
        state, heard = Slow(lambda changes: any(c.small[0] == 2 for c in changes)), {}
        state.go.set()
        store = Store(Sinks(tmp_path, durable=True), state)  # type: ignore[arg-type]
        for number in range(4):
            store.add(event(number), lambda error, number=number: heard.__setitem__(number, error))
        await _settled(heard, 4)  # type: ignore[arg-type]
        assert [str(heard[n]) for n in range(4)] == ["None", "None", "disk full", "None"]
        store.close()

    asyncio.run(main())


def test_record_is_written_before_its_event_is_forgotten(tmp_path: Path) -> None:
    """When the record cannot be written the event stays."""

    async def main() -> None:
        state = opened(tmp_path / "state")
        (tmp_path / "sinks").write_text("no folder")
        store, heard = Store(Sinks(tmp_path / "sinks", durable=True), state), []
        store.add(event(1), heard.append)
        store.finish(event(1), [(QUEUE, b"{}")], [event(2)], heard.append)
        await _settled(heard, 2)
        assert heard[0] is None
        assert isinstance(heard[1], OSError)
        assert [e.number for e in state.events()] == [1]
        (tmp_path / "sinks").unlink()
        store.finish(event(1), [(QUEUE, b"{}")], [event(2)], heard.append)
        await _settled(heard, 3)
        assert [e.number for e in state.events()] == [2]
        store.close()

    asyncio.run(main())


def test_without_state_no_thread(tmp_path: Path) -> None:
    """Without a state folder an event is accepted at once, and there is a thread only for records."""

    async def main() -> None:
        store, heard = Store(Sinks(tmp_path, durable=False)), []
        store.add(event(), heard.append)
        store.change(event(), heard.append)
        store.finish(event(), [], [], heard.append)
        store.flush(heard.append)
        assert heard == [None] * 4
        assert not [t for t in threading.enumerate() if t.name == "lmfunction-store"]
        store.finish(event(), [(QUEUE, b"{}")], [], heard.append)
        store.flush(heard.append)
        await _settled(heard, 6)
        store.close()

    asyncio.run(main())
    assert file_of(tmp_path, QUEUE).read_bytes() == b"{}\n"


def test_disk_full(tmp_path: Path) -> None:
    """A database that cannot grow refuses the event that does not fit and keeps all others."""
    state = opened(tmp_path)
    state._database.execute("PRAGMA max_page_count = 40")
    state.write([event_row(EVENTS[0])])
    with pytest.raises(JournalError, match="full"):
        state.write([event_row(event(9, body=b"x" * 1_000_000))])
    state.write([event_row(EVENTS[2])])
    assert [e.number for e in state.events()] == [1, 3]
    state.close()


# -- files of records


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (QUEUE, "arn_aws_sqs_us-east-1_000000000000_my%5Fqueue.jsonl"),
        ("arn:aws:lambda:us-east-1:0:function:f:$LATEST", "arn_aws_lambda_us-east-1_0_function_f_%24LATEST.jsonl"),
        ("arn:aws:s3:::../../etc/passwd", "arn_aws_s3___..%2F..%2Fetc%2Fpasswd.jsonl"),
        ("..", "...jsonl"),
        ("arn:x:" + "y" * 350, "arn_x_" + "y" * 194 + "/" + "y" * 156 + ".jsonl"),
    ],
)
def test_file_names(tmp_path: Path, arn: str, name: str) -> None:
    """A file's name is its ARN's, stays in the folder, and leads back."""
    path = file_of(tmp_path, arn)
    assert path == tmp_path / name
    assert arn_of(tmp_path, path) == arn
    Sinks(tmp_path, durable=False).append([(arn, b"{}")])
    assert path.read_bytes() == b"{}\n"


def test_half_a_line_is_dropped(tmp_path: Path) -> None:
    """What a killed server began to write is cut off before the next line, however long it is."""
    path = file_of(tmp_path, QUEUE)
    path.write_bytes(b'{"a": 1}\n{"b' + b"x" * 100_000)
    sinks = Sinks(tmp_path, durable=True)
    sinks.append([(QUEUE, b"2")])
    sinks.append([(QUEUE, b"3"), (QUEUE, b"4")])
    assert path.read_bytes() == b'{"a": 1}\n2\n3\n4\n'
    path.write_bytes(b"half")
    Sinks(tmp_path, durable=True).append([(QUEUE, b"1")])
    assert path.read_bytes() == b"1\n"


def test_lines_are_read(tmp_path: Path) -> None:
    """Lines come back with what they are searched by; what is no record of ours is passed over."""
    record = {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "requestContext": {"functionArn": "arn:aws:lambda:r:0:function:f:live", "condition": "Success"},
    }
    letter = {"Attributes": {"SenderId": "AROALOCAL:f", "SentTimestamp": "1700000000250"}, "Body": "{}"}
    texts = [json.dumps(value).encode() for value in (record, letter)]
    Sinks(tmp_path, durable=False).append([(QUEUE, t) for t in (texts[0], b"no json", b"[]", b'{"a": 1}', texts[1])])
    first, second = read_lines(tmp_path)
    assert (first.function, first.condition, first.time, first.text) == ("f", "Success", 1_700_000_000.25, texts[0])
    assert (second.function, second.condition, second.time) == ("f", "DeadLetter", 1_700_000_000.25)
    assert {first.destination, second.destination} == {QUEUE}
