"""Servers for the cmdlets of the API: moto in process, and one that answers what it is told."""

from __future__ import annotations

import io
import threading
import urllib.request
import warnings
import zipfile
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from answering import AnsweringHandler, Requests

import lmfunction as lm


@pytest.fixture(scope="module")
def _answering() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), AnsweringHandler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def requests(_answering: ThreadingHTTPServer) -> Requests:
    """What the answering server is asked; it answers what it is told to."""
    _answering.requests = Requests()  # type: ignore[attr-defined]
    return _answering.requests  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(scope="module")
def session(_answering: ThreadingHTTPServer) -> Iterator[lm.Session]:
    """A session whose calls go to the answering server."""
    url = f"http://127.0.0.1:{_answering.server_address[1]}"
    with lm.Session(endpoint_url=url, region="us-east-1", credential=lm.Credential("AKID", "not-a-secret")) as session:
        yield session


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a moto server in this process, empty at first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports'
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    # What moto keeps belongs to the process, and other modules use it, too.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def aws(moto: str) -> Iterator[lm.Session]:
    """A session whose calls go to moto."""
    credential = lm.Credential("AKID", "not-a-secret")
    with lm.Session(endpoint_url=moto, region="us-east-1", credential=credential) as session:
        yield session


@pytest.fixture(scope="module")
def role(moto: str) -> str:
    """The ARN of an execution role at moto."""
    iam = _client("iam", moto)
    arn: str = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.close()
    return arn


@pytest.fixture(scope="module")
def queue(moto: str) -> str:
    """The ARN of a queue at moto."""
    sqs = _client("sqs", moto)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.close()
    return arn


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip file with one handler, `app.handler`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return event\n")
    path = tmp_path_factory.mktemp("package") / "app.zip"
    path.write_bytes(content.getvalue())
    return path


def _client(service: str, url: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="not-a-secret",
    )
