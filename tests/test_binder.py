"""Binding: exclusive parameters, origins, columns, and the line as an error may show it."""

from __future__ import annotations

import pytest

from lmfunction._binder import Bound, bind, refuse_together
from lmfunction._commands import run_arguments, run_line
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._grammar import parse_line
from lmfunction._scope import Scope
from lmfunction._table import INVOKE
from lmfunction.errors import ParameterError

NAMES = {"secret": "canary-4711", "order": {"id": 1}, "raw": b"{}", "p": {"Payload": {"a": 1}}}


def bindings(line: str):
    return bind(INVOKE, parse_line(line)[0], Scope(NAMES))


@pytest.mark.parametrize(
    ("first", "second"),
    [("Payload", "PayloadStream"), ("ClientContext", "ClientContextBase64"), ("Select", "PassThru")],
)
def test_a_default_gives_way_to_the_parameter_it_excludes(first, second):
    """Of two parameters that exclude each other the given one stays and a default goes, whichever is which."""
    for given, default in ((first, second), (second, first)):
        found = bindings("f")
        found.values[default] = Bound("default", "default")
        found.values[given] = Bound("given", "typed", 3)
        refuse_together(found)
        assert set(found.values) == {"FunctionName", given}
        assert found.values[given].value == "given"


@pytest.mark.parametrize("line", ["f @p -PayloadStream $raw", "f -PayloadStream $raw @p"])
def test_a_splatted_parameter_excludes_a_typed_one(line):
    """A splatted Payload and a typed PayloadStream are two payloads: refused, on either side."""
    with pytest.raises(ParameterError, match="exclude each other"):
        bindings(line)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("f {'a': 'canary'} -Nope x", "f {'a': '······'} -Nope ·"),
        ('f -Payload {"a": "canary"} -Region', 'f -Payload {"a": "······"} -Region'),
        ("f 'canary' -Qualifer live", "f '······' -Qualifer ····"),
        ("f -SecretKey canary -Region", "f -SecretKey ······ -Region"),
        ("f -SK:'a b' -Region", "f -SK:····· -Region"),
        ("f -Paylod {'a': 'canary'}", "f -Paylod {'a': '······'}"),
        ("f -Payload $order -SecretKey $secret -Region", "f -Payload $order -SecretKey $secret -Region"),
        ("f -AccessKey AKIAIOSFODNN7EXAMPLE", "f -AccessKey ····················"),
        ("AKIAIOSFODNN7EXAMPLE -Region", "···················· -Region"),
        ("f -PayloadStream 'canary' -Region", "f -PayloadStream '······' -Region"),
        ("f -ClientConfig {'proxies': 'canary'}", "f -ClientConfig {'proxies': '······'}"),
        ("f -Qualifier live -Region eu -Force -Region", "f -Qualifier live -Region eu -Force -Region"),
        ("f -Force canary -Region", "f -Force ······ -Region"),
    ],
)
def test_an_errors_line_shows_names_and_hides_values(line, shown):
    """The line under an error keeps its columns, names and plain settings; payloads, secrets and strays are blanked."""
    with pytest.raises(ParameterError) as caught:
        bindings(line)
    assert caught.value.source == shown
    assert len(shown) == len(line)
    assert shown in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "f -Payload {'a': 'canary-4711'",
        "f -SecretKey canary-4711 'open",
        "f -SK 'canary-4711' {",
        "f --secret-key=canary-4711 |",
        "f -SecretKey = canary-4711 -Region",
        "-SecretKey = 'a canary-4711' -Region",
        "-SecretKey: = canary-4711 }",
        "f -SeretKey:canary-4711 $(1 1)",
        "-Token canary-4711 )",
        'f "canary-4711\\q"',
        'f {"a": "canary-4711"} }',
    ],
)
def test_a_line_that_cannot_be_taken_apart_is_blanked_too(line):
    """Also where quotes or brackets are open, no secret and no payload is shown at the doors that take a line."""
    for run in (
        lambda: run_line(INVOKE, line, None, Engine(), Door(), {}),
        lambda: run_arguments([f"invoke_lm {line}"], Engine(), Door(), lambda _: None),
    ):
        with pytest.raises(ParameterError) as caught:
            run()
        assert "canary-4711" not in str(caught.value)
        assert "^" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        'f {} \'{"n": "canary-4711"}\' -InvocationType Event -ClientContext {}',
        "f -LogType ['canary-4711']",
        'f -TimeoutSec {"a": "canary-4711"}',
        "f -ClientConfig '\"canary-4711\"'",
    ],
)
def test_a_payload_at_the_wrong_place_is_not_repeated(line):
    """JSON that lands at a parameter of another kind is refused there in a message that does not show it."""
    defaults = {"EndpointUrl": "embedded", "WhatIf": True}
    with pytest.raises(ParameterError) as caught:
        run_line(INVOKE, line, None, Engine(), Door(), defaults)
    assert caught.value.parameter in ("LogType", "TimeoutSec", "ClientConfig")
    assert "canary-4711" not in str(caught.value.args[0])


def test_a_late_refusal_points_at_its_value():
    """A value that is refused only when the request is made still has its place in the line."""
    line = "f -EndpointUrl embedded -Qualifier 'a b' -WhatIf"
    with pytest.raises(ParameterError) as caught:
        run_line(INVOKE, line, None, Engine(), Door(), {})
    assert caught.value.parameter == "Qualifier"
    assert caught.value.column == line.index("'a b'") + 1


def test_the_doors_own_defaults_give_way():
    """A door's default is bound only where the line says nothing, and an excluded one is dropped."""
    shown = []
    door = Door(scope=Scope({"raw": b"[1]"}), show=shown.append)
    defaults = {"Payload": {"d": 1}, "Qualifier": "live", "EndpointUrl": "embedded", "Nowhere": 1}
    run_line(INVOKE, "f -WhatIf", None, Engine(), door, defaults)
    run_line(INVOKE, "f -PayloadStream $raw -Qualifier 7 -WhatIf", None, Engine(), door, defaults)
    seen = [(plan.request.payload, plan.request.qualifier) for plan in shown]
    assert seen == [(b'{"d":1}', "live"), (b"[1]", "7")]


def test_an_unknown_name_is_not_taken_for_a_switch():
    """A name nobody knows is refused where it stands, before anything after it is read."""
    with pytest.raises(ParameterError, match="has no parameter -Zzz") as caught:
        bindings("f -Zzz $(1/0)")
    assert caught.value.column == 3
