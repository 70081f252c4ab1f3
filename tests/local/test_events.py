"""The queue of asynchronous invocations against a clock that jumps, and what it sends on."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lmfunction.local import _events
from lmfunction.local._aliases import Alias
from lmfunction.local._event import Event, Response, dead_letter_of, record_of
from lmfunction.local._event_config import EventInvokeConfig
from lmfunction.local._events import Clock, EventQueue
from lmfunction.local._functions import Configuration, Function, Functions
from lmfunction.local._invocation import UNHANDLED, Invocation, Outcome

START = 1_700_000_000.0
TAKES = 0.1
QUEUE = "arn:aws:sqs:us-east-1:000000000000:{}"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:{}"
FAILED = b'{"errorMessage":"no","errorType":"E"}'


class Time:
    """A clock that goes from call to call."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._calls: list[tuple[float, int, list[Any]]] = []
        self._count = 0

    def now(self) -> float:
        return START + self.seconds

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        self._count += 1
        entry = [call]
        heapq.heappush(self._calls, (self.seconds + seconds, self._count, entry))
        return Cancel(entry)

    def run(self) -> None:
        while self._calls:
            at, _, entry = heapq.heappop(self._calls)
            if entry:
                assert at < 100_000, "it goes on for ever"
                self.seconds = max(self.seconds, at)
                entry[0]()


@dataclass
class Cancel:
    entry: list[Any]

    def cancel(self) -> None:
        self.entry.clear()


class Memory:
    """A store that keeps everything at once."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self.lines: list[tuple[str, bytes]] = []

    def add(self, event: Event, done: Callable[[Exception | None], None]) -> None:
        self.events[event.number] = replace(event)
        done(None)

    change = add

    def finish(
        self, event: Event, lines: Sequence[tuple[str, bytes]], follow_up: Sequence[Event], done: Callable[[Any], None]
    ) -> None:
        self.events.pop(event.number, None)
        self.events.update({e.number: e for e in follow_up})
        self.lines += lines
        done(None)


@dataclass
class World:
    """A queue whose functions are only told of. `answers` is what they do, one after the other."""

    delays: tuple[float, ...] = (60.0, 120.0)
    answers: list[str] = field(default_factory=list)
    full_until: float = 0.0
    limit: int = 1_000

    def __post_init__(self) -> None:
        self.time = Time()
        self.store = Memory()
        self.functions = Functions("us-east-1", "000000000000", lambda: 0.9)
        self.started: list[tuple[float, Invocation]] = []
        self.asked: list[float] = []
        self.said: list[str] = []
        self.ended = 0.0
        self.running = 0
        self.queue = EventQueue(
            self,
            self.functions,
            self.store,  # type: ignore[arg-type]
            retry_delays=self.delays,
            told=lambda invocation, outcome: None,
            say=self.said.append,
            clock=Clock(self.time.now, self.time.later),
        )

    def add(self, name: str, **config: Any) -> Function:
        arn = self.functions.arn(name)
        function = Function(Configuration(name, arn, Path(), "a.b", **config.pop("configuration", {})))
        if config:
            function.event_configs["$LATEST"] = EventInvokeConfig(**config)
        self.functions.put(function)
        return function

    def run(self, invocation: Invocation) -> str | None:
        seconds = round(self.time.seconds, 3)
        self.asked.append(seconds)
        if seconds < self.full_until or self.running >= self.limit:
            return "ReservedFunctionConcurrentInvocationLimitExceeded"
        self.started.append((seconds, invocation))
        self.running += 1
        ok = not self.answers or self.answers.pop(0) == "ok"

        def end() -> None:
            self.running -= 1
            self.queue.pump()
            invocation.done(invocation, Outcome(b'"fine"') if ok else Outcome(FAILED, UNHANDLED))

        self.time.later(TAKES, end)
        return None

    def put(self, name: str, body: bytes = b"{}", qualifier: str | None = None, request_id: str = "id") -> bool:
        function = self.functions.get(name)
        assert function is not None
        arn = self.functions.arn(name, qualifier)
        trace = "Root=1-0-0;Lineage=1:0123abcd:0"
        invocation = Invocation(request_id, function.latest, arn, body, done=lambda i, o: None, trace_id=trace)
        return self.queue.put(invocation, qualifier, lambda stored: None)

    def records(self) -> list[list[Any]]:
        """Where the lines went, with condition and count."""
        seen: list[list[Any]] = []
        for arn, line in self.store.lines:
            value, place = json.loads(line), arn.rsplit(":", 1)[1]
            context = value.get("requestContext", {"condition": place})
            count = context.get("approximateInvokeCount", len(self.started) + (self.left_attempts if place else 0))
            seen.append([place, context["condition"], count])
        return seen

    left_attempts = 0


def test_events(events_case: dict[str, Any]) -> None:
    """Attempts, their times, and what is sent on, as recorded from AWS."""
    case, wanted = events_case, events_case["wanted"]
    world = World(tuple(map(float, case.get("delays", (60, 120)))), list(case["attempts"]), case.get("full_until", 0))
    config = {
        "on_success": QUEUE.format("OnSuccess"),
        "on_failure": QUEUE.format("OnFailure"),
        **case.get("config", {}),
    }
    dead_letter = {"DeadLetterConfig": {"TargetArn": QUEUE.format("DeadLetter")}} if case.get("dead_letter", 1) else {}
    function = world.add("f", configuration={"settings": dead_letter}, **config)
    function.reserved = case.get("reserved")
    for number in ("1", "2"):
        function.versions[number] = replace(function.latest, version=number)
    function.aliases["live"] = Alias("live", "arn", "1")
    function.event_configs["live"] = function.event_configs["$LATEST"]
    qualifier = case.get("qualifier")
    for seconds, change in case.get("changes", {}).items():
        world.time.later(seconds, lambda change=change: _change(world, function, change, config))
    if case.get("freed"):
        world.time.later(world.full_until, world.queue.pump)
    if "left" in case:
        left = case["left"]
        world.left_attempts = left["attempts"]
        event = Event(
            7, "id", "f", None, function.latest.arn, b"{}", START + left["accepted"], attempts=left["attempts"],
            due=START + left["due"], response=Response(FAILED, UNHANDLED, "$LATEST"),
        )  # fmt: skip
        world.queue.restore([event])
    else:
        assert world.put("f", qualifier=qualifier)
        assert len(world.store.events) == 1
    world.time.run()
    assert [at for at, _ in world.started] == wanted["at"]
    assert world.records() == wanted["records"]
    assert {i.request_id for _, i in world.started} <= {"id"}
    if "ends" in wanted:
        assert round(world.time.seconds, 3) == wanted["ends"]
    if "asked" in wanted:
        assert world.asked == wanted["asked"]
    if "versions" in wanted:
        assert [i.configuration.version for _, i in world.started] == wanted["versions"]
    assert len(world.said) == len(wanted.get("said", []))
    assert all(part in text for part, text in zip(wanted.get("said", []), world.said, strict=True))
    assert world.store.events == {}
    assert world.queue._bytes == 0


def _change(world: World, function: Function, change: dict[str, Any], config: dict[str, Any]) -> None:
    if change.get("gone"):
        world.functions.remove("f")
    if "reserved" in change:
        function.reserved = change["reserved"]
    if "version" in change:
        function.aliases["live"] = Alias("live", "arn", change["version"])
    if "config" in change:
        function.event_configs["$LATEST"] = EventInvokeConfig(**{**config, **change["config"]})


def test_order_and_room() -> None:
    """Events start in the order of arrival, as many at once as there is room for."""
    world = World(limit=2)
    world.add("f")
    for i in range(5):
        world.put("f", request_id=str(i))
    world.time.run()
    assert [i.request_id for _, i in world.started] == ["0", "1", "2", "3", "4"]
    assert [at for at, _ in world.started] == [0, 0, 0.1, 0.1, 0.2]


def test_one_function_does_not_hold_up_another() -> None:
    """A function without room waits for itself alone."""
    world = World()
    world.add("full")
    world.add("free")
    run = world.run
    world.run = lambda i: "no" if i.configuration.name == "full" and world.time.seconds < 5 else run(i)  # type: ignore
    world.put("full")
    world.put("free")
    world.time.run()
    assert [(at, i.configuration.name) for at, i in world.started] == [(0, "free"), (7, "full")]


def test_full_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that is full takes nothing more until something has left it."""
    monkeypatch.setattr(_events, "BYTES_LIMIT", 10)
    world = World()
    world.add("f")
    assert world.put("f", b"1234567")
    assert not world.put("f", b"1234")
    assert world.put("f", b"123")
    world.time.run()
    assert world.put("f", b"1234567890")


def test_closed_queue_starts_nothing() -> None:
    """After close nothing starts, and what waits is left to the store."""
    world = World(answers=["fail"])
    world.add("f")
    world.put("f")
    world.time.later(1, world.queue.close)
    world.time.run()
    assert len(world.started) == 1
    assert [e.attempts for e in world.store.events.values()] == [1]


def test_what_cannot_be_stored_is_not_accepted() -> None:
    """The caller hears when an event could not be stored, and it does not run."""
    world = World()
    world.add("f")
    world.store.add = lambda event, done: done(OSError("disk full"))  # type: ignore[method-assign]
    heard: list[bool] = []
    function = world.functions.get("f")
    assert function is not None
    invocation = Invocation("id", function.latest, "arn", b"{}", done=lambda i, o: None)
    assert world.queue.put(invocation, None, heard.append)
    world.time.run()
    assert (heard, world.started) == ([False], [])
    assert "disk full" in world.said[0]
    assert world.queue._bytes == 0


def test_destination_that_is_a_function() -> None:
    """A function as a destination is invoked with the record as its event, under an id of its own."""
    world = World()
    world.add("f", on_success=FUNCTION.format("next"))
    world.add("next", on_success=QUEUE.format("end"))
    world.put("f", b'{"a": 1}')
    world.time.run()
    (_, first), (_, second) = world.started
    record = json.loads(second.event)
    assert record["requestPayload"] == {"a": 1}
    assert record["requestContext"]["functionArn"] == FUNCTION.format("f:$LATEST")
    assert second.configuration.name == "next"
    assert second.request_id != first.request_id
    assert second.trace_id.startswith("Root=1-0-0;")
    (sent, line), (end, last) = world.store.lines
    assert (sent, line) == (FUNCTION.format("next"), second.event)
    assert end == QUEUE.format("end")
    assert json.loads(last)["requestPayload"] == record


def test_alias_as_a_destination() -> None:
    """A destination may name an alias."""
    world = World()
    world.add("f", on_success=FUNCTION.format("next:live"))
    target = world.add("next")
    target.versions["3"] = replace(target.latest, version="3")
    target.aliases["live"] = Alias("live", "arn", "3")
    world.put("f")
    world.time.run()
    assert world.started[1][1].configuration.version == "3"
    assert world.started[1][1].arn == FUNCTION.format("next:live")


def test_functions_that_send_to_each_other_stop() -> None:
    """A record comes round sixteen times, and then no more."""
    world = World()
    world.add("a", on_success=FUNCTION.format("b"))
    world.add("b", on_success=FUNCTION.format("a"))
    world.put("a")
    world.time.run()
    assert [i.configuration.name for _, i in world.started] == ["a", "b"] * 16 + ["a"]
    assert "come round 16 times" in world.said[0]
    assert len(world.store.lines) == 33


@pytest.mark.parametrize(
    ("destination", "text"),
    [(FUNCTION.format("nowhere"), "is no function here"), (FUNCTION.format("f:old"), "is no function here")],
)
def test_destination_that_is_not_there(destination: str, text: str) -> None:
    """A function that is not here is told of; the record is kept all the same."""
    world = World()
    world.add("f", on_success=destination)
    world.put("f")
    world.time.run()
    assert text in world.said[0]
    assert world.store.lines[0][0] == destination
    assert len(world.started) == 1


def test_record_too_large_for_a_function() -> None:
    """A record over the limit of an event is kept, and not sent on."""
    world = World()
    world.add("f", on_success=FUNCTION.format("next"))
    world.add("next")
    world.put("f", b'"' + b"x" * 1_048_570 + b'"')
    world.time.run()
    assert "too large" in world.said[0]
    assert len(world.started) == 1


def event(**more: Any) -> Event:
    return Event(1, "id", "f", None, "arn", more.pop("body", b"{}"), START, **more)


def test_success_record() -> None:
    """The record of a success has the members that AWS writes, in its order."""
    record = record_of(
        event(attempts=1, response=Response(b'"fine"', None, "7")), "Success", "arn:f:live", START + 0.25
    )
    assert record == (
        b'{"version":"1.0","timestamp":"2023-11-14T22:13:20.250Z","requestContext":{"requestId":"id",'
        b'"functionArn":"arn:f:live","condition":"Success","approximateInvokeCount":1},"requestPayload":{},'
        b'"responseContext":{"statusCode":200,"executedVersion":"7"},"responsePayload":"fine"}'
    )


def test_failure_record() -> None:
    """The record of a failure names the error's kind and holds the error."""
    failed = event(attempts=3, response=Response(FAILED, UNHANDLED, "$LATEST"))
    record = json.loads(record_of(failed, "RetriesExhausted", "arn", START))
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"] == {"errorMessage": "no", "errorType": "E"}
    never = json.loads(record_of(event(), "ZeroReservedConcurrency", "arn", START))
    assert list(never) == ["version", "timestamp", "requestContext", "requestPayload"]


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b'{"n": 1.10000000000000000001, "big": 1e400}', b'{"n": 1.10000000000000000001, "big": 1e400}'),
        (b'{\r\n  "a": "\xc3\xa4\\n"\n}', b'{    "a": "\xc3\xa4\\n" }'),
        (b"9" * 5000, b"9" * 5000),
        (b"not json", b'"not json"'),
        (b"NaN", b'"NaN"'),
        (b"\xff", b'"\\ufffd"'),
        (b"", b'""'),
    ],
)
def test_responses_in_records(payload: bytes, wanted: bytes) -> None:
    """A response stands in the record as it was written, in one line; one that is no JSON as text."""
    record = record_of(event(response=Response(payload, None, "1")), "Success", "arn", START)
    assert record.endswith(b'"responsePayload":' + wanted + b"}")
    assert b"\n" not in record


def test_dead_letter() -> None:
    """A dead letter is the event, with the error in its attributes."""
    failed = event(body=b'{\n"a": "\xc3\xa4"}', response=Response(FAILED, UNHANDLED, "1"))
    line = dead_letter_of(failed, "f", START)
    assert b"\n" not in line
    message = json.loads(line)
    assert message["Body"] == '{\n"a": "ä"}'
    assert message["MessageAttributes"] == {
        "RequestID": {"StringValue": "id", "DataType": "String"},
        "ErrorCode": {"StringValue": "200", "DataType": "Number"},
        "ErrorMessage": {"StringValue": "no", "DataType": "String"},
    }
    long = event(response=Response(json.dumps({"errorMessage": "ä" * 2000}).encode(), UNHANDLED, "1"))
    text = json.loads(dead_letter_of(long, "f", START))["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert text == "ä" * 512
    assert "ErrorMessage" not in json.loads(dead_letter_of(event(), "f", START))["MessageAttributes"]
