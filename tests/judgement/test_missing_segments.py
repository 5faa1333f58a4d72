"""Segments whose rows no longer come while those of others do: when they are missed, when that is usual, and what is told."""

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.judgement.episodes import MISSING_SEGMENTS, subject_of
from watchkeeper.judgement.shortfall import shortfalls
from worlds import DAY, START, day_of, judged, noise, scores, watched

DAYS, REFERENCE = 80, 60
LATER = START + 200 * DAY
SHOPS = ("shop=a", "shop=b", "shop=c")


def counts(seed: int = 0, **means: float) -> dict[str, np.ndarray]:
    """Return the daily rows of three shops, of which each has 40, 200 and 400 a day on average."""
    rng = np.random.default_rng(seed)
    return {name: rng.poisson(mean, DAYS).astype(float) for name, mean in zip(SHOPS, (40.0, 200.0, 400.0), strict=True)} | {
        name: rng.poisson(mean, DAYS).astype(float) for name, mean in means.items()
    }


def table(shops: dict[str, np.ndarray], *, whole: np.ndarray | None = None) -> pa.Table:
    """Return the scores of rows: the whole, and of each segment the days on which it has any."""
    every = {"": sum(shops.values()) if whole is None else whole, **shops}
    found = scores(np.array(list(every.values())), metric="rows", names=[("", name) for name in every], n=0)
    is_there = [name == "" or value > 0 for name, value in zip(found["segment"].to_pylist(), found["value"].to_pylist(), strict=True)]
    return found.filter(pa.array(is_there))


def found(shops, *, now=LATER, whole=None, segments=("shop",)):
    monitor = watched(REFERENCE, segments=list(segments))
    return [(s.segment, day_of(s)) for s in shortfalls(monitor, "production", table(shops, whole=whole), now)]


def test_a_shop_whose_rows_stop_is_missed_though_all_rows_are_hardly_fewer():
    shops = counts()
    shops["shop=a"][70:] = 0
    assert found(shops) == [("shop=a", d) for d in range(70, 80)]
    signal = next(iter(shortfalls(watched(REFERENCE, segments=["shop"]), "production", table(shops), LATER)))
    assert (signal.family, signal.level, signal.metric, signal.segment, signal.value) == ("data", "page", "rows", "shop=a", 0.0)
    assert signal.expected == pytest.approx(40, abs=8)
    assert subject_of(signal) == MISSING_SEGMENTS


def test_a_shop_that_sends_a_tenth_is_missed_at_once():
    shops = counts()
    shops["shop=b"][70] = 20
    assert found(shops, now=START + 71 * DAY) == [("shop=b", 70)]


@pytest.mark.parametrize(("hours", "days"), [(24, []), (47, []), (48, [70])])
def test_a_shop_s_own_file_may_be_late_until_two_more_days_have_ended(hours, days):
    shops = counts()
    shops["shop=a"][70] = 0
    assert found(shops, now=START + 71 * DAY + hours * DAY / 24) == [("shop=a", d) for d in days]


def test_once_a_day_is_missed_the_days_after_it_that_are_empty_too_wait_no_more():
    shops = counts()
    shops["shop=a"][[70, 71, 72, 74]] = 0
    assert found(shops, now=START + 73 * DAY) == [("shop=a", 70), ("shop=a", 71), ("shop=a", 72)]
    assert found(shops, now=START + 75 * DAY) == [("shop=a", 70), ("shop=a", 71), ("shop=a", 72)], "rows came on day 73"


def test_where_all_rows_are_missing_that_is_told_alone():
    shops = counts()
    for rows in shops.values():
        rows[70] = 0
    assert found(shops) == [("", 70)]


def test_on_a_thin_day_fewer_are_expected_of_each():
    """A third of all rows, as on a holiday, and 4 of 40 of the smallest."""
    shops = counts()
    for name, rows in shops.items():
        rows[70] = {"shop=a": 4, "shop=b": 50, "shop=c": 150}[name]
    assert found(shops) == []
    shops["shop=b"][70] = 3
    assert found(shops) == [("shop=b", 70)]


@pytest.mark.parametrize("seed", range(20))
def test_small_shops_that_are_empty_now_and_then_are_not_missed(seed):
    assert found(counts(seed, **{f"shop=small{i}": mean for i, mean in enumerate((0.2, 1.0, 3.0, 6.0))})) == []


def test_a_small_shop_that_never_comes_again_is_missed_once_that_is_no_chance():
    """Eight a day and two at least: each day without any waits for two more, until twelve or so are missing."""
    shops = counts(**{"shop=small": 8.0})
    shops["shop=small"][:REFERENCE] = np.maximum(2, shops["shop=small"][:REFERENCE])
    shops["shop=small"][62:] = 0
    days = [d for name, d in found(shops)]
    assert days
    assert 65 <= days[0] <= 69
    assert days == list(range(days[0], 80))


def test_values_that_come_and_go_by_themselves_are_no_fault():
    """Products: each sells for some weeks, so that one of those of the reference's end is gone soon."""
    rng = np.random.default_rng(1)
    shops = {f"shop={i}": np.where(np.abs(np.arange(DAYS) - 10 * i) < 15, rng.poisson(50, DAYS), 0).astype(float) for i in range(9)}
    assert found(shops, whole=np.full(DAYS, 300.0)) == []


def test_days_off_of_a_shop_are_usual():
    shops = counts()
    weekend = np.array([(START + d * DAY).weekday() >= 5 for d in range(DAYS)])
    shops["shop=a"][weekend] = 0
    assert found(shops) == []
    shops["shop=a"][70] = 0
    assert (START + 70 * DAY).weekday() == 0
    assert found(shops) == [("shop=a", 70)]


def test_a_column_that_is_gone_whole_and_rows_without_a_value_are_told_otherwise():
    shops = counts(**{"shop=(null)": 30.0, "shop=(other)": 30.0})
    shops["shop=(null)"][65:] = 0
    shops["shop=(other)"][65:] = 0
    assert found(shops) == []
    whole = sum(shops.values())
    for rows in shops.values():
        rows[70:] = 0
    assert found(shops, whole=whole) == [], "no value of the column came: that is missing values of the column"
    shops["shop=A"] = np.where(np.arange(DAYS) >= 70, 600.0, 0.0)
    assert found(shops, whole=whole) == [], "all values are new: those are new categories"


def test_segments_that_are_not_declared_are_not_asked():
    shops = counts()
    shops["shop=a"][70:] = 0
    assert found(shops, segments=["city"]) == []


@pytest.mark.parametrize("back", [75, DAYS], ids=["comes back", "stays away"])
def test_that_the_column_moved_is_no_notice_beside_the_shop_that_is_missing_and_never_settles(back):
    shops = counts()
    shops["shop=b"][70:back] = 0
    moved = noise(2, DAYS, series=2)
    moved[:, 70:back] += 3.0
    inputs = scores(moved, metric="share_shift", names=[("shop", ""), ("weight_kg", "")])
    found = judged(watched(REFERENCE, segments=["shop"]), pa.concat_tables([table(shops), inputs]))
    assert [day_of(s) for s in found if s.metric == "rows"] == list(range(70, back))
    told = {name: [day_of(s) for s in found if s.metric == "share_shift" and s.feature == name] for name in ("shop", "weight_kg")}
    assert told["shop"] == []
    assert told["weight_kg"] == list(range(70, min(back, 77)))
