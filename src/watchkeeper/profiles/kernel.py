"""The compiled loops of the scan: each goes once over a piece of a column and adds to counters that the caller owns.

Belongs here: loops over values, nothing else. Does not: which columns and groups there are (scan.py). Loading this module
takes two seconds and is therefore left to those who scan; compiled code is kept beside the source.

In every loop `group[i]` is the group of row i, negative for a row that belongs to none. Cell c of group g is counted at
`g * width + c`. `bits` is an Arrow validity bitmap that begins `offset` bits before the piece, empty when nothing is null.
`moments` holds sum, sum of squares, smallest and largest value per group; `odd` nulls, NaN, +infinity and -infinity.

Rows are taken a block at a time. What a processor does for several values at once (adding up, finding extremes, the step
that leads to a cell) is a loop of its own over the block; the counting goes from one null to the next. Indices of scattered
places are unsigned, since numba asks of each signed one whether it counts from the end; functions take
blocks and not values, since each array handed over is counted as held.
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
Codes = NDArray[np.uint8]
Places = NDArray[np.int32]
BLOCK = 512
ALL_SET = 255
_MAGNITUDE = (1 << 63) - 1
_at = np.uint64

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
_in_any_order = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})


@_compiled  # type: ignore[untyped-decorator]
def _are_one(group: Groups) -> bool:
    """Tell whether the rows of a block belong to one group."""
    first, others = group[0], 0
    for k in range(len(group)):
        others += group[k] != first
    return others == 0


@_compiled  # type: ignore[untyped-decorator]
def _nulls(bits: Bits, first: int, size: int, skipped: Places) -> int:
    """Write the places of the nulls of a block, whose validity begins at bit `first`; return how many they are."""
    n, k = 0, 0
    while k < size:
        bit = first + k
        byte = bits[bit >> 3]
        if bit & 7 == 0 and byte == ALL_SET:  # nulls are few
            k += 8
        else:
            skipped[n] = k
            n += 1 - ((byte >> (bit & 7)) & 1)
            k += 1
    return n


@_in_any_order  # type: ignore[untyped-decorator]
def _sums(values: Floats) -> tuple[float, float]:
    """Return the sum and the sum of squares."""
    total, squares = 0.0, 0.0
    for k in range(len(values)):
        total += values[k]
        squares += values[k] * values[k]
    return total, squares


@_compiled  # type: ignore[untyped-decorator]
def _extremes(values: Floats) -> tuple[float, float]:
    """Return the smallest and the largest of finite values, by the order of their bits: whole numbers are compared several at once."""
    smallest, largest = _MAGNITUDE, -_MAGNITUDE
    bits = values.view(np.int64)
    for k in range(len(bits)):
        rank = bits[k] ^ ((bits[k] >> 63) & _MAGNITUDE)
        smallest = min(smallest, rank)
        largest = max(largest, rank)
    both = np.array([smallest, largest])
    for e in range(2):
        both[e] ^= (both[e] >> 63) & _MAGNITUDE
    found = both.view(np.float64)
    return found[0], found[1]


@_compiled  # type: ignore[untyped-decorator]
def _steps(values: Floats, low: float, per_unit: float, last: float, steps: Places) -> None:
    """Write the step of the guide at which each value lies."""
    for k in range(len(values)):
        step = (values[k] - low) * per_unit
        step = step if step > 0.0 else 0.0  # noqa: FURB136 - this way 0 also where it is no number
        steps[k] = np.int32(step if step < last else last)  # noqa: FURB136


@_compiled  # type: ignore[untyped-decorator]
def _count(
    values: Floats,
    steps: Places,
    edges: Floats,
    guide: Places,
    group: Groups,
    is_one: bool,  # noqa: FBT001
    width: int,
    counts: Ints,
    sums: Floats,
    cells: Cells,
) -> None:
    """Count each value in the cell it is in: most lie between the same two edges as their step does."""
    first = _at(group[0]) * _at(width)
    for k in range(len(values)):
        v, step = values[k], _at(steps[k])
        cell = _at(guide[step])
        cell += _at(edges[cell] < v)  # added and not asked: where half the values are one number a question is guessed wrong
        if edges[cell] < v:
            above = _at(guide[step + _at(1)])
            while cell < above:
                middle = (cell + above) >> _at(1)
                if edges[middle] < v:
                    cell = middle + _at(1)
                else:
                    above = middle
        cells[k] = cell
        if not is_one:
            if group[k] < 0:
                continue
            first = _at(group[k]) * _at(width)
        counts[first + cell] += 1
        sums[first + cell] += v


@_compiled  # type: ignore[untyped-decorator]
def _take_back(skipped: Places, apart: Cells, group: Groups, width: int, counts: Ints, cells: Cells) -> None:
    """Undo the counting of the noughts that stood where nothing is to be counted, and write what is there."""
    for s in range(len(skipped)):
        k = skipped[s]
        if group[k] >= 0:
            counts[group[k] * width + cells[k]] -= 1
        cells[k] = apart[s]


@_compiled  # type: ignore[untyped-decorator]
def _set_apart(values: Floats, skipped: Places, nulls: int, group: Groups, width: int, counts: Ints, odd: Ints, apart: Cells) -> int:
    """Count NaN and infinities, and put noughts and their places among those of the nulls; return how many both are."""
    null_places = skipped[:nulls].copy()
    n, next_null = 0, 0
    for k in range(len(values)):
        v, g = values[k], group[k]
        if next_null < nulls and null_places[next_null] == k:
            next_null += 1
            apart[n] = width
        elif v - v != 0.0:
            is_nan = v != v  # noqa: PLR0124 - only NaN is not itself
            apart[n] = width + 1 if is_nan else (width - 1 if v > 0 else 0)
            if g >= 0:
                odd[g, 1 if is_nan else (2 if v > 0 else 3)] += 1
                if not is_nan:
                    counts[g * width + apart[n]] += 1
        else:
            continue
        values[k] = 0.0
        skipped[n] = k
        n += 1
    return n


@_compiled  # type: ignore[untyped-decorator]
def count_numbers(
    values: Values,
    bits: Bits,
    offset: int,
    group: Groups,
    edges: Floats,
    low: float,
    per_unit: float,
    guide: Places,
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
    room, steps, unasked = np.empty(BLOCK), np.empty(BLOCK, np.int32), np.empty(BLOCK, np.uint16)
    skipped, apart = np.empty(BLOCK + 1, np.int32), np.empty(BLOCK, np.uint16)
    last = np.float64(len(guide) - 2)
    for start in range(0, len(values), BLOCK):
        size = min(BLOCK, len(values) - start)
        here = group[start : start + size]
        is_one, g = _are_one(here), here[0]
        if is_one and g < 0:
            continue
        piece, taken = values[start : start + size], room[:size]
        told = cells[start : start + size] if len(cells) > 0 else unasked[:size]
        for k in range(size):
            taken[k] = piece[k]
        n = _nulls(bits, start + offset, size, skipped) if len(bits) > 0 else 0
        for s in range(n):
            k = skipped[s]
            taken[k] = 0.0
            apart[s] = width
            if here[k] >= 0:
                odd[here[k], 0] += 1
        total, squares = _sums(taken)
        if squares - squares != 0.0:  # far numbers, infinity or NaN
            n = _set_apart(taken, skipped, n, here, width, counts, odd, apart)
            total, squares = _sums(taken)
        _steps(taken, low, per_unit, last, steps)
        _count(taken, steps, edges, guide, here, is_one, width, counts, sums, told)
        _take_back(skipped[:n], apart, here, width, counts, told)
        if n == size:
            continue
        skipped[n] = size
        if not is_one:
            _add_mixed(taken, skipped[: n + 1], here, moments)
            continue
        some = 0  # the place of a value that is there
        while some < n and skipped[some] == some:
            some += 1
        for s in range(n):
            taken[skipped[s]] = taken[some]
        smallest, largest = _extremes(taken)
        moments[g, 0] += total
        moments[g, 1] += squares
        moments[g, 2] = min(moments[g, 2], smallest)
        moments[g, 3] = max(moments[g, 3], largest)


@_compiled  # type: ignore[untyped-decorator]
def _add_mixed(values: Floats, skipped: Places, group: Groups, moments: Floats) -> None:
    """Add a block whose rows belong to several groups to their moments."""
    begin = 0
    for end in skipped:
        for k in range(begin, end):
            if group[k] < 0:
                continue
            g, v = _at(group[k]), values[k]
            moments[g, 0] += v
            moments[g, 1] += v * v
            moments[g, 2] = min(moments[g, 2], v)
            moments[g, 3] = max(moments[g, 3], v)
        begin = end + 1


@_compiled  # type: ignore[untyped-decorator]
def count_cells(values: Values, cells: Cells, fold: Ints, group: Groups, width: int, counts: Ints, sums: Floats, moments: Floats, odd: Ints) -> None:
    """Count values whose cells are known, in other groups and in the cells that `fold` makes of them.

    `cells` are as `count_numbers` leaves them; `len(fold)` is how many there are. Without `sums` no extremes are kept either.
    """
    fine, has_sums = len(fold), len(sums) > 0
    for i in range(len(cells)):
        if group[i] < 0:
            continue
        g, cell, v = _at(group[i]), _at(cells[i]), np.float64(values[i])
        if cell >= _at(fine):
            odd[g, cell - _at(fine)] += 1
            continue
        here = g * _at(width) + _at(fold[cell])
        counts[here] += 1
        if v - v != 0.0:
            odd[g, 2 if v > 0 else 3] += 1
            continue
        moments[g, 0] += v
        moments[g, 1] += v * v
        if has_sums:
            sums[here] += v
            moments[g, 2] = min(moments[g, 2], v)
            moments[g, 3] = max(moments[g, 3], v)


@_compiled  # type: ignore[untyped-decorator]
def count_codes(codes: Places, bits: Bits, offset: int, lookup: Ints, group: Groups, width: int, counts: Ints, odd: Ints) -> None:
    """Count dictionary codes in the cells that `lookup` makes of them; a negative cell stands for null."""
    skipped = np.empty(BLOCK + 1, np.int32)
    for start in range(0, len(codes), BLOCK):
        size = min(BLOCK, len(codes) - start)
        here, piece = group[start : start + size], codes[start : start + size]
        is_one, g = _are_one(here), here[0]
        if is_one and g < 0:
            continue
        n = _nulls(bits, start + offset, size, skipped) if len(bits) > 0 else 0
        for s in range(n):
            if here[skipped[s]] >= 0:
                odd[here[skipped[s]], 0] += 1
        skipped[n] = size
        if is_one:
            first, begin = _at(g) * _at(width), 0
            for s in range(n + 1):
                for k in range(begin, skipped[s]):
                    cell = lookup[_at(piece[k])]
                    if cell < 0:
                        odd[g, 0] += 1
                    else:
                        counts[first + _at(cell)] += 1
                begin = skipped[s] + 1
            continue
        begin = 0
        for s in range(n + 1):
            for k in range(begin, skipped[s]):
                if here[k] < 0:
                    continue
                cell = lookup[_at(piece[k])]
                if cell < 0:
                    odd[here[k], 0] += 1
                else:
                    counts[_at(here[k]) * _at(width) + _at(cell)] += 1
            begin = skipped[s] + 1


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


@_in_any_order  # type: ignore[untyped-decorator]
def count_pairs(codes: Codes, scores: Floats, there: Floats, left: Ints, right: Ints, group: Groups, counts: Ints, sums: Floats) -> None:
    """Add, for each pair of columns, the rows in which both have a value, and the sums of ab, a, b, aa and bb over those.

    `codes` (columns, rows) are cells; `scores` and `there` (columns, cells) say what number a cell stands for, 0 where a cell
    is none, and 1 or 0 for whether it is one. `counts` is (groups, pairs), `sums` (groups, pairs, 5).
    """
    columns, rows = codes.shape
    a, known, of_column = np.empty((columns, BLOCK)), np.empty((columns, BLOCK)), np.empty((columns, 3))
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        g, others = group[start], 0
        for k in range(size):
            others += group[start + k] != g
        if others == 0 and g < 0:
            continue
        for c in range(columns):
            n, total, squares = 0.0, 0.0, 0.0
            for k in range(size):
                cell = _at(codes[c, start + k])
                a[c, k], known[c, k] = scores[c, cell], there[c, cell]
            for k in range(size):
                n += known[c, k]
                total += a[c, k]
                squares += a[c, k] * a[c, k]
            of_column[c, 0], of_column[c, 1], of_column[c, 2] = n, total, squares
        for p in range(len(left)):
            i, j = left[p], right[p]
            if others > 0:
                for k in range(size):
                    h = group[start + k]
                    if h >= 0 and known[i, k] * known[j, k] > 0.0:
                        counts[h, p] += 1
                        sums[h, p, 0] += a[i, k] * a[j, k]
                        sums[h, p, 1] += a[i, k]
                        sums[h, p, 2] += a[j, k]
                        sums[h, p, 3] += a[i, k] * a[i, k]
                        sums[h, p, 4] += a[j, k] * a[j, k]
                continue
            both = 0.0
            for k in range(size):
                both += a[i, k] * a[j, k]
            n, one, other, one2, other2 = of_column[i, 0], of_column[i, 1], of_column[j, 1], of_column[i, 2], of_column[j, 2]
            if of_column[i, 0] + of_column[j, 0] < 2 * size:  # some rows lack one of both
                n, one, other, one2, other2 = 0.0, 0.0, 0.0, 0.0, 0.0
                for k in range(size):
                    n += known[i, k] * known[j, k]
                    one += a[i, k] * known[j, k]
                    other += known[i, k] * a[j, k]
                    one2 += a[i, k] * a[i, k] * known[j, k]
                    other2 += known[i, k] * a[j, k] * a[j, k]
            counts[g, p] += int(n)
            sums[g, p, 0] += both
            sums[g, p, 1] += one
            sums[g, p, 2] += other
            sums[g, p, 3] += one2
            sums[g, p, 4] += other2
