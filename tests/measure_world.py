"""Rows and the views on them: what tests of profiles and measures are made of.

Belongs here: seeded tables of rows, and the shortest way from rows to a view. Does not: expectations about numbers.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from draws import draws
from watchkeeper.measures.views import BinaryView, FeatureView, MulticlassView, RegressionView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import Labelled, pieces
from watchkeeper.profiles.scan import Numbers, Quantity

Floats = NDArray[np.float64]
NAN = float("nan")

quickly = settings(
    max_examples=draws(30, at_each_change=12), deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def label_parts(task: str, rows: Labelled) -> dict[tuple[str, str], Counts]:
    """Count rows as one group, keyed as views want them; quantities without rows have no part, as in the lake."""
    return label_parts_of_groups(task, rows, np.zeros(len(rows.truth), np.int64), 1)[0]


def label_parts_of_groups(task: str, rows: Labelled, group: NDArray[np.int64], groups: int) -> list[dict[tuple[str, str], Counts]]:
    """Count rows group by group, in one go; the other way to the same is `label_parts` of each group's rows."""
    counted = {(p.feature, p.outcome): p.count(group, groups) for p in pieces(task, rows)}
    return [{key: counts for key, of_all in counted.items() if (counts := of_all.of(g)).n} for g in range(groups)]


def decided(score: Floats) -> NDArray[np.int64]:
    return np.where(np.isfinite(score), score >= 0.5, -1).astype(np.int64)


def binary(score: Iterable[float], truth: Iterable[float], decision: Iterable[int] | None = None) -> BinaryView:
    scores = np.array(list(score), float)
    said = decided(scores) if decision is None else np.array(list(decision), np.int64)
    return BinaryView(label_parts("binary", Labelled(scores, said, np.array(list(truth), float))))


def regression(score: Iterable[float], truth: Iterable[float]) -> RegressionView:
    scores = np.array(list(score), float)
    return RegressionView(
        label_parts("regression", Labelled(scores, np.full(len(scores), -1), np.array(list(truth), float), centre=float(np.median(scores))))
    )


def multiclass(decision: Iterable[int], truth: Iterable[float], classes: tuple[str, ...], chances: Floats | None = None) -> MulticlassView:
    """Return the view of rows whose truth and decision are codes into `classes`; `chances` has a column for each of the first classes."""
    return MulticlassView(label_parts("multiclass", multiclass_rows(decision, truth, classes, chances)))


def multiclass_rows(decision: Iterable[int], truth: Iterable[float], classes: tuple[str, ...], chances: Floats | None = None) -> Labelled:
    said, true = np.array(list(decision), np.int64), np.array(list(truth), float)
    nothing = np.full(len(said), NAN)
    if chances is None:
        return Labelled(nothing, said, true, classes)
    has = np.isfinite(true) & (true < chances.shape[1])
    of_truth = np.where(has, chances[np.arange(len(true)), np.where(has, true, 0).astype(int)], NAN)
    return Labelled(nothing, said, true, classes, of_truth, chances={classes[k]: chances[:, k] for k in range(chances.shape[1])})


def counted(bins: FeatureBins, values: Floats) -> Counts:
    """Count values as one group; NaN is NaN, none is null."""
    return scanned(Numbers("x", bins), pa.array(values, pa.float64()))[0]


def scanned(
    quantity: Quantity, column: pa.Array | pa.ChunkedArray, group: Iterable[int] | None = None, groups: int = 1, *, coarse: bool = False
) -> list[Counts]:
    """Count a column by itself, in the groups given; with `coarse` as segments are counted."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    whole = np.zeros(len(column), np.int32) if group is None else np.array(list(group), np.int32)
    counters = [quantity.counters(is_whole=True).grow(groups), quantity.counters(is_whole=False).grow(groups)]
    start = 0
    for chunk in chunks:
        inside = slice(start, start := start + len(chunk))
        quantity.count(chunk, [whole[inside], whole[inside]], counters)
    return counters[coarse].counted(np.bincount(whole[whole >= 0], minlength=groups)).each()


def feature(bins: FeatureBins, values: Floats) -> FeatureView:
    return FeatureView(bins, counted(bins, values))


def assert_same(left: Counts, right: Counts, within: float = 1e-9) -> None:
    """Counts agree to the last row, sums to the rounding of floats."""
    for name in ("n", "nulls", "nans", "pos_infs", "neg_infs", "low", "high"):
        assert getattr(left, name) == getattr(right, name), name
    np.testing.assert_array_equal(left.cells, right.cells)
    np.testing.assert_array_equal(left.counts, right.counts)
    for name in ("sum", "sum2", "sums"):
        ours, theirs = (np.asarray(getattr(side, name)) for side in (left, right))
        np.testing.assert_allclose(ours, theirs, rtol=within, atol=within * (1 + abs(right.sum2)), err_msg=name)
