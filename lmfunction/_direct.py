"""Single calls over connections of our own: what `Transport` does without what boto3 takes for each call.

boto3's client still says where a call goes, whom it trusts and whose credentials sign it (`_line`); what only boto3
can do is left to it. The thread that waits does everything, so that Ctrl-C, ticks and at-most-once are those of one
thread.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Final

from lmfunction._boto import BEFORE_SIGNING, Connection
from lmfunction._connection_pool import Pool
from lmfunction._http_answer import AnswerReader
from lmfunction._line import Line
from lmfunction._request import InvokeRequest
from lmfunction._sending import Address, Head, Sending, head_of
from lmfunction._signing import SigningKey
from lmfunction._transport import Reply, Transport, reply_of, translate
from lmfunction._waiting import STEP, TICK
from lmfunction.errors import LMError

_LOG: Final = logging.getLogger("botocore")  # whoever reads its DEBUG log finds every call there
_LONGEST_WAIT: Final = 5.0  # seconds between two looks at the clock
_ADDRESSES: Final = 64  # kept ready by each lane


class DirectTransport(Transport):
    """A transport whose calls go over connections of its own wherever they can. Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._free: list[_Lane] = []  # the latest used last
        # Whoever forgets to close a session leaves no connection behind.
        weakref.finalize(self, _close_all, self._free)
        self._key: SigningKey | None = None

    def ready(self) -> None:
        """Gets the credentials, or renews them, as `Transport.ready` does; they sign from now on."""
        if not self.connection.signed:
            return
        credential = self.credential()
        if self._key is None or self._key.credential != credential:
            self._key = SigningKey(credential, self.connection.region)

    def send(self, request: InvokeRequest) -> Reply:
        """Sends `request` once. Raises ServiceError for a refusal, TransportError when there is no whole answer."""
        line = self.line()
        if not isinstance(line, Line) or BEFORE_SIGNING.get() is not None or _LOG.isEnabledFor(logging.DEBUG):
            return super().send(request)
        if self._key is None:
            self.ready()
        assert self._key is not None
        try:
            lane = self._free.pop()
        except IndexError:
            lane = _Lane(line)
        try:
            reply = lane.exchange(request, self._key)
        except LMError:
            self._free.append(lane)
            raise
        except BaseException:  # Ctrl-C: what is under way will be heard of no more
            lane.close()
            raise
        self._free.append(lane)
        return reply

    def close(self) -> None:
        """Closes the connections."""
        super().close()
        _close_all(self._free)


def _close_all(lanes: list[_Lane]) -> None:
    while lanes:
        lanes.pop().close()


class _Lane:
    """One call at a time, over the connections that it keeps."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pool = Pool(self._answered, self._unsent)
        self._key: SigningKey | None = None
        self._addresses: dict[Head, Address] = {}
        self._outcomes: list[Callable[[], Reply]] = []

    def exchange(self, request: InvokeRequest, key: SigningKey) -> Reply:
        """The reply to `request`. Raises ServiceError, TransportError."""
        if key is not self._key:
            self._key = key
            self._addresses.clear()
        pool, tick = self._pool, TICK.get()
        pool.turn(0.0)  # a connection that the other end has closed meanwhile is seen now
        pool.send(Sending(None, None, self._address(request, key), request.payload, stops=False))
        if tick is not None:
            tick()  # the wait begins
        wait = _LONGEST_WAIT if tick is None else STEP
        while not self._outcomes:
            pool.turn(wait)
            if tick is not None:
                tick()
        return self._outcomes.pop()()

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    def _address(self, request: InvokeRequest, key: SigningKey) -> Address:
        head = head_of(request)
        found = self._addresses.get(head)
        if found is None:
            if len(self._addresses) >= _ADDRESSES:
                self._addresses.clear()
            found = self._addresses[head] = Address.of(self._line, request, key)
        return found

    def _answered(self, _: Sending, answer: AnswerReader, cut: Exception | None) -> None:
        self._outcomes.append(lambda: reply_of(answer, cut))

    def _unsent(self, _: Sending, error: Exception) -> None:
        def fail() -> Reply:
            raise translate(error) from error

        self._outcomes.append(fail)
