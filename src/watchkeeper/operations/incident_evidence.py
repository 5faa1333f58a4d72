"""Incident evidence: what bears on an episode, read from the lake when a rule asks for it.

Belongs here: looking it up, and the end of what is over. Does not: which episodes there are and what becomes of them (judge.py), what follows from
the evidence (judgement/).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import WITHOUT_LABELS, Episode, bad_windows_before, windows_out_of_line, with_labels_due
from watchkeeper.judgement.evidence import EVIDENCE, OF_A_RATE, Evidence, Pooled
from watchkeeper.judgement.gather import Known, evidence_of
from watchkeeper.judgement.later_causes import something_else_began
from watchkeeper.judgement.leads import lead_of
from watchkeeper.judgement.recovery import HOURS
from watchkeeper.judgement.service_story import SERVICE_EVIDENCE
from watchkeeper.judgement.story import ending
from watchkeeper.judgement.worst import unalarmed
from watchkeeper.monitor import Monitor
from watchkeeper.operations.era_signals import Judged
from watchkeeper.operations.fault_places import fault_places
from watchkeeper.operations.faults import Intake
from watchkeeper.operations.rollup import pooled_scores
from watchkeeper.operations.traces import traces
from watchkeeper.operations.versions import succession_by, versions_at_onset
from watchkeeper.records import Change, Signal
from watchkeeper.samples import GpuSample
from watchkeeper.story import Story
from watchkeeper.windows import Window

Measured = tuple[datetime, datetime, float]
"""The start and end of a stretch of time, and a number of it."""


def knowledge(home: Home, monitor: Monitor, found: Sequence[Judged], now: datetime, due: datetime) -> list[Known]:
    """Return for each era what bears on its episodes."""
    changes, has_gpu = home.lake.newest(Change, as_of=now, where=pc.field("model") == monitor.model), _has_gpu(home, monitor)
    return [_known_in(home, one, changes, now, due, has_gpu=has_gpu) for one in found]


def _known_in(home: Home, one: Judged, changes: Sequence[Change], now: datetime, due: datetime, *, has_gpu: bool) -> Known:
    monitor, intake = one.era.monitor, one.intake
    return Known(
        one.daily,
        one.signals,
        changes,
        has_gpu,
        broken=intake.broken,
        broken_then=intake.broken_then,
        set_aside=partial(_set_aside, intake),
        refused=intake.refused,
        versions=lambda episode: versions_at_onset(
            home, monitor, episode, lead_of(episode.signals), now=now, are_compared=_are_labels_due(episode, due)
        ),
        succession=lambda until: succession_by(home, monitor, until, now=now),
        traces=lambda episode: traces(
            home,
            monitor,
            episode,
            lead_of(episode.signals).metric,
            now=now,
            with_labels=_are_labels_due(episode, due),
            bad_before=bad_windows_before(episode, one.signals),
        ),
        places=lambda episode, faults: fault_places(home, monitor, episode, faults, now=now),
        unalarmed=lambda episode: unalarmed(monitor, one.charts, one.scores, episode, now),
        told_at=now,
    )


def once(evidence_of: Callable[[Episode], Evidence]) -> Callable[[Episode], Evidence]:
    """Return the same, that gathers the evidence about an episode the first time it is asked for: rows are read for it."""
    found: dict[tuple[object, ...], Evidence] = {}

    def evidence(episode: Episode) -> Evidence:
        name = (episode.family, episode.subject, episode.start, *(s.signal_id for s in episode.signals))
        if name not in found:
            found[name] = evidence_of(episode)
        return found[name]

    return evidence


def told_end(home: Home, monitor: Monitor, known: Known, now: datetime, episode: Episode, evidence: Evidence) -> Story:
    """Return the story of what is over, with the numbers since."""
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


def evidence_about(home: Home, monitor: Monitor, known: Known, now: datetime, episode: Episode, due: datetime) -> Evidence:
    """Return the evidence about an episode, with that of the windows before something else began while it went on."""
    found, began = _evidence_of_all(home, monitor, known, now, episode, due), None
    if episode.family not in WITHOUT_LABELS:
        began = something_else_began(found)
    first = [s for s in found.signals if began is not None and s.window_end <= began]
    if not first:
        return found
    return replace(found, beginning=_evidence_of_all(home, monitor, known, now, replace(episode, signals=first), due))


def _evidence_of_all(home: Home, monitor: Monitor, known: Known, now: datetime, episode: Episode, due: datetime) -> Evidence:
    part, of_service = with_labels_due(episode, due), set(SERVICE_EVIDENCE) if episode.family == "service" else set()
    pooled = Pooled(pooled_scores(home, monitor, [(part.start, part.end)], EVIDENCE | of_service | {k.name for k in monitor.kpis}, now=now))
    are_due = _are_labels_due(part, due)
    found = evidence_of(monitor, part, known, pooled, are_labels_due=are_due)
    found = _of_bad_windows(home, monitor, part, found, now) if are_due else found
    return found if part is episode else replace(found, not_due=Window(part.end, episode.end))


def _of_bad_windows(home: Home, monitor: Monitor, episode: Episode, found: Evidence, now: datetime) -> Evidence:
    """Return the evidence about a rate with what that was in the windows out of line alone, where others lie between: what is looked for in rows is of these as well."""
    bad, is_of_all = windows_out_of_line(episode), found.is_provisional or found.gap is None or found.lead.metric not in OF_A_RATE
    if is_of_all or sum((w.end - w.start for w in bad), timedelta(0)) >= episode.end - episode.start:
        return found
    pooled = Pooled(pooled_scores(home, monitor, [(w.start, w.end) for w in bad], {"positive_rate", "calibration_gap"}, now=now))
    rate, gap = (pooled.of(metric, found.lead.segment) for metric in ("positive_rate", "calibration_gap"))
    return found if rate is None or gap is None else replace(found, bad_observed=rate, bad_gap=gap)


def _are_labels_due(episode: Episode, due: datetime) -> bool:
    """Tell whether all labels of an episode's windows should have come, and were counted when it was scored."""
    return episode.end <= due and any(s.state == "mature" for s in episode.signals)


def _set_aside(intake: Intake, window: Window, source: str, segments: Collection[str]) -> tuple[int, str]:
    count, reasons = intake.set_aside(window, (source,), segments)
    return count, reasons[0][0] if reasons else ""


def _has_gpu(home: Home, monitor: Monitor) -> bool:
    """Tell whether real GPU samples exist for the model's hosts."""
    real = ~pc.field("is_synthetic")
    rows = home.lake.read(GpuSample.TABLE, columns=["host", "model"], where=real)
    return rows is not None and any(
        h in monitor.cost.hosts or m == monitor.model for h, m in zip(rows["host"].to_pylist(), rows["model"].to_pylist(), strict=True)
    )
