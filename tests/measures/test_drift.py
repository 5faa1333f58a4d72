"""Categories are new or gone as the docstrings say; what has no meaning for a feature says so."""

import numpy as np
import pytest

from measure_world import feature
from watchkeeper.measures import drift
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import fit_category, fit_numeric
from watchkeeper.profiles.counts import Counts

TOWNS = fit_category("town", {"ulm": 900, "bonn": 88, "kiel": 9, "jena": 3})
NUMBERS = fit_numeric("x", np.arange(100.0))


def towns(**tally: int) -> FeatureView:
    cells = [TOWNS.categories.index(name) if name in TOWNS.categories else TOWNS.unseen for name in tally]
    order = np.argsort(cells)
    counts = np.array(list(tally.values()), np.int64)[order]
    return FeatureView(TOWNS, Counts(n=int(counts.sum()), cells=np.array(cells)[order], counts=counts))


REFERENCE = towns(ulm=900, bonn=88, kiel=9, jena=3)


def test_a_category_vanished_when_it_was_common_and_many_were_to_be_expected():
    assert drift.vanished_categories(REFERENCE, towns(ulm=10_000)).value == 1
    assert drift.vanished_categories(REFERENCE, towns(bonn=10_000)).value == 1
    assert drift.vanished_categories(REFERENCE, towns(kiel=10_000)).value == 2


def test_a_rare_category_or_one_of_which_few_were_to_be_expected_has_not_vanished():
    assert drift.vanished_categories(REFERENCE, towns(ulm=9_000, bonn=1_000)).value == 0
    assert drift.vanished_categories(REFERENCE, towns(ulm=227)).value == 0
    assert drift.vanished_categories(REFERENCE, towns(ulm=228)).value == 1


def test_a_category_the_reference_never_had_is_unseen():
    ours = drift.unseen_ratio(REFERENCE, towns(ulm=75, atlantis=25))
    assert (ours.value, ours.n) == (0.25, 100)


@pytest.mark.parametrize("metric", [drift.kolmogorov_smirnov, drift.wasserstein, drift.mean_value])
def test_categories_have_no_order_no_distance_and_no_mean(metric):
    assert metric(REFERENCE, REFERENCE).reason.startswith("categories have no")


def test_categories_that_changed_places_are_told_with_their_shares():
    usual = towns(ulm=600, bonn=300, kiel=90, jena=10)
    found = drift.exchanged_ratio(usual, towns(ulm=300, bonn=600, kiel=90, jena=10))
    assert (found.value, found.n) == (0.9, 1000)
    assert found.reason == "ulm is 30 % of values, usually 60 %; bonn is 60 % of values, usually 30 %"
    assert drift.exchanged_ratio(usual, usual).value == 0
    assert not drift.exchanged_ratio(usual, FeatureView(TOWNS, Counts(n=5, nulls=5))).is_defined


@pytest.mark.parametrize("metric", [drift.unseen_ratio, drift.exchanged_ratio, drift.vanished_categories])
def test_numbers_have_no_categories(metric):
    view = feature(NUMBERS, np.arange(10.0))
    assert metric(view, view).reason == "numbers have no categories"


@pytest.mark.parametrize(
    "metric", [drift.psi, drift.jensen_shannon, drift.hellinger, drift.total_variation, drift.kolmogorov_smirnov, drift.wasserstein]
)
def test_a_side_without_values_has_no_distance_and_says_so(metric):
    some, none = feature(NUMBERS, np.arange(10.0)), FeatureView(NUMBERS, Counts(n=5, nulls=5))
    for sides in ((some, none), (none, some)):
        assert metric(*sides).reason == ("the window has no values" if sides[0] is some else "the reference has no values")


def test_names_that_came_once_say_how_many_new_ones_are_to_come():
    names = fit_category("product", {"tea": 900, "salt": 60} | {f"once {i}": 1 for i in range(40)})
    assert names.novelty == 0.04
    nothing = FeatureView(names, Counts(n=1000, cells=np.arange(42), counts=np.array([900, 60] + [1] * 40)))
    assert drift.unseen_to_come(nothing).value == 0.04
    assert TOWNS.novelty == 0


def test_new_names_move_no_psi_and_no_share_where_they_are_usual():
    names = fit_category("product", {f"often {i}": 110 for i in range(8)} | {f"once {i}": 1 for i in range(120)})
    reference = FeatureView(names, Counts(n=1000, cells=np.arange(128), counts=np.array([110] * 8 + [1] * 120)))
    with_new = FeatureView(names, Counts(n=1000, cells=np.array([*range(8), names.unseen]), counts=np.array([110] * 8 + [120])))
    assert drift.psi(reference, with_new).value < 0.001
    more = FeatureView(names, Counts(n=1000, cells=np.array([*range(8), names.unseen]), counts=np.array([80] * 8 + [360])))
    assert drift.psi(reference, more).value > 0.1
    closed = fit_category("town", {f"often {i}": 110 for i in range(8)} | {f"twice {i}": 2 for i in range(60)})
    usual = FeatureView(closed, Counts(n=1000, cells=np.arange(68), counts=np.array([110] * 8 + [2] * 60)))
    strange = FeatureView(closed, Counts(n=1000, cells=np.array([*range(8), closed.unseen]), counts=np.array([110] * 8 + [120])))
    assert drift.psi(usual, strange).value > 0.5


def test_a_rare_category_that_gains_is_named_though_the_psi_hardly_moves():
    many = fit_category("level", {f"level {i:02}": 1000 // (i + 1) for i in range(20)})
    usual = np.array([1000 // (i + 1) for i in range(20)])
    reference = FeatureView(many, Counts(n=int(usual.sum()), cells=np.arange(20), counts=usual))
    moved = usual.copy()
    moved[19] += 200
    found = drift.share_shift(reference, FeatureView(many, Counts(n=int(moved.sum()), cells=np.arange(20), counts=moved)))
    assert 0.02 < found.value < 200 / moved.sum()
    assert found.reason == "most that of level 19, which gained"
    assert drift.share_shift(reference, reference).value == 0
