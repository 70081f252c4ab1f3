"""The line grammar, end to end over the table of Invoke-LMFunction: what a line binds, and where an error points."""

from __future__ import annotations

import json
import pathlib
import types
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmfunction._binder import Bindings, bind
from lmfunction._grammar import Form, Stage, Value, parse_arguments, parse_line
from lmfunction._mask import masked_text
from lmfunction._scope import Scope
from lmfunction._table import INVOKE
from lmfunction.errors import ParameterError

TABLE = yaml.safe_load(pathlib.Path(__file__).with_name("grammar_cases.yaml").read_text(encoding="utf-8"))
MARK = "▸"
NAMES = {name: eval(source, {"types": types}) for name, source in TABLE["names"].items()}
SCOPE = Scope(NAMES, environ=TABLE["environment"])

LINES = [
    pytest.param(case, id=f"{group['behaviour'][:40]}: {case['line']}")
    for group in TABLE["groups"]
    for case in group["cases"]
]


def show(case: dict[str, Any], actual: object) -> str:
    return "\n" + yaml.safe_dump({"case": case}, allow_unicode=True, sort_keys=False) + f"actual: {actual}"


def told(error: ParameterError) -> dict[str, Any]:
    return {"message": str(error), "column": error.column, "parameter": error.parameter}


def check(case: dict[str, Any], column: int | None, run: Any) -> None:
    """Holds what `run()` binds, or the error it raises, against the case."""
    try:
        bindings: Bindings = run()
    except ParameterError as error:
        assert "error" in case, show(case, told(error))
        assert case["error"] in str(error), show(case, told(error))
        assert error.column == column, show(case, told(error))
        assert error.parameter == case.get("parameter", error.parameter), show(case, told(error))
        return
    actual = {name: bound.value for name, bound in bindings.values.items()}
    assert "error" not in case, show(case, actual)
    assert bindings.wants_help is case.get("help", False), show(case, f"wants_help={bindings.wants_help}")
    if bindings.wants_help:
        return
    expected = dict(case.get("bound", {}))
    for name, source in case.get("same", {}).items():
        expected[name] = eval(source, dict(NAMES))
        if source in NAMES:
            assert actual.get(name) is expected[name], show(case, actual)
    assert actual == expected, show(case, actual)
    assert {n: type(v) for n, v in actual.items()} == {n: type(v) for n, v in expected.items()}, show(case, actual)


@pytest.mark.parametrize("case", LINES)
def test_a_line_binds_what_the_table_says(case):
    """Each line of the table binds exactly its parameters, or fails at the mark with the words of the table."""
    line = case["line"].replace(MARK, "")
    column = case["line"].index(MARK) + 1 if MARK in case["line"] else None

    def run() -> Bindings:
        (stage,) = parse_line(line)
        return bind(INVOKE, stage, SCOPE)

    check(case, column, run)


@pytest.mark.parametrize("case", TABLE["arguments"], ids=lambda case: " ".join(case["arguments"]) or "none")
def test_arguments_bind_what_the_table_says(case):
    """At the terminal each argument is one value, nothing in it is special but a parameter's own spelling."""
    check(case, case.get("column"), lambda: bind(INVOKE, parse_arguments(case["arguments"]), SCOPE))


@pytest.mark.parametrize("case", TABLE["stages"], ids=lambda case: case["line"])
def test_a_pipe_outside_quotes_and_brackets_parts_stages(case):
    """A line falls into the stages that the table lists, or the error points at the pipe without a stage."""
    line = case["line"].replace(MARK, "")
    try:
        stages = parse_line(line)
    except ParameterError as error:
        assert case.get("error", "no error expected") in str(error), show(case, told(error))
        assert error.column == case["line"].index(MARK) + 1, show(case, told(error))
        return
    actual = {"tokens": [len(s.tokens) for s in stages], "columns": [s.column for s in stages]}
    assert actual == {"tokens": case.get("tokens"), "columns": case.get("columns")}, show(case, actual)


@pytest.mark.parametrize(("prefix", "name"), TABLE["prefixes"].items())
def test_the_shortest_forms_of_powershell_mean_the_same_parameters(prefix, name):
    """Each shortest form that PowerShell's rule gives means the same parameter here, in any case."""
    for spelling in (prefix, prefix.lower(), prefix.upper()):
        assert INVOKE.find(spelling).name == name


@pytest.mark.parametrize("prefix", TABLE["ambiguous"])
def test_what_powershell_finds_ambiguous_is_refused(prefix):
    """A prefix that PowerShell refuses is refused at its place, and the message lists what it could mean."""
    with pytest.raises(ParameterError, match="ambiguous") as caught:
        bind(INVOKE, parse_line(f"f -{prefix} x")[0], SCOPE)
    assert caught.value.column == 3
    meant = {p.name for p in INVOKE.parameters if any(s.startswith(prefix.lower()) for s in p.spellings)}
    listed = {word[1:] for word in str(caught.value).partition("begins")[2].partition(".")[0].split()}
    assert len(listed) > 1
    assert listed <= meant


def test_the_table_is_as_long_as_it_should_be():
    """The table keeps at least 170 lines: rows that get lost are noticed."""
    assert len(LINES) >= 170


def test_two_splats_of_different_parameters_are_combined():
    """Splats of different parameters add up."""
    scope = Scope({"a": {"LogType": "Tail"}, "b": {"Qualifier": "live"}})
    bound = bind(INVOKE, parse_line("@a f @b")[0], scope).values
    assert {n: b.value for n, b in bound.items()} == {"FunctionName": "f", "LogType": "Tail", "Qualifier": "live"}


def test_a_bound_value_knows_its_column_and_where_it_came_from():
    """Each bound value remembers its column and whether it was typed or splatted."""
    bound = bind(INVOKE, parse_line("orders @logs -Region eu-west-1")[0], SCOPE).values
    found = {n: (b.origin, b.column) for n, b in bound.items()}
    assert found == {"FunctionName": ("typed", 1), "LogType": ("splatted", 8), "Region": ("typed", 22)}


def test_the_caret_finds_its_place_after_a_line_break():
    """The caret stands under the fault also when a payload before it spans several lines."""
    arguments = ["f", "-Payload", '{\n  "a": 1\n}', "-Region", "here", "-Region", "there"]
    with pytest.raises(ParameterError, match="given twice") as caught:
        bind(INVOKE, parse_arguments(arguments), SCOPE)
    shown, caret = str(caught.value).splitlines()[-2:]
    assert shown[caret.index("^") :] == "-Region there"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)
ENCODABLE = st.text(st.characters(exclude_categories=("Cs",)))


def one_value(line: str, scope: Scope = SCOPE) -> Any:
    return bind(INVOKE, parse_line(line)[0], scope).values["Payload"].value


@given(
    value=st.lists(JSON_VALUES, max_size=4) | st.dictionaries(ENCODABLE, JSON_VALUES, max_size=4),
    spaced=st.booleans(),
    ascii_only=st.booleans(),
)
@example(value={"q": "'\"`\\ | # ; $oid {oid} $(1)"}, spaced=True, ascii_only=False)
def test_unquoted_json_arrives_as_written(value, spaced, ascii_only):
    """Any JSON written unquoted arrives byte for byte as written."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=None if spaced else (",", ":"))
    arrived = one_value(f"f -Payload {text} -Force")
    assert arrived == text
    assert json.loads(arrived) == value


@given(text=st.text())
def test_single_quoted_text_arrives_as_it_is(text):
    """Any text in single quotes arrives unchanged at a text parameter."""
    quoted = "'" + text.replace("'", "''") + "'"
    bound = bind(INVOKE, parse_line(f"-TenantId {quoted} f")[0], SCOPE).values
    assert bound["TenantId"].value == text
    assert bound["FunctionName"].value == "f"


@given(text=st.text())
def test_a_variables_text_is_never_read_again(text):
    """Whatever text a variable holds arrives unchanged inside double quotes, and as the object itself without."""
    scope = Scope({"x": text})
    stage = parse_line('-TenantId "<$x>" -Payload $x')[0]
    bound = bind(INVOKE, stage, scope).values
    assert bound["TenantId"].value == f"<{text}>"
    assert bound["Payload"].value is text


@given(value=JSON_VALUES | st.binary() | st.decimals() | st.sets(st.integers()))
def test_a_variable_gives_the_very_same_object(value):
    """Any Python object behind `$x`, `{x}` and `$(x)` arrives as that object, not a copy and not its text."""
    scope = Scope({"x": value})
    for line in ("f $x", "f -Payload:$x", "f {x}", "f $(x)", "f @(x)"):
        assert one_value(line, scope) is value


@given(text=st.text())
def test_an_argument_arrives_as_it_is(text):
    """Any text given as an argument at the terminal arrives unchanged, unless it spells a parameter of its own."""
    alone = [] if text[:1] in tuple("-–—―") else [["-Select", text], [text]]
    for arguments in (*alone, [f"-Select:{text}"], [f"--select={text}"], ["--", text]):
        value = parse_arguments(arguments).tokens[-1]
        assert isinstance(value, Value)
        assert (value.form, value.text) == (Form.ARGUMENT, text)


LINE_TEXT = st.text(st.sampled_from("abF $(){}[]'\"`|;#-–@?:=\\,.0159\n\t é") | st.characters(), max_size=30)
SPELLINGS = [
    "-Payload ",
    "-SK ",
    "--region=",
    "@params",
    "$oid",
    "${oid}",
    "$(oid)",
    '{"a": 1}',
    "'it''s'",
    '"x$oid"',
    "| ",
]
LINES_OF_PIECES = st.lists(LINE_TEXT | st.sampled_from(SPELLINGS), max_size=6).map(" ".join)


@settings(max_examples=300)
@given(line=LINES_OF_PIECES)
@example(line='"\\')
@example(line='"${')
@example(line="$(\x00)")
@example(line="@(")
def test_any_text_is_read_or_refused_at_a_place_in_it(line):
    """Whatever is typed, the tokenizer gives stages or a ParameterError whose column lies in the line or just after."""
    try:
        stages = parse_line(line)
    except ParameterError as error:
        assert error.column is not None
        assert 1 <= error.column <= len(line) + 1
        assert error.source == line
        assert str(error)
    else:
        assert all(isinstance(stage, Stage) for stage in stages)


@settings(max_examples=300)
@given(line=LINES_OF_PIECES)
def test_any_line_binds_or_is_refused_at_a_place_in_it(line):
    """Whatever is typed, the binder gives bindings or a ParameterError whose column lies in the line or just after."""
    scope = Scope({k: v for k, v in NAMES.items() if k not in ("obj", "cred")}, environ={})
    try:
        stages = parse_line(line)
        bind(INVOKE, stages[0], scope)
    except ParameterError as error:
        assert error.source is not None
        assert error.column is not None
        assert 1 <= error.column <= len(error.source) + 1
        assert str(error).splitlines()[-1].strip() == "^"


CANARY = "canary4711"
SECRET_PARAMETERS = [
    "-SecretKey",
    "-SK",
    "-SessionToken",
    "-ST",
    "-AccessKey",
    "-SecretAccessKey",
    "-Secr",
    "--secret-key",
]
BEFORE = ["", "f ", "f {} ", "-Nope x ", "-Payload {'a': 1} ", "f -Region a -Region b ", "-Cl x "]
AFTER = [
    "",
    " 'open",
    ' "open',
    " {",
    " -Qualifer x",
    " |",
    " @nope",
    " -Region",
    " ; x",
    " $(1 1)",
    " }",
    " -SK again",
]


def message_of(line: str) -> str | None:
    """The text of the error that a door would show for `line`."""
    try:
        stages = parse_line(line)
    except ParameterError as error:
        error.source = masked_text(line)
        return str(error)
    try:
        bind(INVOKE, stages[0], SCOPE)
    except ParameterError as error:
        return str(error)
    return None


@given(
    parameter=st.sampled_from(SECRET_PARAMETERS),
    separator=st.sampled_from([" ", ":", "  "]),
    quote=st.sampled_from(["", "'", '"']),
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
)
def test_no_message_repeats_a_typed_secret(parameter, separator, quote, before, after):
    """A secret typed as a literal stands in no error message, whatever else is wrong with the line."""
    message = message_of(f"{before}{parameter}{separator}{quote}{CANARY}{quote}{after}")
    assert message is not None
    assert CANARY not in message


@given(
    payload=st.sampled_from(
        [
            '{"note": "%s"}',
            "{'note': '%s'}",
            '{"note": %s}',
            '["%s", ]',
            "'{\"a\": %s}'",
            "'%s'",
            '"%s"',
            '{"a": "%s", "a": 1, }',
            '{"a": "x %s y"} z',
        ]
    ),
    name=st.sampled_from(["-Payload ", "-Payload:", "", "-ClientContext ", "-Payl ", "-Paylaod "]),
    after=st.sampled_from(AFTER),
)
def test_no_message_repeats_a_payload(payload, name, after):
    """What a payload holds stands in no error message, whatever is wrong with the line."""
    message = message_of(f"f {name}{payload % CANARY}{after}")
    assert message is None or CANARY not in message
