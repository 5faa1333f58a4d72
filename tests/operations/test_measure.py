"""Measure: every window gets an outcome, late data restates and keeps history, and no model disturbs another."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.operations.watch import gather, watch
from watchkeeper.records import Run, Score
from watchkeeper.windows import Grid
from worlds import DAY, parcels_days

FIRST = date(2025, 1, 1)
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def brought_up(home: Home, now: datetime, model: str = "parcels") -> list[Run]:
    """Take in, profile and measure one model."""
    monitor = load_monitors(home)[0][model]
    ingest(home, monitor, now=now)
    profile(home, monitor, now=now)
    return measure(home, monitor, now=now)


def scores(home: Home, *, as_of: datetime | None = None, model: str = "parcels", grain: str = "day", **about: Any) -> dict[int, Score]:
    """Return the newest scores of one series by day since BEGIN."""
    wanted = {"feature": "", "segment": "", "version": "", "environment": "production"} | about
    where = (pc.field("model") == model) & (pc.field("grain") == grain)
    for name, value in wanted.items():
        where &= pc.field(name) == value
    return {(s.window_start - BEGIN) // DAY: s for s in home.lake.newest(Score, as_of=as_of, where=where)}


def outcomes(home: Home, as_of: datetime | None = None) -> dict[int, str]:
    runs = home.lake.newest(Run, as_of=as_of, where=pc.field("operation") == "measure")
    return {(r.window_start - BEGIN) // DAY: r.outcome for r in runs}


def test_a_window_nobody_delivered_is_late_then_missed_then_empty(home):
    parcels_days(home.root, FIRST, 20)
    brought_up(home, BEGIN + 20 * DAY)
    assert set(outcomes(home).values()) == {"done"}
    brought_up(home, BEGIN + 21 * DAY + timedelta(hours=1))
    assert outcomes(home)[20] == "late"
    brought_up(home, BEGIN + 24 * DAY)
    assert [outcomes(home)[d] for d in (20, 21, 22, 23)] == ["missed", "missed", "late", "late"]
    parcels_days(home.root, date(2025, 1, 25), 1)
    brought_up(home, BEGIN + 25 * DAY)
    assert [outcomes(home)[d] for d in range(18, 25)] == ["done", "done", "empty", "empty", "empty", "empty", "done"]
    assert scores(home, metric="rows")[21].value == 0
    assert {r.reason for r in home.lake.newest(Run) if r.outcome == "empty"} == {"no events landed for this window"}


def test_nothing_is_due_twice_and_a_person_may_ask_again(home, parcels):
    parcels_days(home.root, FIRST, 16)
    now = BEGIN + 20 * DAY
    assert len(brought_up(home, now)) == 20
    assert brought_up(home, now) == []
    before = home.lake.read(Score.TABLE).num_rows
    again = measure(home, parcels, now=now, start=BEGIN + 3 * DAY, end=BEGIN + 5 * DAY, recompute=True)
    assert [r.window_start for r in again] == [BEGIN + 3 * DAY, BEGIN + 4 * DAY]
    assert home.lake.read(Score.TABLE).num_rows == before, "what came out the same is not written"


def test_late_labels_restate_and_history_is_kept(home):
    parcels_days(home.root, FIRST, 20)
    late = home.root / "inbox" / "delivered-2025-01-18.parquet"
    labels = pq.read_table(late)
    pq.write_table(labels.slice(0, 50), late)
    first, second = BEGIN + 21 * DAY, BEGIN + 25 * DAY
    brought_up(home, first)
    was = scores(home, metric="positive_rate")[17]
    pq.write_table(labels.slice(50), home.root / "inbox" / "delivered-2025-01-18-late.parquet")
    brought_up(home, second)
    now = scores(home, metric="positive_rate")[17]
    assert (was.n, was.revision, was.coverage) == (50, 0, 0.25)
    assert (now.n, now.revision, now.coverage) == (200, 1, 1.0)
    assert now.value == pytest.approx(np.mean(labels["was_late"].to_pylist()))
    assert scores(home, as_of=first, metric="positive_rate")[17] == was
    assert {s.revision for d, s in scores(home, metric="positive_rate").items() if d < 17} == {0}


def test_missing_labels_leave_bounds_until_they_are_due(home):
    parcels_days(home.root, FIRST, 16)
    path = home.root / "inbox" / "delivered-2025-01-16.parquet"
    labels = pq.read_table(path)
    pq.write_table(labels.slice(0, 120), path)
    brought_up(home, BEGIN + 16 * DAY + timedelta(hours=2))
    waiting = scores(home, metric="positive_rate")[15]
    known = sum(labels["was_late"].to_pylist()[:120])
    assert (waiting.state, waiting.coverage) == ("provisional", 0.6)
    assert (waiting.bound_low, waiting.bound_high) == (pytest.approx(known / 200), pytest.approx((known + 80) / 200))
    brought_up(home, BEGIN + 18 * DAY)
    final = scores(home, metric="positive_rate")[15]
    assert (final.state, final.revision, final.bound_low) == ("mature", 1, None)


@pytest.mark.parametrize("together", [False, True])
def test_of_labels_that_contradict_each_other_the_last_wins(home, together):
    parcels_days(home.root, FIRST, 16)
    path = home.root / "inbox" / "delivered-2025-01-10.parquet"
    labels = pq.read_table(path)
    turned = labels.set_column(1, "was_late", pa.array([True] * labels.num_rows))
    turned = turned.set_column(2, "delivered_at", pc.add(turned["delivered_at"], pa.scalar(timedelta(hours=1))))
    if together:
        pq.write_table(pa.concat_tables([turned, labels]), path)
    else:
        pq.write_table(turned, path.with_name("delivered-2025-01-10-again.parquet"))
    brought_up(home, BEGIN + 18 * DAY)
    assert scores(home, metric="positive_rate")[9].value == 1.0
    assert scores(home, metric="positive_rate")[9].n == 200


def test_of_labels_without_times_the_last_row_of_a_file_wins(make_home):
    home = make_home(PARCELS | {"labels": {**PARCELS["labels"], "time": None}})
    parcels_days(home.root, FIRST, 16)
    path = home.root / "inbox" / "delivered-2025-01-10.parquet"
    labels = pq.read_table(path)
    turned = [labels.set_column(1, "was_late", pa.array([truth] * labels.num_rows)) for truth in (False, True)]
    pq.write_table(pa.concat_tables(turned), path)
    brought_up(home, BEGIN + 18 * DAY)
    assert scores(home, metric="positive_rate")[9].value == 1.0


def test_a_week_agrees_with_scikit_learn_on_the_same_rows(home, parcels):
    parcels_days(home.root, FIRST, 30, rows=300)
    now = BEGIN + 40 * DAY
    brought_up(home, now)
    grid = Grid("week", "UTC")
    [window] = grid.between(datetime(2025, 1, 20, tzinfo=UTC), datetime(2025, 1, 27, tzinfo=UTC))
    week = {s.metric: s for s in rolled_up(home, parcels, grid, now=now, start=window.start, end=window.end, of_whole=True) if not s.feature}
    tables = [parcels_world(window.start + d * DAY, rows=300) for d in range(7)]
    score = np.concatenate([np.asarray(e["p_late"]) for e, _ in tables])
    truth = np.concatenate([np.asarray(t["was_late"]) for _, t in tables])
    assert week["positive_rate"].n == 2100
    assert week["roc_auc"].value == pytest.approx(roc_auc_score(truth, score), abs=2e-3)
    assert week["log_loss"].value == pytest.approx(log_loss(truth, score), abs=1e-6)
    assert week["accuracy"].value == pytest.approx(accuracy_score(truth, score >= 0.5))


def test_a_run_as_of_last_month_gives_what_it_gave_then(home):
    parcels_days(home.root, FIRST, 20)
    then = BEGIN + 20 * DAY
    brought_up(home, then)
    before = (scores(home, as_of=then, metric="log_loss"), outcomes(home, then))
    parcels_days(home.root, date(2025, 1, 21), 20, seed=1)
    brought_up(home, BEGIN + 45 * DAY)
    assert brought_up(home, then) == []
    assert (scores(home, as_of=then, metric="log_loss"), outcomes(home, then)) == before


def test_an_empty_reference_is_one_clear_sentence(home):
    parcels_days(home.root, date(2025, 2, 1), 3)
    [run] = brought_up(home, datetime(2025, 2, 6, tzinfo=UTC))
    assert (run.outcome, run.reason) == (
        "insufficient",
        "the reference is empty: no events between 2025-01-01 and 2025-01-15 have landed",
    )
    assert home.lake.read(Score.TABLE) is None


def test_measuring_starts_when_the_reference_is_over(home):
    parcels_days(home.root, FIRST, 10)
    [run] = brought_up(home, BEGIN + 10 * DAY)
    assert (run.outcome, run.reason) == ("insufficient", "the reference ends on 2025-01-15; measuring starts then")


def test_environments_are_measured_apart(make_home):
    home = make_home(PARCELS | {"columns": PARCELS["columns"] | {"environment": "stage"}})

    def staged(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return events.append_column("stage", pa.array(["production"] * 150 + ["staging"] * 50)), labels

    parcels_days(home.root, FIRST, 16, change=dict.fromkeys(range(16), staged))
    brought_up(home, BEGIN + 18 * DAY)
    assert scores(home, metric="rows")[12].value == 150
    assert scores(home, metric="rows", environment="staging")[12].value == 50
    assert scores(home, metric="positive_rate", environment="staging")[12].n == 50


def test_versions_are_measured_together_and_apart_where_there_are_two(home):
    def halved(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return events.set_column(events.column_names.index("version"), "version", pa.array(["1"] * 120 + ["2"] * 80)), labels

    parcels_days(home.root, FIRST, 16, change={15: halved})
    brought_up(home, BEGIN + 18 * DAY)
    assert {v: scores(home, metric="positive_rate", version=v)[15].n for v in ("", "1", "2")} == {"": 200, "1": 120, "2": 80}
    assert 14 not in scores(home, metric="positive_rate", version="1")


@pytest.mark.slow
def test_hours_are_windows_too(make_home):
    home = make_home(PARCELS | {"window": "hour", "segments": []})
    parcels_days(home.root, FIRST, 16, rows=600)
    brought_up(home, BEGIN + 15 * DAY + timedelta(hours=6))
    found = home.lake.newest(Score, where=(pc.field("metric") == "rows") & (pc.field("segment") == "") & (pc.field("version") == ""))
    assert {s.window_end - s.window_start for s in found} == {timedelta(hours=1)}
    assert sum(s.value for s in found if s.window_start < BEGIN + 15 * DAY) == 15 * 600
    assert len(found) == 15 * 24 + 6


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_days_are_those_of_the_monitors_clock_for_labels_as_well(make_home, zone):
    """Half-hour zones have days that begin in the middle of a UTC hour."""
    home = make_home(PARCELS | {"timezone": zone})
    parcels_days(home.root, FIRST, 17)
    brought_up(home, BEGIN + 19 * DAY)
    lone = parcels_world(BEGIN + 15 * DAY, rows=1)
    midnight = Grid("day", zone).at(BEGIN + 15 * DAY + timedelta(hours=12)).end
    event = lone[0].set_column(1, "sent_at", pa.array([midnight + timedelta(minutes=10)], pa.timestamp("us", "UTC")))
    event = event.set_column(0, "parcel", pa.array(["lone"]))
    pq.write_table(event, home.root / "inbox" / "parcels-lone.parquet")
    brought_up(home, BEGIN + 20 * DAY)
    rows = {s.window_start: s for s in home.lake.newest(Score, where=(pc.field("metric") == "rows") & (pc.field("segment") == ""))}
    rates = {s.window_start: s for s in home.lake.newest(Score, where=(pc.field("metric") == "label_coverage"))}
    assert rows[midnight].value == rates[midnight].n


def test_one_failing_model_leaves_the_other_unaffected(make_home):
    other = PARCELS | {"model": "letters", "events": {"files": "inbox/letters-*.parquet"}, "labels": None}
    home, alone = make_home(PARCELS, other, name="two"), make_home(PARCELS, name="one")
    for each in (home, alone):
        parcels_days(each.root, FIRST, 17)
    (home.root / "expectations" / "letters_events.json").write_text("{not json")
    pq.write_table(parcels_world(BEGIN)[0], home.root / "inbox" / "letters-1.parquet")
    now = BEGIN + 18 * DAY
    done = watch(home, now=now)
    watch(alone, now=now)
    assert {(f.model, f.operation) for f in done.failures} == {("letters", "ingest")}
    assert "letters_events.json" in done.failures[0].reason
    mine = {s for s in home.lake.newest(Score) if s.model == "parcels"}
    assert mine == set(alone.lake.newest(Score))
    assert Counter(r.outcome for r in home.lake.newest(Run) if r.model == "parcels") == Counter(r.outcome for r in alone.lake.newest(Run))


def test_a_file_that_is_no_parquet_stops_neither_its_model_nor_the_other(home):
    parcels_days(home.root, FIRST, 17)
    (home.root / "inbox" / "parcels-2025-01-16.parquet").write_bytes(b"PAR1 broken PAR1")
    done = watch(home, now=BEGIN + 18 * DAY)
    assert done.failures == []
    assert outcomes(home)[15] == "empty"
    assert outcomes(home)[16] == "done"


def houses(root: Path, days: int) -> tuple[Any, Any]:
    """Write a regression's files; return predictions and truths of its last week."""
    rng, kept = np.random.default_rng(4), []
    for d in range(days):
        start = BEGIN + d * DAY
        said = rng.normal(300, 50, 100)
        true = said + rng.normal(0, 10, 100) + (40 if d >= days - 3 else 0)
        sent = pa.array([start + timedelta(minutes=int(m)) for m in rng.integers(0, 1440, 100)], pa.timestamp("us", "UTC"))
        ids = [f"{d}-{i}" for i in range(100)]
        pq.write_table(pa.table({"id": ids, "at": sent, "price": said, "rooms": rng.integers(1, 6, 100)}), root / "inbox" / f"h-{d:02}.parquet")
        pq.write_table(pa.table({"id": ids, "sold": true}), root / "inbox" / f"s-{d:02}.parquet")
        kept.append((said, true))
    return np.concatenate([s for s, _ in kept[-3:]]), np.concatenate([t for _, t in kept[-3:]])


def test_a_regression_is_watched_from_end_to_end(make_home):
    monitor = {
        "model": "houses",
        "task": "regression",
        "events": {"files": "inbox/h-*.parquet"},
        "labels": {"files": "inbox/s-*.parquet", "join": "id", "column": "sold"},
        "columns": {"id": "id", "time": "at", "score": "price"},
        "reference": {"from": "2025-01-01", "to": "2025-01-21"},
    }
    home = make_home(monitor)
    said, true = houses(home.root, 30)
    now = BEGIN + 32 * DAY
    done = watch(home, now=now)
    assert done.failures == []
    mae, rmse = (scores(home, model="houses", metric=m) for m in ("mae", "rmse"))
    assert np.mean([mae[d].value for d in (27, 28, 29)]) == pytest.approx(mean_absolute_error(true, said))
    assert np.mean([rmse[d].value ** 2 for d in (27, 28, 29)]) == pytest.approx(mean_squared_error(true, said))
    assert (done.events[0].event, done.events[0].family) == ("opened", "kpi")
    assert done.events[0].window_start == BEGIN + 27 * DAY


def test_a_multiclass_model_is_watched_from_end_to_end(make_home):
    monitor = {
        "model": "fruit",
        "task": "multiclass",
        "events": {"files": "inbox/f-*.parquet"},
        "labels": {"files": "inbox/t-*.parquet", "join": "id", "column": "kind"},
        "columns": {"id": "id", "time": "at", "prediction": "said", "probabilities": {"apple": "p_apple", "pear": "p_pear", "plum": "p_plum"}},
        "reference": {"from": "2025-01-01", "to": "2025-01-15"},
    }
    home, rng = make_home(monitor), np.random.default_rng(2)
    names, last = np.array(["apple", "pear", "plum"]), None
    for d in range(18):
        chances = rng.dirichlet([2, 2, 2], 120)
        true = np.array([rng.choice(3, p=c) for c in chances])
        ids = [f"{d}-{i}" for i in range(120)]
        at = pa.array([BEGIN + d * DAY + timedelta(minutes=i) for i in range(120)], pa.timestamp("us", "UTC"))
        columns = {"id": ids, "at": at, "said": names[chances.argmax(1)], "size": rng.normal(size=120)}
        pq.write_table(pa.table(columns | {f"p_{n}": chances[:, i] for i, n in enumerate(names)}), home.root / "inbox" / f"f-{d:02}.parquet")
        pq.write_table(pa.table({"id": ids, "kind": names[true]}), home.root / "inbox" / f"t-{d:02}.parquet")
        last = (chances, true)
    assert watch(home, now=BEGIN + 20 * DAY).failures == []
    chances, true = last
    assert scores(home, model="fruit", metric="accuracy")[17].value == pytest.approx(accuracy_score(true, chances.argmax(1)))
    assert scores(home, model="fruit", metric="log_loss")[17].value == pytest.approx(log_loss(true, chances, labels=[0, 1, 2]))


def test_a_promise_over_weeks_is_measured_on_weeks(make_home):
    home = make_home(PARCELS | {"targets": [{"metric": "roc_auc", "at_least": 0.99, "per": "week"}]})
    parcels_days(home.root, FIRST, 28)
    gather(home, now=BEGIN + 32 * DAY)
    weeks = scores(home, metric="roc_auc", grain="week")
    assert sorted(weeks) == [-2, 5, 12, 19]
    assert weeks[12].n == 1400
