"""One model as a page: its promises, incidents, KPIs over time, labels, segments, inputs, data quality and cost.

Belongs here: what is shown and in which order. Does not: figures (figures.py), the overview's row (overview.py), reading the lake
(operations/pages.py).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from watchkeeper.judgement.budget import Outlook, outlook_text
from watchkeeper.judgement.incidents import Incident
from watchkeeper.measures.cost import COST_METRICS
from watchkeeper.monitor import Monitor, Target
from watchkeeper.records import SEVERITIES, Batch, Score, Severity, Validation
from watchkeeper.site.class_tables import Confusion, class_tables
from watchkeeper.site.figures import Figure, Frame, figure, usual_of
from watchkeeper.site.overview import OverviewRow, overview_cells
from watchkeeper.site.render import page
from watchkeeper.site.segments import SegmentReport, split_lines
from watchkeeper.site.version_table import VersionList, version_table
from watchkeeper.words import counted, metric_text, moment_text, window_text

KPIS: Mapping[str, tuple[str, ...]] = {
    "binary": ("calibration_gap", "log_loss", "roc_auc", "recall", "precision"),
    "regression": ("mae", "bias", "rmse", "r2"),
    "multiclass": ("accuracy", "log_loss", "macro_f1", "macro_roc_auc"),
    "ranking": (),
}
_OF_DECISIONS = ("accuracy", "balanced_accuracy", "recall", "precision")
"""Those of a binary model that logs no probabilities."""
SEGMENT_KPIS: Mapping[str, tuple[str, ...]] = {
    "binary": ("calibration_gap", "recall", "roc_auc"),
    "regression": ("bias", "mae"),
    "multiclass": ("accuracy", "log_loss"),
    "ranking": (),
}
_GAPS = ("log_loss_gap", "mae_gap")
_SERVICE = ("rows", "error_ratio", "latency_p95", "latency_over_p99", "queue_time_p95", "saturation")
_COST = ("total_cost", "cost_per_1000_predictions", "cost_per_correct_prediction")
_ROWS_SHOWN = 20
_SEGMENTS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a model's page is made of: newest revisions, `whole` over all segments, `segments`, `split`, `classes` and `confusion` of one longer window."""

    monitor: Monitor
    row: OverviewRow
    whole: Sequence[Score]
    segments: Sequence[Score] = ()
    split: SegmentReport | None = None
    classes: Sequence[Score] = ()
    confusion: Confusion | None = None
    versions: VersionList | None = None
    incidents: Sequence[Incident] = ()
    validations: Sequence[Validation] = ()
    batches: Sequence[Batch] = ()
    links: Sequence[tuple[str, str]] = ()
    outlook: Outlook | None = None
    """The month beside its budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table; which fields it uses depends on the table."""

    name: str = ""
    n: int = 0
    scores: Sequence[Score | None] = ()
    value: float | None = None
    usual: float | None = None
    reading: str = ""
    when: str = ""
    what: str = ""
    severity: str = ""
    count: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Lines with a caption."""

    caption: str
    lines: Sequence[Line] = ()
    metrics: Sequence[str] = field(default=())
    metric: str = ""


def model_page(facts: ModelFacts, *, frame: Frame, workspace: str) -> str:
    """Return the page of a model."""
    by_metric = _by_metric(facts.whole)
    last = max((s.window_end for s in facts.whole), default=None)
    return page(
        "model.html",
        root="../",
        workspace=workspace,
        as_of=moment_text(max((s.computed_at for s in facts.whole), default=None), frame.timezone) or "now: nothing is measured yet",
        row=facts.row,
        cells=overview_cells(facts.row),
        description=f"{facts.monitor.description or 'No description'} · {facts.monitor.task}, by {facts.monitor.window}, {facts.monitor.timezone}",
        incidents=sorted(facts.incidents, key=_standing, reverse=True),
        timezone=lambda _: frame.timezone,
        sections=_sections(facts.monitor, by_metric, frame),
        classes=class_tables(facts.confusion, facts.classes, frame.timezone),
        segments=segment_table(facts.segments, facts.monitor),
        splits=split_lines(facts.monitor, facts.split) if facts.split else [],
        versions=version_table(facts.versions, frame.timezone) if facts.versions else None,
        features=feature_table(facts.whole, frame),
        quality=quality_table(facts.validations, facts.batches, frame.timezone),
        others=sorted((s for s in facts.whole if s.window_end == last and not s.feature), key=lambda s: s.metric),
        links=facts.links,
        outlook=outlook_text(facts.outlook) if facts.outlook else "",
    )


def _standing(incident: Incident) -> tuple[bool, int, datetime]:
    """Order incidents as the overview does: open ones first, the gravest of them first; then the newest."""
    return incident.is_open, SEVERITIES.index(cast("Severity", incident.severity)) if incident.is_open else 0, incident.window_start


def _by_metric(scores: Sequence[Score]) -> dict[tuple[str, str], list[Score]]:
    found: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in scores:
        if not score.segment and not score.version:
            found[score.metric, score.feature].append(score)
    return found


def _sections(monitor: Monitor, by_metric: Mapping[tuple[str, str], list[Score]], frame: Frame) -> list[tuple[str, list[Figure]]]:
    promised = {(t.metric, t.feature): t for t in monitor.targets if not t.segment}
    shown = dict.fromkeys([*((m, "") for m in (*_kpis(monitor), *_own(monitor))), *promised])

    def drawn(*about: tuple[str, str]) -> list[Figure]:
        made = (
            figure(by_metric.get((m, f), []), frame, limit=_limit(promised.get((m, f))), estimated=by_metric.get((f"estimated_{m}", f), []))
            for m, f in about
        )
        return [f for f in made if f is not None]

    return [
        ("How good it is", drawn(*shown)),
        ("Realised minus estimated: moves when inputs come to mean something else", drawn(*((m, "") for m in _GAPS))),
        ("Labels", drawn(("label_coverage", ""))),
        ("Traffic", drawn(*((m, "") for m in _SERVICE))),
        (_cost_heading(by_metric), drawn(*((m, "") for m in _COST))),
    ]


def _kpis(monitor: Monitor) -> tuple[str, ...]:
    return _OF_DECISIONS if monitor.decides_alone else KPIS[monitor.task]


def _own(monitor: Monitor) -> list[str]:
    return [kpi.name for kpi in monitor.kpis]


def _cost_heading(by_metric: Mapping[tuple[str, str], list[Score]]) -> str:
    spent = [s for m in COST_METRICS for s in by_metric.get((m, ""), [])]
    return "Cost (synthetic trace, not a bill)" if any("synthetic" in s.method for s in spent) else "Cost"


def _limit(target: Target | None) -> float | None:
    if target is None:
        return None
    return target.at_least if target.at_least is not None else target.at_most


def segment_table(scores: Sequence[Score], monitor: Monitor) -> Table | None:
    """Return the newest KPIs of each segment, the largest segments first, None without segments."""
    metrics = [m for m in (*SEGMENT_KPIS[monitor.task], *_own(monitor)) if any(s.metric == m for s in scores)]
    if not metrics:
        return None
    newest = max(s.window_start for s in scores)
    named: dict[str, dict[str, Score]] = defaultdict(dict)
    for score in scores:
        if score.segment and score.window_start == newest and score.metric in metrics:
            named[score.segment][score.metric] = score
    lines = [Line(name=_segment(name), n=max(s.n for s in held.values()), scores=[held.get(m) for m in metrics]) for name, held in named.items()]
    lines.sort(key=lambda line: -line.n)
    left = f" The {len(lines) - _SEGMENTS_SHOWN} smallest are left out." if len(lines) > _SEGMENTS_SHOWN else ""
    end = max(s.window_end for s in scores if s.window_start == newest)
    is_provisional = any(s.state == "provisional" and s.window_start == newest for s in scores)
    waits = (
        f" Provisional: {'the month is not over' if end > max(s.computed_at for s in scores) else 'labels are still due'}." if is_provisional else ""
    )
    return Table(
        caption=f"{window_text(newest, end, monitor.timezone)}, with 95 % intervals.{waits}{left}", lines=lines[:_SEGMENTS_SHOWN], metrics=metrics
    )


def _segment(name: str) -> str:
    return metric_text("", segment=name).removeprefix(", ")


def feature_table(scores: Sequence[Score], frame: Frame) -> Table | None:
    """Return how far each feature is from the reference in the newest window, beside what its reference windows had."""
    stored = [s for s in scores if s.metric == "psi" and s.feature and s.value is not None]
    if not stored:
        return None
    newest = max(s.window_start for s in stored)
    lines = [_feature_line(s, [r for r in stored if r.feature == s.feature], frame) for s in stored if s.window_start == newest]
    lines.sort(key=lambda line: (line.reading != "out of line", -(line.value or 0.0)))
    end = next(s.window_end for s in stored if s.window_start == newest)
    caption = f"{window_text(newest, end, frame.timezone)}. A feature that moved is a reason to look, not an alarm; usual ends where 95 % of reference windows do."
    return Table(caption=caption, lines=lines, metric="PSI")


def _feature_line(score: Score, history: Sequence[Score], frame: Frame) -> Line:
    usual = usual_of(history, frame)
    band = None if usual is None else usual.of([score.window_start])[0]
    reading = "not known" if band is None else "out of line" if (score.value or 0.0) > band.high else "usual"
    return Line(name=score.feature.removeprefix("@"), value=score.value, usual=None if band is None else band.high, reading=reading)


def quality_table(validations: Sequence[Validation], batches: Sequence[Batch], timezone: str) -> Table:
    """Return what failed or could not be checked lately, newest first, and how many rows were set aside."""
    broken = sorted((v for v in validations if v.outcome != "pass"), key=lambda v: (v.validated_at, SEVERITIES.index("critical")), reverse=True)
    aside = sum(b.rows_quarantined for b in batches)
    landed = f"{counted(len(batches), 'batch')}, {counted(sum(b.rows_landed for b in batches), 'row')} landed, {aside:,} set aside"
    lines = [_quality_line(v, timezone) for v in broken[:_ROWS_SHOWN]]
    said = "what failed, newest first" if lines else "nothing failed"
    more = f" ({len(broken) - _ROWS_SHOWN} older are left out)" if len(broken) > _ROWS_SHOWN else ""
    return Table(caption=f"Last 35 days: {landed}; {said}{more}.", lines=lines)


def _quality_line(found: Validation, timezone: str) -> Line:
    about = f"{found.column}: " if found.column else ""
    words = found.expectation.removeprefix("expect_").replace("_", " ")
    many: dict[str, Any] = {"fail": f"{found.unexpected_count:,}" if found.unexpected_count is not None else "", "error": "could not be checked"}
    return Line(
        when=moment_text(found.validated_at, timezone),
        what=about + words,
        severity=found.severity,
        count=many[found.outcome],
        why=found.why if found.outcome == "fail" else found.error,
    )
