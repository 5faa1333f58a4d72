"""How often the search for the worst slice names one on clean rows, finds one that is there, and how long it takes.

Belongs here: seeded rows with a bad slice or none, runs, the table. Does not: the search (stats/slices.py).

    python -m benchmarks.slices
    python -m benchmarks.slices --runs 100 --json

Rows have ten features of five values, and 17.5 % are wrong; a bad slice is a share of them, alike in two features, that is wrong more often.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from watchkeeper.stats.slices import Found, worst_slices

ROWS, FEATURES, VALUES, ERROR = 5_000, 10, 5, 0.175
SIZES, EFFECTS = (0.02, 0.04, 0.08, 0.2), (0.05, 0.1, 0.2, 0.3)


def _log_loss(rng: np.random.Generator, n: int) -> np.ndarray:
    p = rng.beta(1.0, 4.0, n)
    return -np.where(rng.random(n) < p, np.log(np.maximum(p, 1e-12)), np.log1p(-p))


CLEAN: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "wrong or not": lambda rng, n: (rng.random(n) < ERROR).astype(float),
    "rarely wrong (2 %)": lambda rng, n: (rng.random(n) < 0.02).astype(float),
    "absolute errors, normal": lambda rng, n: np.abs(rng.normal(size=n)),
    "absolute errors, long tail (t with 3 degrees)": lambda rng, n: np.abs(rng.standard_t(3, n)),
    "log loss of a sound score": _log_loss,
    "log-normal (sigma 1.5)": lambda rng, n: rng.lognormal(0.0, 1.5, n),
}


class World(NamedTuple):
    """Rows: their cells, (rows, features), their losses, and which are in the bad slice."""

    codes: np.ndarray
    loss: np.ndarray
    is_bad: np.ndarray


def clean(seed: int, kind: str) -> World:
    """Return rows whose losses have nothing to do with their features."""
    rng = np.random.default_rng([seed, 1])
    return World(rng.integers(0, VALUES, (ROWS, FEATURES)).astype(np.int16), CLEAN[kind](rng, ROWS), np.zeros(ROWS, bool))


def planted(seed: int, share: float, effect: float) -> World:
    """Return rows of which those alike in two features, a given share, are wrong more often."""
    rng = np.random.default_rng([seed, 2])
    codes = rng.integers(0, VALUES, (ROWS, FEATURES)).astype(np.int16)
    for feature in (2, 6):
        is_one, others = rng.random(ROWS) < share**0.5, rng.integers(1, VALUES, ROWS)
        codes[:, feature] = np.where(is_one, 0, others)
    is_bad = (codes[:, 2] == 0) & (codes[:, 6] == 0)
    return World(codes, (rng.random(ROWS) < ERROR + effect * is_bad).astype(float), is_bad)


def is_found(world: World, found: Found) -> bool:
    """Tell whether the first slice is the bad one: rows in both are at least half of those in either."""
    if not found.slices:
        return False
    mine = np.all([world.codes[:, feature] == cell for feature, cell in found.slices[0].cells], axis=0)
    return bool(2 * (mine & world.is_bad).sum() >= (mine | world.is_bad).sum())


def power(share: float, effect: float, runs: int) -> dict[str, float]:
    """Return how often a bad slice is found, and of those runs how often the interval holds its effect, and the mean effect told."""
    first = []
    for seed in range(runs):
        world = planted(seed, share, effect)
        found = worst_slices(world.codes, world.loss, seed)
        if is_found(world, found):
            first.append(found.slices[0])
    covered = [s.effect.low <= effect <= s.effect.high for s in first]
    told = [s.effect.value for s in first]
    return {
        "share": share,
        "effect": effect,
        "found": len(first) / runs,
        "covered": float(np.mean(covered)) if covered else float("nan"),
        "effect_told": float(np.mean(told)) if told else float("nan"),
    }


def measured(runs: int) -> dict[str, Any]:
    """Return all figures."""
    false = {kind: np.mean([bool(worst_slices(w.codes, w.loss, seed).slices) for seed in range(runs) for w in [clean(seed, kind)]]) for kind in CLEAN}
    return {
        "runs": runs,
        "clean": {kind: float(share) for kind, share in false.items()},
        "planted": [power(share, effect, runs) for share in SIZES for effect in EFFECTS],
        "milliseconds": {f"{n} rows, {f} features of {k} values": spent_ms(n, f, k) for n, f, k in ((5_000, 10, 5), (100_000, 30, 10))},
    }


def spent_ms(rows: int, features: int, values: int) -> float:
    """Return the wall time of a search, the median of five."""
    rng = np.random.default_rng(0)
    codes, loss = rng.integers(0, values, (rows, features)).astype(np.int16), (rng.random(rows) < ERROR).astype(float)
    spent = []
    for seed in range(5):
        begun = time.perf_counter()
        worst_slices(codes, loss, seed)
        spent.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(spent))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000, help="windows of each kind (default: 1000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    found = measured(given.runs)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for kind, share in found["clean"].items():
        print(f"clean, {kind}: a slice in {share:.1%} of {given.runs:,} windows")
    print("share of rows   effect   found   interval holds the effect   mean effect told")
    for row in found["planted"]:
        print(f"{row['share']:>13.0%}   {row['effect']:>+6.2f}   {row['found']:>5.1%}   {row['covered']:>25.1%}   {row['effect_told']:>+16.3f}")
    for what, spent in found["milliseconds"].items():
        print(f"{what}: {spent:,.0f} ms")


if __name__ == "__main__":
    main()
