"""The words of a service's incident: which place stands out, and how its requests fare beside all others.

Belongs here: which region, host or segment leads, and its numbers in words. Does not: what made it slow (service_causes.py), the rest of a story
(story.py).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from math import log

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.spans import during_text, rows_span, typical_text
from watchkeeper.measures import catalogue
from watchkeeper.measures.service import class_metric
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.statuses import CLASSES
from watchkeeper.records import Score, Signal
from watchkeeper.spelling import segment_pairs
from watchkeeper.words import metric_text, number_text, percent, points, share_text

TO_REST = {"latency_to_rest": ("latency_p95", "latency_p50"), "errors_to_rest": ("error_ratio",)}
"""Numbers of a place beside all others, and those of the whole that tell of the same."""
_CLASS_RATIOS = tuple(class_metric(name) for name in CLASSES if name != "ok")
SERVICE_EVIDENCE = ("latency_p95", "error_ratio", "rows", *TO_REST, *_CLASS_RATIOS)
"""What is looked up of the windows of a service's episode taken together, of the whole and of the place that leads."""
ERRORS, SLOWNESS = "errors", "latency"
"""The kinds of trouble that a service may have."""
OF_ERRORS = ("error_ratio", "timeout_ratio", "errors_to_rest")
"""Numbers that tell which requests failed; others tell how long they took."""
_AS_MUCH, _NEARLY, _WORTH_NAMING = 0.5, 0.8, 0.05
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
    if _unit(signal) == "ratio":
        return signal.value - signal.expected
    return log((signal.value + _TINY) / (signal.expected + _TINY))


def place_headline(monitor: Monitor, episode: Episode, evidence: Evidence) -> str:
    """Return the first line about a place that stands out; empty where none leads."""
    lead = evidence.worst
    if lead.metric not in TO_REST:
        return ""
    pair = pair_of_place(evidence)
    if pair is None:
        during = during_text(monitor, *rows_span(lead), evidence.told_at)
        return f"{_where(lead.segment)}: {_beside_others(lead)} {during}, {_typically(lead)}"
    during = during_text(monitor, episode.start, episode.end, evidence.told_at)
    if lead.metric == "errors_to_rest":
        return f"{share_text(pair[0])} of requests of {_where(lead.segment)} failed {during}, usually {share_text(pair[1])}"
    took, before = (number_text(value, "ms", pair) for value in pair)
    return f"latency p95 of {_where(lead.segment)} {took} {during}, usually {before}"


def pair_of_place(evidence: Evidence) -> tuple[float, float] | None:
    """Return the latency or errors of the place that leads over all windows, and over the whole reference; None where either is not known."""
    lead = evidence.lead
    return _pair(evidence.service.get((TO_REST[lead.metric][0], lead.segment))) if lead.metric in TO_REST else None


def service_facts(monitor: Monitor, evidence: Evidence) -> list[tuple[str, str]]:
    """Return how the place that leads lies beside all other requests, what the whole did, and what other kind of trouble there is."""
    lead = evidence.worst
    when = _day_of(monitor, evidence)
    too = [(f"{kind} too".capitalize(), said) for kind, said in other_kinds(evidence.signals, {kind_of(lead)}, when, evidence.service).items()]
    too += _classes_told(evidence)
    if lead.metric not in TO_REST:
        return too
    every = evidence.service.get((TO_REST[lead.metric][0], ""))
    rows, mine = (evidence.service.get(("rows", place)) for place in ("", lead.segment))
    share = f"{percent(mine.value / rows.value)} of {monitor.wording.rows}. " if rows and mine and rows.value and mine.value else ""
    ends = [lead.normal_low, lead.normal_high]
    band = (
        ""
        if None in ends
        else f" (in 95 % of windows {number_said(lead, ends[0] or 0.0).removesuffix(' times').removesuffix(' points')} to {number_said(lead, ends[1] or 0.0)})"
    )
    pair = _pair(evidence.service.get((lead.metric, lead.segment)))
    all_of_it = lead if pair is None else replace(lead, value=pair[0], expected=pair[1])
    usual = _typically(lead) if pair is None else f"usually {_usual_apart(all_of_it)}"
    said = f"{_beside_others(all_of_it)}{when(lead) if pair is None else ''}, {usual}{band}"
    whole = ""
    if (pair := _pair(every)) is not None:
        now, usual = (percent(v) if lead.metric == "errors_to_rest" else number_text(v, "ms", pair) for v in pair)
        whole = f" All together: {'errors' if lead.metric == 'errors_to_rest' else 'latency p95'} {now}, usually {usual}."
    return [("Where", f"{_where(lead.segment)}{f', {share}' if share else '. '}{said[0].upper()}{said[1:]}.{whole}"), *too]


def kind_of(signal: Signal) -> str:
    """Return what kind of trouble a service's signal tells of."""
    return ERRORS if signal.metric in OF_ERRORS else SLOWNESS


def _day_of(monitor: Monitor, evidence: Evidence) -> Callable[[Signal], str]:
    """Return what says after the number of one window when that was; empty where the episode has no other."""
    is_one = len({(s.window_start, s.window_end) for s in evidence.signals}) == 1
    return lambda signal: "" if is_one else f" {during_text(monitor, *rows_span(signal), evidence.told_at)}"


def other_kinds(
    signals: Sequence[Signal],
    but: Collection[str],
    when: Callable[[Signal], str] = lambda _: "",
    known: Mapping[tuple[str, str], Score] | None = None,
) -> dict[str, str]:
    """Return by kind of trouble what signals say of it, in words, but for some kinds: the whole's numbers, then the place that stands out most.

    Each is the number of all windows beside that of the whole reference where both are `known`, else that of its worst window, which `when` may name,
    beside that of a typical one.
    """
    said = {}
    for kind in (ERRORS, SLOWNESS):
        mine = sorted((s for s in signals if kind_of(s) == kind), key=_rise, reverse=True) if kind not in but else []
        whole = {s.metric: s for s in reversed(mine) if not s.segment}
        told = [f"{metric_text(s.metric)} {_beside_usual(s, when, _pair((known or {}).get((s.metric, ''))))}" for _, s in sorted(whole.items())]
        told += [f"{_where(s.segment)}: {_beside_others(s)}{when(s)}, {_typically(s)}" for s in [s for s in mine if s.metric in TO_REST][:1]]
        if told:
            said[kind] = "; ".join(told)
    return said


def is_share(signal: Signal) -> bool:
    """Tell whether a service's number is a share of requests, which is said in percent."""
    return signal.family == "service" and _unit(signal) == "ratio"


def _unit(signal: Signal) -> str:
    found = catalogue.find(signal.metric)
    return found.unit if found else ""


def _classes_told(evidence: Evidence) -> list[tuple[str, str]]:
    """Say of which classes the errors of an episode are, the commonest first; nothing where errors are no part of it."""
    place = evidence.lead.segment if ("error_ratio", evidence.lead.segment) in evidence.service else ""
    every = evidence.service.get(("error_ratio", place))
    if not any(kind_of(s) == ERRORS for s in evidence.signals) or every is None or not every.value:
        return []
    of = {m: found.value / every.value for m in _CLASS_RATIOS if (found := evidence.service.get((m, place))) is not None and found.value}
    told = [
        f"{percent(share)} {m.removesuffix('_ratio').replace('_', ' ')}"
        for m, share in sorted(of.items(), key=lambda one: -one[1])
        if share >= _WORTH_NAMING
    ]
    return [("Errors are", ", ".join(told))] if told else []


def number_said(signal: Signal, value: float) -> str:
    """Return a value of a signal's number as people read it: shares in percent, how far two shares lie apart in points."""
    if signal.metric == "errors_to_rest":
        return points(max(0.0, value)).removeprefix("+")
    return share_text(max(0.0, value)) if _unit(signal) == "ratio" else number_text(value, _unit(signal))


def _beside_others(signal: Signal) -> str:
    """Return how a place lies beside all other requests: shares that differ do so by points."""
    if signal.metric == "errors_to_rest":
        return f"its errors lie {number_said(signal, signal.value)} above those of all others"
    return f"they take {number_text(signal.value, beside=[signal.expected])} times as long as all others"


def _usual_apart(signal: Signal) -> str:
    """Return how a place usually lies beside all other requests, to be said after how it does."""
    return number_said(signal, signal.expected) if signal.metric == "errors_to_rest" else number_text(signal.expected, beside=[signal.value])


def _typically(signal: Signal) -> str:
    """Return what was expected of a place beside all others in the one window that a signal is of."""
    return f"usually {_usual_apart(signal)} {typical_text(signal)}"


def _beside_usual(signal: Signal, when: Callable[[Signal], str], pair: tuple[float, float] | None) -> str:
    """Return a number of all windows and of the whole reference, else of a signal's window and of a typical one."""
    if pair is not None:
        return f"{number_said(signal, pair[0])}, usually {number_said(signal, pair[1])}"
    return f"{number_said(signal, signal.value)}{when(signal)}, usually {number_said(signal, signal.expected)} {typical_text(signal)}"


def _pair(score: Score | None) -> tuple[float, float] | None:
    return None if score is None or score.value is None or score.reference_value is None else (score.value, score.reference_value)


def _where(segment: str) -> str:
    return " and ".join(f"{column} {value}" for column, value in segment_pairs(segment))
