"""Two versions side by side: the difference, row by row where both scored the same, and what cannot be compared."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from conftest import PARCELS, new_home, parcels_world
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli import app
from watchkeeper.errors import UsageError
from watchkeeper.operations.compare import Comparison, _over_entities, _Paired, _pulls, _verdict, compare
from watchkeeper.operations.ingest import ingest
from watchkeeper.profiles.clusters import Entities
from watchkeeper.stats.differences import difference
from watchkeeper.stats.intervals import Estimate, mean, proportion
from watchkeeper.windows import Window
from worlds import DAY

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 20 * DAY
MONITOR = PARCELS | {"columns": PARCELS["columns"] | {"environment": "stage"}}


def _as(events: pa.Table, version: str, stage: str, change: Callable[[np.ndarray], np.ndarray] = lambda p: p) -> pa.Table:
    score = np.clip(change(np.asarray(events.column("p_late"))), 0.001, 0.999)
    given = {"p_late": score, "is_late": score >= 0.5, "version": [version] * len(score), "stage": [stage] * len(score)}
    for name, values in given.items():
        place = events.column_names.index(name) if name in events.column_names else None
        events = events.append_column(name, pa.array(values)) if place is None else events.set_column(place, name, pa.array(values))
    return events


def _half(events: pa.Table, *, odd: bool) -> pa.Table:
    return events.filter(pa.array([i % 2 == odd for i in range(events.num_rows)]))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    """Ten days by version 1; from the fourth on a shadow "2" that is as good, "3" that overdoes, and "4" on rows of its own, as good."""
    place = new_home(tmp_path_factory.mktemp("versions") / "home", MONITOR)
    noise = np.random.default_rng(0)
    for d in range(10):
        events, labels = parcels_world(FIRST + d * DAY, rows=300)
        made = {"1": _as(_half(events, odd=False), "1", "production")}
        if d >= 3:
            made["2"] = _as(_half(events, odd=False), "2", "staging", lambda p: p * np.exp(noise.normal(0, 0.01, len(p))))
            made["3"] = _as(_half(events, odd=False), "3", "staging", lambda p: p**3 / (p**3 + (1 - p) ** 3))
            made["4"] = _as(_half(events, odd=True), "4", "production")
        for version, rows in made.items():
            pq.write_table(rows, place.root / "inbox" / f"parcels-{d}-{version}.parquet")
        pq.write_table(labels, place.root / "inbox" / f"delivered-{d}.parquet")
    ingest(place, load_monitor(place, "parcels"), now=NOW)
    return place


def compared(home: Home, newer: str, **more) -> Comparison:
    return compare(home, load_monitor(home, "parcels"), "1", newer, now=NOW, **more)


def test_a_version_is_not_compared_with_itself(home):
    with pytest.raises(UsageError, match="'1' is named twice: a version is compared with another one"):
        compared(home, "1")
    asked = ["--home", str(home.root), "versions", "compare", "parcels", "2", "2", "--now", NOW.isoformat()]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 2
    assert "`watchkeeper versions list parcels` tells which there are." in refused.output


@pytest.mark.parametrize("is_paired", [False, True])
def test_rows_of_one_customer_are_one_witness_of_a_difference(is_paired):
    """Of two versions that are the same, with customers of whom each is easy or hard, and likes the one or the other where both scored the same rows."""
    held = naive = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        whose, group = rng.integers(0, 60, 1_200), rng.integers(0, 2, 1_200)
        lost = (rng.random(1_200) < np.where(rng.random(60) < 0.5, 0.1, 0.7)[whose]).astype(float)
        pairs = None
        if is_paired:
            whose, group = np.concatenate([whose, whose]), np.repeat([0, 1], 1_200)
            lost = np.concatenate([lost, lost + rng.normal(0, 1, 60)[whose[:1_200]]])
            pairs = _Paired(np.arange(1_200), np.arange(1_200, 2_400))
            apart = lost[1_200:] - lost[:1_200]
            plain = mean(float(apart.sum()), float((apart**2).sum()), len(apart))
        else:
            sides = [lost[group == g] for g in (1, 0)]
            plain = difference(*(mean(float(s.sum()), float((s**2).sum()), len(s)) for s in sides))
        found = _over_entities(plain, _pulls(lost, group, pairs), Entities(whose, whose % 64))
        held += found.low <= 0 <= found.high
        naive += plain.low <= 0 <= plain.high
    assert 276 <= held <= 297, held
    assert naive < (200 if is_paired else 300)


def test_a_customer_alone_tells_no_difference():
    found = _over_entities(Estimate(0.1, 0.01, 0.08, 0.12, 50), np.full(50, 0.01), Entities(np.zeros(50, np.int64), np.zeros(50, np.int64)))
    assert not np.isfinite(found.low)


def test_the_same_prediction_of_another_version_or_stage_is_another_event(home):
    assert home.lake.read("events/parcels").num_rows == 10 * 150 + 3 * 7 * 150


def test_a_shadow_on_the_same_rows_is_compared_row_by_row_and_is_as_good(home):
    found = compared(home, "2")
    assert not found.is_worse
    by_metric = {d.metric: d for d in found.differences}
    assert by_metric["log_loss"].pairs == 7 * 150
    assert abs(by_metric["log_loss"].difference) < 0.002
    assert (found.window.start, found.window.end) == (FIRST + 3 * DAY, FIRST + 10 * DAY)


def test_rows_of_both_tell_smaller_differences_than_two_intervals(home):
    (loss,) = [d for d in compared(home, "2").differences if d.metric == "log_loss"]
    apart = next(d for d in compared(home, "4").differences if d.metric == "log_loss")
    assert (loss.high - loss.low) * 10 < apart.high - apart.low


def test_a_version_that_overdoes_is_worse_and_ranks_the_same(home):
    found = compared(home, "3")
    verdicts = {d.metric: d.verdict for d in found.differences}
    assert found.is_worse
    assert verdicts["log_loss"] == "worse"
    assert verdicts["roc_auc"] == "no difference seen"


def test_versions_on_rows_of_their_own_are_compared_by_their_intervals(home):
    found = compared(home, "4")
    assert {d.pairs for d in found.differences} == {0}
    assert not found.is_worse


def test_the_command_exits_3_when_the_newer_is_worse(home):
    def call(newer, *more):
        return CliRunner().invoke(app, ["--home", str(home.root), "versions", "compare", "parcels", "1", newer, "--now", NOW.isoformat(), *more])

    assert call("2").exit_code == 0
    worse = call("3")
    assert worse.exit_code == 3
    assert "3 is worse than 1 in log_loss" in worse.output
    assert '"is_worse": true' in call("3", "--json").output


def test_what_cannot_be_compared_is_said(home):
    with pytest.raises(UsageError, match="no rows of version '9'"):
        compared(home, "9")
    monitor = load_monitor(home, "parcels")
    with pytest.raises(UsageError, match="no rows of version '9'"):
        compare(home, monitor, "1", "9", now=NOW, window=Window(NOW, NOW + DAY))
    with pytest.raises(UsageError, match="without `labels`"):
        compare(home, monitor.model_copy(update={"labels": None}), "1", "2", now=NOW)
    with pytest.raises(UsageError, match="no window of that time is mature"):
        compare(home, monitor.model_copy(update={"labels": monitor.labels.model_copy(update={"mature_after": 30 * DAY})}), "1", "2", now=NOW)


def test_only_windows_whose_labels_are_due_are_compared(home):
    monitor = load_monitor(home, "parcels")
    found = compare(home, monitor, "1", "2", now=NOW, window=Window(FIRST + 3 * DAY, FIRST + 8 * DAY))
    assert found.window == Window(FIRST + 3 * DAY, FIRST + 8 * DAY)
    slow = monitor.model_copy(update={"labels": monitor.labels.model_copy(update={"mature_after": 13 * DAY})})
    for window in (None, Window(FIRST + 3 * DAY, FIRST + 10 * DAY)):
        assert compare(home, slow, "1", "2", now=NOW, window=window).window == Window(FIRST + 3 * DAY, FIRST + 7 * DAY)


def test_shares_of_a_few_rows_are_not_told_apart_by_intervals_of_no_width():
    few, more = proportion(4, 4), proportion(38, 40)
    assert _verdict(difference(more, few), "higher_is_better") == "no difference seen"
