"""Errors made of what a journal holds of them."""

from __future__ import annotations

import pytest

import lmfunction as lm
from lmfunction._ledger import HANDED_OVER, Settlement
from lmfunction._recalled import error_of

REASON = "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_throttled_call_has_its_reason() -> None:
    """The words of AWS are not written down, their reason is."""
    error = error_of(Settlement(3, 2, "THROTTLED_OUT", 429, "TooManyRequestsException", REASON, "r-1"))
    assert isinstance(error, lm.ServiceError)
    assert (error.code, error.status, error.reason, error.outcome, error.attempts, error.request_id) == (
        "TooManyRequestsException",
        429,
        REASON,
        "THROTTLED_OUT",
        2,
        "r-1",
    )
    assert str(error) == f"AWS answered 429 TooManyRequestsException ({REASON})."


@pytest.mark.parametrize("code", ["ServiceException", "TooManyRequestsException"])
def test_words_are_no_reason(code: str) -> None:
    """Where AWS gave no reason, what it said stands in its place."""
    told = f"AWS answered 429 {code}: Rate exceeded"
    error = error_of(Settlement(3, 2, "THROTTLED_OUT", 429, code, told))
    assert isinstance(error, lm.ServiceError)
    assert (str(error), error.reason) == (told, None)


@pytest.mark.parametrize("kind", [lm.ParameterError, lm.GuardError, lm.ProfileError, lm.JournalError])
def test_a_call_that_was_refused_here_tells_so(kind: type[lm.LMError]) -> None:
    """Its error has the class that it had."""
    error = error_of(Settlement(3, 0, "NOT_SENT", None, kind.__name__, "Qualifier: no."))
    assert (type(error), str(error)) == (kind, "Qualifier: no.")


@pytest.mark.parametrize(
    ("outcome", "sent"), [("NOT_SENT", False), ("UNKNOWN", None), ("RESULT_LOST", True), (HANDED_OVER, None)]
)
def test_a_call_without_an_answer_tells_what_is_known(outcome: str, sent: bool | None) -> None:
    """Whether it was sent follows from its outcome; what somebody else has is as good as unknown."""
    error = error_of(Settlement(3, 1, outcome, None, "TransportError", "it broke"))
    assert isinstance(error, lm.TransportError)
    assert (error.sent, error.outcome, str(error)) == (
        sent,
        "UNKNOWN" if outcome == HANDED_OVER else outcome,
        "it broke",
    )
