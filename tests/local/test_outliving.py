"""Servers with a state folder that are stopped and killed: nothing that was accepted is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lmfunction.errors import TransportError
from lmfunction.local._child import Embedded, start_embedded
from lmfunction.local._settings import Settings

ROLE = "arn:aws:iam::000000000000:role/any"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:{}"
RECORDS = "/lmfunction/destination-records"
# Leaves a mark for each event; holds on as long as there is no file `go`.
MARKING = """
import os, time
def handler(event, context):
    if not os.path.exists(event["go"]):
        open(event["go"] + ".held", "a").close()
        time.sleep(60)
    with open(event["mark"], "a") as mark:
        mark.write(context.aws_request_id + "\\n")
    os.write(os.open(event["tell"], os.O_WRONLY), b".")
"""
Start = Callable[..., Embedded]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers on one state folder; all of them are gone in the end."""
    servers: list[Embedded] = []

    def begin(**more: Any) -> Embedded:
        settings = Settings(**{"state": str(tmp_path / "state"), "retry_delays": (0.02, 0.02), **more})
        servers.append(start_embedded(settings=settings))
        return servers[-1]

    yield begin
    said = [server.errors for server in servers]
    for server in servers:
        server.close()
    assert not any(said)


def kill(server: Embedded, all_gone: Any, children_of: Any) -> None:
    pids = children_of(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    server._process.wait()
    assert all_gone(pids)


def create(client: Any, zip_of: Any, source: str, name: str = "f", **more: Any) -> Any:
    code = {"ZipFile": zip_of({"app.py": source})}
    return client.create_function(
        FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="app.handler", Code=code, **more
    )


def test_200_events_outlive_kill_9(
    start: Start, client_of: Any, zip_of: Any, all_gone: Any, children_of: Any, tmp_path: Path
) -> None:
    """200 accepted events are outstanding when the server is killed: after the restart all 200 run under their ids."""
    marks, go, pipe = tmp_path / "marks", tmp_path / "go", tmp_path / "tell"
    marks.mkdir()
    os.mkfifo(pipe)
    server = start(concurrency=2)
    client = client_of(server)
    create(client, zip_of, MARKING, Timeout=60)

    def send(number: int) -> tuple[int, str]:
        event = {"go": str(go), "mark": str(marks / str(number)), "tell": str(pipe)}
        answer = client.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(event))
        assert answer["StatusCode"] == 202
        return number, answer["ResponseMetadata"]["RequestId"]

    with ThreadPoolExecutor(16) as pool:
        sent = dict(pool.map(send, range(200)))
    kill(server, all_gone, children_of)
    assert list(marks.iterdir()) == []
    go.touch()
    ran = _read_dots(pipe, 200)
    start(concurrency=2)
    ran.join(20)
    assert {int(p.name): set(p.read_text().split()) for p in marks.iterdir()} == {n: {i} for n, i in sent.items()}


def _read_dots(pipe: Path, count: int) -> threading.Thread:
    """Waits in a thread until `count` bytes came through the pipe."""
    descriptor = os.open(pipe, os.O_RDWR)

    def read() -> None:
        left = count
        while left > 0:
            left -= len(os.read(descriptor, left))
        os.close(descriptor)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_functions_outlive_the_server(
    how: str, start: Start, client_of: Any, zip_of: Any, all_gone: Any, children_of: Any, tmp_path: Path
) -> None:
    """Functions with their code, versions, aliases and everything that was set come back as they were."""
    server = start()
    client = client_of(server)
    create(client, zip_of, "def handler(event, context): return 'one'\n", Tags={"team": "x"}, Timeout=7)
    client.publish_version(FunctionName="f", Description="first")
    client.update_function_code(
        FunctionName="f",
        ZipFile=zip_of({"app.py": "import os\ndef handler(event, context): return os.environ['AB']\n"}),
    )
    client.update_function_configuration(FunctionName="f", Environment={"Variables": {"AB": "two"}})
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=3)
    client.put_function_event_invoke_config(
        FunctionName="f", Qualifier="live", MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": QUEUE.format("failed")}},
    )  # fmt: skip
    client.publish_version(FunctionName="echo")
    create(client, zip_of, "def handler(event, context): return 'gone'\n", "gone")
    client.delete_function(FunctionName="gone")
    before = _shown(client)
    if how == "killed":
        kill(server, all_gone, children_of)
    else:
        server.close()
    client = client_of(start())
    assert _shown(client) == before
    assert client.invoke(FunctionName="f")["Payload"].read() == b'"two"'
    assert client.invoke(FunctionName="f:live")["Payload"].read() == b'"one"'
    assert client.invoke(FunctionName="echo:1", Payload=b"[1]")["Payload"].read() == b"[1]"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="gone")
    assert client.publish_version(FunctionName="f")["Version"] == "2"
    folders = {p.name for p in (tmp_path / "state" / "code").iterdir()}
    assert len(folders) == 3


def _shown(client: Any) -> list[Any]:
    asked = (
        (client.get_function, {}),
        (client.list_versions_by_function, {}),
        (client.list_aliases, {}),
        (client.get_function_concurrency, {}),
        (client.get_function_event_invoke_config, {"Qualifier": "live"}),
    )
    shown = [operation(FunctionName="f", **more) for operation, more in asked]
    for answer in shown:
        del answer["ResponseMetadata"]
        answer.pop("Code", None)
    return shown


def test_state_can_be_moved(start: Start, client_of: Any, zip_of: Any, tmp_path: Path) -> None:
    """The folder works at another place."""
    server = start()
    create(client_of(server), zip_of, "def handler(event, context): return 1\n")
    server.close()
    (tmp_path / "state").rename(tmp_path / "moved")
    client = client_of(start(state=str(tmp_path / "moved")))
    assert client.invoke(FunctionName="f")["Payload"].read() == b"1"


def test_two_servers_on_one_folder(start: Start) -> None:
    """The second is refused, naming the process that has the folder."""
    first = start()
    with pytest.raises(TransportError, match=rf"in use by the process {first.pid}\. Stop it, or name another folder"):
        start()


def test_keys_stay_when_asked(start: Start) -> None:
    """Access keys are new at every start, or the same for who asks."""
    seen = []
    for keep_keys in (False, False, True, True):
        server = start(keep_keys=keep_keys)
        seen.append((server.access_key, server.secret_key))
        server.close()
    assert len(set(seen)) == 3
    assert seen[2] == seen[3]


FAILING = """
count = 0
def handler(event, context):
    global count
    count += 1
    raise ValueError(f"attempt {count} {context.aws_request_id}")
"""


def test_failures_reach_destinations(start: Start, client_of: Any, zip_of: Any, tmp_path: Path) -> None:
    """Three attempts in one environment under one id, then record, dead letter, and a function that hears of it."""
    server = start()
    client = client_of(server)
    create(client, zip_of, "def handler(event, context): return event['requestContext']['condition']\n", "hears")
    next_arn = client.get_function(FunctionName="hears")["Configuration"]["FunctionArn"]
    create(client, zip_of, FAILING, DeadLetterConfig={"TargetArn": QUEUE.format("dead")})
    _destine(client, "f", OnFailure=next_arn)
    _destine(client, "hears", OnSuccess=QUEUE.format("heard"))
    answer = client.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"order": 1.50}')
    request_id = answer["ResponseMetadata"]["RequestId"]
    by_name = _records_until(server, 3)
    failed, letter, heard = (by_name[name] for name in ("hears", "dead", "heard"))
    assert failed["requestContext"] == {
        "requestId": request_id,
        "functionArn": client.get_function(FunctionName="f")["Configuration"]["FunctionArn"] + ":$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert failed["responsePayload"]["errorMessage"] == f"attempt 3 {request_id}"
    assert letter["MessageAttributes"]["RequestID"]["StringValue"] == request_id
    assert letter["Body"] == '{"order": 1.50}'
    assert heard["requestPayload"] == failed
    assert heard["responsePayload"] == "RetriesExhausted"
    lines = (tmp_path / "state" / "destinations" / "arn_aws_sqs_us-east-1_000000000000_dead.jsonl").read_text()
    assert json.loads(lines) == letter


def _destine(client: Any, name: str, **destinations: str) -> None:
    config = {kind: {"Destination": arn} for kind, arn in destinations.items()}
    client.put_function_event_invoke_config(FunctionName=name, DestinationConfig=config)


def _records_until(server: Embedded, count: int) -> dict[str, Any]:
    """The records by the last part of their destinations, once there are `count`; each is asked for when one came."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.httpsession import URLLib3Session

    session = URLLib3Session()
    for _ in range(500):
        request = AWSRequest("GET", server.url + RECORDS)
        SigV4Auth(Credentials(server.access_key, server.secret_key), "lambda", server.region).add_auth(request)
        records = json.loads(session.send(request.prepare()).content)["Records"]
        if len(records) >= count:
            break
        threading.Event().wait(0.01)
    session.close()
    return {r["Destination"].rsplit(":", 1)[1]: r["Record"] for r in records}
