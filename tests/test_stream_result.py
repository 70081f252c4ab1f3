"""A streamed answer as a value: text never cut inside a character, the end's members, what breaks off."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmfunction as lm
from lmfunction._event_stream import EventStream
from lmfunction._live_text import KEPT, LiveLines, LiveText
from lmfunction._model import InvokeResult
from lmfunction._progress import Progress
from lmfunction._request import InvokeRequest, Target
from lmfunction._stream_result import Ending, StreamResult

REQUEST = InvokeRequest("f", b"{}", target=Target("eu-west-1"))
LOG = "U1RBUlQK"


class Bits:
    """A source that gives what it is told, in turn."""

    def __init__(self, *given: Any) -> None:
        self.left = [*given]
        self.asked = 0
        self.closed = 0

    def next(self) -> Any:
        self.asked += 1
        found = self.left.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        self.closed += 1


def made(*given: Any, **keywords: Any) -> tuple[StreamResult, Bits, list[Any]]:
    bits, ended = Bits(*given), []
    result = StreamResult(
        REQUEST, 200, source=bits, ended=lambda _, fault: ended.append(fault), request_id="r-1", **keywords
    )
    return result, bits, ended


@given(st.text(max_size=60), st.lists(st.integers(1, 5), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_character_is_never_cut(text: str, sizes: list[int]) -> None:
    """However the bytes are cut, the pieces are whole characters and make the text."""
    data = text.encode()
    chunks: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    result, _, _ = made(*chunks, Ending({}))
    pieces = list(result)
    assert "".join(pieces) == text
    assert all(pieces)
    assert b"".join(result.raw) == data


@given(st.binary(max_size=40), st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_text(data: bytes, step: int) -> None:
    """What is not UTF-8 is replaced, as when it comes at once."""
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    result, _, _ = made(*chunks, Ending({}))
    assert "".join(result) == data.decode("utf-8", "replace")
    assert result.raw_payload == data


def test_reading_is_lazy_and_once() -> None:
    """Nothing is asked before it is wanted; what came is given again, and the source is let go once."""
    result, bits, ended = made(b"a", b"b", Ending({"LogResult": LOG}))
    assert (bits.asked, repr(result), result.over) == (0, "<StreamResult 200 f streaming, 0 B so far>", False)
    first: Iterator[str] = iter(result)
    assert (next(first), bits.asked) == ("a", 1)
    assert "1 B so far" in repr(result)
    assert "STREAMING" in str(result._repr_mimebundle_())
    assert bits.asked == 1
    assert list(result) == ["a", "b"]
    assert list(first) == ["b"]
    assert (bits.asked, bits.closed, ended) == (3, 1, [None])
    assert (result.log, result.payload, result.ok, result["LogResult"]) == ("START\n", "ab", True, LOG)
    assert repr(result).startswith("<StreamResult 200 f")
    result.close()
    assert (bits.closed, ended) == (1, [None])


@pytest.mark.parametrize("member", ["payload", "log", "error", "ok", "report", "raw_payload", "function_error"])
def test_the_ends_members_wait(member: str) -> None:
    """Whatever is known at the end only reads to it."""
    result, bits, _ = made(b"1", Ending({}))
    getattr(result, member)
    assert bits.asked == 2


def test_to_dict_and_select() -> None:
    """As of any result."""
    result, _, _ = made(b'{"a": [1, ', b"2]}", Ending({}), executed_version="7")
    assert result.select("Payload.a[1]") == 2
    assert result.to_dict()["ExecutedVersion"] == "7"
    assert isinstance(result | (lambda r: r), StreamResult)


def test_what_breaks_off() -> None:
    """The error comes each time, with what had come; nothing is asked for again."""
    lost = lm.TransportError("lost", sent=True, outcome="RESULT_LOST")
    result, bits, ended = made(b"half", lost)
    came: list[str] = []
    with pytest.raises(lm.TransportError):
        came.extend(result)
    with pytest.raises(lm.TransportError):
        _ = result.payload
    assert (result.received, bits.asked, bits.closed, ended) == (b"half", 2, 1, [lost])
    assert lost.result is result
    assert "BROKE OFF" in str(result.card())
    assert repr(result) == "<StreamResult 200 f broke off, 4 B so far>"


def test_ctrl_c_inside_and_between() -> None:
    """Inside a read it ends the answer and says what is known; between two the reader goes on when it likes."""
    result, bits, ended = made(b"some", KeyboardInterrupt())
    assert next(iter(result)) == "some"
    with pytest.raises(
        lm.InvocationInterrupted, match=r"Stopped reading after 4 bytes\. f may still be running"
    ) as raised:
        list(result)
    assert (raised.value.sent, raised.value.result, bits.closed) == (True, result, 1)
    assert ended == [raised.value]
    with pytest.raises(lm.TransportError, match="Stopped reading"):  # a cell that asks later was not interrupted
        _ = result.payload
    result, bits, _ = made(b"a", b"b", Ending({}))
    try:
        for _ in result:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert (list(result), bits.closed) == (["a", "b"], 1)


def test_nobody_reads_on() -> None:
    """An answer that is forgotten lets its connection go."""
    result, bits, ended = made(b"a")
    next(iter(result))
    del result
    assert bits.closed == 1
    assert isinstance(ended[0], lm.TransportError)


def test_pickled_it_is_an_ordinary_result() -> None:
    """Waited for, with the failure that its end told."""
    failure = lm.FunctionFailure("Own", "why")
    result, _, _ = made(b"a", Ending({"ErrorCode": "Unhandled"}, failure))
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is InvokeResult
    assert (again.payload, again.function_error, again.request_id) == ("a", "Unhandled", "r-1")
    assert result.collected().error == failure


def test_the_events_of_boto3() -> None:
    """Chunks, empty ones and unknown events, then the end; without one, or with an error, the answer is lost."""

    class Events(list[Any]):
        def close(self) -> None:
            self.closed = True

    chunk = {"PayloadChunk": {"Payload": b"x"}}
    source = EventStream(Events([{}, {"PayloadChunk": {}}, chunk, {"InvokeComplete": {"ErrorCode": "U"}}]), "r-1")
    assert source.next() == b"x"
    ending = source.next()
    assert isinstance(ending, Ending)
    assert (ending.function_error, ending.failure) == ("U", None)
    details = {"ErrorCode": "Unhandled", "ErrorDetails": "no json"}
    plain = EventStream(Events([{"InvokeComplete": details}]), None).next()
    assert isinstance(plain, Ending)
    assert plain.failure is not None
    assert plain.failure.message == "no json"
    source = EventStream(Events([chunk]), "r-1")
    source.next()
    with pytest.raises(lm.TransportError, match="answer is lost after 1 bytes: the stream ended before"):
        source.next()


def test_live_text_keeps_its_end() -> None:
    """The memory of what is shown is bounded; a terminal gets all of it, its controls as escapes."""
    text, put = LiveText(), []
    lines = LiveLines(text, put.append, lambda shown: shown.replace("secret", "***"))
    lines.draw(Progress("f", 0.0))
    assert put == []
    text.add("a\x1bsecret")
    lines.draw(Progress("f", 0.1))
    text.add("z" * (2 * KEPT))
    lines.draw(Progress("f", 0.2))
    lines.draw(Progress("f", 0.3, ended="waited"))
    assert put == ["a\\x1b***", "z" * (2 * KEPT), "\n"]
    assert (len(text.end), text.length) == (KEPT, 2 * KEPT + 8)
