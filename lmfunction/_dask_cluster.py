"""A Dask cluster as -Engine names it: found, asked for its workers, given senders."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from lmfunction._dask_post import Asked
from lmfunction._endpoint import is_loopback
from lmfunction._text import one_line
from lmfunction.errors import LMError, ParameterError

_LOCAL: Final = "local"
_DASK: Final = "dask"
_CURE: Final = "pip install 'lmfunction[dask]'"
_CONNECT = 10.0  # seconds that the scheduler is given to be reached
_TRIES: Final = 3


@dataclass(frozen=True)
class Cluster:
    """A cluster through its client. `own` when the client was made here, and ends with the run."""

    client: Any
    own: bool = False

    @property
    def is_private(self) -> bool:
        """Whether what is sent to it stays on this machine, or is encrypted."""
        address = str(self.client.scheduler.address)
        kind, _, place = address.partition("://")
        return kind in ("tls", "inproc", "wss") or is_loopback(f"http://{place}")

    @property
    def address(self) -> str:
        """Where its scheduler is."""
        return one_line(str(self.client.scheduler.address), 80)

    def ask_workers(self, rung: threading.Event) -> Asked:
        """Asks for the addresses of the workers that are there."""
        return Asked(self.client, self.client.ncores(asynchronous=True), rung)

    def start(self, function: Any, task: Any, worker: str) -> Any:
        """The future of `function(task)`, which runs on that worker and on no other."""
        return self.client.submit(
            function, task, workers=[worker], allow_other_workers=False, pure=False, retries=0, priority=10
        )

    def fault_of(self, future: Any) -> str | None:
        """Why a task ended, when it failed."""
        if future.status != "error":
            return None
        with contextlib.suppress(Exception):
            error = future.exception(timeout=5)
            if isinstance(error, ImportError):
                return f"{_told(error)}; lmfunction must be installed there as it is here"
            return _told(error)
        return "it failed"

    def close(self) -> None:
        """Lets go of it, where the client was made here."""
        if self.own:
            with _hushed(), contextlib.suppress(Exception):  # of a scheduler that is gone, which was told
                self.client.close()


def cluster_of(value: Any) -> Cluster | None:
    """The cluster that -Engine means: `dask` the client of this process, an address, or a client; None for `local`.

    Raises ParameterError for anything else, and where Dask is not installed or the cluster cannot be reached.
    """
    if value == _LOCAL or value is None:
        return None
    named = value == _DASK or (isinstance(value, str) and urlsplit(value).netloc)
    if isinstance(value, str) and not named:
        raise ParameterError(
            f"Engine is local, dask, a scheduler's address such as tcp://host:8786, or a Client, not "
            f"{one_line(value, 80)}.",
            parameter="Engine",
        )
    try:
        from distributed import Client, default_client
    except ImportError:
        raise ParameterError(f"Engine needs Dask: {_CURE}", parameter="Engine") from None
    if value == _DASK:
        try:
            value = default_client()
        except ValueError:
            raise ParameterError(
                "Engine dask: there is no Client in this process. Make one (distributed.Client()), or give its "
                "scheduler's address.",
                parameter="Engine",
            ) from None
    if isinstance(value, str):
        return _reached(value)
    if not isinstance(value, Client):
        raise ParameterError(f"Engine is a {type(value).__name__}: it must be a Client of Dask.", parameter="Engine")
    if value.asynchronous:
        raise ParameterError("Engine: the Client is asynchronous; make one without it.", parameter="Engine")
    if value.status != "running":
        raise ParameterError(f"Engine: the Client is {value.status}.", parameter="Engine")
    return Cluster(value)


def _reached(address: str) -> Cluster:
    """The cluster whose scheduler is at `address`. Raises ParameterError."""
    shown = one_line(address, 80)
    try:
        if (kind := _kind_at(address)) not in (None, "Scheduler"):
            raise LMError(f"a {kind} answers there, not a scheduler")
        return Cluster(_client(address), own=True)
    except Exception as error:
        cure = ""
        if address.startswith(("tls:", "wss:")):
            cure = " Give a Client that was made with the cluster's certificates, or name them in Dask's settings."
        raise ParameterError(f"Engine: {shown} cannot be reached: {_told(error)}.{cure}", parameter="Engine") from error


def _client(address: str) -> Any:
    """A client of the scheduler at `address`. Raises whatever Dask does."""
    from distributed import Client

    for left in reversed(range(_TRIES)):
        try:
            return Client(address, timeout=_CONNECT, set_as_default=False)
        except AssertionError:  # Dask's client takes its greeting alone; a scheduler that is busy may add to it
            if not left:
                raise
    raise AssertionError


def _kind_at(address: str) -> str | None:
    """What of Dask answers at an address; None where only a client can ask. Raises whatever the connection does.

    A client that is given a wrong address stays half made, and holds up its process for 20 s when it is dropped.
    """
    import dask
    from distributed.core import rpc
    from distributed.security import Security

    if dask.config.get("distributed.client.security-loader", default=None):
        return None
    found: list[Any] = []

    async def ask() -> Any:
        security = Security().get_connection_args("client")
        async with rpc(address, connection_args=security, timeout=_CONNECT) as there:
            return (await there.identity())["type"]

    def work() -> None:
        try:
            found.append(asyncio.run(asyncio.wait_for(ask(), _CONNECT)))
        except TimeoutError:
            found.append(LMError(f"no answer of a scheduler in {_CONNECT:.0f} s"))
        except Exception as error:  # noqa: BLE001 - it is raised again where it belongs
            found.append(error)

    # In a thread, for in a notebook a loop runs in this one.
    thread = threading.Thread(target=work, name="invoke-cluster", daemon=True)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return str(found[0])


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Lets a client of ours end without its last pages in Dask's log."""
    log = logging.getLogger("distributed.client")

    def nothing(_: logging.LogRecord) -> bool:
        return False

    log.addFilter(nothing)
    try:
        yield
    finally:
        log.removeFilter(nothing)


def _told(error: BaseException | None) -> str:
    if isinstance(error, LMError):
        return str(error)
    return one_line(f"{type(error).__name__}: {error}".removesuffix(": ").removesuffix("."), 200)
