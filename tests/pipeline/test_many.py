"""Several invocations from one line: how many at a time, what failures do, Ctrl-C, and what is in hand afterwards."""

from __future__ import annotations

import contextlib
import json
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ctrl_c import ctrl_c_when

import lmfunction as lm
from lmfunction._item import Item
from lmfunction._transport import Reply
from lmfunction.errors import ServiceError, TransportError


def refuse(status: int = 404, code: str = "ResourceNotFoundException", outcome: str = "REJECTED") -> ServiceError:
    return ServiceError(f"AWS answered {status} {code}.", code=code, status=status, outcome=outcome)


def raiser(error: Exception, *events: Any) -> Any:
    """A gate that raises `error` for these events."""

    def gate(event: Any) -> None:
        if event in events:
            raise error

    return gate


def invoking_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("invoke-")]


def wait_until(true: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


# How many at a time


@pytest.mark.parametrize("limit", [1, 3, 8])
def test_throttle_limit_is_reached_and_not_passed(limit: int, fake: Any) -> None:
    """Exactly ThrottleLimit calls are under way together when there is enough to do."""
    full = threading.Barrier(limit)
    fake.gate = lambda event: full.wait(10) if event < limit else None
    run = fake.line(f"$(range(40)) | invoke_lm f -ThrottleLimit {limit}")
    assert len(run.succeeded) == 40
    assert fake.most == limit


def test_the_limit_is_ten_unless_told_and_a_default_counts(fake: Any) -> None:
    """Ten at a time; `lm.defaults` for ThrottleLimit is used by pipelines too."""
    fake.gate = lambda event: time.sleep(0.01)
    fake.line("$(range(40)) | invoke_lm f")
    assert fake.most <= 10
    fake.most = 0
    fake.session.defaults["Invoke-LM*:ThrottleLimit"] = 2
    fake.line("$(range(20)) | invoke_lm f")
    assert fake.most <= 2


def test_the_input_is_not_read_ahead(fake: Any) -> None:
    """No more objects are read than can be under way, so that an endless source is no trouble."""
    read = [0]
    most_ahead = [0]
    answered = [0]

    def source() -> Iterator[int]:
        for number in range(50):
            read[0] += 1
            most_ahead[0] = max(most_ahead[0], read[0] - answered[0])
            yield number

    def answer(name: str, event: Any) -> Any:
        answered[0] += 1
        return event

    fake.answer = answer
    fake.line("$source | invoke_lm f -ThrottleLimit 4", source=source())
    assert read[0] == 50
    assert most_ahead[0] <= 6


def test_threads_end_with_the_run(fake: Any) -> None:
    """No thread is left behind by a run that ended, well or not."""
    fake.line("$(range(20)) | invoke_lm f -ThrottleLimit 5")
    fake.answer = lambda name, event: fake.failing("no")
    with pytest.raises(lm.BulkError):
        fake.line("$(range(20)) | invoke_lm f -ThrottleLimit 5")
    wait_until(lambda: not invoking_threads())


# Failures


def test_stop_names_the_object_and_keeps_every_answer(fake: Any) -> None:
    """ErrorAction Stop: nothing is sent after the first failure; the error names the object and holds the result."""
    fake.answer = lambda name, event: fake.failing("no such order") if event == 3 else {"got": event}
    with pytest.raises(lm.BulkError) as caught:
        fake.line("$(range(100)) | invoke_lm f -ThrottleLimit 1")
    error = caught.value
    assert str(error).startswith("Stopped at object 4: Refused: no such order")
    assert "3 succeeded, 1 failed" in str(error)
    assert (str(error).splitlines()[-1], error.request_id) == ("  RequestId: r-failed", "r-failed")
    assert error.result.payloads == [{"got": 0}, {"got": 1}, {"got": 2}]
    assert [item.index for item in error.result.failed] == [3]
    assert len(fake.events) == 4
    assert fake.line.shown == [error.result]


def test_continue_goes_on_and_feeds_no_failure_on(fake: Any) -> None:
    """ErrorAction Continue: every object is tried; a failed payload reaches no later stage, and that is told."""
    fake.answer = lambda name, event: fake.failing("no") if name == "f" and event % 2 else {"got": event}
    run = fake.line("$(range(6)) | invoke_lm f -ErrorAction Continue")
    assert (len(run.succeeded), len(run.failed)) == (3, 3)
    assert fake.line.told == []  # the run itself is what is shown
    fake.events.clear()
    names = fake.names.copy()
    again = fake.line("$(range(6)) | invoke_lm f -ErrorAction Continue | invoke_lm g")
    assert again.payloads == [{"got": {"got": n}} for n in (0, 2, 4)]
    assert fake.names[len(names) :].count("g") == 3
    assert fake.line.told == [("error", "3 of 6 invocations did not succeed; only what succeeded is passed on.")]
    fake.line.told.clear()
    fake.line("$(range(6)) | invoke_lm f -ErrorAction SilentlyContinue | invoke_lm g")
    assert fake.line.told == []


def test_a_wrong_object_is_named_and_the_others_go_on(fake: Any) -> None:
    """An object that is no payload: Stop names it, Continue leaves it out unsent."""
    objects = [1, {"bad": {1}}, 3]
    with pytest.raises(lm.BulkError, match=r"Stopped at object 2: .*Payload"):
        fake.line("$objects | invoke_lm f -ThrottleLimit 1", objects=objects)
    assert fake.events == [1]
    run = fake.line("$objects | invoke_lm f -ErrorAction Continue", objects=objects)
    assert [item.index for item in run.not_sent] == [1]
    assert run.payloads == [{"got": 1}, {"got": 3}]
    assert run.summary()["NOT_SENT"] == 1


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (refuse(), "failed"),
        (refuse(429, "TooManyRequestsException", "THROTTLED_OUT"), "failed"),
        (refuse(500, "ServiceException", "UNKNOWN"), "unknown"),
        (TransportError("no answer", sent=None), "unknown"),
        (TransportError("refused", sent=False, outcome="NOT_SENT"), "not_sent"),
        (TransportError("cut", sent=True, outcome="RESULT_LOST"), "failed"),
        (RuntimeError("a fault of ours"), "unknown"),
    ],
    ids=lambda value: getattr(value, "outcome", str(value)),
)
def test_every_object_ends_in_one_class(error: Exception, where: str, fake: Any) -> None:
    """Whatever a call raises, its object is in exactly one list, the others are answered, and no thread is lost."""
    fake.gate = raiser(error, 1)
    run = fake.line("$(range(4)) | invoke_lm f -ErrorAction Continue -ThrottleLimit 2")
    assert len(run.succeeded) == 3
    lists = {name: [item.index for item in getattr(run, name)] for name in ("failed", "unknown", "not_sent")}
    assert lists == {name: [1] if name == where else [] for name in lists}
    assert not run.ok


def test_error_variable_holds_each_failure(fake: Any) -> None:
    """-ErrorVariable gets one error for each object that did not succeed, with Continue and with Stop."""
    fake.answer = lambda name, event: fake.failing("no") if event == 1 else event
    fake.line("$objects | invoke_lm f -ErrorAction SilentlyContinue -ev errors", objects=[0, 1, {1}])
    assert [type(error).__name__ for error in fake.line.names["errors"]] == ["FunctionError", "ParameterError"]
    with contextlib.suppress(lm.BulkError):
        fake.line("$objects | invoke_lm f -ErrorVariable +errors -ThrottleLimit 1", objects=[1, 2])
    assert len(fake.line.names["errors"]) == 3


def test_objects_that_cannot_be_read_on_lose_no_answer(fake: Any) -> None:
    """A source that raises ends the run with an error that holds what was answered before."""

    def source() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("the disk is gone")

    with pytest.raises(lm.BulkError, match=r"Object 3 could not be read: OSError: the disk is gone") as caught:
        fake.line("$source | invoke_lm f", source=source())
    assert caught.value.result.payloads == [{"got": 1}, {"got": 2}]
    assert isinstance(caught.value.__cause__, OSError)


def test_an_answer_is_asked_for_once_only(fake: Any) -> None:
    """A call of unknown fate is never sent again; one that provably did not run is."""
    tries: dict[Any, int] = {}

    def gate(event: Any) -> None:
        tries[event] = tries.get(event, 0) + 1
        if event == 1:
            raise TransportError("no answer", sent=None)
        if event == 2 and tries[event] < 3:
            raise refuse(429, "TooManyRequestsException", "THROTTLED_OUT")

    fake.gate = gate
    run = fake.line("$(range(4)) | invoke_lm f -ErrorAction Continue")
    assert tries == {0: 1, 1: 1, 2: 3, 3: 1}
    assert run[2].attempts == 3


# Ctrl-C


def test_ctrl_c_twice_stops_at_once_and_nothing_more_is_sent(fake: Any) -> None:
    """The second ends the wait at once, the partial result is in hand, no call leaves any more, the threads end."""
    busy, release = threading.Event(), threading.Event()

    def gate(event: Any) -> None:
        if event >= 5:
            if event == 8:
                busy.set()
            assert release.wait(10)

    fake.gate = gate
    try:
        with ctrl_c_when(busy, times=2) as passed, pytest.raises(lm.InvocationInterrupted) as caught:
            fake.line("$(range(1000)) | invoke_lm f -ThrottleLimit 4")
        assert passed() < 0.5
        run = caught.value.result
        assert isinstance(run, lm.BulkResult)
        assert run.payloads == [{"got": n} for n in range(5)]
        assert [item.index for item in run.unknown] == [5, 6, 7, 8]
        assert caught.value.sent is None
        assert "5 had succeeded, 4 were under way" in str(caught.value)
        told = len(fake.events)
    finally:
        release.set()
    wait_until(lambda: not invoking_threads())
    assert len(fake.events) == told == 9
    assert len(run.succeeded) == 9  # the answers that came later are in the result too


def test_ctrl_c_once_stops_the_feeding_and_waits_for_what_is_under_way(fake: Any) -> None:
    """Nothing more is sent; the answers that come within a few seconds are in the result."""
    busy = threading.Event()

    def gate(event: Any) -> None:
        if event == 8:
            busy.set()
        if event >= 5:
            time.sleep(0.4)

    fake.gate = gate
    with ctrl_c_when(busy), pytest.raises(lm.InvocationInterrupted) as caught:
        fake.line("$(range(1000)) | invoke_lm f -ThrottleLimit 4")
    run = caught.value.result
    assert caught.value.sent is False
    assert sorted(one["got"] for one in run.payloads) == sorted(fake.events) == [*range(len(fake.events))]
    assert len(fake.events) <= 13


def test_ctrl_c_ends_waits_between_two_tries(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A throttled call that waits for its next try is not sent again after Ctrl-C, and is known not to have run."""
    waiting = threading.Event()
    engine = fake.session.engine
    object.__setattr__(engine, "policy", lm.RetryPolicy(random=lambda: 1.0, base=30, cap=60))

    def gate(event: Any) -> None:
        waiting.set()
        raise refuse(429, "TooManyRequestsException", "THROTTLED_OUT")

    fake.gate = gate
    with ctrl_c_when(waiting), pytest.raises(lm.InvocationInterrupted) as caught:
        fake.line("$(range(9)) | invoke_lm f -ThrottleLimit 2")
    wait_until(lambda: not invoking_threads())
    assert len(fake.events) == 2
    assert [item.index for item in caught.value.result.not_sent] == [0, 1]


def test_ctrl_c_while_objects_are_read_keeps_the_answers(fake: Any) -> None:
    """Also while a slow source is waited for; then nothing is under way."""
    reading = threading.Event()

    def source() -> Iterator[int]:
        yield 1
        yield 2
        wait_until(lambda: len(fake.events) == 2 and not fake.busy)
        time.sleep(0.05)
        reading.set()
        time.sleep(30)

    with ctrl_c_when(reading) as passed, pytest.raises(lm.InvocationInterrupted) as caught:
        fake.line("$source | invoke_lm f", source=source())
    assert passed() < 0.5
    assert caught.value.sent is False
    assert caught.value.result.payloads == [{"got": 1}, {"got": 2}]


# The result


@pytest.fixture
def run(fake: Any) -> lm.BulkResult:
    """Six objects: 0 and 3 succeeded, 1 failed, 2 is unknown, 4 was not sent, the answer of 5 is lost."""

    def gate(event: Any) -> None:
        if event == 2:
            raise TransportError("no answer", sent=None)
        if event == 4:
            raise TransportError("no connection", sent=False, outcome="NOT_SENT")
        if event == 5:
            raise TransportError("cut", sent=True, outcome="RESULT_LOST", request_id="r5")

    fake.gate = gate
    fake.answer = lambda name, event: fake.failing("no") if event == 1 else {"got": event}
    made = fake.line("$(range(6)) | invoke_lm f -ErrorAction SilentlyContinue -ThrottleLimit 2")
    assert isinstance(made, lm.BulkResult)
    fake.gate, fake.answer = (lambda event: None), (lambda name, event: {"again": event})
    fake.events.clear()
    return made


def test_it_is_a_sequence_in_input_order(run: lm.BulkResult) -> None:
    """Index, slice, iteration, len, reversed and `in` work; an object without answer is its Item."""
    assert len(run) == 6
    assert run[0].payload == {"got": 0}
    assert run[-3].payload == {"got": 3} if isinstance(run[-3], lm.InvokeResult) else run[-3].index == 3
    assert [type(one).__name__ for one in run] == [
        "InvokeResult",
        "InvokeResult",
        "Item",
        "InvokeResult",
        "Item",
        "Item",
    ]
    assert [one.payload for one in run[0:4:3]] == [{"got": 0}, {"got": 3}]
    assert run[9:] == []
    assert next(iter(reversed(run))).index == 5
    assert run[3] in run
    with pytest.raises(IndexError):
        run[6]
    with pytest.raises(AttributeError):
        run.items_of_something_else  # type: ignore[attr-defined]


def test_its_lists_part_the_objects(run: lm.BulkResult) -> None:
    """Each object is in one list; items know their input and what became of them."""
    assert run.payloads == [{"got": 0}, {"got": 3}]
    assert [item.input for item in run.failed] == [1, 5]
    assert [item.input for item in run.unknown] == [2]
    assert [item.input for item in run.not_sent] == [4]
    assert [item.told() for item in run.failed] == ["Refused: no", "cut"]
    counts = {k: v for k, v in run.summary().items() if k != "ElapsedMs"}
    assert counts == {"Count": 6, "FUNCTION_ERROR": 1, "NOT_SENT": 1, "OK": 2, "RESULT_LOST": 1, "UNKNOWN": 1}
    assert run.summary()["ElapsedMs"] >= 0


def test_raise_for_error(run: lm.BulkResult, fake: Any) -> None:
    """It raises with the counts and the first failure, or gives the result itself."""
    with pytest.raises(lm.BulkError, match=r"4 of 6 invocations did not succeed. The first is object 2: Refused: no"):
        run.raise_for_error()
    good = fake.line("$(range(2)) | invoke_lm f")
    assert good.raise_for_error() is good
    assert good.ok


def test_retry_sends_what_did_not_run_or_failed(run: lm.BulkResult, fake: Any) -> None:
    """In the input's order; what is unknown, and what ran and lost its answer, is left alone."""
    again = run.retry()
    assert again.payloads == [{"again": 1}, {"again": 4}]
    assert sorted(fake.events) == [1, 4]
    assert again.retry().payloads == []
    with pytest.raises(lm.LMError, match="no session"):
        lm.BulkResult().retry()


def test_to_dict_and_to_frame(run: lm.BulkResult) -> None:
    """One plain mapping, and one row, for each object."""
    plain = run.to_dict()
    json.dumps(plain)
    assert plain[0]["Payload"] == {"got": 0}
    assert plain[2] == {"Index": 2, "Outcome": "UNKNOWN", "Input": 2, "Error": "no answer"}
    assert plain[5]["RequestId"] == "r5"
    frame = run.to_frame()
    assert list(frame["Outcome"]) == ["OK", "FUNCTION_ERROR", "UNKNOWN", "OK", "NOT_SENT", "RESULT_LOST"]
    assert list(frame["Error"])[:3] == ["", "Refused: no", "no answer"]


def test_it_shows_itself(run: lm.BulkResult) -> None:
    """One honest line as repr; a card in text and HTML with the failures, escaped."""
    assert repr(run) == "<BulkResult Count 6, FUNCTION_ERROR 1, NOT_SENT 1, OK 2, RESULT_LOST 1, UNKNOWN 1>"
    data, *_ = run._repr_mimebundle_()
    assert "FAILED" in data["text/plain"]
    assert "Refused: no" in data["text/html"]
    assert "2 succeeded" in data["text/plain"]


@pytest.mark.parametrize(
    "payload", [b"\xff\xfe", b"", b'"<script>"', b"[" * 900 + b"]" * 900, b'{"a": "\\ud800"}', b"NaN"]
)
def test_its_card_never_raises(payload: bytes, fake: Any) -> None:
    """Whatever functions answer, the card is drawn, and nothing in it is markup."""
    fake.answer = lambda name, event: Reply(200, {"x-amzn-requestid": "r"}, payload)
    data, *_ = fake.line("$(range(2)) | invoke_lm f")._repr_mimebundle_()
    assert "<script>" not in data.get("text/html", "")
    assert data["text/plain"]


def test_an_empty_result_shows_itself() -> None:
    """Also before anything was sent."""
    empty = lm.BulkResult()
    assert (repr(empty), empty.ok, empty.payloads, len(empty)) == ("<BulkResult Count 0>", True, [], 0)
    assert empty._repr_mimebundle_()


def test_it_and_its_errors_can_be_pickled(run: lm.BulkResult) -> None:
    """A result, and an error that holds one, survive pickling; only sending again does not."""
    copy = pickle.loads(pickle.dumps(run))
    assert copy.payloads == run.payloads
    assert copy.summary() == run.summary()
    assert copy[2].error.sent is None
    with pytest.raises(lm.LMError, match="no session"):
        copy.retry()
    with pytest.raises(lm.BulkError) as caught:
        run.raise_for_error()
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    assert error.result.payloads == run.payloads


def test_an_item_is_a_row_like_any_object(run: lm.BulkResult, fake: Any) -> None:
    """Items flow through verbs by the names of their members."""
    assert fake.line("$failed | where Outcome -eq RESULT_LOST | select Input", failed=run.failed) == [5]
    assert isinstance(run.failed[0], Item)
    assert fake.line("$unknown | table Index,Error", unknown=run.unknown).rows == [{"Index": 2, "Error": "no answer"}]
