"""The one retry layer: sends again only what provably did not run.

Which error means what follows the outcome classes: a call that never left, and a refusal by which Lambda says that the
function was not run, may be sent again; a lost answer or an unknown fate never is. Full jitter over an exponential
step, `Retry-After` as the least wait, and no wait beyond the caller's deadline.
"""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Final, TypeVar

from lmfunction._model import Attempt, Outcome
from lmfunction._waiting import pause
from lmfunction.errors import ServiceError, TransportError

T = TypeVar("T")

# Refusals before the function is run, each with its typed error code: the API page of Invoke.
_NOT_RUN_FOR_NOW: Final = frozenset(
    [
        "TooManyRequestsException",
        "ResourceNotReadyException",
        "EC2ThrottledException",
        "ENILimitReachedException",
        "SubnetIPAddressLimitReachedException",
        "ResourceConflictException",
        "SnapStartNotReadyException",
        "SnapStartTimeoutException",
        "EFSMountConnectivityException",
        "EFSMountTimeoutException",
        "S3FilesMountConnectivityException",
        "S3FilesMountTimeoutException",
    ]
)
# 5xx codes that are final refusals all the same.
_NOT_RUN_AT_ALL: Final = frozenset(
    [
        "EC2AccessDeniedException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    ]
)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long: `base` doubles with each wait up to `cap`, both in seconds."""

    max_attempts: int = 5
    base: float = 0.2
    cap: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = field(default=_random.random)

    def resends(self, error: ServiceError | TransportError) -> bool:
        """Whether a call that ended so may be sent again."""
        return may_resend(error)


@dataclass(frozen=True)
class AtLeastOnce(RetryPolicy):
    """The policy of calls that may run twice. `repeated` is called for each of unknown fate that is sent again."""

    repeated: Callable[[], None] = lambda: None

    @classmethod
    def like(cls, policy: RetryPolicy, repeated: Callable[[], None]) -> AtLeastOnce:
        """One that is as patient as `policy`."""
        return cls(**{found.name: getattr(policy, found.name) for found in fields(RetryPolicy)}, repeated=repeated)

    def resends(self, error: ServiceError | TransportError) -> bool:
        """Whether a call that ended so may be sent again."""
        return may_resend(error) or error.outcome == Outcome.UNKNOWN


def classify(code: str, status: int) -> Outcome:
    """What a refusal by the service says about the function: not run for now, not run, or unknown.

    An untyped 429 or 5xx may come from something between here and Lambda, so nothing is known.
    """
    if code in _NOT_RUN_FOR_NOW:
        return Outcome.THROTTLED_OUT
    if code in _NOT_RUN_AT_ALL or 300 <= status < 400:
        return Outcome.REJECTED
    if 400 <= status < 500 and status not in (408, 410, 429):
        return Outcome.REJECTED
    return Outcome.UNKNOWN


def send_with_retries(send: Callable[[], T], policy: RetryPolicy, deadline: float) -> tuple[T, tuple[Attempt, ...]]:
    """What `send` gives, and the attempts it took. `deadline` is in the policy's clock.

    Raises the last ServiceError or TransportError with `attempts` set.
    """
    attempts: list[Attempt] = []
    waited = 0.0
    while True:
        start = policy.clock()
        try:
            reply = send()
        except (ServiceError, TransportError) as error:
            now = policy.clock()
            code = error.code if isinstance(error, ServiceError) else ""
            attempts.append(Attempt(Outcome(error.outcome), code, (now - start) * 1000, waited * 1000))
            error.attempts = len(attempts)
            waited = _wait(error, policy, len(attempts))
            if not policy.resends(error) or len(attempts) >= policy.max_attempts or now + waited >= deadline:
                raise
            if isinstance(policy, AtLeastOnce) and error.outcome == Outcome.UNKNOWN:
                policy.repeated()
            pause(waited, policy.sleep)
        else:
            attempts.append(Attempt(Outcome.OK, "", (policy.clock() - start) * 1000, waited * 1000))
            return reply, tuple(attempts)


def may_resend(error: ServiceError | TransportError) -> bool:
    """Whether the call provably did not run, and may succeed another time."""
    if isinstance(error, TransportError):
        return error.retryable and error.sent is False
    return error.outcome == Outcome.THROTTLED_OUT


def _wait(error: ServiceError | TransportError, policy: RetryPolicy, attempt: int) -> float:
    jitter = policy.random() * min(policy.cap, policy.base * 2.0 ** min(attempt, 64))
    least = error.retry_after if isinstance(error, ServiceError) and error.retry_after else 0.0
    return least + jitter
