"""What a measurement makes of its calls: percentiles, sentences, card, table, figure."""

from __future__ import annotations

import html
import json
import pickle
import random
import re
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import lmfunction as lm
from lmfunction._jsonable import jsonable
from lmfunction._measurement import Measurement, Sample
from lmfunction._model import InvokeResult, Outcome
from lmfunction._request import InvokeRequest, Target
from lmfunction._spread import Spread, bars, histogram
from lmfunction._wire import Report

FACTS = yaml.safe_load(Path(__file__).with_name("facts.yaml").read_text("utf-8"))


def sample(number: int, row: list[Any], outcome: Outcome = Outcome.OK, **more: Any) -> Sample:
    """A call as a row of the table spells it."""
    latency, duration, billed, size, used, init = row
    return Sample(number, outcome, latency, Report(duration, billed, size, used, init), f"r{number}", **more)


def measured(rows: list[list[Any]], label: str = "orders-api") -> Measurement:
    """A measurement of these calls."""
    found = Measurement(label, len(rows))
    for number, row in enumerate(rows, 1):
        found.add(sample(number, row))
    return found


@pytest.fixture
def mixed() -> Measurement:
    """A hundred calls: 1 and 50 are cold, 77 failed."""
    dice = random.Random(1)
    found = Measurement("orders-api:$LATEST", 100)
    for number in range(1, 101):
        cold = number in (1, 50)
        duration = 20 + dice.random() * 10
        row = [duration + 12 + (300 if cold else 0), duration, 31, 256, 100, 250.0 if cold else None]
        failed = Outcome.FUNCTION_ERROR if number == 77 else Outcome.OK
        found.add(sample(number, row, failed, error="Boom: <b>no</b>\x1b[31m" if number == 77 else ""))
    found.elapsed_ms = 4321.0
    return found


@pytest.mark.parametrize("case", FACTS, ids=lambda case: case["id"])
def test_facts(case: dict[str, Any]) -> None:
    """Each sentence follows from the figures, and none is told without them."""
    found = measured(case["calls"])
    for number, extra in enumerate(case.get("more", ()), len(case["calls"]) + 1):
        found.add(Sample(number, Outcome.OK, extra["latency"], throttles=extra["throttles"]))
    assert [sentence for sentence in case["says"] if sentence not in found.facts] == [], found.facts
    assert [word for word in case.get("never", ()) if any(word in sentence for sentence in found.facts)] == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], (1, 7, 7, 7, 7, 7)),
        ([2.0, 1.0], (2, 1, 1, 2, 2, 2)),
        (list(range(1, 11)), (10, 1, 5, 9, 10, 10)),
        (list(range(100, 0, -1)), (100, 1, 50, 90, 99, 100)),
        (list(range(1, 201)), (200, 1, 100, 180, 198, 200)),
        (list(range(1, 701)), (700, 1, 350, 630, 693, 700)),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, list) else "",
)
def test_percentiles(values: list[float], expected: tuple[float, ...]) -> None:
    """Nearest rank: each percentile is one of the values, and so many of them do not pass it."""
    found = Spread.of(values)
    assert found is not None
    assert (found.count, found.min, found.p50, found.p90, found.p99, found.max) == expected
    assert Spread.of([]) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_histogram_counts_every_value_once(seed: int) -> None:
    """Whatever the values, the rows hold all of them, a bar is no longer than the longest, and there are few rows."""
    dice = random.Random(seed)
    values = [dice.lognormvariate(dice.uniform(-3, 9), dice.uniform(0.001, 2)) for _ in range(dice.randint(2, 400))]
    rows = histogram(values)
    assert sum(count for _, count in rows) == len(values)
    assert len(rows) <= 12
    shares = [row[""].share for row in bars("time", rows)]
    assert max(shares) == 1
    assert min(shares) >= 0


def test_warm_and_cold_are_apart(mixed: Measurement) -> None:
    """Cold starts do not spoil warm latency, a failed call is in no spread, and billing counts them all."""
    assert mixed.latency is not None
    assert mixed.cold_latency is not None
    assert (mixed.latency.count, mixed.cold_latency.count) == (97, 2)
    assert mixed.latency.max < 50 < 300 < mixed.cold_latency.min
    assert mixed.init_duration == Spread(2, 250.0, 250.0, 250.0, 250.0, 250.0)
    assert mixed.outside is not None
    assert mixed.outside.p50 == pytest.approx(12)
    assert mixed.gb_seconds_per_million == pytest.approx(31 / 1000 * 0.25 * 1e6)
    assert (mixed.memory_size_mb, mixed.max_memory_used_mb) == (256, 100)
    assert (mixed.cold_starts, [s.number for s in mixed.failed], mixed.ok, mixed.complete) == (2, [77], False, True)
    assert mixed.suggested_timeout == 1


def test_the_card(mixed: Measurement) -> None:
    """Text and HTML tell the same; what a function said is no markup and drives no terminal."""
    data, metadata = mixed._repr_mimebundle_()
    text = data["text/plain"]
    plain = html.unescape(re.sub(r"<[^>]*>", "", data["text/html"]))
    for told in ("FAILED", "orders-api:$LATEST", "100 calls", "one after the other", "2 cold starts", "1 failed",
                 "latency, warm", "duration, cold", "init of cold starts", "outside the function",
                 "Boom: <b>no</b>", "Memory: at most 100 of 256 MB"):  # fmt: skip
        assert told in text
        assert told in plain
    assert "█" in text
    assert "<b>" not in data["text/html"]
    assert "\x1b" not in text + data["text/html"]
    figures: Any = metadata["lmfunction"]
    assert (figures["Calls"], figures["LatencyMs"]["Count"]) == (100, 97)
    assert text.index("Boom") < text.index("latency, warm")  # what is wrong comes first


@pytest.mark.parametrize(
    ("calls", "status"), [(3, "[MEASURED] f · 3 calls"), (1, "[STOPPED] f · 1 of 3 calls"), (0, "[STOPPED] f · 0 of 3")]
)
def test_a_partial_measurement_shows_itself(calls: int, status: str) -> None:
    """Whatever it holds, also nothing; it is true in any case."""
    found = Measurement("f", 3)
    for number in range(1, calls + 1):
        found.add(sample(number, [20, 8, 8, 256, 100, None]))
    assert found._repr_mimebundle_()[0]["text/plain"].startswith(status)
    assert repr(found).startswith("<Measurement f ")
    assert bool(found)
    json.dumps(found.to_dict())


def test_one_line(mixed: Measurement) -> None:
    """The repr is one honest line."""
    line = repr(mixed)
    assert line.startswith("<Measurement orders-api:$LATEST 100 calls, p50 ")
    assert line.endswith(", 1 failed>")


def test_plain_data(mixed: Measurement) -> None:
    """`to_dict` is JSON under wire names with what is absent left out; expressions reach into it."""
    found = mixed.to_dict()
    assert json.loads(json.dumps(found)) == jsonable(mixed)
    assert found["LatencyMs"]["P50"] <= found["LatencyMs"]["P99"]
    assert found["Errors"] == {"Boom: <b>no</b>\\x1b[31m": 1}
    empty = Measurement("f", 1).to_dict()
    assert not {"LatencyMs", "MemorySizeMb", "Errors", "GbSecondsPerMillion"} & empty.keys()


def test_a_table(mixed: Measurement) -> None:
    """A row for each call, in the order of the calls, also of those that came back in another."""
    shuffled = Measurement("f", 3)
    for number in (2, 3, 1):
        shuffled.add(sample(number, [number * 10.0, 8, 8, 256, 100, 5.0 if number == 1 else None]))
    frame = shuffled.to_frame()
    assert list(frame["Call"]) == [1, 2, 3]
    assert list(frame["LatencyMs"]) == [10, 20, 30]
    assert list(frame["ColdStart"]) == [True, False, False]
    assert list(mixed.to_frame()["Outcome"]).count("FUNCTION_ERROR") == 1
    assert Measurement("f", 1).to_frame().empty


def test_it_can_be_pickled(mixed: Measurement) -> None:
    """With its failed results; a copy says the same."""
    request = InvokeRequest("f", b"{}", target=Target(region="eu-west-1"))
    result = InvokeResult(request, 200, b'{"errorType": "E", "errorMessage": "m"}', function_error="Unhandled")
    mixed.add(Sample(101, Outcome.FUNCTION_ERROR, 3.0, result=result, error="E: m"))
    copy = pickle.loads(pickle.dumps(mixed))
    assert copy.to_dict() == mixed.to_dict()
    assert copy.failed[-1].result.error.type == "E"


# The figure


def test_the_figure(mixed: Measurement) -> None:
    """Axes with units, a title, every call, cold starts and failures marked in a shape of their own; a PNG."""
    figure = mixed.plot()
    calls, spread = figure.axes
    assert (
        figure.get_suptitle().replace("\\", "") == "orders-api:$LATEST: latency of 100 calls, 2 cold starts, 1 failed"
    )
    assert calls.get_xlabel() == "call"
    assert calls.get_ylabel() == "latency seen by the caller (ms)"
    assert spread.get_xlabel() == "number of calls"
    drawn = {points.get_label(): len(points.get_offsets()) for points in calls.collections}
    assert drawn == {"warm": 97, "cold start": 2, "failed": 1}
    labels = [text.get_text() for text in calls.get_legend().get_texts()]
    assert any(label.startswith("p99 warm ") and label.endswith(" ms") for label in labels)
    assert sum(bar.get_width() for bars in spread.containers for bar in bars) == pytest.approx(99)
    image = figure._repr_png_()
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", image[16:24]) == (900, 420)
    assert pickle.loads(pickle.dumps(figure)).axes


@pytest.mark.parametrize(
    "rows",
    [
        [[20.0, 8, 8, 256, 100, None]],
        [[20.0, 8, 8, 256, 100, 5.0]],
        [[20.0, 8, 8, 256, 100, None]] * 5,
        [[0.0, 0, 1, 256, 100, None]] * 2,
        [[5.0, 4, 5, 256, 100, None]] * 9 + [[5000.0, 4, 5, 256, 100, 900.0]],
    ],
    ids=["one", "one cold", "all alike", "zero", "a long tail"],
)
def test_a_figure_of_anything(rows: list[list[Any]]) -> None:
    """Few calls, equal ones and far outliers can be drawn."""
    figure = measured(rows).plot()
    assert figure._repr_png_()
    assert figure.axes[0].get_yscale() == ("log" if rows[-1][0] == 5000 else "linear")


def test_no_figure(monkeypatch: pytest.MonkeyPatch, mixed: Measurement) -> None:
    """Without an answer there is nothing to draw; without matplotlib the error says how to get it."""
    with pytest.raises(lm.LMError, match="no call was answered"):
        Measurement("f", 3).plot()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(lm.LMError, match=r"pip install 'lmfunction\[plot\]'"):
        mixed.plot()
