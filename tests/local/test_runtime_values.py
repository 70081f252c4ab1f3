"""Our Python loop against AWS's own client, value by value, and the parsers that stand between them and a log."""

from __future__ import annotations

import collections
import importlib.util
import json
import logging
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lmfunction.local
from lmfunction import _wire
from lmfunction.local._jackson import json_fault
from lmfunction.local._log_frames import LogFrames
from lmfunction.local._trace import ROUNDS, trace_id

LOCAL = Path(lmfunction.local.__file__).parent
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
Point = collections.namedtuple("Point", "x y")
KEYS = st.one_of(st.text(max_size=3), st.integers(), st.floats(), st.booleans(), st.none(), st.just("é".encode()))
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.text(st.characters(), max_size=4),
        st.binary(max_size=4),
        st.decimals(),
        st.just({1}),
        st.just(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.tuples(inner, inner).map(lambda pair: Point(*pair)),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=8,
)


def loaded(name: str, monkeypatch: pytest.MonkeyPatch, environment: str) -> ModuleType:
    """One of the scripts of the runtime, as it is in a process for that runtime."""
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    monkeypatch.setenv("AWS_EXECUTION_ENV", environment)
    spec = importlib.util.spec_from_file_location(f"loaded_{name}", LOCAL / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("environment", ["AWS_Lambda_python3.11", "AWS_Lambda_python3.12"])
def test_results_are_written_as_by_aws(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a handler returns, the payload or the error is that of awslambdaric."""
    marshaller = pytest.importorskip("awslambdaric.lambda_runtime_marshaller").LambdaMarshaller
    loop = loaded("_loop", monkeypatch, environment)
    theirs = marshaller()

    @settings(max_examples=300, deadline=None)
    @given(VALUES)
    def compare(value: Any) -> None:
        try:
            wanted = theirs.marshal_response(value)[0]
        except Exception as e:
            with pytest.raises(loop.Fault) as caught:
                loop.encode(value)
            assert (caught.value.kind, str(caught.value)) == (e.exception_type, e.msg)
        else:
            assert loop.encode(value) == wanted

    compare()


RECORDS = [
    {"msg": "a %s", "args": ("ü",)},
    {"msg": {"k": [1, object]}},
    {"msg": "low", "level": 5},
    {"msg": "between", "level": 35},
    {"msg": "high", "level": 99},
    {"msg": "extra", "extra": {"k": {1, 2}, "level": "mine", "requestId": "mine", "taskName": "t"}},
    {"msg": "tenant", "extra": {"tenant_id": "blue"}},
    {"msg": "failed", "failed": True},
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: str(r["msg"]))
def test_records_are_written_as_by_aws(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A log record in JSON is that of awslambdaric, member by member."""
    theirs = pytest.importorskip("awslambdaric.lambda_runtime_log_utils").JsonFormatter()
    ours = loaded("_json_log", monkeypatch, "AWS_Lambda_python3.12").JsonFormatter()
    texts = []
    for formatter in (ours, theirs):  # each its own: theirs changes the record
        failed = None
        if record.get("failed"):
            try:
                raise KeyError("k")
            except KeyError:
                failed = sys.exc_info()
        made = logging.getLogger("x").makeRecord(
            "x", record.get("level", 20), "/f.py", 7, record["msg"], record.get("args", ()), failed, "handler"
        )
        made.created, made.aws_request_id, made.tenant_id = 1_700_000_000.5, "the-id", None
        vars(made).update(record.get("extra", {}))
        texts.append(formatter.format(made).rstrip("\n"))
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["requestId"] == "the-id"


def frame(message: bytes) -> bytes:
    """A log frame as awslambdaric writes it."""
    return b"\xa5\x5a\x00\x03" + len(message).to_bytes(4, "big") + (1_770_000_000_000_000).to_bytes(8, "big") + message


@given(
    st.lists(st.tuples(st.booleans(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)), max_size=6),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_frames_come_out_however_the_stream_is_cut(parts: list[tuple[bool, str]], cuts: list[int]) -> None:
    """Printed text and framed messages come out in their order, whatever the pieces in which they arrive."""
    stream, wanted = b"", b""
    for framed, text in parts:
        data = text.encode()
        stream += frame(data) if framed else data
        wanted += data + (b"\n" if framed and data and not data.endswith(b"\n") else b"")
    frames, out = LogFrames(), b""
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for begin, end in pairwise(bounds):
        out += frames.plain(stream[begin:end])
    assert out + frames.rest() == wanted


@pytest.mark.parametrize("text", ["¥Z", "¥Z\0\x03 and so on and on", "¥\n", "\xa5"])
def test_text_is_not_taken_for_a_frame(text: str) -> None:
    """What begins like a frame, but is not of our time, stays what it is."""
    frames = LogFrames()
    assert frames.plain(text.encode()) + frames.rest() == text.encode()


DOCUMENTS = st.one_of(
    st.binary(max_size=12),
    st.text(st.sampled_from('{}[]",:0123456789.eE+-truefalsn \n\\u\tü'), max_size=16).map(str.encode),
    VALUES.map(lambda v: json.dumps(repr(v)).encode()),
)


@given(DOCUMENTS)
def test_json_is_what_python_takes_for_json(document: bytes) -> None:
    """A document is refused exactly when it is not JSON in UTF-8, and the reason says where."""
    try:
        json.loads(document.decode("utf-8"), parse_constant=lambda name: 1 / 0)
        valid = True
    except (ValueError, ZeroDivisionError):
        valid = False
    fault = json_fault(document)
    assert (fault is None) == valid
    assert valid or "Non-standard" in str(fault) or "line: " in str(fault)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b'[1, {"a": [', "within/between Array entries\n at [Source: S; line: 1, column: 12]"),
        (b'{"a": 1', "expected close marker for Object (start marker at [Source: S; line: 1, column: 1])"),
        (b'[\n1,\n"]{" 2]', "comma to separate Array entries\n at [Source: S; line: 3, column: 7]"),
        (b"[" * 100_000, "Document nesting depth"),
        (b"\xed\xa0\x80", "Invalid UTF-8"),
    ],
)
def test_where_json_is_wrong(document: bytes, text: str) -> None:
    """The place is counted as Jackson counts."""
    fault = (json_fault(document) or "").replace(
        "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)", "S"
    )
    assert text in fault


def test_a_trace_goes_on() -> None:
    """A header given is kept, missing parts are filled in, and the lineage counts each function for itself."""
    first = trace_id("Root=1-a;Parent=b;Sampled=1;Self=c", ARN)
    assert first is not None
    assert first.startswith("Root=1-a;Parent=b;Sampled=1;Self=c;Lineage=1:")
    assert first.endswith(":0")
    second = trace_id(first, f"{ARN}2")
    assert second is not None
    third = trace_id(second, ARN)
    assert third is not None
    assert sorted(entry[-2:] for entry in third.split("Lineage=")[1].split("|")) == [":0", ":1"]
    bare = trace_id("Root=1-a", ARN)
    assert bare is not None
    assert bare.startswith("Root=1-a;Parent=")
    assert ";Sampled=0;" in bare


@pytest.mark.parametrize("given_header", ["", "Parent=none", "Root=1 2", "Root=" + "a" * 600, "Root=1-a\u00fc"])
def test_what_is_no_trace_begins_one(given_header: str) -> None:
    """A header that is no trace header is not passed on."""
    made = trace_id(given_header, ARN)
    assert made is not None
    assert made.startswith("Root=1-")
    assert "Sampled=0" in made
    assert given_header == "" or given_header not in made


def test_a_loop_ends_after_sixteen_rounds() -> None:
    """Sixteen rounds run, the next is stopped; unless the function's loops are allowed."""
    header: str | None = None
    for _ in range(ROUNDS):
        header = trace_id(header, ARN)
        assert header is not None
    assert trace_id(header, ARN) is None
    assert trace_id(header, f"{ARN}-other") is not None
    allowed = trace_id(header, ARN, stops=False)
    assert allowed is not None
    assert allowed.endswith(f":{ROUNDS}")


def test_a_lineage_does_not_grow_without_end() -> None:
    """A chain through many functions keeps the last ones only, so that the header stays one."""
    header: str | None = None
    for number in range(50):
        header = trace_id(header, f"{ARN}{number}")
    assert header is not None
    assert len(header) < 512
    assert header.count("|") == 7


def test_the_report_of_a_json_log() -> None:
    """The figures are read from the platform event as from the REPORT line."""
    metrics = {"durationMs": 3.01, "billedDurationMs": 4, "memorySizeMB": 128, "maxMemoryUsedMB": 36}
    record = {"requestId": "r", "status": "success", "metrics": {**metrics, "initDurationMs": 110.1}}
    event = {"time": "2026-01-01T00:00:00.000Z", "type": "platform.report", "record": record}
    printed = '{"type":"platform.report"}\n{"type":"platform.report","record":[]}\n'
    assert _wire.parse_report(f"{printed}{json.dumps(event, separators=(',', ':'))}\n") == _wire.Report(
        3.01, 4, 128, 36, 110.1
    )
    assert _wire.parse_report(printed) is None
