"""A fault of one segment alone is found on the days that show it, whatever other days an incident has."""

import numpy as np
import pytest

from watchkeeper.judgement.odd_inputs import odd_unit
from watchkeeper.judgement.odd_places import odd_in_place, spell_in_place
from watchkeeper.judgement.spells import Spell
from watchkeeper.judgement.traces import Column
from worlds import DAY, START

BEFORE, PLACES, ROWS = 20, ("north", "south", "west"), 40


def world(west, *, rest=1.0, before=None):
    """Return distances of three regions, 40 rows a day each, the regions, which rows are of bad days and the day of each; those of the west are multiplied by what `west` says on each bad day."""
    factors = np.ones((BEFORE + len(west), len(PLACES)))
    factors[BEFORE:, 2], factors[BEFORE:, :2] = west, rest
    factors[BEFORE - 3, 2] = before or 1.0
    day = np.repeat(np.arange(len(factors)), len(PLACES) * ROWS)
    region = np.tile(np.repeat(np.arange(len(PLACES)), ROWS), len(factors))
    values = np.random.default_rng(5).lognormal(5.0, 0.6, len(day)) * factors[day, region]
    return values, Column("region", "segment", region, lambda first, _last: f"region={PLACES[first]}"), day >= BEFORE, day


def asked_on(values, is_during, days):
    def asked(rows, where):
        before, during = values[rows & ~is_during], values[rows & is_during & days]
        return odd_unit("distance_km", before, during, where) if min(len(before), len(during)) >= 100 else None

    return asked


def found(*west: float, **more: float) -> Spell | None:
    values, regions, is_during, day = world(west, **more)
    starts = [START + d * DAY for d in range(BEFORE + len(west))]
    return spell_in_place("distance_km", values, lambda days: asked_on(values, is_during, days), [regions], is_during, day, starts)


@pytest.mark.parametrize("days", [(1, 1, 1000, 1000, 1000, 1000), (1000, 1000, 1000, 1, 1, 1, 1), (1, 1000, 1000, 1000, 1)])
def test_days_without_the_fault_do_not_hide_it(days):
    values, regions, is_during, _ = world(days)
    every = np.ones(len(values), bool)
    assert odd_in_place("distance_km", asked_on(values, is_during, every), [regions], is_during) is None, "all days together show nothing"
    spell = found(*days)
    assert spell is not None
    assert spell.odd.text.startswith("distance_km comes in another unit where region=west: all its values there are ")
    assert list(spell.days) == [START + (BEFORE + d) * DAY for d, factor in enumerate(days) if factor > 1]


@pytest.mark.parametrize(
    ("days", "more"),
    [
        pytest.param((1, 1, 1, 1, 1), {}, id="nothing"),
        pytest.param((1, 3, 3, 3, 3), {}, id="what the world itself may do"),
        pytest.param((1, 1000, 1, 1000, 1), {}, id="single days"),
        pytest.param((1, 1000, 1000, 1000, 1), {"before": 1000.0}, id="a day before, too"),
        pytest.param((1, 1000, 1000, 1000, 1), {"rest": 1000.0}, id="all other rows, too"),
    ],
)
def test_what_is_no_fault_of_a_place_makes_no_spell(days, more):
    assert found(*days, **more) is None
