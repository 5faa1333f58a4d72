"""Conditions: cells of a feature that a person can be told, numbers by tenths of the reference and categories one by one.

Belongs here: values -> cells, and a cell in words. Does not: fitting bins (bins.py), counting (scan.py), which cells are bad
(stats/slices.py).
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from watchkeeper.profiles.bins import OTHER, FeatureBins, code_categories, code_numeric, just_below
from watchkeeper.profiles.columns import as_codes, as_numbers, is_numeric
from watchkeeper.words import limit_text

MISSING = -1
Cells = NDArray[np.int16]


def condition_cells(bins: FeatureBins, column: pa.ChunkedArray) -> Cells:
    """Return each value's coarse cell (numbers) or cell (categories), `MISSING` for null, NaN, and numbers that came as something else."""
    if bins.kind == "category":
        codes, texts = as_codes(column)
        return np.append(code_categories(bins, texts), MISSING)[codes].astype(np.int16)
    if not is_numeric(column.type):
        return np.full(len(column), MISSING, np.int16)
    values, nulls = as_numbers(column)
    return np.where(nulls | np.isnan(values), MISSING, bins.fold[code_numeric(bins, values)]).astype(np.int16)


def condition_text(bins: FeatureBins, cell: int) -> str:
    """Return what a cell holds, in words.

    >>> wind = FeatureBins("wind", "numeric", edges=(1.0, 2.0, 7.0), coarse=(0, 0, 1, 2))
    >>> condition_text(wind, 0), condition_text(wind, 1), condition_text(wind, 2), condition_text(wind, MISSING)
    ('wind <= 2', '2 < wind <= 7', 'wind > 7', 'wind is missing')
    """
    if cell == MISSING:
        return f"{bins.feature} is missing"
    if bins.kind == "category":
        return _of_category(bins, cell)
    return _of_numbers(bins, *(int(place) for place in np.flatnonzero(bins.fold == cell)[[0, -1]]))


def run_text(bins: FeatureBins, first: int, last: int) -> str:
    """Return what neighbouring cells of a number hold, in words.

    >>> run_text(FeatureBins("wind", "numeric", edges=(1.0, 2.0, 7.0), coarse=(0, 1, 2, 3)), 1, 3)
    'wind > 1'
    """
    return _of_numbers(bins, int(np.flatnonzero(bins.fold == first)[0]), int(np.flatnonzero(bins.fold == last)[-1]))


def _of_numbers(bins: FeatureBins, first: int, last: int) -> str:
    """Return what neighbouring fine cells hold; an edge just below a value that many rows have is said by that value."""
    edges, name = bins.edges, bins.feature
    low, high = edges[first - 1] if first else None, edges[last] if last < len(edges) else None
    above, below = "<", "<="
    if low is not None and first < len(edges) and low == just_below(edges[first]):
        low, above = edges[first], "<="
    if high is not None and last + 1 < len(edges) and high == just_below(edges[last + 1]):
        high, below = edges[last + 1], "<"
    if low is None:
        return f"{name} is not missing" if high is None else f"{name} {below} {_number(high)}"
    if high is None:
        return f"{name} {above.replace('<', '>')} {_number(low)}"
    return f"{name} = {_number(low)}" if low == high else f"{_number(low)} {above} {name} {below} {_number(high)}"


def _of_category(bins: FeatureBins, cell: int) -> str:
    label = bins.label(cell)
    if cell == bins.unseen:
        return f"{bins.feature} is new (the reference has no such value)"
    return f"{bins.feature} is one of {len(bins.others):,} rare ones" if cell == bins.unseen - 1 and label == OTHER else f"{bins.feature} = {label}"


def _number(edge: float) -> str:
    """Return an edge with six digits; whole ones with all."""
    return limit_text(edge if edge == round(edge) else float(f"{edge:.6g}"))
