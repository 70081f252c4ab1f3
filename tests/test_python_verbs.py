"""The verbs as Python functions, and what may stand on either side of a `|`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pandas as pd
import pipe as pipe_library
import polars as pl
import pytest
import sspipe
import yaml

import lmfunction as lm
from lmfunction import _python_verbs as verbs
from lmfunction._pipeline import Pipe, Source
from lmfunction._stages import VerbStage
from lmfunction._verb_table import OPERATOR_NAMES, VERBS

CASES = yaml.safe_load(Path(__file__).with_name("python_verb_cases.yaml").read_text())
BY_NAME = {name: verb for verb in VERBS for name in verb.python_names}
# The Python function of a verb whose short name in lines is another.
VERB_OF = {"to_json": BY_NAME["json"], "to_frame": BY_NAME["frame"]}
FUNCTIONS = [name for name in lm.__all__ if inspect.getmodule(getattr(lm, name)) is verbs]
ITEMS = [{"id": 1, "price": 5}, {"id": 2, "price": 15}, {"id": 3, "price": 25}]


@pytest.fixture
def session() -> Iterator[lm.Session]:
    with lm.Session(profile_name="local") as session:
        yield session


@pytest.fixture
def echo(session: lm.Session) -> Any:
    """A stage that calls the sample function echo."""
    return lm.Invoke("echo").session(session)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['verb']} {c.get('args', '')} {c.get('keywords', '')}")
def test_each_verb_does_what_its_line_does(case: dict[str, Any]) -> None:
    """Given objects and options, the pipe gives what the table of cases says."""
    stage = getattr(lm, case["verb"])(*case.get("args", []), **case.get("keywords", {}))
    found = case["in"] | stage
    expected = case["out"][0] if case.get("one") else case["out"]
    assert found == expected, f"input: {case['in']}\nstage: {stage}\nexpected: {expected}\nactual: {found}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_signatures_are_the_tables(name: str) -> None:
    """Positions and keywords are those of the verb's row, in its order; the operators are keywords of any name."""
    verb = VERB_OF.get(name) or BY_NAME[name]
    signature = inspect.signature(getattr(lm, name))
    spelled = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    rows = {p.target: p for p in verb.parameters if p.name not in OPERATOR_NAMES}
    left_out = {"tee": ["variable"], "where": ["not"], "expect": ["not"]}.get(name, [])
    added = {"where": ["operator"], "expect": ["operator"]}.get(name, [])
    assert sorted(spelled) == sorted([*(t for t in rows if t not in left_out), *added])
    positional = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [n for n in positional if n not in added] == [p.target for p in verb.positional]
    for parameter in signature.parameters.values():
        if parameter.name in rows and parameter.kind is not parameter.VAR_KEYWORD:
            required = parameter.default is parameter.empty
            assert not rows[parameter.name].mandatory or required, parameter.name


def test_every_verb_of_the_table_has_its_function() -> None:
    """No verb is missing in Python."""
    assert {(VERB_OF.get(name) or BY_NAME[name]).name for name in FUNCTIONS} == {verb.name for verb in VERBS}


@pytest.mark.parametrize("name", OPERATOR_NAMES)
def test_every_operator_is_a_keyword_and_a_word(name: str) -> None:
    """`eq=`, `in_=`, `not_like=` and the word make the same stage."""
    word, keyword = name.lower(), name.lower() + ("_" if name.lower() == "in" else "")
    value: Any = [1] if "in" in word else "a"
    by_word, by_keyword = lm.where("x", word, value), lm.where("x", **{keyword: value})
    assert isinstance(by_word, VerbStage)
    assert by_word == by_keyword
    assert lm.where("x", f"-{name}", value) == by_word


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: lm.where("x", equals=1), TypeError, r"where\(\) has no operator 'equals'"),
        (lambda: lm.where("x", notlik=1), TypeError, "Did you mean not_like"),
        (lambda: lm.where("x", "equal", 1), lm.ParameterError, "has no operator 'equal'"),
        (lambda: lm.where("x", "eq"), lm.ParameterError, "value is missing after the operator 'eq'"),
        (lambda: lm.where("x", eq=1, gt=2), lm.ParameterError, "one comparison"),
        (lambda: lm.where("x", "eq", 1, gt=2), lm.ParameterError, "one comparison"),
        (lambda: lm.where("price > "), lm.ParameterError, "price > "),
        (lambda: lm.select("a[", first=1), lm.ParameterError, r"a\["),
        (lambda: lm.select("a", property="b"), lm.ParameterError, "give one of them"),
        (lambda: lm.first("three"), lm.ParameterError, "Count is 'three'; it must be a whole number"),
        (lambda: lm.sort(3), lm.ParameterError, "Property is int"),
        (lambda: lm.foreach("x", parallel="y", throttle_limit=0), lm.ParameterError, "ThrottleLimit is 0"),
        (lambda: lm.to_frame(library="numpy"), lm.ParameterError, "Library is 'numpy'"),
        (lambda: lm.select(quick=True), TypeError, "unexpected keyword argument 'quick'"),
    ],
)
def test_a_wrong_option_is_refused_when_the_stage_is_made(make: Any, error: type[Exception], says: str) -> None:
    """Before anything flows, with the nearest name or the kind that is wanted."""
    with pytest.raises(error, match=says):
        make()


def test_functions_stand_where_names_do() -> None:
    """where, foreach, sort, group and measure take a function of the object."""
    assert ITEMS | lm.where(lambda o: o["price"] > 10) | lm.foreach(lambda o: o["id"]) == [2, 3]
    assert ITEMS | lm.sort(lambda o: -o["id"]) | lm.select("id") == [3, 2, 1]
    assert ITEMS | lm.group(lambda o: o["price"] > 10, no_element=True) | lm.select("Count") == [1, 2]
    assert (ITEMS | lm.measure(lambda o: o["price"], sum=True))["Sum"] == 45
    assert ITEMS | lm.foreach(lambda o: o["id"], parallel=True, throttle_limit=2) == [1, 2, 3]


def test_a_result_flows_on(echo: Any, session: lm.Session) -> None:
    """result | select | where | Invoke: the design's line, with objects of the embedded Lambda."""
    result = session.invoke_lm("echo", {"items": ITEMS})
    assert result | lm.select("Payload.items[]") | lm.where("price > `10`") | lm.select("id") == [2, 3]
    run = result | lm.select("Payload.items[]") | lm.where("price", gt=10) | echo
    assert isinstance(run, lm.BulkResult)
    assert run.payloads == ITEMS[1:]
    assert (result | echo).payload == {"items": ITEMS}
    assert run | lm.select("Payload.id") == [2, 3]


def test_stages_make_longer_stages() -> None:
    """stage | stage is a Pipe to be used again and again; nothing runs before objects come."""
    dear = lm.where("price > `10`") | lm.select("id")
    assert isinstance(dear, Pipe)
    assert ITEMS | dear == [2, 3]
    assert ITEMS[:1] | dear == []
    assert ITEMS[1] | dear == 2
    assert ITEMS[0] | dear is None
    assert ITEMS | (dear | lm.sort(descending=True)) == [3, 2]


def test_pipe_is_lazy_until_a_stage_ends_it(echo: Any) -> None:
    """lm.pipe reads nothing by itself; iterating does, an invocation does, and `first` reads no more than it needs."""
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(100):
            read.append(n)
            yield n

    source = lm.pipe(numbers()) | lm.where(lambda n: n % 2 == 1) | lm.first(2)
    assert isinstance(source, Source)
    assert read == []
    assert list(source) == [1, 3]
    assert len(read) <= 5
    assert (lm.pipe(n for n in range(3)) | echo).payloads == [0, 1, 2]
    assert (lm.pipe([7]) | echo).payloads == [7]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_data_frames_and_their_columns_are_enumerated(library: Any, echo: Any) -> None:
    """A frame's rows are dicts, a column's values plain, through lm.pipe and bare."""
    frame = library.DataFrame(ITEMS)
    assert frame | lm.where("price > `10`") | lm.select("id") == [2, 3]
    assert list(lm.pipe(frame) | lm.select("id")) == [1, 2, 3]
    assert (lm.pipe(frame) | echo).payloads == ITEMS
    assert (frame | echo).payloads == ITEMS
    assert list(lm.pipe(frame["id"]) | lm.where(lambda n: n > 1)) == [2, 3]
    back = ITEMS | lm.to_frame(library=library.__name__)
    assert isinstance(back, library.DataFrame)
    assert back.shape == (3, 2)


def test_arrays_and_columns_leave_the_bar_to_the_stage() -> None:
    """numpy and pandas do not spread it over their elements. (polars does: there a column needs lm.pipe.)"""
    assert numpy.array([3, 1, 2]) | lm.sort() == [1, 2, 3]
    assert pd.Series([3, 1, 2]) | lm.where(lambda n: n > 1) == [3, 2]
    assert pd.Index(["a"]) | lm.foreach(str.upper) == ["A"]


def test_plain_functions_stand_after_a_bar(echo: Any, session: lm.Session) -> None:
    """A result goes into a function or a class as it is; objects of a pipe go in one by one."""
    result = session.invoke_lm("echo", {"n": 1})
    assert result | (lambda r: r.payload["n"] + 1) == 2
    assert result | str == str(result)
    assert [1, 2] | echo | (lambda r: r.payload * 10) == [10, 20]
    assert ITEMS | lm.select("id") | str == ["1", "2", "3"]
    assert list(lm.pipe(ITEMS) | lm.select("id") | float) == [1.0, 2.0, 3.0]
    assert ITEMS | (lm.select("id") | float) == [1.0, 2.0, 3.0]
    with pytest.raises(ZeroDivisionError):
        result | (lambda r: 1 / 0)
    with pytest.raises(lm.LMError, match="ZeroDivisionError"):
        ITEMS | (lm.select("id") | (lambda n: n / 0))


@pytest.mark.parametrize("right", [3, {"a": 1}, "text", None, object()], ids=["3", "dict", "text", "None", "object"])
def test_what_is_no_stage_is_left_to_python(right: Any, session: lm.Session, echo: Any) -> None:
    """`|` with anything else is a TypeError, as everywhere; a result is no dict that would merge."""
    for left in (session.invoke_lm("echo"), [1, 2] | echo, lm.pipe([1]), lm.select("x")):
        with pytest.raises(TypeError):
            left | right


def test_the_pipe_and_sspipe_libraries_go_on_working(session: lm.Session, echo: Any) -> None:
    """Their right operands win over ours, and what they give flows into our stages."""
    result = session.invoke_lm("echo", ITEMS)
    assert result | sspipe.p(lambda r: len(r.payload)) == 3
    assert result | sspipe.px.payload[0]["id"] == 1
    assert result.payload | pipe_library.select(lambda o: o["id"]) | lm.where(lambda n: n > 1) == [2, 3]
    taken = pipe_library.Pipe(lambda r: r.status_code)
    assert result | taken == 200
    run = ITEMS | echo
    assert list(run | pipe_library.select(lambda r: r.payload["id"])) == [1, 2, 3]
    assert run | sspipe.p(len) == 3
    assert list(lm.pipe(ITEMS) | lm.select("id") | pipe_library.take(2)) == [1, 2]
    assert (ITEMS | pipe_library.where(lambda o: o["price"] > 10) | echo).payloads == ITEMS[1:]


def test_tee_keeps_in_a_list_by_a_function_or_in_a_file(tmp_path: Path) -> None:
    """And lets everything through."""
    kept: list[Any] = []
    seen: list[Any] = []
    path = tmp_path / "kept.jsonl"
    found = ITEMS | lm.tee(kept) | lm.tee(seen.append) | lm.tee(path) | lm.tee(str(path), append=True)
    assert found == kept == seen == ITEMS
    assert [json.loads(line) for line in path.read_text().splitlines()] == ITEMS * 2
    with pytest.raises(lm.LMError, match="KeyError"):
        ITEMS | lm.tee(lambda o: o["no such member"])


def test_files_are_written_and_read(tmp_path: Path) -> None:
    """Paths may be Path objects; import_csv begins a pipe, and reads when it is run."""
    path = tmp_path / "items.csv"
    ITEMS | lm.export_csv(path)
    rows = lm.import_csv(path)
    assert list(rows) == list(rows) == [{k: str(v) for k, v in item.items()} for item in ITEMS]
    assert list(lm.import_csv(str(path)) | lm.where("price", like="?5") | lm.select("id")) == ["2", "3"]
    ITEMS | lm.export_csv(path, delimiter=";")
    assert list(lm.import_csv(path, delimiter=";") | lm.first()) == [{"id": "1", "price": "5"}]
    lines = tmp_path / "items.jsonl"
    assert ITEMS | lm.out_file(lines) in (None, [])
    with pytest.raises(lm.ParameterError, match="NoClobber"):
        ITEMS | lm.out_file(lines, no_clobber=True)
    assert [json.loads(line) for line in lines.read_text().splitlines()] == ITEMS


def test_a_csv_of_calls_binds_its_columns(tmp_path: Path, session: lm.Session) -> None:
    """Columns of parameters' names become those parameters, as `Import-Csv jobs.csv | Invoke-LMFunction` does."""
    path = tmp_path / "jobs.csv"
    path.write_text('FunctionName,Payload,LogType\nhello,"{""name"": ""Ada""}",\necho,"[1]",Tail\n')
    run = lm.import_csv(path) | lm.Invoke().session(session)
    assert run.payloads == [{"message": "Hello, Ada!"}, [1]]
    assert [bool(r.log) for r in run] == [False, True]


def test_tables_and_lists_are_to_look_at() -> None:
    """They end a pipe; their rows hold the columns that were asked for."""
    assert (ITEMS | lm.table("id")).rows == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert (ITEMS | lm.table(["id", "price"], title="Items")).title == "Items"
    assert (ITEMS[0] | lm.format_list()).rows == [ITEMS[0]]
    assert "price" in repr(ITEMS | lm.table())


def test_expect_fails_a_pipe() -> None:
    """The first object that does not fit, and no object at all."""
    with pytest.raises(lm.ExpectationError, match="object 1 does not fit"):
        ITEMS | lm.expect("price", gt=10)
    with pytest.raises(lm.ExpectationError, match=r"^too cheap$"):
        ITEMS | lm.expect("price", gt=10, message="too cheap")
    with pytest.raises(lm.ExpectationError, match="none came"):
        [] | lm.expect("price")


def test_failed_results_are_not_fed_on(session: lm.Session, echo: Any) -> None:
    """A failed one stops the next invocation; a bulk result passes on what succeeded, and warns of the rest."""
    failed = session.invoke_lm("fail", {"order": 1})
    with pytest.raises(lm.FunctionError, match="There is no order 1"):
        failed | echo
    assert failed | lm.select("Payload.errorType") == "OrderNotFoundError"
    fine = session.invoke_lm("echo", 1)
    run = [fine, failed] | echo
    assert run.payloads == [1]
    assert "no order 1" in run.not_sent[0].told()
    with pytest.warns(lm.LMWarning, match="1 of 2 invocations did not succeed") as told:
        assert run | lm.select("Payload") == [1]
    assert told[0].filename == __file__
    assert run.succeeded | lm.select("Payload") == [1]


def test_a_stage_that_needs_objects_cannot_begin_a_pipe() -> None:
    """`send()` on a pipe says what is missing."""
    with pytest.raises(TypeError, match=r"cannot begin a pipe: write objects \|"):
        (lm.select("x") | lm.first()).send()
