"""One call on its way through the HTTP engine, and where calls of its kind go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lmfunction._line import Line
from lmfunction._model import Attempt
from lmfunction._request import InvokeRequest
from lmfunction._signing import Signer, SigningKey
from lmfunction._transport import Reply
from lmfunction.errors import LMError

# What of a request its head is made of.
Head = tuple[str | None, ...]


def head_of(request: InvokeRequest) -> Head:
    """What requests have in common that differ in their payload alone."""
    return (
        request.function_name,
        request.qualifier,
        request.invocation_type,
        request.log_type,
        request.client_context,
        request.tenant_id,
        request.durable_execution_name,
    )


@dataclass
class Address:
    """What many calls have in common: the way, and the head of their requests but for what a body changes."""

    line: Line
    signer: Signer

    @classmethod
    def of(cls, line: Line, request: InvokeRequest, key: SigningKey) -> Address:
        """Where `request` goes, and every other one that differs in its payload alone."""
        return cls(line, Signer(line.host_header, line.path(request), line.query(request), line.headers(request), key))


class Sending:
    """One call: what is to be sent, and after it ended either its `reply` or its `error`.

    `stops`: its failure ends the run. `item` and `call` are the caller's own. `seconds` is the caller's time over all
    tries.
    """

    reply: Reply | None = None
    error: LMError | None = None
    attempts: tuple[Attempt, ...] = ()  # empty after a first try that was answered
    seconds = 0.0
    began = 0.0  # by the policy's clock, when it was first sent
    deadline = 0.0
    started = 0.0  # of this try
    sent_at = 0.0
    tries = 0  # those that count as attempts
    throttles = 0
    last_wait = 0.0
    intended = False

    def __init__(self, item: Any, call: Any, address: Address, body: bytes, *, stops: bool) -> None:
        self.item = item
        self.call = call
        self.address = address
        self.body = body
        self.stops = stops
