"""Latencies in another unit than the monitor says are told with what to write, when a model is added and later; none is an alarm."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from service_world import BEGIN, FEW, FEW_DAYS, HOUR, hours_of
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.add import add
from watchkeeper.operations.check import check
from watchkeeper.operations.doctor import examine
from watchkeeper.operations.drafting import Said
from watchkeeper.operations.latency_units import doubt, measured_of, unit_of_name, unusable
from watchkeeper.operations.watch import watch
from watchkeeper.records import Signal

SOON = BEGIN + timedelta(days=FEW_DAYS) + HOUR
IN_SECONDS = "if the column holds seconds, say `columns.latency_unit: s`"


def latencies(middle_ms: float, rows: int = 400):
    return measured_of(pa.chunked_array([np.random.default_rng(3).lognormal(np.log(middle_ms), 0.5, rows)]), 1.0)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_ms", "ms"),
        ("took_millis", "ms"),
        ("latency_s", "s"),
        ("response_time_seconds", "s"),
        ("took_us", "us"),
        ("latency", None),
        ("ms", "ms"),
    ],
)
def test_a_name_may_say_the_unit(name: str, unit: str | None):
    assert unit_of_name(name) == unit


def test_what_no_service_is_as_fast_or_as_slow_as_is_doubted():
    assert doubt(latencies(0.2), "ms").endswith(IN_SECONDS)
    assert doubt(latencies(4.0), "ms") == doubt(latencies(40_000.0), "ms") == ""
    assert "say `columns.latency_unit: us`" in doubt(latencies(200_000.0), "ms")
    assert "say `columns.latency_unit: ms`" in doubt(latencies(200_000.0), "s")
    assert "say `columns.latency_unit: ms`" in doubt(latencies(0.2), "us")


def test_four_milliseconds_are_too_fast_for_a_long_answer():
    """A language model that answers in four seconds, logged as 4."""
    assert doubt(latencies(4.0), "ms", tokens=400 * 300.0).endswith(IN_SECONDS)
    assert doubt(latencies(4_000.0), "ms", tokens=400 * 300.0) == ""


def test_few_or_no_latencies_are_not_doubted():
    assert doubt(latencies(0.2, rows=29), "ms") == doubt(measured_of(pa.chunked_array([["slow"]]), 1.0), "ms") == ""


def test_what_is_a_thousand_times_what_it_was_is_another_unit_since():
    assert doubt(latencies(0.09), "ms", usual=latencies(90.0)).startswith("the median latency is 0.09")
    assert "a thousand times what it was" in doubt(latencies(90_000.0), "ms", usual=latencies(90.0))
    assert doubt(latencies(9.0), "ms", usual=latencies(90.0)) == ""


def test_unusable_ones_are_counted_and_said():
    values = pa.chunked_array([[0.0, -3.0, float("inf"), 1e308, 5.0, None, float("nan")]])
    assert unusable(measured_of(values, 1.0)).startswith("4 of 7 rows (57 %) have a latency of 0, below, or above eleven days")
    assert unusable(latencies(5.0)) == ""


def drafted(home: Home, **columns: object):
    rows = pd.DataFrame({"id": [f"r{i}" for i in range(400)], "at": pd.date_range("2025-01-01", periods=400, freq="h", tz="UTC")})
    rows = rows.assign(score=np.random.default_rng(2).random(400), **columns)
    file = home.root / "inbox" / "served-2025.parquet"
    rows.to_parquet(file, index=False)
    return add(home, "served", events=file, labels=None, said=Said(task="binary"))


def test_add_takes_the_unit_from_the_name_and_the_columns_of_a_service(make_home: Callable[..., Home]):
    rng = np.random.default_rng(5)
    added = drafted(
        make_home(),
        latency_s=rng.lognormal(-2, 0.4, 400),
        queue_ms=rng.random(400),
        prompt_tokens=rng.integers(1, 99, 400),
        completion_tokens=rng.integers(1, 99, 400),
        http_status=np.full(400, 200),
        cloud_region=rng.choice(["eu", "us"], 400),
        pod=rng.choice(["a", "b"], 400),
    )
    said = {a.key.removeprefix("columns."): a.value for a in added.guesses if a.key.startswith("columns.")}
    assert (
        said.items()
        >= {
            "latency": "latency_s",
            "latency_unit": "s",
            "queue_time": "queue_ms",
            "input_tokens": "prompt_tokens",
            "output_tokens": "completion_tokens",
            "status": "http_status",
            "region": "cloud_region",
            "host": "pod",
        }.items()
    )


def test_add_says_what_looks_like_seconds_or_is_no_latency(make_home: Callable[..., Home]):
    took = np.where(np.arange(400) % 4 == 0, 0.0, np.random.default_rng(5).lognormal(-2, 0.4, 400))
    said = drafted(make_home(), latency=took).left_out
    assert [s for s in said if s.endswith(IN_SECONDS)]
    assert [s for s in said if s.startswith("`latency`: 100 of 400 rows (25 %) have a latency of 0")]


def seconds(rows: pd.DataFrame, rng: np.random.Generator) -> None:
    rows[["ms", "queue_ms"]] /= 1e3


@pytest.mark.parametrize("since", [pytest.param(0, marks=pytest.mark.nightly), FEW_DAYS - 1])
def test_check_and_doctor_say_it_of_what_landed_and_nobody_is_paged(since: int, make_home: Callable[..., Home]):
    home = make_home(FEW)
    hours_of(home.root, range(FEW_DAYS * 24), plant=seconds, during=range(since * 24, FEW_DAYS * 24), rows=60)
    before = [f.what for f in check(home, now=BEGIN).findings if "latency" in f.what]
    assert before, "the newest file tells before anything is counted"
    watch(home, now=SOON)
    expected = IN_SECONDS if since == 0 else "a thousandth of what it was in the reference"
    assert any(expected in f.what for f in check(home, now=SOON).findings)
    assert [d.state for d in examine(home, settings=Settings(), now=SOON) if expected in d.what] == ["warn"]
    assert not [s for s in home.lake.newest(Signal) if s.level == "page"]


def test_a_wait_that_is_longer_than_the_answer_took_is_said(make_home: Callable[..., Home]):
    home = make_home(FEW)

    def apart(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows["queue_ms"] = rows.ms * 3

    hours_of(home.root, range(FEW_DAYS * 24), plant=apart, during=range(FEW_DAYS * 24), rows=60)
    watch(home, now=SOON)
    assert any("`columns.latency` must include the wait" in f.what for f in check(home, now=SOON).findings)
