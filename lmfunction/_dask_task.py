"""What a sender on a cluster is told of where calls go, as plain data, and what it makes of that on its side.

Calls go as this process's own transport would send them. Only what differs from machine to machine (proxies, trusted
authorities, and credentials unless they are shared) is the worker's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lmfunction._auth import Credential
from lmfunction._boto import Connection, environment_of
from lmfunction._dask_post import Message
from lmfunction._request import InvokeRequest
from lmfunction._transport import Transport

_ADDRESS: Final = (
    "function_name",
    "qualifier",
    "invocation_type",
    "log_type",
    "client_context",
    "tenant_id",
    "durable_execution_name",
)


def task_of(transport: Transport, account: str | None, credential: Credential | None) -> Message:
    """Where calls go, for all senders of a run.

    `account` is that which the workers' credentials must be of, where it is known; `credential` what they sign with in
    place of their own.
    """
    connection = transport.connection
    return {
        "region": connection.region,
        "endpoint_url": transport.endpoint_url,
        "options": connection.options,
        "read_timeout": connection.read_timeout,
        "verify": False if connection.verify is False else None,
        "account": account,
        "credential": None
        if credential is None
        else (credential.access_key, credential.secret_key, credential.session_token),
    }


def connection_of(task: Mapping[str, Any]) -> Connection:
    """The connection that a task tells of, on this machine."""
    credential = task["credential"]
    return Connection(
        task["region"],
        task["endpoint_url"],
        credential=None if credential is None else Credential(*credential),
        options=task["options"],
        read_timeout=task["read_timeout"],
        verify=task["verify"],
        environment=environment_of(),
    )


def address_of(request: InvokeRequest) -> list[str | None]:
    """What says where a request goes, beside what all calls of a run have in common."""
    return [getattr(request, name) for name in _ADDRESS]


def request_to(address: Sequence[str | None]) -> InvokeRequest:
    """A request that goes there, without a payload."""
    return InvokeRequest(**dict(zip(_ADDRESS, address, strict=True)))  # type: ignore[arg-type]
