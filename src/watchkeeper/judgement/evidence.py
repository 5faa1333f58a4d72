"""Evidence: what the scores of an incident's windows say, beside the reference and the weeks before.

Belongs here: gathering numbers for causes and words. Does not: deciding (causes.py) or telling (story.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.fault_places import FaultPlace
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.succession import Succession
from watchkeeper.judgement.traces import Traces
from watchkeeper.judgement.versions import Versions
from watchkeeper.judgement.worst import alike, worst_of
from watchkeeper.records import Change, Score, Signal
from watchkeeper.windows import Window

ROLLING = timedelta(days=56)
OF_SEGMENTS = {"regression": ("mae", "bias"), "multiclass": ("accuracy", "log_loss")}
"""What segments are compared by, where no rate tells what was expected of them; the first stands for metrics that segments do not have."""
EVIDENCE = {
    "positive_rate",
    "calibration_gap",
    "recall",
    "flagged_ratio",
    "precision",
    "score_mean",
    *OF_SEGMENTS["regression"],
    *OF_SEGMENTS["multiclass"],
}
"""What is looked up of an episode's windows taken together."""
OF_A_RATE = ("calibration_gap", "calibration_gap_to_rest", "log_loss", "recall", "accuracy")
"""Metrics that a split of the outcome's rate explains; it says nothing about how well scores rank."""
_GRID = timedelta(days=2)
_LEAST_BASELINE = 14
_CERTAIN = 1.96  # so many standard errors from what is usual lies what is beyond chance


@dataclass(frozen=True, slots=True)
class Broken:
    """An expectation that many rows broke and landed all the same: the share that did, and the share before."""

    column: str
    expectation: str
    share: float
    usual: float


@dataclass(frozen=True, slots=True)
class SegmentShare:
    """A segment's part in an excess: its own gap, and which share of the whole excess it carries.

    Of a rate, or with `metric` of a number of which `expected` is what it usually is in that segment.
    """

    segment: str
    gap: float
    observed: float
    expected: float
    share_of_rows: float
    share_of_excess: float
    metric: str = ""


class Refused(NamedTuple):
    """A file of which nothing landed, and why; when its rows are of, nobody knows."""

    name: str
    reason: str


class Arrived(NamedTuple):
    """A segment, and how many rows it has more than before."""

    segment: str
    rows: float


@dataclass(frozen=True)
class Evidence:
    """What is known about an episode; `None` means not measured.

    Its numbers are of the windows whose labels are due; those of `not_due` are in none of them. Where no alarm's labels are (`is_provisional`),
    `observed` and `gap` are the bound that is certain, nearest to what was expected, and nothing else of labels is known.
    `bad_observed` and `bad_gap` are the rate and the gap over the windows that were out of line, where others lie between: causes are of these.
    `rest` is the gap of all rows that are not of the segment it is about; `whole` the leading number over all its windows, where that is a mean of rows; `traces` what the rows of its bad windows show; `service` figures of the
    service over these, by metric and place; `volume` the rows of such a window, and the median and the most of one in the weeks before;
    `fault_places` the segment that nearly all missing values, or new categories, of a feature are of, by metric and feature; `gone` the segments of faulty columns that have no rows any more, `come` those that the reference has none of; `noticed` the notices about
    inputs in the same windows; `parted` the first of those about pairs of inputs that no longer go together (parted.py); `unalarmed` what its windows tell that raised no alarm; `beginning` the evidence of the windows before something else began, where it did while the episode went on.
    """

    windows: list[datetime]
    first_end: datetime
    end: datetime
    lead: Signal
    signals: Sequence[Signal]
    is_provisional: bool
    not_due: Window | None = None
    coverage: tuple[int, int] | None = None
    whole: Score | None = None
    observed: Score | None = None
    gap: Score | None = None
    bad_observed: Score | None = None
    bad_gap: Score | None = None
    rest: Score | None = None
    least_observed: float | None = None
    most_observed: float | None = None
    expected: float | None = None
    usual_observed: float | None = None
    usual_expected: float | None = None
    usual_gap: float | None = None
    missed: tuple[int, int] | None = None
    usual_recall: float | None = None
    flagged: Score | None = None
    precision: Score | None = None
    moved: list[Moved] | None = None
    compared: int = 0
    baseline: timedelta = ROLLING
    segments: list[SegmentShare] = field(default_factory=list)
    faults: list[Signal] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    faulty_later: list[str] = field(default_factory=list)
    later_faults: list[Signal] = field(default_factory=list)
    noticed: Sequence[Signal] = ()
    parted: Sequence[Signal] = ()
    set_aside: tuple[int, str] = (0, "")
    refused: list[Refused] = field(default_factory=list)
    arrived: Sequence[Arrived] = ()
    gone: Sequence[str] = ()
    come: Sequence[str] = ()
    changes: list[Change] = field(default_factory=list)
    versions: Versions | None = None
    succession: Succession | None = None
    traces: Traces = field(default_factory=Traces)
    volume: tuple[float, float, float] | None = None
    service: Mapping[tuple[str, str], Score] = field(default_factory=dict)
    fault_places: Mapping[tuple[str, str], FaultPlace] = field(default_factory=dict)
    unalarmed: Sequence[Signal] = ()
    not_measured: list[str] = field(default_factory=list)
    told_at: datetime | None = None
    timezone: str = "UTC"
    beginning: "Evidence | None" = None

    @property
    def worst(self) -> Signal:
        """The number that leads in the window in which it is furthest from what is expected."""
        return worst_of(alike(self.signals, self.lead) or [self.lead], self.unalarmed)

    @property
    def judged(self) -> int:
        """In how many windows the number that leads was judged, whether it alarmed in them or not."""
        return len({s.window_start for s in alike([*self.signals, *self.unalarmed], self.lead)})


def places_of(faults: Iterable[Signal], found: Mapping[tuple[str, str], FaultPlace]) -> dict[str, FaultPlace]:
    """Return the places of faults by feature; of one with several the place of what most rows have."""
    ranked = sorted(faults, key=lambda s: s.value)
    worst = {s.feature: (s.metric, s.feature) for s in ranked}
    return {feature: found[name] for feature, name in worst.items() if name in found}


class Pooled:
    """The scores of an episode's windows taken together, from the sums of their parts."""

    def __init__(self, scores: Iterable[Score]) -> None:
        """Keep the scores by metric, feature and segment."""
        self._scores = {(s.metric, s.feature, s.segment): s for s in scores}

    def of(self, metric: str, segment: str = "") -> Score | None:
        """Return a metric of the model or of one segment, None when it has no number."""
        found = self._scores.get((metric, "", segment))
        return found if found is not None and found.value is not None else None

    def segments(self) -> list[str]:
        """Return the segments with any score."""
        return sorted({segment for _, _, segment in self._scores if segment})


def volume_of(scores: pa.Table, windows: Sequence[Window], start: datetime) -> tuple[float, float, float] | None:
    """Return the rows of a window among some, and the median and the most of one in the 56 days before `start`; None without any of these."""
    kind = scores.schema.field("window_start").type
    since = pc.field("window_start") >= pa.scalar(start - ROLLING, kind)
    rows = scores.filter((pc.field("metric") == "rows") & (pc.field("segment") == "") & pc.field("value").is_valid() & since)
    sides: tuple[list[float], list[float]] = ([], [])
    for begun, value in zip(rows.column("window_start").to_pylist(), rows.column("value").to_pylist(), strict=True):
        if begun < start or any(begun in w for w in windows):
            sides[begun >= start].append(float(value))
    before, now = sides
    return (float(np.mean(now)), float(np.median(before)), max(before)) if now and len(before) >= _LEAST_BASELINE else None


def baseline_of(scores: pa.Table, start: datetime) -> timedelta:
    """Return how long the time before an episode is that inputs are compared with: 56 days, or what there is."""
    kind = scores.schema.field("window_start").type
    since = pc.field("window_start") >= pa.scalar(start - ROLLING, kind)
    first = pc.min(scores.filter((pc.field("metric") == "psi") & since & pc.field("value").is_valid()).column("window_start")).as_py()
    whole = first is None or first >= start or first < start - ROLLING + _GRID  # the first window inside may begin a day or two later
    return ROLLING if whole else start - first


def is_borne_out(episode: Episode, scores: pa.Table) -> bool:
    """Tell whether a segment's own gap is out of line over all windows of its episode, and not only its distance to the rest.

    A segment stands out from the rest also when the rest has moved away from it, and single windows of few rows by chance.
    The windows between the alarms count, which the alarms were not chosen by. Other episodes bear themselves out.
    """
    if episode.family != "segment":
        return True
    kind = scores.schema.field("window_start").type
    inside = (pc.field("window_start") >= pa.scalar(episode.start, kind)) & (pc.field("window_start") < pa.scalar(episode.end, kind))
    about = (pc.field("metric") == "calibration_gap") & (pc.field("segment") == episode.subject) & (pc.field("state") == "mature")
    rows = scores.filter(about & inside & pc.field("value").is_valid() & pc.field("se").is_valid())
    if rows.num_rows == 0:
        return False
    value, se, n, usual = (np.asarray(rows.column(name).cast(pa.float64()), float) for name in ("value", "se", "n", "reference_value"))
    gap = float(np.average(value - np.nan_to_num(usual), weights=n))
    return abs(gap) > _CERTAIN * float(np.sqrt(np.sum((n * se) ** 2))) / float(n.sum())


def _is_sure(total: Score, usual: float) -> bool:
    """Tell whether there is an excess beyond chance; shares of one that is not are a quotient of noise."""
    excess = abs((total.value or 0.0) - usual)
    return excess > 0 and excess > _CERTAIN * (total.se or 0.0)


def segment_shares(pooled: Pooled, usual_gap: float) -> list[SegmentShare]:
    """Return each segment's part of the excess over what is usual, the largest excess first."""
    total = pooled.of("calibration_gap")
    if total is None or total.value is None or not _is_sure(total, usual_gap):
        return []
    excess, out = (total.value - usual_gap) * total.n, []
    for segment in pooled.segments():
        gap, rate = pooled.of("calibration_gap", segment), pooled.of("positive_rate", segment)
        if gap is not None and gap.value is not None and rate is not None and rate.value is not None:
            share = (gap.value - usual_gap) * gap.n / excess
            out.append(SegmentShare(segment, gap.value, rate.value, rate.value - gap.value, gap.n / total.n, share))
    return sorted(out, key=lambda s: -s.share_of_excess)


def segment_excesses(pooled: Pooled, metric: str) -> list[SegmentShare]:
    """Return each segment's part of the excess of a metric over what is usual, the largest first; each against its own usual number."""
    total = pooled.of(metric)
    if total is None or total.value is None or total.reference_value is None or not _is_sure(total, total.reference_value):
        return []
    excess, out = (total.value - total.reference_value) * total.n, []
    for segment in pooled.segments():
        found = pooled.of(metric, segment)
        if found is not None and found.value is not None and found.reference_value is not None:
            gap = found.value - found.reference_value
            share = gap * found.n / excess
            out.append(SegmentShare(segment, gap, found.value, found.reference_value, found.n / total.n, share, metric))
    return sorted(out, key=lambda s: -s.share_of_excess)
