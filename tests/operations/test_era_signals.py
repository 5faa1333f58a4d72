"""What looks at the newest rows told is read once for all eras of a model, each has its own, and the reference has none."""

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from eras_world import BEGIN, NOW, SHIFT, SINCE, brought_up, declare, shifted_home
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.era_signals import judged_eras
from watchkeeper.records import Bins, Look
from worlds import DAY


class _Counting(Lake):
    """A lake that counts how often each record's table was read."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.read_of: list[str] = []

    def read(self, table: str, **more: Any) -> pa.Table | None:
        self.read_of.append(table)
        return super().read(table, **more)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A workspace with a new normal, and looks that were out of line on some days."""
    made = shifted_home(tmp_path_factory.mktemp("eras") / "home")
    declare(made)
    brought_up(made)
    monitor = load_monitor(made, "parcels")
    bins = stored_bins(made, monitor, now=NOW)
    assert bins is not None
    made.lake.append_records(Look, [_out(number, bins.version) for number in (2, SHIFT + 2, SINCE + 1)])
    return made


def _out(number: int, bins: str) -> Look:
    start, end = BEGIN + number * DAY, BEGIN + (number + 1) * DAY
    at = {
        "window_start": start,
        "window_end": end,
        "rows_from": start,
        "rows_to": start + timedelta(minutes=1),
        "computed_at": start + timedelta(minutes=2),
    }
    named = {"model": "parcels", "environment": "production", "family": "data", "metric": "null_ratio", "feature": "weight_kg"}
    return Look(**named, **at, value=0.7, p=1e-9, n=400, is_out=True, reached=1, bins=bins)


def looked_on(home: Home) -> list[list[int]]:
    """Return the days of the looks that are told, era by era."""
    found = judged_eras(home, load_monitor(home, "parcels"), now=NOW)
    return [[(s.window_start - BEGIN) // DAY for s in one.signals if s.rule == "newest"] for one in found]


def test_each_era_has_the_looks_at_its_own_windows_and_the_reference_has_none(home: Home):
    assert looked_on(home) == [[SHIFT + 2], [SINCE + 1]]


def test_looks_are_read_once_however_many_eras_there_are(home: Home):
    lake, counting = _Counting(home.lake.address), find_home(home.root)
    vars(counting)["lake"] = lake
    assert len(looked_on(counting)) == 2
    assert lake.read_of.count(Look.TABLE) == 1
    assert Bins.TABLE in lake.read_of
