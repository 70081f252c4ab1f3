"""`lm.invoke_lm` against `boto3.client("lambda").invoke` + `json.loads(read())`, warm, on one embedded Lambda.

Both call the same function in turns, in blocks of 100, so that whatever else the machine does hits both. Budget: 1.10.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import boto3

import lmfunction as lm
from lmfunction.local._child import start_embedded

BLOCKS = 30
BLOCK = 100
BUDGET = 1.10
EVENT = {"id": 4711, "items": [{"sku": "a-1", "count": 2}, {"sku": "b-2", "count": 1}], "note": "warm"}


def block_us(call: Callable[[], object]) -> float:
    """Microseconds per call over one block."""
    start = time.perf_counter()
    for _ in range(BLOCK):
        call()
    return (time.perf_counter() - start) / BLOCK * 1e6


def main() -> int:
    """Prints the figures; 1 when the budget is missed."""
    with start_embedded() as server:
        client = boto3.client(
            "lambda",
            endpoint_url=server.url,
            region_name=server.region,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        session = lm.Session(
            endpoint_url=server.url,
            region=server.region,
            credential=lm.Credential(server.access_key, server.secret_key),
        )

        def peer() -> object:
            answer = client.invoke(FunctionName="echo", Payload=json.dumps(EVENT))
            return json.loads(answer["Payload"].read())

        def ours() -> object:
            return session.invoke_lm("echo", EVENT).payload

        assert peer() == ours() == EVENT
        block_us(peer), block_us(ours)
        pairs = [(block_us(peer), block_us(ours)) for _ in range(BLOCKS)]
        session.close()
    peer_us = statistics.median(p for p, _ in pairs)
    ours_us = statistics.median(o for _, o in pairs)
    ratio = statistics.median(o / p for p, o in pairs)
    print(f"boto3 invoke + json.loads(read())   {peer_us:7.0f} us/call")
    print(f"lm.invoke_lm(...).payload           {ours_us:7.0f} us/call   {ratio:.2f} x (budget {BUDGET:.2f} x)")
    return ratio > BUDGET


if __name__ == "__main__":
    sys.exit(main())
