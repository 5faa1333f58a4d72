"""How often a fairness audit is wrong, and how often it finds what is there: audits of six groups with known truths.

Belongs here: seeded worlds without a gap and with one, and the shares of audits that say so. Does not: the audit (measures/fairness.py).

    python -m benchmarks.fairness --audits 500
"""

import argparse
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.fairness import Audit, View, audit
from watchkeeper.measures.views import BinaryView, RegressionView
from watchkeeper.profiles.labelled import Labelled, pieces

Floats = NDArray[np.float64]
SIZES = (60, 150, 300, 600, 1500, 3000)
GROUP, OTHERS = 400, 1000
"""Rows that count of the group with a gap, and of each of the five others."""
CALM: Mapping[str, tuple[float, float]] = {"even": (2.0, 2.0), "rare": (1.0, 4.0), "sharp": (0.4, 0.4), "very rare": (0.6, 12.0)}
"""Worlds without a gap: the Beta distribution of the scores, which come true as often as they say."""
GAP, MIDDLE = 0.15, 0.425


def views(task: str, rows: Labelled, group: NDArray[np.int64], groups: int) -> Mapping[str, View]:
    """Return the view of each group of some rows."""
    made = {(one.feature, one.outcome): one.count(group, groups).each() for one in pieces(task, rows)}
    kind = BinaryView if task == "binary" else RegressionView
    return {f"group={g}": kind({name: counts[g] for name, counts in made.items()}) for g in range(groups)}


def calm(rng: np.random.Generator, a: float, b: float, sizes: Sequence[int] = SIZES) -> Audit:
    """Audit groups that are all treated alike: flagged is the fifth with the highest scores."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    score = rng.beta(a, b, len(group))
    truth = (rng.random(len(group)) < score).astype(float)
    rows = Labelled(score, (score >= np.quantile(score, 0.8)).astype(np.int64), truth)
    return audit("binary", {"group": views("binary", rows, group, len(sizes))})


def calm_errors(rng: np.random.Generator, sizes: Sequence[int] = SIZES) -> Audit:
    """Audit groups of a regression whose errors, of heavy tails, are all alike."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    truth = rng.normal(50, 10, len(group))
    rows = Labelled(truth + rng.standard_t(4, len(group)), np.full(len(group), -1), truth)
    return audit("regression", {"group": views("regression", rows, group, len(sizes))})


def planted(rng: np.random.Generator, metric: str) -> Audit:
    """Audit six groups of which the last has a true gap of .15 in one metric, around a half, where chance is greatest."""
    sizes = [OTHERS] * 5 + [GROUP]
    group = np.repeat(np.arange(6), sizes)
    n = len(group)
    hit = (rng.random(n) < np.where(group == 5, MIDDLE + GAP, MIDDLE)).astype(np.int64)
    other = rng.integers(0, 2, n)
    half = np.full(n, 0.5)
    decision, truth = {
        "demographic_parity": (hit, other),
        "equal_opportunity": (hit, np.ones(n)),
        "equalised_odds": (hit, np.zeros(n)),
        "predictive_parity": (np.ones(n), hit),
        "calibration": (other, hit),
    }[metric]
    rows = Labelled(half if metric != "calibration" else np.full(n, MIDDLE), decision.astype(np.int64), truth.astype(float))
    return audit("binary", {"group": views("binary", rows, group, 6)})


PLANTED = ("demographic_parity", "equal_opportunity", "equalised_odds", "predictive_parity", "calibration")


def is_found(found: Audit, metric: str) -> bool:
    """Tell whether the planted gap was called a violation."""
    return any(s.verdict == "violation" and s.group == "group=5" and s.metric == metric for s in found.statements)


def figures(audits: int, seed: int) -> dict[str, dict[str, float]]:
    """Return the share of audits without a gap that name a violation, by world, and the share that finds a planted one, by metric."""
    rng = np.random.default_rng(seed)
    false = {name: float(np.mean([calm(rng, a, b).verdict == "violation" for _ in range(audits)])) for name, (a, b) in CALM.items()}
    false["regression"] = float(np.mean([calm_errors(rng).verdict == "violation" for _ in range(audits)]))
    found = {metric: float(np.mean([is_found(planted(rng, metric), metric) for _ in range(audits)])) for metric in PLANTED}
    return {"audits_with_a_false_violation": false, "planted_gap_found": found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audits", type=int, default=500, help="audits of each kind (default: 500)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the worlds (default: 0)")
    given = parser.parse_args()
    print(json.dumps({"audits": given.audits, **figures(given.audits, given.seed)}, indent=2))


if __name__ == "__main__":
    main()
