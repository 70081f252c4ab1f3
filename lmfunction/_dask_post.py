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
_PATIENCE: Final = 5.0  # seconds that reading is given to end
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
    """The messages to one reader, read in a thread of its own. `rung` is set when some came, or none can come."""

    def __init__(self, client: Any, name: str, rung: threading.Event) -> None:
        self.broken: Exception | None = None
        self._rung = rung
        self._found: collections.deque[Message] = collections.deque()
        self._queue = client.sync(_queue, client, name, callback_timeout=ANSWER)
        self._thread = threading.Thread(target=self._read, name="invoke-inbox", daemon=True)
        self._thread.start()

    def take(self) -> list[Message]:
        """The messages that came since the last time."""
        found = self._found
        return [found.popleft() for _ in range(len(found))]

    def close(self) -> None:
        """Ends reading, and removes the queue."""
        with contextlib.suppress(Exception):  # of a cluster that is gone
            if self.broken is None:
                self._queue.put({_END: True}, callback_timeout=_PATIENCE)
            self._thread.join(_PATIENCE)
            self._queue.close()

    def _read(self) -> None:
        while True:
            try:
                # Without a timeout, each of which the scheduler would log as an error: `close` ends the waiting.
                messages = [self._queue.get()]
                messages += self._queue.get(batch=True)
            except Exception as error:  # noqa: BLE001 - nobody else would see it
                self.broken = error
                self._rung.set()
                return
            self._found.extend(message for message in messages if _END not in message)
            self._rung.set()
            if any(_END in message for message in messages):
                return


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
