"""Files land in their order, at their time, whole, and once."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from watchkeeper.demo.inbox import Parcel, deliver, parcels
from watchkeeper.demo.model import Year

END = datetime(2014, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def year(flights: pl.DataFrame) -> Year:
    """A year of every tenth flight; who scored it does not matter here."""
    tenth = flights.gather_every(10)
    events = tenth.select("flight_id", "scheduled_at", "origin", p_late=pl.lit(0.2))
    labels = tenth.filter(pl.col("arrived_at").is_not_null()).select("flight_id", "was_late", "arrived_at").sort("arrived_at", "flight_id")
    return Year(events, labels, 0.3)


@pytest.fixture(scope="module")
def files(year: Year) -> list[Parcel]:
    return parcels(year)


def read(files: list[Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    events = pl.concat([pl.read_parquet(f) for f in files if f.name.startswith("flights-")])
    labels = pl.concat([pl.read_csv(gzip.decompress(f.read_bytes()), try_parse_dates=True) for f in files if f.name.startswith("arrivals-")])
    return events, labels


def test_the_files_hold_every_row_once(year: Year, files: list[Parcel], tmp_path: Path) -> None:
    events, labels = read(deliver(tmp_path, files, END))
    assert events.sort("flight_id").equals(year.events.sort("flight_id"))
    assert labels.sort("flight_id").select("flight_id", "was_late").equals(year.labels.sort("flight_id").select("flight_id", "was_late"))


def test_nothing_is_in_the_inbox_before_it_happened(files: list[Parcel], tmp_path: Path) -> None:
    now = datetime(2013, 4, 23, 17, tzinfo=UTC)
    events, labels = read(deliver(tmp_path, files, now))
    midnight = datetime(2013, 4, 23, 4, tzinfo=UTC)
    assert events["scheduled_at"].max() < midnight
    assert labels["arrived_at"].max() < midnight
    assert events["scheduled_at"].max() > midnight - timedelta(hours=5)


def test_a_day_of_new_york_lands_ten_minutes_after_its_midnight_on_both_sides_of_the_clock_change(files: list[Parcel]) -> None:
    at = {parcel.name: parcel.lands_at for parcel in files}
    assert at["flights-2013-11-02.parquet"] == datetime(2013, 11, 3, 4, 10, tzinfo=UTC)
    assert at["flights-2013-11-03.parquet"] == datetime(2013, 11, 4, 5, 10, tzinfo=UTC)
    assert at["arrivals-2013-11-03.csv.gz"] == datetime(2013, 11, 4, 5, 20, tzinfo=UTC)


def test_files_land_in_the_order_of_their_time_and_bear_it(files: list[Parcel], tmp_path: Path) -> None:
    landed = [file.stat().st_mtime for file in deliver(tmp_path, files, datetime(2013, 4, 10, tzinfo=UTC))]
    assert landed == sorted(landed)
    assert landed[-1] == datetime(2013, 4, 9, 4, 20, tzinfo=UTC).timestamp()


def test_the_months_before_the_watch_come_as_one_file_each(files: list[Parcel]) -> None:
    first = [parcel.name for parcel in files[:6]]
    assert first == [f"{kind}-2013-0{month}.{form}" for kind, form in (("flights", "parquet"), ("arrivals", "csv.gz")) for month in (1, 2, 3)]


def test_delivering_again_writes_nothing_and_delivering_on_writes_the_rest(files: list[Parcel], tmp_path: Path) -> None:
    early, late = datetime(2013, 4, 9, 17, tzinfo=UTC), datetime(2013, 4, 16, 17, tzinfo=UTC)
    first = deliver(tmp_path, files, early)
    assert deliver(tmp_path, files, early) == []
    rest = deliver(tmp_path, files, late)
    assert len(rest) == 14
    assert not {*first} & {*rest}


def test_a_half_written_file_is_never_taken_for_a_file(files: list[Parcel], tmp_path: Path) -> None:
    broken = [Parcel(f.name, f.lands_at, f.rows) for f in files[:1]] + [Parcel("flights-broken.parquet", files[0].lands_at, None)]  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        deliver(tmp_path, broken, END)
    assert [f.name for f in tmp_path.glob("flights-*")] == [files[0].name]


def test_the_same_year_gives_the_same_bytes(files: list[Parcel], tmp_path: Path) -> None:
    until = datetime(2013, 4, 4, tzinfo=UTC)
    once, again = deliver(tmp_path / "a", files, until), deliver(tmp_path / "b", files, until)
    assert [f.read_bytes() for f in once] == [f.read_bytes() for f in again]
