"""What the pages show, read from the lake as of `now`.

Belongs here: which rows a page is made of. Does not: writing pages (pages.py) or what they say (site/).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.compute as pc

from watchkeeper.adapters import charts
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.eras import ROLLING, reference_text, step_text
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.rolling import moved
from watchkeeper.judgement.silences import marked
from watchkeeper.judgement.standing import are_many
from watchkeeper.judgement.together import with_parts
from watchkeeper.measures.classes import most_frequent
from watchkeeper.measures.views import MulticlassView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.operations.budgets import outlook
from watchkeeper.operations.eras import eras_of
from watchkeeper.operations.incident_book import covering, known_silences
from watchkeeper.operations.rollup import labels_within, rolled_up
from watchkeeper.operations.segments import segments, split_metrics
from watchkeeper.operations.version_list import known_rows, listed_versions
from watchkeeper.records import CLASS, Batch, Digest, IncidentEvent, ReferenceScore, Score, Signal, Silence, Validation
from watchkeeper.site.class_tables import CLASS_KPIS, Confusion
from watchkeeper.site.figures import Frame, Normal
from watchkeeper.site.model_page import SEGMENT_KPIS, ModelFacts
from watchkeeper.site.overview import OverviewRow
from watchkeeper.site.segments import SegmentReport
from watchkeeper.windows import Grid, Window

SHOWN = timedelta(days=400)
_QUALITY = timedelta(days=35)
_BEFORE, _AFTER = timedelta(days=45), timedelta(days=21)
_HALF_A_MONTH = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all pages share."""

    now: datetime
    incidents: Sequence[Incident]
    silences: Mapping[str, Sequence[Silence]]
    """Incident id -> those that cover it, past ones too."""
    events: Mapping[str, Sequence[IncidentEvent]]
    signals: Mapping[str, Signal]
    digests: Sequence[Digest]
    batches: Sequence[Batch]
    validations: Sequence[Validation]

    def incidents_of(self, model: str) -> list[Incident]:
        """Return the incidents of one model."""
        return [i for i in self.incidents if i.model == model]


def shared(home: Home, *, now: datetime) -> Shared:
    """Return what all pages share as of `now`."""
    events: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now)
    by_incident: dict[str, list[IncidentEvent]] = defaultdict(list)
    for event in sorted(events, key=lambda e: (e.at, e.event_id)):
        by_incident[event.incident_id].append(event)
    lately = now - _QUALITY
    incidents, silences = fold(events), known_silences(home, now=now)
    covered = covering(home, incidents, silences, now=now)
    return Shared(
        now=now,
        incidents=with_parts([marked(i, covered.get(i.id, ()), now) for i in incidents]),
        silences=covered,
        events=by_incident,
        signals={s.signal_id: s for s in home.lake.newest(Signal, as_of=now)},
        digests=sorted(home.lake.newest(Digest, as_of=now), key=lambda d: d.digest_id),
        batches=[b for b in home.lake.newest(Batch, as_of=now) if b.landed_at >= lately],
        validations=[v for v in home.lake.newest(Validation, as_of=now) if v.validated_at >= lately],
    )


def frame_of(home: Home, monitor: Monitor, found: Shared) -> Frame:
    """Return what the figures of a model share."""
    return Frame(
        timezone=monitor.timezone,
        reference=monitor.reference_span,
        incidents=found.incidents_of(monitor.model),
        draw=charts.svg,
        unit=monitor.wording.unit,
        normals=_normals(home, monitor, found.now),
    )


def _normals(home: Home, monitor: Monitor, now: datetime) -> list[Normal]:
    """Return the new normals and the steps of a rolling reference in order of time, each with the scores of its own windows beside itself."""
    eras = eras_of(home, monitor, now=now)
    begun = [(each, each.baseline) for era in eras for each in (era, *era.steps) if each.baseline is not None]
    about = among("baseline_id", [made.baseline_id for _, made in begun]) & in_force(home, monitor, now=now)
    kept: list[ReferenceScore] = home.lake.newest(ReferenceScore, as_of=now, where=about) if begun else []
    beside: dict[str, dict[tuple[str, str], list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in kept:
        beside[score.baseline_id][score.metric, score.feature].append(score)
    return [
        Normal(
            since=made.since,
            days=Window(made.starts_at, made.ends_at),
            said=step_text(era) if made.kind == ROLLING else reference_text(era),
            beside=beside[made.baseline_id],
            metrics=moved(monitor) if made.kind == ROLLING else None,
            left_out=frozenset(made.left_out),
        )
        for era, made in begun
    ]


def model_facts(home: Home, monitor: Monitor, row: OverviewRow, found: Shared, links: Sequence[tuple[str, str]]) -> ModelFacts:
    """Return what a model's page is made of."""
    since = (row.window_end or found.now) - SHOWN
    confusion = _confusion(home, monitor, row, found.now)
    return ModelFacts(
        monitor=monitor,
        row=row,
        whole=whole_scores(home, monitor, found.now, since=since),
        segments=_segment_scores(home, monitor, row, found.now),
        split=_split(home, monitor, row, found.now),
        classes=_class_scores(home, monitor, confusion, found.now),
        confusion=confusion,
        versions=listed_versions(home, monitor, now=found.now) if are_many(monitor, known_rows(home, monitor, now=found.now)) else None,
        incidents=found.incidents_of(monitor.model),
        validations=[v for v in found.validations if v.model == monitor.model],
        batches=[b for b in found.batches if b.model == monitor.model],
        links=links,
        outlook=outlook(home, monitor, now=found.now),
    )


def whole_scores(home: Home, monitor: Monitor, now: datetime, *, since: datetime) -> list[Score]:
    """Return the scores over all segments, in the order of their windows."""
    return _scores(home, monitor, now, since=since, where=pc.field("segment") == "")


def stretch(incident: Incident) -> Window:
    """Return the time that an incident's page shows: from well before it to after it."""
    return Window(incident.window_start - _BEFORE, incident.window_end + _AFTER)


def around(home: Home, monitor: Monitor, signal: Signal | None, incident: Incident, now: datetime) -> list[Score]:
    """Return the scores of a signal's metric in the time that an incident's page shows, and in each reference, which says what is usual."""
    if signal is None:
        return []
    same = (pc.field("metric") == signal.metric) & (pc.field("feature") == signal.feature) & (pc.field("segment") == signal.segment)
    spans = [era.monitor.reference_span for era in eras_of(home, monitor, now=now)]
    asked = [stretch(incident), *(Window(*span) for span in spans if span is not None)]
    found = _scores(home, monitor, now, since=min(w.start for w in asked), where=same)
    return [s for s in found if any(s.window_start in w for w in asked)]


def split_of(home: Home, monitor: Monitor, signal: Signal | None, incident: Incident, now: datetime) -> SegmentReport | None:
    """Return what segments explain of an incident whose number is a mean over rows of the whole, None where that cannot be said, or not yet."""
    if signal is None or signal.feature or signal.segment or not monitor.segments or signal.metric not in split_metrics(monitor):
        return None
    found = segments(home, monitor, now=now, metric=signal.metric, window=Window(incident.window_start, incident.window_end))
    return found if found.splits and not found.is_provisional else None


def _scores(home: Home, monitor: Monitor, now: datetime, *, since: datetime, where: pc.Expression) -> list[Score]:
    of_model = (pc.field("model") == monitor.model) & (pc.field("grain") == monitor.window) & (pc.field("version") == "")
    of_model &= (pc.field("environment") == monitor.environment) & (pc.field("window_start") >= pc.scalar(since).cast(TIMESTAMP))
    of_model &= in_force(home, monitor, now=now)
    found: list[Score] = home.lake.newest(Score, as_of=now, where=of_model & where)
    return sorted(found, key=lambda s: (s.window_start, s.metric, s.feature, s.segment))


def _segment_scores(home: Home, monitor: Monitor, row: OverviewRow, now: datetime) -> list[Score]:
    """Return KPIs of the segments over the newest month that has at least half its days, summed and not averaged."""
    if not monitor.segments or row.window_end is None:
        return []
    month = _month(monitor, row.window_end)
    metrics = (*SEGMENT_KPIS[monitor.task], *(k.name for k in monitor.kpis))
    grid = Grid("month", monitor.timezone)
    found = rolled_up(home, monitor, grid, now=now, start=month.start, end=month.end, metrics=metrics)
    return [s for s in found if s.segment and s.metric in metrics]


def _split(home: Home, monitor: Monitor, row: OverviewRow, now: datetime) -> SegmentReport | None:
    """Return what that month's change of the main KPI is of the segments' mix and of themselves, None where there is none."""
    if not monitor.segments or not split_metrics(monitor) or row.window_end is None:
        return None
    return segments(home, monitor, now=now, window=_month(monitor, row.window_end))


def _month(monitor: Monitor, end: datetime) -> Window:
    """Return the newest month that has at least half its days."""
    return Grid("month", monitor.timezone).at(end - _HALF_A_MONTH)


def _confusion(home: Home, monitor: Monitor, row: OverviewRow, now: datetime) -> Confusion | None:
    """Return which class was taken for which in that month, of the classes with most labels in it."""
    if monitor.task != "multiclass" or row.window_end is None:
        return None
    month = _month(monitor, row.window_end)
    found = labels_within(home, monitor, month, now=now)
    if not isinstance(found, MulticlassView) or not found.labelled:
        return None
    names = most_frequent(found)
    return Confusion(window=month, names=names, counts=[tuple(line) for line in found.table(names).tolist()], others=len(found.classes) - len(names))


def _class_scores(home: Home, monitor: Monitor, confusion: Confusion | None, now: datetime) -> list[Score]:
    if confusion is None:
        return []
    grid, span, metrics = Grid("month", monitor.timezone), confusion.window, set(CLASS_KPIS)
    found = rolled_up(home, monitor, grid, now=now, start=span.start, end=span.end, metrics=metrics, of_whole=True)
    return [s for s in found if s.feature.startswith(CLASS)]
