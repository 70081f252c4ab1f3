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
        self._idle: dict[str, list[Environment]] = {}  # by revision, the latest used last
        self._running: Counter[str] = Counter()
        self._running_total = 0
        self._made = 0
        self._sources: dict[str, Source] = {}  # by revision, of functions that run from the user's own files
        self._reap_later()

    def limit_met(self, name: str) -> str | None:
        """The reason why function `name` may not run once more now; None when it may."""
        function = self._functions.get(name)
        if function is not None and function.reserved is not None:
            return RESERVED_LIMIT if self._running[name] >= function.reserved else None
        reserved = [f for f in self._functions if f.reserved is not None] if self._functions.reserved_total() else []
        in_reserve = sum(self._running[f.latest.name] for f in reserved)
        room = self._settings.concurrency - sum(f.reserved or 0 for f in reserved)
        return ACCOUNT_LIMIT if self._running_total - in_reserve >= room else None

    def run(self, invocation: Invocation) -> str | None:
        """Runs `invocation` and returns None, or the reason why it may not run now."""
        configuration = invocation.configuration
        reason = self.limit_met(configuration.name)
        if reason is not None:
            return reason
        if configuration.live or configuration.layers:
            self._renew(configuration)
        idle = self._idle.get(configuration.revision_id)
        environment = idle.pop() if idle else self._make(configuration)
        self._running[configuration.name] += 1
        self._running_total += 1
        environment.run(invocation)
        return None

    def retire(self, configuration: Configuration) -> None:
        """Closes the environments of a version that is no longer current; busy ones finish first."""
        self._sources.pop(configuration.revision_id, None)
        self._replace(configuration)

    def _replace(self, configuration: Configuration) -> None:
        for environment in self._idle.pop(configuration.revision_id, []):
            self._discard(environment)
        for environment in self._all:
            if environment.configuration.revision_id == configuration.revision_id:
                environment.retired = True

    def _renew(self, configuration: Configuration) -> None:
        """Has what runs from the user's own files start anew when those have changed."""
        source = self._sources.get(configuration.revision_id)
        if source is None:
            self._sources[configuration.revision_id] = Source(configuration.live_folders)
        elif source.changed():
            self._replace(configuration)

    def close(self) -> None:
        """Kills every process."""
        self._reaper.cancel()
        for environment in self._all:
            environment.close()
        self._all.clear()
        self._idle.clear()

    def _make(self, configuration: Configuration) -> Environment:
        if len(self._all) >= self._settings.concurrency:
            self._evict()
        self._made += 1
        place = self._root / f"tmp-{self._made}"
        place.mkdir(mode=0o700)
        environment = Environment(
            self._host, configuration, place, init_seconds=self._settings.init_seconds, on_free=self._freed
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
            self._idle.setdefault(environment.configuration.revision_id, []).append(environment)
        self.on_free()

    def _evict(self) -> None:
        """Closes the environment that has been idle longest, to make room."""
        stacks = [stack for stack in self._idle.values() if stack]
        if stacks:
            stack = min(stacks, key=lambda s: s[0].idle_since)
            self._discard(stack.pop(0))

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
        for revision, stack in list(self._idle.items()):
            kept = [e for e in stack if e.idle_since > oldest]
            for environment in stack[: len(stack) - len(kept)]:
                self._discard(environment)
            if kept:
                self._idle[revision] = kept
            else:
                del self._idle[revision]
        self._reap_later()
