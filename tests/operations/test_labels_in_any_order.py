"""However events and labels take turns to land, the parts come out as if all had been there from the start."""

import shutil
from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.profiles.parts import LOSS, gathered, newest_scans
from watchkeeper.records import Profile, Score
from worlds import parcels_days

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = BEGIN + 30 * DAY
DAYS = 12
SHORT = PARCELS | {"reference": {"from": "2025-01-06", "to": "2025-01-13"}}

ORDERS = {
    "labels a run before their events": [["delivered"], ["parcels"]],
    "labels of some days first, then the rest": [["delivered-2025-01-1"], ["parcels"], ["delivered"]],
    "day by day, labels a day late": [[f"parcels-2025-01-{6 + d:02d}", f"delivered-2025-01-{5 + d:02d}"] for d in range(DAYS + 1)],
    "day by day, labels a day early": [[f"parcels-2025-01-{5 + d:02d}", f"delivered-2025-01-{6 + d:02d}"] for d in range(DAYS + 1)],
    "labels of the first days last": [["parcels"], ["delivered-2025-01-1", "delivered-2025-01-2"], ["delivered-2025-01-0"]],
    "events of the middle last": [["parcels-2025-01-0", "delivered"], ["parcels-2025-01-2"], ["parcels-2025-01-1"]],
}


def brought_up(make_home, tmp_path, order, name="a"):
    """Land the files of each step an hour after those before, and bring the scores up to date each time."""
    home, aside = make_home(SHORT, name=name), tmp_path / f"aside-{name}"
    monitor = load_monitor(home, "parcels")
    parcels_days(home.root, BEGIN.date(), DAYS, rows=40)
    shutil.move(home.root / "inbox", aside)
    (home.root / "inbox").mkdir()
    now = NOW
    for step in order:
        for begins in step:
            for file in sorted(aside.glob(f"{begins}*.parquet")):
                shutil.move(file, home.root / "inbox" / file.name)
        now += HOUR
        ingest(home, monitor, now=now)
        profile(home, monitor, now=now)
        measure(home, monitor, now=now)
    assert not list(aside.iterdir())
    return home


def scores(home):
    """Return all numbers but those of the reference's ranks and shares, which are of bins, and these differ by order."""
    newest = [s for s in home.lake.newest(Score) if s.metric not in ("loc", "spread", "segment_shift", "correlation")]
    return {(s.metric, s.feature, s.segment, s.window_start): (s.state, s.n, s.value and round(s.value, 9)) for s in newest}


def lost(home):
    """Return the rows and the sum of all losses and scores by feature, of each window as its newest scan has it; bins differ by order."""
    parts = newest_scans(home.lake.read(Profile.TABLE, where=pc.field("kind") == LOSS))
    return {k: (c.n, c.valued, c.sums.sum()) for k, c in gathered(parts, ["window_start", "feature"]).items()}


def waiting(home):
    marks = home.lake.read(Profile.TABLE).to_pylist()
    return sum(m["nulls"] for m in marks if m["kind"] == "mark")


LONG = {"day by day, labels a day early"}
"""What waits for the night, beside another walk day by day."""


@pytest.fixture(scope="module")
def at_once():
    """What it comes to when all lands in one run; filled by the first test that asks."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("order", [pytest.param(order, id=name, marks=pytest.mark.nightly if name in LONG else ()) for name, order in ORDERS.items()])
def test_the_scores_are_those_of_all_at_once(make_home, tmp_path, order, at_once):
    home = brought_up(make_home, tmp_path, order)
    if not at_once:
        whole = brought_up(make_home, tmp_path, [["parcels", "delivered"]], "b")
        at_once |= {"scores": scores(whole), "lost": lost(whole)}
    assert scores(home) == at_once["scores"]
    ours, whole = lost(home), at_once["lost"]
    assert ours == {k: (n, valued, pytest.approx(total, rel=1e-3)) for k, (n, valued, total) in whole.items()}
    assert {feature for _, feature in whole} == {"weight_kg", "depot"}
    if order == ORDERS["labels a run before their events"]:
        rows = pq.read_table(next((home.root / "inbox").glob("delivered*.parquet"))).num_rows
        assert waiting(home) >= rows, "labels that landed first are marked as waiting"
    if order == ORDERS["day by day, labels a day late"]:
        assert waiting(home) == 0, "and others are not"
