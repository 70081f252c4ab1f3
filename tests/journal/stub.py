"""A Lambda that counts what it runs: by function and by the number `n` in the payload, before it answers."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_HEAD = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: r-{number}\r\nContent-Length: {length}\r\n\r\n"


def answer(number: int) -> bytes:
    """What is answered to the payload of that number."""
    return b'{"answer":%d,"pad":"%s"}' % (number * 7, b"a" * (number % 50))


class Stub:
    """What was run of each function. `slowest` is how many seconds an answer takes at most."""

    def __init__(self) -> None:
        self.url = ""
        self.slowest = 0.003
        self.counts: dict[str, Counter[int]] = {}
        self._more = threading.Condition()

    def ran(self, function: str) -> Counter[int]:
        """How often each number was run."""
        return self.counts.setdefault(function, Counter())

    def wait_for(self, function: str, items: int) -> None:
        """Waits until so many items of the function were run."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.ran(function)) >= items, 30), self.ran(function)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")
                )
                number = json.loads(await reader.readexactly(length))["n"]
                function = head.split(" ")[1].split("/")[3]
                with self._more:
                    self.ran(function)[number] += 1
                    self._more.notify_all()
                await asyncio.sleep(random.uniform(0, self.slowest))
                body = answer(number)
                writer.write(_HEAD.format(number=number, length=len(body)).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):  # who asked was killed
            pass
        finally:
            writer.close()


@contextmanager
def counting_stub() -> Iterator[Stub]:
    """A stub on a free port, in a thread of its own; stopped at the end."""
    stub = Stub()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def run() -> None:
        server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
        stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stopped.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    ready.wait()
    try:
        yield stub
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()
