"""Pipelines in cells of a real shell and at the terminal: logical lines, values, what is shown and what is left."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import lmfunction as lm
from lmfunction import _session
from lmfunction._grammar import logical_lines

CELLS = yaml.safe_load(Path(__file__).with_name("cells.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CELLS, ids=lambda case: case["id"])
def test_logical_lines(case: dict[str, Any]) -> None:
    """A cell's text comes apart into the pipelines that the table names."""
    assert list(logical_lines(case["text"])) == case["lines"]


@pytest.fixture(scope="module")
def the_shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    InteractiveShell.clear_instance()


@pytest.fixture
def environment(the_lambda: Any) -> dict[str, str]:
    """Where lines that name no profile go."""
    return {
        "AWS_ENDPOINT_URL_LAMBDA": the_lambda.url,
        "AWS_ACCESS_KEY_ID": the_lambda.access_key,
        "AWS_SECRET_ACCESS_KEY": the_lambda.secret_key,
        "AWS_DEFAULT_REGION": the_lambda.region,
    }


@pytest.fixture
def cell(the_shell: InteractiveShell, environment: Any, monkeypatch: Any, tmp_path: Path) -> Iterator[Any]:
    """Runs a cell and gives its value; what it raises is raised here."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    _session.default_session().close()
    the_shell.reset(new_session=False)
    the_shell.extension_manager.load_extension("lmfunction")

    def run(source: str) -> Any:
        with capture_output():
            outcome = the_shell.run_cell(source)
        outcome.raise_error()
        return outcome.result

    yield run
    the_shell.extension_manager.unload_extension("lmfunction")
    _session.default_session().close()


def test_a_cell_of_several_pipelines(cell: Any, the_shell: InteractiveShell) -> None:
    """Each logical line runs in turn and sees what the ones before have set; the last one's value is the cell's."""
    the_shell.user_ns["orders"] = [{"id": n, "status": "open" if n % 2 else "failed"} for n in range(6)]
    value = cell(
        "%%lm\n"
        "# which ones failed\n"
        "$orders | where status -eq failed |   # of all\n"
        "    tee -Variable failed | measure\n"
        "\n"
        "$failed\n"
        "    | invoke_lm echo -ThrottleLimit 2 `\n"
        "        -OutVariable run\n"
        "    | select {\n"
        "        id: Payload.id,\n"
        "        ok: StatusCode == `200`\n"
        "    }\n"
    )
    assert value == [{"id": n, "ok": True} for n in (0, 2, 4)]
    assert [order["id"] for order in the_shell.user_ns["failed"]] == [0, 2, 4]
    assert isinstance(the_shell.user_ns["run"], lm.BulkResult)


def test_no_line_runs_when_one_cannot_be_read(cell: Any, the_shell: InteractiveShell) -> None:
    """As in Python, a cell with a line that is not closed does nothing at all."""
    the_shell.user_ns["orders"] = [1, 2]
    with pytest.raises(lm.ParameterError, match="Nothing follows"):
        cell("%%lm\n$orders | tee -Variable seen | measure\n$orders |\n")
    assert "seen" not in the_shell.user_ns


def test_a_line_magic_and_assignment(cell: Any, the_shell: InteractiveShell) -> None:
    """`x = %lm ...` and `x = %invoke_lm ... | ...` give the value to the name."""
    cell('x = %lm [3, 1, 2] | sort\ny = %invoke_lm hello -Payload {"name": "Ada"} | select Payload.message')
    assert (the_shell.user_ns["x"], the_shell.user_ns["y"]) == ([1, 2, 3], "Hello, Ada!")


def test_lines_see_the_variables_around_them(cell: Any, the_shell: InteractiveShell) -> None:
    """Blocks see the notebook's variables and, in a function, its own."""
    cell("limit = 1\ndef f(limit):\n    return get_ipython().run_line_magic('lm', '[1, 2, 3] | where { $_ > $limit }')")
    assert cell("%lm [1, 2, 3] | where { $_ > $limit }") == [2, 3]
    cell("def g(limit):\n    r = %lm [1, 2, 3] | where { $_ > $limit }\n    return r\ngot = g(2)")
    assert the_shell.user_ns["got"] == [3]


def test_nothing_is_expanded_by_ipython(cell: Any, the_shell: InteractiveShell) -> None:
    """Braces in JMESPath, blocks and JSON reach us as typed."""
    the_shell.user_ns["x"] = "wrong"
    assert cell('%lm {"x": {"y": 1}} | select {x: x.y}') == {"x": 1}
    assert cell("%%lm\n[1] | foreach { {'x': $_} }") == [{"x": 1}]


def test_expect_fails_the_cell(cell: Any) -> None:
    """A runbook's check that is not met is the cell's failure."""
    with pytest.raises(lm.ExpectationError, match="Expected StatusCode -eq 201; object 1 does not fit: it is 200"):
        cell("%invoke_lm hello | expect StatusCode -eq 201")


def test_a_failure_among_many_fails_the_cell(cell: Any) -> None:
    """Stop is the default at the magics: the error holds the result of all."""
    with pytest.raises(lm.BulkError, match="Stopped at object 1: OrderNotFoundError") as caught:
        cell("%lm [1, 2] | invoke_lm fail -ThrottleLimit 1")
    assert len(caught.value.result) == 1


def test_what_if_for_a_whole_notebook(cell: Any) -> None:
    """`%config LMFunction.what_if = True` sends nothing and expects nothing."""
    cell("%config LMFunction.what_if = True")
    try:
        assert cell("%lm [1, 2] | invoke_lm hello | expect StatusCode -eq 500") is None
        assert cell("%invoke_lm hello | expect StatusCode -eq 500") is None
    finally:
        cell("%config LMFunction.what_if = False")


# The terminal


@pytest.fixture
def terminal(environment: Any, tmp_path: Path) -> Any:
    """Runs the console command; nobody watches its output."""

    def run(*arguments: str, stdin: str = "") -> Any:
        variables = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            **environment,
            "PYTHONPATH": str(Path(lm.__file__).parents[1]),
        }
        return subprocess.run(
            [sys.executable, "-m", "lmfunction", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=variables,
            cwd=tmp_path,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(
    ("line", "lines", "code"),
    [
        ("invoke_lm hello | select Payload.message", ["Hello, world!"], 0),
        ("[3, 1, 2] | sort", [1, 2, 3], 0),
        ("[3, 1, 2] | measure -Sum", [{"Count": 3, "Sum": 6}], 0),
        ('{"a": [1, {"b": "é"}]} | select a', [1, {"b": "é"}], 0),
        ("[1, 2] | invoke_lm echo -Select Payload", [1, 2], 0),
        ("[1, 2] | invoke_lm echo | select Payload", [1, 2], 0),
        ("[3, 4] | json -Compress", ["[3,4]"], 0),
        ("[1] | where @ -gt 5", [], 0),
        ("invoke_lm hello | expect StatusCode -eq 201", [], 1),
        ("[1, 2] | invoke_lm fail -ThrottleLimit 1", [], 1),
        ("[1, 2] | where", [], 252),
        ("invoke_lm hello | select Payloud", [], 252),
        ("[1, 2] | tee -Variable x", [], 252),
    ],
)
def test_a_quoted_pipeline_prints_a_line_of_json_for_each_object(
    line: str, lines: list[Any], code: int, terminal: Any
) -> None:
    """stdout holds one JSON line per emitted object and nothing else; the exit code tells how it went."""
    done = terminal(line)
    assert [json.loads(text) for text in done.stdout.splitlines()] == lines, done
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr


def test_several_results_are_a_line_each(terminal: Any) -> None:
    """Each result as its to_dict(), failures among them with their outcome; the exit code says that one failed."""
    done = terminal("[1, 2] | invoke_lm echo")
    assert [json.loads(text)["Payload"] for text in done.stdout.splitlines()] == [1, 2]
    assert (done.returncode, done.stderr) == (0, "")
    done = terminal("[1, 2] | invoke_lm no-such-function -ErrorAction Continue")
    assert [json.loads(text)["Outcome"] for text in done.stdout.splitlines()] == ["REJECTED", "REJECTED"]
    assert done.returncode != 0


def test_a_csv_through_the_terminal(terminal: Any, tmp_path: Path) -> None:
    """From a file of jobs to a file of answers in one command."""
    (tmp_path / "jobs.csv").write_text('FunctionName,Payload\nhello,"{""name"": ""Ada""}"\necho,5\n', encoding="utf-8")
    done = terminal("import_csv jobs.csv | invoke_lm | select Payload | out_file answers.jsonl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "answers.jsonl").read_text("utf-8") == '{"message":"Hello, Ada!"}\n5\n'
