"""-OnceKey: a step that ended well is not sent again, whoever runs it again, and nothing unknown is sent unasked."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction import _session
from lmfunction._once_store import INTENT, OnceStore, Stored
from lmfunction.errors import FunctionError, GuardError, JournalError, ServiceError, TransportError

HERE = Path(__file__).parent
KILLS = yaml.safe_load((HERE / "kills.yaml").read_text("utf-8"))


@pytest.fixture
def place(profile: Callable[..., dict[str, str]]) -> dict[str, str]:
    return profile()


def run(place: dict[str, str], key: str, *point: str) -> dict[str, Any] | None:
    """What a run in another process tells; None when it was killed."""
    done = subprocess.run(
        [sys.executable, str(HERE / "once_runs.py"), json.dumps(place), key, *point],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode < 0:
        return None
    assert (done.returncode, done.stderr) == (0, "")
    return dict(json.loads(done.stdout))


def answers(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> list[str]:
    """Makes somebody (or nobody) answer questions; gives what was asked."""
    asked: list[str] = []

    def ask(question: str) -> str | None:
        asked.append(question)
        return answer

    monkeypatch.setattr(_session, "_ask", ask)
    return asked


def test_a_finished_key_is_not_sent_again(counting: Any, place: dict[str, str], state: Path) -> None:
    """The second run gets the whole first answer, marked as replayed, from another process too."""
    counting.headers = {"X-Amz-Executed-Version": "7", "X-Amz-Log-Result": "bG9n"}
    first = lm.invoke_lm("f", {"step": "a"}, once_key="a", **place)
    assert (first.replayed, "Replayed" in first.to_dict()) == (False, False)
    again = lm.invoke_lm("f", {"step": "a"}, once_key="a", **place)
    assert len(counting.bodies) == 1
    assert (again.replayed, again["Replayed"], again.Replayed) == (True, True, True)
    assert again.to_dict() == {**first.to_dict(), "Replayed": True}
    assert (again.payload, again.log, again.request_id) == ({"done": True}, "log", "request-1")
    assert again.attempt_log == first.attempt_log
    assert "replayed" in repr(again)
    card = again.card()
    assert card.status == "REPLAYED"
    assert any(fact.startswith("ran at 20") and fact.endswith("Z, not sent again") for fact in card.facts)
    assert lm.invoke_lm("f", {"step": "a"}, once_key="a", select="Replayed", **place) is True
    assert pickle.loads(pickle.dumps(again)).replayed
    assert run(place, "a") == {"payload": {"done": True}, "replayed": True, "request_id": "request-1"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (state / "once").iterdir()} == {0o600}
    assert stat.S_IMODE((state / "once").stat().st_mode) == 0o700


@pytest.mark.parametrize("row", KILLS, ids=lambda row: row["at"])
def test_killed(counting: Any, place: dict[str, str], row: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a run is killed, the next sends, asks or replays, and never sends unasked what may have run."""
    call = {"function_name": "f", "payload": {"step": "step"}, "once_key": "step", **place}
    assert run(place, "step", row["at"]) is None
    assert len(counting.bodies) == row["sent"]
    if row["next"] == "asks":
        answers(monkeypatch, None)
        with pytest.raises(GuardError, match=r"unknown whether its call of .* ran[^Z]*Clear-LMOnceKey step"):
            lm.invoke_lm(**call)
        assert len(counting.bodies) == row["sent"]
        asked = answers(monkeypatch, "resend")
        assert not lm.invoke_lm(**call).replayed
        assert "Type resend to go on" in asked[0]
    else:
        assert lm.invoke_lm(**call).replayed is (row["next"] == "replays")
    assert lm.invoke_lm(**call).replayed
    assert len(counting.bodies) == row["sent"] + (row["next"] != "replays")


def test_another_answer_sends_nothing(counting: Any, place: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but `resend` is a no, also with -Force, and the key stays unknown."""
    counting.status = 0
    with pytest.raises(TransportError):
        lm.invoke_lm("f", once_key="k", **place)
    counting.status = 200
    asked = answers(monkeypatch, "yes")
    with pytest.raises(GuardError, match="not confirmed"):
        lm.invoke_lm("f", once_key="k", force=True, **place)
    assert len(asked) == 1
    assert "the function: f" in asked[0]
    assert len(counting.bodies) == 1
    (key,) = lm.get_lm_once_key()
    assert key["Outcome"] == "UNKNOWN"


def test_two_processes_race(counting: Any, place: dict[str, str], until: Callable[..., None]) -> None:
    """Of two processes that use a key at once one sends; the other is told who has it, and sends nothing."""
    gate = threading.Event()
    counting.wait = lambda: gate.wait(30)
    told: list[dict[str, Any] | None] = []
    racers = [threading.Thread(target=lambda: told.append(run(place, "race"))) for _ in range(2)]
    for racer in racers:
        racer.start()
    until(lambda: told)  # the one that is refused ends first, for the other waits for its answer
    until(lambda: counting.bodies)
    (key,) = lm.get_lm_once_key()
    assert key["Outcome"] == "UNDER_WAY"
    with pytest.raises(GuardError, match=rf"another run has its call under way \(process {key['Pid']} on "):
        lm.invoke_lm("f", {"step": "race"}, once_key="race", **place)
    with pytest.raises(GuardError, match="in use"):
        lm.clear_lm_once_key("race")
    gate.set()
    for racer in racers:
        racer.join(60)
    refused, answered = told
    assert refused is not None
    assert answered is not None
    assert refused["error"] == "GuardError"
    assert "another run has its call under way" in refused["message"]
    assert answered["payload"] == {"done": True}
    assert len(counting.bodies) == 1


def test_two_threads_race(counting: Any, place: dict[str, str]) -> None:
    """Threads of one process exclude each other as processes do."""
    found: list[Any] = []

    def one() -> None:
        try:
            found.append(lm.invoke_lm("f", once_key="k", **place))
        except GuardError as error:
            found.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counting.bodies) == 1
    assert len([r for r in found if isinstance(r, lm.InvokeResult) and not r.replayed]) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"payload": {"step": 2}}, "the payload differs"),
        ({"function_name": "g"}, "the function differs (f then, g now)"),
        ({"qualifier": "live"}, "the qualifier differs (none then, live now)"),
        ({"invocation_type": "Event"}, "the invocation type differs"),
        ({"region": "eu-north-1"}, "the region differs"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "the endpoint differs"),
        ({"client_context": {"a": 1}}, "the client context differs"),
        ({"tenant_id": "blue"}, "the tenant differs"),
    ],
)
def test_a_key_of_another_call(counting: Any, place: dict[str, str], change: dict[str, Any], named: str) -> None:
    """A key that was used for another call is refused, and what differs is named."""
    call = {"function_name": "f", "payload": {"step": 1}, "once_key": "k", **place}
    lm.invoke_lm(**call)
    with pytest.raises(lm.ParameterError) as caught:
        lm.invoke_lm(**{**call, **change})
    assert named in str(caught.value)
    assert caught.value.parameter == "OnceKey"
    assert len(counting.bodies) == 1


def test_another_account(counting: Any, place: dict[str, str]) -> None:
    """The account counts where it is known of both calls: an ARN and a name are the same function, two accounts not."""
    arn = "arn:aws:lambda:eu-west-1:{}:function:f"
    lm.invoke_lm("f", once_key="k", **place)
    assert lm.invoke_lm(arn.format("111111111111"), once_key="k", **place).replayed
    lm.invoke_lm(arn.format("111111111111"), once_key="m", **place)
    with pytest.raises(lm.ParameterError, match="the account differs"):
        lm.invoke_lm(arn.format("222222222222"), once_key="m", **place)


@pytest.mark.parametrize("ending", ["a failed function", "a refusal", "not sent"])
def test_what_is_not_finished_runs_again(counting: Any, place: dict[str, str], ending: str) -> None:
    """A failed function, a refusal and a call that never left are sent again, with another payload too."""
    good = counting.url
    if ending == "a failed function":
        counting.headers = {"X-Amz-Function-Error": "Unhandled"}
    elif ending == "a refusal":
        counting.status, counting.headers = 404, {"x-amzn-ErrorType": "ResourceNotFoundException"}
    url = "http://127.0.0.1:9" if ending == "not sent" else good
    with contextlib.suppress(FunctionError, ServiceError, TransportError), lm.Session(retry_policy=_impatient()) as s:
        s.invoke_lm("f", {"a": 1}, once_key="k", error_action="Stop", endpoint_url=url, **place)
    (key,) = lm.get_lm_once_key()
    wanted = {"a failed function": "FUNCTION_ERROR", "a refusal": "REJECTED", "not sent": "NOT_SENT"}
    assert key["Outcome"] == wanted[ending]
    counting.status, counting.headers = 200, {}
    before = len(counting.bodies)
    assert not lm.invoke_lm("f", {"a": 2}, once_key="k", **place).replayed
    assert lm.invoke_lm("f", {"a": 2}, once_key="k", **place).replayed
    assert len(counting.bodies) == before + 1
    assert lm.get_lm_once_key()[0]["Runs"] == 2


def _impatient() -> lm.RetryPolicy:
    return lm.RetryPolicy(max_attempts=1)


def test_events_and_dry_runs(counting: Any, place: dict[str, str]) -> None:
    """A queued event is finished; a dry run is none of a key's calls."""
    counting.status, counting.answer = 204, b""
    lm.invoke_lm("f", invocation_type="DryRun", once_key="k", **place)
    assert lm.get_lm_once_key() == []
    counting.status = 202
    lm.invoke_lm("f", invocation_type="Event", once_key="k", **place)
    again = lm.invoke_lm("f", invocation_type="Event", once_key="k", **place)
    assert (again.status_code, again.replayed, again.raw_payload, again.outcome) == (202, True, b"", "ACCEPTED")
    assert len(counting.bodies) == 2


def test_what_if_tells_and_stores_nothing(counting: Any, place: dict[str, str], state: Path) -> None:
    """-WhatIf tells what would become of the key, in its repr and its card, and makes no store."""
    plan = lm.invoke_lm("f", once_key="k", what_if=True, **place)
    assert "OnceKey k: not used yet" in repr(plan)
    assert not (state / "once").exists()
    lm.invoke_lm("f", once_key="k", **place)
    plan = lm.invoke_lm("f", once_key="k", what_if=True, **place)
    assert "its result would be shown again and nothing sent" in repr(plan)
    assert "OnceKey" in [section.title for section in plan.card().sections]
    plan = lm.invoke_lm("g", once_key="k", what_if=True, **place)
    assert "used for another call" in repr(plan)
    assert len(counting.bodies) == 1


def test_secrets_are_not_stored(
    counting: Any, place: dict[str, str], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that comes back in an answer or its log is whole in the result, and stored as its reference."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2-and-more")
    counting.answer = b'{"you sent": "hunter2-and-more"}'
    counting.headers = {"X-Amz-Log-Result": "aHVudGVyMi1hbmQtbW9yZQ=="}
    call = {"function_name": "f", "payload": {"password": lm.Secret("env:DB_PASSWORD")}, "once_key": "k", **place}
    first = lm.invoke_lm(**call)
    assert first.payload == {"you sent": "hunter2-and-more"}
    again = lm.invoke_lm(**call)
    assert again.payload == {"you sent": "«secret env:DB_PASSWORD»"}
    assert again.log == "«secret env:DB_PASSWORD»"
    assert not any(b"hunter2" in path.read_bytes() for path in (state / "once").iterdir())


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a\x00", "k" * 201, "\u202e"])
def test_keys_that_cannot_be_used(counting: Any, place: dict[str, str], key: str) -> None:
    """A key is 1 to 200 printable characters."""
    with pytest.raises(lm.ParameterError, match="1 to 200 printable characters"):
        lm.invoke_lm("f", once_key=key, **place)
    assert counting.bodies == []


def test_keys_that_can(counting: Any, place: dict[str, str]) -> None:
    """Two spellings of the same letters are one key; a key of 200 letters is one too."""
    lm.invoke_lm("f", once_key="Ko\u0308ln", **place)
    assert lm.invoke_lm("f", once_key="K\u00f6ln", **place).replayed
    lm.invoke_lm("f", once_key="Ω" * 200, **place)
    assert len(counting.bodies) == 2


def test_several_objects(counting: Any, place: dict[str, str]) -> None:
    """One key for several objects is refused before anything is sent; objects with keys of their own run once each."""
    with pytest.raises(lm.ParameterError, match="OnceKey names one call"):
        lm.invoke_lm("f", input_object=[1, 2], once_key="k", **place)
    with pytest.raises(lm.ParameterError, match="OnceKey names one call"):
        _ = lm.pipe(iter([1, 2])) | lm.Invoke("f", **place).once_key("k")
    assert counting.bodies == []
    rows = [{"FunctionName": "f", "Payload": {"n": n}, "OnceKey": f"row-{n}"} for n in range(4)]
    for _ in range(2):
        found = lm.pipe(rows) | lm.Invoke(**place)
        assert len(found.succeeded) == 4
    assert [result.replayed for result in found] == [True] * 4
    assert len(counting.bodies) == 4
    (single,) = lm.pipe([{"n": 9}]) | lm.Invoke("f", **place).once_key("single")
    assert not single.replayed
    assert lm.Invoke("f", {"n": 9}, **place).once_key("single").send().replayed


def test_replay_sends_again(counting: Any, place: dict[str, str]) -> None:
    """Who says `result.replay()` wants it sent again, whatever the key says."""
    lm.invoke_lm("f", once_key="k", **place)
    replayed = lm.invoke_lm("f", once_key="k", **place)
    assert not replayed.replay().replayed
    assert len(counting.bodies) == 2


def test_what_is_stored_can_be_seen_and_forgotten(counting: Any, place: dict[str, str]) -> None:
    """Get-LMOnceKey lists keys by pattern, Clear-LMOnceKey forgets one, and both feed pipelines."""
    for key in ("restart-1", "restart-2", "other"):
        lm.invoke_lm("f", once_key=key, **place)
    assert [r["OnceKey"] for r in lm.get_lm_once_key()] == ["restart-1", "restart-2", "other"]
    assert [r["OnceKey"] for r in lm.get_lm_once_key("restart-*")] == ["restart-1", "restart-2"]
    assert "restart-1" in repr(lm.clear_lm_once_key("restart-1", what_if=True))
    assert len(lm.get_lm_once_key()) == 3
    lm.clear_lm_once_key("restart-1")
    with pytest.raises(lm.ParameterError, match=r"There is no key restart-1\. Did you mean restart-2"):
        lm.clear_lm_once_key("restart-1")
    assert not lm.invoke_lm("f", once_key="restart-1", **place).replayed
    assert len(counting.bodies) == 4


@pytest.mark.parametrize("damage", ["no database", "a page zeroed", "another program's", "a newer version's", "a row"])
def test_a_store_that_cannot_be_used(counting: Any, place: dict[str, str], state: Path, damage: str) -> None:
    """A damaged or foreign store is an error that names the file, and nothing is sent."""
    lm.invoke_lm("f", {"big": "x"}, once_key="k", **place)
    path = state / "once" / "keys.db"
    content = path.read_bytes()
    if damage == "no database":
        path.write_bytes(b"not a database" * 500)
    elif damage == "a page zeroed":
        path.write_bytes(content[:4096] + bytes(4096) + content[8192:])
    else:
        statement = {
            "another program's": "PRAGMA application_id = 77",
            "a newer version's": "PRAGMA user_version = 9",
            "a row": "UPDATE once_key SET outcome = 'REJECTED'",
        }[damage]
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()
    with lm.Session() as session, pytest.raises(JournalError) as caught:
        session.invoke_lm("f", {"big": "x"}, once_key="k", **place)
    assert "The store of once keys cannot be used" in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(counting.bodies) == 1
    with lm.Session() as session:
        assert session.invoke_lm("f", **place).ok  # a call without a key does not need it


def test_a_store_that_cannot_be_written(counting: Any, place: dict[str, str], tmp_path: Path) -> None:
    """Where the state folder cannot be made, a call with a key is refused and nothing sent."""
    (tmp_path / "file").write_text("")
    store = OnceStore(tmp_path / "file" / "once")
    with lm.Session() as session:
        session.engine = dataclasses.replace(session.engine, once=store)
        with pytest.raises(JournalError, match="Not a directory"):
            session.invoke_lm("f", once_key="k", **place)
    assert counting.bodies == []


def test_an_answer_that_cannot_be_stored(counting: Any, place: dict[str, str], tmp_path: Path) -> None:
    """An answer that cannot be stored is not lost: it is given, with a warning, and the key is unknown afterwards."""

    class Forgetful(OnceStore):
        def put(self, stored: Stored) -> None:
            if stored.outcome != INTENT:
                raise JournalError("The store of once keys cannot be used: the disk is full.")
            super().put(stored)

    with lm.Session() as session:
        session.engine = dataclasses.replace(session.engine, once=Forgetful())
        with pytest.warns(lm.LMWarning, match="A re-run will not know that it ran"):
            assert session.invoke_lm("f", once_key="k", **place).ok
    with pytest.raises(GuardError, match="unknown whether"):
        lm.invoke_lm("f", once_key="k", **place)
    assert len(counting.bodies) == 1


def test_the_settings_of_the_store(counting: Any, place: dict[str, str], state: Path) -> None:
    """The file says whose it is and in which version it is written, and it is in WAL mode."""
    lm.invoke_lm("f", once_key="k", **place)
    with contextlib.closing(sqlite3.connect(state / "once" / "keys.db")) as database:
        told = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        assert told == [int.from_bytes(b"LMf1", "big"), 1]
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_rerun_notebook(counting: Any, place: dict[str, str], tmp_path: Path, state: Path) -> None:
    """A notebook that failed in its second step is run again by papermill: its first step is not sent twice."""
    import nbformat

    line = f"%invoke_lm {{name}} -OnceKey {{key}} -ProfileName stage -ProfileLocation '{place['profile_location']}'"
    cells = [
        "day = '2026-11-20'",
        "%load_ext lmfunction",
        line.format(name="drain", key='"drain $day"'),
        line.format(name="restart", key='"restart $day"'),
        line.format(name="fill", key='"fill $day"'),
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, tmp_path / "in.ipynb")

    def papermill() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "papermill", "in.ipynb", "out.ipynb", "--no-progress-bar"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        return done.returncode, (tmp_path / "out.ipynb").read_text("utf-8")

    counting.wait = lambda: setattr(counting, "headers", {"X-Amz-Function-Error": "Unhandled"} if _restarts() else {})

    def _restarts() -> bool:
        return len(counting.paths) == 2

    code, _ = papermill()
    assert code == 1
    assert [path.split("/")[3] for path in counting.paths] == ["drain", "restart"]
    code, saved = papermill()
    assert code == 0
    assert [path.split("/")[3] for path in counting.paths] == ["drain", "restart", "restart", "fill"]
    assert "REPLAYED" in saved
