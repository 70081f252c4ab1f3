"""A Dask cluster as -Engine names it: found, asked for its workers, given senders."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lmfunction._endpoint import is_loopback
from lmfunction._text import one_line
from lmfunction.errors import ParameterError, TransportError

_LOCAL = "local"
_DASK = "dask"
_CURE = "pip install 'lmfunction[dask]'"
_CONNECT = "10s"
_ANSWER = 30.0  # seconds that the scheduler is given to answer


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

    def workers(self) -> set[str]:
        """The addresses of the workers that are there. Raises TransportError when the scheduler does not answer."""
        try:
            return set(self.client.sync(self.client.scheduler.ncores, callback_timeout=_ANSWER))
        except Exception as error:
            raise TransportError(f"The Dask scheduler does not answer: {_told(error)}.", sent=False) from error

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
            return _told(future.exception(timeout=5))
        return "it failed"

    def close(self) -> None:
        """Lets go of it, where the client was made here."""
        if self.own:
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
        try:
            return Cluster(Client(value, timeout=_CONNECT, set_as_default=False), own=True)
        except Exception as error:
            raise ParameterError(f"Engine: {value} cannot be reached: {_told(error)}.", parameter="Engine") from error
    if not isinstance(value, Client):
        raise ParameterError(f"Engine is a {type(value).__name__}: it must be a Client of Dask.", parameter="Engine")
    if value.asynchronous:
        raise ParameterError("Engine: the Client is asynchronous; make one without it.", parameter="Engine")
    if value.status != "running":
        raise ParameterError(f"Engine: the Client is {value.status}.", parameter="Engine")
    return Cluster(value)


def _told(error: BaseException | None) -> str:
    return one_line(f"{type(error).__name__}: {error}", 200)
