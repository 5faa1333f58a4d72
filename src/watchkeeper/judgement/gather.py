"""Gathering: from an episode's windows to the evidence about them, by looking scores up.

Belongs here: which scores bear on an episode. Does not: reading tables (operations/judge.py), deciding (causes.py).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from watchkeeper.judgement.apart import rest_of
from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.episodes import MISSING_SEGMENTS, WITHOUT_LABELS, Episode, bad_windows_before, windows_out_of_line
from watchkeeper.judgement.evidence import (
    OF_A_RATE,
    OF_SEGMENTS,
    ROLLING,
    Broken,
    Evidence,
    Pooled,
    Refused,
    SegmentShare,
    baseline_of,
    segment_excesses,
    segment_shares,
    volume_of,
)
from watchkeeper.judgement.fault_places import FaultPlace
from watchkeeper.judgement.leads import lead_of
from watchkeeper.judgement.missing_segments_story import arrived_instead, come_since, gone_since
from watchkeeper.judgement.moves import drift_between, moved_features
from watchkeeper.judgement.parted import parted_since
from watchkeeper.judgement.service_story import SERVICE_EVIDENCE
from watchkeeper.judgement.succession import Succession
from watchkeeper.judgement.traces import Traces
from watchkeeper.judgement.versions import BEFORE_A_WINDOW, Versions
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.records import Change, Score, Signal
from watchkeeper.windows import Window


@dataclass(frozen=True)
class Known:
    """All that bears on any episode of one model; `scores` has rows as in sql/judged_scores.sql.

    `versions` looks up which model versions answered at an episode's onset, `succession` whether another version than that of the reference
    has the traffic at a moment; `broken` and `set_aside` look up what intake found in
    a stretch of time: expectations that rows broke, and how many rows of a source are held, with the commonest reason. `broken_then`
    does as `broken` for files that hold any row of the time. `traces` looks up what rows show of an episode, `places` of which segment faults of an episode are. `refused` looks up files of a source that came then and were refused whole.
    `unalarmed` looks up what windows of an episode tell that raised no alarm.
    """

    scores: pa.Table
    signals: Sequence[Signal]
    changes: Sequence[Change]
    has_gpu: bool
    broken: Callable[[Window], list[Broken]] = lambda _: []
    broken_then: Callable[[Window], list[Broken]] = lambda _: []
    set_aside: Callable[[Window, str, Collection[str]], tuple[int, str]] = lambda _window, _source, _segments: (0, "")
    refused: Callable[[Window, str], list[Refused]] = lambda _window, _source: []
    versions: Callable[[Episode], Versions | None] = lambda _: None
    succession: Callable[[datetime], Succession | None] = lambda _: None
    traces: Callable[[Episode], Traces | None] = lambda _: None
    places: Callable[[Episode, Sequence[Signal]], dict[tuple[str, str], FaultPlace]] = lambda _episode, _faults: {}
    unalarmed: Callable[[Episode], Sequence[Signal]] = lambda _: ()
    told_at: datetime | None = None

    def changes_near(self, episode: Episode) -> list[Change]:
        """Return the recorded changes that may bear on an episode."""
        return [c for c in self.changes if episode.start - BEFORE_A_WINDOW <= c.at < episode.end]

    def news_about(self, episode: Episode, told_at: datetime) -> str:
        """Return what was learned about an episode since it was told last, and is in no score: changes recorded since; empty when nothing."""
        fresh = [c for c in self.changes_near(episode) if c.recorded_at > told_at] if episode.family != "data" else []
        return f"recorded since: {', '.join(' '.join(filter(None, (c.kind, c.version))) for c in fresh)}" if fresh else ""


def evidence_of(monitor: Monitor, episode: Episode, known: Known, pooled: Pooled, *, are_labels_due: bool = True) -> Evidence:
    """Return the evidence about an episode; `pooled` holds the scores of its windows taken together.

    While labels of these are not due, only what is certain whatever the missing ones say is taken from them.
    """
    windows = sorted({episode.start, *(s.window_start for s in episode.signals)})
    segment = lead_of(episode.signals).segment
    rate, gap = pooled.of("positive_rate", segment), pooled.of("calibration_gap", segment)
    start, alarmed = windows[0], min(episode.signals, key=lambda s: s.window_start)
    faults, broken, later, later_faults = _at_fault(known, Window(start, episode.end), Window(alarmed.window_start, alarmed.window_end))
    bad = {window.start for window in bad_windows_before(episode, known.signals)}
    moved, compared = moved_features(drift_between(known.scores, start - ROLLING, start), drift_between(known.scores, start, episode.end), bad)
    waiting = all(s.state == "provisional" for s in episode.signals)
    expected = _expected(pooled, segment, rate, gap, everything=waiting)
    bounds = (rate.bound_low, rate.bound_high) if waiting and rate is not None else (None, None)
    rest = rest_of(pooled.of("calibration_gap"), gap) if segment and are_labels_due else None
    recall, coverage = pooled.of("recall", segment), _coverage(rate)
    have_share = are_labels_due or (waiting and episode.family not in WITHOUT_LABELS)
    if not are_labels_due:
        rate, gap = _certain(rate, gap, expected, bounds) if have_share else (None, None)
    source = "labels" if lead_of(episode.signals).metric == "label_coverage" else "events"
    missing = {s.segment for s in episode.signals} if episode.subject == MISSING_SEGMENTS else set()
    return Evidence(
        windows=windows,
        first_end=episode.first_end,
        end=episode.end,
        lead=lead_of(episode.signals),
        signals=episode.signals,
        unalarmed=known.unalarmed(episode),
        is_provisional=waiting,
        whole=None if lead_of(episode.signals).feature else pooled.of(lead_of(episode.signals).metric, segment),
        coverage=coverage if have_share else None,
        observed=rate,
        gap=gap,
        rest=rest,
        least_observed=bounds[0],
        most_observed=bounds[1],
        expected=expected,
        usual_observed=rate.reference_value if rate else None,
        usual_expected=_minus(rate.reference_value if rate else None, gap.reference_value if gap else None),
        usual_gap=gap.reference_value if gap else None,
        missed=_missed(recall) if have_share else None,
        usual_recall=_reference(recall),
        flagged=pooled.of("flagged_ratio", segment),
        precision=pooled.of("precision", segment) if are_labels_due else None,
        moved=moved,
        compared=compared,
        baseline=baseline_of(known.scores, start),
        segments=_segments(monitor, episode, pooled, gap) if are_labels_due else [],
        faults=faults,
        broken=broken,
        faulty_later=later,
        later_faults=later_faults,
        noticed=[
            s
            for s in known.signals
            if s.family == "covariate" and s.feature and not s.feature.startswith("@") and start <= s.window_start < episode.end
        ],
        parted=parted_since(known.signals, start, alarmed.window_end),
        set_aside=known.set_aside(Window(start, episode.end), source, missing),
        refused=known.refused(Window(start, episode.end), source),
        arrived=arrived_instead(episode.signals, windows_out_of_line(episode), known.scores) if missing else (),
        gone=gone_since(episode.signals, windows_out_of_line(episode), known.scores) if episode.family == "data" and not missing else (),
        come=come_since(monitor.reference_span, episode.signals, windows_out_of_line(episode), known.scores) if episode.family == "data" else (),
        changes=known.changes_near(episode),
        versions=known.versions(episode) if episode.family != "data" else None,
        succession=known.succession(episode.end) if episode.family not in ("data", "target") else None,
        traces=known.traces(episode) or Traces(),
        fault_places=known.places(episode, [*episode.signals, *faults, *later_faults]),
        volume=volume_of(known.scores, windows_out_of_line(episode), start),
        service={(m, s): score for m in SERVICE_EVIDENCE for s in {"", segment} if (score := pooled.of(m, s)) is not None},
        not_measured=[name for name, is_known in (("latency", bool(monitor.columns.latency)), ("GPU", known.has_gpu)) if not is_known],
        told_at=known.told_at,
        timezone=monitor.timezone,
    )


def _at_fault(known: Known, whole: Window, alarmed: Window) -> tuple[list[Signal], list[Broken], list[str], list[Signal]]:
    """Return the faults of data in an episode that were there at its first alarm, and of those that came later the columns and the signals."""
    faults = [s for s in known.signals if s.family == "data" and s.level == "page" and s.metric != BROKEN and s.window_start in whole]
    begun = {s.feature for s in faults if s.window_start < alarmed.end}
    broken, then = known.broken(whole), {b.column for b in known.broken_then(alarmed)}
    after = [s for s in faults if s.feature not in begun]
    later = [s.feature for s in after] + [b.column for b in broken if b.column not in then | begun]
    return [s for s in faults if s.feature in begun], [b for b in broken if b.column in then | begun], sorted(set(filter(None, later))), after


def _segments(monitor: Monitor, episode: Episode, pooled: Pooled, gap: Score | None) -> list[SegmentShare]:
    """Return the segments' parts in what is out of line, by the number that leads where segments have it."""
    if lead_of(episode.signals).segment:
        return []
    names, metric = OF_SEGMENTS.get(monitor.task), lead_of(episode.signals).metric
    if names is None and metric not in OF_A_RATE:
        return []
    if names is None:
        return segment_shares(pooled, (gap.reference_value or 0.0) if gap else 0.0)
    if catalogue.find(metric, monitor.task) is None:
        return []
    return segment_excesses(pooled, metric if metric in names else names[0])


def _expected(pooled: Pooled, segment: str, rate: Score | None, gap: Score | None, *, everything: bool) -> float | None:
    """Return what the model expected: over all rows while labels are missing, else over the labelled ones."""
    said = pooled.of("score_mean", segment)
    if everything and said is not None:
        return said.value
    return _minus(rate.value if rate else None, gap.value if gap else None)


def _certain(
    rate: Score | None, gap: Score | None, expected: float | None, bounds: tuple[float | None, float | None]
) -> tuple[Score | None, Score | None]:
    """Return the rate and the gap as they are at least whatever the missing labels say: at the end of the bounds that is nearest to what was expected."""
    least, most = bounds
    sure = most if most is not None and expected is not None and most < expected else least
    if rate is None or sure is None or expected is None:
        return rate, None
    return replace(rate, value=sure, low=None, high=None), None if gap is None else replace(gap, value=sure - expected, low=None, high=None)


def _minus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _coverage(rate: Score | None) -> tuple[int, int] | None:
    return None if rate is None or not rate.coverage else (rate.n, round(rate.n / rate.coverage))


def _missed(recall: Score | None) -> tuple[int, int] | None:
    """Return how many positives were not flagged, of how many."""
    return None if recall is None or recall.value is None else (round((1 - recall.value) * recall.n), recall.n)


def _reference(score: Score | None) -> float | None:
    return None if score is None else score.reference_value
