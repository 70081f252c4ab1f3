"""The owner of a run on a cluster, as a process that can be killed.

`owner.py JOURNAL ADDRESS URL FIRST COUNT MUTATION`: its items are numbers from FIRST on; MUTATION breaks the protocol,
and is empty for a run as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from cluster.mutations import ALL

import lmfunction as lm


def main() -> None:
    """Runs what the command line says."""
    path, address, url, first, count, mutation = sys.argv[1:]
    with pytest.MonkeyPatch.context() as patch:
        if mutation:
            ALL[mutation](patch)
        lm.invoke_lm(
            "f", input_object=[{"n": int(first) + n} for n in range(int(count))], journal=path, engine=address,
            region="eu-west-1", endpoint_url=url,
        )  # fmt: skip


if __name__ == "__main__":
    main()
