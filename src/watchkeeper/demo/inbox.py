"""The year as files in an inbox, in the order and at the times at which they would have come.

Belongs here: which file holds what, when it lands, and writing it whole. Does not: the rows themselves (model.py),
or reading them back: from here on the demo's files are files like any other.
"""

import gzip
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from watchkeeper.demo.flights import ZONE
from watchkeeper.demo.model import TRAINED_UNTIL, Year
from watchkeeper.windows import local_midnight

_EVENTS_LAND_AFTER = timedelta(minutes=10)  # after the midnight that ends their day
_LABELS_LAND_AFTER = timedelta(minutes=20)


@dataclass(frozen=True)
class Parcel:
    """One file that lands in the inbox: rows of one local day, or of one month before the watch began."""

    name: str
    lands_at: datetime
    rows: pl.DataFrame


def parcels(year: Year) -> list[Parcel]:
    """Return every file of the year in the order in which they land.

    Events come by the day of their schedule, labels by the day on which the flight arrived. What was known before the
    model went live is handed over by the month, on the day it did.
    """
    events = _cut(year.events, "scheduled_at", "flights-{}.parquet", _EVENTS_LAND_AFTER)
    labels = _cut(year.labels, "arrived_at", "arrivals-{}.csv.gz", _LABELS_LAND_AFTER)
    return sorted([*events, *labels], key=lambda parcel: (parcel.lands_at, parcel.name))


def deliver(inbox: Path, year: Sequence[Parcel], until: datetime) -> list[Path]:
    """Write the files that have landed by `until` and are not there yet, oldest first; return them.

    Each appears whole or not at all, and bears the time at which it landed.
    """
    inbox.mkdir(parents=True, exist_ok=True)
    due = [parcel for parcel in year if parcel.lands_at <= until]
    return [_write(parcel, inbox / parcel.name) for parcel in due if not (inbox / parcel.name).exists()]


def _cut(rows: pl.DataFrame, time: str, name: str, lands_after: timedelta) -> list[Parcel]:
    day = pl.col(time).dt.convert_time_zone(ZONE).dt.date()
    is_history = day < TRAINED_UNTIL
    period = pl.when(is_history).then(day.dt.to_string("%Y-%m")).otherwise(day.dt.to_string("%Y-%m-%d")).alias("period")
    cut = rows.with_columns(period).partition_by("period", as_dict=True, include_key=False)
    return [Parcel(name.format(period), _end_of(str(period)) + lands_after, part) for (period,), part in cut.items()]


def _end_of(period: str) -> datetime:
    is_month = len(period) == len("2013-01")
    last = TRAINED_UNTIL if is_month else date.fromisoformat(period) + timedelta(days=1)
    return local_midnight(last, ZONE)


def _write(parcel: Parcel, target: Path) -> Path:
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    _writer(target)(parcel.rows, aside)
    landed = parcel.lands_at.astimezone(UTC).timestamp()
    os.utime(aside, (landed, landed))
    aside.replace(target)
    return target


def _writer(target: Path) -> Callable[[pl.DataFrame, Path], None]:
    return _write_csv if target.name.endswith(".csv.gz") else _write_parquet


def _write_parquet(rows: pl.DataFrame, file: Path) -> None:
    rows.write_parquet(file)


def _write_csv(rows: pl.DataFrame, file: Path) -> None:
    text = rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%SZ")
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
