"""An HTTP answer read from the bytes of a connection, however they come cut.

What a whole answer is follows RFC 9112: by Content-Length, by chunks, or up to the end of the connection. Whether it is
an answer of Lambda's is for `_transport` to say.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_HEAD_CAP: Final = 262_144
_DRIED: Final = (204, 304)
_USUAL: Final = b"HTTP/1.1 200 OK\r\n"


class NotHttp(Exception):  # noqa: N818 - says what came, and is translated by who reads
    """What came is no answer of HTTP."""


@functools.lru_cache(maxsize=256)
def _header(line: str) -> tuple[str, str]:
    """The name and the value of a header. Most lines are those of the answer before: they are taken apart once."""
    name, colon, value = line.partition(":")
    if not colon:
        raise NotHttp
    return name.lower(), value.strip()


class AnswerReader:
    """Reads one answer. `status` is 0 until its head is whole; `headers` has names in lower case.

    `body` is what has come of it, once the answer is whole or `ended`. `cap` is how many bytes a body may have: beyond
    it `over` is set, and reading ends.
    """

    # Defaults of the class: to set a dozen attributes for each answer costs as much as to read its head.
    status = 0
    headers: Mapping[str, str] = MappingProxyType({})
    body = b""
    length: int | None = None
    chunked = False
    keeps = True
    over = False
    _data = b""
    _coming: bytearray | None = None  # of a body that is not in chunks
    _chunk: bytearray | None = None
    _left = -1

    def __init__(self, cap: int) -> None:
        self.cap = cap

    def feed(self, data: bytes) -> bool:
        """Takes bytes as they came; True when the answer is whole. Raises NotHttp."""
        if self._coming is not None:
            self._coming += data
            return self._more_has_come()
        if self._data:
            data = self._data + data
        elif not self.status and data.startswith(_USUAL) and self._take_whole(data):
            return True
        if not self.status:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > _HEAD_CAP or not b"HTTP/1."[: len(data)] == data[:7]:
                    raise NotHttp
                self._data = data
                return False
            self._read_head(data[:end])
            data = data[end + 4 :]
            if 100 <= self.status < 200:
                self.status, self._data = 0, b""
                return self.feed(data) if data else False
        if self.chunked:
            return self._feed_chunks(data)
        self._data, self._coming = b"", bytearray(data)
        return self._more_has_come()

    def _more_has_come(self) -> bool:
        """Whether the body that is not in chunks is whole."""
        assert self._coming is not None
        come = len(self._coming)
        if self.length is not None and come >= self.length:
            self.body = bytes(self._coming[: self.length])
            self.keeps = self.keeps and come == self.length
            return True
        self.over = come > self.cap or (self.length or 0) > self.cap
        return self.over

    def _take_whole(self, data: bytes) -> bool:
        """Takes an answer that came in one piece, as nearly all do; False for any that needs a closer look."""
        end = data.find(b"\r\n\r\n")
        try:
            headers = dict(map(_header, data[len(_USUAL) : end].decode("latin-1").split("\r\n")))
        except NotHttp:
            return False
        body = data[end + 4 :]
        if headers.get("content-length") != str(len(body)) or "transfer-encoding" in headers or end < 0:
            return False
        if headers.get("connection", "keep-alive") != "keep-alive":
            return False
        self.status, self.headers, self.body, self.length = 200, headers, body, len(body)
        return True

    def ended(self) -> bool:
        """Whether an answer that ended with its connection is whole."""
        self.keeps = False
        if self._coming is not None:
            self.body = bytes(self._coming)
        if not self.status and b"\r\n" in self._data:  # a head that was cut still tells what stands in it
            with contextlib.suppress(NotHttp):
                self._read_head(self._data, cut=True)
            return False
        return bool(self.status) and not self.chunked and self.length is None

    def _read_head(self, head: bytes, *, cut: bool = False) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        if first[:7] != "HTTP/1." or not first[9:12].isdecimal():
            raise NotHttp
        self.status = int(first[9:12])
        try:
            headers = dict(map(_header, lines))
        except NotHttp:
            if not cut:
                raise
            headers = dict(map(_header, itertools.takewhile(lambda line: ":" in line, lines)))
        self.headers = headers
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers and headers["transfer-encoding"].lower().endswith("chunked"):
            self.chunked, self._chunk = True, bytearray()
        elif length.isdecimal():
            self.length = int(length)
        if self.status in _DRIED:
            self.length, self.chunked = 0, False
        connection = headers.get("connection")
        if first[7] == "0" or (connection is not None and connection != "keep-alive"):
            self.keeps = (connection or "").lower() == "keep-alive"

    def _feed_chunks(self, data: bytes) -> bool:
        """Takes chunks apart. `_left`: what is missing of one and its line end, -1 before its size, -2 at the end."""
        assert self._chunk is not None
        self._data = b""
        while True:
            if self._left > 2:
                come = data[: self._left - 2]
                self._chunk += come
                data, self._left = data[len(come) :], self._left - len(come)
                if self._left > 2:
                    return False
            if self._left >= 0:
                if len(data) < self._left:
                    self._data = data
                    return False
                if data[: self._left] != b"\r\n":
                    raise NotHttp
                data, self._left = data[self._left :], -1
            end = data.find(b"\r\n")
            if end < 0:
                self._data = data
                return False
            line, rest = data[:end], data[end + 2 :]
            if self._left == -2:
                data = rest
                if not line:  # behind the trailers
                    self.body, self._data, self.keeps = bytes(self._chunk), b"", self.keeps and not rest
                    return True
                continue
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise NotHttp from None
            data, self._left = rest, size + 2 if size else -2
            if len(self._chunk) + size > self.cap:
                self.over = True
                return True
