"""Exchanges: codes that changed places are told, and neither chance nor rows that really moved are."""

import numpy as np
import pytest

from watchkeeper.stats.exchanges import changed_places

USUAL = np.array([0.4, 0.3, 0.2, 0.1])
REFERENCE = (USUAL * 30_000).astype(int)


def day(shares, seed=0, rows=700):
    return np.random.default_rng(seed).multinomial(rows, shares)


def test_two_that_exchanged_are_told_on_nearly_every_day_of_700_rows():
    found = [changed_places(REFERENCE, day([0.1, 0.3, 0.2, 0.4], seed), 4).tolist() for seed in range(200)]
    assert sum(each == [0, 3] for each in found) >= 180
    assert all(each in ([], [0, 3]) for each in found)


def test_codes_that_moved_on_by_one_are_told_together():
    usual, rows = np.array([0.5, 0.3, 0.15, 0.05]), 20_000
    assert changed_places((usual * 30_000).astype(int), day(np.roll(usual, 1), rows=rows), 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("rows", [100, 150, 700, 100_000])
def test_chance_exchanges_nothing(rows):
    assert not any(len(changed_places(REFERENCE, day(USUAL, seed, rows), 4)) for seed in range(500))


def test_rows_that_moved_from_one_to_another_are_no_exchange_unless_they_end_at_its_share():
    """Of all amounts that may go over, from nothing to all, few end there."""
    amounts = np.linspace(0.0, 0.4, 81)
    found = [len(changed_places(REFERENCE, day([0.4 - by, 0.3, 0.2, 0.1 + by], rows=20_000), 4)) > 0 for by in amounts]
    assert amounts[found].min() > 0.25
    assert amounts[found].max() < 0.35


def test_where_others_moved_too_it_is_another_mix():
    assert len(changed_places(REFERENCE, day([0.1, 0.15, 0.35, 0.4], rows=20_000), 4)) == 0


def test_what_has_no_name_of_its_own_exchanges_nothing():
    """The last is all new names: an input that was renamed has new categories, which are told as such."""
    usual, now = np.array([0.6, 0.3, 0.1, 0.0]), np.array([0.0, 0.3, 0.1, 0.6])
    assert len(changed_places((usual * 30_000).astype(int), day(now), 3)) == 0


def test_few_rows_say_nothing():
    assert len(changed_places(REFERENCE, np.array([9, 27, 18, 36]), 4)) == 0
    assert len(changed_places(np.zeros(4), np.zeros(4), 4)) == 0
