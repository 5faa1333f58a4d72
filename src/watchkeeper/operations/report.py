"""Report: write the digest of each period that is over and final, and again when its figures were restated.

Belongs here: which periods are due and reading what a digest tells. Does not: its words (judgement/digest.py), sending it (act.py).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from math import isclose
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.digest import OPEN, RESTATED, headline, lines
from watchkeeper.judgement.digest_facts import DigestFacts
from watchkeeper.judgement.episodes import needs_labels
from watchkeeper.judgement.eras import compared_text, era_of
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.spending import Spending
from watchkeeper.judgement.times import Medians, medians
from watchkeeper.judgement.together import as_one, with_parts
from watchkeeper.judgement.verdict import reason_of, within
from watchkeeper.measures import catalogue
from watchkeeper.measures.own import own_kpis
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.digest_costs import spending_of
from watchkeeper.operations.eras import baselines_of, eras_of
from watchkeeper.operations.failures import unmended
from watchkeeper.operations.faults import WORTH_A_LINE, Intake
from watchkeeper.operations.label_classes import of_period
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.normal_moved import normal_moved
from watchkeeper.operations.promises import promises
from watchkeeper.operations.rollup import rolled_up, usual_range
from watchkeeper.operations.trust import blind_text, is_most, to_be_judged, why_not_judged
from watchkeeper.operations.versions import succession_by
from watchkeeper.records import Batch, Digest, IncidentEvent, Score, Signal, key
from watchkeeper.windows import Grid, Window

Period = Literal["day", "week"]
CATCH_UP = 8
_RANGED = ("log_loss", "mae", "accuracy")
_NEAR = 0.01
_AFTERWARDS = ("**Labels:", "**Times:", "**Next:")
_DIGITS = 9  # sums in another order differ beyond these
_NUMBER = re.compile(r"\d[\d.,]*")


def report(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, period: Period = "week") -> list[Digest]:
    """Write the digests that are due: of the newest eight periods whose labels are mature those that have none, or whose figures are newer.

    While a step that a model's figures rest on has failed and was not done since, none of that model is due.
    """
    out = [digest for monitor in monitors.values() for digest in _due(home, monitor, now, period)]
    home.lake.append_records(Digest, out)
    return out


def digest_of(home: Home, monitor: Monitor, window: Window, *, now: datetime, period: Period) -> Digest:
    """Return the digest of one period as it stands at `now`, also before its labels are mature."""
    return _written(monitor, window, _facts(home, monitor, window, now), now=now, period=period, corrections=0)


def newest_as_it_stands(home: Home, monitor: Monitor, *, now: datetime, period: Period = "week") -> Digest | None:
    """Return the newest digest that was written with what is known at `now`, None when there is none: what was over by then may be open again."""
    before = newest_digest(home, monitor, now=now, period=period)
    if before is None:
        return None
    window = Window(before.window_start, before.window_end)
    made = _written(monitor, window, _facts(home, monitor, window, now), now=now, period=period, corrections=before.corrections)
    return replace(made, bins=before.bins, figures=before.figures, revision=before.revision)


def _again(home: Home, monitor: Monitor, before: Digest, *, now: datetime) -> Digest:
    """Return a digest anew; its revision rises when that changes what was said."""
    window = Window(before.window_start, before.window_end)
    facts = _facts(home, monitor, window, now)
    made = [_written(monitor, window, facts, now=now, period=before.period, corrections=before.corrections + more) for more in (0, 1)]
    return made[_words(made[0]) != _words(before) or not _are_near(made[0], before)]


def _words(digest: Digest) -> list[str]:
    """Return what a digest says of its period but for its numbers: without what goes on after it: what is open now, labels that trickle in, how long it took."""
    told = [
        line.replace(RESTATED, "").replace(OPEN, "")
        for line in digest.text.splitlines()
        if line.startswith("**") and not line.startswith(_AFTERWARDS)
    ]
    return [_NUMBER.sub("#", line) for line in told]


def _are_near(made: Digest, before: Digest) -> bool:
    """Tell whether no figure moved by more than a hundredth: what nobody would decide otherwise for is told again to nobody."""
    ours, theirs = (json.loads(digest.facts) for digest in (made, before))
    for name in {*ours, *theirs} - {"revision", *asdict(Medians())}:
        one, other = ours.get(name), theirs.get(name)
        is_number = isinstance(one, float) and isinstance(other, float)
        if one != other and not (is_number and isclose(one, other, rel_tol=_NEAR, abs_tol=_NEAR)):
            return False
    return True


def _written(monitor: Monitor, window: Window, facts: DigestFacts, *, now: datetime, period: str, corrections: int) -> Digest:
    facts = replace(facts, is_correction=corrections > 0)
    said = headline(monitor, facts)
    body = [f"**{label}:** {text}" if label else text for label, text in lines(monitor, facts)]
    numbers: dict[str, Any] = {m: s.value for m, s in facts.scores.items()}
    numbers |= {"quarantined": facts.quarantined, "incidents": [i.id for i in facts.incidents], "revision": corrections}
    numbers |= {name: value for name, value in asdict(facts.times).items() if value}
    return Digest(
        digest_id=key(monitor.model, period, window.start),
        model=monitor.model,
        period=period,
        window_start=window.start,
        window_end=window.end,
        headline=said,
        text="\n\n".join([f"**{said}**", *body]) + "\n",
        facts=json.dumps(numbers),
        computed_at=now,
    )


def newest_digest(home: Home, monitor: Monitor, *, now: datetime, period: Period = "week") -> Digest | None:
    """Return the newest digest that was written, None when there is none."""
    found: list[Digest] = home.lake.newest(Digest, as_of=now, where=pc.field("model") == monitor.model)
    return max((d for d in found if d.period == period), key=lambda d: d.window_start, default=None)


def _due(home: Home, monitor: Monitor, now: datetime, period: Period) -> Iterator[Digest]:
    """Yield the digests of whole periods after the reference that are final and not yet written, or of older figures."""
    span = monitor.reference_span
    if unmended(home, monitor, now=now):
        return
    landed = home.lake.newest(Batch, as_of=now, where=(pc.field("model") == monitor.model) & (pc.field("source") == "events"))
    starts = [b.starts_at for b in landed if b.starts_at is not None]
    if span is None or not starts:
        return
    known = {d.digest_id: d for d in home.lake.newest(Digest, as_of=now, where=pc.field("model") == monitor.model)}
    delay = maturity_of(home, monitor, now=now).wait
    grid = Grid(period, monitor.timezone)
    over = [w for w in grid.between(max(span[1], min(starts)), now - delay) if w.start >= span[1] and w.end + delay <= now]
    measured, bins = _measured(home, monitor, over[-CATCH_UP:], now), stored_bins(home, monitor, now=now)
    for window in over[-CATCH_UP:]:
        before, found = known.get(key(monitor.model, period, window.start)), measured.get(window, _Measured(None, 0))
        rests_on: dict[str, Any] = {"bins": bins.version if bins else "", "figures": found.figures}
        if before is None:
            yield replace(digest_of(home, monitor, window, now=now, period=period), **rests_on)
        elif found.is_newer_than(before):
            yield replace(_again(home, monitor, before, now=now), **rests_on, revision=before.revision + 1)


class _Measured(NamedTuple):
    """When the newest figure of a period was computed, and how many have been."""

    at: datetime | None
    figures: int

    def is_newer_than(self, digest: Digest) -> bool:
        """Tell whether figures came after a digest; under a clock that stands only their number tells, where it was written down."""
        later = self.at is not None and self.at > digest.computed_at
        return later or (self.at == digest.computed_at and 0 < digest.figures < self.figures)


def _measured(home: Home, monitor: Monitor, windows: Sequence[Window], now: datetime) -> dict[Window, _Measured]:
    """Return what has been measured of each period, of those of which something was."""
    if not windows:
        return {}
    time = pc.field("window_start")
    inside = (time >= pa.scalar(windows[0].start, TIMESTAMP)) & (time < pa.scalar(windows[-1].end, TIMESTAMP))
    known = (pc.field("model") == monitor.model) & (pc.field("version") == "") & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    rows = home.lake.read(Score.TABLE, columns=["window_start", "computed_at"], where=inside & known)
    made = [] if rows is None else rows.group_by("window_start").aggregate([("computed_at", "max"), ("computed_at", "count")]).to_pylist()
    of = {w: [r for r in made if r["window_start"] in w] for w in windows}
    return {w: _Measured(max(r["computed_at_max"] for r in those), sum(r["computed_at_count"] for r in those)) for w, those in of.items() if those}


def _facts(home: Home, monitor: Monitor, window: Window, now: datetime) -> DigestFacts:
    grid = Grid("week" if window.end - window.start > timedelta(days=2) else "day", monitor.timezone)
    whole = {s.metric: s for s in _of_period(home, monitor, grid, window, now) if not s.segment and not s.feature and s.value is not None}
    mine = pc.field("model") == monitor.model
    told = _known(home, mine & (pc.field("environment") == monitor.environment), now)
    incidents = [i for i in told if not i.is_withdrawn]
    wholes = {i.id: as_one(i) for i in told}
    inside = [i for i in incidents if i.window_start < window.end and (window.start < i.window_end or i.is_open)]
    time = pc.field("window_start")
    during = (time >= pa.scalar(window.start, TIMESTAMP)) & (time < pa.scalar(window.end, TIMESTAMP))
    found = [s for s in home.lake.newest(Signal, as_of=now, where=mine & during) if s.state != "withdrawn"]
    segments = _segments(incidents, window)
    graded = [within(i, found) for i in inside if i.family != "segment"]
    intake = Intake(home, monitor, now)
    quarantined, reasons = intake.set_aside(window, ("events", "labels"))
    events_aside, landed = intake.set_aside(window)[0], round(whole["rows"].value or 0.0) if "rows" in whole else 0
    cost = spending_of(home, monitor, grid, window, now=now)
    not_judged = why_not_judged(home, monitor, now=now)
    era = era_of(eras_of(home, monitor, now=now), window.start)
    last = min(window.end, era.until or window.end) - timedelta.resolution
    due = maturity_of(home, monitor, now=now)
    is_final = monitor.labels is None or due.is_reached(window.end, now)
    coverage = whole.get("label_coverage") if is_final or due.source == "unknown" else None
    return DigestFacts(
        start=window.start,
        end=window.end,
        scores=whole,
        usual=_usual(home, era.monitor, grid, now),
        incidents=graded,
        segments=segments,
        notices=[s for s in found if s.level == "notice"],
        promises=promises(home, monitor, now=now, of=window),
        quarantined=quarantined,
        quarantine_reasons=reasons,
        files_refused=intake.files_refused(window),
        labels_aside=intake.set_aside(window, ("labels",))[0],
        label_classes=of_period(home, monitor, window, now=now),
        is_judged=not not_judged,
        to_be_judged=to_be_judged(home, monitor, now=now) if not_judged else "",
        broken=intake.broken(window, least=WORTH_A_LINE),
        failed="; ".join(f"{r.operation} failed ({r.reason.rstrip('.')})" for r in unmended(home, monitor, now=now)),
        is_final=is_final,
        blind="" if coverage is None else blind_text(due, [coverage.value or 0.0]),
        is_mostly_aside=is_most(events_aside, landed),
        events_aside=events_aside,
        cost=cost,
        restated=_restated(home, monitor, window, due.wait, now),
        not_known=_not_known(monitor, whole, cost, not_judged),
        told_at=now,
        reason=reason_of(graded, found),
        times=medians(list({i.leader: wholes.get(i.leader, i) for i in inside}.values())),
        wholes=wholes,
        not_due=len({i.leader for i in (*graded, *segments) if i.is_open and _is_waiting(i, window, due, now)}),
        later=[i for i in incidents if i.is_open and i.window_start >= window.end and i.leader not in {o.leader for o in (*graded, *segments)}],
        succession=succession_by(home, era.monitor, window.end, now=now),
        compared_with=compared_text(era, last),
        moved=normal_moved(home, monitor, era, last, now=now),
    )


def _known(home: Home, mine: pc.Expression, now: datetime) -> list[Incident]:
    """Return the incidents of a model with their parts, those of other models too."""
    own: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=mine)
    ids = list({e.incident_id for e in own})
    parts: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=among("part_of", ids)) if ids else []
    others = {e.incident_id for e in parts}.difference(ids)
    theirs = home.lake.newest(IncidentEvent, as_of=now, where=among("incident_id", others)) if others else []
    return [i for i in with_parts(fold([*own, *theirs])) if i.id not in others]


def _of_period(home: Home, monitor: Monitor, grid: Grid, window: Window, now: datetime) -> Iterator[Score]:
    """Yield the period's figures about the model."""
    metrics = {m.name for m in (*catalogue.CATALOGUE, *own_kpis(monitor)) if m.subject in (monitor.task, "service")}
    yield from rolled_up(home, monitor, grid, now=now, start=window.start, end=window.end, metrics=metrics, of_whole=True)


def _is_waiting(incident: Incident, window: Window, due: Maturity, now: datetime) -> bool:
    """Tell whether an incident goes on after a period and its figures rest on labels that are not due."""
    goes_on = incident.window_end > window.end and needs_labels(incident.family, incident.subject)
    return goes_on and not due.is_reached(incident.window_end, now)


def _segments(incidents: list[Incident], window: Window) -> list[Incident]:
    """Return the segment incidents of which the period saw something, or that still go on, one a segment, the newest first."""
    lately = [
        i for i in incidents if i.family == "segment" and i.window_start < window.end and (i.window_end > window.start or i.state != "resolved")
    ]
    return list({i.subject: i for i in sorted(lately, key=lambda i: i.window_end)}.values())[::-1]


def _usual(home: Home, monitor: Monitor, grid: Grid, now: datetime) -> dict[str, tuple[float, float]]:
    """Return the range of the main KPIs over the reference's periods."""
    ranges = {m: usual_range(home, monitor, grid, m, now=now) for m in (*_RANGED, *(k.name for k in monitor.kpis))}
    return {m: found for m, found in ranges.items() if found is not None}


def _restated(home: Home, monitor: Monitor, window: Window, delay: timedelta, now: datetime) -> int:
    """Count figures of the period that labels or rows arriving after its labels were due have changed, those they made possible included.

    What they are compared with may change alone, which does not count, nor does what they were before a new normal was declared; nor do
    those of one version, which a digest does not tell.
    """
    time = pc.field("window_start")
    inside = (pc.field("model") == monitor.model) & (time >= pa.scalar(window.start, TIMESTAMP)) & (time < pa.scalar(window.end, TIMESTAMP))
    rows = home.lake.read(
        Score.TABLE,
        columns=[*Score.KEY, "value", "window_end", "computed_at"],
        where=inside & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP)),
    )
    if rows is None:
        return 0
    due = pc.add(rows.column("window_end"), pa.scalar(delay, pa.duration("us")))
    rows = rows.filter(pc.greater_equal(rows.column("computed_at"), due))
    rows = rows.set_column(rows.column_names.index("value"), "value", pc.round(rows.column("value"), _DIGITS))
    for normal in baselines_of(home, monitor, now=now):
        of_before = (pc.field("window_start") >= pa.scalar(normal.since, TIMESTAMP)) & (pc.field("computed_at") < pa.scalar(normal.at, TIMESTAMP))
        rows = rows.filter(~of_before)
    counted = rows.group_by(list(Score.KEY)).aggregate([("value", "count_distinct", pc.CountOptions(mode="all"))])
    return int(pc.sum(pc.greater(counted.column("value_count_distinct"), 1)).as_py() or 0)


def _not_known(monitor: Monitor, scores: Mapping[str, Score], cost: Spending | None, not_judged: str) -> list[str]:
    missing = [] if monitor.columns.latency else ["latency"]
    missing += [] if cost and not cost.is_synthetic else ["real GPU use"]
    missing += [f"whether anything is out of line ({not_judged})"] if not_judged else []
    return missing + ([] if scores else ["everything: no events of this period have landed"])
