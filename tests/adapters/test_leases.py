"""Leases between hosts: a living holder keeps one, a dead one loses it, and whoever lost it does not give it back."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.leases import TABLE, lease
from watchkeeper.errors import ConflictError, LeaseHeldError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def taken_elsewhere(lake: Lake, *, until: float) -> None:
    """Take the lease as a process of another host does."""
    seen = lake.version(TABLE, "lease:judge")
    row = {"name": ["judge"], "version": [seen + 1], "host": ["elsewhere"], "pid": [1], "started": [0.0], "until": [until]}
    lake.append(TABLE, pa.table(row), guard=("lease:judge", seen))


def rows(lake: Lake) -> list[dict[str, Any]]:
    found = Lake(lake.address).read(TABLE)
    return [] if found is None else found.sort_by("version").to_pylist()


def test_what_a_living_process_of_another_host_holds_is_not_taken(lake: Lake):
    taken_elsewhere(lake, until=time.time() + 100)
    with pytest.raises(LeaseHeldError, match="process 1 on elsewhere"), lease(lake, "judge", wait_s=0.3):
        pytest.fail("it was taken")


def test_what_a_dead_process_of_another_host_held_is_taken_when_its_time_is_over(lake: Lake):
    end = time.time() + 0.6
    taken_elsewhere(lake, until=end)
    with lease(lake, "judge", wait_s=10):
        assert time.time() > end


def test_a_holder_renews_its_lease_while_it_works(lake: Lake):
    with lease(lake, "judge", ttl_s=0.6):
        time.sleep(1.5)
        assert rows(lake)[-1]["until"] > time.time()
    assert rows(lake)[-1]["until"] == 0.0
    assert [r["version"] for r in rows(lake)] == list(range(1, len(rows(lake)) + 1))


def test_a_lease_that_was_taken_over_is_not_given_back(lake: Lake):
    with lease(lake, "judge", ttl_s=0.3):
        while rows(lake)[-1]["host"] != "elsewhere":
            with suppress(ConflictError):  # a renewal may be first
                taken_elsewhere(Lake(lake.address), until=time.time() + 100)
        time.sleep(0.4)
    assert rows(lake)[-1]["host"] == "elsewhere"


def test_two_names_are_two_leases(lake: Lake):
    with lease(lake, "judge"), lease(lake, "act", wait_s=0.2):
        assert {r["name"] for r in rows(lake)} == {"judge", "act"}
