"""The engine of many calls: one thread that sends, waits, reads and sends again what may be sent again.

Its caller hands over calls (`submit`) and takes those that ended (`take`); between the two stand a queue of what is
ready, the window of `_traffic`, and the connections of `_connection_pool`. What was refused because of throttling goes
to the back of the queue and does not count as an attempt; other refusals that provably did not run are repeated out of
a budget; what may have run is never sent again, unless `at_least_once` says so.

With a ledger a call is sent only after its intent is on the disk, and intents are written only for calls that can go.
"""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from lmfunction._connection_pool import Pool
from lmfunction._http_answer import AnswerReader
from lmfunction._ledger import Entry, Ledger, Settlement
from lmfunction._model import Attempt, Outcome
from lmfunction._retry import RetryPolicy, may_resend
from lmfunction._sending import Sending
from lmfunction._settlements import answered, refused
from lmfunction._signing import Signer, SigningKey
from lmfunction._text import one_line
from lmfunction._traffic import Course, Traffic
from lmfunction._transport import reply_of, translate
from lmfunction.errors import LMError, ServiceError, TransportError

_THROTTLED: Final = "TooManyRequestsException"
# Refusals of the credentials themselves: every other call would be refused too.
EXPIRED: Final = frozenset(
    [
        "ExpiredTokenException",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "TokenRefreshRequired",
    ]
)
_LONGEST_WAIT: Final = 5.0
_READ_AHEAD: Final = 16  # from so many calls at a time on, a quarter more is kept ready


class HttpEngine:
    """Sends calls in a thread of its own. Every method is for one other thread, the caller's."""

    def __init__(
        self,
        traffic: Traffic,
        policy: RetryPolicy,
        *,
        ledger: Ledger | None = None,
        at_least_once: bool = False,
    ) -> None:
        self.traffic = traffic
        self.possible_duplicates = 0
        self.course = Course(time.monotonic())
        self.expired: ServiceError | None = None
        self.failure: LMError | None = None  # a fault in here, after which nothing is sent any more
        self._policy = policy
        self._ledger = ledger
        self._at_least_once = at_least_once
        limit = traffic.limit
        self._ahead = limit // 4 if limit >= _READ_AHEAD else 0
        self._new: collections.deque[Sending] = collections.deque()
        self._ready: collections.deque[Sending] = collections.deque()
        self._intending: dict[int, Sending] = {}
        self._committed: collections.deque[tuple[Sequence[Entry], LMError | None]] = collections.deque()
        self._delayed: list[tuple[float, int, Sending]] = []
        self._numbers = itertools.count()
        self._done: collections.deque[Sending] = collections.deque()
        self._ended: list[Sending] = []  # in this turn; told when their settlements are handed over
        self._settlements: list[Settlement] = []
        self._in_flight = 0
        self._open = 0
        self._bell = threading.Event()
        self._alarm_out, self._alarm_in = socket.socketpair()
        self._alarm_in.setblocking(False)
        self._alarm_out.setblocking(False)
        self._pool = Pool(self._answered, self._unsent, self._go_on_sending, shared=True)
        self._pool.watch(self._alarm_out)
        self._feeding = True
        self._left: list[Sending] = []
        self._closing = False
        self._keys: collections.deque[Sequence[tuple[Signer, SigningKey]]] = collections.deque()
        self._wall = policy.clock is time.monotonic
        self._thread = threading.Thread(target=self._run, name="invoke-engine", daemon=True)
        self._thread.start()

    @property
    def in_flight(self) -> int:
        """How many calls are under way or held back for their next try."""
        return self._open

    @property
    def wants(self) -> int:
        """How many more calls may be handed over."""
        return self.traffic.limit + self._ahead - self._open if self._feeding else 0

    def submit(self, sendings: Sequence[Sending]) -> None:
        """Hands over calls."""
        self._open += len(sendings)
        self._new.extend(sendings)
        self._alarm()

    def take(self) -> list[Sending]:
        """The calls that ended since the last time."""
        self._bell.clear()
        done = self._done
        found = [done.popleft() for _ in range(len(done))]
        self._open -= len(found)
        return found

    def was_lost(self, seq: int) -> bool:
        """Whether an item was lost with its sender; one that sends here is not."""
        return False

    def wait(self, seconds: float) -> None:
        """Waits until there is something to take or to hand over, at most so long."""
        self._bell.wait(seconds)

    def stop_sending(self) -> None:
        """Lets nothing more be sent, not even again; calls under way go on. What did not go ends as not sent."""
        self._feeding = False
        self._alarm()

    def sign_with(self, keys: Sequence[tuple[Signer, SigningKey]]) -> None:
        """Signs with other credentials from now on, and goes on where old ones were refused."""
        self._keys.append(keys)
        self._alarm()

    def abandon(self) -> list[Sending]:
        """Ends at once; gives the calls that were under way, which nobody will hear of."""
        if not self._closing:
            self._feeding = False
            self._closing = True
            self._alarm()
            self._thread.join()
            self._alarm_out.close()
            self._alarm_in.close()
        return self._left

    # From here on everything is the engine's own thread.

    def _alarm(self) -> None:
        with contextlib.suppress(OSError):
            self._alarm_in.send(b"!")

    def _run(self) -> None:
        try:
            while not self._closing:
                self._turn()
        except Exception as error:  # noqa: BLE001 - a thread that ended would let its caller wait for ever
            self._broke(error)
        finally:
            self._pool.leave_open()
            self._left = self._pool.forget()
            self._pool.close()
            self._bell.set()

    def _broke(self, error: Exception) -> None:
        """Ends everything, because of a fault in here: what was under way is unknown, the rest was not sent."""
        self.failure = _inside(error)
        self._feeding = False
        for sending in self._pool.forget():
            sending.error = _inside(error)
            self._ended.append(sending)
        self._ready.extend(self._intending.values())
        self._give_up_the_rest()
        self._hand_over()
        self._bell.set()

    def _turn(self) -> None:
        now = self._policy.clock()
        while self._keys:
            for signer, key in self._keys.popleft():
                signer.use(key)
            self.expired = None
        self._ready.extend(self._arrived())
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.append(heapq.heappop(self._delayed)[2])
        while self._committed:
            self._go_on(*self._committed.popleft())
        if not self._feeding:
            self._give_up_the_rest()
        elif self._ready and self.expired is None:
            self._send_some(now, self.traffic.limit)
        self._hand_over()
        self._ring()
        self.course.note(time.monotonic(), self._in_flight, self.traffic.throttled_count)
        self._pool.turn(self._patience(now))
        self._hand_over()

    def _hand_over(self) -> None:
        """Tells the ledger, then the caller, what ended: together, for each is another thread."""
        if self._settlements and self._ledger is not None:
            self._ledger.settle(self._settlements)
            self._settlements = []
        if self._ended:
            self._done.extend(self._ended)
            self._ended = []

    def _arrived(self) -> Iterable[Sending]:
        new = self._new
        return [new.popleft() for _ in range(len(new))]

    def _patience(self, now: float) -> float:
        """How long the network may be waited for. Where time is not the wall's, it is let pass here."""
        until = now + _LONGEST_WAIT
        if self._feeding and self._delayed:
            until = self._delayed[0][0]
        if self._feeding and self._ready and self.expired is None:
            until = min(until, self.traffic.wakes_at(now)) if self.traffic.wakes_at(now) > now else until
        wait = max(until - now, 0.0)
        if self._wall or self._in_flight or self._new or self.expired or not (self._delayed or self._ready):
            return min(wait, _LONGEST_WAIT)
        self._policy.sleep(wait)
        return 0.0

    def _go_on_sending(self, most: int) -> None:
        """While many answers are read: lets some calls go, for Lambda would have nothing to do until all are read."""
        if self._ledger is None and self._feeding and self.expired is None:
            self._ready.extend(self._arrived())
            self._send_some(self._policy.clock(), most)
        self._hand_over()
        self._ring()

    def _send_some(self, now: float, most: int) -> None:
        claimed = self._in_flight + len(self._intending)
        room = min(self.traffic.room(claimed, now), most, len(self._ready))
        if room <= 0:
            return
        going = [self._ready.popleft() for _ in range(room)]
        self.traffic.went(room, now)
        if self._ledger is None:
            for sending in going:
                self._send(sending)
            return
        entries: list[Entry] = []
        for sending in going:
            entry = sending.item.input.entry
            self._intending[entry.seq] = sending
            entries.append(entry)
        self._ledger.intend(entries, self._commit)

    def _commit(self, entries: Sequence[Entry], error: LMError | None) -> None:
        """Of the ledger's thread: what is on the disk may go."""
        self._committed.append((entries, error))
        self._alarm()

    def _go_on(self, entries: Sequence[Entry], error: LMError | None) -> None:
        for entry in entries:
            sending = self._intending.pop(entry.seq)
            if error is not None:
                self._fail(sending, error)
                self._feeding = False
            elif self._feeding:
                sending.intended = True
                self._send(sending)
            else:
                sending.intended = True
                self._ready.append(sending)

    def _send(self, sending: Sending) -> None:
        now = self._policy.clock()
        if not sending.began:
            sending.began = now
            sending.deadline = now + sending.address.line.read_timeout
        sending.started = now
        self._in_flight += 1
        self._pool.send(sending)

    def _answered(self, sending: Sending, answer: AnswerReader, cut: Exception | None) -> None:
        self._in_flight -= 1
        now = self._policy.clock()
        try:
            reply = reply_of(answer, cut)
        except LMError as error:
            self._went_wrong(sending, error, now)
            return
        except Exception as error:  # noqa: BLE001 - an answer that nobody foresaw must not end the others
            self._fail(sending, _inside(error))
            return
        self.traffic.succeeded(now - sending.started, now)
        sending.reply = reply
        sending.seconds = now - sending.began
        if sending.attempts:
            took = (now - sending.started) * 1000
            sending.attempts = (*sending.attempts, Attempt(Outcome.OK, "", took, sending.last_wait * 1000))
        if self._ledger is not None:
            self._settlements.append(answered(sending, reply))
        self._ended.append(sending)
        if sending.stops and "x-amz-function-error" in reply.headers:
            self._feeding = False

    def _unsent(self, sending: Sending, error: Exception) -> None:
        self._in_flight -= 1
        self._went_wrong(sending, translate(error), self._policy.clock())

    def _went_wrong(self, sending: Sending, error: LMError, now: float) -> None:
        outcome = str(getattr(error, "outcome", Outcome.UNKNOWN))
        code = error.code if isinstance(error, ServiceError) else ""
        took = (now - sending.started) * 1000
        sending.attempts = (*sending.attempts, Attempt(Outcome(outcome), code, took, sending.last_wait * 1000))
        if isinstance(error, ServiceError) and code in EXPIRED and error.outcome == Outcome.REJECTED and self._feeding:
            self._pause(sending, error)
            return
        wait = self._wait_before_the_next(sending, error, now)
        if wait is None:
            self._fail(sending, error)
            return
        if self._ledger is not None:
            self._settlements.append(refused(sending, error, final=False))
        sending.intended = False
        sending.last_wait = wait
        heapq.heappush(self._delayed, (now + wait, next(self._numbers), sending))

    def _wait_before_the_next(self, sending: Sending, error: LMError, now: float) -> float | None:
        """Seconds to wait before the call is sent again; None when it is not."""
        if isinstance(error, ServiceError) and error.code == _THROTTLED and error.outcome == Outcome.THROTTLED_OUT:
            self.traffic.throttled(error.reason, error.retry_after, self._in_flight, now)
            sending.throttles += 1
            wait = self.traffic.pause(sending.throttles)
            return wait if self._feeding and now + wait < sending.deadline else None
        unknown = getattr(error, "outcome", "") == Outcome.UNKNOWN
        if not isinstance(error, ServiceError | TransportError) or not (
            may_resend(error) or (self._at_least_once and unknown)
        ):
            return None
        sending.tries += 1
        wait = (getattr(error, "retry_after", None) or 0.0) + self.traffic.pause(sending.tries)
        if not self._feeding or sending.tries >= self._policy.max_attempts or now + wait >= sending.deadline:
            return None
        if not self.traffic.may_repeat():
            return None
        self.possible_duplicates += unknown
        return wait

    def _pause(self, sending: Sending, error: ServiceError) -> None:
        """Holds everything back, because the credentials are no longer taken: the caller gets others, or ends."""
        if self._ledger is not None:
            self._settlements.append(refused(sending, error, final=False))
        sending.error = error
        sending.intended = False
        self._ready.appendleft(sending)
        self.expired = error
        self._bell.set()

    def _fail(self, sending: Sending, error: LMError) -> None:
        if isinstance(error, ServiceError | TransportError):
            error.attempts = max(len(sending.attempts), 1)
        sending.error = error
        if self._ledger is not None:
            self._settlements.append(refused(sending, error, final=True))
        self._ended.append(sending)
        if sending.stops:
            self._feeding = False

    def _give_up_the_rest(self) -> None:
        """Ends what has not gone, and will not: each is told why, and that it did not run."""
        waiting = [*self._arrived(), *self._ready, *(entry[2] for entry in self._delayed)]
        self._ready.clear()
        self._delayed.clear()
        for sending in waiting:
            if sending.error is None:
                again = " again; it did not run" if sending.attempts else ""
                sending.error = TransportError(f"Stopped before it was sent{again}.", sent=False, outcome="NOT_SENT")
            if self._ledger is not None and sending.intended:
                self._settlements.append(refused(sending, sending.error, final=False))
            self._ended.append(sending)

    def _ring(self) -> None:
        """Wakes the caller when it has something to do: not for each call that ended, where more are ready to go."""
        if self._done and (not self._feeding or len(self._ready) <= self._ahead // 2):
            self._bell.set()


def _inside(error: Exception) -> TransportError:
    return TransportError(
        f"The call failed inside lmfunction: {one_line(f'{type(error).__name__}: {error}', 200)}.", sent=None
    )
