"""Answers of HTTP are read the same however their bytes come cut, and only whole ones are whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._http_answer import AnswerReader, NotHttp

CAP = 1 << 20


def with_length(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId: r-1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def in_chunks(body: bytes) -> bytes:
    chunks = b"".join(
        b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (body[i : i + 7] for i in range(0, len(body), 7))
    )
    return b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId: r-1\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\nT: 1\r\n\r\n" % chunks


def behind_a_continue(body: bytes) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(body).replace(b"200 OK", b"429 Too Many Requests", 1)


def to_the_end(body: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nX-Amzn-RequestId: r-1\r\n\r\n" + body


KINDS = {made.__name__: made for made in (with_length, in_chunks, behind_a_continue, to_the_end)}


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at these places."""
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_an_answer_is_the_same_however_it_is_cut(kind: str, body: bytes, cuts: list[int]) -> None:
    """It is whole with its last piece and not before; one without a length only with its connection's end."""
    reader = AnswerReader(CAP)
    whole = [reader.feed(piece) for piece in pieces(KINDS[kind](body), cuts)]
    assert not any(whole[:-1])
    assert whole[-1] is (kind != "to_the_end")
    if kind == "to_the_end":
        assert reader.ended()
    assert reader.body == body
    assert reader.status == (429 if kind == "behind_a_continue" else 200)
    assert reader.headers["x-amzn-requestid"] == "r-1"
    assert reader.keeps is (kind != "to_the_end")


@pytest.mark.parametrize("kind", ["with_length", "in_chunks"])
@given(body=st.binary(min_size=1, max_size=100), lost=st.integers(1, 90))
def test_an_answer_that_ends_too_soon_is_not_whole(kind: str, body: bytes, lost: int) -> None:
    """But what has come of one with a length can be read: the text of a refusal may be in it."""
    reader = AnswerReader(CAP)
    data = KINDS[kind](body)
    assert not reader.feed(data[: len(data) - lost])
    assert not reader.ended()
    if kind == "with_length" and lost < len(body):
        assert reader.body == body[: len(body) - lost]


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_refused(data: bytes) -> None:
    """At once, not at the end of the connection."""
    with pytest.raises(NotHttp):
        AnswerReader(CAP).feed(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_beyond_the_cap_is_over(kind: str) -> None:
    """Reading ends there."""
    reader = AnswerReader(64)
    assert any(reader.feed(piece) for piece in pieces(KINDS[kind](b"x" * 1000), [*range(0, 1000, 10)]))
    assert reader.over
