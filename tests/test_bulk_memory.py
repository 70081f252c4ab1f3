"""What a run of many calls holds in memory: it follows the calls under way, and hardly the number of items.

What is held is measured after a run, with its result at hand, for two numbers of items: what each item more takes.
"""

from __future__ import annotations

import gc
import itertools
import json
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from counting import Served, counting_lambda

import lmfunction as lm

FEW, MANY = 2_500, 4_500  # both beyond the errors that are kept whole
NAMES = itertools.count()
Options = Callable[[Path], Mapping[str, Any]]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with counting_lambda() as found:
        yield found


@pytest.fixture
def session(served: Served) -> Iterator[lm.Session]:
    keys, policy = lm.Credential("AKIDEXAMPLE", "not-a-secret"), lm.RetryPolicy(max_attempts=1)
    with lm.Session(region="us-east-1", endpoint_url=served.url, credential=keys, retry_policy=policy) as opened:
        yield opened


def journal(folder: Path) -> Mapping[str, Any]:
    """A run with a journal."""
    return {"journal": str(folder / f"{next(NAMES)}.db")}


def out_file(folder: Path) -> Mapping[str, Any]:
    """A run whose results go into a file."""
    return {"out_file": str(folder / f"{next(NAMES)}.jsonl")}


def events(count: int) -> Iterator[dict[str, Any]]:
    """Objects that come one by one."""
    return ({"n": n, "note": "an order of usual size"} for n in range(count))


def run_of(session: lm.Session, source: Any, **options: Any) -> lm.BulkResult:
    """A run to its end, whatever became of its items."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lm.LMWarning)
        try:
            found = session.invoke_lm(
                "f", input_object=source, throttle_limit=32, error_action="Continue", tolerated_failure_percent=100,
                **options,
            )  # fmt: skip
        except lm.BulkError as error:
            found = error.result
    assert isinstance(found, lm.BulkResult)
    return found


def jobs(count: int, name: str = "f") -> Iterator[dict[str, Any]]:
    """Objects that name their function themselves."""
    return ({"FunctionName": name, "Payload": event} for event in events(count))


def run_of_jobs(session: lm.Session, source: Any, **options: Any) -> lm.BulkResult:
    """A run whose objects name their functions."""
    try:
        found = session.invoke_lm(
            input_object=source, throttle_limit=32, error_action="Continue", tolerated_failure_percent=100, **options
        )
    except lm.BulkError as error:
        found = error.result
    assert isinstance(found, lm.BulkResult)
    return found


def held_by(make: Callable[[int], lm.BulkResult], count: int) -> tuple[int, lm.BulkResult]:
    """The bytes that a run of so many items holds when it is over."""
    gc.collect()
    tracemalloc.start()
    try:
        run = make(count)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], run
    finally:
        tracemalloc.stop()


def growth(make: Callable[[int], lm.BulkResult], few: int, many: int, most: float) -> tuple[float, lm.BulkResult]:
    """The bytes that each item more takes, and the run of `many`.

    Other threads of the process allocate too, and once in a while just then: what is too much is measured again.
    """
    for _ in range(3):
        (before, _), (after, run) = (held_by(make, count) for count in (few, many))
        each = (after - before) / (many - few)
        if each < most:
            break
    return each, run


@pytest.mark.parametrize(("options", "most"), [(journal, 15), (out_file, 25)], ids=["journal", "file"])
def test_an_item_that_is_done_takes_few_bytes(
    served: Served, session: lm.Session, tmp_path: Path, options: Options, most: int
) -> None:
    """Its outcome and its latency, and where its line begins in a file; its result is read when it is looked at."""
    served.reset()
    run_of(session, events(10), **options(tmp_path))
    each, run = growth(lambda count: run_of(session, events(count), **options(tmp_path)), FEW, MANY, most)
    assert each < most
    assert run.summary()["OK"] == len(run) == MANY
    assert [run[n].payload["n"] for n in (0, 3_210, MANY - 1)] == [0, 3_210, MANY - 1]


def test_an_item_that_failed_takes_few_bytes(served: Served, session: lm.Session, tmp_path: Path) -> None:
    """Its error is read when it is looked at, too, and tells what the call's own did."""
    served.set(do={"status": 404, "type": "ResourceNotFoundException", "body": '{"Message": "no such function"}'})
    run_of(session, events(10), **journal(tmp_path))
    each, run = growth(lambda count: run_of(session, events(count), **journal(tmp_path)), FEW, MANY, 60)
    assert each < 60
    assert run.summary()["REJECTED"] == MANY
    first, last = run[0], run[MANY - 1]
    for item in (first, last):
        assert isinstance(item.error, lm.ServiceError)
        assert (item.error.code, item.error.status, item.error.outcome, item.error.attempts) == (
            "ResourceNotFoundException",
            404,
            "REJECTED",
            1,
        )
        assert "no such function" in str(item.error)
        assert item.request_id == item.error.request_id is not None
    assert [item.index for item in itertools.islice(run.of(lm.Outcome.REJECTED), 2_500, 2_502)] == [2_500, 2_501]
    assert json.loads(json.dumps(last.to_dict()["Input"], default=lambda kept: kept.to_dict()))["n"] == MANY - 1


def test_the_name_of_an_execution_takes_no_bytes(served: Served, session: lm.Session, tmp_path: Path) -> None:
    """Where each object has one of its own, it stands in the file alone."""
    served.set(forget=True)

    def make(count: int) -> lm.BulkResult:
        names = ({**event, "DurableExecutionName": f"run-{n:050}"} for n, event in enumerate(jobs(count)))
        return run_of_jobs(session, names, **out_file(tmp_path))

    make(10)
    each, run = growth(make, 200, 800, 200)
    assert each < 200
    assert run[799].request.durable_execution_name == f"run-{799:050}"


def test_errors_hold_no_frames(served: Served, session: lm.Session) -> None:
    """An error that is kept in memory does not keep the calls of the engine alive in which it arose."""
    served.set(do={"status": 404, "type": "ResourceNotFoundException"})
    (error,) = {item.error for item in run_of(session, events(1)).failed}
    while error is not None:
        assert error.__traceback__ is None
        error = error.__cause__ or error.__context__


def test_what_was_never_written_down_stays(served: Served, session: lm.Session, tmp_path: Path) -> None:
    """An object that is refused again, of which the journal tells the refusal before, keeps the last one."""
    served.reset()
    path, names = journal(tmp_path), [*jobs(2_500, "not a name!")]
    first = run_of_jobs(session, names, **path)
    again = run_of_jobs(session, names, resume=True, **path)
    for run in (first, again):
        assert run.summary()["NOT_SENT"] == len(names)
        assert {type(item.error) for item in run.not_sent} == {lm.ParameterError}


def test_a_file_that_is_guarded_is_not_held(
    served: Served, session: lm.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objects of a file are counted and met by their guards without a list of them."""
    served.set(forget=True)
    folder = tmp_path / "profiles"
    folder.mkdir(mode=0o700)
    (folder / "guarded.yaml").write_text(f"endpoint: {served.url}\nregion: us-east-1\nguard: {{max_items: 5000}}\n")
    monkeypatch.setenv("LMFUNCTION_PROFILES", str(folder))
    items, count = tmp_path / "items.jsonl", 3_000
    items.write_text("".join(f"{json.dumps({'n': n, 'pad': 'x' * 2_000})}\n" for n in range(count)))
    keys = lm.Credential("AKIDEXAMPLE", "not-a-secret")
    with lm.Session(profile_name="guarded", credential=keys) as guarded:

        def make(_: int) -> lm.BulkResult:
            return run_of(guarded, items, **out_file(tmp_path))

        make(count)
        tracemalloc.start()
        try:
            run = make(count)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert run.summary()["OK"] == count
    assert peak < 3_000_000  # the objects have 6 MB
