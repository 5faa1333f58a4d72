"""Worst: the window of an episode in which a number was furthest from what is expected, be it one that raised no alarm.

Belongs here: what an episode's windows without an alarm would tell, and which of all is the worst. Does not: since when it has been (onset.py), what alarms
(signals.py), the words (story.py, size.py).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from watchkeeper.judgement.apart import of_their_own
from watchkeeper.judgement.charts import Charted
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.onset import LEARNED
from watchkeeper.judgement.signals import signal_at
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal


def unalarmed(monitor: Monitor, charts: Sequence[Charted], scores: pa.Table, episode: Episode, now: datetime) -> list[Signal]:
    """Return what the windows of an episode tell that raised no alarm of a number that alarmed in others of it, in order of time.

    All are final, and of a segment its own; `scores` has rows as in sql/judged_scores.sql. Of data, promises and costs there are none: their limits are not what is usual.
    """
    about = {_name(s) for s in episode.signals if s.family in LEARNED}
    alarmed = {(_name(s), s.window_start) for s in episode.signals}
    found: list[Signal] = []
    for chart in charts:
        numbers = chart.series
        final = np.isfinite(numbers.value) & np.isfinite(chart.panel.value) & ~numbers.is_provisional & ~numbers.is_reference
        inside = np.array([episode.start <= start < episode.end for start, _ in numbers.windows], bool)
        for j, (feature, segment) in enumerate(numbers.names):
            name = (numbers.rule.metric, feature, segment)
            if name in about:
                windows = [int(w) for w in np.flatnonzero(final[j] & inside) if (name, numbers.windows[w][0]) not in alarmed]
                found += [signal_at(monitor, monitor.environment, chart, j, w, now) for w in windows]
    return sorted(of_their_own(monitor, found, scores), key=lambda s: (s.window_start, s.metric))


def worst_of(alarms: Sequence[Signal], others: Iterable[Signal] = ()) -> Signal:
    """Return the furthest from what is expected of the alarms that are final, or of all while none is; or one of the `others` that lies further on the same side.

    All alarms are of one number. While it is a bound, since labels are missing, no other window is held against it.
    """
    worst = max([s for s in alarms if s.state == "mature"] or alarms, key=_miss)
    if worst.state != "mature":
        return worst
    return max([worst, *(s for s in others if _name(s) == _name(worst) and _is_above(s) == _is_above(worst))], key=_miss)


def alike(signals: Iterable[Signal], one: Signal) -> list[Signal]:
    """Return the signals of the number that one is of."""
    return [s for s in signals if _name(s) == _name(one)]


def _name(signal: Signal) -> tuple[str, str, str]:
    return signal.metric, signal.feature, signal.segment


def _miss(signal: Signal) -> float:
    return abs(signal.value - signal.expected)


def _is_above(signal: Signal) -> bool:
    return signal.value > signal.expected
