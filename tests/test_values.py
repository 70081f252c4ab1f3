"""What a written value means for each kind of parameter; files, standard input, variables and their limits."""

from __future__ import annotations

import types
from pathlib import Path

import pytest

from lmfunction._binder import bind
from lmfunction._grammar import parse_arguments, parse_line
from lmfunction._params import Cmdlet, Kind, Parameter
from lmfunction._scope import Scope
from lmfunction._table import INVOKE, PUBLISH
from lmfunction.errors import ParameterError

ONE_OF_EACH = Cmdlet(
    "Test-Kind",
    ("test_kind",),
    "One parameter of each kind.",
    (
        Parameter("Text", Kind.TEXT, ""),
        Parameter("Json", Kind.JSON, ""),
        Parameter("Stream", Kind.STREAM, ""),
        Parameter("Base64", Kind.BASE64, ""),
        Parameter("Choice", Kind.CHOICE, "", choices=("One", "Two")),
        Parameter("Seconds", Kind.SECONDS, ""),
        Parameter("Whole", Kind.WHOLE, ""),
        Parameter("Map", Kind.MAP, ""),
        Parameter("Object", Kind.OBJECT, ""),
        Parameter("Items", Kind.ITEMS, ""),
        Parameter("Quiet", Kind.SWITCH, ""),
        Parameter("Variable", Kind.VARIABLE, ""),
        Parameter("Key", Kind.SECRET, ""),
    ),
)
THING = types.SimpleNamespace(name="n")
NAMES = {"thing": THING, "n": 7, "name": "text", "raw": b"\xff", "mapping": {"a": 1}, "yes": True}


def value_of(line: str, scope: Scope) -> object:
    bound = bind(ONE_OF_EACH, parse_line(line)[0], scope).values
    assert len(bound) == 1
    return next(iter(bound.values())).value


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-Text 007", "007"),
        ("-Text true", "true"),
        ("-Text {}", "{}"),
        ("-Text [1, 2]", "[1, 2]"),
        ("-Text $n", 7),
        ("-Json 007x5", ParameterError),
        ('-Json "{}"', "{}"),
        ("-Json $mapping", NAMES["mapping"]),
        ("-Json $nothing", ParameterError),
        ("-Stream text", "text"),
        ("-Stream 'it''s'", "it's"),
        ("-Stream {}", "{}"),
        ("-Stream $raw", b"\xff"),
        ("-Stream {raw}", b"\xff"),
        ("-Stream $nothing", ParameterError),
        ("-Base64 e30=", "e30="),
        ("-Base64 $name", "text"),
        ("-Base64 $nothing", ParameterError),
        ("-Choice one", "one"),
        ('-Choice "$name"', "text"),
        ("-Choice $nothing", ParameterError),
        ("-Seconds 5.5", "5.5"),
        ("-Seconds -5", "-5"),
        ("-Seconds $n", 7),
        ("-Whole $(n * 2)", 14),
        ("-Items $mapping", NAMES["mapping"]),
        ("-Items file://jobs.jsonl", Path("jobs.jsonl")),
        ("-Items FILEB:///data/jobs.jsonl", Path("/data/jobs.jsonl")),
        ("-Items 'file://jobs.jsonl'", ParameterError),
        ("-Items jobs.jsonl", ParameterError),
        ("-Items $nothing", ParameterError),
        ("-Whole $nothing", ParameterError),
        ('-Map {"a": $n}', '{"a": 7}'),
        ("-Map {mapping}", NAMES["mapping"]),
        ("-Map {'a': 1}", ParameterError),
        ("-Map $nothing", ParameterError),
        ("-Object $thing", THING),
        ("-Object {thing}", THING),
        ("-Object $(thing)", THING),
        ("-Object text", ParameterError),
        ("-Object $nothing", ParameterError),
        ("-Quiet", True),
        ("-Quiet:false", False),
        ("-Quiet:$False", False),
        ("-Quiet:1", True),
        ("-Quiet:$yes", True),
        ("-Quiet:$mapping", True),
        ("-Quiet:maybe", ParameterError),
        ("-Quiet:$nothing", ParameterError),
        ("-Variable r", "r"),
        ("-Variable $r", "r"),
        ("-Variable +r", "+r"),
        ("-Variable r-s", ParameterError),
        ("-Key $name", "text"),
        ("-Key $(name)", "text"),
        ("-Key {name}", "text"),
        ("-Key text", ParameterError),
        ("-Key 'text'", ParameterError),
        ('-Key "$name"', ParameterError),
        ("-Key file:///etc/hostname", ParameterError),
        ("-Key $nothing", ParameterError),
    ],
)
def test_the_kind_of_the_parameter_decides_how_a_value_is_read(line, expected):
    """Each form gives each kind of parameter its text or its object; what does not fit is refused at the value."""
    scope = Scope(NAMES, environ={})
    if expected is ParameterError:
        with pytest.raises(ParameterError) as caught:
            value_of(line, scope)
        assert caught.value.parameter == line[1:].partition(" ")[0].partition(":")[0]
        assert caught.value.column is not None
        assert caught.value.column > 4
        return
    actual = value_of(line, scope)
    assert actual == expected
    assert type(actual) is type(expected)


FILE = '{"a":  1}\r\n'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-Json file://{path}", FILE),
        ("-Json fileb://{path}", FILE.encode()),
        ("-Json FILE://{path}", FILE),
        ("-Json:file://{path}", FILE),
        ("-Json file://'{path}'", FILE),
        ('-Json file://"{path}"', FILE),
        ("-Stream file://{path}", FILE.encode()),
        ("-Stream fileb://{path}", FILE.encode()),
        ("-Text file://{path}", '{"a":  1}'),
        ("-Base64 file://{path}", '{"a":  1}'),
        ("-Choice file://{path}", '{"a":  1}'),
        ("-Text fileb://{path}", ParameterError),
        ("-Text 'file://{path}'", "file://{path}"),
        ("-Text https://{path}", "https://{path}"),
        ("-Text file:{path}", "file:{path}"),
        ('-Text "file://{path}"', "file://{path}"),
        ("-Json file://{path}.missing", ParameterError),
        ("-Json 'file://{path}'", ParameterError),
    ],
)
def test_a_bare_word_may_name_a_file(line, expected, tmp_path):
    """A bare file:// gives text, fileb:// bytes; in quotes both are text. A text parameter drops the last newline."""
    path = tmp_path / "a b.json" if "'" in line or '"' in line else tmp_path / "a.json"
    path.write_bytes(FILE.encode())
    written = line.replace("{path}", str(path))
    if expected is ParameterError:
        with pytest.raises(ParameterError):
            value_of(written, Scope())
        return
    actual = value_of(written, Scope())
    assert actual == (expected.replace("{path}", str(path)) if isinstance(expected, str) else expected)


def test_an_argument_may_name_a_file(tmp_path):
    """At the terminal file:// works in an argument, blanks in the name and all."""
    path = tmp_path / "a b.json"
    path.write_bytes(FILE.encode())
    for arguments in (["-Json", f"file://{path}"], [f"--json=file://{path}"], [f"-Json:file://{path}"]):
        bound = bind(ONE_OF_EACH, parse_arguments(arguments), Scope())
        assert bound.values["Json"].value == FILE


def test_a_variable_that_holds_a_files_name_is_not_a_file(tmp_path):
    """What a variable holds is never read again: neither as a file nor as a line."""
    name = f"file://{tmp_path}"
    assert value_of("-Text $x", Scope({"x": name})) is name
    assert value_of('-Text "$x"', Scope({"x": name})) == name
    assert value_of("-Stream $x", Scope({"x": "-"})) == "-"


def test_a_dash_is_the_standard_input_at_the_terminal():
    """`-` reads the standard input, up to just over the limit, where there is one; elsewhere it is refused."""
    asked = []

    def stdin(limit: int) -> bytes:
        asked.append(limit)
        return b"{}"

    scope = Scope(stdin=stdin)
    for line in ("-Json -", "-Stream -"):
        assert value_of(line, scope) == b"{}"
        with pytest.raises(ParameterError, match="at the terminal only"):
            value_of(line, Scope())
    assert value_of("-Text -", scope) == "-"
    assert value_of("-Stream '-'", scope) == "-"
    assert asked == [6_291_457, 6_291_457]


def test_an_expression_sees_the_users_variables_and_changes_none():
    """$(...) sees the variables, comprehensions included, and leaves only what it assigns itself."""
    names = {"rows": [1, 2], "k": 3, "__builtins__": __builtins__}
    assert value_of("-Json $([k * x for x in rows])", Scope(names)) == [3, 6]
    assert set(names) == {"rows", "k", "__builtins__"}
    assert value_of("-Json $(len(rows))", Scope(types.MappingProxyType(names))) == 2


def test_a_failing_expression_keeps_its_cause():
    """An expression that raises is a ParameterError with the original exception as its cause."""
    with pytest.raises(ParameterError, match=r"\$\(1/0\) failed: ZeroDivisionError") as caught:
        value_of("-Json $(1/0)", Scope())
    assert caught.value.column == 7


def test_an_attribute_that_raises_is_not_hidden():
    """A property of the user's object that fails raises its own error, and is not reported as missing."""

    class Touchy:
        @property
        def member(self) -> int:
            raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        value_of("-Json $x.member", Scope({"x": Touchy()}))


def test_a_mappings_key_comes_before_its_attribute():
    """`$d.items` is the key `items`; an attribute is taken when there is no such key."""
    scope = Scope({"d": {"items": 1, "k": {"x": 2}}})
    assert value_of("-Json $d.items", scope) == 1
    assert value_of("-Json $d.k.x", scope) == 2
    assert callable(value_of("-Json $d.keys", scope))


@pytest.mark.parametrize("name", ["Payload", "ClientContext"])
def test_a_json_fault_points_into_the_line(name):
    """The caret of a JSON fault stands under the fault itself, also after a variable."""
    line = f'f -{name} {{"a": $n, "b": tru}}'
    with pytest.raises(ParameterError, match="not JSON") as caught:
        bind(INVOKE, parse_line(line)[0], Scope(NAMES))
    assert caught.value.column == line.index("tru") + 1
    shown, caret = str(caught.value).splitlines()[-2:]
    assert caret.index("^") == shown.index("···")


def test_publish_reads_its_own_table():
    """The second cmdlet of the table binds by its own kinds and positions."""
    line = 'greet -Timeout 5 -Environment {"STAGE": $name} -Code $name -Force'
    bound = bind(PUBLISH, parse_line(line)[0], Scope(NAMES)).values
    assert {n: b.value for n, b in bound.items()} == {
        "FunctionName": "greet",
        "Timeout": "5",
        "Environment": '{"STAGE": "text"}',
        "Code": "text",
        "Force": True,
    }
