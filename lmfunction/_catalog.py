"""Names that Lambda has - functions, aliases, versions, layers - for who is typing one: asked in the background.

Whoever asks waits for a second at most, and once: the first time. What comes later is there the next time. An answer is
kept for a minute. A failure is silent, and kept for half of that; running the line tells what is wrong.

Nothing is started: not the embedded Lambda, and no program or question (an MFA code) that credentials may come of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from lmfunction._auth import Credential
from lmfunction._boto import asks_for_credentials, environment_of
from lmfunction._client import Connections, with_full_name
from lmfunction._connection import Place, resolve_place
from lmfunction._engine import Engine
from lmfunction._gathered import gather
from lmfunction._names import parse_function_name
from lmfunction._params import Cmdlet
from lmfunction._publish import PLACE_NAMES
from lmfunction._service import operation
from lmfunction._table import PUBLISH
from lmfunction._transport import Transport

BUDGET: Final = 1.0  # seconds that a person may be kept waiting
_KEPT: Final = 60.0
_FAILURE_KEPT: Final = 30.0
_PATIENCE: Final = 3.0  # seconds for each answer
_MOST: Final = 2_000  # names; an account may have thousands of functions, in pages of 50
_MOST_AT_ONCE: Final = 8  # questions under way


@dataclass(frozen=True)
class Listing:
    """An operation that lists names: the list in its answer, the member with the name, and one that tells of it."""

    operation: str
    items: str
    name: str
    about: str = ""


FUNCTIONS: Final = Listing("ListFunctions", "Functions", "FunctionName", "Runtime")
ALIASES: Final = Listing("ListAliases", "Aliases", "Name", "FunctionVersion")
VERSIONS: Final = Listing("ListVersionsByFunction", "Versions", "Version", "Description")
LAYERS: Final = Listing("ListLayers", "Layers", "LayerName")
MAPPINGS: Final = Listing("ListEventSourceMappings", "EventSourceMappings", "UUID", "EventSourceArn")
SIGNING: Final = Listing("ListCodeSigningConfigs", "CodeSigningConfigs", "CodeSigningConfigArn", "Description")


@dataclass(frozen=True)
class Question:
    """What is asked: a listing, of one function where that has lists of its own, at the place that a line says.

    `values` are the line's by parameter name; they and the defaults decide the place.
    """

    listing: Listing
    cmdlet: Cmdlet
    values: Mapping[str, Any] = field(default_factory=dict)
    function: str | None = None

    def key(self, engine: Engine, environ: Mapping[str, str]) -> tuple[Any, ...]:
        """What makes two questions the same: all that decides what is asked where."""
        places = (
            self.values,
            engine.fixed,
            engine.defaults.values_for(self.cmdlet),
            engine.shell.values_for(self.values),
        )
        told = tuple((name, _identity(place[name])) for place in places for name in sorted(place))
        return (self.listing, self.function, self.cmdlet is PUBLISH, told, environment_of(environ))


def _identity(value: Any) -> Any:
    """The value itself; of what cannot be a key, such as a dict of options, which one it is."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


Pages = Iterator[list[tuple[str, str]]]


class _Answer:
    """The names that came so far, with a word about each."""

    def __init__(self, question: Question, started: float, names: dict[str, str]) -> None:
        self.question = question  # kept, so that nothing else gets the identity of what it holds
        self.started = started
        self.names = names
        self.ended: float | None = None
        self.failed = False
        self.done = threading.Event()


class Catalog:
    """The names of every place that was asked. `engine` gives the defaults and open connections of the calls.

    `environ` gives the environment variables; where those are not the process's own, `settings` makes them so while a
    client is made.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        *,
        budget: float = BUDGET,
        clock: Callable[[], float] = time.monotonic,
        environ: Callable[[], Mapping[str, str]] = lambda: os.environ,
        settings: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
        ask: Callable[[Question], Pages] | None = None,
    ) -> None:
        self._engine = engine
        self._budget = budget
        self._clock = clock
        self._environ = environ
        self._settings = settings
        self._ask = ask or self._asked
        self._connections = Connections()
        self._lock = threading.Lock()
        self._answers: dict[tuple[Any, ...], _Answer] = {}

    def names(self, *questions: Question) -> dict[str, str]:
        """The names known by now, with a word about each. Waits for what is left of the budget; never raises."""
        answers = [answer for question in questions if (answer := self._answer(question)) is not None]
        for answer in answers:  # all are under way: together they take no longer than one
            left = answer.started + self._budget - self._clock()
            if left > 0 and not answer.done.is_set():
                answer.done.wait(left)
        return {name: about for answer in answers for name, about in answer.names.items()}

    def close(self) -> None:
        """Closes the connections and drops every answer; the next question is asked anew."""
        with self._lock:
            self._answers.clear()
        self._connections.close()

    def _asked(self, question: Question) -> Pages:
        """The pages of Lambda's answer. Raises whatever goes wrong."""
        with self._settings():
            transport, function = _reached(question, self._engine(), self._connections)
        return _pages(transport.client, question.listing, function) if transport is not None else iter(())

    def _answer(self, question: Question) -> _Answer | None:
        """The answer that is kept or under way, or a new one."""
        key = question.key(self._engine(), self._environ())
        with self._lock:
            held = self._answers.get(key)
            if held is not None and not self._is_stale(held):
                return held
            if sum(answer.ended is None for answer in self._answers.values()) >= _MOST_AT_ONCE:
                return held
            answer = _Answer(question, self._clock(), dict(held.names) if held is not None else {})
            self._answers[key] = answer
        threading.Thread(target=self._fill, args=(answer, question), name="lmfunction-names", daemon=True).start()
        return answer

    def _is_stale(self, answer: _Answer) -> bool:
        if answer.ended is None:
            return False
        return self._clock() - answer.ended >= (_FAILURE_KEPT if answer.failed else _KEPT)

    def _fill(self, answer: _Answer, question: Question) -> None:
        found: dict[str, str] = {}
        try:
            for page in self._ask(question):
                found.update(page)
                answer.names = {**answer.names, **found}  # replaced, never changed: somebody may be reading it
                if len(found) >= _MOST:
                    break
            answer.names = found  # without those that are gone
        except Exception:  # noqa: BLE001 - whatever fails, the line when it is run tells it better
            answer.failed = True
        finally:
            answer.ended = self._clock()
            answer.done.set()


def _reached(question: Question, engine: Engine, connections: Connections) -> tuple[Transport | None, str | None]:
    """The way to the place that the question is about, and the function's full name.

    A way that is open already is taken. None: to the embedded Lambda, which does not run, or to a place whose
    credentials nobody has asked for yet.
    """
    gathered = gather(question.cmdlet, question.values, engine)
    arguments = {**gathered.arguments, "timeout_sec": _PATIENCE}
    if question.cmdlet is PUBLISH and not PLACE_NAMES.intersection(arguments):
        arguments["endpoint_url"] = "embedded"
    named = with_full_name({"function_name": question.function}, gathered.profile.functions)["function_name"]
    region = parse_function_name(named).region if named else None
    place = resolve_place(arguments, gathered.profile, gathered.aws_profile, arn_region=region)
    if place.embedded:
        running = _running(place)
        return (connections.transport(running) if running is not None else None), named
    opened = engine.connections.opened(place.connection)
    if opened is not None:
        return opened, named
    if place.connection.credential is None and asks_for_credentials(place.connection.aws_profile):
        return None, named
    return connections.transport(place), named


def _pages(client: Any, listing: Listing, function: str | None) -> Pages:
    members = {"FunctionName": function} if function is not None else {}
    for page in client.get_paginator(operation(listing.operation).method).paginate(**members):
        yield [(str(item[listing.name]), str(item.get(listing.about) or "")) for item in page.get(listing.items) or ()]


def _running(place: Place) -> Place | None:
    """The place with the address and keys of the embedded Lambda, when it runs."""
    from lmfunction.local._child import running_embedded

    running = running_embedded(place.connection.region)
    if running is None:
        return None
    credential = Credential(running.access_key, running.secret_key)
    connection = dataclasses.replace(place.connection, endpoint_url=running.url, credential=credential)
    return dataclasses.replace(place, connection=connection, embedded=False)
