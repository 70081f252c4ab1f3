"""Runs whose calls are sent by the workers of a Dask cluster: the journal's owner gives leave, once for each send."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster.cluster_runs import check, killed_run
from counting import Served

import lmfunction as lm
from lmfunction._journal_file import opened_to_read
from lmfunction._journal_rows import recall


def outcomes(path: str, count: int) -> list[str]:
    with opened_to_read(path) as database:
        return ["-" if settled is None else settled.outcome for _, settled in recall(database, 0, count)]


def test_a_run(client: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path) -> None:
    """Every item runs once, and its result, its journal and its order are those of a run at home."""
    path = str(tmp_path / "run.db")
    items = [{"n": first + n} for n in range(300)]
    items[7]["do"] = {"status": 200, "body": '{"errorType": "E"}', "headers": {"X-Amz-Function-Error": "Unhandled"}}
    items[9]["do"] = [{"status": 429, "type": "TooManyRequestsException", "body": "{}"}, {}]
    run = lm.invoke_lm("f", input_object=items, throttle_limit=40, journal=path, engine=client, **place)
    assert run.summary()["OK"] == 299
    assert run[7].function_error == "Unhandled"
    assert [run[n].payload for n in (0, 150, 299)] == [items[n] for n in (0, 150, 299)]
    assert run[9].attempts == 2
    assert run[0].request_id
    executions = served.counts()["executions"]
    assert all(executions[str(first + n)] == 1 for n in range(300))
    assert served.counts()["most"] <= 40
    assert outcomes(path, 300) == [str(item.outcome) for item in run.items]
    again = lm.invoke_lm("f", input_object=items, journal=path, resume=True, engine=client, **place)
    assert again.summary()["OK"] == 299
    assert served.counts()["executions"] == executions


@pytest.mark.parametrize("trial", range(2))
def test_a_worker_is_killed(
    doomed: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path, trial: int
) -> None:
    """kill -9 of one of two workers: no item runs twice, what it had under way is unknown, the others run."""
    served.set(delay=0.01)
    run, ran = killed_run(doomed, served, str(tmp_path / "run.db"), first)
    check(run, ran)
    assert run.summary()["OK"] >= 180


def test_a_worker_is_killed_under_at_least_once(
    doomed: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path
) -> None:
    """With AtLeastOnce every item ends well, and no more ran twice than is told."""
    served.set(delay=0.01)
    run, ran = killed_run(doomed, served, str(tmp_path / "run.db"), first, delivery="AtLeastOnce", force=True)
    assert min(ran.values()) >= 1
    assert run.summary()["OK"] == len(ran)
    assert sum(times - 1 for times in ran.values()) <= run.possible_duplicates


def test_leave_is_given_once(client: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path) -> None:
    """A sender that was taken for dead and asks again is refused, and so is one that Dask runs again."""
    from lmfunction._dask_engine import DaskEngine

    served.set(delay=0.05)
    hears = DaskEngine._hear
    messages: list[dict[str, Any]] = []

    def twice(self: DaskEngine, message: dict[str, Any]) -> None:
        messages.append(message)
        hears(self, message)
        if "asked" in message:
            hears(self, {"from": message["from"], "number": message["number"], "asked": message["asked"]})
            hears(self, {"from": "somebody", "number": message["number"], "asked": message["asked"]})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DaskEngine, "_hear", twice)
        run = lm.invoke_lm(
            "f", input_object=[{"n": first + n} for n in range(40)], journal=str(tmp_path / "run.db"), engine=client,
            throttle_limit=5, **place,
        )  # fmt: skip
    assert run.summary()["OK"] == 40
    assert any("asked" in message for message in messages)
    executions = served.counts()["executions"]
    assert all(executions[str(first + n)] == 1 for n in range(40))


def test_a_failure_ends_the_run(client: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path) -> None:
    """With ErrorAction Stop nothing more is sent after a failure; what was not sent is resumed at home."""
    path = str(tmp_path / "run.db")
    items: list[dict[str, Any]] = [{"n": first + n} for n in range(400)]
    items[3]["do"] = {"status": 200, "body": "{}", "headers": {"X-Amz-Function-Error": "Unhandled"}}
    served.set(delay=0.02)
    with pytest.raises(lm.BulkError, match="Stopped at object 4") as caught:
        lm.invoke_lm(
            "f", input_object=items, journal=path, engine=client, throttle_limit=8, error_action="Stop", **place
        )
    assert caught.value.result.summary().get("UNKNOWN", 0) == 0
    ran = len([n for n in served.counts()["executions"] if first <= int(n) < first + 400])
    assert 4 <= ran < 400
    run = lm.invoke_lm("f", input_object=items, journal=path, resume=True, throttle_limit=50, **place)
    assert run.summary()["OK"] == 399
    executions = served.counts()["executions"]
    assert all(executions[str(first + n)] == 1 for n in range(400))


def test_credentials_are_sent_only_when_the_line_says_so(
    client: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path
) -> None:
    """Those of the line stay here unless -ShareCredential sends them; then the workers sign with them."""
    from lmfunction._dask_engine import DaskEngine

    given = {
        "input_object": [{"n": first + n} for n in range(3)],
        "engine": client,
        "credential": lm.Credential("AKIDOFTHELINE", "not-a-secret"),
        **place,
    }
    run = lm.invoke_lm("f", journal=str(tmp_path / "run.db"), **given)
    assert run.summary()["NOT_SENT"] == 3
    assert "-ShareCredential" in run[0].told()
    tasks: list[dict[str, Any]] = []
    begun = DaskEngine.__init__

    def seen(self: DaskEngine, cluster: Any, task: dict[str, Any], *rest: Any, **named: Any) -> None:
        tasks.append(task)
        begun(self, cluster, task, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DaskEngine, "__init__", seen)
        run = lm.invoke_lm("f", journal=str(tmp_path / "other.db"), share_credential=True, **given)
        assert run.summary()["OK"] == 3
        del given["credential"]
        lm.invoke_lm("f", journal=str(tmp_path / "third.db"), **given)
    assert [task["credential"] for task in tasks] == [("AKIDOFTHELINE", "not-a-secret", None), None]


def test_workers_that_cannot_send_end_the_run(client: Any, place: dict[str, Any], tmp_path: Path) -> None:
    """The reason of a worker is told, and nothing is lost: here, that it has another version."""
    path = str(tmp_path / "run.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmfunction.__version__", "0.0.1")
        with pytest.raises(lm.BulkError, match=r"No worker of the cluster can send.*the run is of 0\.0\.1"):
            lm.invoke_lm("f", input_object=[{"n": 1}, {"n": 2}], journal=path, engine=client, **place)
    assert set(outcomes(path, 2)) <= {"-", "NOT_SENT"}


def test_every_door(client: Any, served: Served, place: dict[str, Any], first: int, tmp_path: Path) -> None:
    """A line finds the client of this process, or an address; the builder takes a client."""
    from lmfunction._commands import run_pipeline
    from lmfunction._door import Door
    from lmfunction._scope import Scope

    where = f"-EndpointUrl {place['endpoint_url']} -Region eu-west-1"
    names = {"items": [{"n": first}, {"n": first + 1}], "client": client}
    for number, engine in enumerate(("dask", client.scheduler.address, "$client")):
        line = f"invoke_lm f -InputObject $items -Journal {tmp_path}/run{number}.db -Engine {engine} {where}"
        with lm.Session() as session:
            run = run_pipeline(line, session.engine, Door(scope=Scope(names)), {})
        assert run.summary()["OK"] == 2
    builder = lm.Invoke("f").engine(client).journal(str(tmp_path / "b.db")).endpoint_url(place["endpoint_url"])
    run = lm.pipe([{"n": first}]) | builder.region("eu-west-1")
    assert run[0].payload == {"n": first}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"engine": "dask"}, "Engine needs -Journal"),
        ({"engine": "ray", "journal": "x.db"}, "Engine is local, dask, a scheduler's address .* not ray"),
        ({"engine": 7, "journal": "x.db"}, "Engine is a int: it must be a Client"),
        ({"engine": "tcp://127.0.0.1:1", "journal": "x.db"}, "127.0.0.1:1 cannot be reached"),
        ({"share_credential": True}, "ShareCredential is for -Engine"),
    ],
)
def test_what_cannot_be_an_engine(
    options: dict[str, Any], text: str, place: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with -Engine is told before a journal is begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmfunction._dask_cluster._CONNECT", 0.2)
    with pytest.raises(lm.ParameterError, match=text):
        lm.invoke_lm("f", input_object=[{}], **options, **place)
    assert not (tmp_path / "x.db").exists()


def test_without_dask() -> None:
    """Where Dask is not installed, the error says what to install."""
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "import lmfunction as lm\n"
        "try: lm.invoke_lm('f', input_object=[1], engine='dask', journal='x.db', region='eu-west-1')\n"
        "except lm.ParameterError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out == "Engine needs Dask: pip install 'lmfunction[dask]'\n"
