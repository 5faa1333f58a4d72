"""Errors row by row: by how much the mean of a model's error moved, in all rows and in a part of them.

Belongs here: each row's error -> its mean now and usually, with the doubt of the difference, and its words. Does not: which error a row has
(profiles/losses.py), where it rose (traces.py), what follows from that (error_causes.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watchkeeper.stats.intervals import Z95
from watchkeeper.words import number_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_SURE = 3.0


@dataclass(frozen=True, slots=True)
class ErrorChange:
    """The mean of an error now and usually, and the standard error of the difference, in `unit` (empty where it has none); `name` says of what."""

    name: str
    now: float
    usual: float
    se: float
    unit: str = ""

    @property
    def text(self) -> str:
        """Say from what to what it moved, in the error's own unit."""
        by, doubt = self.now - self.usual, Z95 * self.se
        beside = (self.now, self.usual, by)
        usual, low, high = (number_text(value, "truth", beside) for value in (self.usual, by - doubt, by + doubt))
        now, moved = number_text(self.now, "truth", beside, truth=self.unit), number_text(by, "truth", beside)
        return f"{self.name} from {usual} to {now} ({'+' if by > 0 else ''}{moved} [{low}, {high}])"


def error_change(name: str, error: Floats, is_during: Bools, day: Ints, *, unit: str = "") -> ErrorChange | None:
    """Return how the mean of known errors (rows,) moved, None where either side has fewer than two rows.

    Rows of one day are no independent witnesses: the standard error is that of whole days, where these say more than rows do.
    """
    known = np.isfinite(error)
    sides = [known & is_during, known & ~is_during]
    if min(int(side.sum()) for side in sides) < 2:  # noqa: PLR2004 - a variance takes two
        return None
    now, usual = (float(error[side].mean()) for side in sides)
    variance = sum(_variance(error[side], day[side]) for side in sides)
    return ErrorChange(name, now, usual, float(np.sqrt(variance)), unit)


def has_outrun(said: Floats, truth: Floats, is_during: Bools, classes: int = 0) -> bool:
    """Tell whether what the model says moved surely and the outcome followed less than half the way: as numbers (rows,), or as shares of so many classes by their codes.

    Weather is followed; an input in another unit is not.
    """
    known = np.isfinite(said) & np.isfinite(truth) & ((said >= 0) & (truth >= 0) if classes else True)
    sides = [known & is_during, known & ~is_during]
    if min(int(side.sum()) for side in sides) < 2:  # noqa: PLR2004 - a variance takes two
        return False
    level = _shares if classes else _mean
    (by_now, doubt_now), (by_before, doubt_before) = (level(said[side], classes) for side in sides)
    moved = by_now - by_before
    followed = level(truth[sides[0]], classes)[0] - level(truth[sides[1]], classes)[0]
    size = float(moved @ moved)
    return size > _SURE**2 * (doubt_now + doubt_before) and float(moved @ followed) < size / 2


def _mean(values: Floats, _classes: int) -> tuple[Floats, float]:
    """Return the mean as (1,) and its variance."""
    return np.array([values.mean()]), float(values.var(ddof=1)) / len(values)


def _shares(codes: Floats, classes: int) -> tuple[Floats, float]:
    """Return the share of each class (classes,), and the sum of the variances of all."""
    shares: Floats = np.bincount(codes.astype(np.int64), minlength=classes) / len(codes)
    return shares, float((shares * (1 - shares)).sum()) / len(codes)


def _variance(error: Floats, day: Ints) -> float:
    """Return the variance of a mean: of rows, or of days as clusters (Liang and Zeger 1986) where that is more."""
    n, apart = len(error), error - error.mean()
    numbers = np.unique(day, return_inverse=True)[1]
    days = int(numbers.max()) + 1
    of_rows = float((apart**2).sum()) / (n - 1) / n
    if days < 2:  # noqa: PLR2004 - of one day nothing is known about days
        return of_rows
    of_days = float((np.bincount(numbers, apart) ** 2).sum()) / n**2 * days / (days - 1)
    return max(of_rows, of_days)
