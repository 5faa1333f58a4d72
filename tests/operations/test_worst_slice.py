"""Where a model fails most: a bad slice of landed rows is named, clean rows name none, private columns never are."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli import app
from watchkeeper.errors import UsageError
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile
from watchkeeper.operations.worst_slice import LEAST_LABELLED, worst_slice
from watchkeeper.site.slices import slice_lines
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS, ROWS = 21, 500
NOW = BEGIN + 23 * DAY
LAST_WEEK = Window(BEGIN + 14 * DAY, BEGIN + 21 * DAY)
CLASSES = np.array(["early", "late", "lost"])
TASKS: dict[str, dict[str, Any]] = {
    "binary": {"columns": PARCELS["columns"] | {"environment": "site"}, "private": ["customer"], "sensitive": ["van"]},
    "regression": {"columns": {"id": "parcel", "time": "sent_at", "score": "hours"}, "labels": PARCELS["labels"] | {"column": "took"}},
    "multiclass": {
        "columns": {"id": "parcel", "time": "sent_at", "prediction": "says", "probabilities": {c: f"p_{c}" for c in CLASSES.tolist()}},
        "labels": PARCELS["labels"] | {"column": "became"},
    },
}
for _task, _changes in TASKS.items():
    _changes |= {"task": _task, "segments": []}


def day_of(task: str, d: int) -> tuple[pa.Table, pa.Table]:
    """Return a day of parcels: in the last week those of the east by van d fail more often, and are Ann's, whose no others are then."""
    rng = np.random.default_rng([d, 9])
    start = BEGIN + d * DAY
    sent = [start + DAY * share for share in np.sort(rng.random(ROWS)).tolist()]
    depot, van = rng.choice(["north", "south", "east"], ROWS, p=[0.4, 0.35, 0.25]), rng.choice(list("abcd"), ROWS)
    fails = (depot == "east") & (van == "d") & (d >= 14)
    wrong = rng.random(ROWS) < np.where(fails, 0.55, 0.15)
    ids = [f"{d:02d}-{i:04d}" for i in range(ROWS)]
    score = np.where(rng.random(ROWS) < 0.3, 0.8, 0.2)
    said, hours = (score > 0.5), rng.normal(30, 5, ROWS)
    place = rng.integers(0, 3, ROWS)
    told: dict[str, dict[str, Any]] = {
        "binary": {"p_late": score, "is_late": said, "version": ["1"] * ROWS, "site": rng.choice(["production", "test"], ROWS, p=[0.9, 0.1])},
        "regression": {"hours": hours},
        "multiclass": {"says": CLASSES[place]} | {f"p_{c}": np.where(place == i, 0.8, 0.1) for i, c in enumerate(CLASSES.tolist())},
    }
    true: dict[str, dict[str, Any]] = {
        "binary": {"was_late": said ^ wrong},
        "regression": {"took": hours + rng.normal(0, np.where(fails, 6.0, 2.0))},
        "multiclass": {"became": CLASSES[(place + wrong) % 3]},
    }
    features = {
        "weight_kg": rng.lognormal(0.0, 0.5, ROWS),
        "depot": depot,
        "van": van,
        "customer": np.where(fails, "ann", "bob" if d >= 14 else rng.choice(["ann", "bob"], ROWS)),
    }
    events = pa.table({"parcel": ids, "sent_at": pa.array(sent, pa.timestamp("us", "UTC"))} | told[task] | features)
    known = pa.array([t + DAY / 2 for t in sent], pa.timestamp("us", "UTC"))
    return events, pa.table({"parcel": ids, "delivered_at": known} | true[task])


def brought_up(root: Path, task: str, *, is_last_first: bool = False, **changes: Any) -> Home:
    home = new_home(root, PARCELS | TASKS[task] | changes)
    for d in range(DAYS):
        events, labels = day_of(task, d)
        name = DAYS - d if is_last_first else d
        pq.write_table(events, home.root / "inbox" / f"parcels-{name:02d}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{name:02d}.parquet")
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    return home


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return brought_up(tmp_path_factory.mktemp("slices") / "home", "binary")


def raw(task: str, days: range) -> tuple[pa.Table, pa.Table]:
    pairs = [day_of(task, d) for d in days]
    events, labels = (pa.concat_tables(side) for side in zip(*pairs, strict=True))
    return events, labels


def test_the_bad_slice_of_the_latest_week_is_named_with_its_size_and_effect(binary: Home) -> None:
    monitor = load_monitor(binary, "parcels")
    found = worst_slice(binary, monitor, now=NOW)
    events, labels = raw("binary", range(14, 21))
    is_mine = np.asarray(events["site"]) == "production"
    bad = is_mine & (np.asarray(events["depot"]) == "east") & (np.asarray(events["van"]) == "d")
    wrong = np.asarray(events["is_late"]) != np.asarray(labels["was_late"])
    worst = found.slices[0]
    assert found.window == LAST_WEEK
    assert worst.where == "depot = east and van = d"
    assert (found.predictions, found.labelled, worst.rows) == (is_mine.sum(), is_mine.sum(), bad.sum())
    assert found.mean == pytest.approx(wrong[is_mine].mean())
    assert worst.share == pytest.approx(bad.sum() / is_mine.sum())
    assert worst.effect == pytest.approx(wrong[bad].mean() - wrong[is_mine & ~bad].mean(), abs=0.1)
    assert worst.low < 0.4 < worst.high
    assert worst.p_adjusted < 0.001
    assert 0.4 * worst.rows < worst.held < 0.6 * worst.rows


def test_the_order_in_which_rows_landed_changes_nothing(binary: Home, tmp_path: Path) -> None:
    other = brought_up(tmp_path / "home", "binary", is_last_first=True)
    first, second = (worst_slice(home, load_monitor(home, "parcels"), now=NOW, limit=20) for home in (binary, other))
    assert first == second
    assert first.slices


def test_a_private_column_is_never_named_though_it_would_be_the_worst(binary: Home, tmp_path: Path) -> None:
    monitor = load_monitor(binary, "parcels")
    assert monitor.private == ["customer"]
    assert "customer" not in repr(worst_slice(binary, monitor, now=NOW, limit=20))
    public = brought_up(tmp_path / "home", "binary", private=[])
    assert "customer = ann" in repr(worst_slice(public, load_monitor(public, "parcels"), now=NOW, limit=20))


def test_a_clean_week_names_no_slice_and_says_how_many_were_looked_at(binary: Home) -> None:
    monitor = load_monitor(binary, "parcels")
    found = worst_slice(binary, monitor, now=NOW, window=Window(BEGIN, BEGIN + 7 * DAY))
    assert (found.slices, found.features) == ((), 3)
    assert found.reason == f"no slice stands out beyond chance ({found.candidates:,} candidates)"
    assert found.candidates > 40
    assert slice_lines(monitor, found)[-1] == f"No slice stands out beyond chance ({found.candidates:,} candidates)."


def test_the_log_loss_of_scores_finds_it_too(binary: Home) -> None:
    found = worst_slice(binary, load_monitor(binary, "parcels"), now=NOW, kind="log_loss")
    assert (found.loss, found.slices[0].where) == ("log loss", "depot = east and van = d")
    assert found.slices[0].effect == pytest.approx(0.4 * np.log(4), abs=0.15)


@pytest.mark.parametrize(("task", "loss"), [("regression", "absolute error"), ("multiclass", "wrong")])
def test_models_of_other_tasks_have_their_own_loss(tmp_path: Path, task: str, loss: str) -> None:
    home = brought_up(tmp_path / "home", task, wording={"unit": "hours"})
    monitor = load_monitor(home, "parcels")
    found = worst_slice(home, monitor, now=NOW)
    (worst,) = found.slices
    assert found.loss == loss
    assert worst.where == "customer = ann"
    assert worst.effect == pytest.approx(4 * np.sqrt(2 / np.pi) if task == "regression" else 0.4, rel=0.3)
    assert ("hours" in slice_lines(monitor, found)[1]) == (task == "regression")
    if task == "regression":
        with pytest.raises(UsageError, match="no probabilities to take a log loss of"):
            worst_slice(home, monitor, now=NOW, kind="log_loss")
    else:
        assert worst_slice(home, monitor, now=NOW, kind="log_loss").loss == "log loss"


def test_too_few_labelled_rows_are_said_with_the_least(binary: Home) -> None:
    monitor = load_monitor(binary, "parcels")
    found = worst_slice(binary, monitor, now=NOW, window=Window(BEGIN, BEGIN + DAY))
    assert found.slices == ()
    assert found.reason == f"too few labelled rows to search: {found.labelled}, and it takes {LEAST_LABELLED}"
    assert 400 < found.labelled < LEAST_LABELLED


def test_days_without_predictions_and_a_model_before_its_reference_say_so(binary: Home, tmp_path: Path) -> None:
    monitor = load_monitor(binary, "parcels")
    later = Window(BEGIN + 30 * DAY, BEGIN + 31 * DAY)
    assert worst_slice(binary, monitor, now=NOW, window=later).reason == "no predictions of these days have landed"
    empty = new_home(tmp_path / "empty", PARCELS)
    assert "the reference" in worst_slice(empty, load_monitor(empty, "parcels"), now=NOW).reason


def test_without_a_window_it_waits_until_it_is_known_when_labels_are_due(tmp_path: Path) -> None:
    labels = {k: v for k, v in PARCELS["labels"].items() if k not in ("mature_after", "time")}
    place = new_home(tmp_path / "waiting", PARCELS | {"labels": labels})
    for d in range(15):
        events, _ = day_of("binary", d)
        pq.write_table(events, place.root / "inbox" / f"parcels-{d:02d}.parquet")
    monitor = load_monitor(place, "parcels")
    ingest(place, monitor, now=NOW)
    profile(place, monitor, now=NOW)
    found = worst_slice(place, monitor, now=NOW)
    assert found.window is None
    assert found.reason.startswith("how long labels take is learned when the reference is whole and measured")


def test_the_default_window_ends_where_labels_are_due(binary: Home) -> None:
    monitor = load_monitor(binary, "parcels")
    found = worst_slice(binary, monitor, now=BEGIN + 20 * DAY)
    assert found.window == Window(BEGIN + 11 * DAY, BEGIN + 18 * DAY)
    early = worst_slice(binary, monitor, now=NOW, window=Window(LAST_WEEK.start, LAST_WEEK.end + DAY))
    assert early.is_provisional
    assert any("still due" in line for line in slice_lines(monitor, early))


def test_a_model_without_labels_is_refused(binary: Home) -> None:
    monitor = load_monitor(binary, "parcels").model_copy(update={"labels": None})
    with pytest.raises(UsageError, match="has no labels"):
        worst_slice(binary, monitor, now=NOW)


def test_a_window_beyond_memory_is_refused_before_it_is_read(binary: Home) -> None:
    small = Home(binary.root, binary.workspace.model_copy(update={"memory_limit": 1_000_000}))
    with pytest.raises(UsageError, match=r"holds 3,500 predictions, and memory_limit lets [\d,]+ be looked at.*Name fewer days"):
        worst_slice(small, load_monitor(small, "parcels"), now=NOW)


def test_the_command_says_where_how_much_and_on_which_half(binary: Home) -> None:
    def call(*words: str) -> str:
        done = CliRunner().invoke(app, ["--home", str(binary.root), "slices", "parcels", "--now", NOW.isoformat(), *words], env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.stdout

    said = call()
    assert "parcels, 15 to 21 Jan 2025: " in said
    assert "Worst where depot = east and van = d: " in said
    assert "means and effects are those of the other half, which the choice did not see." in said
    assert "This says where it fails, and not why." in said
    found = json.loads(call("--json", "--window", "2025-01-15..2025-01-21", "--limit", "1"))
    assert [s["where"] for s in found["slices"]] == ["depot = east and van = d"]
    assert set(found["slices"][0]) == {"where", "rows", "share", "held", "inside", "outside", "effect", "low", "high", "p_adjusted"}
    assert json.loads(call("--json", "--loss", "log_loss"))["loss"] == "log loss"
    bad = CliRunner().invoke(app, ["--home", str(binary.root), "slices", "parcels", "--window", "yesterday"])
    assert bad.exit_code == 2
