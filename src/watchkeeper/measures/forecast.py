"""The forecast of what a month will cost: its days so far, and what is left by the level and the weekdays of the last eight weeks.

Belongs here: daily costs -> the month's end with its interval. Does not: reading costs (operations/budgets.py), what is to be told of a forecast
(judgement/budget.py).

A day costs a level that may wander from day to day, a weekday's own part, and chance. How much the level wanders is not known: the forecast is
the mean over seven answers, from not at all to as much as chance itself, each weighted by how well it fits the days before (restricted
likelihood), and its interval that of the mixture of their t distributions for the sum of the days that are left. So a level that moved, few days
and days without readings all make it wider. Days without readings are unknown: they are in no sum. A weekday that never had any is taken to
have none to come. Of a day that is known in part, such as without a price of one GPU, or by its tokens alone, what is known counts: all it is in are lower bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, stdtr

Floats = NDArray[np.float64]
LEARNED_FROM = timedelta(weeks=8)
LEAST_DAYS = 7
"""Days of known cost below which nothing is foretold."""
_FOR_WEEKDAYS, _OF_EACH = 14, 2
_WANDERS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Variance of a day's step of the level, as a share of that of chance."""
_DAY = timedelta(days=1)
_SIDE = 0.025
_ALIKE = 1e-4
"""Width of an interval, as a share of what is to come, below which it is none: days so alike tell nothing of how far others may lie."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A day whose cost is not known as a whole: what is known of it (None: nothing), and what is missing: a price, readings of its GPUs, or both."""

    amount: float | None
    lacks_price: bool = False
    lacks_readings: bool = False

    @property
    def is_uncounted(self) -> bool:
        """Whether no GPU was read, and what there is beside has no price: nothing of the day counts."""
        return self.lacks_readings and self.amount is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a month costs, as known at the end of the day `through`: the sum so far, and the end of the month with a 95 % interval.

    `value`, `low` and `high` are None where too few days are known; `low` and `high` also where these are so alike that they tell nothing of how far
    others may lie. `chance` is that of more than `limit`, None without one; where the forecast is a lower bound it is one, too.
    """

    start: date
    end: date
    """The first day of the next month."""
    through: date
    to_date: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    chance: float | None = None
    known: int
    unknown: int
    """Days of the month up to `through`, of which the cost is known, and, since the model's first, of which nothing is: no readings, and no tokens
    that have a price."""
    uncounted: int = 0
    """Those of the unknown ones on which there were tokens, which have no price."""
    unread: int = 0
    """Those on which tokens were paid for and no GPU was read: the tokens count."""
    unpriced: int = 0
    """Those of which a price is missing."""
    learned: int
    """Days that the forecast was learned from."""
    has_weekdays: bool = False
    is_least: bool = False
    """Whether `to_date` is a lower bound: some day has costs that are not known."""
    is_ahead_least: bool = False
    """Whether the forecast is, by such days of the month or of those that it was learned from."""

    @property
    def is_over(self) -> bool:
        """Tell whether all days of the month are behind."""
        return self.through + _DAY >= self.end


def forecast(
    costs: Mapping[date, float],
    start: date,
    end: date,
    through: date,
    limit: float | None = None,
    at_least: Mapping[date, AtLeast] = MappingProxyType({}),
    began: date | None = None,
) -> Forecast:
    """Return the forecast of the month [start, end) from daily costs up to the day `through`.

    A day that both `costs` and `at_least` lack is unknown, save before the day on which the model `began`.

    >>> even = {date(2025, 9, 1) + k * _DAY: 10.0 for k in range(40)}
    >>> found = forecast(even, date(2025, 10, 1), date(2025, 11, 1), date(2025, 10, 10), limit=305.0)
    >>> found.to_date, round(found.value, 2), found.low, round(found.chance, 2)
    (100.0, 310.0, None, 1.0)
    """
    month = [start + k * _DAY for k in range((through - start).days + 1)]
    amounts = {**{d: a.amount for d, a in at_least.items() if a.amount is not None}, **costs}
    partly = [at_least[d] for d in month if d in at_least]
    known = sorted(d for d in amounts if through - LEARNED_FROM < d <= through)
    weekdays = {d.weekday() for d in known}
    ahead = (through + k * _DAY for k in range(1, (end - through).days))
    left = [d for d in ahead if d >= start and d.weekday() in weekdays]
    found = Forecast(
        start=start,
        end=end,
        through=through,
        to_date=float(sum(amounts[d] for d in month if d in amounts)),
        limit=limit,
        known=sum(d in costs for d in month),
        unknown=sum(d not in costs and d not in at_least for d in month if began is None or d >= began) + sum(a.is_uncounted for a in partly),
        uncounted=sum(a.is_uncounted for a in partly),
        unread=sum(a.lacks_readings and not a.is_uncounted for a in partly),
        unpriced=sum(a.lacks_price for a in partly),
        learned=len(known),
        has_weekdays=_has_weekdays(known),
        is_least=bool(partly),
        is_ahead_least=bool(partly) or any(d in at_least for d in known),
    )
    if len(known) < LEAST_DAYS:
        is_sure = limit is not None and found.to_date > limit
        return replace(found, chance=1.0 if is_sure else None)
    if not left:
        is_broken = limit is not None and found.to_date > limit
        chance = None if limit is None else float(is_broken)
        end_of_it = found.to_date if found.is_over else None
        return replace(found, value=found.to_date, low=end_of_it, high=end_of_it, chance=chance)
    sums = _Sums.of(known, np.array([amounts[d] for d in known]), left)
    room = None if limit is None else limit - found.to_date
    chance = None if room is None else 1.0 if room < 0 else 1.0 - sums.below(room)
    value, low, high = (found.to_date + max(0.0, x) for x in (sums.mean, sums.quantile(_SIDE), sums.quantile(1 - _SIDE)))
    if high - low <= _ALIKE * (value - found.to_date) + 1e-9:
        return replace(found, value=value, chance=chance)
    return replace(found, value=value, low=low, high=high, chance=chance)


def _has_weekdays(known: Sequence[date]) -> bool:
    counts = np.bincount([d.weekday() for d in known], minlength=7) if known else np.zeros(7)
    return len(known) >= _FOR_WEEKDAYS and bool(np.all(counts[counts > 0] >= _OF_EACH))


@dataclass(frozen=True, slots=True)
class _Sums:
    """The sum of the days to come: a mixture of t distributions of one number of degrees of freedom."""

    centre: Floats
    scale: Floats
    weight: Floats
    freedom: int

    @classmethod
    def of(cls, known: Sequence[date], costs: Floats, left: Sequence[date]) -> "_Sums":
        pattern = sorted({d.weekday() for d in known}) if _has_weekdays(known) else []
        design, ahead = _design(known, pattern), _design(left, pattern).sum(axis=0)
        at = np.array([(d - known[0]).days for d in known], float)
        then = np.array([(d - known[0]).days for d in left], float)
        freedom = len(known) - design.shape[1]
        fitted = [_fit(r, at, then, costs, design, ahead, freedom) for r in _WANDERS]
        centre, scale, fit = (np.array(column) for column in zip(*fitted, strict=True))
        return cls(centre, scale, np.exp(fit - logsumexp(fit)), freedom)

    @property
    def mean(self) -> float:
        return float(self.weight @ self.centre)

    def below(self, amount: float) -> float:
        """Return the chance that the sum is at most an amount."""
        return min(1.0, float(self.weight @ stdtr(self.freedom, (amount - self.centre) / self.scale)))  # weights add up to 1 but for rounding

    def quantile(self, share: float) -> float:
        low, high = float(self.centre.min()), float(self.centre.max())
        step = float(self.scale.max())
        while self.below(low) > share:
            low, step = low - step, step * 2
        step = float(self.scale.max())
        while self.below(high) < share:
            high, step = high + step, step * 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < share else (low, middle)
        return (low + high) / 2


def _design(days: Sequence[date], pattern: Sequence[int]) -> Floats:
    """Return a row a day: a one for its weekday, or for the level where no weekday is told apart."""
    if not pattern:
        return np.ones((len(days), 1))
    return np.array([[float(d.weekday() == w) for w in pattern] for d in days]).reshape(len(days), len(pattern))


def _fit(r: float, at: Floats, then: Floats, costs: Floats, design: Floats, ahead: Floats, freedom: int) -> tuple[float, float, float]:
    """Return centre and scale of the sum of the days to come, and the log likelihood, where the level's step has `r` times the variance of chance."""
    covariance = np.eye(len(at)) + r * np.minimum.outer(at, at)
    across = r * len(then) * at
    own = len(then) + r * float(np.minimum.outer(then, then).sum())
    root = np.linalg.cholesky(covariance)
    solved = solve_triangular(root, np.column_stack([design, costs, across]), lower=True, check_finite=False)
    x, y, c = solved[:, :-2], solved[:, -2], solved[:, -1]
    inverse = np.linalg.inv(x.T @ x)
    level = inverse @ x.T @ y
    off = y - x @ level
    least = (1e-9 * max(1e-9, float(np.abs(costs).max()))) ** 2
    rest = float(off @ off) + least
    lever = ahead - x.T @ c
    variance = rest / freedom * max(0.0, own - float(c @ c) + float(lever @ inverse @ lever))
    fit = -float(np.log(np.diag(root)).sum()) + 0.5 * float(np.linalg.slogdet(inverse)[1]) - 0.5 * freedom * float(np.log(rest))
    return float(ahead @ level + c @ off), max(variance, least) ** 0.5, fit
