"""The words of a service's incident: which place stands out, and how its requests fare beside all others.

Belongs here: which region, host or segment leads, and its numbers in words. Does not: what made it slow (service_causes.py), the rest of a story
(story.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from math import log

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.spans import during_text
from watchkeeper.monitor import Monitor
from watchkeeper.records import Score, Signal
from watchkeeper.spelling import segment_pairs
from watchkeeper.words import number_text, percent, share_text

TO_REST = {"latency_to_rest": ("latency_p95", "latency_p50"), "errors_to_rest": ("error_ratio",)}
"""Numbers of a place beside all others, and those of the whole that tell of the same."""
SERVICE_EVIDENCE = ("latency_p95", "error_ratio", "rows")
"""What is looked up of the windows of a service's episode taken together, of the whole and of the place that leads."""
_AS_MUCH, _NEARLY = 0.5, 0.8
_TINY = 1e-3


def place_that_leads(signals: Sequence[Signal]) -> tuple[str, str] | None:
    """Return the number and the place that tell a service's episode, None where the whole does.

    It is the place with the most requests times what they differ, or the smallest of those that have nearly as much: a region where all of its hosts
    are slow, a host where it is alone. The whole leads where it moved by far more than any place stands out.
    """
    by_place: dict[tuple[str, str], list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.family == "service" and signal.segment and signal.metric in TO_REST:
            by_place[signal.metric, signal.segment].append(signal)
    if not by_place:
        return None
    excess = {name: sum(_rise(s) * s.n for s in mine) for name, mine in by_place.items()}
    metric = max(excess, key=lambda name: max(map(_rise, by_place[name])))[0]
    of_it = {name: value for name, value in excess.items() if name[0] == metric}
    near = [name for name, value in of_it.items() if value >= _NEARLY * max(of_it.values())]
    found = min(near, key=lambda name: (max(s.n for s in by_place[name]), name))
    whole = [_rise(s) for s in signals if not s.segment and s.metric in TO_REST[metric]]
    return found if max(map(_rise, by_place[found])) >= _AS_MUCH * max(whole, default=0.0) else None


def _rise(signal: Signal) -> float:
    """Return by how much a number lies above what is usual: shares as they are, all else in logarithms."""
    if signal.metric in ("errors_to_rest", "error_ratio"):
        return signal.value - signal.expected
    return log((signal.value + _TINY) / (signal.expected + _TINY))


def place_headline(monitor: Monitor, episode: Episode, evidence: Evidence) -> str:
    """Return the first line about a place that stands out; empty where none leads."""
    lead = evidence.lead
    if lead.metric not in TO_REST:
        return ""
    during = during_text(monitor, episode.start, episode.end, evidence.told_at)
    mine = evidence.service.get((TO_REST[lead.metric][0], lead.segment))
    if lead.metric == "errors_to_rest":
        now, usual = _pair(mine) or (lead.value, lead.expected)
        return f"{share_text(now)} of requests of {_where(lead.segment)} failed {during}, usually {share_text(max(0.0, usual))}"
    if (pair := _pair(mine)) is not None:
        took, before = (number_text(value, "ms", pair) for value in pair)
        return f"latency p95 of {_where(lead.segment)} {took} {during}, usually {before}"
    return f"requests of {_where(lead.segment)} took {number_text(lead.value)} times as long as others {during}, usually {number_text(lead.expected)}"


def service_facts(monitor: Monitor, evidence: Evidence) -> list[tuple[str, str]]:
    """Return how the place that leads lies beside all other requests, and what the whole did."""
    lead = evidence.lead
    if lead.metric not in TO_REST:
        return []
    every = evidence.service.get((TO_REST[lead.metric][0], ""))
    rows, mine = (evidence.service.get(("rows", place)) for place in ("", lead.segment))
    share = f"{percent(mine.value / rows.value)} of {monitor.wording.rows}. " if rows and mine and rows.value and mine.value else ""
    said = (
        f"its errors lie {percent(lead.value)} above those of all others, usually {percent(max(0.0, lead.expected))}"
        if lead.metric == "errors_to_rest"
        else f"they take {number_text(lead.value, beside=[lead.expected])} times as long as all others, usually {number_text(lead.expected, beside=[lead.value])}"
    )
    whole = ""
    if (pair := _pair(every)) is not None:
        now, usual = (percent(v) if lead.metric == "errors_to_rest" else number_text(v, "ms", pair) for v in pair)
        whole = f" All together: {'errors' if lead.metric == 'errors_to_rest' else 'latency p95'} {now}, usually {usual}."
    return [("Where", f"{_where(lead.segment)}, {share}{said[0].upper()}{said[1:]}.{whole}")]


def _pair(score: Score | None) -> tuple[float, float] | None:
    return None if score is None or score.value is None or score.reference_value is None else (score.value, score.reference_value)


def _where(segment: str) -> str:
    return " and ".join(f"{column} {value}" for column, value in segment_pairs(segment))
