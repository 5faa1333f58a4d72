"""Two faults of other kinds that overlap: the outcome of one depot, then an input of one client. Each is told with its own days, be the past judged at once or day by day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.operations.listing import incident_listing
from watchkeeper.operations.watch import present, watch
from watchkeeper.records import IncidentEvent
from watchkeeper.windows import Window
from watchkeeper.words import points
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
EARLY, LATE = range(24, 31), range(28, 36)
DAYS, ROWS = 41, 900
MONITOR = {**PARCELS, "reference": {"from": "2025-01-01", "to": "2025-01-22"}, "segments": ["depot", "client"]}


def day_of(*, is_late_in_south: bool, is_tenfold_on_web: bool) -> Change:
    """What becomes of a day: parcels have a client and a temperature, which the model goes by."""

    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng([7, events["sent_at"][0].as_py().toordinal()])
        warmth, chance = rng.normal(0, 1, events.num_rows), rng.uniform(size=events.num_rows)
        client = rng.choice(["web", "app"], events.num_rows, p=[0.4, 0.6])
        depot = np.array(events["depot"].to_pylist())
        truth = chance < 1 / (1 + np.exp(1.4 - 1.1 * warmth))
        if is_late_in_south:
            truth |= (depot == "south") & (rng.uniform(size=events.num_rows) < 0.45)
        if is_tenfold_on_web:
            warmth[client == "web"] *= 10
        score = 1 / (1 + np.exp(1.4 - 1.1 * warmth))
        events = events.drop_columns(["weight_kg", "version"])
        for name, values in {"p_late": score, "is_late": score >= 0.5}.items():
            events = events.set_column(events.column_names.index(name), name, pa.array(values))
        events = events.append_column("warmth", pa.array(warmth)).append_column("client", pa.array(client))
        return events, labels.set_column(1, "was_late", pa.array(truth))

    return changed


def told(root: Path, early: range, late: range, *, by_day: bool) -> tuple[Home, list[Incident]]:
    """Return the workspace and its incidents after all days; the past is judged at once, or from the first bad day on each day with what has come by then."""
    days = {d: day_of(is_late_in_south=d in early, is_tenfold_on_web=d in late) for d in range(DAYS)}
    monitor = {**MONITOR, "columns": {k: v for k, v in PARCELS["columns"].items() if k != "version"}}
    home, store = new_home(root / "home", monitor), root / "store"
    (store / "inbox").mkdir(parents=True)
    parcels_days(store, FIRST, DAYS, rows=ROWS, change=days)
    for day in range(EARLY.start if by_day else DAYS + 1, DAYS + 2):
        for file in sorted((store / "inbox").iterdir()):
            of = datetime.fromisoformat(file.stem.split("-", 1)[1]).replace(tzinfo=UTC)
            if of + (2 if file.name.startswith("delivered") else 1) * DAY <= BEGIN + day * DAY:
                file.rename(home.root / "inbox" / file.name)
        watch(home, now=BEGIN + day * DAY + timedelta(hours=14))
    return home, fold(home.lake.newest(IncidentEvent))


OUTCOME, INPUT = "the outcome changed, not the inputs", "the model's scores moved, not the outcome; so did warmth"


def causes_of(incidents: list[Incident]) -> dict[tuple[str, int, int], str]:
    """Return of each, by what it is about, its first day and the one after its last, the cause that is told first."""
    return {(i.subject, (i.window_start - BEGIN).days, (i.window_end - BEGIN).days): i.story.causes[0].subject for i in incidents if i.story}


def gaps_of(home: Home, segment: str, span: Window) -> tuple[float, float]:
    """Return by how much more were late than expected among the rows of a segment and among all others, from the rows themselves."""
    name, value = segment.split("=")
    inside = (pc.field("wk_time") >= span.start) & (pc.field("wk_time") < span.end)
    events = home.lake.dataset("events/parcels").to_table(columns=["parcel", name, "p_late"], filter=inside)
    labels = home.lake.dataset("labels/parcels").to_table(columns=["id", "label"])
    truth = dict(zip(labels["id"].to_pylist(), labels["label"].to_pylist(), strict=True))
    gap = np.array([float(truth[p]) for p in events["parcel"].to_pylist()]) - events["p_late"].to_numpy()
    is_own = np.array(events[name].to_pylist()) == value
    return float(gap[is_own].mean()), float(gap[~is_own].mean())


def test_a_past_judged_at_once_tells_two_overlapping_faults_apart_each_with_its_own_days_and_nothing_twice(tmp_path):
    home, incidents = told(tmp_path, EARLY, LATE, by_day=False)
    assert causes_of(incidents) == {
        ("kpi", 24, 28): f"{OUTCOME}, where depot = south",
        ("kpi", 28, 36): INPUT,
        ("depot=south", 24, 31): OUTCOME,
    }, "the depot's fault goes on after the other began; no client and no other depot is told of"
    first, second = sorted((i for i in incidents if i.family == "kpi"), key=lambda i: i.window_start)
    assert (second.split_from, first.why) == (first.id, f"the cause changed on Wed 29 Jan 2025: {second.id} goes on")
    south = next(i.story for i in incidents if i.subject == "depot=south" and i.story)
    since = "warmth moved, since Wed 29 Jan 2025: two things may be at work from there on, and causes are looked for before it."
    assert dict(south.facts)["Since then"] == since
    assert {i.subject: i.part_of for i in incidents} == {"kpi": "", "depot=south": first.id}, "the first names the depot, and leads"
    south_id = next(i.id for i in incidents if i.subject == "depot=south")
    present(home, now=BEGIN + (DAYS + 1) * DAY + timedelta(hours=14))
    page = (home.site_dir / "incidents" / f"{south_id}.html").read_text()
    assert "The same trouble, in the whole and in a segment" in page
    assert f'Told of with <a href="{first.id}.html">the incident of the KPI</a>.' in page
    [row] = [r for r in incident_listing(home, models=None, resolved=True, now=BEGIN + (DAYS + 1) * DAY + timedelta(hours=14)) if r["id"] == first.id]
    assert (row["models"], row["severity"]) == (["parcels"], "critical")
    own, rest = gaps_of(home, "depot=south", Window(BEGIN + EARLY.start * DAY, BEGIN + EARLY.stop * DAY))
    assert f". Its own gap: {points(own)}. Beside the rest: its gap lies " in south.when
    assert f" (the worst of 7 days). The rest is off as well: {points(rest)} over 25 to 31 January, usually " in south.when
    events = home.lake.newest(IncidentEvent)
    again = watch(home, now=BEGIN + (DAYS + 1) * DAY + timedelta(hours=15))
    assert again.events == []
    assert home.lake.newest(IncidentEvent) == events


@pytest.mark.nightly
@pytest.mark.slow
def test_day_by_day_they_are_told_apart_with_the_same_days_and_no_input_is_given_as_a_place(tmp_path):
    _, incidents = told(tmp_path, EARLY, LATE, by_day=True)
    found = causes_of(incidents)
    assert {about: said for about, said in found.items() if about[0] == "kpi"} == {
        ("kpi", 24, 28): f"{OUTCOME}, where depot = south",
        ("kpi", 28, 36): INPUT,
    }
    assert (found["depot=south", 24, 31], found["client=web", 28, 36]) == (OUTCOME, INPUT)
    by_id = {i.id: i for i in incidents}
    together = {(by_id[i.leader].subject, i.subject, i.window_start) for i in incidents if i.part_of}
    assert together == {("kpi", "depot=south", BEGIN + EARLY.start * DAY), ("client=web", "kpi", BEGIN + LATE.start * DAY)}, "one story of each fault"
    assert not [said for said in found.values() if "where" in said and "where depot = south" not in said]


@pytest.mark.parametrize(
    ("early", "late", "one"),
    [
        (EARLY, range(0), {("kpi", 24, 31): f"{OUTCOME}, where depot = south"}),
        (range(0), LATE, {("kpi", 28, 36): INPUT}),
    ],
    ids=["the outcome", "the input"],
)
def test_each_fault_alone_is_one_incident(tmp_path, early, late, one):
    assert causes_of(told(tmp_path, early, late, by_day=False)[1]) == one
