"""Onset: since when an episode's numbers have been out of line, which is often before the first window that alarmed.

Belongs here: walking back from the first alarm, and which episodes these walks show to be one. Does not: what alarms (charts.py), what an episode is (episodes.py).

The rule: windows right before the first alarm belong to the episode while the number that alarmed was itself outside what 95 % of
reference windows keep, on the same side, and by more than its own noise; of a segment apart from the rest also its own gap. An earlier episode of the same subject, the reference, and a window without a final number
end the walk, and so does one in which another of the numbers that alarmed was as far out on the other side: log loss rises whichever way the rate goes, and what followed
was no part of it. A number that swings both ways while the episode lasts ends nothing. Of faulty data, promises and the newest rows of a window that had not ended the first alarm stands: their limits are not what is usual.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.apart import APART, Moves, is_of_the_rest
from watchkeeper.judgement.charts import Charted
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.newest import NEWEST
from watchkeeper.judgement.normal import deviations, sudden, usual_ranges
from watchkeeper.records import Signal
from watchkeeper.stats.intervals import Z95

LEARNED = ("kpi", "segment", "service")


def with_onsets(episodes: Iterable[Episode], charts: Sequence[Charted], moves: Moves) -> list[Episode]:
    """Return the episodes, in the order in which they began, each with its onset; `moves` holds how far the own gaps of segments moved."""
    out: list[Episode] = []
    ends: dict[tuple[str, str], datetime] = {}
    for episode in sorted(episodes, key=lambda e: (e.start, e.subject)):
        about = (episode.subject, episode.family)
        out.append(replace(episode, onset=_onset(episode, charts, moves, ends.get(about))) if episode.family in LEARNED else episode)
        ends[about] = episode.end
    return sorted(out, key=lambda e: (e.start, e.subject))


def gone_on(episodes: Iterable[Episode], gap: int) -> list[Episode]:
    """Return dated episodes of one era, those as one of which fewer windows were clear between than resolve: the later began, by its onset, at most `gap` windows after the earlier.

    A number that alarmed first in the later one alarmed on the same side in the earlier.
    """
    out: list[Episode] = []
    for episode in sorted(episodes, key=lambda e: (e.start, e.subject)):
        reach = gap * (episode.signals[0].window_end - episode.signals[0].window_start)
        before = [e for e in out if (e.subject, e.family) == (episode.subject, episode.family)]
        if before and episode.start <= before[-1].end + reach and _are_alike(before[-1], episode):
            out[out.index(before[-1])] = replace(episode, signals=[*before[-1].signals, *episode.signals], onset=before[-1].onset)
        else:
            out.append(episode)
    return out


def _are_alike(before: Episode, after: Episode) -> bool:
    """Tell whether a number that alarmed first in an episode alarmed on the same side in the one before."""
    first = after.signals[0].window_start
    told = {(s.metric, s.feature, s.segment, _side(s)) for s in before.signals}
    return any((s.metric, s.feature, s.segment, _side(s)) in told for s in after.signals if s.window_start == first)


def _onset(episode: Episode, charts: Sequence[Charted], moves: Moves, not_before: datetime | None) -> datetime:
    first = [s for s in episode.signals if s.window_start == episode.signals[0].window_start]
    if any(s.rule == NEWEST for s in first):
        return first[0].window_start  # what came at once in the newest rows did not begin hours ago
    about = [(signal, chart) for signal in first for chart in charts if chart.is_of(signal)]
    earliest = min([first[0].window_start, *(_walked(signal, chart, moves) for signal, chart in about)])
    opposed = (_opposed(signal, chart) for signal, chart in about if _keeps_its_side(signal, episode))
    return max([earliest, *(end for end in (not_before, *opposed) if end is not None)])


def _walked(signal: Signal, chart: Charted, moves: Moves) -> datetime:
    """Return the start of the first of the windows up to a signal's in which its number was outside on the same side."""
    found, side = chart.series, _side(signal)
    starts = [start for start, _ in found.windows]
    j, w = found.names.index((signal.feature, signal.segment)), starts.index(signal.window_start)
    outside = _outside(chart, j, side)
    while w and outside[w - 1]:
        if signal.metric == APART and is_of_the_rest(moves, signal.segment, starts[w - 1], found.value[j, w - 1] - signal.expected):
            break
        w -= 1
    return starts[w]


def _opposed(signal: Signal, chart: Charted) -> datetime | None:
    """Return the end of the last window before a signal's in which its number was outside on the other side, None without one."""
    outside = _outside(chart, chart.series.names.index((signal.feature, signal.segment)), -_side(signal))
    windows = zip(chart.series.windows, outside, strict=True)
    return max((end for (start, end), is_out in windows if is_out and start < signal.window_start), default=None)


def _keeps_its_side(signal: Signal, episode: Episode) -> bool:
    """Tell whether a number that alarmed alarms on no other side while its episode lasts."""
    about = (signal.metric, signal.feature, signal.segment)
    return all(_side(s) == _side(signal) for s in episode.signals if (s.metric, s.feature, s.segment) == about)


def _side(signal: Signal) -> float:
    return float(np.sign(signal.value - signal.expected))


def _outside(chart: Charted, j: int, side: float) -> NDArray[np.bool_]:
    """Return for each window whether a final number lies beyond what is usual on one side, and by more than its own noise."""
    low, high = usual_ranges(chart.panel, chart.normal, j)
    value, z = chart.panel.value[j], sudden(chart.panel, chart.normal, deviations(chart.panel, chart.normal), np.zeros((1, 1)))[j]
    outside = np.where(side > 0, value > high, value < low) & (side * z > Z95)
    final: NDArray[np.bool_] = outside & ~chart.series.is_provisional[j] & ~chart.series.is_reference
    return final
