"""A run handed over to Step Functions and its results read back: nothing runs twice untold, nothing is lost."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import stat
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import cfnlint
import jsonschema
import pytest
import yaml
from botocore import handlers
from counting import Served

import lmfunction as lm
from lmfunction import _json_window
from lmfunction._journal_file import opened_to_read
from lmfunction._journal_rows import recall
from lmfunction._ledger import Entry, Settlement
from lmfunction._run_binding import Binding
from lmfunction._run_opening import begin
from lmfunction._step_functions import ITEM_LIMIT
from lmfunction._step_functions_report import read_report

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
CASES = yaml.safe_load((Path(__file__).parent / "report_cases.yaml").read_text("utf-8"))
SCHEMA = Path(cfnlint.__file__).parent / "data/schemas/other/step_functions/statemachine.json"
NUMBERS = itertools.count(step=100)


class Run:
    """A run of which the first item is done, the second unknown, and the others were not sent."""

    def __init__(self, path: Path, place: dict[str, Any], count: int, **options: Any) -> None:
        self.path = str(path)
        first = next(NUMBERS)
        self.items = [{"n": first + n, "price": 1.50} for n in range(count)]
        self.options = {**place, "journal": self.path, "throttle_limit": 1, **options}
        doing = [{**self.items[0]}, {**self.items[1], "do": {"raw": "", "then": "reset"}}, *self.items[2:]]
        self.items = doing
        with lm.Session() as session, pytest.raises(lm.BulkError) as caught:
            session.invoke_lm(FUNCTION, input_object=self.items, error_action="Stop", **self.options)
        assert caught.value.result.summary()["UNKNOWN"] == 1

    def resume(self, **options: Any) -> lm.BulkResult:
        """Goes on with it; the result, also where items are unknown."""
        with lm.Session() as session, warnings.catch_warnings():
            warnings.simplefilter("ignore", lm.LMWarning)  # that items are unknown
            try:
                found = session.invoke_lm(FUNCTION, input_object=self.items, resume=True, **{**self.options, **options})
            except lm.BulkError as error:
                found = error.result
        assert isinstance(found, lm.BulkResult)
        return found

    def export(self, folder: Path, **options: Any) -> Any:
        return lm.export_lm_run(self.path, step_functions=str(folder), bucket="my-bucket", **options)

    def states(self) -> list[str]:
        """What the journal holds last of each item."""
        with opened_to_read(self.path) as database:
            found = recall(database, 0, len(self.items))
        return ["-" if settled is None else settled.outcome for _, settled in found]


@pytest.fixture
def make_run(tmp_path: Path, place: dict[str, Any]) -> Callable[..., Run]:
    return lambda count=12, **options: Run(tmp_path / "run.db", place, count, **options)


def report(folder: Path, executions: dict[str, list[dict[str, Any]]]) -> Path:
    """Writes result files as a Distributed Map does: a manifest and a file for each group."""
    folder.mkdir()
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for group, found in executions.items():
        text = json.dumps(found)
        (folder / f"{group}_0.json").write_text(text)
        files[group].append({"Key": f"lmfunction/x/results/6dbfba93/{group}_0.json", "Size": len(text)})
    manifest = {
        "DestinationBucket": "my-bucket",
        "MapRunArn": "arn:aws:states:eu-west-1:123456789012:mapRun:m/InvokeAll:6dbfba93",
        "ResultFiles": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def execution(item: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A child execution with the members that all have."""
    name = f"6dbfba93-{item['seq']}"
    common = {
        "ExecutionArn": f"arn:aws:states:eu-west-1:123456789012:execution:m/InvokeAll:{name}",
        "Input": json.dumps(item),
        "InputDetails": {"Included": True},
        "Name": name,
        "OutputDetails": {"Included": True},
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "StartDate": "2026-11-28T13:00:00.000Z",
        "StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:m/InvokeAll",
        "StopDate": "2026-11-28T13:00:01.500Z",
    }
    return {name: value for name, value in {**common, **members}.items() if value is not None}


def succeeded(item: dict[str, Any]) -> dict[str, Any]:
    output = {"ExecutedVersion": "$LATEST", "Payload": {"n": item["payload"]["n"]}, "StatusCode": 200}
    return execution(item, Status="SUCCEEDED", Output=json.dumps(output))


def written(folder: Path) -> list[dict[str, Any]]:
    found = json.loads((folder / "items.json").read_text("utf-8"))
    assert isinstance(found, list)
    return found


def retries(value: Any) -> Iterator[str]:
    """The names of members that would send something again."""
    if isinstance(value, dict):
        yield from (name for name in value if name in ("Retry", "Catch"))
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from retries(inner)


def test_what_is_written(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """The definition has the shape that CloudFormation checks, retries nothing, and is bound to the run's function."""
    run = make_run(throttle_limit=1, qualifier="live")
    told = run.export(tmp_path / "out", role_arn="arn:aws:iam::123456789012:role/r")
    assert told["Items"] == 10
    definition = json.loads((tmp_path / "out" / "definition.asl.json").read_text())
    jsonschema.validate(definition, json.loads(SCHEMA.read_text()))
    assert list(retries(definition)) == []
    mapped = definition["States"]["Invoke all"]
    assert mapped["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert mapped["MaxConcurrency"] == 1
    (task,) = mapped["ItemProcessor"]["States"].values()
    assert task["Parameters"] == {"Payload.$": "$.payload", "FunctionName": FUNCTION, "Qualifier": "live"}
    items = written(tmp_path / "out")
    assert [item["seq"] for item in items] == list(range(2, 12))
    assert [item["payload"] for item in items] == run.items[2:]
    assert '"price":1.5}' in (tmp_path / "out" / "items.json").read_text()  # as the payload was written
    assert mapped["ItemReader"]["Parameters"] == {"Bucket": "my-bucket", "Key": told["ItemsAt"].split("/", 3)[3]}
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}
    text = (tmp_path / "out" / "README.txt").read_text()
    assert f"--name {told['StateMachine']}" in text
    assert "role/r" in text


def test_items_that_are_handed_over_are_sent_by_nobody_else(
    make_run: Callable[..., Run], served: Served, tmp_path: Path
) -> None:
    """No resumed run sends them, and a second export has nothing to hand over."""
    run = make_run()
    run.export(tmp_path / "out")
    before = served.counts()["executions"]
    found = run.resume(on_unknown="Skip")
    assert served.counts()["executions"] == before
    assert len(found.unknown) == 11
    assert "Import-LMRun" in found[5].told()
    with pytest.raises(lm.JournalError, match="No item of the run is left"):
        run.export(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_unknown_items_go_only_when_asked_for(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """OnUnknown Resend hands them over too, in a run that allows it; it is refused in one that does not."""
    run = make_run()
    with pytest.raises(lm.ParameterError, match="OnUnknown Resend"):
        run.export(tmp_path / "out", on_unknown="Resend")
    path = str(tmp_path / "again.db")
    journal = begin(path, Binding("orders", region="eu-west-1", delivery="AtLeastOnce")).journal
    entries = [Entry(n, str(n), hashlib.sha256(b"{}").digest(), b"{}") for n in range(3)]
    journal.register(entries)
    journal.intend(entries[:2], lambda *_: None)
    journal.settle([Settlement(0, 1, "UNKNOWN"), Settlement(1, 1, "OK", 200, body=b"1")])
    journal.close()
    lm.export_lm_run(path, step_functions=str(tmp_path / "out"), bucket="b", on_unknown="Resend")
    assert [item["seq"] for item in written(tmp_path / "out")] == [0, 2]


def test_the_report_comes_back(make_run: Callable[..., Run], served: Served, tmp_path: Path) -> None:
    """Each item gets its class; a second import changes nothing; a resumed run sends what provably did not run."""
    run = make_run()
    run.export(tmp_path / "out")
    items = written(tmp_path / "out")
    failed = [
        execution(items[6], Status="FAILED", Error="ValueError", Cause='{"errorType":"ValueError"}'),
        execution(items[7], Status="FAILED", Error="Lambda.TooManyRequestsException", Cause="Rate Exceeded."),
        execution(items[8], Status="TIMED_OUT"),
    ]
    pending = [execution(items[9], Status="PENDING", StartDate=None, StopDate=None)]
    folder = report(
        tmp_path / "report", {"SUCCEEDED": [*map(succeeded, items[:6])], "FAILED": failed, "PENDING": pending}
    )
    told = lm.import_lm_run(run.path, step_functions_result=str(folder))
    assert {name: told[name] for name in ("Items", "OK", "UNKNOWN", "HandedOver")} == {
        "Items": 10, "OK": 6, "UNKNOWN": 1, "HandedOver": 0,
    }  # fmt: skip
    expected = ["OK", "UNKNOWN", *["OK"] * 6, "FUNCTION_ERROR", "THROTTLED_OUT", "UNKNOWN", "NOT_SENT"]
    assert run.states() == expected
    with pytest.warns(lm.LMWarning, match="nothing that the journal does not know"):
        told = lm.import_lm_run(run.path, step_functions_result=str(folder / "manifest.json"))
    assert told["Items"] == 0
    assert run.states() == expected
    before = Counter(served.counts()["executions"])
    found = run.resume()
    ran = Counter(served.counts()["executions"]) - before
    assert sorted(ran.elements()) == sorted(str(items[n]["payload"]["n"]) for n in (7, 9))
    assert [item.outcome for item in found.items] == [
        "OK", "UNKNOWN", *["OK"] * 6, "FUNCTION_ERROR", "OK", "UNKNOWN", "OK",
    ]  # fmt: skip
    assert found[2].payload == {"n": items[0]["payload"]["n"]}
    assert found[8].error.type == "ValueError"
    with pytest.warns(lm.LMWarning):  # the old report never takes the place of what ran since
        lm.import_lm_run(run.path, step_functions_result=str(folder))
    assert run.states().count("OK") == 9


def test_what_a_report_leaves_out_stays_handed_over(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Items that no file tells of are not sent, until another report tells of them or they are taken back."""
    run = make_run()
    run.export(tmp_path / "out")
    items = written(tmp_path / "out")
    told = lm.import_lm_run(
        run.path, step_functions_result=str(report(tmp_path / "one", {"SUCCEEDED": [succeeded(items[0])]}))
    )
    assert (told["OK"], told["HandedOver"]) == (1, 9)
    without = execution(items[1], Status="SUCCEEDED", Output="{}", Input=None)
    with pytest.warns(lm.LMWarning):
        lm.import_lm_run(run.path, step_functions_result=str(report(tmp_path / "two", {"SUCCEEDED": [without]})))
    with pytest.raises(lm.GuardError, match="Nobody can answer"):
        lm.import_lm_run(run.path, not_started=True)
    told = lm.import_lm_run(run.path, not_started=True, force=True)
    assert told["Items"] == 9
    assert Counter(run.states()) == {"OK": 2, "UNKNOWN": 1, "NOT_SENT": 9}
    assert len(run.resume().succeeded) == 11


def test_reports_that_are_not_of_the_run(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Nothing is imported from the report of another run, of altered items, or from something else."""
    run = make_run()
    run.export(tmp_path / "out")
    items = written(tmp_path / "out")
    before = run.states()
    bad = {
        "another run": {**items[1], "run": "0" * 32},
        "not the one of the run": {**items[1], "sha256": "00" * 32},
        "Item 100000 of the report": {**items[1], "seq": 99_999},
    }
    for number, (text, item) in enumerate(bad.items()):
        found = report(tmp_path / f"bad{number}", {"SUCCEEDED": [succeeded(items[0]), succeeded(item)]})
        with pytest.raises(lm.JournalError, match=text):
            lm.import_lm_run(run.path, step_functions_result=str(found))
    (tmp_path / "bad0" / "SUCCEEDED_0.json").write_text('[{"Status": "SUCCEEDED", "Input": "{}"}]')
    with pytest.raises(lm.JournalError, match=r"entry 1 is not of an item that Export-LMRun wrote"):
        lm.import_lm_run(run.path, step_functions_result=str(tmp_path / "bad0"))
    (tmp_path / "bad0" / "SUCCEEDED_0.json").unlink()
    with pytest.raises(lm.JournalError, match=r"names SUCCEEDED_0.json, which must lie beside it"):
        lm.import_lm_run(run.path, step_functions_result=str(tmp_path / "bad0"))
    with pytest.raises(lm.JournalError, match="3 reports"):
        lm.import_lm_run(run.path, step_functions_result=str(tmp_path))
    for text in ("no JSON", '{"x": 1}'):
        (tmp_path / "bad1" / "manifest.json").write_text(text)
        with pytest.raises(lm.JournalError, match="is no"):
            lm.import_lm_run(run.path, step_functions_result=str(tmp_path / "bad1"))
    with pytest.raises(lm.ParameterError, match="StepFunctionsResult"):
        lm.import_lm_run(run.path)
    assert run.states() == before


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_every_end_of_an_execution(case: dict[str, Any], tmp_path: Path) -> None:
    """The outcome class of each way in which a child execution can end, with what the report tells of it."""
    item = {"run": "r", "export": "e", "seq": 3, "key": "k", "sha256": "00", "payload": {}}
    path = report(tmp_path / "r", {case["file"]: [execution(item, **case["execution"])]}) / f"{case['file']}_0.json"
    (told,) = read_report(path)
    assert told is not None
    assert (told.run_id, told.export_id, told.seq, told.key) == ("r", "e", 3, "k")
    for name, expected in case["want"].items():
        found = getattr(told.settlement, name)
        assert (found.decode() if name == "body" else found) == expected, name


def test_what_cannot_be_handed_over(make_run: Callable[..., Run], place: dict[str, Any], tmp_path: Path) -> None:
    """What Step Functions would change or cannot take is refused with its item, and nothing is handed over."""
    run = make_run(3, client_context={"a": 1})
    with pytest.raises(lm.JournalError, match="ClientContextBase64"):
        run.export(tmp_path / "out")
    assert run.states()[2] != "HANDED_OVER"
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
    large = Run(tmp_path / "large.db", place, 2)
    large.items.append({"n": -1, "text": "x" * ITEM_LIMIT})
    path = str(tmp_path / "large2.db")
    with lm.Session() as session, pytest.raises(lm.BulkError):
        session.invoke_lm(
            FUNCTION, input_object=large.items[1:], error_action="Stop", throttle_limit=1, journal=path, **place
        )
    with pytest.raises(lm.JournalError, match=r"Item 2 .* bytes; Step Functions takes 262,144"):
        lm.export_lm_run(path, step_functions=str(tmp_path / "out"), bucket="b")
    with pytest.raises(lm.ParameterError, match="needs -Bucket"):
        lm.export_lm_run(path, step_functions=str(tmp_path / "out"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(lm.ParameterError, match="exists: name a new folder"):
        lm.export_lm_run(path, step_functions=str(tmp_path / "full"), bucket="b")


def test_items_with_functions_of_their_own(place: dict[str, Any], tmp_path: Path) -> None:
    """A CSV of jobs goes over too: each item says which function it is for."""
    jobs = [{"FunctionName": name, "Payload": {"n": -10 - n}} for n, name in enumerate(("a", "b", "c"))]
    jobs[0]["Payload"]["do"] = {"raw": "", "then": "reset"}
    path = str(tmp_path / "run.db")
    builder = lm.Invoke(error_action="Stop", throttle_limit=1, journal=path, **place)
    with pytest.raises(lm.BulkError):
        list(lm.pipe(jobs) | builder)
    lm.export_lm_run(path, step_functions=str(tmp_path / "out"), bucket="b")
    assert [item["function"] for item in written(tmp_path / "out")] == ["b", "c"]
    definition = json.loads((tmp_path / "out" / "definition.asl.json").read_text())
    task = definition["States"]["Invoke all"]["ItemProcessor"]["States"]["Invoke"]
    assert task["Parameters"] == {"Payload.$": "$.payload", "FunctionName.$": "$.function"}


def test_the_state_machine_runs(make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto takes the definition and runs each item once, under its one name; under another one nothing runs."""
    run = make_run(4)
    told = run.export(tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto's own imports'
        from moto import mock_aws
        from moto.core.models import botocore_stubber
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which may be older than moto's ear
    monkeypatch.setattr(
        handlers, "BUILTIN_HANDLERS", [*dict.fromkeys((*handlers.BUILTIN_HANDLERS, ("before-send", botocore_stubber)))]
    )
    config = {
        "lambda": {"use_docker": False},
        "stepfunctions": {"execute_state_machine": True},
        "core": {"reset_boto3_session": False},
    }
    with mock_aws(config=config):  # type: ignore[arg-type]
        keys = {"region_name": "eu-west-1"}
        role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as file:
            file.writestr("app.py", "def handler(event, context): return event")
        boto3.client("lambda", **keys).create_function(
            FunctionName="orders", Runtime="python3.12", Role=role, Handler="app.handler",
            Code={"ZipFile": package.getvalue()},
        )  # fmt: skip
        s3 = boto3.client("s3", **keys)
        s3.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_object(
            Bucket="my-bucket",
            Key=told["ItemsAt"].split("/", 3)[3],
            Body=(tmp_path / "out" / "items.json").read_bytes(),
        )
        machines = boto3.client("stepfunctions", **keys)
        machine = machines.create_state_machine(
            name=told["StateMachine"], roleArn=role, definition=(tmp_path / "out" / "definition.asl.json").read_text()
        )["stateMachineArn"]

        def ended(name: str) -> dict[str, Any]:
            arn = machines.start_execution(stateMachineArn=machine, name=name)["executionArn"]
            end = time.monotonic() + 20
            while (found := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
                assert time.monotonic() < end
                time.sleep(0.05)
            return {**found, "arn": arn}

        assert ended("another")["error"] == "AnotherExecution"
        found = ended(told["StateMachine"])
        assert found["status"] == "SUCCEEDED", found
        (mapped,) = machines.list_map_runs(executionArn=found["arn"])["mapRuns"]
        counts = machines.describe_map_run(mapRunArn=mapped["mapRunArn"])["itemCounts"]
        assert (counts["total"], counts["succeeded"]) == (2, 2)
        assert json.loads(found["output"])["ResultWriterDetails"]["Key"].startswith(told["ResultsAt"].split("/", 3)[3])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON"),
        ("nonsense", "no JSON"),
        ('{"Status": "SUCCEEDED"}', "must hold a list"),
        ("[", "no JSON"),
        ('[{"Status": "PENDING"}', "no JSON"),
        ('[{"Status": "PENDING"},]', "no JSON"),
        ('[{"Status": "PENDING"} {"Status": "PENDING"}]', "no JSON"),
        ('[{"Status": "PENDING"}] []', "no JSON"),
        ('[{"Status": "PENDING"}, 7]', "entry 2 is no execution"),
    ],
)
def test_a_file_that_is_no_report(tmp_path: Path, text: str, told: str) -> None:
    """Whatever is wrong with it, and wherever it stands."""
    file = tmp_path / "SUCCEEDED_0.json"
    file.write_text(text)
    with pytest.raises(lm.JournalError, match=told):
        list(read_report(file))


def test_a_report_is_read_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entries come as they stand in it, wherever the parts end that are in memory."""
    monkeypatch.setattr(_json_window, "_PART", 37)
    file = tmp_path / "SUCCEEDED_0.json"
    inputs = [{"run": "r", "export": "e", "seq": n, "key": str(n), "sha256": "00", "payload": n} for n in range(50)]
    told = [{"Status": "PENDING", "Input": json.dumps(one)} for one in inputs]
    file.write_text(json.dumps(told, indent=1))
    assert [one.seq for one in read_report(file) if one is not None] == list(range(50))
    file.write_text("[ ]")
    assert list(read_report(file)) == []
