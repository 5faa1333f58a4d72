"""Days of the demo after which a week is told and its incident opened, through the real flows and through `watch`: row for row the same."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from flights_world import arrive, settled
from prefect_world import Starting
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.demo.flights import read_flights
from watchkeeper.demo.inbox import Parcel, parcels
from watchkeeper.demo.model import score
from watchkeeper.demo.run import MODEL
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.watch import gather, watch
from watchkeeper.records import (
    RECORDS,
    SEVERITIES,
    Baseline,
    Change,
    Digest,
    IncidentEvent,
    LabelDelay,
    Look,
    Quarantined,
    ReferenceScore,
    Silence,
    Watermark,
)
from watchkeeper.samples import GpuProcess, HostSample, MetricSample, Span

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

EVERY = 60
BEFORE = datetime(2013, 4, 27, 17, tzinfo=UTC)
AFTER = BEFORE + timedelta(days=2)
TABLES = [r.TABLE for r in RECORDS if r is not Quarantined] + [f"{kind}/{MODEL}" for kind in ("events", "labels", "quarantine")]


@pytest.fixture(scope="module")
def year() -> list[Parcel]:
    """Every sixtieth flight of 2013, as files."""
    return parcels(score(read_flights().gather_every(EVERY)))


@pytest.fixture(scope="module")
def two(starting: Starting, year: list[Parcel], tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """Two workspaces that are landed and measured alike up to 27 April, files of two days waiting in both, one of them damaged.

    Nothing is judged yet. Their suites come with those days: to check the months before would take longer than the days themselves.
    """
    root = tmp_path_factory.mktemp("week")
    first = settled(root / "by-watch")
    first.suites_dir.rename(root / "suites")
    arrive(first, year, BEFORE - timedelta(days=26), BEFORE)
    assert gather(first, now=BEFORE).failures == []
    (root / "suites").rename(first.suites_dir)
    arrive(first, year, BEFORE, AFTER)
    damaged = first.root / "inbox" / "flights-cut-short.parquet"
    damaged.write_bytes(b"PAR1")
    os.utime(damaged, (AFTER.timestamp(), AFTER.timestamp()))  # a file only just written has a time that intake does not rely on
    shutil.copytree(first.root, root / "by-flows")
    return first, find_home(root / "by-flows")


@pytest.fixture(scope="module")
def watched(two: tuple[Home, Home]) -> Home:
    """The days as `watchkeeper run` does them."""
    assert watch(two[0], now=AFTER).failures == []
    return two[0]


@pytest.fixture(scope="module")
def flown(two: tuple[Home, Home], starting: Starting) -> Home:
    """The days as the schedules do them: each flow once, in its order."""
    from watchkeeper.flows.costs import costs
    from watchkeeper.flows.digest import digest
    from watchkeeper.flows.intake import intake
    from watchkeeper.flows.measure import measure
    from watchkeeper.flows.respond import respond
    from watchkeeper.flows.upkeep import upkeep

    home = two[1]
    with starting.ready(), pytest.MonkeyPatch.context() as environment:
        environment.setenv("WATCHKEEPER_HOME", str(home.root))
        for flow in (intake, measure, costs, respond, digest, upkeep):
            state: Any = flow(as_of=AFTER, return_state=True)
            assert state.is_completed(), (flow.name, state.message)
    return home


def rows(home: Home, table: str) -> list[tuple[str]]:
    """Return a table's rows, each whole, in an order of their own; the place of the workspace is left out."""
    kept = home.lake.read(table)
    if kept is None:
        return []
    return duckdb.execute("SELECT replace(kept::VARCHAR, ?, '') AS row FROM kept ORDER BY row", [str(home.root)]).fetchall()


@pytest.mark.parametrize("table", TABLES)
def test_flows_and_watch_leave_the_same_rows(watched: Home, flown: Home, table: str):
    assert rows(flown, table) == rows(watched, table)


def test_the_days_hold_what_is_compared(watched: Home):
    """Else equal would mean little: each table but those of what the demo has none of holds rows, and in those days incidents and a digest came."""
    empty = {
        Baseline.TABLE,
        Change.TABLE,
        GpuProcess.TABLE,
        HostSample.TABLE,
        LabelDelay.TABLE,
        Look.TABLE,
        MetricSample.TABLE,
        ReferenceScore.TABLE,
        Silence.TABLE,
        Span.TABLE,
        Watermark.TABLE,
    }
    assert {t for t in TABLES if not watched.lake.read(t)} == empty
    assert [e for e in watched.lake.newest(IncidentEvent) if e.event == "opened" and e.at > BEFORE]
    assert [d for d in watched.lake.newest(Digest) if d.computed_at > BEFORE]


def test_the_worst_incident_was_looked_at_and_is_linked_from_its_page(flown: Home):
    incident = max(fold(flown.lake.newest(IncidentEvent)), key=lambda i: SEVERITIES.index(i.severity))
    assert (flown.site_dir / "looks" / f"{incident.id}.html").is_file()
    assert f'href="../looks/{incident.id}.html"' in (flown.site_dir / "incidents" / f"{incident.id}.html").read_text()
