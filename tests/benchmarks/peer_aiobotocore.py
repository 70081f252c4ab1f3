"""aiobotocore's side of `bench_bulk.py`, in a Python of its own, since it pins another botocore than boto3 brings.

`python peer_aiobotocore.py URL CERTIFICATE LIMIT`; for each line `CALLS` on its standard input it makes so many calls,
each answer decoded, and prints the microseconds of CPU of this process for each.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session


def item(n: int) -> dict[str, Any]:
    """The event of each call, as in `bench_bulk.py`."""
    return {"n": n, "customer": "c-4711", "note": "an order of usual size", "lines": [1, 2]}


async def run(url: str, certificate: str, limit: int, calls: int) -> None:
    """So many calls, at most `limit` at a time."""
    numbers = iter(range(calls))
    async with get_session().create_client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=url,
        verify=certificate,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",
        config=AioConfig(max_pool_connections=limit, retries={"total_max_attempts": 1}),
    ) as client:

        async def work() -> None:
            for n in numbers:
                answer = await client.invoke(FunctionName="f", Payload=json.dumps(item(n)))
                async with answer["Payload"] as body:
                    json.loads(await body.read())

        await asyncio.gather(*(work() for _ in range(limit)))


def cpu() -> float:
    """The CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Makes calls as it is told."""
    url, certificate, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for line in sys.stdin:
        calls, start = int(line), cpu()
        asyncio.run(run(url, certificate, limit, calls))
        print((cpu() - start) / calls * 1e6, flush=True)


if __name__ == "__main__":
    main()
