"""A change is recorded once, with its own time and that of its recording."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.operations.change import record_change
from watchkeeper.records import Change

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
AT = datetime(2025, 6, 15, 9, tzinfo=ZoneInfo("Europe/Berlin"))


def test_the_time_of_a_change_is_kept_in_utc(home: Home):
    record_change(home, "parcels", kind="release", at=AT, version="2", note="new features", who="ana", now=NOW)
    (kept,) = home.lake.newest(Change)
    assert (kept.at, kept.recorded_at) == (datetime(2025, 6, 15, 7, tzinfo=UTC), NOW)
    assert (kept.model, kept.kind, kept.version, kept.note, kept.who) == ("parcels", "release", "2", "new features", "ana")


def test_the_same_change_again_adds_nothing(home: Home):
    first = record_change(home, "parcels", kind="release", at=AT, version="2", now=NOW)
    again = record_change(home, "parcels", kind="release", at=AT.astimezone(UTC), version="2", now=NOW + timedelta(hours=1))
    table = home.lake.read("changes")
    assert again == first
    assert table is not None
    assert table.num_rows == 1


def test_another_version_is_another_change(home: Home):
    for version in ("2", "3"):
        record_change(home, "parcels", kind="release", at=AT, version=version, now=NOW)
    assert {c.version for c in home.lake.newest(Change)} == {"2", "3"}


def test_a_release_says_its_version(home):
    with pytest.raises(UsageError) as refused:
        record_change(home, "parcels", kind="release", at=AT, now=NOW)
    assert str(refused.value) == "--version: a release says which version it brought. Add for example --version v2."
    assert record_change(home, "parcels", kind="config", at=AT, now=NOW).version == ""
