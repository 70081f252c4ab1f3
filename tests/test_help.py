"""The help: every parameter stands in it, and every line it shows as an example works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lmfunction._binder import bind
from lmfunction._grammar import parse_line
from lmfunction._help import cmdlet_help, overview
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._table import CMDLETS, INVOKE, MEASURE, PUBLISH, find_cmdlet
from lmfunction._values import Scope

# What boto3's model says is checked cmdlet by cmdlet in tests/operations.
EVERY = [(c, p) for c in (INVOKE, MEASURE, PUBLISH) for p in c.parameters if not p.generated]
EXAMPLES = [(c, e.line) for c in (INVOKE, MEASURE, PUBLISH) for e in c.examples]
# What the examples' variables hold, and the files they name.
NAMES = {
    "order": {"id": 7},
    "role": "arn:aws:iam::123456789012:role/r",
    "source": "def handler(event, context):\n    return event\n",
}
FILES = {"order.json": '{"id": 7}'}


@pytest.mark.parametrize(("cmdlet", "parameter"), EVERY, ids=[f"{c.name} -{p.name}" for c, p in EVERY])
def test_every_parameter(cmdlet: Cmdlet, parameter: Parameter) -> None:
    """The help tells each parameter's aliases, position, default, choices, exclusions and meaning."""
    text = cmdlet_help(cmdlet)
    heads = [line for line in text.split("\n") if line.split(maxsplit=1)[:1] == [f"-{parameter.name}"]]
    if parameter.refused:
        assert heads == []
        return
    (head,) = heads
    assert head.startswith("    -")
    for note in (
        *parameter.aliases,
        *parameter.choices,
        *parameter.excludes,
        parameter.default,
        f"position {parameter.position}" if parameter.position else "",
        "required" if parameter.mandatory else "",
        "" if parameter.kind is Kind.SWITCH or parameter.choices else f"<{parameter.kind.value}>",
    ):
        assert note in head
    following = text[text.index(head) + len(head) :]
    assert " ".join(following.split()).startswith(" ".join(parameter.help.split()))


@pytest.mark.parametrize("cmdlet", CMDLETS, ids=lambda c: c.name)
def test_shape(cmdlet: Cmdlet) -> None:
    """The sections come in PowerShell's order, no line is wider than a terminal, and no argument is torn apart."""
    text = cmdlet_help(cmdlet)
    sections = [line for line in text.split("\n") if line and not line.startswith(" ")]
    assert sections == ["NAME", "SYNOPSIS", "SYNTAX", "PARAMETERS", "EXAMPLES"]
    assert text.isprintable() or text.isascii()
    prose = text.partition("PARAMETERS\n")[0].split("\n")
    # A name of the API may be longer than a line by itself.
    assert [line for line in prose if len(line) > 100 and line.count("[") != 1] == []
    syntax = text.partition("SYNTAX\n")[2].partition("PARAMETERS")[0]
    assert [line for line in syntax.split("\n") if line.count("[") != line.count("]")] == []
    assert cmdlet.examples, "a cmdlet without an example"


@pytest.mark.parametrize(("cmdlet", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example(cmdlet: Cmdlet, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example of the help parses and binds for its own cmdlet, and gives it the function's name."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content)
    name, _, rest = line.partition(" ")
    assert find_cmdlet(name) is cmdlet
    (stage,) = parse_line(rest)
    values: dict[str, Any] = bind(cmdlet, stage, Scope(NAMES)).values
    assert isinstance(values["FunctionName"].value, str)
    assert len(values) > 1


def test_overview_names_every_cmdlet() -> None:
    """The terminal's overview lists each cmdlet under both of its names."""
    for cmdlet in CMDLETS:
        (line,) = [x for x in overview().split("\n") if x.split()[:1] == [cmdlet.python_names[0]]]
        assert line.split()[1:] == [cmdlet.name]
