"""Rolling: take the steps of a rolling reference that are due, under the lease that judging takes.

Belongs here: what is known of the days that a step may be made of, and writing a step down once, or that it was skipped. Does not: when one is due
and how many days must be clean (judgement/rolling.py), measuring and judging by it (measure.py, era_signals.py). No row is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

import pyarrow.compute as pc

from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import Era
from watchkeeper.judgement.incidents import fold
from watchkeeper.judgement.rolling import Seen, days_of, step, step_id, steps_due
from watchkeeper.judgement.season import on_calendar
from watchkeeper.judgement.self_audit import self_audit
from watchkeeper.monitor import Monitor
from watchkeeper.operations.era_signals import Judged, judged_eras
from watchkeeper.operations.eras import eras_of, steps_known
from watchkeeper.operations.incident_book import JUDGING
from watchkeeper.operations.judge import alarms
from watchkeeper.operations.measure import measure
from watchkeeper.operations.rollup import Basis, basis_of
from watchkeeper.operations.spread import Spread, in_turn
from watchkeeper.records import Baseline, IncidentEvent, Run
from watchkeeper.windows import Window

FEW = 5
"""A window with less than one so-many-th of the rows that its neighbours have in the middle is no part of a step: most of it is missing."""
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)


def measure_and_roll(
    home: Home,
    monitor: Monitor,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    recompute: bool = False,
    spread: Spread = in_turn,
) -> list[Run]:
    """Measure what is due, then take the steps of the rolling reference that are due, and measure what they change; as `measure` otherwise."""
    done = measure(home, monitor, now=now, start=start, end=end, recompute=recompute, spread=spread)
    if any(taken.event == "begun" for taken in roll(home, monitor, now=now)):
        done += measure(home, monitor, now=now, start=start, end=end, spread=spread)
    return done


def roll(home: Home, monitor: Monitor, *, now: datetime) -> list[Baseline]:
    """Write down the steps that are due at `now`, taken or skipped, each once; nothing where the reference does not roll."""
    if monitor.reference.rolling is None:
        return []
    basis = basis_of(home, monitor, now=now)
    if basis is None or not any(True for _ in _due(home, monitor, basis, now)):
        return []
    with lease(home.lake, JUDGING):
        due = list(_due(home, monitor, basis, now))
        made = _decided(home, monitor, basis, due, now) if due else []
        home.lake.append_records(Baseline, made)
    return made


def _due(home: Home, monitor: Monitor, basis: Basis, now: datetime) -> Iterator[tuple[Era, datetime]]:
    """Yield the steps that are not decided yet, each with its era; while nothing has landed since the reference there is nothing to roll on to."""
    known, written = steps_known(home, monitor, now=now), {b.baseline_id for b in steps_known(home, monitor, now=None)}
    for era in eras_of(home, monitor, now=now):
        for since in steps_due(monitor, era, known, now):
            has_rows = era.begins is not None and any(True for _ in basis.parts.inside(Window(era.begins, since)))
            if has_rows and step_id(monitor, era, since) not in written:
                yield era, since


def _decided(home: Home, monitor: Monitor, basis: Basis, due: Sequence[tuple[Era, datetime]], now: datetime) -> list[Baseline]:
    judged = judged_eras(home, monitor, now=now)
    troubles, by_era = list(_troubles(home, monitor, judged, now)), {one.era.since: one for one in judged}
    made = []
    for era, since in due:
        windows = days_of(monitor, era, min(since, basis.maturity.until(monitor.grid, since)))
        made.append(step(monitor, era, since, _seen(monitor, basis, by_era[era.since], windows, troubles), now))
    return made


def _troubles(home: Home, monitor: Monitor, judged: Sequence[Judged], now: datetime) -> Iterator[tuple[Window, str]]:
    """Yield the time of each incident, open or not, and of whatever pages by the scores as they are now: an incident of it is yet to open."""
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment)
    for incident in fold(home.lake.newest(IncidentEvent, as_of=now, where=mine)):
        if not incident.is_withdrawn and incident.severity != "notice":
            end = incident.window_end if incident.state == "resolved" else _FOR_GOOD
            yield Window(incident.window_start, end), f"incident {incident.id}"
    for episode in alarms(home, monitor, judged, now=now):
        yield Window(episode.start, episode.end if episode.is_over else _FOR_GOOD), f"{episode.subject} out of line"


def _seen(monitor: Monitor, basis: Basis, one: Judged, windows: Sequence[Window], troubles: Sequence[tuple[Window, str]]) -> list[Seen]:
    """Say of each window why it is no part of a step, if it is not."""
    begins, rows = one.era.begins, _rows(one)
    audited = {Window(*w) for a in self_audit(one.era.monitor, one.charts) if not a.is_wild for w in a.windows}
    named = on_calendar(monitor, [(w.start, w.end) for w in windows])
    usual = median([rows.get(w.start, 0.0) for w in windows if basis.parts.revision(w)] or [0.0])

    def why(window: Window, *, is_named: bool) -> str:
        if not basis.parts.revision(window):
            return "no rows"
        if is_named:
            return "named by the calendar"
        if window in audited:
            return "stands out in the reference"
        if begins is not None and window.start >= begins:
            trouble = next((said for span, said in troubles if span.overlaps(window)), "")
            if trouble:
                return trouble
        return "few rows" if rows.get(window.start, 0.0) * FEW < usual else ""

    return [Seen(w, why(w, is_named=is_named)) for w, is_named in zip(windows, named.tolist(), strict=True)]


def _rows(one: Judged) -> Mapping[datetime, float]:
    found = one.daily.filter((pc.field("metric") == "rows") & (pc.field("segment") == "") & pc.field("value").is_valid())
    return dict(zip(found.column("window_start").to_pylist(), found.column("value").to_pylist(), strict=True))
