"""Places: which segments an excess comes from, in words.

Belongs here: segments' shares -> what is named and how. Does not: their shares (evidence.py), whether a segment is told by itself (told_once.py), the story around it (story.py).
"""

from collections.abc import Sequence

from watchkeeper.judgement.evidence import Evidence, SegmentShare
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.spelling import segment_pairs
from watchkeeper.words import metric_text, number_text, percent

_WORST, _MORE = 3, 0.05
_MOST, _TIMES = 0.6, 4
_ALL, _MORE_THAN_ALL = 0.995, 1.05


def where(monitor: Monitor, evidence: Evidence) -> list[tuple[str, str]]:
    """Return the fact that names the worst segments, none where no segment stands out."""
    by_dimension: dict[str, list[SegmentShare]] = {}
    for segment in worst_of(evidence):
        by_dimension.setdefault(_dimension(segment.segment), []).append(segment)
    is_one = len(by_dimension) == 1
    told = [_dimension_text(monitor, dimension, found, is_one=is_one) for dimension, found in by_dimension.items()]
    return [("Worst", "; ".join(told))] if told else []


def worst_of(evidence: Evidence) -> list[SegmentShare]:
    """Return the segments that carry clearly more of the excess than of the rows."""
    return [s for s in evidence.segments if s.share_of_excess - s.share_of_rows >= _MORE][:_WORST]


def concentrated(evidence: Evidence, metric: str = "") -> str:
    """Name the segment that most of an excess (of a rate, else of `metric`) comes from."""
    found = carrier(evidence)
    return f"; {found.segment} accounts for {_of_excess(found)}" if found is not None and found.metric == metric else ""


def carrier(evidence: Evidence) -> SegmentShare | None:
    """Return the segment that most of an excess comes from, when its rows carry several times as much of it as others."""
    worst = next(iter(evidence.segments), None)
    if worst is None or worst.share_of_excess < _MOST:
        return None
    is_dense = worst.share_of_excess * (1 - worst.share_of_rows) >= _TIMES * worst.share_of_rows * (1 - worst.share_of_excess)
    return worst if is_dense else None


def _dimension(segment: str) -> str:
    return " and ".join(column for column, _ in segment_pairs(segment))


def _dimension_text(monitor: Monitor, dimension: str, found: Sequence[SegmentShare], *, is_one: bool) -> str:
    """Return the worst segments of one dimension, whose shares add up to all of the excess, less what others of it make up for."""
    said = "; ".join(_segment_text(monitor, s, s.segment if is_one else _value(s.segment)) for s in found)
    told = said if is_one else f"by {dimension}: {said}"
    others = f" (others of {dimension} lie on the other side)" if sum(s.share_of_excess for s in found) > _MORE_THAN_ALL else ""
    return f"{told}{others}"


def _value(segment: str) -> str:
    return " and ".join(value for _, value in segment_pairs(segment))


def _of_excess(segment: SegmentShare) -> str:
    """Return a segment's part in words; of a rate that is lower than expected it is one of a shortfall."""
    what = "shortfall" if not segment.metric and segment.observed < segment.expected else "excess"
    share = percent(segment.share_of_excess) if segment.share_of_excess < _ALL else "all"
    return f"{'more than all' if segment.share_of_excess > _MORE_THAN_ALL else share} of the {what}"


def _segment_text(monitor: Monitor, segment: SegmentShare, name: str) -> str:
    shares = f"{percent(segment.share_of_rows)} of rows and {_of_excess(segment)}"
    if not segment.metric:
        return f"{name}, {percent(segment.observed)} against {percent(segment.expected)} expected, {shares}"
    found, pair = catalogue.find(segment.metric, monitor.task), (segment.observed, segment.expected)
    now, usual = (number_text(value, found.unit if found else "", pair, truth=monitor.wording.unit) for value in pair)
    return f"{name}, {metric_text(segment.metric)} {now}, usually {usual}, {shares}"
