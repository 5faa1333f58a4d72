"""The bill: sums over models, windows and grains agree, to the cent."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bill import bill
from watchkeeper.operations.bill import billed as billed_rows
from watchkeeper.operations.spending import books_of
from watchkeeper.samples import GpuProcess, GpuSample
from watchkeeper.windows import Grid
from watchkeeper.workspace import Workspace

START = datetime(2025, 1, 27, tzinfo=UTC)
NOW = START + timedelta(days=60)
PRICES = {"NVIDIA L4": Decimal("0.8048"), "NVIDIA H100": Decimal("6.88")}
HEAD = "gpu,provider,instance,price,currency,region,as_of,source\n"


def monitors() -> dict[str, Monitor]:
    words = {
        "task": "binary",
        "events": {"files": "x"},
        "columns": {"id": "id", "time": "at", "score": "p"},
        "reference": {"from": "2025-01-01", "to": "2025-01-02"},
    }
    return {m: Monitor.model_validate({"model": m, "cost": {"hosts": [host]}, **words}) for m, host in (("one", "a"), ("two", "b"))}


def sample(minute: int, minutes: int, host: str, name: str, model: str) -> GpuSample:
    return GpuSample(
        sampled_at=START + timedelta(minutes=minute),
        interval_s=60.0 * minutes,
        host=host,
        device=0,
        device_uuid=f"{host}-{name}",
        device_name=name,
        model=model,
        utilisation_ratio=0.25,
        power_w=100.0,
    )


def billed(samples: list[GpuSample], **options) -> list:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Workspace())
        home.prices.parent.mkdir(parents=True)
        home.prices.write_text(HEAD + "".join(f"{n.split()[1]},p,i,{price},USD,r,2025-01-01,s\n" for n, price in PRICES.items()))
        home.lake.append_records(GpuSample, samples)
        return bill(home, monitors(), now=NOW, **options)


fleet = st.lists(
    st.builds(
        sample,
        st.integers(0, 20_000),
        st.integers(1, 60),
        st.sampled_from("abc"),
        st.sampled_from(sorted(PRICES)),
        st.sampled_from(["", "", "one", "stranger"]),
    ),
    min_size=1,
    max_size=30,
)


def minutes_by_device(samples: list[GpuSample]) -> dict[str, int]:
    """Return device -> minutes that any of its readings claims, minute by minute."""
    claimed: dict[tuple[str, str], set[int]] = {}
    for s in samples:
        end = (s.sampled_at - START) // timedelta(minutes=1)
        claimed.setdefault((s.device_uuid, s.device_name), set()).update(range(end - int(s.interval_s // 60), end))
    total: dict[str, int] = {}
    for (_, name), minutes in claimed.items():
        total[name] = total.get(name, 0) + len(minutes)
    return total


@settings(max_examples=12, deadline=None)
@given(fleet, st.sampled_from(["day", "week", "month"]))
def test_the_models_and_the_unattributed_add_up_to_the_bill(samples, by):
    rows = billed(samples, by=by)
    due = sum(PRICES[name] * minutes / 60 for name, minutes in minutes_by_device(samples).items())
    assert sum(r.cost for r in rows) == pytest.approx(float(due), rel=1e-12)
    assert sum(r.gpu_hours for r in rows) == pytest.approx(sum(minutes_by_device(samples).values()) / 60, rel=1e-12)


@settings(max_examples=6, deadline=None)
@given(fleet)
def test_days_add_up_to_months(samples):
    def sums(by: str) -> dict:
        total: dict = {}
        for row in billed(samples, by=by):
            hours, cost, energy = total.get(row.model, (0, 0, 0))
            total[row.model] = (hours + row.gpu_hours, cost + row.cost, energy + row.energy_kwh)
        return total

    days, months = sums("day"), sums("month")
    assert days.keys() == months.keys()
    for model, figures in days.items():
        assert figures == pytest.approx(months[model], rel=1e-12)


def test_a_busy_share_of_a_week_is_of_its_hours_and_not_a_mean_of_days():
    busy = [replace(sample(60 * (i + 1), 60, "a", "NVIDIA L4", ""), utilisation_ratio=1.0) for i in range(23)]
    idle = replace(sample(24 * 60 * 2, 60, "a", "NVIDIA L4", ""), utilisation_ratio=0.0)
    (week,) = billed([*busy, idle], by="week")
    assert week.busy_ratio == pytest.approx(23 / 24)


def test_what_no_model_accounts_for_comes_last_and_has_no_predictions():
    rows = billed([sample(10, 10, h, "NVIDIA L4", "") for h in "cab"])
    assert [r.model for r in rows] == ["one", "two", None]
    assert (rows[-1].predictions, rows[-1].cost_per_1000_predictions) == (None, None)


def test_a_reading_may_name_a_model_without_a_monitor():
    (row,) = billed([sample(10, 10, "a", "NVIDIA L4", "stranger")])
    assert (row.model, row.predictions) == ("stranger", None)


def test_only_the_windows_asked_for_are_billed():
    samples = [sample(24 * 60 * day + 60, 60, "a", "NVIDIA L4", "") for day in range(5)]
    rows = billed(samples, by="day", start=START + timedelta(days=1), end=START + timedelta(days=3))
    assert [r.window_start for r in rows] == [START + timedelta(days=1), START + timedelta(days=2)]


def test_an_unpriced_device_has_hours_and_no_cost():
    (row,) = billed([sample(60, 60, "a", "NVIDIA B200", "")])
    assert (row.gpu_hours, row.cost) == (1.0, None)
    assert "add a line" in row.reason


def test_a_row_that_is_priced_in_part_costs_what_has_a_price_and_says_what_has_none():
    (row,) = billed([sample(60, 60, "c", "NVIDIA L4", ""), sample(20, 20, "c", "Mystery 9000", "")])
    assert row.account == "unattributed"
    assert row.cost == pytest.approx(0.8048)
    assert row.cents == 80
    assert row.unpriced_gpu_hours == pytest.approx(1 / 3)
    assert row.is_partly_priced
    assert sum(p.cost or 0.0 for p in row.parts if p.per == "purpose") == pytest.approx(row.cost)
    assert row.prices.startswith("NVIDIA L4 at 0.8048 USD")
    assert "0.333 of 1.33 GPU-hours: no price for 'Mystery 9000' in USD: add a line" in row.reason


def test_a_model_priced_in_part_has_no_cost_of_a_thousand():
    (row,) = billed([sample(60, 60, "c", "NVIDIA L4", "one"), sample(20, 20, "c", "Mystery 9000", "one")])
    assert (row.model, row.cost) == ("one", pytest.approx(0.8048))
    assert row.cost_per_1000_predictions is None


def test_a_wrong_price_book_is_told(home):
    home.prices.write_text("gpu,price\n")
    with pytest.raises(ConfigurationError, match="the first line must be"):
        bill(home, {}, now=NOW)


@pytest.fixture
def fleet_home(tmp_path: Path) -> Home:
    """Two models that each answered twice, of which the first has a GPU."""
    home = Home(tmp_path, Workspace())
    home.prices.parent.mkdir(parents=True)
    home.prices.write_text(HEAD + "L4,p,i,1,USD,r,2025-01-01,s\n")
    home.lake.append_records(GpuSample, [sample(60, 60, "a", "NVIDIA L4", "")])
    for model in ("one", "two"):
        at = pa.array([START + timedelta(minutes=m) for m in (10, 20)], TIMESTAMP)
        home.lake.append(f"events/{model}", pa.table({"p": [0.5, 0.5], "wk_time": at, "wk_landed_at": at}))
    return home


def spoil(home: Home, model: str) -> None:
    """Make the events of a model unreadable."""
    found = list(home.root.glob(f"**/events/{model}/**/*.parquet"))
    assert found
    for path in found:
        path.write_bytes(b"not a parquet file")


def test_events_are_read_of_models_alone_that_cost_something(fleet_home):
    spoil(fleet_home, "two")
    (row,) = bill(fleet_home, monitors(), now=NOW)
    assert (row.model, row.predictions) == ("one", 2)


def test_of_one_model_alone_nothing_else_is_read_and_its_row_is_the_same(fleet_home):
    fleet_home.lake.append_records(GpuSample, [sample(60, 60, "b", "NVIDIA L4", "")])
    week = next(iter(Grid("week", "UTC").between(START, START + timedelta(days=1))))
    rows = {
        alone: list(billed_rows(fleet_home, monitors(), books_of(fleet_home), Grid("week", "UTC"), {week: week}, now=NOW, alone=alone))
        for alone in (None, "one")
    }
    spoil(fleet_home, "two")
    again = list(billed_rows(fleet_home, monitors(), books_of(fleet_home), Grid("week", "UTC"), {week: week}, now=NOW, alone="one"))
    assert again == rows["one"]
    assert [(r.model, r.gpu_us, r.cost, r.cents, r.predictions) for r in again] == [
        ("one", 3_600_000_000, 1.0, 100, 2),
        ("two", 3_600_000_000, 1.0, 100, None),
    ]
    assert rows[None][0] == again[0]


def test_time_of_which_no_reading_names_the_team_is_that_of_none():
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), Workspace())
        home.prices.parent.mkdir(parents=True)
        home.prices.write_text(HEAD + "L4,p,i,1,USD,r,2025-01-01,s\n")
        home.lake.append_records(GpuSample, [sample(60 * h, 60, "z", "NVIDIA L4", "") for h in (1, 2, 3)])
        given = {"interval_s": 3600.0, "host": "z", "device_uuid": "z-NVIDIA L4", "pid": 1, "model": "stranger", "attributed_by": "process"}
        home.lake.append_records(
            GpuProcess, [GpuProcess(sampled_at=START + timedelta(hours=h), team=team, **given) for h, team in ((1, "a"), (2, "b"), (3, ""))]
        )
        (row,) = bill(home, monitors(), now=NOW)
    assert row.team == "a, b"
    assert {p.of: p.gpu_hours for p in row.parts if p.per == "team"} == {"": 1.0, "a": 1.0, "b": 1.0}
