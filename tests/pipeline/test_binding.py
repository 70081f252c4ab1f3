"""What flows into Invoke-LMFunction: what a piped object binds, and what is refused before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import lmfunction as lm
from lmfunction.errors import LMError, ParameterError


def sent(fake: Any) -> list[tuple[str, Any]]:
    return sorted(zip(fake.names, fake.events, strict=True), key=repr)


# One object, by value and by property name


@pytest.mark.parametrize(
    ("line", "names", "calls"),
    [
        ("$event | invoke_lm f", {"event": {"id": 1}}, [("f", {"id": 1})]),
        ("$event | Invoke-LMFunction -FunctionName f", {"event": {"id": 1}}, [("f", {"id": 1})]),
        ("$n | invoke_lm f", {"n": 5}, [("f", 5)]),
        ("$n | invoke_lm f", {"n": None}, [("f", None)]),
        ("$name | invoke_lm", {"name": "g"}, [("g", {})]),
        ('$name | invoke_lm -Payload {"a": 1}', {"name": "g"}, [("g", {"a": 1})]),
        ("$text | invoke_lm f", {"text": '{"a": 1}'}, [("f", {"a": 1})]),
        ("$row | invoke_lm", {"row": {"FunctionName": "g", "Payload": {"x": 1}}}, [("g", {"x": 1})]),
        ("$row | invoke_lm", {"row": {"functionname": "g", "PAYLOAD": '{"x": 1}'}}, [("g", {"x": 1})]),
        ("$row | invoke_lm", {"row": {"function_name": "g", "payload": [1]}}, [("g", [1])]),
        ("$row | invoke_lm", {"row": {"FunctionName": "g", "Runtime": "python3.13", "Timeout": 3}}, [("g", {})]),
        (
            "$row | invoke_lm",
            {"row": {"FunctionName": "g", "Payload": "", "Qualifier": "", "Region": None}},
            [("g", {})],
        ),
        ("$row | invoke_lm -Payload 7", {"row": {"FunctionName": "g", "Payload": "8"}}, [("g", 7)]),
        ("$row | invoke_lm f", {"row": {"FunctionName": "g", "x": 1}}, [("f", {"FunctionName": "g", "x": 1})]),
        ("$row | invoke_lm", {"row": {"FunctionName": "g", "WhatIf": True, "ErrorAction": "x"}}, [("g", {})]),
        ("'g' | invoke_lm", {}, [("g", {})]),
        ('{"a": {"b": [1, 2]}} | select a | invoke_lm f', {}, [("f", {"b": [1, 2]})]),
        ("invoke_lm a | invoke_lm b", {}, [("a", {}), ("b", {"got": {}})]),
        ("invoke_lm a | select Payload.got | invoke_lm b", {}, [("a", {}), ("b", {})]),
        ("$double | foreach { $_ * 2 } | invoke_lm f", {"double": 4}, [("f", 8)]),
    ],
)
def test_one_object_is_one_call(line: str, names: Any, calls: Any, fake: Any) -> None:
    """A result gives its payload, text the name that is missing, a mapping with FunctionName its parameters."""
    result = fake.line(line, **names)
    assert isinstance(result, lm.InvokeResult)
    assert sent(fake) == calls


def test_by_property_name_binds_aliases_and_typed_beats_piped(fake: Any) -> None:
    """A column's name or alias in any case binds; what stands on the line wins, and so does what it excludes."""
    row = {"FunctionName": "g", "qualifier": "live", "REGIONTOCALL": "eu-west-1", "LogType": "Tail", "Payload": "1"}
    fake.line("$row | invoke_lm -LogType None -PayloadStream $stream", row=row, stream=b"2")
    (request,) = fake.requests
    assert (request.qualifier, request.target.region, request.log_type) == ("live", "eu-west-1", "None")
    assert request.payload == b"2"


@pytest.mark.parametrize(
    ("line", "names", "says"),
    [
        ("$e | invoke_lm f -Payload 1", {"e": {}}, "have no place"),
        ("$e | invoke_lm f -PayloadStream $e", {"e": b"{}"}, "have no place"),
        ("$e | invoke_lm", {"e": {"id": 1}}, "FunctionName"),
        ("$e | invoke_lm", {"e": {"FunctionName": "g", "functionname": "h"}}, "names -FunctionName twice"),
        ("$e | invoke_lm", {"e": {"FunctionName": "g", "Payload": 1, "PayloadStream": b"1"}}, "exclude each other"),
        ("$e | invoke_lm", {"e": {"FunctionName": "g", "Payload": "not json"}}, "not JSON"),
        ("$e | invoke_lm f", {"e": {"x": {1, 2}}}, "Payload"),
        ("$e | invoke_lm 'bad name!'", {"e": 1}, "FunctionName"),
    ],
)
def test_what_does_not_fit_is_refused(line: str, names: Any, says: str, fake: Any) -> None:
    """An object that no parameter takes is an error that names it, and nothing is sent."""
    with pytest.raises(ParameterError) as caught:
        fake.line(line, **names)
    assert says in str(caught.value)
    assert fake.events == []


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"FunctonName": "g"}, "member FunctonName is no parameter. Did you mean FunctionName"),
        ({"FunctionName": "g", "Qualifer": "live"}, "member Qualifer is no parameter. Did you mean Qualifier"),
        ({"FunctionName": "g", "pay_laod": "1"}, "member pay_laod is no parameter. Did you mean Payload"),
        ({"FunctionName": "g", "Regions": "eu-west-1"}, "Did you mean Region"),
    ],
)
def test_a_misspelt_column_is_refused(columns: Any, says: str, fake: Any) -> None:
    """A slip in a column's name would run another version, or without its event: nothing is sent."""
    with pytest.raises(lm.BulkError, match=re.escape(says)):
        fake.line("$rows | invoke_lm", rows=[columns, columns])
    assert fake.events == []


def test_a_csv_invokes_each_row_by_its_columns(fake: Any, tmp_path: Path) -> None:
    """Import-Csv | invoke_lm: columns bind by name, empty cells do not count, other columns are left alone."""
    (tmp_path / "jobs.csv").write_text(
        'functionname,Payload,Qualifier,Note\na,"{""n"": 1}",live,x\nb,,,y\na,"{""n"": 3}",2,\n', encoding="utf-8"
    )
    run = fake.line(f"import_csv '{tmp_path}/jobs.csv' | invoke_lm")
    assert [result.request.function_name for result in run] == ["a", "b", "a"]
    assert [result.request.qualifier for result in run] == ["live", None, "2"]
    assert run.payloads == [{"got": {"n": 1}}, {"got": {}}, {"got": {"n": 3}}]


# Several objects


@pytest.mark.parametrize(
    "objects",
    [
        [{"n": 1}, {"n": 2}],
        ({"n": 1}, {"n": 2}),
        iter([{"n": 1}, {"n": 2}]),
        __import__("pandas").DataFrame({"n": [1, 2]}),
        __import__("polars").DataFrame({"n": [1, 2]}),
    ],
    ids=["list", "tuple", "iterator", "pandas", "polars"],
)
def test_several_objects_are_a_bulk_result_in_their_order(objects: Any, fake: Any) -> None:
    """Lists, tuples, iterators and rows of data frames are enumerated; results stand in the input's order."""
    run = fake.line("$objects | invoke_lm f", objects=objects)
    assert isinstance(run, lm.BulkResult)
    assert run.payloads == [{"got": {"n": 1}}, {"got": {"n": 2}}]


def test_order_is_that_of_the_input_whatever_ends_first(fake: Any) -> None:
    """Later calls that end earlier do not move forward."""
    import threading

    last_done = threading.Event()
    fake.gate = lambda event: last_done.wait(10) if event == 0 else (last_done.set() if event == 4 else None)
    assert fake.line("$(range(5)) | invoke_lm f -ThrottleLimit 5").payloads == [{"got": n} for n in range(5)]


def test_nothing_in_nothing_out(fake: Any) -> None:
    """An empty list sends nothing and emits nothing but an empty list."""
    assert fake.line("$objects | invoke_lm f", objects=[]) == []
    with pytest.raises(lm.ExpectationError, match="none came"):
        fake.line("$objects | invoke_lm f | expect StatusCode -eq 200", objects=[])
    assert fake.events == []


def test_input_object_without_objects_is_a_run_of_none(fake: Any, tmp_path: Path) -> None:
    """Whoever looks at the run, its file or its journal finds them, also when there was nothing to do."""
    line = f"invoke_lm f -InputObject $rows -OutFile {tmp_path}/out.jsonl -Journal {tmp_path}/run.db"
    run = fake.line(line, rows=[])
    assert isinstance(run, lm.BulkResult)
    assert (len(run), run.failed, (tmp_path / "out.jsonl").read_bytes()) == (0, [], b"")
    assert fake.line(f"get_lm_run {tmp_path}/run.db")[0].Status == "finished"
    assert fake.line("invoke_lm f -InputObject $rows -Select Payload", rows=iter(())) == []
    assert fake.events == []


@pytest.mark.parametrize("action", ["Stop", "Continue"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("-Select Payloda.n", "names no member"),
        ("-Qualifier 'a b'", "Qualifier"),
        ("-ClientContext [1]", "ClientContext"),
        ("-Region mars", "Region"),
    ],
)
def test_a_wrong_line_is_told_once(wrong: str, says: str, action: str, fake: Any, tmp_path: Path) -> None:
    """What is wrong with the line is no failure of its objects: it is refused as a whole, and no journal begun."""
    line = f"invoke_lm f -InputObject $rows -Journal {tmp_path}/run.db -ErrorAction {action} {wrong}"
    with pytest.raises(lm.ParameterError, match=says):
        fake.line(line, rows=[1, 2, 3])
    assert fake.events == []
    assert not list(tmp_path.iterdir())


def test_one_in_a_list_is_a_bulk_result_of_one(fake: Any) -> None:
    """A pipeline that enumerated gives several, also of one."""
    run = fake.line("$objects | invoke_lm f", objects=[1])
    assert isinstance(run, lm.BulkResult)
    assert len(run) == 1


def test_input_object_is_as_if_piped(fake: Any) -> None:
    """-InputObject of a list invokes for each; of one object once."""
    assert fake.line("invoke_lm f -InputObject $objects", objects=[1, 2]).payloads == [{"got": 1}, {"got": 2}]
    assert fake.line("invoke_lm f -InputObject $one | select Payload.got.id", one={"id": 5}) == 5


def test_lists_inside_lists_are_payloads(fake: Any) -> None:
    """Only one level is enumerated: a pair stays a payload, behind a verb too."""
    pairs = [[1, "a"], [2, "b"]]
    assert fake.line("$pairs | invoke_lm f", pairs=pairs).payloads == [{"got": pair} for pair in pairs]
    assert fake.line("$pairs | where { True } | invoke_lm f", pairs=pairs).payloads == [{"got": p} for p in pairs]


def test_select_with_several_emits_what_it_picks(fake: Any) -> None:
    """-Select and -PassThru emit one value for each result."""
    assert fake.line("$(range(3)) | invoke_lm f -Select Payload.got") == [0, 1, 2]
    assert fake.line("$(range(2)) | invoke_lm f -PassThru") == ["f", "f"]
    assert fake.line("$(range(2)) | invoke_lm f -Select ^Payload") == [0, 1]


def test_select_that_fails_keeps_the_answers(fake: Any) -> None:
    """A -Select that one answer does not take is an error that holds every answer."""
    fake.answer = lambda name, event: "text" if event == 1 else [event]
    with pytest.raises(lm.BulkError, match="does not take") as caught:
        fake.line("$(range(3)) | invoke_lm f -Select 'sum(Payload)'")
    assert len(caught.value.result.succeeded) == 3


def test_out_variable_holds_what_is_emitted(fake: Any) -> None:
    """-OutVariable holds the bulk result, or with -Select the list; +NAME appends."""
    run = fake.line("$(range(2)) | invoke_lm f -OutVariable kept | select Payload.got | first")
    assert run == 0
    assert fake.line.names["kept"].payloads == [{"got": 0}, {"got": 1}]
    fake.line("$(range(2)) | invoke_lm f -Select Payload.got -ov picked")
    assert fake.line.names["picked"] == [0, 1]


def test_results_flow_on_one_by_one(fake: Any) -> None:
    """Behind several invocations each result is an object of its own."""
    assert fake.line("$(range(4)) | invoke_lm f | where { $_.Payload.got > 1 } | select Payload.got") == [2, 3]
    assert fake.line("$(range(3)) | invoke_lm f | invoke_lm g").payloads == [{"got": {"got": n}} for n in range(3)]
    assert fake.line("$(range(3)) | invoke_lm f | measure ElapsedMs -Average")["Count"] == 3


def test_items_that_failed_are_sent_again_with_their_input(fake: Any) -> None:
    """`$run.failed | invoke_lm`: an item gives what it was sent with."""
    fake.answer = lambda name, event: fake.failing("no") if name == "f" and event > 1 else {"got": event}
    run = fake.line("$(range(4)) | invoke_lm f -ErrorAction SilentlyContinue")
    again = fake.line("$run.failed | invoke_lm g", run=run)
    assert again.payloads == [{"got": 2}, {"got": 3}]


# Refused before anything is sent


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("invoke_lm a | select ▸Payloud.x", "Did you mean Payload?"),
        ("invoke_lm a | select ▸Payloud,StatusCode", "'Payloud' is no member of a result"),
        ("invoke_lm a | where ▸status_code -eq 200", "Did you mean StatusCode?"),
        ("invoke_lm a | tee -Variable x | expect ▸Statuscod -eq 200", "Did you mean StatusCode?"),
        ("invoke_lm a | sort ▸Elapsed", "Did you mean ElapsedMs?"),
        ("invoke_lm a | where 'Payloud.x > `1`'", "names no member"),
        ("invoke_lm a | select -ExpandProperty Payloud", "is no member of a result"),
        ("invoke_lm a | select ▸lenght(Payload)", "no function lenght"),
        ("invoke_lm a | invoke_lm", "name the function"),
        ("invoke_lm a | invoke_lm b -Payload ▸1", "have no place"),
        ("invoke_lm a | invoke_lm b -LogType ▸Tial", "Did you mean Tail?"),
        ("invoke_lm a | invoke_lm ▸'bad name!'", "FunctionName"),
        ("invoke_lm a | invoke_lm b -Select ▸Payloud", "names no member"),
        ("invoke_lm a | invoke_lm b -Qualifier ▸'!'", "Qualifier"),
        ("invoke_lm a | invoke_lm b | select ▸Payloud", "names no member"),
        ("invoke_lm a | where StatusCode -like ▸'['", "is not closed"),
        ("invoke_lm a | where StatusCode -match ▸'('", "not a regular expression"),
        ("invoke_lm a | where { $_.x > }", "not a Python expression"),
        ("invoke_lm a | out_file ▸/no/such/folder/x.json", "there is no folder"),
        ("invoke_lm a | export_csv ▸/no/such/folder/x.csv", "there is no folder"),
        ("invoke_lm a | foreach", "ForEach-Object needs"),
        ("invoke_lm a | wehre StatusCode", "Did you mean where?"),
        ("$(range(3)) | invoke_lm f -ThrottleLimit ▸0", "ThrottleLimit is 0; it must be 1 to 1000"),
        ("$(range(3)) | invoke_lm f -ThrottleLimit ▸-1", "ThrottleLimit is -1"),
        ("$(range(3)) | invoke_lm f -ThrottleLimit ▸1e9", "must be a whole number"),
        ("$(range(3)) | invoke_lm f -ThrottleLimit ▸abc", "must be a whole number"),
        ("$(range(3)) | invoke_lm f -ThrottleLimit ▸1001", "it must be 1 to 1000"),
        ("invoke_lm f -InputObject $(range(3)) -ThrottleLimit ▸0", "ThrottleLimit is 0"),
    ],
)
def test_a_later_stage_is_refused_before_the_first_is_sent(line: str, says: str, fake: Any) -> None:
    """What is certain to fail behind a call is found before the call, and pointed at in the line."""
    with pytest.raises(ParameterError) as caught:
        fake.line(line.replace("▸", ""))
    assert says in str(caught.value)
    assert fake.events == []
    if "▸" in line and caught.value.source == line.replace("▸", ""):
        assert caught.value.column == line.index("▸") + 1


def test_a_check_ahead_shows_asks_and_warns_nothing(fake: Any) -> None:
    """The check of a later invocation leaves no trace: no plan shown, no question, a warning once."""
    fake.line("invoke_lm a | invoke_lm b -Confirm:$false -ErrorVariable e -Verbose:$false")
    assert (fake.line.shown, fake.line.told, fake.line.names["e"]) == ([], [], [])


def test_help_in_a_later_stage_sends_nothing(fake: Any, nothing: Any) -> None:
    """`invoke_lm a | select -?` shows the verb's help and calls nobody."""
    assert fake.line("invoke_lm a | select -?") is nothing
    assert fake.events == []
    (shown,) = fake.line.shown
    assert "Select-Object" in shown


# -WhatIf


@pytest.mark.parametrize(
    "line",
    [
        "$(range(3)) | invoke_lm f -WhatIf",
        "$(range(3)) | invoke_lm f -WhatIf | expect StatusCode -eq 200",
        "$(range(3)) | invoke_lm f -WhatIf | out_file $path",
        "invoke_lm f -WhatIf | expect StatusCode -eq 200",
        "invoke_lm f -WhatIf | out_file $path",
        "[1] | foreach { $_ } | invoke_lm f -WhatIf | out_file $path",
        "invoke_lm f -InputObject $(range(3)) -WhatIf | export_csv $path",
    ],
)
def test_what_if_sends_writes_and_expects_nothing(line: str, fake: Any, nothing: Any, tmp_path: Path) -> None:
    """A dry run shows one plan, however many objects, and ends there: no file is touched, no expectation fails."""
    path = tmp_path / "kept.txt"
    path.write_text("kept")
    count = 3 if "range" in line else 1
    assert fake.line(line, path=str(path)) is nothing
    assert fake.events == []
    (plan,) = fake.line.shown
    assert getattr(plan, "count", 1) == count
    assert path.read_text() == "kept"


def test_a_dry_run_of_everything(fake: Any, nothing: Any) -> None:
    """A door that only shows (`%config LMFunction.what_if`) does so for pipelines too."""
    fake.line.what_if = True
    assert fake.line("$(range(3)) | invoke_lm f | select Payload.got | expect @") is nothing
    assert fake.line("invoke_lm f | select Payload.got | expect @") is nothing
    assert (fake.events, [getattr(plan, "count", 1) for plan in fake.line.shown]) == ([], [3, 1])


# Other cmdlets and functions as stages


def test_another_cmdlet_takes_objects_by_property_name(line: Any, session: lm.Session) -> None:
    """Rows with the parameters' names publish one function each; what has no such member is refused."""
    rows = [
        {"FunctionName": f"piped-{n}", "Code": f"def handler(event, context):\n    return {n}", "Note": "x"}
        for n in (1, 2)
    ]
    line("$rows | publish_lm_function -Timeout 5 -Role arn:aws:iam::000000000000:role/any", rows=rows)
    assert line("$names | invoke_lm | select Payload", names=["piped-1", "piped-2"]) == [1, 2]
    with pytest.raises(ParameterError, match="No member of the piped object"):
        line("$rows | publish_lm_function", rows=[{"x": 1}])


def test_functions_of_the_user_see_results_and_their_errors_pass(fake: Any) -> None:
    """$callable gets each result; an error of ours that it raises stays what it is."""
    assert fake.line("$(range(2)) | invoke_lm f | $payload", payload=lambda r: r.payload["got"]) == [0, 1]
    fake.answer = lambda name, event: fake.failing("no")
    with pytest.raises(lm.FunctionError):
        fake.line("$r | $check", r=[fake.session.invoke_lm("f")], check=lambda r: r.raise_for_error())


# Against the embedded Lambda


def test_a_chain_of_real_functions(line: Any) -> None:
    """Results, lists and names flow through real functions."""
    line.names["orders"] = [{"id": n, "status": "open" if n % 2 else "failed"} for n in range(6)]
    assert line("invoke_lm echo -Payload $orders | select Payload[] | where status -eq failed | select id") == [0, 2, 4]
    assert line(
        "invoke_lm echo -Payload $orders | select Payload[] | where status -eq failed"
        " | invoke_lm echo | select Payload.id"
    ) == [0, 2, 4]
    assert line('\'hello\' | invoke_lm -Payload {"name": "Ada"} | select Payload.message') == "Hello, Ada!"


def test_a_failed_result_is_not_fed_on(line: Any, nothing: Any) -> None:
    """With Continue the card is shown, the later stages get nothing, and `expect` notices."""
    assert line("invoke_lm fail -ErrorAction Continue | invoke_lm echo") is nothing
    assert [result.ok for result in line.results] == [False]
    assert len(line.shown) == 1
    with pytest.raises(lm.ExpectationError, match="none came"):
        line("invoke_lm fail -ErrorAction SilentlyContinue | expect StatusCode -eq 200")
    with pytest.raises(lm.FunctionError):
        line("invoke_lm fail | invoke_lm echo")
    failed = line("invoke_lm fail -ErrorAction SilentlyContinue")
    assert line("$failed | select Error.Type", failed=failed) == "OrderNotFoundError"
    with pytest.raises(LMError, match="failed"):
        line("$failed | invoke_lm echo", failed=failed)
