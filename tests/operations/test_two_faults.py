"""Two faults of data that overlap in time, day by day: both are named with their own onset, in one incident."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, IncidentEvent
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
EARLY, LATE = range(21, 31), range(26, 35)
RUNS = (21, 23, 25, 26, 27, 28, 29, 32, 35, 38)
"""Each day around the second fault, on which it may be told a day too early or too late."""


def column(events: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return events.set_column(events.column_names.index(name), name, values) if name in events.column_names else events.append_column(name, values)


def day_of(*, is_missing: bool, is_in_millimetres: bool) -> Change:
    """What becomes of a day: parcels have a size as well; weights that are missing and sizes in another unit both make the model expect more late parcels."""

    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng(events["sent_at"][0].as_py().toordinal())
        score, weight = (events[name].to_numpy().copy() for name in ("p_late", "weight_kg"))
        logit, size = np.log(score / (1 - score)), rng.lognormal(3.0, 0.4, events.num_rows)
        if is_missing:
            gone = rng.uniform(size=events.num_rows) < 0.6
            weight[gone], logit[gone] = np.nan, 0.7
        if is_in_millimetres:
            size, logit = size * 10, logit + 1.5
        score = 1 / (1 + np.exp(-logit))
        told = {"p_late": score, "is_late": score >= 0.5, "size_cm": size, "weight_kg": weight}
        for name, values in told.items():
            events = column(events, name, pa.array(values, from_pandas=True))
        return events, labels

    return changed


def world(root: Path, missing: range, in_millimetres: range) -> None:
    days = {d: day_of(is_missing=d in missing, is_in_millimetres=d in in_millimetres) for d in range(40)}
    parcels_days(root, FIRST, 40, rows=300, change=days)


def day_by_day(home: Home, store: Path) -> dict[int, list[IncidentEvent]]:
    """Hand over each day's events and the labels of the day before, and watch on some; return what was told."""
    told = {}
    for day in range(RUNS[-1] + 1):
        for name in (f"parcels-{(BEGIN + day * DAY).date()}.parquet", f"delivered-{(BEGIN + (day - 1) * DAY).date()}.parquet"):
            if (store / "inbox" / name).exists():
                (store / "inbox" / name).rename(home.root / "inbox" / name)
        if day in RUNS:
            told[day] = [e for e in watch(home, now=BEGIN + (day + 1) * DAY + timedelta(hours=13)).events if e.family == "kpi"]
    return told


def sent(home: Home, incident: Incident) -> list[tuple[str, str]]:
    """Return (kind, text) of what people were told of an incident, in order; of one that is told with its fault of data all of that."""
    rows = sorted((a for a in home.lake.newest(Action) if a.incident_id == incident.leader and a.state == "sent"), key=lambda a: a.at)
    return [(a.kind, str(json.loads(a.payload)["text"])) for a in rows]


def onsets(incident: Incident) -> list[tuple[str, int, bool]]:
    """Which feature each cause is about, since which day, and whether it came later."""
    causes = incident.story.causes if incident.story is not None else []
    features = [next(f for f in ("weight_kg", "size_cm") if f in c.subject) for c in causes]
    return [(feature, (c.onset - BEGIN).days, c.is_later) for feature, c in zip(features, causes, strict=True) if c.onset is not None]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "is_unit_first", [pytest.param(False, id="missing values, then another unit"), pytest.param(True, id="another unit, then missing values")]
)
def test_a_second_fault_is_named_with_its_own_onset_and_share(home, tmp_path, is_unit_first):
    store = tmp_path / "store"
    (store / "inbox").mkdir(parents=True)
    world(store, *((LATE, EARLY) if is_unit_first else (EARLY, LATE)))
    told = day_by_day(home, store)
    [one] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.family == "kpi"]
    first, second = ("size_cm", "weight_kg") if is_unit_first else ("weight_kg", "size_cm")
    assert onsets(one) == [(first, EARLY.start, False), (second, LATE.start, True)]
    shares = [c.share for c in one.story.causes]
    assert sum(shares) == pytest.approx(1.0)
    assert all(0.25 < share < 0.75 for share in shares)
    news = [(day, e.why) for day, events in told.items() for e in events if e.why.startswith("got worse")]
    assert [day for day, _ in news] == [27 if is_unit_first else 28]
    assert news[0][1].startswith(
        f"got worse: since Mon 27 Jan 2025 also {'faulty data: weight_kg' if is_unit_first else 'size_cm comes in another unit'}"
    )
    assert_thread_is_news(sent(home, one), f": {news[0][1]}")
    ends = [text for kind, text in sent(home, one) if kind == "resolve"]
    assert is_unit_first or len(ends) == 1  # there the last of the clear windows is not final yet
    for end in ends:
        assert "*Lasted:* 14 days, 22 Jan to 4 Feb 2025.\n*At worst:* calibration gap -" in end
        assert end.startswith("✅ **parcels: resolved: calibration gap back to")
        assert "; later also size_cm comes in another unit" in end


def assert_thread_is_news(thread: list[tuple[str, str]], news: str) -> None:
    """The whole story is told once; what follows are lines, fewer than days, and the second fault is one of them."""
    (kind, opening), *_ = thread
    updates = [text for kind, text in thread if kind == "update"]
    assert kind == "open"
    assert "*Likely cause:*" in opening
    assert all(len(text.splitlines()) <= 4 and "*Likely cause:*" not in text for text in updates)
    assert sum(news in text.splitlines()[0] for text in updates) == 1
    assert 3 < len(updates) < len(EARLY)


@pytest.mark.nightly
def test_one_fault_stays_one_cause(home, tmp_path):
    store = tmp_path / "store"
    (store / "inbox").mkdir(parents=True)
    world(store, EARLY, range(0))
    told = day_by_day(home, store)
    [one] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.family == "kpi"]
    assert onsets(one) == [("weight_kg", EARLY.start, False)]
    assert not any(e.why.startswith("got worse") for events in told.values() for e in events)
