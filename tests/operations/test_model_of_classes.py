"""A model of several classes in the lake: what is measured of each class, promised of one, shown, and made anew of an older lake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as sk
from deltalake import DeltaTable, write_deltalake

from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.pages import pages
from watchkeeper.operations.watch import watch
from watchkeeper.records import Bins, IncidentEvent, Profile, Score, Signal

BEGIN, DAY, ROWS, DAYS = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=1), 200, 20
NOW = BEGIN + 24 * DAY
NAMES = np.array(["apple", "pear", "plum"])
FRUIT: dict[str, Any] = {
    "model": "fruit",
    "owner": "#fruit",
    "task": "multiclass",
    "events": {"files": "inbox/f-*.parquet"},
    "labels": {"files": "inbox/t-*.parquet", "join": "id", "column": "kind", "mature_after": "24h"},
    "columns": {"id": "id", "time": "at", "prediction": "said", "probabilities": {str(n): f"p_{n}" for n in NAMES}},
    "reference": {"from": "2025-01-01", "to": "2025-01-15"},
    "segments": ["stall"],
    "targets": [{"metric": "recall", "feature": "@class=plum", "at_least": 0.14, "per": "day"}],
}


def rows_of(day: int, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    """Write a day of fruit; on the last three days plums are called pears."""
    chances = rng.dirichlet([3, 2, 1], ROWS)
    true, said = (rng.random(ROWS)[:, None] > np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1), chances.argmax(axis=1)
    if day >= DAYS - 3:
        said = np.where(said == 2, 1, said)
    ids = [f"{day}-{i}" for i in range(ROWS)]
    at = pa.array([BEGIN + day * DAY + timedelta(minutes=5 * i) for i in range(ROWS)], pa.timestamp("us", "UTC"))
    columns = {"id": ids, "at": at, "said": NAMES[said], "size": rng.normal(size=ROWS), "stall": np.where(rng.random(ROWS) < 0.5, "a", "b")}
    return pa.table(columns | {f"p_{n}": chances[:, i] for i, n in enumerate(NAMES)}), pa.table({"id": ids, "kind": NAMES[true]})


def write(home: Home, *, change=lambda _, events, labels: (events, labels)) -> None:
    rng = np.random.default_rng(2)
    for day in range(DAYS):
        events, labels = change(day, *rows_of(day, rng))
        pq.write_table(events, home.root / "inbox" / f"f-{day:02}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"t-{day:02}.parquet")


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Home:
    from conftest import new_home

    home = new_home(tmp_path_factory.mktemp("fruit") / "home", FRUIT)
    write(home)
    assert watch(home, now=NOW).failures == []
    return home


def on(home: Home, day: int, **wanted: Any) -> dict[tuple[str, str], Score]:
    start = BEGIN + day * DAY
    asked = {k: frozenset(v) if k == "metrics" else v for k, v in wanted.items()}
    found = listed_scores(home, load_monitor(home, "fruit"), Wanted(start=start, end=start + DAY, **asked), now=NOW)
    return {(s.metric, s.feature): s for s in found}


def of_day(day: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    events, labels = [rows_of(d, rng) for d in range(day + 1)][-1]
    return np.array(labels["kind"].to_pylist()), np.array(events["said"].to_pylist()), np.column_stack([events[f"p_{n}"] for n in NAMES])


def test_each_class_of_the_reference_has_its_recall_and_precision_in_every_window(watched):
    (true, said, _), found = of_day(16), on(watched, 16, metrics={"recall", "precision"})
    assert sorted({feature for _, feature in found}) == ["@class=apple", "@class=pear", "@class=plum"]
    for name in NAMES:
        ours = found["recall", f"@class={name}"]
        assert ours.value == pytest.approx(sk.recall_score(true == name, said == name))
        assert found["precision", f"@class={name}"].value == pytest.approx(sk.precision_score(true == name, said == name))
        assert (ours.state, ours.method, ours.direction, ours.n) == ("mature", "Wilson", "higher_is_better", (true == name).sum())
        assert ours.low < ours.value < ours.high
        assert 0 < ours.reference_value < 1


def test_what_is_not_kept_of_a_class_is_made_on_request(watched):
    true, _, chances = of_day(10)
    ours = on(watched, 10, metrics={"roc_auc", "estimated_recall"}, feature="@class=pear")
    assert ours["roc_auc", "@class=pear"].value == pytest.approx(sk.roc_auc_score(true == "pear", chances[:, 1]), abs=5e-3)
    assert ours["estimated_recall", "@class=pear"].reference_value is not None
    assert on(watched, 10, metrics={"f1"}).keys() == {("f1", f"@class={n}") for n in NAMES}


def test_estimates_and_gaps_stand_beside_the_kpis(watched):
    found, later = on(watched, 16, feature=""), on(watched, 18, feature="")
    estimate = found["estimated_accuracy", ""]
    assert estimate.state == "done"
    assert abs(estimate.value - found["accuracy", ""].value) < 3 * found["accuracy", ""].se
    assert estimate.method.startswith("CBPE")
    assert abs(found["accuracy_gap", ""].value) < 0.12
    assert later["estimated_accuracy", ""].value < found["estimated_accuracy", ""].value, "a decision for a less likely class is seen"
    assert {"estimated_macro_f1", "estimated_macro_recall", "estimated_log_loss", "log_loss_gap"} <= {m for m, _ in found}


def test_few_numbers_are_kept_of_each_class(watched):
    kept = watched.lake.newest(Score, where=pc.starts_with(pc.field("feature"), "@class="))
    assert {s.metric for s in kept} == {"recall", "precision"}
    assert all(not s.segment for s in kept)


def test_parts_of_classes_are_kept_of_the_whole_alone(watched):
    parts = watched.lake.read(Profile.TABLE, where=pc.starts_with(pc.field("feature"), "@class="))
    assert parts.num_rows > 0
    assert set(parts.column("segment").to_pylist()) == {""}


def test_a_promise_about_one_class_is_kept_and_broken_by_that_class(watched):
    told = [s for s in watched.lake.newest(Signal) if s.rule == "target"]
    assert {(s.feature, s.level, s.window_start) for s in told} == {("@class=plum", "page", BEGIN + d * DAY) for d in range(DAYS - 3, DAYS)}
    assert any("recall of class plum" in e.story for e in watched.lake.newest(IncidentEvent))


def test_the_page_shows_the_classes_and_what_is_taken_for_what(watched):
    pages(watched, {"fruit": load_monitor(watched, "fruit")}, now=NOW)
    page = (watched.site_dir / "models" / "fruit.html").read_text()
    true, said = (np.concatenate(side) for side in zip(*((of_day(d)[0], of_day(d)[1]) for d in range(DAYS)), strict=True))
    table = sk.confusion_matrix(true, said, labels=list(NAMES))
    assert "Which class is taken for which" in page
    assert all(f"{int(n):,}" in page for n in table.ravel())
    assert "recall of class plum at least 0.14" in page


def test_the_listing_of_a_class_that_never_was_says_so(watched):
    ours = on(watched, 10, metrics={"recall"}, feature="@class=kiwi")["recall", "@class=kiwi"]
    assert (ours.state, ours.reason) == ("not_evaluated", "no label is of this class")


def test_days_counted_before_classes_were_are_counted_again(make_home):
    """An older lake has other bins by name, and no probabilities by class among its parts."""
    home = make_home(FRUIT)
    write(home)
    watch(home, now=NOW)
    before = {_about(s): s.value for s in home.lake.newest(Score)}
    for table in (Profile.TABLE, Bins.TABLE, Score.TABLE):
        rows = home.lake.read(table)
        rows = rows.set_column(rows.column_names.index("bins"), rows.schema.field("bins"), pa.array(["older"] * rows.num_rows))
        if table == Profile.TABLE:
            rows = rows.filter(pc.invert(pc.match_substring_regex(rows.column("feature"), "^@(class|decided)=|^brier$")))
        write_deltalake(DeltaTable(home.lake.uri(table)), rows, mode="overwrite")
    assert watch(Home(home.root), now=NOW + timedelta(minutes=5)).failures == []
    newest = [s for s in home.lake.newest(Score) if s.bins != "older"]
    assert len(newest) == len(before)
    assert {_about(s): s.value for s in newest} == pytest.approx(before, nan_ok=True)


def _about(score: Score) -> tuple[Any, ...]:
    return score.metric, score.feature, score.segment, score.window_start


def test_labels_and_decisions_outside_the_classes_and_rows_without_probabilities_leave_the_watch_well(make_home):
    def spoiled(day, events, labels):
        if day < 15:
            return events, labels
        kinds, said = labels["kind"].to_pylist(), events["said"].to_pylist()
        labels = labels.set_column(1, "kind", pa.array(["kiwi" if i % 20 == 0 else k for i, k in enumerate(kinds)]))
        events = events.set_column(2, "said", pa.array(["fig" if i % 25 == 0 else s for i, s in enumerate(said)]))
        for n in NAMES if day == 17 else ():
            events = events.set_column(events.column_names.index(f"p_{n}"), f"p_{n}", pa.nulls(ROWS, pa.float64()))
        return events, labels

    home = make_home(FRUIT)
    write(home, change=spoiled)
    assert watch(home, now=NOW).failures == []
    found, without = on(home, 16, feature=""), on(home, 17, feature="")
    assert found["accuracy", ""].n == ROWS
    assert found["log_loss", ""].reason == "without 10 labels of classes that have no probability: kiwi"
    assert found["estimated_accuracy", ""].state == "done"
    assert without["log_loss", ""].reason == "no probabilities were logged"
    assert without["estimated_accuracy", ""].reason == "no probabilities were logged"
    assert without["macro_f1", ""].value is not None
