"""Usual rows: how many rows windows of the reference had at the same place of the week, and where so few are missed.

Belongs here: the rule for one count, of a model or a segment. Does not: which counts are asked (shortfall.py, missing_segments.py).

The rule: on this weekday (of hours: at this hour) no window of the reference had fewer than five times these rows, and so few
would come by chance less than once in 10,000 times (Poisson, over the windows since rows were last enough). Where two windows of the reference had
as small a share of what is usual at their place, on whatever day, traffic swings so, and it takes a fifth of that. What is scaled to zero
when nobody asks is empty, not down: where the reference had two silences or more at places where rows are usual, one as long as two of these is usual too.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from scipy.special import pdtr

SHARE = 0.2
CHANCE = 1e-4
LIKE = 3
"""How many windows of one weekday or hour say what is usual then."""


class Missed(NamedTuple):
    """A window with far too few rows: its place in the order given, the rows of windows like it, and by what chance so few would come."""

    at: int
    like: Sequence[float]
    chance: float


class UsualRows:
    """The rows of the reference's windows by their place of the week, `levels` being how much of what is usual came of all rows then (1 where nothing else is known)."""

    def __init__(self, rows: Sequence[float], places: Sequence[int], levels: Sequence[float] = ()) -> None:
        """Keep them by place."""
        self._every = list(rows)
        self._by_place: dict[int, list[float]] = defaultdict(list)
        for value, place in zip(rows, places, strict=True):
            self._by_place[place].append(value)
        self._swing = self._least_share(rows, places, levels or [1.0] * len(rows))
        self._silence = self._longest_silence(rows, places)

    def like(self, place: int) -> list[float]:
        """Return the rows of windows at a place; of all, where too few are at it."""
        found = self._by_place.get(place, [])
        return found if len(found) >= LIKE else self._every

    def missed(
        self, rows: Sequence[float], places: Sequence[int], may_be_late: Sequence[bool], levels: Sequence[float] = (), chance: float = CHANCE
    ) -> Iterator[Missed]:
        """Yield the windows, of some that follow each other, in which far too few rows came; one without any waits while it `may_be_late`, but not after one that is missed."""
        waited = came = 0.0
        silent, is_missed = 0, False
        for at, (value, place, level) in enumerate(zip(rows, places, levels or [1.0] * len(rows), strict=True)):
            like = self.like(place)
            silent = 0 if value else silent + (median(like) > 0)
            is_missed = is_missed and value == 0
            if value == 0 and silent <= self._silence:
                continue
            least = min(*like, self._swing * median(like)) * level
            if value >= SHARE * least:
                waited, came = (0.0, 0.0) if value else (waited, came)
                continue
            if value == 0 and may_be_late[at] and not is_missed:
                continue
            waited, came = waited + least, came + value
            by_chance = float(pdtr(came, waited))
            if by_chance < chance:
                is_missed = value == 0
                yield Missed(at, like, by_chance)

    def _longest_silence(self, rows: Sequence[float], places: Sequence[int]) -> int:
        """Return how many windows without any row, of those that usually have some, came one after the other twice or more."""
        runs = [0]
        for value, place in zip(rows, places, strict=True):
            if value:
                runs.append(0)
            elif median(self.like(place)) > 0:
                runs[-1] += 1
        lengths = sorted(filter(None, runs), reverse=True)
        return lengths[1] if len(lengths) > 1 else 0

    def _least_share(self, rows: Sequence[float], places: Sequence[int], levels: Sequence[float]) -> float:
        """Return the least share of what is usual at its place that two windows with rows had: as few came before."""
        usual = [(value, median(self.like(place)) * level) for value, place, level in zip(rows, places, levels, strict=True)]
        shares = sorted(value / typical for value, typical in usual if value and typical)
        return min(1.0, shares[1]) if len(shares) > 1 else 1.0
