"""The change of a mean is split into mix and effect: they add up, whatever appears or vanishes, and their errors are those seen."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from watchkeeper.stats.intervals import Estimate
from watchkeeper.stats.mix import Side, Split

Floats = NDArray[np.float64]
GROUPS = 6
BEFORE = np.array([0.3, 0.2, 0.2, 0.1, 0.2, 0.0]), np.array([0.1, 0.5, 0.3, 0.9, 0.4, 0.0])
AFTER = np.array([0.2, 0.3, 0.1, 0.2, 0.0, 0.2]), np.array([0.2, 0.4, 0.6, 0.9, 0.0, 0.8])
"""Shares and means: group 4 vanishes, group 5 appears, group 3 grows without being otherwise."""


def side(group: NDArray[np.int64], values: Floats, day: NDArray[np.int64] | None = None) -> Side:
    rows, totals, squares = (np.bincount(group, weights=w, minlength=GROUPS).astype(float) for w in (None, values, values**2))
    if day is None:
        return Side(rows, totals, squares)
    days = int(day.max()) + 1
    place = day * GROUPS + group
    by_day = [np.bincount(place, weights=w, minlength=days * GROUPS).reshape(days, GROUPS).astype(float) for w in (None, values)]
    return Side(rows, totals, squares, *by_day)


def drawn(rng: np.random.Generator, shares: Floats, means: Floats, rows: int) -> tuple[NDArray[np.int64], Floats]:
    group = rng.choice(GROUPS, rows, p=shares)
    return group, rng.gamma(2.0, means[group] / 2 + 1e-12)


def split(rng: np.random.Generator, rows: tuple[int, int] = (3000, 1500)) -> Split:
    return Split(side(*drawn(rng, *BEFORE, rows[0])), side(*drawn(rng, *AFTER, rows[1])))


def by_hand(before: tuple[Floats, Floats], after: tuple[Floats, Floats]) -> tuple[float, float]:
    """Return mix and effect of shares and means, group by group."""
    mix = effect = 0.0
    for w, e, v, f in zip(*before, *after, strict=True):
        if w > 0 and v > 0:
            mix, effect = mix + (v - w) * (e + f) / 2, effect + (f - e) * (w + v) / 2
        else:
            mix += v * f - w * e
    return mix, effect


def test_a_change_worked_by_hand():
    before = Side(np.array([50.0, 50.0]), np.array([10.0, 30.0]), np.array([10.0, 30.0]))  # half each; .2 and .6
    after = Side(np.array([20.0, 80.0]), np.array([4.0, 56.0]), np.array([4.0, 56.0]))  # 20 and 80 %; .2 and .7
    found = Split(before, after)
    assert found.change().value == pytest.approx(0.6 - 0.4)
    assert found.mix().value == pytest.approx(-0.3 * 0.2 + 0.3 * 0.65)
    assert found.effect().value == pytest.approx(0.1 * 0.65)
    assert found.effects.tolist() == pytest.approx([0.0, 0.065])
    assert found.mixes.tolist() == pytest.approx([-0.3 * (0.2 - 0.5), 0.3 * (0.65 - 0.5)])


@pytest.mark.parametrize("seed", range(200))
def test_mix_and_effect_add_up_to_the_change_on_random_tables(seed: int):
    rng = np.random.default_rng(seed)
    sides, means = [], []
    for _ in range(2):
        rows = int(rng.integers(1, 500))
        group = rng.choice(GROUPS, rows, p=rng.dirichlet(np.full(GROUPS, 0.3)))
        values = rng.normal(rng.normal(0, 10), rng.gamma(1.0, 5.0), rows)
        sides.append(side(group, values))
        means.append(float(values.mean()))
    found = Split(*sides)
    mix, effect = found.mix(), found.effect()
    assert found.change().value == pytest.approx(means[1] - means[0], abs=1e-9)
    assert mix.value + effect.value == pytest.approx(means[1] - means[0], abs=1e-9)
    assert found.mixes.sum() == pytest.approx(mix.value, abs=1e-9)
    assert found.effects.sum() == pytest.approx(effect.value, abs=1e-9)
    assert (mix.value, effect.value) == pytest.approx(by_hand(*((s.shares, s.means) for s in sides)), abs=1e-9)


def test_a_group_on_one_side_alone_is_all_mix():
    found = split(np.random.default_rng(1))
    assert found.effects[4] == found.effects[5] == 0
    assert found.mix_of_new_and_gone() == pytest.approx(found.mixes[4] + found.mixes[5])
    assert found.effect_of(5).value == 0


def test_what_all_values_have_more_changes_no_part():
    rng = np.random.default_rng(2)
    tables = [drawn(rng, *BEFORE, 800), drawn(rng, *AFTER, 600)]
    plain, shifted = (Split(*(side(g, x + by) for g, x in tables)) for by in (0.0, 100.0))
    assert shifted.mixes.tolist() == pytest.approx(plain.mixes.tolist(), abs=1e-9)
    assert shifted.effects.tolist() == pytest.approx(plain.effects.tolist(), abs=1e-9)
    assert shifted.mix().se == pytest.approx(plain.mix().se, rel=1e-6)


def test_the_change_is_as_sure_by_whatever_groups():
    rng = np.random.default_rng(3)
    tables = [drawn(rng, *BEFORE, 300), drawn(rng, *AFTER, 300)]
    one = Split(*(side(np.zeros_like(g), x) for g, x in tables)).change()
    many = Split(*(side(g, x) for g, x in tables)).change()
    assert (one.value, one.se, one.low) == pytest.approx((many.value, many.se, many.low))
    assert one.se == pytest.approx(np.sqrt(sum(x.var(ddof=1) / len(x) for _, x in tables)))


def test_a_group_of_one_row_has_the_spread_of_the_others():
    rng = np.random.default_rng(4)
    group, values = drawn(rng, *BEFORE, 200)
    found = Split(side(group, values), side(np.array([0, 1, 2, 3, 5]), np.array([0.2, 0.4, 0.6, 0.9, 0.8])))
    assert np.isfinite(found.effect().se)
    assert found.effect().se > 0


PARTS: dict[str, Callable[[Split], Estimate]] = {
    "change": Split.change,
    "mix": Split.mix,
    "effect": Split.effect,
    "one group": lambda found: found.effect_of(2),
}
_MIX, _EFFECT = by_hand(BEFORE, AFTER)
TRUTHS = {"change": _MIX + _EFFECT, "mix": _MIX, "effect": _EFFECT, "one group": 0.3 * 0.15}


def test_standard_errors_are_those_seen_and_intervals_cover():
    rng = np.random.default_rng(5)
    made = {name: [part(found) for found in (split(rng) for _ in range(400))] for name, part in PARTS.items()}
    for name, found in made.items():
        seen, told = np.std([e.value for e in found]), np.mean([e.se for e in found])
        assert told == pytest.approx(seen, rel=0.1), name
        assert 0.92 <= np.mean([e.low <= TRUTHS[name] <= e.high for e in found]) <= 0.98, name


def test_where_days_differ_intervals_are_over_days_and_cover():
    """The share of groups and the level of all rows wander from day to day; rows as independent would cover far less."""
    rng = np.random.default_rng(6)

    def wandering(shares: Floats, means: Floats, days: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        made = [(drawn(rng, rng.dirichlet(np.maximum(shares, 1e-9) * 60), means, 150), rng.normal(0, 0.1)) for _ in range(days)]
        groups, values = (np.concatenate(c) for c in zip(*[(g, x + level) for (g, x), level in made], strict=True))
        return groups, values, np.repeat(np.arange(days), 150)

    both: dict[str, list[tuple[bool, bool]]] = {name: [] for name in PARTS}
    for _ in range(300):
        before, after = wandering(*BEFORE, 28), wandering(*AFTER, 14)
        by_day, by_row = Split(side(*before), side(*after)), Split(side(*before[:2]), side(*after[:2]))
        for name, part in PARTS.items():
            one, other = part(by_day), part(by_row)
            both[name].append((one.low <= TRUTHS[name] <= one.high, other.low <= TRUTHS[name] <= other.high))
    for name, found in both.items():
        ours, of_rows = np.mean(found, axis=0)
        assert 0.91 <= ours <= 0.985, name
        assert name == "one group" or of_rows < 0.88, name


def test_fewer_than_five_days_leave_rows_independent():
    rng = np.random.default_rng(7)
    group, values = drawn(rng, *AFTER, 400)
    four, five = (side(group, values, np.arange(400) % days) for days in (4, 5))
    assert not four.is_by_span
    assert five.is_by_span
    assert Split(side(group, values), four).mix().se == Split(side(group, values), side(group, values)).mix().se
