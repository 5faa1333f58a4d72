"""Positives come within two days, negatives after six to nine, and the outcome truly changed: what an incident says of it is true at each moment."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent
from watchkeeper.story import Story
from worlds import DAY

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
BAD, DAYS, ROWS = 21, 33, 300
SLOW = PARCELS | {"labels": PARCELS["labels"] | {"mature_after": "240h"}}


class Feed:
    """Days of parcels, of which more are late from the bad day on, and labels that are known when they are."""

    def __init__(self, home: Home) -> None:
        self.home, rng = home, np.random.default_rng(5)
        made = [parcels_world(FIRST + d * DAY, rows=ROWS, late=0.5 if d >= BAD else 0.2) for d in range(DAYS)]
        self.events, self.labels = (pa.concat_tables(tables) for tables in zip(*made, strict=True))
        self.is_late = np.asarray(self.labels["was_late"])
        days = np.where(self.is_late, rng.uniform(0.1, 2.0, len(self.is_late)), rng.uniform(6.0, 9.0, len(self.is_late)))
        known = [s + float(d) * DAY for s, d in zip(self.events["sent_at"].to_pylist(), days, strict=True)]
        self.labels = self.labels.set_column(2, "delivered_at", pa.array(known, pa.timestamp("us", "UTC")))
        self.told = FIRST

    def story_at(self, day: int) -> Story:
        """Deliver what is known by a day, watch, and return what the one incident of the model says."""
        now = FIRST + day * DAY + timedelta(hours=6)
        for table, column, name in ((self.events, "sent_at", "parcels"), (self.labels, "delivered_at", "delivered")):
            fresh = table.filter(pa.array([self.told <= at < now for at in table[column].to_pylist()]))
            pq.write_table(fresh, self.home.root / "inbox" / f"{name}-{now.date()}.parquet")
        self.told = now
        watch(self.home, now=now)
        [one] = [i for i in fold(self.home.lake.newest(IncidentEvent)) if i.family == "kpi"]
        assert one.story is not None
        return one.story

    def rates(self, first: int, last: int) -> tuple[float, float]:
        """Return the true share of late parcels from one day to another, in percent, and what the model expected."""
        mine = slice(first * ROWS, (last + 1) * ROWS)
        return 100 * float(self.is_late[mine].mean()), 100 * float(np.asarray(self.events["p_late"])[mine].mean())


@pytest.fixture
def feed(make_home) -> Feed:
    return Feed(make_home(SLOW))


def _days(text: str) -> tuple[int, int]:
    """Return the first and the last day, counted from FIRST, that a line names."""
    found = re.search(r"(\d+)(?: to (\d+))? January", text)
    assert found is not None, text
    return int(found[1]) - 1, int(found[2] or found[1]) - 1


def test_an_incident_tells_bounds_that_hold_and_later_the_windows_whose_labels_are_due(feed):
    early = feed.story_at(27)
    bound, expected = (int(n) for n in re.findall(r"(\d+) %", early.headline))
    true, model = feed.rates(*_days(early.headline))
    assert early.headline.startswith("at least ")
    assert bound <= true
    assert expected == round(model)
    assert {c.kind for c in early.causes} <= {"concept"}, "all labels that came are positive, and nothing is wrong with them"
    assert not [text for name, text in early.facts if name == "Worst"], "no segment is blamed for which labels came first"
    assert any("not due yet" in text for text in early.not_measured)

    later = feed.story_at(DAYS)
    first, last = _days(later.headline)
    assert (first, last) == (BAD, BAD + 1), later.headline
    true, model = feed.rates(first, last)
    told, expected = (int(n) for n in re.findall(r"(\d+) %", later.headline.split(";")[0] + later.headline.split("expected")[1]))
    assert (told, expected) == (round(true), round(model))
    assert re.search(rf"Miss: \+{round(true - model)} points( in all, at worst \+\d+ in a day)?;", later.when), later.when
    assert re.search(r"It goes on: labels of 24 January to \d .*are not due yet", later.when)
    assert dict(later.facts)["Labels"].startswith(f"{ROWS * (last - first + 1):,} of {ROWS * (last - first + 1):,} ")
