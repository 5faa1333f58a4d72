"""How often a KPI's 95 % interval holds the truth: tables drawn again and again from worlds whose KPIs are known.

Belongs here: the worlds, their true KPIs, and the share of intervals that hold them. Does not: the intervals (stats/intervals.py, measures/).

    python -m benchmarks.coverage
    python -m benchmarks.coverage --simulations 400 --json
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from watchkeeper.measures import catalogue
from watchkeeper.measures.performance import LEAST_FOR_T
from watchkeeper.measures.views import BinaryView, RegressionView
from watchkeeper.profiles.labelled import Labelled, pieces

Floats = NDArray[np.float64]
LOW, HIGH = 0.925, 0.975
"""What is promised of the share of intervals that hold the truth."""
ROWS_AT_ONCE = 400_000
LARGE = 3_000_000
"""Rows whose KPI is taken for the truth, where no formula gives it."""


@dataclass(frozen=True)
class World:
    """Tables of one size: `draw` returns so many of them one below another, with the true value of each; `truths` are those that do not vary."""

    name: str
    task: str
    n: int
    draw: Callable[[np.random.Generator, int], tuple[Labelled, Floats]]
    truths: Mapping[str, float]
    varying: str = ""
    promised: frozenset[str] = frozenset()


def views(task: str, rows: Labelled, n: int, tables: int) -> Iterator[BinaryView | RegressionView]:
    """Count each table as a scan counts a window."""
    group = np.repeat(np.arange(tables), n)
    counted = {(one.feature, one.outcome): one.count(group, tables).each() for one in pieces(task, rows)}
    for table in range(tables):
        parts = {name: counts[table] for name, counts in counted.items() if counts[table].n}
        yield BinaryView(parts) if task == "binary" else RegressionView(parts)


def covered(world: World, simulations: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield each KPI of a world: the share of its intervals that hold the truth, and of simulations in which there is one."""
    rng = np.random.default_rng([seed, *world.name.encode(), world.n])
    names = [*world.truths, *([world.varying] if world.varying else [])]
    metrics = {name: metric for name in names if (metric := catalogue.find(name, world.task))}
    held: dict[str, list[bool]] = {name: [] for name in metrics}
    for first in range(0, simulations, max(1, ROWS_AT_ONCE // world.n)):
        tables = min(max(1, ROWS_AT_ONCE // world.n), simulations - first)
        rows, truths = world.draw(rng, tables)
        for view, varying in zip(views(world.task, rows, world.n, tables), truths.tolist(), strict=True):
            for name, metric in metrics.items():
                found, truth = metric.function(view), world.truths.get(name, varying)
                if np.isfinite(found.low):
                    held[name].append(bool(found.low - 1e-12 <= truth <= found.high + 1e-12))
    for name, these in held.items():
        share = float(np.mean(these)) if these else float("nan")
        same = {"metric": name, "world": world.name, "n": world.n, "promised": name in world.promised}
        yield {**same, "covered": round(share, 4), "intervals": round(len(these) / simulations, 4)}


def ranked(positives: int, negatives: int, apart: float, rng: np.random.Generator, tables: int) -> tuple[Labelled, Floats]:
    """Draw normal scores of both outcomes, `apart` standard deviations from each other."""
    truth = np.tile(np.repeat([1.0, 0.0], [positives, negatives]), tables)
    score = stats.norm.cdf(rng.normal(size=len(truth)) + apart * truth)
    return Labelled(score, (score >= 0.5).astype(np.int64), truth), np.zeros(tables)


def shares(metric: str, n: int, chance: float | None, rng: np.random.Generator, tables: int) -> tuple[Labelled, Floats]:
    """Draw `n` flagged rows, or `n` positives, of which each is right with one chance: the one given, else any of a table's own."""
    chances = rng.random(tables) if chance is None else np.full(tables, chance)
    right = (rng.random(n * tables) < np.repeat(chances, n)).astype(np.int64)
    ones = np.ones(n * tables, np.int64)
    decision, truth = (ones, right) if metric == "precision" else (right, ones)
    return Labelled(np.full(n * tables, 0.5), decision, truth.astype(float)), chances


def honest(n: int, a: float, b: float, rng: np.random.Generator, tables: int) -> tuple[Labelled, Floats]:
    """Draw scores from a Beta distribution, which come true as often as they say; the upper fifth is flagged."""
    score = rng.beta(a, b, n * tables)
    decision = (score >= stats.beta.ppf(0.8, a, b)).astype(np.int64)
    return Labelled(score, decision, (rng.random(len(score)) < score).astype(float)), np.zeros(tables)


ERRORS: Mapping[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal errors": lambda rng, n: rng.normal(0.2, 1.0, n),
    "skewed errors": lambda rng, n: rng.exponential(1.0, n) - 0.5,
    "heavy tails, t of 4": lambda rng, n: rng.standard_t(4, n) + 0.2,
    "heavy tails, t of 3": lambda rng, n: rng.standard_t(3, n) + 0.2,
}
OF_SCORES = (
    *("log_loss", "brier", "calibration_gap", "average_precision", "roc_auc", "accuracy", "precision", "recall"),
    *("f1", "balanced_accuracy", "matthews", "lift_at_10"),
)
OF_ERRORS = ("mae", "rmse", "bias", "smape", "pinball_10", "pinball_90", "error_p05", "error_p95", "absolute_error_p50", "absolute_error_p90")


def errors(n: int, world: str, rng: np.random.Generator, tables: int) -> tuple[Labelled, Floats]:
    """Draw predictions whose errors are of one kind, around truths that are normal."""
    truth = rng.normal(50.0, 10.0, n * tables)
    return Labelled(truth + ERRORS[world](rng, len(truth)), np.full(len(truth), -1), truth, centre=50.0), np.zeros(tables)


def values(names: tuple[str, ...], task: str, rows: Labelled) -> dict[str, float]:
    """Return the KPIs of one large table."""
    whole = next(views(task, rows, len(rows.truth), 1))
    return {name: metric.function(whole).value for name in names if (metric := catalogue.find(name, task))}


def worlds() -> Iterator[World]:
    """Yield all worlds, the promised ones first."""
    for positives, negatives in ((5, 5), (5, 20), (5, 200), (10, 10), (10, 100), (30, 30), (50, 500), (200, 200)):
        for auc in (0.6, 0.7, 0.8, 0.9):
            draw = partial(ranked, positives, negatives, float(np.sqrt(2) * stats.norm.ppf(auc)))
            yield World(f"{positives} + {negatives}, AUC {auc}", "binary", positives + negatives, draw, {"roc_auc": auc}, "", frozenset({"roc_auc"}))
    for metric in ("precision", "recall"):
        for n in (10, 12, 15, 20, 50, 200, 1_000):
            yield World("any chance", "binary", n, partial(shares, metric, n, None), {}, metric, frozenset({metric}))
    yield from worlds_of_errors()
    for metric in ("precision", "recall"):
        for n, chance in product((10, 20, 50), (0.5, 0.7, 0.9, 0.97)):
            yield World(f"chance {chance}", "binary", n, partial(shares, metric, n, chance), {}, metric)
    for a, b in ((2.0, 5.0), (0.5, 9.0)):
        truths = values(OF_SCORES, "binary", honest(LARGE, a, b, np.random.default_rng(1), 1)[0]) | {"calibration_gap": 0.0}
        for n in (50, 100, 300, 1_000):
            yield World(f"scores of Beta({a:g}, {b:g})", "binary", n, partial(honest, n, a, b), truths)


def worlds_of_errors() -> Iterator[World]:
    """Yield worlds of regressions; below 1,000 rows the intervals say that they are approximate."""
    for kind in ERRORS:
        truths = values(OF_ERRORS, "regression", errors(LARGE, kind, np.random.default_rng(1), 1)[0])
        for n in (100, LEAST_FOR_T, 4_000):
            promised = frozenset({"mae"}) if n >= LEAST_FOR_T else frozenset()
            yield World(kind, "regression", n, partial(errors, n, kind), truths, "", promised)


def measured(simulations: int, seed: int) -> list[dict[str, Any]]:
    """Return every cell of every world."""
    out: list[dict[str, Any]] = []
    for world in worlds():
        print(f"{world.n:,} rows, {world.name} ...", file=sys.stderr, flush=True)
        out += covered(world, simulations, seed)
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=4_000, help="tables of each world (default: 4000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the tables (default: 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    cells = measured(given.simulations, given.seed)
    outside = [c for c in cells if c["promised"] and not LOW <= c["covered"] <= HIGH]
    found = {"simulations": given.simulations, "promised": [LOW, HIGH], "promised_cells_outside": len(outside), "cells": cells}
    print(json.dumps(found, indent=2) if given.json else as_text(found))


def as_text(found: dict[str, Any]) -> str:
    """Return the cells as a table; an asterisk marks those that are promised, an exclamation mark those of them that are outside."""
    lines = [
        f"{found['simulations']:,} tables of each world; promised (*): {LOW:.1%} to {HIGH:.1%}; {found['promised_cells_outside']} of them are not",
        "",
    ]
    lines += [f"  {'metric':20}{'rows':>7}  {'world':28}{'covered':>8}{'has one':>9}"]
    for c in found["cells"]:
        mark = " " if not c["promised"] else "*" if LOW <= c["covered"] <= HIGH else "!"
        lines += [f"{mark} {c['metric']:20}{c['n']:7,}  {c['world']:28}{c['covered']:8.3f}{c['intervals']:9.3f}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
