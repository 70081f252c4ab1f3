"""The one retry layer, with injected time and dice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._model import Outcome
from lmfunction._retry import RetryPolicy, classify, send_with_retries
from lmfunction.errors import LMError, ProfileError, ServiceError, TransportError


class Time:
    """A clock that sleeping and sending move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def policy(self, **more: Any) -> RetryPolicy:
        return RetryPolicy(**{"clock": lambda: self.now, "sleep": self.sleep, "random": lambda: 1.0, **more})


def throttled(retry_after: float | None = None) -> ServiceError:
    return ServiceError("slow down", code="TooManyRequestsException", outcome="THROTTLED_OUT", retry_after=retry_after)


def failing(error: Callable[[], LMError]) -> Callable[[], None]:
    def send() -> None:
        raise error()

    return send


@given(
    dice=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8),
    base=st.floats(0.001, 5),
    cap=st.floats(0.001, 30),
    asked=st.none() | st.floats(0, 3600),
)
def test_each_wait_lies_between_what_aws_asked_and_the_jitters_step(
    dice: list[float], base: float, cap: float, asked: float | None
) -> None:
    """Full jitter: from `Retry-After` (or nothing) to at most the doubled step or the cap more."""
    time, thrown = Time(), iter(dice)
    policy = time.policy(max_attempts=len(dice) + 1, base=base, cap=cap, random=lambda: next(thrown, 0.0))
    with pytest.raises(ServiceError):
        send_with_retries(failing(lambda: throttled(asked)), policy, deadline=float("inf"))
    assert len(time.waits) == len(dice)
    for number, wait in enumerate(time.waits, start=1):
        step = min(cap, base * 2**number)
        assert (asked or 0.0) <= wait <= (asked or 0.0) + step


@given(patience=st.floats(0, 100), asked=st.floats(0, 50))
def test_no_wait_reaches_the_deadline(patience: float, asked: float) -> None:
    """What would be slept past the caller's deadline is not slept at all."""
    time = Time()
    deadline = time.now + patience
    with pytest.raises(ServiceError):
        send_with_retries(failing(lambda: throttled(asked)), time.policy(max_attempts=50), deadline)
    assert time.now < deadline or not time.waits


def test_the_time_that_sending_takes_counts_against_the_deadline() -> None:
    """A slow refusal leaves no time for a second try."""
    time = Time()

    def send() -> None:
        time.now += 9.0
        raise throttled()

    with pytest.raises(ServiceError) as caught:
        send_with_retries(send, time.policy(), deadline=time.now + 9.3)
    assert (caught.value.attempts, time.waits) == (1, [])


def test_the_last_error_is_raised_with_the_number_of_attempts() -> None:
    """Patience ends after `max_attempts` sends, and the error knows how many there were."""
    time = Time()
    with pytest.raises(ServiceError) as caught:
        send_with_retries(failing(throttled), time.policy(max_attempts=4, base=0.5, cap=3.0), float("inf"))
    assert caught.value.attempts == 4
    assert time.waits == [1.0, 2.0, 3.0]


def test_very_many_attempts_wait_no_longer_than_the_cap() -> None:
    """The doubling does not overflow, however often somebody wants to try."""
    time = Time()
    with pytest.raises(ServiceError):
        send_with_retries(failing(throttled), time.policy(max_attempts=1500), float("inf"))
    assert max(time.waits) == 20.0


def test_every_attempt_is_written_down() -> None:
    """The log tells each attempt's outcome, code, duration and the wait before it."""
    time = Time()
    errors = iter([throttled(), TransportError("no", sent=False, outcome="NOT_SENT", retryable=True)])

    def send() -> str:
        time.now += 0.25
        error = next(errors, None)
        if error is not None:
            raise error
        return "answer"

    answer, log = send_with_retries(send, time.policy(base=1.0), float("inf"))
    assert answer == "answer"
    assert [(a.outcome, a.code) for a in log] == [
        (Outcome.THROTTLED_OUT, "TooManyRequestsException"),
        (Outcome.NOT_SENT, ""),
        (Outcome.OK, ""),
    ]
    assert [a.elapsed_ms for a in log] == pytest.approx([250.0, 250.0, 250.0])
    assert [a.waited_ms for a in log] == pytest.approx([0.0, 2000.0, 4000.0])


@pytest.mark.parametrize(
    "error",
    [
        TransportError("?", sent=None),
        TransportError("lost", sent=True, outcome="RESULT_LOST"),
        TransportError("bad certificate", sent=False, outcome="NOT_SENT", retryable=False),
        # Whatever says that it may be repeated, what was sent is not.
        TransportError("?", sent=None, retryable=True),
        TransportError("lost", sent=True, outcome="RESULT_LOST", retryable=True),
        ServiceError("oh", status=500, outcome="UNKNOWN"),
        ServiceError("no", status=404, outcome="REJECTED", retry_after=1.0),
        ProfileError("no credentials"),
    ],
    ids=repr,
)
def test_what_may_have_run_or_cannot_succeed_is_sent_once(error: LMError) -> None:
    """An unknown fate, a lost answer, a final refusal and a wrong setup are raised at once."""
    time, sends = Time(), []

    def send() -> None:
        sends.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        send_with_retries(send, time.policy(), float("inf"))
    assert caught.value is error
    assert (len(sends), time.waits) == (1, [])


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("TooManyRequestsException", 429, "THROTTLED_OUT"),
        ("429", 429, "UNKNOWN"),
        ("", 429, "UNKNOWN"),
        ("ThrottlingException", 429, "UNKNOWN"),
        ("", 408, "UNKNOWN"),
        ("", 410, "UNKNOWN"),
        ("", 400, "REJECTED"),
        ("", 301, "REJECTED"),
        ("", 500, "UNKNOWN"),
        ("ENINotReadyException", 502, "UNKNOWN"),
        ("KMSNotFoundException", 502, "REJECTED"),
        ("ServiceQuotaExceededException", 402, "REJECTED"),
        ("DurableExecutionAlreadyStartedException", 409, "REJECTED"),
        ("CodeArtifactUserPendingException", 409, "REJECTED"),
        ("", 0, "UNKNOWN"),
        ("", 600, "UNKNOWN"),
    ],
)
def test_a_refusal_is_believed_only_when_lambda_itself_can_have_said_it(code: str, status: int, outcome: str) -> None:
    """The class follows the typed code; an untyped 408, 410, 429 or 5xx can come from anything on the way."""
    assert classify(code, status) == outcome
