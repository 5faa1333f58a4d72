"""The scan: rows to counts per group in one pass; a window or a segment is only an offset into the same array.

Belongs here: columns of one batch -> additive parts. Does not: where rows come from and parts go (operations/profile.py).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.profiles.bins import FeatureBins, code_categories, code_numeric
from watchkeeper.profiles.counts import Counts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def as_numbers(column: pa.ChunkedArray) -> tuple[Floats, NDArray[np.bool_]]:
    """Return a column as floats with its null mask; moments become seconds since 1970, times of day and durations seconds, booleans 0 and 1."""
    if pa.types.is_temporal(column.type):
        column = _seconds(column)
    elif pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    nulls = np.asarray(pc.is_null(column).combine_chunks())
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0).combine_chunks(), dtype=float), nulls


def _seconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_date32(kind):
        return pc.multiply(pc.cast(column, pa.int32()).cast(pa.float64()), 86_400.0)
    ticks = pc.cast(column, pa.int32() if pa.types.is_time32(kind) else pa.int64())
    return pc.divide(pc.cast(ticks, pa.float64(), safe=False), _TICKS["ms" if pa.types.is_date64(kind) else kind.unit])


def as_codes(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """Return a column as dictionary codes (-1 for null) and the distinct texts."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(pc.cast(column, pa.string()))
    whole = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], pa.string()).dictionary_encode()
    codes = np.asarray(pc.fill_null(whole.indices, -1)).astype(np.int64)
    distinct = whole.dictionary.to_pylist()
    is_null = np.array([d is None for d in distinct] + [True])
    return np.where(is_null[codes], -1, codes), [str(d) for d in distinct]


@dataclass(frozen=True, slots=True)
class Coded:
    """A column in cells 0 .. size-1, row by row; `values` add moments and per-cell sums, `coarse` folds the cells of segments."""

    cells: Ints
    size: int
    nulls: NDArray[np.bool_]
    values: Floats | None = None
    coarse: Ints | None = None

    def count(self, group: Ints, groups: int, *, coarse: bool = False) -> list[Counts]:
        """Return the counts of each group 0 .. groups-1; rows of group -1 belong to none."""
        if not coarse or self.coarse is None:
            return count_cells(self.cells, self.size, self.values, self.nulls, group, groups)
        return count_cells(self.coarse[self.cells], int(self.coarse.max()) + 1, self.values, self.nulls, group, groups)


def coded_numbers(bins: FeatureBins, values: Floats, nulls: NDArray[np.bool_]) -> Coded:
    """Put numbers into the cells of their bins."""
    return Coded(code_numeric(bins, values), bins.size, nulls, values, np.asarray(bins.coarse, np.int64))


def coded_texts(bins: FeatureBins, codes: Ints, distinct: list[str]) -> Coded:
    """Put a category column, given as dictionary codes, into the cells of its bins."""
    lookup = code_categories(bins, [*distinct, ""])
    return Coded(lookup[codes], bins.size, codes < 0, coarse=np.asarray(bins.coarse, np.int64))


def count_cells(cells: Ints, size: int, values: Floats | None, nulls: NDArray[np.bool_], group: Ints, groups: int) -> list[Counts]:
    """Return counts per group over given cells; `values` add moments and per-cell sums."""
    inside = group >= 0
    n = np.bincount(group[inside], minlength=groups)
    missing = np.bincount(group[inside & nulls], minlength=groups)
    if values is None:
        return _parts(cells, size, None, inside & ~nulls, group, groups, {"n": n, "nulls": missing})
    nan, up, down = np.isnan(values) & ~nulls, (values == np.inf) & ~nulls, (values == -np.inf) & ~nulls
    odd = {"nans": nan, "pos_infs": up, "neg_infs": down}
    tallies = {"n": n, "nulls": missing} | {k: np.bincount(group[inside & m], minlength=groups) for k, m in odd.items()}
    return _parts(
        cells,
        size,
        np.where(nan | up | down, 0.0, values),
        inside & ~nulls & ~nan,
        group,
        groups,
        tallies,
        finite=inside & ~nulls & ~nan & ~up & ~down,
    )


def _parts(
    cells: Ints,
    size: int,
    values: Floats | None,
    celled: NDArray[np.bool_],
    group: Ints,
    groups: int,
    tallies: dict[str, Ints],
    finite: NDArray[np.bool_] | None = None,
) -> list[Counts]:
    place = group[celled] * size + cells[celled]
    counts = np.bincount(place, minlength=groups * size).reshape(groups, size)
    sums = np.bincount(place, weights=values[celled], minlength=groups * size).reshape(groups, size) if values is not None else None
    moments = _moments(values, finite, group, groups) if values is not None and finite is not None else None
    out = []
    for g in range(groups):
        some = np.flatnonzero(counts[g])
        tally = {k: int(v[g]) for k, v in tallies.items()}
        extra = {} if moments is None else {k: float(v[g]) for k, v in moments.items()}
        out.append(Counts(**tally, **extra, cells=some, counts=counts[g][some], sums=np.empty(0) if sums is None else sums[g][some]))  # type: ignore[arg-type]
    return out


def _moments(values: Floats, finite: NDArray[np.bool_], group: Ints, groups: int) -> dict[str, Floats]:
    g, v = group[finite], values[finite]
    low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(low, g, v)
    np.maximum.at(high, g, v)
    return {"low": low, "high": high, "sum": np.bincount(g, weights=v, minlength=groups), "sum2": np.bincount(g, weights=v * v, minlength=groups)}
