"""T9: a notebook whose kernel is restarted, or interrupted, while a run with a journal goes on, and that resumes it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journal.invariants import violations, violations_while_open
from journal.stub import Stub, answer
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

ITEMS = 60
FIRST = """
%load_ext lmfunction
items = [{{"n": n}} for n in range({count})]
%invoke_lm {function} -InputObject $items -EndpointUrl {url} -Region eu-west-1 -ThrottleLimit 4 -Journal {path};
"""
AGAIN = """
%load_ext lmfunction
import json
import lmfunction as lm
items = [{{"n": n}} for n in range({count})]
try:
    run = %invoke_lm {function} -InputObject $items -EndpointUrl {url} -Region eu-west-1 -Journal {path} -Resume
except lm.BulkError as error:
    run = error.result
print("told", json.dumps([run.summary(), [item.index for item in run.unknown]]))
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    environment |= {"LMFUNCTION_STATE": str(tmp_path / "state"), "IPYTHONDIR": str(tmp_path / "ipython")}
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


@pytest.mark.parametrize("how", ["restarted", "interrupted"])
def test_a_notebook_goes_on(
    how: str, kernel: tuple[KernelManager, BlockingKernelClient], stub: Stub, tmp_path: Path
) -> None:
    """Nothing is lost and nothing runs twice; what was under way is listed as unknown, no more than that."""
    manager, client = kernel
    stub.slowest = 0.05
    place: dict[str, Any] = {"count": ITEMS, "function": f"f-{uuid.uuid4().hex}", "url": stub.url}
    path = place["path"] = str(tmp_path / "run.db")
    message = client.execute(FIRST.format(**place))
    stub.wait_for(place["function"], 12)
    if how == "restarted":
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=30)
    else:
        manager.interrupt_kernel()
        while client.get_shell_msg(timeout=30)["parent_header"].get("msg_id") != message:
            pass
    ran = stub.ran(place["function"])
    assert 12 <= len(ran) < ITEMS
    assert violations_while_open(path, ran) == []
    text: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        text.append(message["content"].get("text", ""))

    client.execute_interactive(AGAIN.format(**place), timeout=60, output_hook=keep, allow_stdin=False)
    (told,) = [line for line in "".join(text).splitlines() if line.startswith("told ")]
    summary, unknown = json.loads(told.removeprefix("told "))
    assert violations(path, ran, ITEMS, answer, summary) == []
    assert len(unknown) <= (4 if how == "restarted" else 0)
