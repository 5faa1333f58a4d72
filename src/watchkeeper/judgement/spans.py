"""Stretches of time as a person would say them.

Belongs here: two moments -> words, by the monitor's clock. Does not: sentences around them (story.py, digest.py).
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal
from watchkeeper.windows import grain_of


def span_text(monitor: Monitor, start: datetime, end: datetime, told_at: datetime | None = None) -> str:
    """Return a stretch of time as a person would say it: `Mon 22 April` or `22 to 26 April`, with a year that is not that of `told_at`.

    What does not begin and end at midnight has its hours.
    """
    zone = ZoneInfo(monitor.timezone)
    first, after, last = (moment.astimezone(zone) for moment in (start, end, end - timedelta(microseconds=1)))
    this = None if told_at is None else told_at.astimezone(zone).year
    if not _are_days(first, after):
        to = f"{after:%H:%M}" if first.date() == last.date() else f"{after:%a} {_date(after, this)} {after:%H:%M}"
        return f"{first:%a} {_date(first, this)}{', ' if first.date() == last.date() else ' '}{first:%H:%M} to {to}"
    if first.date() == last.date():
        return f"{first:%a} {_date(first, this)}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {_date(last, this)}"
    return f"{_date(first, this if first.year != last.year else None)} to {_date(last, this)}"


def rows_span(signal: Signal) -> tuple[datetime, datetime]:
    """Return of when the rows are that a signal rests on, to whole minutes: of its window, or the newest of one that had not ended."""
    if signal.rows_from is None or signal.rows_to is None:
        return signal.window_start, signal.window_end
    minute = timedelta(minutes=1)
    start = signal.rows_from.replace(second=0, microsecond=0)
    end = signal.rows_to.replace(second=0, microsecond=0) + minute
    return start, end


def during_text(monitor: Monitor, start: datetime, end: datetime, told_at: datetime | None = None) -> str:
    """Return a stretch of time as a sentence ends with it: `on Mon 22 April`, `from Thu 1 May 02:00 to Sat 3 May 14:00`."""
    zone = ZoneInfo(monitor.timezone)
    first, after, last = (moment.astimezone(zone) for moment in (start, end, end - timedelta(microseconds=1)))
    is_long = first.date() != last.date() and not _are_days(first, after)
    return f"{'from' if is_long else 'on'} {span_text(monitor, start, end, told_at)}"


def typical_text(signal: Signal) -> str:
    """Return what a signal's expected number is of: `on a typical day`, and of rows of a window that had not ended, which are held against hours, `in a typical hour`."""
    grain = grain_of(signal.window_end - signal.window_start) if signal.rows_from is None else "hour"
    return f"{'on' if grain == 'day' else 'in'} a typical {grain}"


def since_text(monitor: Monitor, start: datetime, told_at: datetime | None = None) -> str:
    """Return since when something has been so: `since Sat 3 May`, or `since Sat 3 May, 14:00` where that is no midnight."""
    zone = ZoneInfo(monitor.timezone)
    first, this = start.astimezone(zone), None if told_at is None else told_at.astimezone(zone).year
    return f"since {first:%a} {_date(first, this)}{'' if (first.hour, first.minute) == (0, 0) else f', {first:%H:%M}'}"


def _are_days(first: datetime, after: datetime) -> bool:
    return (first.hour, first.minute, after.hour, after.minute) == (0, 0, 0, 0)


def _date(day: datetime, this_year: int | None) -> str:
    return f"{day.day} {day:%B}{'' if this_year in (None, day.year) else f' {day.year}'}"
