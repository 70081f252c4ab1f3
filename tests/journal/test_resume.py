"""What a resumed run is held against, what becomes of items that are unknown, and what the cmdlets tell of a run."""

from __future__ import annotations

import csv
import json
import os
import pkgutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from journal.stub import Stub
from journal.trials import Trial

import lmfunction as lm
from lmfunction._journal_file import network_of, opened_to_read
from lmfunction._journal_rows import insert, outcome_row, place_of, put_lease
from lmfunction._ledger import Settlement
from lmfunction._run_opening import look, resume

ITEMS = [{"n": number, "id": f"order-{number}"} for number in range(12)]


@pytest.fixture
def session(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Iterator[lm.Session]:
    """A session that calls the stub."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    with lm.Session(region="eu-west-1", endpoint_url=stub.url) as found:
        yield found


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """Where a journal can be made."""
    return str(tmp_path / "run.db")


def unsent(journal: str, *seqs: int, outcome: str | None = None) -> None:
    """Takes outcomes out of a journal, as if its process had been killed before it wrote them; or puts others in."""
    lease, totals = look(journal) or (None, None)
    assert lease is not None
    assert totals is not None
    database = sqlite3.connect(journal, isolation_level=None)
    for seq in seqs:
        database.execute("DELETE FROM outcome WHERE place >> 20 = ?", (seq,))
        if outcome is not None:
            insert(database, "outcome", [outcome_row(place_of(seq, 1), 1, 0.0, Settlement(seq, 0, outcome))])
    count = database.execute("SELECT COUNT(*) FROM outcome").fetchone()[0]
    put_lease(database, lease, replace(totals, outcomes=count, status="stopped"))
    database.close()


# What is changed, and what the refusal must name.
_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "an item's payload": ({"input_object": [*ITEMS[:4], {"n": 99}, *ITEMS[5:]]}, "item 5: another payload"),
    "the order": ({"input_object": [ITEMS[1], ITEMS[0], *ITEMS[2:]]}, "item 1: another payload"),
    "every item": ({"input_object": [{"n": -number} for number in range(1, 13)]}, "and 7 more"),
    "an item less": ({"input_object": ITEMS[:-1]}, "item 12: the source ends there"),
    "an item more": ({"input_object": [*ITEMS, {"n": 12}]}, "item 13: the run has none there"),
    "another function": ({"function_name": "other"}, "the function (the run has"),
    "another qualifier": ({"qualifier": "live"}, "the qualifier (the run has none, the line live)"),
    "another region": ({"region": "us-east-1"}, "the region (the run has eu-west-1, the line us-east-1)"),
    "another endpoint": ({"endpoint_url": "http://127.0.0.1:9"}, "the endpoint (the run has"),
    "another way to invoke": ({"invocation_type": "Event"}, "the invocation type"),
    "another key": ({"item_key": "id"}, "the item key (the run has none, the line id)"),
    "parameters of an item": (
        {"input_object": [{"FunctionName": "f", "Payload": item} for item in ITEMS], "function_name": None},
        "the function (the run has",
    ),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_another_run_is_refused(session: lm.Session, stub: Stub, journal: str, change: str) -> None:
    """T13: twelve ways in which a line is not the one that the run was begun with; nothing is sent, and it says why."""
    line: dict[str, Any] = {"function_name": "changing", "input_object": ITEMS, "journal": journal}
    session.invoke_lm(**line)
    before = dict(stub.ran("changing"))
    changes, told = _CHANGES[change]
    changed = {name: value for name, value in {**line, **changes}.items() if value is not None}
    with pytest.raises(lm.JournalError) as refused:
        session.invoke_lm(**changed, resume=True)
    assert told in str(refused.value)
    assert dict(stub.ran("changing")) == before
    assert len(session.invoke_lm(**line, resume=True)) == 12


@pytest.mark.parametrize("streamed", [False, True])
def test_keys_that_are_there_twice(session: lm.Session, stub: Stub, journal: str, streamed: bool) -> None:
    """B29: the first five are listed; a list is refused before anything is sent, and no journal is left."""
    items: Any = [{"n": number, "id": number % 6} for number in range(12)]
    function = f"twice-{streamed}"
    with pytest.raises(lm.LMError) as refused:
        session.invoke_lm(
            function, input_object=(i for i in items) if streamed else items, journal=journal, item_key="id"
        )
    assert "items 1 and 7" in str(refused.value)
    if not streamed:
        assert "6 keys are there more than once" in str(refused.value)
        assert "and 1 more" in str(refused.value)
        assert not stub.ran(function)
        assert not Path(journal).exists()


@pytest.mark.parametrize("key", [None, "", True, 1.5, ["a"], {"a": 1}])
def test_an_item_without_a_key(session: lm.Session, stub: Stub, journal: str, key: Any) -> None:
    """What is no text and no whole number is no key: the run is refused, and says of which item."""
    with pytest.raises(lm.ParameterError, match=r"ItemKey finds .* in item 2"):
        session.invoke_lm("keyless", input_object=[{"id": 1}, {"id": key}], journal=journal, item_key="id")
    assert not stub.ran("keyless")


def test_keys_come_back(session: lm.Session, journal: str) -> None:
    """The key of an item stands in the export, and may be a number or a text."""
    session.invoke_lm("keyed", input_object=ITEMS, journal=journal, item_key="id")
    assert [item.Key for item in session.export_lm_run(journal)] == [item["id"] for item in ITEMS]


def test_a_journal_is_not_begun_twice(session: lm.Session, stub: Stub, journal: str) -> None:
    """Without -Resume a journal with a run in it is refused, finished or not; with it nothing is sent again."""
    session.invoke_lm("once", input_object=ITEMS, journal=journal)
    with pytest.raises(lm.JournalError, match=r"There is a finished run of 12 items .* add -Resume"):
        session.invoke_lm("once", input_object=ITEMS, journal=journal)
    unsent(journal, 3)
    with pytest.raises(lm.JournalError, match="There is an unfinished run of 12 items"):
        session.invoke_lm("once", input_object=ITEMS, journal=journal)
    assert max(stub.ran("once").values()) == 1
    with pytest.raises(lm.JournalError, match=r"There is no journal .* leave -Resume out"):
        session.invoke_lm("once", input_object=ITEMS, journal=f"{journal}2", resume=True)


def test_results_of_the_run_before(session: lm.Session, stub: Stub, journal: str) -> None:
    """A resumed run holds all results: those that its journal had, and those that came now."""
    session.invoke_lm("before", input_object=ITEMS, journal=journal)
    unsent(journal, 4, 5, outcome="NOT_SENT")
    again = session.invoke_lm("before", input_object=ITEMS, journal=journal, resume=True)
    assert [result.payload["answer"] for result in again] == [7 * number for number in range(12)]
    assert [again[0].request_id, again[0].status_code, again[0].ok] == ["r-0", 200, True]
    assert json.loads(again[0].request.payload) == ITEMS[0]
    assert {number: times for number, times in stub.ran("before").items() if times > 1} == {4: 2, 5: 2}


def test_what_may_have_run_is_left_alone(session: lm.Session, stub: Stub, journal: str) -> None:
    """Where nobody answers, an unknown item is not sent again: the rest goes on, and the run ends with an error."""
    session.invoke_lm("left", input_object=ITEMS, journal=journal)
    unsent(journal, 2, 7)
    for more in ({}, {"on_unknown": "Skip"}):
        with (
            pytest.warns(lm.LMWarning, match="2 items are unknown .* item 3; item 8"),
            pytest.raises(lm.BulkError) as ended,
        ):
            session.invoke_lm("left", input_object=ITEMS, journal=journal, resume=True, **more)
        assert [item.index for item in ended.value.result.unknown] == [2, 7]
        assert len(ended.value.result.succeeded) == 10
    assert max(stub.ran("left").values()) == 1


def test_sending_again_needs_leave(session: lm.Session, stub: Stub, journal: str) -> None:
    """OnUnknown Resend is refused in a run that promised at most once."""
    session.invoke_lm("leave", input_object=ITEMS, journal=journal)
    unsent(journal, 2)
    with pytest.raises(lm.ParameterError, match=r"OnUnknown Resend could run 1 item twice.*AtLeastOnce"):
        session.invoke_lm("leave", input_object=ITEMS, journal=journal, resume=True, on_unknown="Resend")
    assert max(stub.ran("leave").values()) == 1
    with pytest.raises(lm.ParameterError, match="OnUnknown needs -Journal"):
        session.invoke_lm("leave", input_object=ITEMS, on_unknown="Skip")


def test_a_name_of_a_durable_execution_makes_sending_again_safe(session: lm.Session, stub: Stub, journal: str) -> None:
    """Each object with a name of its own may be sent again: Lambda runs a name once."""
    jobs = [{"FunctionName": "durable", "DurableExecutionName": f"job-{item['n']}", "Payload": item} for item in ITEMS]
    session.invoke_lm(input_object=jobs, journal=journal)
    unsent(journal, 2, 3)
    again = session.invoke_lm(input_object=jobs, journal=journal, resume=True, on_unknown="Resend")
    assert again.ok
    assert {number: times for number, times in stub.ran("durable").items() if times > 1} == {2: 2, 3: 2}
    (record,) = session.get_lm_run(journal)
    assert record.PossibleDuplicates == 2
    assert record.OK == 12


@pytest.mark.parametrize(("typed", "sent"), [("resend", 2), ("skip", 1), ("", 1), ("yes", 1)])
def test_a_person_is_asked(
    stub: Stub, session: lm.Session, journal: str, monkeypatch: pytest.MonkeyPatch, typed: str, sent: int
) -> None:
    """Only the word itself sends again what may have run."""
    function = f"asked-{typed}"
    session.invoke_lm(function, input_object=ITEMS, journal=journal)
    unsent(journal, 6)
    asked: list[str] = []
    monkeypatch.setattr("lmfunction._session._ask", lambda question: asked.append(question) or typed)
    if sent == 2:
        assert session.invoke_lm(function, input_object=ITEMS, journal=journal, resume=True).ok
    else:
        with pytest.warns(lm.LMWarning), pytest.raises(lm.BulkError):
            session.invoke_lm(function, input_object=ITEMS, journal=journal, resume=True)
    assert "item 7" in asked[0]
    assert stub.ran(function)[6] == sent


def test_resumed_from_the_journal_alone(trial: Callable[..., Trial], session: lm.Session, stub: Stub) -> None:
    """A run that was killed goes on without its source: the journal holds payloads, function and place."""
    one = trial(count=25)
    one.go(mutations=["die before sending"], die_after=9)
    with pytest.warns(lm.LMWarning, match="unknown"), pytest.raises(lm.BulkError) as ended:
        lm.resume_lm_run(one.path)
    result = ended.value.result
    assert len(result) == 25
    assert len(result.unknown) <= 4
    assert sum(one.ran.values()) == 25 - len(result.unknown) + sum(one.ran[item.index] for item in result.unknown)
    assert max(one.ran.values()) == 1
    (record,) = lm.get_lm_run(one.path)
    assert (record.Items, record.OK, record.Function) == (25, 25 - len(result.unknown), one.function)


def test_a_source_that_was_not_read_to_its_end(trial: Callable[..., Trial], session: lm.Session) -> None:
    """Of a source that came bit by bit the journal holds what came; the rest needs the source."""
    one = trial(count=25, streamed=True)
    one.go(mutations=["die before sending"], die_after=9)
    (record,) = lm.get_lm_run(one.path)
    assert not record.SourceRead
    assert record.Status == "died"
    with (
        pytest.warns(lm.LMWarning, match="was not read to its end"),
        pytest.warns(lm.LMWarning, match="unknown since the run before"),
        pytest.raises(lm.BulkError),
    ):
        lm.resume_lm_run(one.path)
    said = one.finish()["said"]
    assert one.found == []
    assert said["summary"]["Count"] == 25


def test_looked_at_while_it_runs(session: lm.Session, stub: Stub, journal: str) -> None:
    """Get-LMRun tells of a run under way how far it is, and whose it is; nobody else can go on with it meanwhile."""
    stub.slowest = 0.01
    seen: list[Any] = []

    def items() -> Iterator[dict[str, int]]:
        for number in range(40):
            if number == 30:
                seen.extend(session.get_lm_run(journal))
                refused = pytest.raises(lm.JournalError, match=f"process {os.getpid()} on .* is at work")
                with pytest.warns(lm.LMWarning, match="was not read to its end"), refused:
                    session.resume_lm_run(journal)
            yield {"n": number}

    assert session.invoke_lm("watched", input_object=items(), journal=journal, throttle_limit=4).ok
    (record,) = seen
    assert record.Status == "running"
    assert str(os.getpid()) in record.Owner
    assert record.Items >= 20
    (record,) = session.get_lm_run(journal)
    assert (record.Status, record.OK, record.to_dict().get("Owner")) == ("finished", 40, None)


def test_a_finished_journal_is_one_file(session: lm.Session, journal: str) -> None:
    """Nothing is beside it when its run has ended in order, nor after a look at it; a reader only puts that off."""
    folder = Path(journal).parent
    session.invoke_lm("f", input_object=ITEMS, journal=journal)
    assert os.listdir(folder) == ["run.db"]
    (record,) = session.get_lm_run(journal)
    assert record.Status == "finished"
    assert len(session.export_lm_run(journal)) == 12
    assert os.listdir(folder) == ["run.db"]
    again = resume(journal)
    with opened_to_read(journal) as reader:
        reader.execute("SELECT * FROM item").fetchone()
        again.journal.close()
    assert look(journal)[1].status == "finished"  # type: ignore[index]
    session.invoke_lm("f", input_object=ITEMS, journal=journal, resume=True)
    assert os.listdir(folder) == ["run.db"]


@pytest.mark.parametrize(
    ("place", "behind", "left"),
    [
        ("lmfunction._run_opening.fill", True, []),
        ("lmfunction._journal.Journal.start", False, []),
        ("lmfunction._run_opening.Opened", True, ["run.db"]),
        ("lmfunction._kept_run.KeptRun.__init__", False, ["run.db"]),
        ("lmfunction._bulk.Senders", False, ["run.db"]),
        ("lmfunction._bulk.ManyCalls.__init__", True, ["run.db"]),
    ],
)
def test_ctrl_c_before_anything_is_sent(
    session: lm.Session, journal: str, monkeypatch: pytest.MonkeyPatch, place: str, behind: bool, left: list[str]
) -> None:
    """Between the opening of a journal and whoever closes it: nothing is held, and the run can go on."""
    real = pkgutil.resolve_name(place)

    def interrupted(*args: Any, **keywords: Any) -> Any:
        if behind:
            real(*args, **keywords)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.invoke_lm("f", input_object=ITEMS, journal=journal)
    assert "journal" not in [thread.name for thread in threading.enumerate()]
    assert os.listdir(Path(journal).parent) == left
    assert session.invoke_lm("f", input_object=ITEMS, journal=journal, resume=bool(left)).ok


def test_exports(session: lm.Session, journal: str, tmp_path: Path) -> None:
    """JSON Lines and CSV hold every item with its result, readable by the owner alone; a formula is text."""
    session.invoke_lm("exported", input_object=[*ITEMS[:3], {"n": 4, "id": "=1+1"}], journal=journal, item_key="id")
    lines, table = tmp_path / "all.jsonl", tmp_path / "all.csv"
    assert session.export_lm_run(journal, str(lines)).Items == 4
    session.export_lm_run(journal, str(table))
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [item["Result"]["answer"] for item in found] == [0, 7, 14, 28]
    assert [item["Input"]["n"] for item in found] == [0, 1, 2, 4]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Key"] for row in rows] == ["order-0", "order-1", "order-2", "'=1+1"]
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    with pytest.raises(lm.ParameterError, match="exists: add -Force"):
        session.export_lm_run(journal, str(table))
    assert len(session.export_lm_run(journal, outcome="ok")) == len(session.export_lm_run(journal, outcome="O*")) == 4


def test_an_outcome_that_is_none(session: lm.Session, journal: str) -> None:
    """A misspelt outcome is no empty answer."""
    session.invoke_lm("exported", input_object=ITEMS[:1], journal=journal)
    with pytest.raises(lm.ParameterError, match=r"Outcome UNKOWN is none\. Did you mean UNKNOWN"):
        session.export_lm_run(journal, outcome="UNKOWN")
    with pytest.raises(lm.ParameterError, match="Path is empty"):
        session.get_lm_run("")


def test_what_cannot_be_looked_at_or_written(session: lm.Session, journal: str, tmp_path: Path) -> None:
    """-ErrorAction holds for the cmdlets of runs, too; a disk that is full is told, and leaves no half file."""
    resource = pytest.importorskip("resource")
    session.invoke_lm("exported", input_object=[{"n": n, "pad": "x" * 10_000} for n in range(8)], journal=journal)
    assert session.get_lm_run(f"{journal}.none", error_action="SilentlyContinue") is None
    assert session.export_lm_run(f"{journal}.none", error_action="SilentlyContinue") is None
    with pytest.raises(lm.ParameterError, match="needs -Path"):
        session.export_lm_run()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(lm.ParameterError, match=r"all\.jsonl cannot be written: File too large"):
            session.export_lm_run(journal, str(tmp_path / "all.jsonl"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir() if "all" in path.name] == []


def test_how_a_run_stands_at_a_glance(session: lm.Session, journal: str) -> None:
    """The table has every outcome that there is; a run that ended early says how it goes on."""
    with pytest.raises(lm.BulkError, match="The line with -Resume goes on from there"):
        session.invoke_lm("glance", input_object=endless(ITEMS), journal=journal)
    unsent(journal, 1, outcome="UNKNOWN")
    unsent(journal, 2, outcome="REJECTED")
    unsent(journal, 3, outcome="THROTTLED_OUT")
    unsent(journal, 4)
    shown = " ".join(session.get_lm_run(journal)._repr_mimebundle_()[0]["text/plain"].split())
    assert "Path Status Items OK REJECTED THROTTLED_OUT UNKNOWN" in shown


def endless(objects: list[Any]) -> Iterator[Any]:
    yield from objects
    raise OSError("the disk went away")


def test_what_cannot_be_sent_is_written_down(session: lm.Session, stub: Stub, journal: str) -> None:
    """An object that is no payload ends as NOT_SENT, in the journal too, and does so again when it is resumed."""
    items = [{"n": 1}, {"n": float("nan")}, {"n": 3}]
    for more in ({}, {"resume": True}):
        run = session.invoke_lm("bad", input_object=items, journal=journal, **more)
        assert [item.outcome for item in run.items] == ["OK", "NOT_SENT", "OK"]
        assert "nan is not JSON" in str(run.items[1].error)
    assert dict(stub.ran("bad")) == {1: 1, 3: 1}


def test_a_secret_does_not_go_into_a_journal(session: lm.Session, stub: Stub, journal: str) -> None:
    """What is looked up when it is sent would stand in the file: such an object is not sent."""
    run = session.invoke_lm("secret", input_object=[{"n": lm.Secret("env:HOME")}, {"n": 2}], journal=journal)
    assert "cannot be written into a journal" in str(run.items[0].error)
    assert dict(stub.ran("secret")) == {2: 1}


def test_what_if_makes_no_journal(session: lm.Session, stub: Stub, journal: str) -> None:
    """I5: nothing is sent, and nothing is claimed."""
    session.invoke_lm("dry", input_object=ITEMS, journal=journal, what_if=True)
    assert not Path(journal).exists()
    assert not stub.ran("dry")


def test_files_that_are_no_journals(session: lm.Session, stub: Stub, tmp_path: Path) -> None:
    """Another program's database, a newer journal, a text, a folder, a link: each is refused, and none is changed."""
    foreign, text, newer = tmp_path / "foreign.db", tmp_path / "text.db", tmp_path / "newer.db"
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE t(a)")
    database.close()
    text.write_text("not a database, but long enough to be looked at as one" * 20)
    session.invoke_lm("files", input_object=ITEMS[:1], journal=str(newer))
    database = sqlite3.connect(newer)
    database.execute("PRAGMA user_version = 99")
    database.close()
    (tmp_path / "link.db").symlink_to(newer)
    (tmp_path / "folder.db").mkdir()
    said = {
        "foreign.db": "another program",
        "text.db": "text.db is no journal, .* it is not a database of SQLite",
        "newer.db": "newer lmfunction",
        "link.db": "symbolic link",
        "folder.db": "a folder",
    }
    for name, told in said.items():
        path = tmp_path / name
        before = path.read_bytes() if path.is_file() else b""
        for more in ({}, {"resume": True}):
            with pytest.raises(lm.JournalError, match=told):
                session.invoke_lm("files", input_object=ITEMS, journal=str(path), **more)
        assert (path.read_bytes() if path.is_file() else b"") == before
    assert dict(stub.ran("files")) == {0: 1}
    assert [record.Path for record in session.get_lm_run(str(tmp_path / "*.db"))] == []


def test_only_the_owner_can_read_it(session: lm.Session, journal: str, tmp_path: Path) -> None:
    """Payloads and results are in it; in a folder that everybody may write it is refused."""
    before = os.umask(0)
    try:
        session.invoke_lm("private", input_object=ITEMS, journal=journal)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path(journal).stat().st_mode) == 0o600
    common = tmp_path / "common"
    common.mkdir()
    common.chmod(0o777)
    with pytest.raises(lm.JournalError, match="everybody may write"):
        session.invoke_lm("private", input_object=ITEMS, journal=str(common / "run.db"))


@pytest.mark.parametrize(
    ("place", "kind"), [("/home/x/run.db", "nfs4"), ("/data/run.db", None), ("/s3/a/run.db", "fuse.s3fs")]
)
def test_file_systems_of_a_network(tmp_path: Path, place: str, kind: str | None) -> None:
    """They are told by the mount that a path lies on."""
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw\nb /home nfs4 rw\nc /data xfs rw\nd /s3 fuse.s3fs rw\ne /homework ext4 rw\n")
    assert network_of(place, str(mounts)) == kind
    assert network_of("/homework/run.db", str(mounts)) is None


def test_a_journal_on_a_network(session: lm.Session, stub: Stub, journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is a rollback journal that nobody else may look into meanwhile; a warning says so."""
    monkeypatch.setattr("lmfunction._run_opening.network_of", lambda path: "nfs4")
    with pytest.warns(lm.LMWarning, match="file system of a network"):
        assert session.invoke_lm("far", input_object=ITEMS, journal=journal).ok
    assert not Path(f"{journal}-wal").exists()
    with pytest.warns(lm.LMWarning, match="file system of a network"):
        assert session.invoke_lm("far", input_object=ITEMS, journal=journal, resume=True).ok
    assert max(stub.ran("far").values()) == 1


def test_one_object_has_a_run_too(session: lm.Session, journal: str) -> None:
    """A single object with a journal is written down; without objects there is nothing to write."""
    assert len(session.invoke_lm("single", input_object=[{"n": 1}], journal=journal)) == 1
    with pytest.raises(lm.ParameterError, match="Journal is for many"):
        session.invoke_lm("single", {"n": 1}, journal=f"{journal}2")


def test_the_builder_and_the_line(session: lm.Session, stub: Stub, journal: str) -> None:
    """The builder has a setter for each parameter, and a pipe resumes as a call does."""
    run = lm.pipe(ITEMS) | lm.Invoke("built").session(session).journal(journal).throttle_limit(3)
    again = lm.pipe(ITEMS) | lm.Invoke("built").session(session).journal(journal).resume().on_unknown("Skip")
    assert len(run) == len(again) == 12
    assert max(stub.ran("built").values()) == 1


def test_a_selection_of_a_resumed_run(session: lm.Session, journal: str) -> None:
    """What -Select picks is picked of the results that the journal had, too."""
    line: dict[str, Any] = {"input_object": ITEMS, "journal": journal, "select": "Payload.answer"}
    assert session.invoke_lm("selected", **line) == [7 * number for number in range(12)]
    assert session.invoke_lm("selected", **line, resume=True) == [7 * number for number in range(12)]


def test_at_least_once(trial: Callable[..., Trial]) -> None:
    """With AtLeastOnce what may have run is sent again when the run is resumed, and counted."""
    found = []
    for after in range(3, 9):
        one = trial(count=20, parameters={"delivery": "AtLeastOnce"})
        one.go(mutations=["die before settling"], die_after=after)
        one.check_killed(at_most_once=False)
        one.finish(at_most_once=False)
        (record,) = lm.get_lm_run(one.path)
        found += [*one.found, *([] if record.OK == 20 and record.PossibleDuplicates else [str(record.to_dict())])]
    assert found == []
