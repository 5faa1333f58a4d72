"""A promise and whether it was kept: over windows of its own length, once they are over and their labels are in.

Belongs here: which window decides, and how that is said. Does not: reading scores (operations/promises.py), or the pages and
notices that broken promises raise (signals.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from watchkeeper.monitor import Monitor, Target
from watchkeeper.records import Score
from watchkeeper.windows import Grain
from watchkeeper.words import limit_text, metric_text, number_text, window_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A target and its newest final window; `is_kept` is None when none is final. `so_far` is the number of a window still running."""

    text: str
    per: Grain
    is_kept: bool | None
    value: float | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    so_far: float | None = None


def promise(monitor: Monitor, target: Target, scores: Sequence[Score], *, until: datetime, running: Score | None = None) -> Promise:
    """Return what the newest final window of the target's own length that is over by `until` says; the reference is not asked."""
    final = [s for s in scores if _is_about(target, s) and _is_final(monitor, s, until)]
    limit = f"at least {limit_text(target.at_least)}" if target.at_least is not None else f"at most {limit_text(target.at_most or 0.0)}"
    open_ = Promise(
        text=f"{metric_text(target.metric, target.feature, target.segment)} {limit}",
        per=target.per,
        is_kept=None,
        so_far=None if running is None else running.value,
    )
    newest = max(final, key=lambda s: s.window_start, default=None)
    if newest is None or newest.value is None:
        return open_
    is_kept = target.is_kept_by(newest.value)
    return replace(open_, is_kept=is_kept, value=newest.value, window_start=newest.window_start, window_end=newest.window_end)


def _is_about(target: Target, score: Score) -> bool:
    about = (score.metric, score.feature, score.segment, score.version, score.grain)
    return about == (target.metric, target.feature, target.segment, "", target.per)


def _is_final(monitor: Monitor, score: Score, until: datetime) -> bool:
    span = monitor.reference_span
    is_watched = span is None or score.window_start >= span[1]
    return score.value is not None and score.state != "provisional" and score.window_end <= until and is_watched


def when_text(per: Grain, start: datetime | None, end: datetime | None, timezone: str) -> str:
    """Return in which window it was.

    >>> from datetime import UTC
    >>> when_text("month", datetime(2013, 12, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC), "UTC")
    'in December 2013'
    >>> when_text("week", datetime(2013, 12, 2, tzinfo=UTC), datetime(2013, 12, 9, tzinfo=UTC), "UTC")
    'in the week of 2 to 8 Dec 2013'
    """
    if start is None or end is None:
        return ""
    if per == "month":
        return f"in {start.astimezone(ZoneInfo(timezone)):%B %Y}"
    return f"{'in the week of' if per == 'week' else 'on'} {window_text(start, end, timezone)}"


def value_text(found: Promise, timezone: str) -> str:
    """Return the number that decided, and in which window that was; empty when nothing is final.

    >>> value_text(Promise(text="recall at least 0.35", per="week", is_kept=None), "UTC")
    ''
    """
    if found.value is None:
        return ""
    return f"{number_text(found.value)} {when_text(found.per, found.window_start, found.window_end, timezone)}".rstrip()
