"""Settling: a notice that lasts and does no harm stops, is recorded, and what moves later is noticed anew."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.judgement.settling import SETTLED
from worlds import day_of, judged, noise, scores, watched

REFERENCE, SHIFTED = 60, 70


def shifted(days: int = 200, *, by: float = 0.5, seed: int = 1):
    values = noise(seed, days, sd=0.05)
    values[0, SHIFTED:] += by
    return values


def of_inputs(values, **more) -> pa.Table:
    return scores(values, se=0.03, metric="loc", names=[("weight", "")], **more)


def notices(table, **changes):
    return [s for s in judged(watched(REFERENCE, **changes), table) if s.metric == "loc"]


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_that_lasts_is_noticed_for_a_week_and_said_to_have_settled(seed):
    found = notices(of_inputs(shifted(seed=seed)))
    assert [day_of(s) for s in found] == list(range(SHIFTED, SHIFTED + 7))
    assert [s.reason for s in found] == [""] * 6 + [SETTLED]


def test_what_moves_again_after_it_settled_is_noticed_by_the_weeks_before():
    values = shifted()
    values[0, 160:] += 0.5
    found = [s for s in notices(of_inputs(values)) if day_of(s) > SHIFTED + 7]
    assert day_of(found[0]) == 160
    assert found[0].expected == pytest.approx(0.5, abs=0.05)
    assert found[0].normal_low < 0.5 < found[0].normal_high < found[0].value


def test_what_comes_and_goes_within_ten_days_never_settles():
    values = noise(3, 200, sd=0.05)
    values[0, SHIFTED::3] += 0.5
    found = notices(of_inputs(values))
    assert not any(s.reason == SETTLED for s in found)
    assert {day_of(s) for s in found} >= set(range(SHIFTED, 200, 3))


def test_six_days_of_seven_settle_too():
    """A schedule that differs on all days but one of the week."""
    values = shifted()
    values[0, SHIFTED + 3 :: 7] -= 0.5
    found = notices(of_inputs(values))
    assert [s.reason for s in found].count(SETTLED) == 1
    assert len({day_of(s) for s in found}) < 20


def test_what_does_harm_does_not_settle():
    gap = noise(5, 200, sd=0.02)
    gap[0, SHIFTED:] += 0.5
    found = notices(pa.concat_tables([of_inputs(shifted()), scores(gap, se=0.02)]))
    assert len(found) > 100
    assert not any(s.reason == SETTLED for s in found)


def test_of_weeks_there_are_too_few_to_settle_by():
    values = shifted()
    found = notices(of_inputs(values, grain="week", length=timedelta(days=7)), window="week", reference={"from": "2025-01-06", "to": "2026-03-02"})
    assert len(found) > 50
    assert not any(s.reason == SETTLED for s in found)


def test_hours_settle_after_seven_days_of_them():
    values = noise(4, 24 * 80, sd=0.05)
    values[0, 24 * 40 :] += 0.5
    found = notices(of_inputs(values, grain="hour", length=timedelta(hours=1)), window="hour", reference={"from": "2025-01-06", "to": "2025-02-03"})
    assert len(found) == 7 * 24
    assert found[-1].reason == SETTLED


def test_days_without_a_number_are_not_counted():
    values = shifted()
    values[0, SHIFTED + 2 : SHIFTED + 30] = np.nan
    found = notices(of_inputs(values))
    assert [day_of(s) for s in found] == [SHIFTED, SHIFTED + 1, *range(SHIFTED + 30, SHIFTED + 35)]
