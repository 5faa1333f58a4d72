"""Odd inputs: what is no longer as it was in the inputs of bad windows, though it landed.

Belongs here: values of an input before and now -> what is odd about them, rows that repeat or miss something. Does not: where a number changed
(traces.py), what follows (row_causes.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.records import Signal
from watchkeeper.stats.exchanges import LEAST_ROWS, changed_places
from watchkeeper.stats.intervals import Z95
from watchkeeper.words import limit_text, percent, window_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STILL, _HALF, _BURST = 0.95, 0.5, 0.3
_QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
_ALIKE, _WITHIN, _LEAST_FACTOR = 0.01, 3.0, 0.15
FAR = 9.0
_HOLE = 0.2
EXCHANGED = "exchanged_ratio"
_CODES_TOLD = 3
_OFTEN = 1 / 3
UNITS = {
    1.609344: "miles and kilometres",
    2.204623: "kilograms and pounds",
    2.54: "inches and centimetres",
    3.28084: "metres and feet",
    3.6: "metres per second and kilometres per hour",
    1.852: "sea miles and kilometres",
    10.0: "tens and units",
    12.0: "feet and inches, or years and months",
    24.0: "days and hours",
    60.0: "hours and minutes, or minutes and seconds",
    86.4: "kilobytes per second and megabytes per day",
    100.0: "shares and percent, or metres and centimetres",
    1_000.0: "thousands and units, such as kilograms and grams",
    1_024.0: "kibibytes and bytes",
    3_600.0: "hours and seconds",
    1e6: "millions and units",
}
"""Factors between units of one quantity, and two that differ by each."""
_RARE, _FOR_RARE = 1_024.0, 1_000.0
"""Of two factors that are hardly told apart the one that is only told where the other is ruled out."""
_SHARP, _NAMED = 0.03, 3


@dataclass(frozen=True, slots=True)
class Odd:
    """An input that is not what it was, in words; `how` is `still`, `value`, `unit`, `codes`, or `factor` where the world itself may have made it so.

    `cells` are those of exchanged codes; `place` is the segment that it is odd in, as a column and its cell, None where it is in all rows.
    """

    feature: str
    how: str
    text: str
    cells: tuple[int, ...] = ()
    place: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows that say the same as another of their window: their share now and usually, and the number's change without them, as a share of what it is."""

    share: float
    usual: float
    left: float


@dataclass(frozen=True, slots=True)
class Hole:
    """An input without a usable value in more rows than usual, or of which codes were exchanged: the number's change in all other rows, as a share of what it is."""

    feature: str
    left: float


def change_of(value: Floats, is_during: Bools) -> tuple[float, float]:
    """Return by how much the mean of known values is another in the bad windows, and its standard error."""
    known = np.isfinite(value)
    now, before = value[known & is_during], value[known & ~is_during]
    if min(len(now), len(before)) < 2:  # noqa: PLR2004 - a variance takes two
        return 0.0, 0.0
    return float(now.mean() - before.mean()), float(np.sqrt(now.var(ddof=1) / len(now) + before.var(ddof=1) / len(before)))


def hole_of(feature: str, is_empty: Bools, value: Floats, is_during: Bools) -> Hole | None:
    """Return an input of which more rows than usual have nothing usable, None where that is not so, or nearly all have none."""
    now, usual = float(is_empty[is_during].mean()), float(is_empty[~is_during].mean())
    change, left = change_of(value, is_during)[0], change_of(np.where(is_empty, np.nan, value), is_during)[0]
    if now - usual < _HOLE or now > 1 - _HOLE / 4 or not change:
        return None
    return Hole(feature, left / change)


def hole_of_codes(odd: Odd, cells: Ints, value: Floats, is_during: Bools) -> Hole | None:
    """Return an input of which codes were exchanged as one without a usable value where it has these; None where no other rows are left."""
    kept = np.where(np.isin(cells, odd.cells), np.nan, value)
    change, (left, se) = change_of(value, is_during)[0], change_of(kept, is_during)
    return Hole(odd.feature, left / change) if change and se else None


def odd_of(feature: str, before: Floats, during: Floats, day: Ints) -> Odd | None:
    """Return what is odd about the numbers of an input: it stands still, one value fills it, or its unit is another; `day` is that of each one before.

    The day of the week stands still on every day: what counts is by how much one value usually fills a day.
    """
    day, before, during = day[np.isfinite(before)], before[np.isfinite(before)], during[np.isfinite(during)]
    if min(len(before), len(during)) < LEAST_ROWS:
        return None
    return odd_beside(feature, before, during, stillness(before, day))


def stillness(before: Floats, day: Ints) -> float:
    """Return which share of a day one value fills, in nine of ten days at most."""
    return float(np.quantile([np.unique(rows, return_counts=True)[1].max() / len(rows) for _, rows in by_day(before, day)], 0.9))


def by_day(values: Floats, day: Ints) -> list[tuple[int, Floats]]:
    """Return the values of each day that has any, in the order of the days."""
    order = np.argsort(day, kind="stable")
    days, begun = np.unique(day[order], return_index=True)
    return list(zip(days.tolist(), np.split(values[order], begun[1:]), strict=True)) if len(days) else []


def odd_beside(feature: str, before: Floats, during: Floats, still: float) -> Odd | None:
    """Return what is odd about numbers, all known, beside those before, of which one value usually fills a share `still` of a day."""
    values, counts = np.unique(during, return_counts=True)
    top, share = float(values[counts.argmax()]), float(counts.max() / len(during))
    usual = float((before == top).mean())
    if share >= _STILL and still < _HALF:
        return Odd(feature, "still", f"{feature} stands still: {percent(share)} of rows have {top:g}, usually {percent(usual)}")
    if share - still >= _BURST and usual < _BURST / 3:
        return Odd(feature, "value", f"{feature} is {top:g} in {percent(share)} of rows, usually in {percent(usual)}")
    return odd_unit(feature, before, during)


def exchanged(feature: str, cells: Ints, said: Callable[[int], str], is_during: Bools, day: Ints, kept: int, where: str = "") -> Odd | None:
    """Tell categories whose codes were exchanged: the shares are what they were, but of others; None where that is not so.

    Usual is the median day: what was exchanged long before the bad windows began does not blur it. A third of the bad days must show it, as
    windows out of line go on a little after the fault is over; the shares told are those of the days that are more like these than as usual. Where days have too few rows they are taken together. Of `cells` only the first `kept` are one category each.
    """
    size = max(kept, int(cells.max(initial=-1)) + 1)
    before, during = (_by_day(np.where(side, cells, -1), day, size) for side in (~is_during, is_during))
    if min(before.sum(), during.sum()) < LEAST_ROWS:
        return None
    usual = np.median(before / before.sum(axis=1, keepdims=True), axis=0) * before.sum()
    found = [(counts, moved) for counts in during if len(moved := changed_places(usual, counts, kept))]
    if len(found) < _OFTEN * len(during):
        return None
    moved = max(found, key=lambda each: float(each[0].sum()))[1]
    now, before_it = _shares_of_like(during, np.sum([each for each, _ in found], axis=0), usual), usual / usual.sum()
    told = "; ".join(f"{said(int(c))} is {percent(now[c])} of values, usually {percent(before_it[c])}" for c in moved[:_CODES_TOLD])
    return Odd(feature, "codes", codes_text(feature, told, where.strip()), tuple(int(c) for c in moved))


def codes_text(feature: str, shares: str, during: str = "") -> str:
    """Return that the codes of a feature are exchanged, when or where, and the shares that say so."""
    return f"codes of {feature} are exchanged{' ' if during else ''}{during}: {shares}"


def _shares_of_like(days: Floats, like: Floats, usual: Floats) -> Floats:
    """Return the shares of all days taken together, given as counts, that lie nearer to some counts than to the usual ones."""
    of_day, theirs, ours = (each / each.sum(axis=-1, keepdims=True) for each in (days, like, usual))
    kept = days[np.abs(of_day - theirs).sum(axis=1) < np.abs(of_day - ours).sum(axis=1)].sum(axis=0)
    out: Floats = kept / kept.sum()
    return out


def shares_text(signals: Sequence[Signal], timezone: str) -> str:
    """Return the shares that tell of the exchanged codes of one feature: those of the window with most rows, which is named where it is one of several."""
    fullest = max(signals, key=lambda s: s.n)
    told = "; ".join(fullest.reason.split("; ")[:_CODES_TOLD])
    is_one = len({s.window_start for s in signals}) == 1
    return told if is_one else f"{told} (shares of {window_text(fullest.window_start, fullest.window_end, timezone)})"


def are_exchanged(signals: Iterable[Signal], feature: str, value: str) -> bool:
    """Tell whether signals say that a code of a feature was exchanged: the reason of each names them all."""
    mine = (s for s in signals if s.metric == EXCHANGED and s.feature == feature)
    return any(part.startswith(f"{value} is ") for s in mine for part in s.reason.split("; "))


def _by_day(cells: Ints, day: Ints, size: int) -> Floats:
    """Return the rows of each cell on each day that has enough of them, shape (days, cells); where none has, of all days together."""
    known = cells >= 0
    places = np.unique(day, return_inverse=True)[1].astype(np.int64)
    counts = np.bincount(places[known] * size + cells[known], minlength=size * (int(places.max(initial=0)) + 1)).reshape(-1, size).astype(float)
    full: Floats = counts[counts.sum(axis=1) >= LEAST_ROWS]
    return full if len(full) else np.asarray(counts.sum(axis=0, keepdims=True), float)


def odd_unit(feature: str, before: Floats, during: Floats, where: str = "") -> Odd | None:
    """Tell another unit: all quantiles are the same multiple of what they were, and that is a factor between units, or far from one.

    Values are known ones, a hundred at least on each side; `where` says which rows they are of.
    """
    found = _multiple(before, during)
    if found is None:
        return None
    factor, doubt = found
    is_far = abs(factor) > np.log(FAR)
    return (
        Odd(feature, "unit" if is_far else "factor", _scaled(feature, factor, doubt, where)) if is_far or _held_by(factor, _WITHIN * doubt) else None
    )


def odd_scale(feature: str, before: Floats, during: Floats) -> Odd | None:
    """Tell by which one factor all numbers of an input changed, also where it is a small one that no units have: of values that are known to be at fault."""
    found = _multiple(before, during) if min(len(before), len(during)) >= LEAST_ROWS else None
    return None if found is None else Odd(feature, "factor", _scaled(feature, *found, ""))


def _multiple(before: Floats, during: Floats) -> tuple[float, float] | None:
    """Return the logarithm of the one factor by which all quantiles differ, surely by 15 %, and its standard error; None where there is no such one."""
    if min(np.quantile(side, _QUANTILES[0] / 2) for side in (before, during)) <= 0:
        return None
    (was, doubt_was), (now, doubt_now) = (_log_quantiles(side) for side in (before, during))
    ratios, doubts = now - was, np.sqrt(doubt_was**2 + doubt_now**2 + _ALIKE**2)
    weights = 1 / doubts**2
    weights = weights / weights.sum()
    factor, doubt = float(ratios @ weights), float(np.sqrt((weights * doubts) @ _correlations() @ (weights * doubts)))
    is_one = (np.abs(ratios - factor) <= _WITHIN * doubts).all() and abs(factor) >= _WITHIN * doubt + _LEAST_FACTOR
    return (factor, doubt) if is_one else None


def _held_by(factor: float, within: float) -> list[float]:
    """Return the factors between units, the nearest first, that lie within so much of one, all as logarithms."""
    apart = {unit: abs(abs(factor) - float(np.log(unit))) for unit in UNITS}
    return sorted((unit for unit in UNITS if apart[unit] <= within), key=lambda unit: apart[unit])


def _scaled(feature: str, factor: float, doubt: float, where: str) -> str:
    """Return that all values have another unit, and between which: the one that the factor with its doubt holds; of several, or one at the edge of it, "perhaps"; of none that it is a scale alone."""
    held, near = _held_by(factor, _WITHIN * doubt), _held_by(factor, Z95 * doubt)
    units = [unit for unit in held if unit != _RARE or _FOR_RARE not in held]
    is_sure = len(units) == 1 and units[0] in near
    like = " or ".join(f"{UNITS[unit]} ({limit_text(float(f'{unit:.4g}'))})" for unit in units[:_NAMED])
    tail = f", {'' if is_sure else 'perhaps '}as between {like}" if units else " (no known change of unit)"
    size, *ends = (limit_text(float(f"{np.exp(abs(factor) + side * Z95 * doubt):.3g}")) for side in (0, -1, 1))
    over = "" if factor > 0 else "1/"
    interval = "" if is_sure and Z95 * doubt <= _SHARP else f" [{over}{ends[0]}, {over}{ends[1]}]"
    times = f"{over}{size}{' times' if factor > 0 else ''}{interval}{'' if factor > 0 else ' of'}"
    what = "unit" if units else "scale"
    return f"{feature} comes in another {what}{where}: all its values {'there ' if where else ''}are {times} what they were{tail}"


def _log_quantiles(values: Floats) -> tuple[Floats, Floats]:
    """Return the logarithms of some quantiles with their standard errors from the order statistics beside them; values are positive, and a hundred at least."""
    spread = np.sqrt(_QUANTILES * (1 - _QUANTILES) / len(values))
    low, middle, high = np.log(np.quantile(values, [_QUANTILES - spread, _QUANTILES, _QUANTILES + spread]))
    return middle, (high - low) / 2


def _correlations() -> Floats:
    """Return how the quantiles of one sample go together (Mosteller 1946): one with many large values has more of them in all its quantiles."""
    lower, upper = np.minimum.outer(_QUANTILES, _QUANTILES), np.maximum.outer(_QUANTILES, _QUANTILES)
    out: Floats = np.sqrt(lower * (1 - upper) / (upper * (1 - lower)))
    return out
