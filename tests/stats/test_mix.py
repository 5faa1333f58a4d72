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


def side(group: NDArray[np.int64], values: Floats) -> Side:
    return Side(*(np.bincount(group, weights=w, minlength=GROUPS).astype(float) for w in (None, values, values**2)))


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
