"""Tables of rows that metrics are tried on: plain ones, and those at which numbers usually break.

Belongs here: seeded rows, as the metric sees them and as plain arrays. Does not: what the numbers should be
(measures/test_catalogue.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from measure_world import NAN, binary, decided, feature, multiclass, regression, scanned
from watchkeeper.measures.segment_shift import Sides
from watchkeeper.measures.service_view import LIMIT, TAIL, ServiceView
from watchkeeper.measures.views import FeatureView
from watchkeeper.profiles.bins import FeatureBins, fit_category, fit_numeric
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import latency_cell_below, latency_cells, token_cells
from watchkeeper.profiles.pairs import PairSums
from watchkeeper.profiles.scan import of_category
from watchkeeper.profiles.statuses import class_cells

CLASSES = ("ant", "bee", "cat", "dog")


@dataclass(frozen=True)
class Rows:
    """One table: what the metrics see, and the same as plain arrays for the oracles."""

    args: tuple[Any, ...]
    truth: np.ndarray
    said: np.ndarray
    score: np.ndarray
    every: np.ndarray
    """The scores of all rows, with a label or without."""


def binary_rows(score, truth) -> Rows:
    score, truth = np.asarray(score, float), np.asarray(truth, float)
    known = np.isfinite(truth)
    return Rows((binary(score, truth),), truth[known], decided(score)[known], score[known], score)


def drawn(n: int, seed: int, share: float = 0.3, noise: float = 1.0):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < share).astype(float)
    score = 1 / (1 + np.exp(-(rng.normal(0, noise, n) + 1.5 * truth - 1)))
    return score, np.where(rng.random(n) < 0.1, NAN, truth), rng


def binary_tables() -> dict[str, Rows]:
    score, truth, rng = drawn(5000, 1)
    rare, seldom, _ = drawn(60_000, 2, share=0.001)
    sharp, decisive, _ = drawn(3000, 3, noise=9.0)
    small, few, _ = drawn(230, 4)
    return {
        "plain": binary_rows(score, truth),
        "ties": binary_rows(np.round(score, 1), truth),
        "noughts and ones": binary_rows(np.round(score), truth),
        "noughts and ones among others": binary_rows(np.where(rng.random(5000) < 0.2, rng.integers(0, 2, 5000), score), truth),
        "one in a thousand positive": binary_rows(rare, seldom),
        "near nought and one": binary_rows(sharp, decisive),
        "outside the usual": binary_rows(np.where(rng.random(5000) < 0.1, score * 3 - 1, score), truth),
        "very small": binary_rows(score[:1500] * 1e-7, truth[:1500]),
        "close together": binary_rows(0.5 + (score[:1500] - 0.5) * 1e-3, truth[:1500]),
        "small": binary_rows(small, few),
        "tiny": binary_rows([0.2, 0.7, 0.6, 0.4, 0.1], [0, 1, 0, 1, NAN]),
        "one row": binary_rows([0.7], [1.0]),
        "all positive": binary_rows(score[:300], np.ones(300)),
        "all negative": binary_rows(score[:300], np.zeros(300)),
        "constant score": binary_rows(np.full(400, 0.25), np.where(truth[:400] == 1, 1.0, 0.0)),
        "nothing flagged": binary_rows(score[:300] / 3, np.where(truth[:300] == 1, 1.0, 0.0)),
    }


def regression_rows(score, truth) -> Rows:
    known = np.isfinite(truth)
    return Rows((regression(score, truth),), truth[known], score[known], score[known], score)


def regression_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(5)
    truth = rng.normal(20, 30, 4000)
    guess = truth + rng.standard_t(2, 4000) * 5
    missing = np.where(rng.random(4000) < 0.2, NAN, truth)
    return {
        "plain": regression_rows(guess, missing),
        "whole numbers with noughts": regression_rows(np.round(guess / 10), np.round(truth / 10)),
        "perfect": regression_rows(truth, truth),
        "worse than the mean": regression_rows(-guess, truth),
        "constant truth": regression_rows(guess[:50], np.full(50, 4.0)),
        "large": regression_rows(guess * 1e5, truth * 1e5),
        "far from nought": regression_rows(guess + 1.7e9, truth + 1.7e9),
        "tiny": regression_rows(np.array([1.0, 2.0, 4.5, 4.0]), np.array([1.5, 2.0, 3.0, NAN])),
    }


def multiclass_rows(said, truth, chance=None, classes=CLASSES) -> Rows:
    said, truth = np.asarray(said), np.asarray(truth, float)
    known = np.isfinite(truth)
    score = np.empty((0, len(classes))) if chance is None else chance[known]
    every = np.empty((len(said), 0)) if chance is None else np.column_stack([said, chance])
    return Rows((multiclass(said, truth, classes, chance),), truth[known], said[known], score, every)


def multiclass_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(6)
    chance = rng.dirichlet([2, 1, 0.5, 0.2], 3000)
    truth = np.array([rng.choice(4, p=p) for p in chance], float)
    said, missing = chance.argmax(axis=1), np.where(rng.random(3000) < 0.1, NAN, truth)
    sure = chance**2 / (chance**2).sum(axis=1, keepdims=True)
    return {
        "plain": multiclass_rows(said, missing, chance),
        "surer than it should be": multiclass_rows(said, missing, sure),
        "ties": multiclass_rows(said, missing, np.round(sure, 1)),
        "a class that never was": multiclass_rows(said[truth != 1], truth[truth != 1], chance[truth != 1]),
        "a class never decided": multiclass_rows(np.where(said == 2, 0, said), truth),
        "decisions outside the classes": multiclass_rows(np.where(rng.random(3000) < 0.1, -1, said), truth, chance),
        "one class": multiclass_rows(said[truth == 3], truth[truth == 3]),
        "tiny": multiclass_rows([0, 1, 1], [0, 2, 1]),
    }


def class_tables() -> dict[str, Rows]:
    """The same rows, one class against all others."""
    out = {}
    for name, whole in multiclass_tables().items():
        for code in (0, 1):
            truth, said = (whole.truth == code).astype(float), (whole.said == code).astype(float)
            score = whole.score[:, code] if len(whole.score) else np.empty(0)
            every = np.column_stack([whole.every[:, 0] == code, whole.every[:, 1 + code]]) if whole.every.shape[1] else whole.every
            out[f"{name}, {CLASSES[code]}"] = Rows((whole.args[0].of_class(CLASSES[code]),), truth, said, score, every)
    return out


def numeric_rows(bins: FeatureBins, reference, analysis) -> Rows:
    views = feature(bins, reference), feature(bins, analysis)
    return Rows(views, reference[np.isfinite(reference)], analysis[np.isfinite(analysis)], analysis, reference)


def feature_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(7)
    reference = rng.normal(100, 10, 8000)
    zeros = np.where(rng.random(8000) < 0.6, 0.0, rng.exponential(5, 8000))
    shifts = {
        "same": rng.normal(100, 10, 3000),
        "shifted": rng.normal(106, 10, 900),
        "wider": rng.normal(100, 25, 900),
        "beyond the reference": rng.normal(300, 1, 200),
        "with NaN": np.where(rng.random(900) < 0.2, NAN, rng.normal(97, 10, 900)),
        "constant": np.full(500, 100.0),
    }
    bins, sparse = fit_numeric("x", reference), fit_numeric("x", zeros)
    tables = {name: numeric_rows(bins, reference, analysis) for name, analysis in shifts.items()}
    return tables | {"mostly nought": numeric_rows(sparse, zeros, np.where(rng.random(900) < 0.4, 0.0, rng.exponential(7, 900)))}


def category_rows(reference: list[str | None], analysis: list[str | None]) -> Rows:
    tally = {c: reference.count(c) for c in set(reference) if c is not None}
    bins = fit_category("c", tally)

    def view(texts: list[str | None]) -> FeatureView:
        return FeatureView(bins, scanned(of_category("c", bins), pa.array(texts, pa.string()))[0])

    return Rows((view(reference), view(analysis)), np.array(reference, object), np.array(analysis, object), np.empty(0), np.empty(0))


def category_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(8)
    names = [f"c{i}" for i in range(30)]
    reference = rng.choice(names, 4000, p=rng.dirichlet(np.full(30, 0.5))).tolist()
    analysis = np.where(rng.random(2000) < 0.1, "new", rng.choice(names[:20], 2000)).tolist()
    return {
        "same": category_rows(reference, reference),
        "new and vanished": category_rows(reference, analysis),
        "nulls": category_rows(reference, [None if i % 3 else c for i, c in enumerate(reference)]),
        "one category": category_rows(["a"] * 500, ["a"] * 400 + ["b"] * 100),
    }


SECONDS = 3600.0
LIMITS = {LIMIT: latency_cell_below(100.0), TAIL: latency_cell_below(400.0)}


@dataclass(frozen=True)
class Requests:
    """What was logged of some requests, row by row; `at` are seconds into the hour."""

    latency: np.ndarray
    status: np.ndarray
    queue: np.ndarray
    tokens_in: np.ndarray
    tokens_out: np.ndarray
    at: np.ndarray

    def some(self, mine: np.ndarray) -> "Requests":
        return Requests(*(getattr(self, f.name)[mine] for f in fields(self)))

    def view(self) -> ServiceView:
        n = len(self.latency)
        one = np.zeros(n, np.int64)

        def positive(values: np.ndarray, cells_of: Callable[[np.ndarray], np.ndarray] = latency_cells) -> Counts:
            missing = np.isnan(values)
            filled = np.where(missing, 0.0, values)
            return of_rows(cells_of(filled), filled, missing, one, 1).of(0)

        never = np.zeros(n, bool)
        return ServiceView(
            n,
            latency=positive(self.latency),
            status=of_rows(class_cells(self.status.tolist()), None, never, one, 1).of(0),
            queue=positive(self.queue),
            input_tokens=positive(self.tokens_in, token_cells),
            output_tokens=positive(self.tokens_out, token_cells),
            minutes=of_rows((self.at // 60).astype(np.int64), None, never, one, 1).of(0),
            seconds=SECONDS,
            limits=LIMITS,
        )


def requests(latency, *, errors: float = 0.05, seed: int = 5) -> Requests:
    """Return requests with given latencies, a part of each of which was waited."""
    rng = np.random.default_rng(seed)
    n, latency = len(latency), np.asarray(latency, float)
    status = np.where(rng.random(n) < errors, rng.choice(["timeout", "503", "404", "429", "KeyError", "OOM", "CANCELLED", "E17"], n), "ok")
    queue = np.where(rng.random(n) < 0.5, 0.0, np.nan_to_num(np.maximum(latency, 0.0)) * rng.random(n) * 0.5)
    return Requests(
        latency, status, queue, rng.integers(1, 900, n).astype(float), rng.integers(0, 300, n).astype(float), rng.random(n) ** 2 * SECONDS
    )


def service_worlds() -> dict[str, Requests]:
    rng = np.random.default_rng(9)
    return {
        "heavy tail": requests(rng.lognormal(3, 1.5, 20_000)),
        "two humps": requests(np.concatenate([rng.normal(20, 1, 900), rng.normal(4000, 50, 100)]), errors=0.0),
        "Pareto": requests(rng.pareto(0.8, 5000) + 0.5, errors=0.5),
        "unlogged ones": requests(np.where(rng.random(800) < 0.3, NAN, rng.exponential(90, 800)), errors=1.0),
        "nought and negative ones": requests(np.where(rng.random(800) < 0.3, rng.choice([0.0, -5.0], 800), rng.exponential(90, 800))),
        "a few": requests([5.0, 900.0, 3.0], errors=0.4),
        "none that counts": requests([0.0, -1.0, 0.0]),
    }


def service_tables() -> dict[str, Rows]:
    nothing = np.empty(0)
    return {name: Rows((one.view(),), nothing, one, one.latency[one.latency > 0], one.latency) for name, one in service_worlds().items()}  # type: ignore[arg-type]


def place_tables() -> dict[str, Rows]:
    """Each world with a third of its requests as a place; `truth` tells which."""
    rng = np.random.default_rng(11)
    out = {}
    for name, one in service_worlds().items():
        mine = rng.random(len(one.latency)) < 1 / 3
        mine[:1] = True
        out[name] = Rows((one.some(mine).view(), one.view()), mine, one, np.empty(0), one.latency)  # type: ignore[arg-type]
    return out


def pair_rows(a, b) -> Rows:
    """Two columns of which either may lack values; `truth` and `said` are the values of rows that have both."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    both = np.isfinite(a) & np.isfinite(b)
    x, y = a[both], b[both]
    sums = PairSums(len(x), float(x @ y), float(x.sum()), float(y.sum()), float(x @ x), float(y @ y))
    return Rows((sums,), x, y, np.empty(0), np.empty(0))


def pair_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(9)
    x, noise = rng.normal(size=(2, 4000))
    return {
        "plain": pair_rows(x, x + noise),
        "against each other": pair_rows(x, -x + 0.1 * noise),
        "the same": pair_rows(x, x),
        "unrelated": pair_rows(x, noise),
        "off centre": pair_rows(x + 2, x + noise + 3),
        "with gaps": pair_rows(np.where(noise > 1, NAN, x), np.where(x > 1, NAN, x + noise)),
        "few": pair_rows(x[:5], noise[:5]),
        "too few": pair_rows(x[:3], noise[:3]),
        "constant": pair_rows(np.full(50, 0.5), x[:50]),
        "none": pair_rows([NAN], [1.0]),
    }


SEGMENT_CELLS = 7
"""Six of values, and one of rows without."""


def segment_rows(kind: str, reference, window, segments: int) -> Rows:
    """Rows as (cells, segments) of a reference and of a window; kept as `score` and `every`, `truth` and `said`."""
    sides = [
        Sides(
            np.array([np.bincount(cells[segment == s], minlength=SEGMENT_CELLS) for s in range(segments)], float).reshape(segments, SEGMENT_CELLS),
            np.bincount(cells, minlength=SEGMENT_CELLS).astype(float),
        )
        for cells, segment in (reference, window)
    ]
    names = [f"s={s}" for s in range(segments)]
    return Rows((names, kind, *sides), window[0], window[1], reference[0], reference[1])


def segment_tables() -> dict[str, Rows]:
    rng = np.random.default_rng(12)
    draw = lambda n, k=8: (rng.integers(0, SEGMENT_CELLS - 1, n), rng.integers(0, k, n))  # noqa: E731
    reference, window = draw(6000), draw(1600)
    moved = np.where((window[1] == 3) & (rng.random(1600) < 0.7), 5, window[0])
    everywhere = np.where(rng.random(1600) < 0.7, 5, window[0])
    return {
        "nothing moved": segment_rows("numeric", reference, window, 8),
        "one segment moved": segment_rows("numeric", reference, (moved, window[1]), 8),
        "all moved alike": segment_rows("numeric", reference, (everywhere, window[1]), 8),
        "categories of one segment": segment_rows("category", reference, (moved, window[1]), 8),
        "a new segment": segment_rows("numeric", draw(6000, 7), (moved, window[1]), 8),
        "few rows each": segment_rows("numeric", reference, (moved[:100], window[1][:100]), 8),
        "one segment has all": segment_rows("numeric", (reference[0], np.zeros(6000, int)), (moved, np.zeros(1600, int)), 1),
        "a constant": segment_rows("numeric", (np.full(6000, 2), reference[1]), (np.full(1600, 2), window[1]), 8),
        "missing in one segment": segment_rows("numeric", reference, (np.where(moved == window[0], moved, 6), window[1]), 8),
        "always some missing": segment_rows(
            "numeric", (np.where(rng.random(6000) < 0.2, 6, reference[0]), reference[1]), (np.where(rng.random(1600) < 0.2, 6, moved), window[1]), 8
        ),
        "a new category in one segment": segment_rows("category", (np.minimum(reference[0], 4), reference[1]), (moved, window[1]), 8),
        "no reference": segment_rows("category", (np.empty(0, int), np.empty(0, int)), (moved, window[1]), 8),
    }


TABLES = {
    "segments": segment_tables(),
    "pair": pair_tables(),
    "binary": binary_tables(),
    "regression": regression_tables(),
    "multiclass": multiclass_tables(),
    "class": class_tables(),
    "feature": feature_tables() | {f"category, {k}": v for k, v in category_tables().items()},
    "service": service_tables(),
    "place": place_tables(),
}
