"""Messages between the owner of a run and its senders on a Dask cluster, over the cluster's own connections.

Each reader has a queue at the scheduler, to which every process of the cluster is connected already: no port has to be
open from a worker to the owner. A message is plain data (numbers, text, bytes, lists, mappings with text as keys).
"""

from __future__ import annotations

import collections
import contextlib
import threading
from typing import Any, Final

Message = dict[str, Any]
ANSWER: Final = 30.0  # seconds that the scheduler is given to answer
_PATIENCE: Final = 5.0  # seconds that reading is given to end
_END: Final = "end of reading"


class Inbox:
    """The messages to one reader, read in a thread of its own. `rung` is set when some came, or none can come."""

    def __init__(self, client: Any, name: str, rung: threading.Event) -> None:
        self.broken: Exception | None = None
        self._rung = rung
        self._found: collections.deque[Message] = collections.deque()
        self._queue = _queue(client, name)
        self._thread = threading.Thread(target=self._read, name="invoke-inbox", daemon=True)
        self._thread.start()

    def take(self) -> list[Message]:
        """The messages that came since the last time."""
        found = self._found
        return [found.popleft() for _ in range(len(found))]

    def close(self) -> None:
        """Ends reading, and removes the queue."""
        with contextlib.suppress(Exception):  # of a cluster that is gone
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
        self._queue = _queue(client, name)

    def post(self, message: Message) -> None:
        """Sends one message. Raises what the cluster's connection raises."""
        self._queue.put(message, callback_timeout=ANSWER)

    def close(self) -> None:
        """Lets go of the queue."""
        with contextlib.suppress(Exception):
            self._queue.close()


def _queue(client: Any, name: str) -> Any:
    from distributed import Queue

    return Queue(name, client=client)
