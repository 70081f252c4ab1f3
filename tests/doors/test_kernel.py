"""The magics in a real kernel, through nbclient: what a saved notebook holds, and what Ctrl-C does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager, start_new_kernel
from messages import without_place
from nbclient import NotebookClient

PROBE = (
    "def _probe(value):\n"
    "    import json\n"
    "    return json.dumps(value.to_dict() if hasattr(value, 'to_dict') else value)\n"
    "%load_ext lmfunction"
)


@pytest.fixture(scope="module")
def saved(every_case: list[dict[str, Any]], surroundings: dict[str, str]) -> dict[str, Any]:
    """The whole table run as one notebook in one kernel: id of the row -> the cell's outputs and the probe's."""
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(PROBE)]
    for case in every_case:
        body = f"%%{case['line']}\n{case['body']}" if "body" in case else f"%{case['line']}"
        names = "".join(f"{name} = {value!r}\n" for name, value in case.get("names", {}).items())
        book.cells += [
            nbformat.v4.new_code_cell(names + "Out.clear()"),
            nbformat.v4.new_code_cell(body),
            nbformat.v4.new_code_cell("print(_probe([*Out.values(), None][0]))"),
        ]
    _execute(book, surroundings, allow_errors=True)
    nbformat.validate(book)
    cells = book.cells[1:]
    return {case["id"]: (cells[3 * n + 1].outputs, cells[3 * n + 2].outputs) for n, case in enumerate(every_case)}


def _execute(book: Any, environment: dict[str, str], **options: Any) -> None:
    client = NotebookClient(book, timeout=60, kernel_name="python3", **options)
    client.execute(env=environment)


def test_every_saved_output(case: dict[str, Any], saved: dict[str, Any], check: Any, Seen: Any) -> None:
    """A saved cell holds the table's value as text and HTML alone, or one error with our name and our few lines."""
    outputs, probed = saved[case["id"]]
    seen = Seen()
    for output in outputs:
        if output.output_type == "error":
            assert "\n".join(output.traceback) == f"{output.ename}: {output.evalue}"
            seen.error, seen.message = output.ename, "\n".join(output.traceback)
        elif output.output_type == "stream":
            seen.text += output.text
        else:
            assert output.data.keys() <= {"text/plain", "text/html"}
            seen.text += output.data["text/plain"] + "\n"
            seen.markup += output.data.get("text/html", "")
    assert not any(
        alien in without_place(seen.message) for alien in ("Traceback", "site-packages", "lmfunction/_", "\x1b")
    )
    if not seen.error:
        seen.value = json.loads(probed[0].text)
        emitted = any(output.output_type == "execute_result" for output in outputs)
        seen.emitted = emitted or ("value" in case and case["value"] is None)  # IPython displays no None
    check(case, seen)


def test_figures_in_the_metadata(saved: dict[str, Any]) -> None:
    """A saved result carries its figures for tools that read notebooks, without payload and log."""
    (output,), _ = saved["name by position"]
    figures = output.metadata["lmfunction"]
    assert (figures["function"], figures["status_code"], figures["outcome"]) == ("hello", 200, "OK")
    assert "Hello" not in json.dumps(figures)


# Ctrl-C


class Kernel:
    """A kernel with its channels, that takes cells and tells what came of them."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment)

    def queue(self, source: str) -> str:
        return str(self.client.execute(source, allow_stdin=False))

    def until(self, message: str, kind: str, seconds: float = 20) -> tuple[float, list[dict[str, Any]]]:
        """When the cell `message` sent a message of `kind` (`stream`, `idle` ...), and all up to there."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            got = self.client.get_iopub_msg(timeout=seconds)
            if got["parent_header"].get("msg_id") != message:
                continue
            found.append(got)
            idle = got["msg_type"] == "status" and got["content"]["execution_state"] == "idle"
            if got["msg_type"] == kind or (kind == "idle" and idle):
                return time.monotonic(), found
        raise AssertionError(f"no {kind} within {seconds} s, but {found}")

    def reply(self, message: str) -> dict[str, Any]:
        while True:
            got = self.client.get_shell_msg(timeout=20)
            if got["parent_header"].get("msg_id") == message:
                return dict(got["content"])

    def run(self, source: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        message = self.queue(source)
        return self.reply(message), self.until(message, "idle")[1]


@pytest.fixture
def kernel(surroundings: dict[str, str]) -> Iterator[Kernel]:
    running = Kernel(surroundings)
    yield running
    running.client.stop_channels()
    running.manager.shutdown_kernel(now=True)
    running.manager.cleanup_resources()


def test_interrupt(kernel: Kernel) -> None:
    """An interrupt stops waiting within a second, says what is known, and aborts the queued cell alone."""
    kernel.run("%load_ext lmfunction")
    assert kernel.run("%invoke_lm hello;")[0]["status"] == "ok"
    waiting = kernel.queue('%invoke_lm slow -Payload {"seconds": 30} -Verbose')
    queued = kernel.queue("ran = True")
    kernel.until(waiting, "stream")  # the plan is told right before the call is sent
    time.sleep(0.3)
    sent = time.monotonic()
    kernel.manager.interrupt_kernel()
    stopped, messages = kernel.until(waiting, "idle")
    assert stopped - sent < 1
    (error,) = [m["content"] for m in messages if m["msg_type"] == "error"]
    assert error["ename"] == "InvocationInterrupted"
    assert "\n".join(error["traceback"]) == f"InvocationInterrupted: {error['evalue']}"
    assert "slow may still be running" in error["evalue"]
    assert kernel.reply(waiting)["status"] == "error"
    assert kernel.reply(queued)["status"] == "aborted"
    reply, _ = kernel.run("assert 'ran' not in globals()")
    assert reply["status"] == "ok"
    assert kernel.run("r = %invoke_lm hello\nassert r.payload['message'] == 'Hello, world!'")[0]["status"] == "ok"


def test_interrupts_of_several(kernel: Kernel) -> None:
    """One interrupt waits for the calls under way, two leave them; the result is in hand, queued cells do not run."""
    kernel.run("%load_ext lmfunction\nimport sys")
    for seconds, times, outcomes in ((1.5, 1, {"OK": 2}), (30, 2, {"UNKNOWN": 2})):
        waiting = kernel.queue(f"%invoke_lm slow -InputObject $([{{'seconds': {seconds}}}] * 9) -ThrottleLimit 2")
        queued = kernel.queue("ran = True")
        kernel.until(waiting, "display_data")  # how it goes on, after a second
        kernel.manager.interrupt_kernel()
        told = kernel.until(waiting, "stream")[1][-1]["content"]["text"]
        assert told == "Stopping: waiting for 2 calls under way; Ctrl-C again to leave them.\n"
        pressed = time.monotonic()
        if times == 2:
            kernel.manager.interrupt_kernel()
        stopped, messages = kernel.until(waiting, "idle")
        assert stopped - pressed < (3 if times == 1 else 1)
        (error,) = [m["content"] for m in messages if m["msg_type"] == "error"]
        assert error["ename"] == "InvocationInterrupted"
        assert kernel.reply(waiting)["status"] == "error"
        assert kernel.reply(queued)["status"] == "aborted"
        found = "{k: v for k, v in sys.last_value.result.summary().items() if k not in ('Count', 'ElapsedMs')}"
        reply, _ = kernel.run(f"assert 'ran' not in globals()\nassert {found} == {outcomes}, {found}")
        assert reply["status"] == "ok", reply


def test_confirmation_asks_the_front_end(kernel: Kernel) -> None:
    """In a notebook -Confirm asks through the front end's input box; the wrong answer sends nothing."""
    kernel.run("%load_ext lmfunction")
    for answer, status in (("hello", "ok"), ("helo", "error")):
        message = str(kernel.client.execute("%invoke_lm hello -Confirm", allow_stdin=True))
        asked = kernel.client.get_stdin_msg(timeout=20)["content"]
        assert "Type hello to go on" in asked["prompt"]
        assert not asked["password"]
        kernel.client.input(answer)
        reply = kernel.reply(message)
        assert reply["status"] == status
    assert reply["ename"] == "GuardError"
    assert reply["evalue"] == "hello: not confirmed, so nothing was sent."


def test_bad_text_in_a_saved_notebook(
    surroundings: dict[str, str], bad_text: dict[str, str], bad_handler: str, inert: Any
) -> None:
    """What a function returns, prints and raises is inert in the saved notebook, in cards and in error outputs."""
    cells = ["%load_ext lmfunction", "%config LMFunction.profile_name = 'local'"]
    cells.append("%%publish_lm_function kernel-bad\n" + bad_handler)
    for what in ("return", "raise"):
        for text in bad_text.values():
            cells.append(
                f"event = {{'what': {what!r}, 'texts': [{text!r}]}}\n%invoke_lm kernel-bad $event -LogType Tail"
            )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    _execute(book, surroundings, allow_errors=True)
    outputs = [output for cell in book.cells[3:] for output in cell.outputs]
    assert [o.output_type for o in outputs] == ["execute_result"] * len(bad_text) + ["display_data", "error"] * len(
        bad_text
    )
    for output in outputs:
        if output.output_type == "error":
            assert output.ename == "FunctionError"
            inert("\n".join([*output.traceback, output.evalue]))
        else:
            assert output.data.keys() == {"text/plain", "text/html"}
            inert(output.data["text/plain"], output.data["text/html"])
            inert(json.dumps(output.metadata, ensure_ascii=False))
