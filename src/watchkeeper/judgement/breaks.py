"""Breaks: many of a window's values are not as the expectation suite says, and landed all the same.

Belongs here: shares of broken expectations -> signals. Does not: counting them (operations/breaks.py), rows that a critical
expectation set aside (shortfall.py).

The rule: at least 20 points more of a column's values than is usual break an expectation of severity `warning` that the window's files
failed, and 20 points more than 95 % of the reference's windows keep. The window has at least 30 rows, of which so many would break it by
chance less than once in 10,000 times (binomial, a hundredth where fewer is usual). A column whose missing values or unknown categories page in
that window is not told twice. From then on it goes on in windows with at least 5 points more than usual that are not chance, no more than two of others between: the share that
a fault has of the rows wanders with the rows, and it is over when values are as usual. No label is needed, so all of it is final at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from scipy.special import bdtrc

from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal, key
from watchkeeper.windows import Window

BROKEN = "unexpected_ratio"
"""The metric of these signals: the share of a column's values that break what is expected of them."""
TELLING = 0.2  # a smaller share of rows breaks no number
GOES_ON = 0.05
"""So much more than usual of what was telling in the window before is the same fault still."""
MOST_BETWEEN = 2
"""So many windows may lie between, as in an episode (`episodes.GAP`)."""
_LEAST_ROWS = 30
_CHANCE = 1e-4
_LEAST_USUAL = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """How many of a window's rows broke one expectation on a column; `usual_high` is what 95 % of the reference's windows keep.

    `expected` says in words what is expected, of a private column without values.
    """

    window: Window
    column: str
    expected: str
    broken: int
    rows: int
    usual: float
    usual_high: float

    @property
    def share(self) -> float:
        """The share of the rows that broke it."""
        return self.broken / self.rows

    @property
    def chance(self) -> float:
        """The chance of so many where only the usual share breaks it."""
        return float(bdtrc(self.broken - 1, self.rows, min(1.0, max(self.usual, _LEAST_USUAL))))

    @property
    def is_telling(self) -> bool:
        """Tell whether it is many more than usual, and not by chance."""
        return self._is_more_by(TELLING)

    @property
    def goes_on(self) -> bool:
        """Tell whether it is still more than usual, and not by chance."""
        return self._is_more_by(GOES_ON)

    def _is_more_by(self, points: float) -> bool:
        is_large = self.rows >= _LEAST_ROWS and self.share - max(self.usual, self.usual_high) >= points
        return is_large and self.chance < _CHANCE


def broken_signals(
    monitor: Monitor, environment: str, found: Iterable[Break], told: Iterable[tuple[str, datetime]], now: datetime
) -> Iterator[Signal]:
    """Yield a page for each window and column whose values are not as expected; `told` holds columns and windows that page for a fault already."""
    others = set(told)
    worst: dict[tuple[str, datetime], Break] = {}
    for one in sorted(_telling(found), key=lambda b: (-b.share, b.expected)):
        worst.setdefault((one.column, one.window.start), one)
    for about, one in worst.items():
        if about not in others:
            yield _signal(monitor, environment, one, now)


def _telling(found: Iterable[Break]) -> Iterator[Break]:
    """Yield what is telling, and what goes on in the windows after it, as few between as an episode has."""
    until: dict[tuple[str, str], datetime] = {}
    for one in sorted(found, key=lambda b: b.window.start):
        about = (one.column, one.expected)
        length = one.window.end - one.window.start
        if one.is_telling or (one.goes_on and about in until and one.window.start - until[about] <= MOST_BETWEEN * length):
            until[about] = one.window.end
            yield one


def _signal(monitor: Monitor, environment: str, one: Break, now: datetime) -> Signal:
    return Signal(
        signal_id=key(monitor.model, environment, "suite", one.column, one.window.start),
        model=monitor.model,
        environment=environment,
        family="data",
        level="page",
        rule="suite",
        metric=BROKEN,
        feature=one.column,
        window_start=one.window.start,
        window_end=one.window.end,
        value=one.share,
        expected=one.usual,
        normal_low=0.0,
        normal_high=max(one.usual, one.usual_high),
        p=one.chance,
        n=one.rows,
        state="mature",
        expects=one.expected,
        computed_at=now,
    )
