"""Messages between the owner of a run and its senders on a Dask cluster, over the cluster's own connections.

Each reader has a queue at the scheduler, to which every process of the cluster is connected already: no port has to be
open from a worker to the owner. A message is plain data (numbers, text, bytes, lists, mappings with text as keys).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import threading
import time
from concurrent.futures import Future
from typing import Any, Final

Message = dict[str, Any]
ANSWER: Final = 30.0  # seconds that the scheduler is given to answer
_PATIENCE: Final = 3.0  # seconds that reading is given to end
_END: Final = "end of reading"


class Asked:
    """Something that the scheduler was asked, for one who does not stand still until it answers: `rung` is set then."""

    def __init__(self, client: Any, question: Any, rung: threading.Event) -> None:
        self._answer: Future[Any] = asyncio.run_coroutine_threadsafe(question, client.loop.asyncio_loop)
        self._answer.add_done_callback(lambda _: rung.set())
        self._until = time.monotonic() + ANSWER

    def answered(self) -> bool:
        """Whether it has answered. Raises TimeoutError when that takes too long."""
        if not self._answer.done() and time.monotonic() > self._until:
            self._answer.cancel()
            raise TimeoutError(f"no answer in {ANSWER:.0f} s")
        return self._answer.done()

    def result(self) -> Any:
        """The answer, which is there. Raises what the cluster's connection raises."""
        return self._answer.result(0)


class Inbox:
    """The messages to one reader. `rung` is set when some came, or none can come: `broken` says why."""

    def __init__(self, client: Any, name: str, rung: threading.Event) -> None:
        self.broken: Exception | None = None
        self._client = client
        self._rung = rung
        self._found: collections.deque[Message] = collections.deque()
        self._queue = client.sync(_queue, client, name, callback_timeout=ANSWER)
        self._reading: Future[None] = asyncio.run_coroutine_threadsafe(self._read(), client.loop.asyncio_loop)
        self._reading.add_done_callback(self._over)

    def take(self) -> list[Message]:
        """The messages that came since the last time."""
        found = self._found
        return [found.popleft() for _ in range(len(found))]

    def close(self, *, gone: bool = False) -> None:
        """Ends reading, and removes the queue; `gone` when the scheduler would not hear of it."""
        with contextlib.suppress(Exception):
            if not (gone or self._reading.done()):
                # In place of breaking it off, which the scheduler would not notice: it would wait for ever.
                self._client.sync(self._queue.put, {_END: True}, callback_timeout=_PATIENCE)
                self._reading.result(_PATIENCE)
        self._reading.cancel()
        with contextlib.suppress(Exception):
            self._queue.close()

    async def _read(self) -> None:
        while True:
            # Without a timeout, each of which the scheduler would log as an error.
            messages = [await self._queue.get()]
            messages += await self._queue.get(batch=True)
            self._found.extend(message for message in messages if _END not in message)
            self._rung.set()
            if any(_END in message for message in messages):
                return

    def _over(self, reading: Future[None]) -> None:
        error = ConnectionError("its client was closed") if reading.cancelled() else reading.exception()
        if isinstance(error, Exception):
            self.broken = error
        self._rung.set()


class Outbox:
    """Puts messages into another process's queue."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name
        self._queue: Any = None
        self._posting: Asked | None = None

    def post(self, message: Message) -> None:
        """Sends one message, and waits until it is there. Raises what the cluster's connection raises."""
        self._client.sync(self._put, message, callback_timeout=ANSWER)

    def free(self) -> bool:
        """Whether the last message that was begun is there. Raises what the cluster's connection raises."""
        if self._posting is not None and self._posting.answered():
            self._posting.result()
            self._posting = None
        return self._posting is None

    def begin(self, message: Message, rung: threading.Event) -> None:
        """Sends one message without waiting; `rung` is set when it is there. Only while it is `free`, for messages must
        not overtake each other.
        """
        self._posting = Asked(self._client, self._put(message), rung)

    async def _put(self, message: Message) -> None:
        if self._queue is None:
            self._queue = await _queue(self._client, self._name)
        await self._queue.put(message)


async def _queue(client: Any, name: str) -> Any:
    from distributed import Queue

    return await Queue(name, client=client)
