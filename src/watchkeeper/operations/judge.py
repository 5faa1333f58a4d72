"""Judge: from scores to signals, and from signals to incidents with causes.

Belongs here: reading what is judged and writing what came out, under the workspace lease. Does not: the rules (judgement/).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, as_list, to_arrow
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import GAP_OF_HOURS, Episode, episodes, needs_labels
from watchkeeper.judgement.evidence import EVIDENCE, Evidence, Pooled, is_borne_out
from watchkeeper.judgement.gather import Known, evidence_of
from watchkeeper.judgement.honesty import doubt
from watchkeeper.judgement.incidents import Incident, developments, fold, matching
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.onset import with_onsets
from watchkeeper.judgement.places import is_told_with
from watchkeeper.judgement.recovery import HOURS, are_back
from watchkeeper.judgement.shared_faults import shared_faults
from watchkeeper.judgement.signals import Charted, charted, judged_metrics, pages, signals
from watchkeeper.judgement.splits import Split, Tested, cut, kinds_before, split_events, split_of
from watchkeeper.judgement.story import ending, lead_of, story
from watchkeeper.measures.readings import DONE
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.breaks import broken_expectations
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.incident_book import JUDGING
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.rollup import pooled_scores
from watchkeeper.operations.together import parts_marked, sources
from watchkeeper.operations.traces import traces
from watchkeeper.operations.versions import succession_in, versions_at_onset
from watchkeeper.records import Change, GpuSample, IncidentEvent, Score, Signal, Story
from watchkeeper.windows import Window

Measured = tuple[datetime, datetime, float]
"""The start and end of a stretch of time, and a number of it."""
CONTEXT = ("positive_rate", "calibration_gap", "recall", "score_mean", "psi", "rows")


def judge(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> list[IncidentEvent]:
    """Judge every model's scores as known at `now`; write signals and what is new about incidents, also which of them are parts of one.

    All signals are worked out anew from all scores, so a restated score changes what is said about its window, and a
    repeated run finds nothing new.
    """
    with lease(home.lake, JUDGING):
        out: list[IncidentEvent] = []
        found: list[Signal] = []
        for monitor in monitors.values():
            raised, events = _of_model(home, monitor, now)
            found += raised
            out += events
        out = parts_marked(home, out, now=now)
        home.lake.append_records(Signal, found)
        home.lake.append_records(IncidentEvent, out)
    return out


def _of_model(home: Home, monitor: Monitor, now: datetime) -> tuple[list[Signal], list[IncidentEvent]]:
    mine = pc.field("model") == monitor.model
    known: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=mine & (pc.field("environment") == monitor.environment))
    current, events = judged(home, monitor, fold(known), now=now)
    return _news(home.lake.newest(Signal, as_of=now, where=mine), current, now), events


def judged(home: Home, monitor: Monitor, known: Sequence[Incident], *, now: datetime) -> tuple[list[Signal], list[IncidentEvent]]:
    """Return all signals of a model's scores as known at `now`, and what they change about the incidents that are known; nothing is written."""
    scores = judged_scores(home, monitor, now=now)
    daily = scores.filter(pc.field("grain") == monitor.window)
    windows = _windows(daily)
    charts = charted(monitor, daily, windows)
    current = signals(monitor, monitor.environment, charts, scores, now)
    intake = Intake(home, monitor, now)
    checked = broken_expectations(intake, [Window(*w) for w in windows], current)
    current += checked.signals
    scores = pa.concat_tables([scores, checked.scores], promote_options="default")
    if doubt(monitor, scores):
        current = [replace(s, level="notice") if s.family in ("kpi", "segment") else s for s in current]
    return current, _developments(intake, current, charts, scores, known)


def _windows(scores: pa.Table) -> list[tuple[datetime, datetime]]:
    """Return the windows that have scores, in order."""
    distinct = scores.group_by("window_start").aggregate([("window_end", "max")]).sort_by("window_start")
    return list(zip(as_list(distinct.column("window_start")), as_list(distinct.column("window_end_max")), strict=True))


def judged_scores(home: Home, monitor: Monitor, *, now: datetime) -> pa.Table:
    """Return the newest revision of every score that is judged or bears on a judgement."""
    bins = stored_bins(home, monitor, now=now)
    asked = {
        "model": monitor.model,
        "environment": monitor.environment,
        "now": now,
        "metrics": sorted({*judged_metrics(monitor), *CONTEXT}),
        "bins": ["", *([bins.version] if bins else [])],
    }
    connection = connect(home, {"scores": Score.TABLE})
    if home.lake.table(Score.TABLE) is None:
        connection.register("scores", to_arrow(Score, []))
    return ask(connection, statement("judged_scores"), asked)


def _developments(
    intake: Intake, current: list[Signal], charts: list[Charted], scores: pa.Table, incidents: Sequence[Incident]
) -> list[IncidentEvent]:
    home, monitor, now = intake.home, intake.monitor, intake.now
    mine = pc.field("model") == monitor.model
    daily = scores.filter(pc.field("grain") == monitor.window)
    wait = maturity_of(home, monitor, now=now).wait
    believed = [e for e in _episodes(monitor, pages(current), scores, wait, now, charts) if matching(incidents, e) or is_borne_out(e, daily)]
    found = cut(with_onsets(believed, charts), incidents)
    known = Known(
        daily,
        current,
        home.lake.newest(Change, as_of=now, where=mine),
        _has_gpu(home, monitor),
        broken=intake.broken,
        broken_then=intake.broken_then,
        set_aside=partial(_set_aside, intake),
        refused=intake.refused,
        versions=lambda episode: versions_at_onset(home, monitor, episode, lead_of(episode.signals), now=now),
        succession=lambda window: succession_in(home, monitor, window, now=now),
        traces=lambda episode: traces(home, monitor, episode, lead_of(episode.signals).metric, now=now),
        told_at=now,
    )
    evidence = _once(partial(_evidence, home, monitor, known, now))
    told = [e for e in found if not matching(incidents, e) and any(is_told_with(e, w, evidence) for w in found)]

    def tell(episode: Episode) -> Story:
        return story(monitor, episode, evidence(episode))

    develop = partial(
        developments,
        monitor.model,
        monitor.environment,
        tell=lambda episode, _severity: tell(episode),
        now=now,
        tell_end=lambda episode: _tell_end(home, monitor, known, now, episode, evidence(episode)),
        timezone=monitor.timezone,
        is_judged=partial(_is_judged, monitor, daily, wait, now),
        learned=known.news_about,
        faults_of=lambda episode: shared_faults(episode, evidence(episode), tell(episode).causes, sources(home, monitor)),
    )
    splits = _splits(incidents, found, lambda episode: (evidence(episode), tell(episode).causes))
    apart, closed = [*told, *(s.episode for s in splits)], {s.incident.id for s in splits}
    events = develop(known=[i for i in incidents if i.id not in closed], found=[e for e in found if e not in apart])
    return [*events, *(e for s in splits for e in split_events(s, tell(s.before), develop(known=[], found=[s.since]), monitor.timezone, now))]


def _splits(incidents: Sequence[Incident], found: Sequence[Episode], tested: Tested) -> list[Split]:
    """Return the episodes whose newest windows have another cause than their incident was told with."""
    pairs = [(incident, episode) for episode in found if (incident := matching(incidents, episode)) is not None]
    looked = (split_of(incident, episode, tested, kinds_before(incident, incidents)) for incident, episode in pairs)
    return [split for split in looked if split is not None]


def _is_judged(monitor: Monitor, daily: pa.Table, label_wait: timedelta, now: datetime, incident: Incident) -> bool:
    """Tell whether today's monitor can say of an incident's windows that nothing is wrong: final ones, against what is usual.

    It cannot when the reference was moved to where nothing is known, or the labels' time was made longer.
    """
    span, wait = monitor.reference_span, label_wait if needs_labels(incident.family, incident.subject) else timedelta(0)
    if span is None or incident.window_start < span[1] or now < incident.window_end + wait:
        return False
    measured = [start for start, _ in _windows(daily.filter(pc.field("value").is_valid()))]
    learned = sum(start < span[1] for start in measured) >= LEAST_WINDOWS or incident.family == "target"
    return learned and any(incident.window_start <= start < incident.window_end for start in measured)


def _episodes(monitor: Monitor, found: list[Signal], scores: pa.Table, wait: timedelta, now: datetime, charts: Sequence[Charted]) -> list[Episode]:
    """Return the episodes of the monitor's windows and of the longer ones of promises, where one kept period ends an episode."""
    out = []
    for grid in (monitor.grid, *monitor.promise_grids):
        here = scores.filter(pc.field("grain") == grid.grain)
        windows = [start for start, _ in _windows(here)]
        mine = [s for s in found if grid.at(s.window_start) == Window(s.window_start, s.window_end)]
        own = {"gap": GAP_OF_HOURS, "are_back": partial(are_back, charts)} if grid.grain == "hour" else {}
        slack = own if grid == monitor.grid else {"gap": 0, "clear": 1}
        out += episodes(mine, windows, _final(here, wait, now), **slack)
    return sorted(out, key=lambda e: (e.start, e.subject))


def _final(scores: pa.Table, wait: timedelta, now: datetime) -> dict[str, set[datetime]]:
    """Return the windows in which each metric has a final number for the model, a feature or a segment.

    What needs no label is final when its window has ended, all else once its labels are due. A window without any row tells nothing
    of rows: its file may only be late.
    """
    ended, due = (pc.field("window_end") <= pa.scalar(now - each, TIMESTAMP) for each in (timedelta(0), wait))
    is_silent = (pc.field("metric") == "rows") & (pc.field("value") == 0)
    known = scores.filter(pc.field("value").is_valid() & (due | (ended & (pc.field("state") == DONE))) & ~is_silent)
    out: dict[str, set[datetime]] = {}
    pairs = known.group_by(["metric", "window_start"]).aggregate([])
    for metric, start in zip(pairs.column("metric").to_pylist(), as_list(pairs.column("window_start")), strict=True):
        out.setdefault(metric, set()).add(start)
    return out


def _once(evidence_of: Callable[[Episode], Evidence]) -> Callable[[Episode], Evidence]:
    """Return the same, that gathers the evidence about an episode the first time it is asked for: rows are read for it."""
    found: dict[tuple[str, str, datetime, datetime], Evidence] = {}

    def evidence(episode: Episode) -> Evidence:
        name = (episode.family, episode.subject, episode.start, episode.end)
        if name not in found:
            found[name] = evidence_of(episode)
        return found[name]

    return evidence


def _tell_end(home: Home, monitor: Monitor, known: Known, now: datetime, episode: Episode, evidence: Evidence) -> Story:
    lead = evidence.lead
    about = (pc.field("metric") == lead.metric) & (pc.field("feature") == lead.feature) & (pc.field("segment") == lead.segment)
    after = known.scores.filter(about & (pc.field("window_start") >= pa.scalar(episode.end, TIMESTAMP)) & (pc.field("state") != "provisional"))
    if episode.family == "target":
        after = after.slice(0, 0)
    since = [(r["window_start"], r["window_end"], r["value"]) for r in after.sort_by("window_start").to_pylist() if r["value"] is not None]
    return ending(monitor, episode, evidence, _of_hours(home, monitor, lead, since[:HOURS], now) if monitor.window == "hour" else since)


def _of_hours(home: Home, monitor: Monitor, lead: Signal, hours: Sequence[Measured], now: datetime) -> list[Measured]:
    """Return hours that are in line together as one stretch with its own number; as they are where that cannot be had of several."""
    pooled = Pooled(pooled_scores(home, monitor, [(start, end) for start, end, _ in hours], EVIDENCE & {lead.metric}, now=now))
    found = None if lead.feature else pooled.of(lead.metric, lead.segment)
    return list(hours) if found is None or found.value is None else [(hours[0][0], hours[-1][1], found.value)]


def _evidence(home: Home, monitor: Monitor, known: Known, now: datetime, episode: Episode) -> Evidence:
    pooled = Pooled(pooled_scores(home, monitor, [(episode.start, episode.end)], EVIDENCE | {k.name for k in monitor.kpis}, now=now))
    return evidence_of(monitor, episode, known, pooled)


def _set_aside(intake: Intake, window: Window, source: str) -> tuple[int, str]:
    count, reasons = intake.set_aside(window, (source,))
    return count, reasons[0][0] if reasons else ""


def _has_gpu(home: Home, monitor: Monitor) -> bool:
    """Tell whether real GPU samples exist for the model's hosts."""
    real = ~pc.field("is_synthetic")
    rows = home.lake.read(GpuSample.TABLE, columns=["host", "model"], where=real)
    return rows is not None and any(
        h in monitor.cost.hosts or m == monitor.model for h, m in zip(rows["host"].to_pylist(), rows["model"].to_pylist(), strict=True)
    )


def _news(known: list[Signal], current: list[Signal], now: datetime) -> list[Signal]:
    """Return signals that are new, became mature, or were withdrawn because their score was restated."""
    before = {s.signal_id: s for s in known}
    now_found = {s.signal_id for s in current}
    fresh = [s for s in current if s.signal_id not in before or (before[s.signal_id].state, before[s.signal_id].level) != (s.state, s.level)]
    gone = [replace(s, state="withdrawn", computed_at=now) for s in known if s.signal_id not in now_found and s.state != "withdrawn"]
    return [*fresh, *gone]
