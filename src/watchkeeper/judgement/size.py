"""Size: how bad an incident is in its worst window, as a number that a later one can be held against.

Belongs here: which number that is, and its words. Does not: the headline, which tells of all windows (story.py), what has grown since people were
told (news.py).
"""

from watchkeeper.judgement.episodes import WITHOUT_LABELS
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.service_story import is_share, number_said
from watchkeeper.judgement.spans import during_text, rows_span
from watchkeeper.measures.own import unit_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal
from watchkeeper.story import Size
from watchkeeper.words import metric_text, number_text, points


def size_of(monitor: Monitor, evidence: Evidence) -> Size:
    """Return the leading number in the worst of the windows that are final, or of all while none is."""
    worst = evidence.worst
    about = metric_text(worst.metric, worst.feature, worst.segment)
    waits = worst.state != "mature" and worst.family not in WITHOUT_LABELS and worst.rows_from is None
    bound = "" if not waits else "at least " if worst.value > worst.expected else "at most "
    day = during_text(monitor, *rows_span(worst), evidence.told_at)
    beside = "promised" if worst.family == "target" else "usually"
    usual = "" if _is_gap(worst) and not round(100 * worst.expected) else f", {beside} {_said(monitor, worst, worst.expected)}"
    return Size(
        about=about,
        value=worst.value,
        expected=worst.expected,
        low=worst.low,
        high=worst.high,
        is_final=worst.state == "mature",
        said=f"{about} {bound}{_said(monitor, worst, worst.value)} {day}{usual}",
    )


def _said(monitor: Monitor, signal: Signal, value: float) -> str:
    if _is_gap(signal):
        return points(value)
    return number_said(signal, value) if is_share(signal) else number_text(value, unit_of(monitor, signal.metric), truth=monitor.wording.unit)


def _is_gap(signal: Signal) -> bool:
    return signal.metric.startswith("calibration_gap")
