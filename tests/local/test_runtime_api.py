"""The Runtime API's short way for a result and the next poll answers as the long way does, however the bytes arrive."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmfunction import _wire
from lmfunction.local import _runtime_api
from lmfunction.local._functions import Configuration
from lmfunction.local._invocation import Invocation
from lmfunction.local._runtime_api import RuntimeApi

ID = "8e6a3a1c-0000-4000-8000-00000000000{}"
PIECES = {"whole": None, "head and rest": 60, "bytes": 1}


class Sandbox:
    """Hands out events one after the other, and notes what comes back."""

    def __init__(self) -> None:
        self.results: list[tuple[str, bytes, bool, bool]] = []
        self.count = 0

    def process_polls(self, api: RuntimeApi) -> None:
        self.count += 1
        configuration = Configuration("f", "arn:f", Path(), "a.b")
        api.hand_over(
            Invocation(ID.format(self.count), configuration, "arn:f", b'{"n":%d}' % self.count, done=lambda i, o: None)
        )

    def process_responds(self, request_id: str, payload: bytes, *, error: bool, oversized: bool) -> bool:
        if request_id != ID.format(self.count):
            return False
        self.results.append((request_id, payload, error, oversized))
        return True

    def process_streams(self, request_id: str, content_type: str) -> None:
        raise AssertionError(request_id)

    def process_has_streamed(self, response: Any, error: bytes | None) -> None:
        raise AssertionError(response)

    def process_fails_to_start(self, payload: bytes) -> None:
        raise AssertionError(payload)


def talk(result: str, body: bytes, piece: int | None, *, host: str = "{}", poll: bool = True) -> tuple[Sandbox, bytes]:
    """What the server says to a poll, and then to a result with the next poll, sent in pieces; without dates."""

    async def run() -> tuple[Sandbox, bytes]:
        sandbox = Sandbox()
        api = RuntimeApi(sandbox)
        await asyncio.sleep(0)
        own, port = api.address.split(":")
        reader, writer = await asyncio.open_connection(own, int(port))
        next_poll = f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api.address}\r\n\r\n".encode()
        writer.write(next_poll)
        await reader.readuntil(b'{"n":1}')
        head = f"POST /2018-06-01/runtime/invocation/{result} HTTP/1.1\r\nHost: {host.format(api.address)}\r\n"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + (next_poll if poll else b"")
        for start in range(0, len(data), piece or len(data)):
            writer.write(data[start : start + (piece or len(data))])
            if piece:
                await asyncio.sleep(0)
        writer.write_eof()
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
        api.close()
        await asyncio.sleep(0)
        return sandbox, said

    sandbox, said = asyncio.run(run())
    return sandbox, re.sub(rb"(Date|Connection|Lambda-Runtime-Deadline-Ms): [^\r]*\r\n", b"", said)


@pytest.mark.parametrize("piece", PIECES.values(), ids=list(PIECES))
@pytest.mark.parametrize("kind", ["response", "error"])
def test_result_and_poll(kind: str, piece: int | None) -> None:
    """The result is taken, and the word that it is and the next event go out in this order."""
    sandbox, said = talk(f"{ID.format(1)}/{kind}", b'{"a": 1}', piece)
    assert sandbox.results == [(ID.format(1), b'{"a": 1}', kind == "error", False)]
    assert said.startswith(b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n")
    assert said.endswith(b'{"n":2}')
    assert said == talk(f"{ID.format(1)}/{kind}", b'{"a": 1}', 60)[1]


@pytest.mark.parametrize("piece", PIECES.values(), ids=list(PIECES))
def test_result_of_another_event(piece: int | None) -> None:
    """A result for an event that is not the current one is refused, and the poll behind it is answered."""
    sandbox, said = talk(f"{ID.format(7)}/response", b"1", piece)
    assert sandbox.results == []
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"InvalidRequestID" in said
    assert said.endswith(b'{"n":2}')


def test_result_from_a_stranger() -> None:
    """The short way looks at the Host as the long way does."""
    sandbox, said = talk(f"{ID.format(1)}/response", b"1", None, host="evil.example:80")
    assert sandbox.results == []
    assert said.startswith(b"HTTP/1.1 403 ")


def test_result_without_a_poll() -> None:
    """A runtime that asks for the next event later has its result taken at once."""
    sandbox, said = talk(f"{ID.format(1)}/response", b"1", None, poll=False)
    assert sandbox.results == [(ID.format(1), b"1", False, False)]
    assert said.startswith(b"HTTP/1.1 202 ")
    assert b'{"n":2}' not in said


def test_oversized_result() -> None:
    """A result over the limit is told so, whichever way it takes."""
    sandbox, said = talk(f"{ID.format(1)}/response", b"x" * (_wire.SYNC_RESPONSE_LIMIT + 1), None)
    assert [oversized for _, _, _, oversized in sandbox.results] == [True]
    assert said.endswith(b'{"n":2}')


def test_our_own_loop_has_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered there as on the port, however long the handler took to load; a stranger has to hurry."""
    monkeypatch.setattr(_runtime_api, "_LIMITS", replace(_runtime_api._LIMITS, head_seconds=0.02))

    async def run() -> tuple[bytes, bytes]:
        api = RuntimeApi(Sandbox())
        reader, writer = await asyncio.open_connection(sock=api.connection())
        own, port = api.address.split(":")
        strange_reader, stranger = await asyncio.open_connection(own, int(port))
        said_to_stranger = await strange_reader.read()  # until it is sent away
        writer.write(f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api.address}\r\n\r\n".encode())
        said = await reader.readuntil(b'{"n":1}')
        for one in (writer, stranger):
            one.close()
            await one.wait_closed()
        api.close()
        await asyncio.sleep(0)
        return said, said_to_stranger

    said, said_to_stranger = asyncio.run(run())
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said_to_stranger == b""
