"""The ways to the places that the calls of one run go to, and what signs what goes there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from lmfunction._client import Connections
from lmfunction._connection import Place
from lmfunction._line import Line
from lmfunction._request import InvokeRequest
from lmfunction._sending import Address, Head, head_of
from lmfunction._signing import Signer, SigningKey
from lmfunction._transport import Transport

_ADDRESSES: Final = 2048  # kept for each place: a run may give each object a head of its own


@dataclass
class Way:
    """How to reach one place: by a line of our own, or (`reason` says why) by boto3 alone."""

    place: Place
    transport: Transport
    line: Line | None
    reason: str
    key: SigningKey | None
    addresses: dict[Head, Address] = field(default_factory=dict)
    signers: weakref.WeakSet[Signer] = field(default_factory=weakref.WeakSet)

    def address(self, request: InvokeRequest) -> Address:
        """Where `request` goes."""
        head = head_of(request)
        found = self.addresses.get(head)
        if found is None:
            assert self.line is not None
            assert self.key is not None
            if len(self.addresses) > _ADDRESSES:
                self.addresses.clear()
            found = self.addresses[head] = Address.of(self.line, request, self.key)
            self.signers.add(found.signer)
        return found


class Ways:
    """The ways of one run. `tell_why` is told, once for each place, why only boto3 can send there."""

    def __init__(self, connections: Connections, tell_why: Callable[[str], None]) -> None:
        self._connections = connections
        self._tell_why = tell_why
        self._found: dict[int, Way] = {}  # by the identity of their transports, which are held for that
        self._held: list[Transport] = []

    @property
    def all(self) -> Collection[Way]:
        """Those that were asked for."""
        return self._found.values()

    def to(self, place: Place) -> Way:
        """The way to `place`. Raises LMError where its credentials cannot be got."""
        transport = self._connections.transport(place)
        found = self._found.get(id(transport))
        if found is None:
            line = transport.line() if isinstance(transport, Transport) else ""
            if isinstance(line, Line):
                found = Way(place, transport, line, "", SigningKey(transport.credential(), line.region))
            else:
                found = Way(place, transport, None, line, None)
                if line:
                    self._tell_why(line)
            self._found[id(transport)] = found
            self._held.append(transport)
        return found

    def changed_keys(self, *, anew: bool) -> Iterator[tuple[Signer, SigningKey]]:
        """The signers whose credentials are no longer those that they sign with, each with its new key.

        With `anew` all credentials are looked for again. Raises LMError where they cannot be got.
        """
        for way in self._found.values():
            if way.line is None:
                continue
            if anew:
                way.transport = self._connections.renewed(way.place)
            assert way.key is not None
            credential = way.transport.credential()
            if credential != way.key.credential:
                way.key = SigningKey(credential, way.line.region)
                yield from [(signer, way.key) for signer in way.signers]
