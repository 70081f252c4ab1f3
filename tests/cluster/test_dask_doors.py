"""-Engine at each door: a notebook's magics, the terminal, Python; and together with -AsJob."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from counting import Served
from nbclient import NotebookClient

import lmfunction as lm
from lmfunction._journal import Journal

Ran = Callable[[int], Counter[int]]


@pytest.fixture
def environment(served: Served, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lambda that counts, as the environment names it for this process and those it starts."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", served.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_in_a_notebook(client: Any, environment: None, first: int, ran: Ran, tmp_path: Path) -> None:
    """The magic takes a client, the client of the process, or an address; a job runs there too, and is stopped."""
    address = client.scheduler.address
    show = "print(json.dumps([run.summary()['OK'], run.payloads]))"
    cells = [
        f"import json, time\n%load_ext lmfunction\nfrom distributed import Client\nclient = Client({address!r})\n"
        f"items = [{{'n': {first} + n}} for n in range(400)]",
        f"run = %invoke_lm f -InputObject $(items[0:4]) -Journal a.db -Engine $client\n{show}",
        f"run = %invoke_lm f -InputObject $(items[4:8]) -Journal b.db -Engine dask\n{show}",
        f"job = %invoke_lm f -InputObject $(items[8:12]) -Journal c.db -Engine {address} -AsJob",
        f"run = %receive_job 1 -Wait\n{show}",
        "for item in items: item['do'] = {'delay': 0.2}\n"
        "job = %invoke_lm f -InputObject $(items[12:]) -Journal d.db -Engine dask -AsJob",
        "while not job.progress.counts.done: time.sleep(0.01)",
        "%stop_job 2",
        "run = %receive_job 2 -WarningAction SilentlyContinue\nprint(json.dumps([job.state, run.summary()]))",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(book, kernel_name="python3", timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    nbformat.validate(book)
    told = [json.loads(book.cells[n].outputs[-1].text) for n in (1, 2, 4, 8)]
    assert told[:3] == [[4, [{"n": first + n} for n in range(at, at + 4)]] for at in (0, 4, 8)]
    state, summary = told[3]
    assert state == "Stopped"
    assert summary["OK"] == ran(400).total() - 12
    assert summary["OK"] + summary["NOT_SENT"] == 388
    assert max(ran(400).values()) == 1


def test_at_the_terminal(client: Any, environment: None, first: int, ran: Ran, tmp_path: Path) -> None:
    """A program gives a scheduler's address, and writes a line for each item and nothing else."""
    line = (
        f"$([{{'n': {first} + n}} for n in range(4)]) | invoke_lm f -Journal run.db -Engine {client.scheduler.address} "
        "-Select Payload.n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "lmfunction", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(first + n) for n in range(4)]
    assert [*ran(4).values()] == [1] * 4


def test_in_xonsh(client: Any, environment: None, first: int, ran: Ran, tmp_path: Path) -> None:
    """What a pipe brings goes to a scheduler's address; objects of the shell to its client."""
    address = client.scheduler.address
    pytest.importorskip("xonsh")
    (tmp_path / "items.jsonl").write_text("".join(f'{{"n": {first + n}}}\n' for n in range(4)))
    (tmp_path / "lines.xsh").write_text(
        f"xontrib load lmfunction\nfrom distributed import Client\nclient = Client({address!r})\n"
        f"items = [{{'n': {first + 4}}}, {{'n': {first + 5}}}]\n"
        f"cat items.jsonl | invoke_lm -FunctionName f -Journal a.db -Engine {address} -Select Payload.n\n"
        "invoke_lm! f -InputObject $items -Journal b.db -Engine $client -Select Payload.n\n"
    )
    line = [sys.executable, "-m", "xonsh", "--no-rc", "lines.xsh"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(first + n) for n in range(6)]
    assert [*ran(6).values()] == [1] * 6


def threads() -> list[str]:
    """Those of runs and of clients."""
    return sorted(t.name for t in threading.enumerate() if t.name.startswith(("invoke-", "IO loop")))


@pytest.mark.parametrize("kind", ["client", "dask", "address"])
def test_in_python(client: Any, environment: None, first: int, tmp_path: Path, kind: str) -> None:
    """The same three kinds; a client that was made for the run ends with it."""
    engine = {"client": client, "dask": "dask", "address": client.scheduler.address}[kind]
    before = threads()
    run = lm.invoke_lm("f", input_object=[{"n": first}], journal=str(tmp_path / "run.db"), engine=engine)
    assert run[0].payload == {"n": first}
    assert threads() == before


def test_a_job_is_stopped(
    client: Any, environment: None, first: int, ran: Ran, when: Callable[..., threading.Event], tmp_path: Path
) -> None:
    """Stop-Job drains what is under way; the journal goes on at home, where everything has run once then."""
    path = str(tmp_path / "run.db")
    items = [{"n": first + n, "do": {"delay": 0.02}} for n in range(300)]
    job = lm.invoke_lm("f", input_object=items, journal=path, engine=client, as_job=True, throttle_limit=5)
    assert when(20).wait(30)
    job.stop()
    assert job.state == "Stopped"
    with pytest.warns(lm.LMWarning, match="was stopped"):
        run = job.receive()
    counts = run.summary()
    assert counts["OK"] == ran(300).total() >= 20
    assert counts["OK"] + counts["NOT_SENT"] == 300
    assert lm.invoke_lm("f", input_object=items, journal=path, resume=True).summary()["OK"] == 300
    assert {*ran(300).values()} == {1}


def test_a_stop_leaves_nothing_unknown(
    client: Any, environment: None, first: int, ran: Ran, when: Callable[..., threading.Event], tmp_path: Path
) -> None:
    """Nor what is being written down at that moment: nobody got leave for it, so that it did not run."""
    path = str(tmp_path / "run.db")
    items = [{"n": first + n} for n in range(40)]
    intends = Journal.intend

    def slowly(self: Journal, entries: Any, committed: Any) -> None:
        intends(self, entries, lambda *answer: threading.Timer(0.3, committed, answer).start())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "intend", slowly)
        job = lm.invoke_lm("f", input_object=items, journal=path, engine=client, as_job=True, throttle_limit=4)
        assert when(4).wait(30)
        job.stop()
    assert job.result.summary()["OK"] == ran(40).total() < 40
    assert lm.invoke_lm("f", input_object=items, journal=path, resume=True).summary()["OK"] == 40
    assert {*ran(40).values()} == {1}
