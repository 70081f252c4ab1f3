"""What is offered at the cursor, as a table; and that offering runs no code of the user and contacts nobody."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from lmfunction._blank import Surroundings
from lmfunction._completion import complete
from lmfunction._table import find_cmdlet


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_table(
    line: dict[str, Any],
    environ: dict[str, str],
    names: dict[str, Any],
    faults_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The offers at the end of a text are the table's, and each replaces the table's fragment of it."""

    def refused(*_: Any) -> None:
        raise AssertionError("completion opened a socket")

    monkeypatch.setattr(socket.socket, "connect", refused)
    name = line.get("cmdlet", "invoke_lm")
    around = Surroundings(names, environ=environ, last=names["result"], piped=line.get("piped", False))
    text = line["text"]
    found = complete(text, find_cmdlet(name) if name else None, around, after=line.get("after", ""))
    faults = faults_of(line, text, [text[: one.start] + one.text for one in found])
    if faults:
        pytest.fail(faults, pytrace=False)


def test_what_is_told_of_an_offer(environ: dict[str, str]) -> None:
    """A parameter comes with its help, a profile with where it is from, a variable with its type and size alone."""
    invoke = find_cmdlet("invoke_lm")
    around = Surroundings({}, environ=environ)
    (log,) = complete("f -LogT", invoke, around)
    assert (log.what, log.about) == ("parameter", "Tail brings the last 4 KB of the log. Only with RequestResponse.")
    told = {one.text: one.about for one in complete("f -ProfileName ", invoke, around)}
    assert told["team"] == "YAML profile"
    assert told["plain"].endswith("config")
    (region,) = complete("f -Region eu-west-1", invoke, around)
    assert (region.what, region.about) == ("region", "Europe (Ireland)")
    (secret,) = complete("f $s", invoke, Surroundings({"s": "not-a-secret"}, environ=environ))
    assert (secret.what, secret.about) == ("variable", "str, 12")
    (key,) = complete("f $d.", invoke, Surroundings({"d": {"password": "not-a-secret"}}, environ=environ))
    assert (key.what, key.text, key.about) == ("key", "password", "str, 12")


def test_a_broken_profile_offers_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    """A profile that cannot be read costs its offers only; running the line tells what is wrong."""
    (tmp_path / "bad.yaml").write_text("regoin: x\n")
    around = Surroundings({}, environ={**environ, "LMFUNCTION_PROFILES": str(tmp_path)})
    assert complete("-ProfileName bad ord", find_cmdlet("invoke_lm"), around) == []
    assert complete("-ProfileName bad -LogT", find_cmdlet("invoke_lm"), around) != []


def test_a_lists_length_does_not_matter(environ: dict[str, str]) -> None:
    """Of a long list the first elements are looked at, of a deep or endless object no more than is needed."""
    endless: dict[str, Any] = {"a": 1}
    endless["self"] = endless
    around = Surroundings({"long": [{"id": n} for n in range(300_000)], "endless": endless}, environ=environ)
    assert [one.text for one in complete("$long | where i", None, around)] == ["id"]
    assert [one.text for one in complete("$endless | where s", None, around)] == ["self"]
    assert [one.text for one in complete("$endless.self.self.s", None, around)] == ["self"]
