"""The log tail and its REPORT line."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmfunction._wire import Report, decode_log, format_report, parse_report

ID = "8286a188-ba32-4475-8077-530cd35c09a9"
WARM = (
    f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
)
COLD = f"{WARM}Init Duration: 110.10 ms\t"


@pytest.mark.parametrize(
    ("log", "report"),
    [
        (None, None),
        ("", None),
        (f"START RequestId: {ID} Version: $LATEST\nEND RequestId: {ID}\n", None),
        (f"{WARM}\n", Report(3.01, 4.0, 128, 36)),
        (f"START\nhello\n{COLD}\n", Report(3.01, 4.0, 128, 36, 110.10)),
        # a function prints what looks like a report: Lambda's own comes after it
        (f"{COLD.replace('3.01', '9999')}\n{WARM}\n", Report(3.01, 4.0, 128, 36)),
        (f"REPORT RequestId: forged\tDuration: 1 ms\t\nEND\n{WARM}\n", Report(3.01, 4.0, 128, 36)),
        (f"x {WARM}\n", None),
        ("REPORT RequestId:\tDuration: 1 ms\n", None),
        # missing and broken parts
        (f"REPORT RequestId: {ID}\t", Report()),
        (f"REPORT RequestId: {ID}\tDuration: 3.01 ms\tBilled Dura", Report(3.01)),
        (f"REPORT RequestId: {ID}\tDuration: 1.2.3 ms\tMemory Size: 128 MB\n", Report(None, None, 128)),
        (f"REPORT RequestId: {ID}\tDuration: many ms\tBilled Duration: 4 ms\n", Report(None, 4.0)),
        (f"REPORT RequestId: {ID}\tDuration: . ms\tMemory Size: . MB\n", Report()),
        # more than we know: restored snapshots, traces, a status
        (
            f"REPORT RequestId: {ID}\tDuration: 5 ms\tBilled Duration: 6 ms\tMemory Size: 128 MB\t"
            "Max Memory Used: 9 MB\t"
            "Restore Duration: 7.5 ms\tBilled Restore Duration: 8 ms\tStatus: timeout\t\n"
            "XRAY TraceId: 1-2\tSegmentId: 3\tSampled: true\t\n",
            Report(5.0, 6.0, 128, 9),
        ),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_the_last_report_line_counts(log: str | None, report: Report | None) -> None:
    """What it does not tell is None; a line that a function forged before it is not believed."""
    assert parse_report(log) == report


def test_a_cold_start_is_one_that_tells_its_init_duration() -> None:
    """Only the first invocation of an environment has it."""
    assert parse_report(COLD) is not None
    assert [parse_report(line).cold_start for line in (COLD, WARM)] == [True, False]  # type: ignore[union-attr]


@given(
    st.builds(
        Report,
        duration_ms=st.floats(0, 900_000).map(lambda n: round(n, 2)),
        billed_duration_ms=st.integers(0, 900_000).map(float),
        memory_size_mb=st.integers(0, 10_240),
        max_memory_used_mb=st.integers(0, 10_240),
        init_duration_ms=st.none() | st.floats(0, 20_000).map(lambda n: round(n, 2)),
    )
)
def test_what_the_endpoint_writes_the_client_reads(report: Report) -> None:
    """Both ends share the line: format and parse are each other's reverse."""
    line = format_report(ID, report)
    assert line.endswith("\t\n")
    assert parse_report(line) == report


@given(st.text())
def test_no_log_makes_the_parser_raise(text: str) -> None:
    """Whatever a function prints."""
    parse_report(f"REPORT RequestId: {ID}\t{text}")
    parse_report(text)


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (None, None),
        ("", None),
        ("aGk=", "hi"),
        (base64.b64encode("é😀".encode()).decode(), "é😀"),
        (base64.b64encode("é".encode()[1:] + b"tail").decode(), "\ufffdtail"),  # the tail begins inside a character
        ("not base64!", None),
        ("aGk", None),
        ("é", None),
    ],
)
def test_a_log_tail_is_text_or_nothing(encoded: str | None, text: str | None) -> None:
    """A cut character is replaced; what is no base64 is no log."""
    assert decode_log(encoded) == text
