"""Maturity: when the labels of a window are due, by what the monitor states, or else by what its reference's labels took.

Belongs here: learning it once, where it is kept, and the one answer that all others use. Does not: what is done with windows that
are mature or not (measure.py, judge.py, report.py).

Delays are cut off by the end of the data: labels that take longer have not come yet, and those that have are the quick ones. So they
are believed only where most of the time brought nothing more: of the quarter of predictions that was followed longest, 99 % of the
labels must have come within half of that time. Until then how long labels take is not known, and no window is called mature.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.warehouse import ask, connect, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.join import in_order
from watchkeeper.records import LabelDelay
from watchkeeper.spelling import utc
from watchkeeper.windows import Grid, Window
from watchkeeper.words import counted

ASSUMED = timedelta(days=1)
"""What is taken where labels came in a way that says nothing of how long they take."""

Source = Literal["none", "stated", "learned", "assumed", "unknown"]
_FOREVER = timedelta(days=36_525)
_LEAST, _LEAST_OF_OLDEST = 50, 10
_FOLLOWED = 2
_MOST_AT_ONCE = 0.5
_FRESH_WINDOWS, _FRESH = 2, timedelta(days=2)
_AGAIN = timedelta(days=1)
_WEEK = timedelta(days=7)
_IN_HOURS = timedelta(days=2)
_STATE = "state `labels.mature_after`"
_UNKNOWN = "until it is known every number is provisional"


@dataclass(frozen=True, slots=True)
class Maturity:
    """How long after its end a window's labels are due, `why` that is taken, and where from; while `unknown`, no window's are."""

    source: Source
    after: timedelta = timedelta(0)
    why: str = ""

    @property
    def wait(self) -> timedelta:
        """How long to wait for the labels; longer than anything while that is unknown."""
        return _FOREVER if self.source == "unknown" else self.after

    def is_reached(self, end: datetime, now: datetime) -> bool:
        """Tell whether all labels of a window that ended are due."""
        return now >= end + self.wait

    def state_of(self, window: Window, now: datetime) -> str:
        """Return mature, provisional, or no labels."""
        if self.source == "none":
            return "no labels"
        return "mature" if self.is_reached(window.end, now) else "provisional"

    def until(self, grid: Grid, now: datetime) -> datetime:
        """Return the end of the last window whose labels are all due."""
        return grid.at(now - self.wait).start

    @property
    def text(self) -> str:
        """When labels are mature, as status says it.

        >>> Maturity("stated", timedelta(hours=36)).text
        'mature after 36 h (stated)'
        """
        if self.source == "unknown":
            return f"not mature yet ({self.why})"
        return f"mature after {duration_text(self.after)} ({': '.join(filter(None, (self.source, self.why)))})"

    @property
    def due_text(self) -> str:
        """When labels are due, as the reason of something that waits for them."""
        return self.why if self.source == "unknown" else f"labels are due {duration_text(self.after)} after a window ends"

    @property
    def is_settled(self) -> bool:
        """Tell whether there is nothing for people to do about it."""
        return self.source not in ("assumed", "unknown")


def duration_text(length: timedelta) -> str:
    """Return a time in days where it is some from two on, else in hours.

    >>> duration_text(timedelta(days=5)), duration_text(timedelta(hours=30)), duration_text(timedelta(minutes=15))
    ('5 days', '30 h', '0.25 h')
    """
    days = length / timedelta(days=1)
    return f"{days:g} days" if days >= _IN_HOURS.days and days == int(days) else f"{days * 24:g} h"


def rounded_up(hours: float) -> timedelta:
    """Return a delay rounded up to hours below two days, else to days; what is beyond by less than a second is not.

    >>> rounded_up(29.2), rounded_up(100.0), rounded_up(96.00000001)
    (datetime.timedelta(days=1, seconds=21600), datetime.timedelta(days=5), datetime.timedelta(days=4))
    """
    delay = timedelta(seconds=int(hours * 3600))
    step = timedelta(hours=1) if hours < _IN_HOURS / timedelta(hours=1) else timedelta(days=1)
    return step * max(1, math.ceil(delay / step))


def maturity_of(home: Home, monitor: Monitor, *, now: datetime, bins: str | None = None) -> Maturity:
    """Return when labels are due, as known at `now`; `bins` is the version in force, looked up when it is not given."""
    if monitor.labels is None:
        return Maturity("none")
    if monitor.labels.mature_after is not None:
        return Maturity("stated", monitor.labels.mature_after)
    if bins is None:
        found = stored_bins(home, monitor, now=now)
        bins = found.version if found else ""
    known = _newest(home, monitor, bins, now) if bins else None
    if known is None:
        return Maturity("unknown", why="how long labels take is learned when the reference is whole and measured")
    return _taken(known)


def latest_due_week(home: Home, monitor: Monitor, due: Maturity, *, now: datetime) -> Window | None:
    """Return the seven days up to the last window whose labels are due and that has predictions or comes before some; None while no window's are."""
    newest = home.lake.newest_moment(f"events/{monitor.model}", "wk_time")
    if newest is None or monitor.labels is None or due.source == "unknown":
        return None
    end = min(monitor.grid.at(newest).end, due.until(monitor.grid, now))
    return Window(utc(end.astimezone(ZoneInfo(monitor.timezone)) - _WEEK), end)


def no_due_week(due: Maturity) -> str:
    """Return why there is no week whose labels are due."""
    return due.due_text if due.source == "unknown" else "no predictions have landed whose labels are due"


def learned(home: Home, monitor: Monitor, bins: str, *, now: datetime) -> Maturity:
    """Return when labels are due, learning it where it is not stated and was not learned with these bins.

    What is still unknown a day later is learned again; what was learned or assumed stays, so that a window is not mature today
    and provisional tomorrow.
    """
    if monitor.labels is None or monitor.labels.mature_after is not None:
        return maturity_of(home, monitor, now=now, bins=bins)
    known = _newest(home, monitor, bins, now)
    if known is not None and (known.state != "unknown" or now < known.computed_at + _AGAIN):
        return _taken(known)
    found = _learn(home, monitor, bins, now)
    home.lake.append_records(LabelDelay, [found])
    return _taken(found)


def _newest(home: Home, monitor: Monitor, bins: str, now: datetime) -> LabelDelay | None:
    mine = (pc.field("model") == monitor.model) & (pc.field("bins") == bins) & (pc.field("clock") == _clock(monitor))
    return next(iter(home.lake.newest(LabelDelay, as_of=now, where=mine)), None)


def _clock(monitor: Monitor) -> str:
    return (monitor.labels.time if monitor.labels else None) or ""


def _taken(known: LabelDelay) -> Maturity:
    state: Source = "learned" if known.state == "learned" else "assumed" if known.state == "assumed" else "unknown"
    return Maturity(state, timedelta(hours=known.mature_after_hours), known.reason)


class _Found(NamedTuple):
    """What the labels of some predictions say."""

    state: Source
    reason: str
    after: timedelta = timedelta(0)
    delay: float | None = None
    labels: int = 0
    predictions: int = 0


def _learn(home: Home, monitor: Monitor, bins: str, now: datetime) -> LabelDelay:
    """Learn from the reference; where it has hardly any labels, from the predictions after it."""
    span = monitor.reference_span or (now, now)
    found = _found(_measured(home, monitor, span, now))
    if found.labels < _LEAST and span[1] < now:
        of_all = _found(_measured(home, monitor, (span[1], now), now))
        found = of_all if of_all.labels >= _LEAST else found
    return LabelDelay(
        model=monitor.model,
        bins=bins,
        clock=_clock(monitor),
        state=found.state,
        mature_after_hours=found.after / timedelta(hours=1),
        delay_hours=found.delay,
        labels=found.labels,
        predictions=found.predictions,
        reason=found.reason,
        computed_at=now,
    )


def _found(by_clock: Mapping[str, Any]) -> _Found:
    every = by_clock.get("any", {"labels": 0, "predictions": 0})
    counts = {"labels": every["labels"], "predictions": every["predictions"]}
    if every["labels"] < _LEAST:
        few = f"only {counted(every['labels'], 'label')} of the reference came so far" if every["labels"] else "no label of the reference has come"
        return _Found("unknown", f"{few}; {_UNKNOWN}, or {_STATE}", **counts)
    rows = [row for clock, row in by_clock.items() if clock != "any" and row["labels"] >= _LEAST and _is_telling(row)]
    if not rows:
        why = "the reference's labels were loaded at once, which says nothing of how long they take"
        return _Found("assumed", f"{why}; {_STATE}, or name the column of their times as `labels.time`", ASSUMED, **counts)
    settled = [row for row in rows if _is_settled(row)]
    if not settled:
        least = max(row["least_delay"] for row in rows)
        why = f"provisional: labels of the reference still come, and take {_hours(least)} or more; {_UNKNOWN}, or {_STATE}"
        return _Found("unknown", why, delay=least, **counts)
    hours = max(row["first_delay"] if row["delay"] is None else row["delay"] for row in settled)
    return _Found("learned", f"99 % of the reference's labels came within {_hours(hours)}", rounded_up(hours), hours, **counts)


def _is_telling(row: Mapping[str, Any]) -> bool:
    """Tell whether delays are those of labels as they came: where most landed in one sitting they are those of a load."""
    return bool(row["largest_sitting"] <= _MOST_AT_ONCE * row["labels"])


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours < _IN_HOURS / timedelta(hours=1) else f"{hours / 24:.1f} days"


def _is_settled(row: Mapping[str, Any]) -> bool:
    """Tell whether the predictions followed longest got their labels long before the data end."""
    return bool(row["first_labels"] >= _LEAST_OF_OLDEST and _FOLLOWED * row["first_delay"] <= row["followed"])


def _measured(home: Home, monitor: Monitor, span: tuple[datetime, datetime], now: datetime) -> dict[str, Any]:
    """Return the delays by clock, none where nothing has landed; see sql/label_delays.sql."""
    events, labels = home.lake.dataset(f"events/{monitor.model}"), home.lake.dataset(f"labels/{monitor.model}")
    if events is None or labels is None:
        return {}
    time, known = pc.field("wk_time"), pa.scalar(now, TIMESTAMP)
    inside = (time >= pa.scalar(span[0], TIMESTAMP)) & (time < pa.scalar(span[1], TIMESTAMP)) & (pc.field("wk_landed_at") <= known)
    wanted = {"id": pc.field(monitor.columns.id), "time": time, "landed_at": pc.field("wk_landed_at")}
    connection = connect(home, {})
    with connection:
        connection.register("raw", in_order(events.scanner(columns=wanted, filter=inside)))
        connection.execute("CREATE TEMP TABLE predictions AS SELECT id, time, landed_at FROM raw")
        connection.register("labels", labels)
        length = monitor.grid.at(now).end - monitor.grid.at(now).start
        given = {"now": now, "fresh": max(_FRESH, _FRESH_WINDOWS * length)}
        return {row["clock"]: row for row in ask(connection, statement("label_delays"), given).to_pylist()}
