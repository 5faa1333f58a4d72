"""Worsening: what of an incident that goes on is told at once, beside signals that only say that it goes on.

Belongs here: when another kind of trouble joins, or a number has doubled. Does not: which signals are one story (episodes.py), what becomes of an
incident (incidents.py), how long other updates wait (outbox.py).

The rule, of data and service: a kind of trouble (errors, slowness) that the incident had not, and a number at least twice what was known of it when the
incident opened or last got worse. Of any incident: a fault of data that began while it went on (later_causes.py). So one that creeps up is told at each doubling, and one that wavers is not told again.
One that was closed as lasting is known as it was then: it is open again where it got so much worse, of whatever it is about.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from watchkeeper.judgement.episodes import WITHOUT_LABELS, Episode
from watchkeeper.judgement.service_story import kind_of, number_said, other_kinds
from watchkeeper.records import IncidentEvent, Signal
from watchkeeper.words import metric_text, points

WORSE = "got worse: "
"""What the reason of an event begins with that people are told of at once."""
_TIMES = 2.0
_Name = tuple[str, str, str]


def is_worse(event: IncidentEvent) -> bool:
    """Tell whether an event says that its incident got worse."""
    return event.event != "resolved" and event.why.startswith(WORSE)


def worsened(episode: Episode, known_ids: Iterable[str], known: Callable[[], Iterable[Signal]]) -> str:
    """Return in what an episode got worse, empty where in nothing.

    `known_ids` are the signals that its incident has had; `known` reads those of its family and time in all their revisions, as they stood when it opened or
    last got worse.
    """
    if episode.family not in WITHOUT_LABELS:
        return ""
    before = set(known_ids)
    had = {kind_of(s) for s in episode.signals if s.signal_id in before}
    came = list(other_kinds(episode.signals, had).values()) if episode.family == "service" and had else []
    grown = [] if came else _grown(episode, known())
    said = [*came, *grown]
    return f"{WORSE}{'; '.join(said)}" if said else ""


def outgrown(episode: Episode, known_ids: Iterable[str]) -> str:
    """Return by what an episode is no longer what was closed as lasting, empty where by nothing: a number twice as far from what is expected as any that was told, beyond its interval, or of data a column that was none of it.

    `known_ids` are the signals that its incident has had.
    """
    told, then, fresh = set(known_ids), dict[_Name, Signal](), list[Signal]()
    for s in sorted(episode.signals, key=_miss):
        if s.signal_id in told:
            then[_name(s)] = s
        else:
            fresh.append(s)
    grown = [s for s in fresh if _name(s) in then and _miss(s) >= _TIMES * _miss(then[_name(s)]) and not _holds(s, then[_name(s)].value)]
    came = [s for s in fresh if episode.family == "data" and _name(s) not in then] if then else []
    said = [f"{_about(s)} {_value(s)}, before {_value(then[_name(s)])}" for s in grown[-1:]] + [f"also {_about(s)} {_value(s)}" for s in came[-1:]]
    return f"{WORSE}{'; '.join(said)}" if said else ""


def _miss(signal: Signal) -> float:
    return abs(signal.value - signal.expected)


def _holds(signal: Signal, value: float) -> bool:
    """Tell whether the interval of a signal's number holds a value."""
    return signal.low is not None and signal.high is not None and signal.low <= value <= signal.high


def _value(signal: Signal) -> str:
    return points(signal.value) if signal.metric.startswith("calibration_gap") else number_said(signal, signal.value)


def has_joined(faults: str) -> str:
    """Return that faults began while an incident went on, as what people are told of at once; empty for none."""
    return f"{WORSE}{faults}" if faults else ""


def has_grown(value: float, before: float, expected: float) -> bool:
    """Tell whether a number that lies above what is expected is at least twice what it was.

    >>> has_grown(0.47, 0.19, 0.004), has_grown(0.30, 0.19, 0.004), has_grown(40.0, 10.0, 80.0)
    (True, False, False)
    """
    return value > expected and before > 0 and value >= _TIMES * before


def _grown(episode: Episode, known: Iterable[Signal]) -> list[str]:
    """Return the numbers that have doubled, the worst of each metric, in words."""
    then: dict[_Name, float] = defaultdict(float)
    for s in known:
        if s.state != "withdrawn":
            then[_name(s)] = max(then[_name(s)], s.value)
    doubled = [s for s in episode.signals if _name(s) in then and has_grown(s.value, then[_name(s)], s.expected)]
    worst: dict[str, Signal] = {}
    for s in sorted(doubled, key=lambda s: (bool(s.segment), -s.value)):
        worst.setdefault(s.metric, s)
    return [f"{_about(s)} {number_said(s, s.value)}, before {number_said(s, then[_name(s)])}" for s in worst.values()]


def _about(signal: Signal) -> str:
    return metric_text(signal.metric, signal.feature, signal.segment)


def _name(signal: Signal) -> _Name:
    return signal.metric, signal.feature, signal.segment
