"""The compiled loops of the scan: each goes once over a piece of a column and adds to counters that the caller owns.

Belongs here: loops over values, nothing else. Does not: which columns and groups there are (scan.py). Loading this module
takes two seconds and is therefore left to those who scan; compiled code is kept beside the source.

In every loop `group[i]` is the group of row i, negative for a row that belongs to none. Cell c of group g is counted at
`g * width + c`. `bits` is an Arrow validity bitmap that begins `offset` bits before the piece, empty when nothing is null.
`moments` holds sum of squares, smallest and largest value per group; `odd` nulls, NaN, +infinity and -infinity.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = NDArray[np.float64] | NDArray[np.int64]
Bits = NDArray[np.uint8]
Groups = NDArray[np.int32]
Cells = NDArray[np.uint16]
ALL_SET = 255

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compiled  # type: ignore[untyped-decorator]
def _until(bits: Bits, offset: int, first: int, end: int, null: bool) -> int:  # noqa: FBT001 - numba takes no keyword here
    """Return the first row in [first, end) that is null, or is not; `end` where there is none."""
    i = first
    while i < end:
        bit = i + offset
        if null and bit & 7 == 0 and bits[bit >> 3] == ALL_SET:
            i += 8
        elif ((bits[bit >> 3] >> (bit & 7)) & 1 == 0) == null:
            return i
        else:
            i += 1
    return end


@_compiled  # type: ignore[untyped-decorator]
def count_numbers(
    values: Values,
    bits: Bits,
    offset: int,
    group: Groups,
    edges: Floats,
    low: float,
    per_unit: float,
    guide: NDArray[np.int32],
    width: int,
    counts: Ints,
    sums: Floats,
    moments: Floats,
    odd: Ints,
    cells: Cells,
) -> None:
    """Put each value in the cell whose edges enclose it, edges[c-1] < x <= edges[c], and add it to the cell's sum.

    `edges` end in +infinity. `guide` cuts their range in equal steps, `per_unit` to a unit from `low` on, and says how many
    lie below each step, so that hardly a value is compared with more than two. `cells`, unless empty, receives each value's
    cell: `width` for null, `width + 1` for NaN.
    """
    n, has_nulls, is_told, last = len(values), len(bits) > 0, len(cells) > 0, np.float64(len(guide) - 2)
    start = 0
    while start < n:  # rows come nearly in order of time, so groups come in runs
        g, end = group[start], start + 1
        while end < n and group[end] == g:
            end += 1
        if g < 0:
            start = end
            continue
        first = g * width
        squares, smallest, largest = 0.0, moments[g, 1], moments[g, 2]
        while start < end:  # and nulls are few, so values do too
            filled = _until(bits, offset, start, end, True) if has_nulls else end
            for i in range(start, filled):
                v = np.float64(values[i])
                if v - v != 0.0:
                    cell = np.int64(width + 1)
                    if v != v:  # noqa: PLR0124 - NaN
                        odd[g, 1] += 1
                    else:
                        cell = np.int64(width - 1) if v > 0 else np.int64(0)
                        odd[g, 2 if v > 0 else 3] += 1
                        counts[first + cell] += 1
                    if is_told:
                        cells[i] = cell
                    continue
                step = np.int64(max(0.0, min((v - low) * per_unit, last)))
                cell = np.int64(guide[step])
                cell += np.int64(edges[cell] < v)  # added and not asked: where half the values are one number a question is guessed wrong
                if edges[cell] < v:
                    above = np.int64(guide[step + 1])
                    while cell < above:
                        middle = (cell + above) >> 1
                        if edges[middle] < v:
                            cell = middle + 1
                        else:
                            above = middle
                if is_told:
                    cells[i] = cell
                counts[first + cell] += 1
                sums[first + cell] += v
                squares += v * v
                smallest = min(smallest, v)
                largest = max(largest, v)
            start = filled
            if start < end:
                start = _until(bits, offset, filled, end, False)
                odd[g, 0] += start - filled
                if is_told:
                    cells[filled:start] = width
        moments[g, 0] += squares
        moments[g, 1] = smallest
        moments[g, 2] = largest


@_compiled  # type: ignore[untyped-decorator]
def count_cells(values: Values, cells: Cells, fold: Ints, group: Groups, width: int, counts: Ints, sums: Floats, moments: Floats, odd: Ints) -> None:
    """Count values whose cells are known, in other groups and in the cells that `fold` makes of them.

    `cells` are as `count_numbers` leaves them; `len(fold)` is how many there are.
    """
    fine = len(fold)
    for i in range(len(cells)):
        g = group[i]
        if g < 0:
            continue
        cell = cells[i]
        if cell >= fine:
            odd[g, cell - fine] += 1
            continue
        place = g * width + fold[cell]
        counts[place] += 1
        v = np.float64(values[i])
        if v - v == 0.0:
            sums[place] += v
            moments[g, 0] += v * v
            moments[g, 1] = min(moments[g, 1], v)
            moments[g, 2] = max(moments[g, 2], v)
        else:
            odd[g, 2 if v > 0 else 3] += 1


@_compiled  # type: ignore[untyped-decorator]
def count_codes(codes: NDArray[np.int32], bits: Bits, offset: int, lookup: Ints, group: Groups, width: int, counts: Ints, odd: Ints) -> None:
    """Count dictionary codes in the cells that `lookup` makes of them; a negative cell stands for null."""
    has_nulls = len(bits) > 0
    for i in range(len(codes)):
        g = group[i]
        if g < 0:
            continue
        if has_nulls:
            bit = i + offset
            if not (bits[bit >> 3] >> (bit & 7)) & 1:
                odd[g, 0] += 1
                continue
        cell = lookup[codes[i]]
        if cell < 0:
            odd[g, 0] += 1
        else:
            counts[g * width + cell] += 1


@_compiled  # type: ignore[untyped-decorator]
def place(moments: Ints, starts: Ints, out: Ints) -> None:
    """Write, for each moment, the last of the ascending `starts` that is not after it; the first one is before them all."""
    w, n = 0, len(starts) - 1
    for i in range(len(moments)):
        t = moments[i]
        if t < starts[w] or (w < n and t >= starts[w + 1]):
            low, high = 0, n
            while low < high:
                middle = (low + high + 1) >> 1
                if starts[middle] <= t:
                    low = middle
                else:
                    high = middle - 1
            w = low
        out[i] = w
