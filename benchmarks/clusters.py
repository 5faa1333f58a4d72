"""How often intervals over clusters hold the truth where the rows of one customer, or of one day, are alike; and those of independent rows.

Belongs here: worlds of clusters whose means are known, and the share of intervals that hold them. Does not: the intervals
(stats/clusters.py), KPIs of independent rows (coverage.py).

    python -m benchmarks.clusters
    python -m benchmarks.clusters --runs 200 --json

A run draws m clusters: as many rows each, or sizes of which one cluster in ten has four times the mean and more (a geometric distribution). Their
rows have an intra-class correlation: shares are beta-binomial, means are a normal or a skewed (exponential) effect of the cluster and
the same of the row. Of days each has 200 rows.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.measures.clustered import is_approximate
from watchkeeper.stats.clusters import clustered_mean, clustered_share, clusters
from watchkeeper.stats.intervals import mean, proportion

Floats = NDArray[np.float64]
KINDS = ("share .5", "share .2", "share .05", "mean, normal", "mean, skewed")
ALIKE, SIZES, MANY, ROWS = (0.0, 0.1, 0.3, 0.5), ("even", "uneven"), (20, 50, 100, 300), 10
RUNS_AT_ONCE = 200
DAYS, ROWS_A_DAY, ALIKE_DAYS = (7, 30), 200, (0.0, 0.01, 0.05)


def sizes(rng: np.random.Generator, kind: str, shape: tuple[int, int], rows: int) -> Floats:
    """Return the rows of each cluster, one line a run."""
    return np.full(shape, float(rows)) if kind == "even" else rng.geometric(1 / rows, shape).astype(float)


def drawn(rng: np.random.Generator, kind: str, alike: float, rows: Floats) -> tuple[Floats, Floats, float]:
    """Return each cluster's total and sum of squares, like `rows` of shape (runs, clusters), and the true mean."""
    if kind.startswith("share"):
        truth = float(kind.split()[1])
        chances = rng.beta(truth * (1 / alike - 1), (1 - truth) * (1 / alike - 1), rows.shape) if alike else np.full(rows.shape, truth)
        hits = rng.binomial(rows.astype(int), chances).astype(float)
        return hits, hits, truth
    owner = np.repeat(np.arange(rows.size), rows.ravel().astype(int))
    draw = rng.standard_normal if kind == "mean, normal" else rng.standard_exponential
    values = sqrt(alike) * draw(rows.size)[owner] + sqrt(1 - alike) * draw(len(owner))
    truth = 0.0 if kind == "mean, normal" else sqrt(alike) + sqrt(1 - alike)
    totals, squares = (np.bincount(owner, v, rows.size).astype(float).reshape(rows.shape) for v in (values, values**2))
    return totals, squares, truth


def covered(rng: np.random.Generator, kind: str, alike: float, how: str, m: int, runs: int, rows: int = ROWS) -> dict[str, float]:
    """Return the share of runs whose interval holds the truth, over clusters and over rows, and of those that say approximate."""
    ours, of_rows, rough = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    is_share, is_of_days = kind.startswith("share"), rows != ROWS
    for begun in range(0, runs, RUNS_AT_ONCE):
        d = sizes(rng, how, (min(RUNS_AT_ONCE, runs - begun), m), rows)
        totals, squares, truth = drawn(rng, kind, alike, d)
        for place in range(len(d)):
            n, total, made = int(d[place].sum()), float(totals[place].sum()), clusters(totals[place], d[place])
            value = total / n
            found = clustered_share(value, made, if_alike=made.rows if is_of_days else None) if is_share else clustered_mean(value, made)
            plain = proportion(total, n) if is_share else mean(total, float(squares[place].sum()), n)
            ours[begun + place], of_rows[begun + place] = (e.low <= truth <= e.high for e in (found, plain))
            rough[begun + place] = not is_of_days and is_approximate(value, made, is_share=is_share)
    return {"clusters": float(ours.mean()), "rows": float(of_rows.mean()), "approximate": float(rough.mean())}


def cells(runs: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield each cell: customers of every kind, size and number, then days."""
    rng = np.random.default_rng(seed)
    for kind, alike, how, m in product(KINDS, ALIKE, SIZES, MANY):
        yield {"of": "entities", "kind": kind, "alike": alike, "sizes": how, "m": m} | covered(rng, kind, alike, how, m, runs)
    for kind, alike, m in product(("share .2", "mean, normal", "mean, skewed"), ALIKE_DAYS, DAYS):
        yield {"of": "days", "kind": kind, "alike": alike, "sizes": "even", "m": m} | covered(rng, kind, alike, "even", m, runs, ROWS_A_DAY)


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the least and greatest coverage: of entities in cells where fewer than half of the intervals say approximate and in the others, and of days."""
    entities, days = ([c for c in found if c["of"] == of] for of in ("entities", "days"))
    firm = [c for c in entities if c["approximate"] < 0.5]

    def ends(some: list[dict[str, Any]], what: str = "clusters") -> list[float]:
        return [min(c[what] for c in some), max(c[what] for c in some)]

    return {
        "entities": ends(firm),
        "entities that say approximate": ends([c for c in entities if c not in firm]),
        "entities of independent rows": ends([c for c in entities if not c["alike"]]),
        "rows of entities that are alike": ends([c for c in entities if c["alike"]], "rows"),
        "days": ends(days),
        "rows of days that are alike": ends([c for c in days if c["alike"]], "rows"),
        "cells": len(found),
    }


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000, help="runs of each cell (default: 2000)")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    given = parser.parse_args()
    found = list(cells(given.runs))
    if given.json:
        print(json.dumps({"runs": given.runs, "summary": summary(found), "cells": found}, indent=2))
        return
    print(f"{given.runs:,} runs a cell; share of 95 % intervals that hold the truth, over clusters and of rows as independent")
    print(f"{'of':9} {'what':14} {'alike':>6} {'sizes':7} {'m':>4} {'clusters':>9} {'rows':>7} {'say approximate':>16}")
    for c in found:
        shares = f"{c['clusters']:9.1%} {c['rows']:7.1%} {c['approximate']:16.0%}"
        print(f"{c['of']:9} {c['kind']:14} {c['alike']:6} {c['sizes']:7} {c['m']:4} {shares}")
    for name, value in summary(found).items():
        print(f"{name}: {value if isinstance(value, int) else ' to '.join(f'{v:.1%}' for v in value)}")


if __name__ == "__main__":
    main()
