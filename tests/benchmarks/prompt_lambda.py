"""A Lambda of its own process that answers each call with its event after a fixed time, and does as little as it can.

`counting.py` costs three times as much a call, and would be what is measured where calls are many and short. This one
counts nothing, speaks plain HTTP alone, and takes requests that come in one piece or in several. As a program it serves
until its standard input ends: `python prompt_lambda.py SECONDS`.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 13:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\nx-amzn-RequestId: 11111111-2222-3333-4444-%012d\r\n"
    b"X-Amz-Executed-Version: $LATEST\r\n\r\n%b"
)


def body_of(data: bytes) -> bytes | None:
    """The body of a request; None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    at = data.find(b"Content-Length: ", 0, max(end, 0))
    if at < 0:
        return None
    length = int(data[at + 16 : data.find(b"\r\n", at)])
    body = data[end + 4 :]
    return body if len(body) >= length else None


def serve(delay: float) -> None:
    """Serves until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    ready = select.epoll()
    ready.register(listener.fileno(), select.EPOLLIN)
    ready.register(0, select.EPOLLIN | select.EPOLLHUP)
    open_ones: dict[int, socket.socket] = {}
    begun: dict[int, bytes] = {}
    waiting: collections.deque[tuple[float, socket.socket, bytes]] = collections.deque()
    number = 0
    while True:
        for descriptor, _ in ready.poll(max(waiting[0][0] - time.monotonic(), 0.0) if waiting else -1):
            if descriptor == 0:
                if not os.read(0, 1):
                    return
            elif descriptor == listener.fileno():
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock, _ = listener.accept()
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        open_ones[sock.fileno()] = sock
                        ready.register(sock.fileno(), select.EPOLLIN)
            else:
                sock = open_ones[descriptor]
                data = b""
                with contextlib.suppress(ConnectionError):
                    data = sock.recv(65_536)
                if not data:
                    del open_ones[descriptor]
                    sock.close()
                    continue
                body = body_of(begun.pop(descriptor, b"") + data)
                if body is None:
                    begun[descriptor] = data
                    continue
                number += 1
                waiting.append((time.monotonic() + delay, sock, _HEAD % (len(body), number, body)))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, sock, answer = waiting.popleft()
            with contextlib.suppress(OSError):
                sock.sendall(answer)


@contextlib.contextmanager
def prompt_lambda(delay: float) -> Iterator[str]:
    """Serves in another process; gives the URL."""
    line = [sys.executable, __file__, str(delay)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    serve(float(sys.argv[1]))
