"""The rows of an incident's windows are read within what memory has room for, and a part of them is said to be one."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS
from evidence_world import signal
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.judgement.episodes import Episode
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile
from watchkeeper.operations.traces import traces
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + 28 * DAY
BAD = 24


def landed(make_home, rows, change=None, **workspace):
    """Return a workspace with 26 days of parcels, of which one is bad."""
    home = make_home(PARCELS, name="looked_at", **workspace)
    parcels_days(home.root, date(2025, 1, 1), 26, rows=rows, late={BAD: 0.6}, change=change)
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    return home, monitor


def bad(segment="", family="kpi"):
    """Return the bad day as an episode, which alarmed by itself."""
    start = BEGIN + BAD * DAY
    about = {"segment": segment, "family": family}
    alarm = replace(signal("calibration_gap", 0.4, **about), window_start=start, window_end=start + DAY)
    return Episode(segment or family, family, [alarm], is_over=True)


def test_all_rows_are_looked_at_where_memory_has_room(make_home):
    home, monitor = landed(make_home, 200)
    found = traces(home, monitor, bad(), "calibration_gap", now=NOW)
    assert found.read is None
    events, labels = home.lake.read("events/parcels"), home.lake.read("labels/parcels")
    came = dict(zip(labels["id"].to_pylist(), labels["label"].to_pylist(), strict=True))
    known = [((at - BEGIN).days, bool(came[name])) for at, name in zip(events["sent_at"].to_pylist(), events["parcel"].to_pylist(), strict=True)]
    rates = [[late for day, late in known if day == BAD], [late for day, late in known if day < BAD]]
    assert found.labels == (pytest.approx(np.mean(rates[0])), pytest.approx(np.mean(rates[1])), 200)
    assert found.labels[0] > 2 * found.labels[1]


def test_of_more_rows_than_memory_has_room_for_a_part_is_looked_at_and_said(make_home):
    home, monitor = landed(make_home, 5_000, memory_limit="256MB")
    found = traces(home, monitor, bad(), "calibration_gap", now=NOW)
    some, every = found.read
    most = 256_000_000 // 8 // 300
    assert every == 125_000
    assert 0.8 * most < some - 5_000 <= 1.1 * most
    assert found.labels[2] == 5_000, "of the bad day all were read"


def test_of_a_segment_only_its_rows_are_looked_at_also_where_it_is_that_of_no_value(make_home):
    def without_depot(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        depots = [None if d == "east" else d for d in events["depot"].to_pylist()]
        return events.set_column(events.column_names.index("depot"), "depot", pa.array(depots, pa.string())), labels

    home, monitor = landed(make_home, 600, change=dict.fromkeys(range(26), without_depot))
    events = home.lake.read("events/parcels", columns=["depot", "sent_at"]).to_pylist()
    there = {name: sum(r["depot"] == name and (r["sent_at"] - BEGIN).days == BAD for r in events) for name in ("north", None)}
    for name, rows in there.items():
        segment = f"depot={name or '(null)'}"
        assert traces(home, monitor, bad(segment, "segment"), "calibration_gap", now=NOW).labels[2] == rows
    assert traces(home, monitor, bad("depot=mars", "segment"), "calibration_gap", now=NOW) is None
