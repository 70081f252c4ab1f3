"""One embedded Lambda: its listener, its functions and its environments, in one event loop."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from lmfunction.local._addresses import LOOPBACK
from lmfunction.local._auth import Keys, SignatureCheck, kept_keys
from lmfunction.local._calls import Account
from lmfunction.local._code import CodeStore
from lmfunction.local._control_provisioned import provision
from lmfunction.local._definition import Definition, apply
from lmfunction.local._event import Event
from lmfunction.local._events import EventQueue
from lmfunction.local._fleet import Fleet
from lmfunction.local._front import Front
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._http import Limits
from lmfunction.local._invocation import Invocation, Outcome
from lmfunction.local._invoke import Invoke
from lmfunction.local._keeping import Keeping
from lmfunction.local._layers import Layers
from lmfunction.local._listener import Listener
from lmfunction.local._log_store import LogStore
from lmfunction.local._logs import Logs
from lmfunction.local._own_requests import own_request
from lmfunction.local._process import compile_loop
from lmfunction.local._records import Records
from lmfunction.local._settings import Settings
from lmfunction.local._sinks import Sinks
from lmfunction.local._state import State
from lmfunction.local._store import Store
from lmfunction.local._variables import Host

SAMPLES: Final = ("hello", "echo", "fail", "slow")
_ROOT_PREFIX: Final = "lmfunction-local-"

Told = Callable[[Invocation, str, Outcome], None]


class Server:
    """A running embedded Lambda (`async with Server(settings) as server`); leaving stops every process.

    `told` hears of every finished attempt of an invocation: the invocation, its type and the outcome. `say` gets the
    lines about what went wrong beside the answers. `definitions` are functions to begin with; those that could be made
    are in `served`. The constructor raises OSError when the port is taken, JournalError
    when the state folder cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        told: Told | None = None,
        say: Callable[[str], None] | None = None,
        definitions: Sequence[Definition] = (),
    ) -> None:
        self.settings = settings
        self.served: list[Definition] = []
        self._definitions = definitions
        self._told = told or _tell_nobody
        self._say = say or _say
        # Here, so that "address in use" is raised where it can be read.
        self._listening = socket.create_server((LOOPBACK, settings.port), backlog=512)
        try:
            self._state, self._left, self.keys = _opened_state(settings)
        except BaseException:
            self._listening.close()
            raise
        self.port: int = self._listening.getsockname()[1]
        self._root: Path | None = None

    @property
    def url(self) -> str:
        """Where clients send their requests."""
        return f"http://{LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        settings = self.settings
        _remove_leftovers()
        loop = asyncio.get_running_loop()
        root = self._root = Path(tempfile.mkdtemp(prefix=f"{_ROOT_PREFIX}{os.getpid()}-"))
        functions = Functions(settings.region, settings.account)
        _add_samples(functions)
        self.logs = LogStore()
        runtime = root / "runtime"
        runtime.mkdir()
        host = Host(
            settings.region,
            self.url,
            self.keys,
            compile_loop(runtime, settings.python),
            settings.python,
            self.logs,
            settings.python_loop,
            settings.enforce_memory,
        )
        self._fleet = Fleet(host, settings, functions, root)
        sinks = Sinks(root / "destinations", durable=False)
        if self._state is not None:
            sinks = Sinks(self._state.destinations, durable=True)
        self._store = Store(sinks, self._state)
        keeping = Keeping(functions, self._store, self._state, self._say)
        keeping.restore()
        self._events = EventQueue(
            self._fleet,
            functions,
            self._store,
            retry_delays=settings.retry_delays,
            told=self._event_told,
            say=self._say,
        )
        self._fleet.on_free = self._events.pump

        def changed(name: str) -> None:
            keeping.changed(name)
            loop.call_soon(self._events.pump)  # there may be room now

        functions.on_change = changed
        code = CodeStore(root if self._state is None else self._state.code, keeping.when_kept)
        layers = Layers(settings.region, settings.account)
        account = Account(functions, self._fleet, code, settings.concurrency, layers)
        front = Front(
            self.port,
            SignatureCheck(self.keys, settings.region),
            Invoke(functions, self._fleet, self._events, self._told),
            account,
            Logs(self.logs, settings.region, settings.account),
            Records(sinks.folder, self._store),
            keeping.when_kept,
        )
        limits = Limits(
            head_seconds=settings.head_seconds, body_seconds=settings.body_seconds, connections=settings.connections
        )
        self._define(account)
        self._listener = Listener(front, limits)
        self._server = await loop.create_server(self._listener.connection, sock=self._listening)
        for function in functions:
            provision(account, function)
        self._events.restore(self._left)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self._listener.close()
        self._events.close()
        self._fleet.close()
        self._store.close()
        await asyncio.sleep(0)  # lets connections that were closed say so
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)

    def _define(self, account: Account) -> None:
        """Makes the functions to begin with; what of them cannot be is told."""
        for definition, notices in apply(self._definitions, functools.partial(own_request, account)):
            if account.functions.get(definition.name) is not None:
                self.served.append(definition)
            for notice in notices:
                self._say(notice)

    def _event_told(self, invocation: Invocation, outcome: Outcome) -> None:
        self._told(invocation, "Event", outcome)


def collect_less_often() -> None:
    """Has the garbage collector look less often: an invocation leaves no cycles, and what was imported stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _opened_state(settings: Settings) -> tuple[State | None, list[Event], Keys]:
    """The state folder, the events that were left in it, and the keys to go by."""
    if not settings.state:
        return None, [], Keys.random()
    state = State(Path(settings.state), settings.region, settings.account)
    try:
        return state, state.events(), kept_keys(state.keys) if settings.keep_keys else Keys.random()
    except BaseException:
        state.close()
        raise


def _tell_nobody(invocation: Invocation, kind: str, outcome: Outcome) -> None:
    """Nobody asked."""


def _add_samples(functions: Functions) -> None:
    folder = Path(__file__).with_name("samples")
    for name in SAMPLES:
        timeout = 900 if name == "slow" else 3
        arn = functions.arn(name)
        functions.put(Function(Configuration(name, arn, folder, f"{name}.handler", timeout=timeout)))


def _remove_leftovers() -> None:
    """Removes the folders of servers that were killed before they could do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_ROOT_PREFIX}*-*"):
        pid = folder.name.removeprefix(_ROOT_PREFIX).partition("-")[0]
        if pid.isdigit() and folder.stat().st_uid == os.getuid() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
