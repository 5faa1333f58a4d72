"""How long labels take: learned from the reference once, kept, and the same for everybody; stated where a monitor states it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.operations.check import check
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.status import status
from watchkeeper.operations.watch import gather
from watchkeeper.records import LabelDelay, Score

DAY = timedelta(days=1)
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
LEARNING = PARCELS | {"labels": {k: v for k, v in PARCELS["labels"].items() if k != "mature_after"}}
WITHOUT_TIMES = LEARNING | {"labels": {k: v for k, v in LEARNING["labels"].items() if k != "time"}}


def delivered(root: Path, days: int, hours: Callable[[np.random.Generator, int], Any], *, rows: int = 60, until: datetime | None = None) -> None:
    """Write days of parcels whose labels take so many hours; those known after `until` are not there yet."""
    for d in range(days):
        day = FIRST + d * DAY
        events, labels = parcels_world(day, rows=rows)
        delays = np.broadcast_to(hours(np.random.default_rng(d), rows), rows)
        known = pa.array(
            [s + timedelta(hours=float(h)) for s, h in zip(events["sent_at"].to_pylist(), delays, strict=True)], pa.timestamp("us", "UTC")
        )
        labels = labels.set_column(2, "delivered_at", known)
        if until is not None:
            labels = labels.filter(pa.array([at <= until for at in known.to_pylist()]))
        pq.write_table(events, root / "inbox" / f"parcels-{day.date()}.parquet")
        pq.write_table(labels, root / "inbox" / f"delivered-{day.date()}.parquet")


def due(home: Home, now: datetime) -> Maturity:
    return maturity_of(home, load_monitor(home, "parcels"), now=now)


def records(home: Home) -> list[dict[str, Any]]:
    found = home.lake.read(LabelDelay.TABLE)
    return [] if found is None else found.sort_by("computed_at").to_pylist()


def states(home: Home, now: datetime, metric: str = "accuracy") -> dict[date, str]:
    newest = [s for s in home.lake.newest(Score, as_of=now) if s.metric == metric and not s.segment and s.grain == "day" and s.value is not None]
    return {s.window_start.date(): s.state for s in newest}


def test_a_stated_delay_is_taken_as_it_is_and_nothing_is_learned(make_home: Callable[..., Home]) -> None:
    home, now = make_home(PARCELS), FIRST + 20 * DAY
    delivered(home.root, 20, lambda _rng, _n: 2.0)
    gather(home, now=now)
    assert due(home, now) == Maturity("stated", timedelta(hours=36))
    assert records(home) == []


def test_the_delay_is_learned_from_the_times_of_the_reference_s_labels(make_home: Callable[..., Home]) -> None:
    home, now = make_home(LEARNING), FIRST + 20 * DAY
    delivered(home.root, 20, lambda rng, n: rng.uniform(2.0, 29.4, n))
    gather(home, now=now)
    found = due(home, now)
    (row,) = records(home)
    delays = np.concatenate([np.random.default_rng(d).uniform(2.0, 29.4, 60) for d in range(14)])
    assert row["delay_hours"] == pytest.approx(np.quantile(delays, 0.99), abs=1e-6)
    assert (found.source, found.after, row["labels"], row["predictions"]) == ("learned", timedelta(hours=30), 14 * 60, 14 * 60)
    (stands,) = status(home, {"parcels": load_monitor(home, "parcels")}, now=now)
    assert stands.overview.maturity == "mature after 30 h (learned: 99 % of the reference's labels came within 29.1 h)"
    assert [str(f) for f in check(home, now=now).findings if "labels" in f.what] == []
    assert states(home, now)[date(2025, 1, 18)] == "mature"
    assert states(home, now)[date(2025, 1, 19)] == "provisional"


def test_a_label_that_is_corrected_later_comes_when_it_is_right(make_home: Callable[..., Home]) -> None:
    """A tenth is wrong for four days: what is known after two hours is not what counts. Labels said again take no longer for that."""
    home, now = make_home(LEARNING), FIRST + 20 * DAY
    delivered(home.root, 20, lambda _rng, _n: 2.0)
    for path in sorted((home.root / "inbox").glob("delivered-*")):
        labels = pq.read_table(path).to_pylist()
        wrong = [row | {"was_late": not row["was_late"]} if i % 10 == 0 else row for i, row in enumerate(labels)]
        right = [row | {"delivered_at": row["delivered_at"] + timedelta(hours=94)} for row in labels[::10]]
        again = [row | {"delivered_at": row["delivered_at"] + timedelta(hours=200)} for row in labels[1::10]]
        pq.write_table(pa.Table.from_pylist([*wrong, *right, *again], schema=pq.read_schema(path)), path)
    gather(home, now=now)
    (row,) = records(home)
    assert row["delay_hours"] == pytest.approx(96, abs=1e-6)
    assert due(home, now).after == timedelta(days=4)


def test_what_was_learned_stays_and_a_run_of_then_gives_what_it_gave_then(make_home: Callable[..., Home]) -> None:
    home, then = make_home(LEARNING), FIRST + 15 * DAY
    delivered(home.root, 14, lambda _rng, _n: 5.0)
    gather(home, now=then)
    delivered(home.root, 30, lambda _rng, _n: 90.0)
    for path in sorted((home.root / "inbox").glob("*-2025-01-0*")):
        path.unlink()
    later = FIRST + 40 * DAY
    gather(home, now=later)
    assert len(records(home)) == 1
    assert due(home, then) == due(home, later)
    assert due(home, later).after == timedelta(hours=5)
    assert due(home, then - 2 * DAY).source == "unknown"


def test_labels_loaded_at_once_without_times_say_nothing_and_a_day_is_assumed(make_home: Callable[..., Home]) -> None:
    home, now = make_home(WITHOUT_TIMES), FIRST + 20 * DAY
    delivered(home.root, 20, lambda _rng, _n: 5.0)
    gather(home, now=now)
    found = due(home, now)
    assert (found.source, found.after) == ("assumed", DAY)
    said = "mature after 24 h (assumed: the reference's labels were loaded at once, which says nothing of how long they take; state `labels.mature_after`"
    (stands,) = status(home, {"parcels": load_monitor(home, "parcels")}, now=now)
    assert stands.overview.maturity.startswith(said)
    (warning,) = [f for f in check(home, now=now).findings if "assumed" in f.what]
    assert warning.level == "warning"
    assert warning.line is not None


def daily(home: Home, days: int, wait: int, first: int = 0) -> datetime:
    """Land each day's predictions the morning after, and its labels `wait` mornings later; what is landed is counted on the last of them."""
    inbox, aside = home.root / "inbox", home.root / "aside"
    aside.mkdir(exist_ok=True)
    for path in inbox.iterdir():
        path.rename(aside / path.name)
    for d in range(first, days):
        now = FIRST + (d + 1) * DAY + timedelta(hours=6)
        for name in (f"parcels-{(FIRST + d * DAY).date()}.parquet", f"delivered-{(FIRST + (d - wait) * DAY).date()}.parquet"):
            if (aside / name).exists():
                (aside / name).rename(inbox / name)
        ingest(home, load_monitor(home, "parcels"), now=now)
    gather(home, now=now)
    return now


def test_without_times_the_landings_of_fresh_predictions_labels_tell(make_home: Callable[..., Home]) -> None:
    home = make_home(WITHOUT_TIMES)
    delivered(home.root, 16, lambda _rng, _n: 5.0, rows=40)
    now = daily(home, 16, wait=1)
    found = due(home, now)
    assert found.source == "learned"
    assert found.after == timedelta(days=3)  # midnight to the morning after the next: 54 hours


@pytest.mark.nightly
def test_a_time_that_is_told_does_not_hide_that_the_files_come_later(make_home: Callable[..., Home]) -> None:
    home = make_home(LEARNING)
    delivered(home.root, 16, lambda _rng, _n: 5.0, rows=40)
    assert due(home, daily(home, 16, wait=1)).after == timedelta(days=3)


def test_labels_that_take_longer_than_the_data_are_not_called_due_until_they_are(make_home: Callable[..., Home]) -> None:
    """Two weeks of reference, labels after three: at first there are none, then the first ones, and only later all."""
    home = make_home(LEARNING)
    slow = 21 * 24.0

    def come(until: datetime) -> Maturity:
        delivered(home.root, (until - FIRST) // DAY, lambda rng, n: rng.uniform(24.0, slow, n), rows=30, until=until)
        for path in (home.root / "inbox").glob("delivered-*"):
            path.rename(path.with_name(f"delivered-{until.date()}-{path.name[10:]}"))
        gather(home, now=until)
        return due(home, until)

    early = come(FIRST + 14 * DAY)
    assert early.source == "unknown"
    assert early.text.startswith("not mature yet (provisional: labels of the reference still come, and take ")
    assert set(states(home, FIRST + 14 * DAY).values()) == {"provisional"}
    assert "labels of the reference still come" in "".join(f.what for f in check(home, now=FIRST + 14 * DAY).findings)
    assert come(FIRST + 24 * DAY).source == "unknown"
    late = come(FIRST + 70 * DAY)
    assert late.source == "learned"
    assert timedelta(days=20) <= late.after <= timedelta(days=21)
    by_day = states(home, FIRST + 70 * DAY)
    assert {state for day, state in by_day.items() if day < date(2025, 2, 19)} == {"mature"}
    assert {state for day, state in by_day.items() if day > date(2025, 2, 19)} == {"provisional"}
    assert due(home, FIRST + 14 * DAY) == early


def test_without_any_label_nothing_is_mature(make_home: Callable[..., Home]) -> None:
    home, now = make_home(LEARNING), FIRST + 30 * DAY
    delivered(home.root, 20, lambda _rng, _n: 5.0, until=FIRST)
    for path in (home.root / "inbox").glob("delivered-*"):
        path.unlink()
    gather(home, now=now)
    assert due(home, now).text.startswith("not mature yet (no label of the reference has come; until it is known every number is provisional")


def test_a_reference_without_labels_learns_from_the_predictions_after_it(make_home: Callable[..., Home]) -> None:
    home, now = make_home(LEARNING), FIRST + 40 * DAY
    delivered(home.root, 40, lambda _rng, _n: 5.0)
    for d in range(14):
        (home.root / "inbox" / f"delivered-{(FIRST + d * DAY).date()}.parquet").unlink()
    gather(home, now=now)
    assert due(home, now).after == timedelta(hours=5)


def test_a_monitor_that_no_longer_states_it_learns_it_at_the_next_run(make_home: Callable[..., Home]) -> None:
    home, now = make_home(PARCELS), FIRST + 20 * DAY
    delivered(home.root, 20, lambda _rng, _n: 3.5)
    gather(home, now=now)
    (home.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(LEARNING))
    again = find_home(home.root)
    gather(again, now=now + timedelta(hours=1))
    assert due(again, now + timedelta(hours=1)).after == timedelta(hours=4)
    assert states(again, now + timedelta(hours=1))[date(2025, 1, 19)] == "mature"
