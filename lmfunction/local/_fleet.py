"""Which environment runs what, and how many run at once.

Environments are kept for each version of a function and reused last in, first out, so that those nobody needs grow
old and are closed. There are never more environments than the account may run at once.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lmfunction.local._environment import Environment
from lmfunction.local._functions import Configuration, Functions
from lmfunction.local._invocation import Invocation
from lmfunction.local._settings import Settings
from lmfunction.local._source import Source
from lmfunction.local._variables import Host

RESERVED_LIMIT = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"


class Fleet:
    """All environments of one server. `on_free` is called whenever an invocation has ended."""

    def __init__(self, host: Host, settings: Settings, functions: Functions, root: Path) -> None:
        self.on_free: Callable[[], None] = lambda: None
        self._host = host
        self._settings = settings
        self._functions = functions
        self._root = root
        self._all: set[Environment] = set()
        self._idle: dict[str, list[Environment]] = {}  # by build, the latest used last
        self._running: Counter[str] = Counter()
        self._running_total = 0
        self._made = 0
        self._sources: dict[str, Source] = {}  # by build, of functions that run from the user's own files
        self._wanted: dict[str, int] = {}  # by build: how many environments are kept ready
        self._reap_later()

    def limit_met(self, name: str) -> str | None:
        """The reason why function `name` may not run once more now; None when it may."""
        set_aside = self._functions.set_aside
        if not set_aside:
            return ACCOUNT_LIMIT if self._running_total >= self._settings.concurrency else None
        running, own = self._running[name], set_aside.get(name)
        if own is not None:
            function = self._functions.get(name)
            if function is not None and function.reserved is not None:
                return RESERVED_LIMIT if running >= own else None
            if running < own:
                return None
        elsewhere = sum(min(self._running[other], count) for other, count in set_aside.items())
        room = self._settings.concurrency - sum(set_aside.values())
        return ACCOUNT_LIMIT if self._running_total - elsewhere >= room else None

    def run(self, invocation: Invocation) -> str | None:
        """Runs `invocation` and returns None, or the reason why it may not run now."""
        configuration = invocation.configuration
        reason = self.limit_met(configuration.name)
        if reason is not None:
            return reason
        if configuration.live or configuration.layers:
            self._renew(configuration)
        idle = self._idle.get(configuration.build)
        if not idle:
            environment = self._make(configuration)
        elif configuration.per_tenant:
            environment = _of_tenant(idle, invocation.tenant_id) or self._make(configuration)
        else:
            environment = idle.pop() if configuration.build not in self._wanted else self._readiest(idle)
        self._running[configuration.name] += 1
        self._running_total += 1
        environment.run(invocation)
        return None

    def provision(self, configuration: Configuration, count: int) -> None:
        """Keeps `count` environments of a version initialised, whether or not anything is to be run."""
        build = configuration.build
        if count:
            self._wanted[build] = count
        else:
            self._wanted.pop(build, None)
        ready = self._ready(build)
        for environment in ready[count:]:
            self._dismiss(environment)
        for _ in range(count - len(ready)):
            environment = self._make(configuration, provisioned=True)
            environment.warm()
            self._idle.setdefault(build, []).append(environment)

    def provisioned(self, configuration: Configuration) -> tuple[int, int]:
        """How many environments of those that a version has ready are initialised, and how many failed to be."""
        ready = self._ready(configuration.build)
        return sum(e.initialised for e in ready), sum(e.failed for e in ready)

    def uses(self, folder: Path) -> bool:
        """Whether an environment runs from `folder`."""
        return any(e.configuration.folder == folder for e in self._all)

    def retire(self, configuration: Configuration) -> None:
        """Closes the environments of a version that is no longer current; busy ones finish first."""
        self._wanted.pop(configuration.build, None)
        self._sources.pop(configuration.build, None)
        self._replace(configuration)

    def _replace(self, configuration: Configuration) -> None:
        for environment in self._idle.pop(configuration.build, []):
            self._discard(environment)
        for environment in self._all:
            if environment.configuration.build == configuration.build:
                environment.retired = True

    def _renew(self, configuration: Configuration) -> None:
        """Has what runs from the user's own files start anew when those have changed."""
        source = self._sources.get(configuration.build)
        if source is None:
            self._sources[configuration.build] = Source(configuration.live_folders)
        elif source.changed():
            self._replace(configuration)
            if configuration.build in self._wanted:
                self.provision(configuration, self._wanted[configuration.build])

    def close(self) -> None:
        """Kills every process."""
        self._reaper.cancel()
        for environment in self._all:
            environment.close()
        self._all.clear()
        self._idle.clear()

    def _ready(self, build: str) -> list[Environment]:
        return [e for e in self._all if e.provisioned and e.configuration.build == build and not e.retired]

    def _readiest(self, idle: list[Environment]) -> Environment:
        """Of a version that is kept ready: an environment that was started for that, as long as there is one."""
        for index in range(len(idle) - 1, -1, -1):
            if idle[index].provisioned:
                return idle.pop(index)
        return idle.pop()

    def _dismiss(self, environment: Environment) -> None:
        """Ends what is kept ready without need; a busy environment finishes first."""
        idle = self._idle.get(environment.configuration.build, [])
        if environment in idle:
            idle.remove(environment)
            self._discard(environment)
        else:
            environment.retired = True

    def _make(self, configuration: Configuration, *, provisioned: bool = False) -> Environment:
        if len(self._all) >= self._settings.concurrency:
            self._evict()
        self._made += 1
        place = self._root / f"tmp-{self._made}"
        place.mkdir(mode=0o700)
        environment = Environment(
            self._host,
            configuration,
            place,
            init_seconds=self._settings.init_seconds,
            on_free=self._freed,
            provisioned=provisioned,
        )
        self._all.add(environment)
        return environment

    def _freed(self, environment: Environment) -> None:
        name = environment.configuration.name
        self._running[name] -= 1
        self._running_total -= 1
        if environment.retired:
            # Later: the process is still in the middle of the request by which it answered.
            asyncio.get_running_loop().call_soon(self._discard, environment)
        else:
            environment.idle_since = time.monotonic()
            self._idle.setdefault(environment.configuration.build, []).append(environment)
            if environment.provisioned:  # a crash or a timeout may have left it without a process
                asyncio.get_running_loop().call_soon(environment.warm)
        self.on_free()

    def _evict(self) -> None:
        """Closes the environment that has been idle longest, to make room."""
        idle = [e for stack in self._idle.values() for e in stack if not e.provisioned]
        if idle:
            oldest = min(idle, key=lambda e: e.idle_since)
            self._idle[oldest.configuration.build].remove(oldest)
            self._discard(oldest)

    def _discard(self, environment: Environment) -> None:
        self._all.discard(environment)
        environment.close()
        shutil.rmtree(environment.place, ignore_errors=True)

    def _reap_later(self) -> None:
        interval = min(30.0, self._settings.idle_seconds / 2)
        self._reaper = asyncio.get_running_loop().call_later(interval, self._reap)

    def _reap(self) -> None:
        """Closes what nobody needed for a while."""
        oldest = time.monotonic() - self._settings.idle_seconds
        for build, stack in list(self._idle.items()):
            for environment in [e for e in stack if e.idle_since <= oldest and not e.provisioned]:
                stack.remove(environment)
                self._discard(environment)
            if not stack:
                del self._idle[build]
        self._reap_later()


def _of_tenant(idle: list[Environment], tenant_id: str) -> Environment | None:
    """Takes out the environment that was used last for this tenant, or for nobody yet."""
    for index in range(len(idle) - 1, -1, -1):
        if idle[index].tenant_id in ("", tenant_id):
            return idle.pop(index)
    return None
