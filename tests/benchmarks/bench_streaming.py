"""Streamed answers of the embedded Lambda: time to the first byte, throughput, memory, and our cmdlet beside boto3.

boto3 and the cmdlet take turns, so that whatever else the machine does hits both; a ratio is the median over the turns.
Budgets: the cmdlet within 1.10 x boto3's time for many small chunks, the server's memory flat (30 MB for 100 MB).

`python bench_streaming.py`
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

import lmfunction as lm
from lmfunction.local._child import start_embedded

STREAMER = Path(__file__).parents[1] / "local" / "streamer.py"
TURNS = 15
RATIO = 1.10
MEMORY_MB = 30.0
SHORT = json.dumps(["a", "end"])
SMALL = json.dumps([{"repeat": 3_000, "text": "0123456789"}, "end"])
LARGE = json.dumps([{"repeat": 1_600, "text": "0123456789abcdef", "times": 4_096}, "end"])


def main() -> int:
    """Prints the figures; 1 when a budget is missed."""
    with start_embedded() as server:
        keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
        client = boto3.client("lambda", endpoint_url=server.url, region_name=server.region, **keys)
        deploy(client)
        credential = lm.Credential(server.access_key, server.secret_key)
        with lm.Session(endpoint_url=server.url, region=server.region, credential=credential) as session:

            def by_boto3(event: str) -> int:
                answer = client.invoke_with_response_stream(FunctionName="streamer", Payload=event)
                chunks = (e.get("PayloadChunk", {}).get("Payload", b"") for e in answer["EventStream"])
                return sum(len(chunk.decode()) for chunk in chunks)

            def by_cmdlet(event: str) -> int:
                return sum(map(len, session.invoke_lm_with_response_stream("streamer", event)))

            def first(event: str) -> int:
                with session.invoke_lm_with_response_stream("streamer", event) as result:
                    return len(next(iter(result)))

            by_boto3(SHORT), by_cmdlet(SHORT)
            before = peak_mb(server.pid)
            first_ms = statistics.median(timed(first, SHORT) for _ in range(100)) * 1000
            print(f"first byte, warm            {first_ms:8.2f} ms")
            seconds = statistics.median(timed(by_boto3, LARGE) for _ in range(3))
            print(f"100 MB in chunks of 64 KB   {105 / seconds:8.0f} MB/s")
            memory = peak_mb(server.pid) - before
            print(f"memory of the server, more  {memory:8.1f} MB (budget {MEMORY_MB:.0f})")
            turns = [(timed(by_cmdlet, SMALL), timed(by_boto3, SMALL)) for _ in range(TURNS)]
            ratio = statistics.median(ours / theirs for ours, theirs in turns)
            print(f"3,000 chunks of 10 bytes    {ratio:8.2f} x boto3 (budget {RATIO:.2f})")
        client.close()
    return int(ratio > RATIO or memory > MEMORY_MB)


def timed(run: Callable[[str], int], event: str) -> float:
    """Seconds that the run takes."""
    began = time.perf_counter()
    assert run(event) > 0
    return time.perf_counter() - began


def deploy(client: Any) -> None:
    """The function that streams what its event says."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        member = zipfile.ZipInfo("bootstrap")
        member.external_attr = 0o100755 << 16
        archive.writestr(member, f"#!{sys.executable}\n{STREAMER.read_text()}")
    client.create_function(
        FunctionName="streamer",
        Runtime="provided.al2023",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="any",
        Code={"ZipFile": content.getvalue()},
        Timeout=60,
    )


def peak_mb(pid: int) -> float:
    """The most memory that the process has had, in MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
