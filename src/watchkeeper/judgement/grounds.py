"""Grounds: what the numbers and causes of an incident rest on: which rows were looked at, whose numbers are called usual, and which inputs moved as well.

Belongs here: evidence -> these facts. Does not: the headline and what was measured (story.py), the causes (causes.py).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchkeeper.judgement.episodes import Episode, rows_out_of_line
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.later_causes import moved_later
from watchkeeper.judgement.spans import span_text
from watchkeeper.judgement.succession import succession_text
from watchkeeper.monitor import Monitor
from watchkeeper.story import Cause
from watchkeeper.windows import Window, grain_of
from watchkeeper.words import listed, moment_text

_FEW = 3


def looked_at(monitor: Monitor, episode: Episode, evidence: Evidence) -> list[tuple[str, str]]:
    """Say of which rows causes are: of the windows that surely are part of it, where there are others, and of a part of these; shares of rows are estimates then."""
    bad, out = rows_out_of_line(episode), []
    has_looked = any((evidence.bad_gap, evidence.traces.place, evidence.traces.mixes, evidence.traces.labels))
    if has_looked and sum((w.end - w.start for w in bad), timedelta(0)) < episode.end - episode.start:
        days = [span_text(monitor, start, end, evidence.told_at) for start, end in _runs(bad)]
        one = episode.first_end - episode.start
        many = sum(max(1, round((w.end - w.start) / one)) for w in bad)
        told = listed(days) if len(days) <= _FEW else f"{many} {grain_of(one)}s"
        out.append(("Causes", f"are looked for in the rows of {told} alone: the other {grain_of(one)}s are less surely part of it."))
    if evidence.traces.read is None:
        return out
    some, every = evidence.traces.read
    return [
        *out,
        ("Rows read", f"{some:,} of {every:,}, evenly spread over the bad windows and the weeks before; shares of rows in the causes are of these."),
    ]


def _runs(windows: Sequence[Window]) -> list[tuple[datetime, datetime]]:
    """Return windows that follow each other as one stretch of time."""
    out: list[tuple[datetime, datetime]] = []
    for window in windows:
        if out and out[-1][1] == window.start:
            out[-1] = (out[-1][0], window.end)
        else:
            out.append((window.start, window.end))
    return out


def moved_since(evidence: Evidence, found: Sequence[Cause]) -> list[tuple[str, str]]:
    """Tell which inputs moved only while it went on and are named by no cause: what they do to the number is not told apart from what it began with."""
    later = [m for m in moved_later(evidence) if not any(m.feature in cause.subject for cause in found)]
    if not later:
        return []
    names, day = listed([m.feature for m in later[:_FEW]]), moment_text(min(m.since for m in later if m.since is not None), evidence.timezone)
    return [
        (
            "Since then",
            f"{names} moved, since {day.removesuffix(', 00:00')}: two things may be at work from there on, and causes are looked for before it.",
        )
    ]


def moved_too(evidence: Evidence, found: Sequence[Cause]) -> list[tuple[str, str]]:
    """Tell which inputs moved in the same windows and are named by no cause, of a number whose errors no score foresees: that they did no harm is not known."""
    if evidence.traces.error is None:
        return []
    told, later = dict[str, str](), {m.feature for m in moved_later(evidence)}
    for signal in evidence.noticed:
        if signal.feature not in later and not any(signal.feature in cause.subject for cause in found):
            where = signal.reason.partition(";")[0] if signal.metric == "segment_shift" else ""
            told[signal.feature] = told.get(signal.feature) or where
    if not told:
        return []
    names = [f"{name} ({where})" if where else name for name, where in list(told.items())[:_FEW]]
    more = [f"{len(told) - _FEW} more"] if len(told) > _FEW else []
    return [("Moved too", f"{listed([*names, *more])}; whether that is why is not known.")]


def usual_of(monitor: Monitor, evidence: Evidence) -> list[tuple[str, str]]:
    """Tell whose numbers are called usual, where another version has answered since."""
    found = evidence.succession
    return [] if found is None else [("Versions", f"{succession_text(monitor, found, evidence.told_at)}.")]
