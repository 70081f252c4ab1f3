"""Logs: what every invocation leaves, and how boto3's `logs` client and the AWS CLI read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lmfunction import _wire
from lmfunction.local._log_pattern import PatternError, matcher
from lmfunction.local._log_store import LogStore

TALKS = """
import logging, sys, time
logging.getLogger().setLevel("INFO")
def handler(event, context):
    for line in event.get("lines", []):
        print(line)
    if "half" in event:
        sys.stdout.write(event["half"])
    if "info" in event:
        logging.info(event["info"])
    time.sleep(event.get("sleep", 0))
    if "raise" in event:
        raise ValueError(event["raise"])
    return context.log_stream_name
"""


@pytest.fixture(scope="module")
def logs(server: Any) -> Iterator[Any]:
    """boto3's client for CloudWatch Logs at the embedded Lambda."""
    client = boto3.client(
        "logs",
        endpoint_url=server.url,
        region_name=server.region,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    yield client
    client.close()


@pytest.fixture
def group(deploy: Any) -> str:
    """The log group of a new function that prints what it is told to."""
    return "/aws/lambda/" + deploy(TALKS, Timeout=5)


def messages(logs: Any, group: str, **more: Any) -> list[str]:
    return [e["message"] for e in logs.filter_log_events(logGroupName=group, **more)["events"]]


def name_of(group: str) -> str:
    return group.rpartition("/")[2]


def test_an_invocation_is_logged_without_being_asked(logs: Any, group: str, call: Any) -> None:
    """START, every line, END and REPORT are there, under the stream and the request id that the function knows."""
    stream, answer = call(name_of(group), {"lines": ["one", "two"], "half": "no end"})
    request_id = answer["ResponseMetadata"]["RequestId"]
    events = logs.filter_log_events(logGroupName=group)["events"]
    assert [e["message"] for e in events[:5]] == [
        f"START RequestId: {request_id} Version: $LATEST\n",
        "one\n",
        "two\n",
        "no end\n",
        f"END RequestId: {request_id}\n",
    ]
    report = _wire.parse_report(events[5]["message"])
    assert report is not None
    assert report.cold_start
    assert report.max_memory_used_mb
    assert {e["logStreamName"] for e in events} == {stream}
    assert len({e["eventId"] for e in events}) == 6
    assert abs(events[0]["timestamp"] / 1000 - time.time()) < 60


def test_what_the_tail_says_is_what_is_kept(logs: Any, group: str, call: Any) -> None:
    """The tail of an invocation and its part of the log are the same text."""
    _, answer = call(name_of(group), {"lines": ["é", "x" * 500], "raise": "bad"}, LogType="Tail")
    assert "".join(messages(logs, group)) == answer["Log"]


def test_a_traceback_is_one_event(logs: Any, group: str, call: Any) -> None:
    """An error with its traceback is one event, as on AWS, with the request id in START before it."""
    call(name_of(group), {"raise": "bad luck"})
    _, error, end, _ = messages(logs, group)
    assert error.startswith("[ERROR] ValueError: bad luck\nTraceback (most recent call last):\n\u00a0\u00a0File ")
    assert end.startswith("END ")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\ndef handler(e, c):\n    os._exit(3)\n", "exit status 3"),
        ("import time\ndef handler(e, c):\n    print('before', flush=True)\n    time.sleep(9)\n", "Task timed out"),
        ("raise ValueError('at import')\n", "at import"),
    ],
)
def test_how_a_process_ended_is_logged(logs: Any, deploy: Any, call: Any, source: str, said: str) -> None:
    """Exits, timeouts and failed imports leave START, what is known, END and REPORT."""
    name = deploy(source, Timeout=1)
    call(name)
    text = "".join(messages(logs, f"/aws/lambda/{name}"))
    assert said in text
    assert text.count("START RequestId") == text.count("END RequestId") == text.count("REPORT RequestId") == 1


def test_filters(logs: Any, group: str, call: Any) -> None:
    """By pattern, time and stream; pages follow each other without a gap or an overlap."""
    stream, _ = call(name_of(group), {"lines": [f"line {i}" for i in range(7)]})
    assert messages(logs, group, filterPattern='"line 3"') == ["line 3\n"]
    assert messages(logs, group, startTime=int(time.time() * 1000) + 60_000) == []
    assert messages(logs, group, endTime=1) == []
    assert len(messages(logs, group, logStreamNames=[stream])) == 10
    assert messages(logs, group, logStreamNamePrefix="nothing") == []
    paginator = logs.get_paginator("filter_log_events")
    pages = [*paginator.paginate(logGroupName=group, PaginationConfig={"PageSize": 3})]
    sizes = [len(page["events"]) for page in pages]
    assert sizes == [3, 3, 3, 1]
    found = [e["message"] for page in pages for e in page["events"]]
    assert found == messages(logs, group)


def test_one_stream_forwards_and_backwards(logs: Any, group: str, call: Any) -> None:
    """GetLogEvents reads from either end, and its tokens go on where the page ended."""
    stream, _ = call(name_of(group), {"lines": ["a", "b", "c"]})
    asked = {"logGroupName": group, "logStreamName": stream, "limit": 3}
    head = logs.get_log_events(**asked, startFromHead=True)
    assert [e["message"] for e in head["events"][1:]] == ["a\n", "b\n"]
    more = logs.get_log_events(**asked, nextToken=head["nextForwardToken"])
    assert more["events"][0]["message"] == "c\n"
    end = logs.get_log_events(**asked, nextToken=more["nextForwardToken"])
    assert end["events"] == []
    assert end["nextForwardToken"] == more["nextForwardToken"]
    tail = logs.get_log_events(**asked)
    assert tail["events"][0]["message"] == "c\n"
    back = logs.get_log_events(**asked, nextToken=tail["nextBackwardToken"])
    assert [e["message"] for e in back["events"][1:]] == ["a\n", "b\n"]


def test_groups_and_streams_are_listed(logs: Any, group: str, call: Any) -> None:
    """A group is there once its function has run; its streams are those of its environments, the latest last."""
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    stream, _ = call(name_of(group), {"lines": ["x"]})
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupArn"].endswith(f":log-group:{group}")
    assert messages(logs, found["logGroupArn"]) == messages(logs, group)
    (listed,) = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True)["logStreams"]
    assert listed["logStreamName"] == stream
    assert listed["firstEventTimestamp"] <= listed["lastEventTimestamp"]


def test_a_group_of_its_own(logs: Any, deploy: Any, call: Any) -> None:
    """A function whose LoggingConfig names a group writes there."""
    group = f"shop/{os.urandom(4).hex()}"
    name = deploy(TALKS, LoggingConfig={"LogGroup": group})
    call(name, {"lines": ["x"]})
    assert "x\n" in messages(logs, group)
    assert logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"] == []


@pytest.mark.parametrize(
    ("method", "asked", "code"),
    [
        ("filter_log_events", {"logGroupName": "/aws/lambda/nothing"}, "ResourceNotFoundException"),
        ("filter_log_events", {"logGroupName": "/elsewhere"}, "ResourceNotFoundException"),
        ("filter_log_events", {"logGroupName": "/aws/lambda/hello", "nextToken": "x"}, "InvalidParameterException"),
        ("filter_log_events", {"logGroupName": "/aws/lambda/hello", "filterPattern": '"'}, "InvalidParameterException"),
        (
            "get_log_events",
            {"logGroupName": "/aws/lambda/hello", "logStreamName": "no"},
            "ResourceNotFoundException",
        ),
        ("create_log_group", {"logGroupName": "new"}, "UnknownOperationException"),
    ],
)
def test_refusals(logs: Any, call: Any, method: str, asked: dict[str, Any], code: str) -> None:
    """What is not there, or not understood, is refused in the service's own words."""
    call("hello", {})
    with pytest.raises(ClientError) as caught:
        getattr(logs, method)(**asked)
    assert caught.value.response["Error"]["Code"] == code


def test_a_signature_for_lambda_opens_no_logs(wire: Any) -> None:
    """The request must be signed for the service that it goes to, either way."""
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"}
    assert wire.request("/", b"{}", headers=headers, service="logs").status == 200
    assert wire.request("/", b"{}", headers=headers).status == 403
    assert wire.request(service="logs").status == 403
    assert wire.request("/", b"[]", headers=headers, service="logs").json()["__type"] == "SerializationException"


def test_aws_cli_reads(server: Any, group: str, call: Any, tmp_path: Path) -> None:
    """`aws logs` reads them; version 2 has `tail`, which asks the same operation."""
    call(name_of(group), {"lines": ["seen by the CLI"]})
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": server.url,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": server.region,
    }
    words = [str(Path(sys.executable).with_name("aws")), "logs"]
    words += ["filter-log-events", "--log-group-name", group, "--output", "json"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "seen by the CLI\n" in [e["message"] for e in json.loads(done.stdout)["events"]]


def test_a_line_is_there_while_the_function_runs(logs: Any, group: str, call: Any) -> None:
    """What a handler writes can be read before its invocation ends."""
    thread = threading.Thread(target=lambda: call(name_of(group), {"lines": ["under way"], "sleep": 0.6}))
    thread.start()
    seen: list[str] = []
    while thread.is_alive() and "under way\n" not in seen:
        if logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            seen = messages(logs, group)
    running = thread.is_alive()
    thread.join()
    assert running
    assert not any(m.startswith("END") for m in seen)


def test_patterns(log_pattern_case: dict[str, Any]) -> None:
    """The filter patterns mean what CloudWatch's do; those that are not here say so."""
    if "error" in log_pattern_case:
        with pytest.raises(PatternError, match=log_pattern_case["error"]):
            matcher(log_pattern_case["pattern"])
        return
    fits = matcher(log_pattern_case["pattern"])
    assert [text for text in log_pattern_case["fits"] if not fits(text)] == []
    assert [text for text in log_pattern_case["not"] if fits(text)] == []


def test_old_events_make_room() -> None:
    """A function's log is bounded: the oldest go, the newest stay, in order."""
    store = LogStore(clock=lambda: 5.0)
    stream = store.stream("f", "s")
    for number in range(300):
        stream.write(b"%d %s\n" % (number, b"x" * 20_000))
    log = store.get("f")
    assert log is not None
    assert log.stored_bytes <= 2_097_152
    numbers = [int(event.text.split()[0]) for event in log.events()]
    assert numbers == list(range(numbers[0], 300))
    assert len(numbers) > 90
