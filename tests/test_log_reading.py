"""Get-LMLog: the embedded Lambda's log and CloudWatch's by the same lines, as records and as a card."""

from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

import lmfunction as lm
from lmfunction._cards import card_of
from lmfunction._cmdlets import invoke
from lmfunction._door import Door
from lmfunction._live_text import LiveLines, LiveText
from lmfunction._log_reading import _moment, get_log
from lmfunction._log_records import Attribution, level_of
from lmfunction._progress import Viewer

SOURCE = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("plain", event)
    logging.warning("careful")
    logging.info("it has a request id")
    if event == "bad":
        raise ValueError("no")
    return context.aws_request_id
"""
CASES = yaml.safe_load((Path(__file__).with_name("log_level_cases.yaml")).read_text("utf-8"))


@pytest.fixture(scope="module")
def session() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as found:
        found.publish_lm_function("logs-of-mine", code=SOURCE, memory_size=128)
        yield found


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """The URL of a moto server in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def name(session: lm.Session, request: pytest.FixtureRequest) -> str:
    """A function of this test alone."""
    found = f"logs-{abs(hash(request.node.name))}"
    session.publish_lm_function(found, code=SOURCE)
    return found


def test_events_are_records(session: lm.Session, name: str) -> None:
    """Each event has its time, level, message, invocation and stream, the latest last."""
    result = session.invoke_lm(name, 7)
    records = session.get_lm_log(name)
    assert [r.level for r in records] == ["PLATFORM", "", "WARN", "INFO", "PLATFORM", "PLATFORM"]
    assert records[1].message == "plain 7"
    assert {r.request_id for r in records} == {result.request_id}
    assert records[-1]["Message"].startswith("REPORT RequestId")
    assert abs(records[0].timestamp - datetime.now(UTC)) < timedelta(minutes=1)
    assert len({r.log_stream_name for r in records}) == 1
    assert pickle.loads(pickle.dumps(records)) == records


def test_what_can_be_asked(session: lm.Session, name: str) -> None:
    """The last few, those with a text, those of one invocation, those younger than something."""
    first, second = session.invoke_lm(name, 1), session.invoke_lm(name, '"bad"')
    assert [r.message for r in session.get_lm_log(name, tail=2)][1].startswith("REPORT")
    assert [r.message for r in session.get_lm_log(name, filter="plain")] == ["plain 1", "plain bad"]
    of_second = session.get_lm_log(name, request_id=second.request_id)
    assert [r.level for r in of_second] == ["PLATFORM", "", "WARN", "INFO", "ERROR", "PLATFORM", "PLATFORM"]
    assert "ValueError: no" in of_second[4].message
    assert {r.request_id for r in of_second} == {second.request_id}
    assert len(session.get_lm_log(name, since="1h")) == 13
    assert session.get_lm_log(name, since=(datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert first.request_id != second.request_id


def test_the_card_is_the_log(session: lm.Session, name: str) -> None:
    """The card shows the lines with their times, from the end."""
    session.invoke_lm(name, '"bad"')
    records = session.get_lm_log(name, tail=3)
    card = card_of(records)
    assert card is not None
    assert card.title == name
    (section,) = card.sections
    assert section.kind == "log"
    assert "[ERROR] ValueError: no" in str(section.body)
    assert repr(records).startswith("<3 LMLog: ")


def test_what_is_secret_is_hidden(tmp_path: Path, session: lm.Session) -> None:
    """A profile's redaction holds for logs too."""
    (tmp_path / "careful.yaml").write_text("endpoint: embedded\nredact: {patterns: ['token-[a-z]+']}\n")
    places = {"profile_name": "careful", "profile_location": str(tmp_path)}
    session.invoke_lm("logs-of-mine", '"token-abc"')
    records = session.get_lm_log("logs-of-mine", **places)
    from lmfunction._render import mime_bundle

    shown = json.dumps(mime_bundle(records.card, lambda: repr(records))[0])
    assert "plain" in shown
    assert "token-abc" not in shown


def test_a_function_without_a_log(session: lm.Session) -> None:
    """A function that has not run has an empty log; one that is not there is refused by name."""
    session.publish_lm_function("never-run", code=SOURCE)
    assert session.get_lm_log("never-run") == []
    with pytest.raises(lm.ServiceError, match="Function not found"):
        session.get_lm_log("not-there", error_action="Stop")


def test_a_log_group_of_its_own(session: lm.Session) -> None:
    """The group that LoggingConfig names is found by the function's configuration."""
    session.publish_lm_function("own-group", code=SOURCE, logging_config_log_group="shop/all")
    session.invoke_lm("own-group", 1)
    assert "plain 1" in [r.message for r in session.get_lm_log("own-group")]


@pytest.mark.parametrize("text", ["5 minutes", "-3m", "soon", "2026-13-01"])
def test_since_that_is_no_time(session: lm.Session, text: str) -> None:
    """Since is an age or a time; anything else is named before anything is asked."""
    with pytest.raises(lm.ParameterError, match="Since"):
        session.get_lm_log("hello", since=text)


def test_since() -> None:
    """Ages count from now; a time without a zone is local."""
    now = time.time()
    assert _moment("90s") == pytest.approx(now - 90, abs=5)
    assert _moment("1.5h") == pytest.approx(now - 5400, abs=5)
    assert _moment("2026-01-31T12:00:00Z") == 1769860800


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["message"][:30])
def test_levels_and_invocations(case: dict[str, Any]) -> None:
    """What a line says of its level and its invocation, for the runtimes' own formats."""
    assert level_of(case["message"]) == case["level"]
    event = {"logStreamName": "s", "timestamp": 0, "message": case["message"]}
    (record,) = Attribution().records([event])
    assert record["RequestId"] == case.get("request_id", "")


def test_cloudwatch_is_asked_the_same(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same line reads CloudWatch Logs, here moto's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG")
    logs = boto3.client("logs", endpoint_url=moto_url, region_name="eu-west-1")
    group, stream = "/aws/lambda/far", "2026/01/01/[$LATEST]abc"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = ["START RequestId: 11111111-2222-3333-4444-555555555555 Version: $LATEST\n", "[ERROR] x\n", "fine\n"]
    events = [{"timestamp": now + n, "message": text} for n, text in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    logs.close()
    with lm.Session(region="eu-west-1", endpoint_url=moto_url) as session:
        records = session.get_lm_log("far", tail=2)
    assert [(r.level, r.message) for r in records] == [("ERROR", "[ERROR] x"), ("", "fine")]
    assert {r.request_id for r in records} == {"11111111-2222-3333-4444-555555555555"}


SLOW = """
import time
def handler(event, context):
    print("before the wait")
    time.sleep(event)
    print("after it")
    return event
"""


@pytest.mark.parametrize(("seconds", "wanted", "seen"), [(0.9, True, 1), (0, True, 0), (0.9, False, 0)])
def test_a_long_call_shows_its_log(session: lm.Session, seconds: float, wanted: bool, seen: int) -> None:
    """With live_log a handler's lines are there before its answer; short calls and other doors show none."""
    session.publish_lm_function("slow-talker", code=SLOW, timeout=5)
    drawn: list[tuple[str, bool]] = []
    answered: list[Any] = []

    def live(text: LiveText, hidden: Any) -> Any:
        return (Viewer(LiveLines(text, lambda new: drawn.append((new, bool(answered))), hidden).draw),)

    door = Door(live=live, live_log=wanted)
    values = {"FunctionName": "slow-talker", "Payload": str(seconds), "ProfileName": "local"}
    invoke(values, session.engine, door, answered.append)
    text = "".join(new for new, _ in drawn)
    assert text.count("before the wait") == text.count("after it") == seen
    assert "RequestId" not in text
    if seen:
        assert drawn[0] == ("before the wait\n", False)


def test_following_hands_out_what_comes(session: lm.Session, name: str) -> None:
    """In Python the events are an iterator, which ends with TimeoutSec; each comes once."""
    session.invoke_lm(name, 1)
    coming = iter(session.get_lm_log(name, follow=True, timeout_sec=1))
    seen = [next(coming).message for _ in range(6)]
    session.invoke_lm(name, 2)
    seen += [record.message for record in coming]
    assert [text for text in seen if text.startswith("plain")] == ["plain 1", "plain 2"]
    assert sum(text.startswith("REPORT") for text in seen) == 2


def test_following_at_a_terminal(name: str, tmp_path: Path) -> None:
    """A program gets a line of JSON for each event, as it comes; -TimeoutSec ends it well."""
    words = ["get_lm_log", "hello", "-Follow", "-TimeoutSec", "0.3", "-ProfileName", "local"]
    line = "invoke_lm hello -ProfileName local | select StatusCode"
    program = f"from lmfunction._terminal import main; main([{line!r}]); raise SystemExit(main({words!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    events = [json.loads(text) for text in done.stdout.splitlines()[1:]]
    assert events[0]["Level"] == "PLATFORM"
    assert events[-1]["Message"].startswith("REPORT")


def test_ctrl_c_ends_following(session: lm.Session, name: str) -> None:
    """Ctrl-C is how following ends: what was seen is the value, and nothing is raised."""

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    session.invoke_lm(name, 1)
    policy = dataclasses.replace(session.engine.policy, sleep=interrupted)
    engine = dataclasses.replace(session.engine, policy=policy)
    door = Door(live=lambda text, hidden: (Viewer(lambda progress: None),))
    values = {"FunctionName": name, "Follow": True, "ProfileName": "local"}
    assert [r.level for r in get_log(values, engine, door)].count("PLATFORM") == 3


def test_following_in_a_notebook(session: lm.Session, name: str) -> None:
    """Where somebody watches, lines are shown as they come, redacted, and the value says that they were."""
    drawn: list[str] = []

    def live(text: LiveText, hidden: Any) -> Any:
        return (Viewer(LiveLines(text, drawn.append, hidden).draw, after=0.0, every=0.0),)

    session.invoke_lm(name, '"mark"')
    door = Door(live=live)
    values = {"FunctionName": name, "Follow": True, "TimeoutSec": 0.3, "ProfileName": "local"}
    records = get_log(values, session.engine, door)
    assert "plain mark\n" in "".join(drawn)
    card = card_of(records)
    assert card is not None
    assert card.facts == (f"{len(records)} events", "shown above")
    assert card.sections == ()
