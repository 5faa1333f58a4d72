"""Strains: what GPUs and hosts did in bad windows that they do not usually do, and whether the requests on these hosts fared worse than others.

Belongs here: readings and requests -> levels, what is usual, when it began, and the split by host. Does not: reading them (operations/strains.py), what
follows (strain_causes.py).

A level is a mean of hours, or their median, so that a sampler of ten seconds and one of an hour tell the same. It is as usual where it rose little, or where three
days of the weeks before, and a tenth of them, had about as much in as long a time. Requests on the strained hosts are set beside those of the same windows on others
(difference in differences), with the doubt of rows or, where it is larger, of days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.odd_inputs import change_of
from watchkeeper.stats.intervals import Z95

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOOK_BACK = timedelta(days=3)
"""How long before the first bad window a beginning is looked for."""
_HOUR, _DAY = 3_600, 86_400
_LEAST_DAYS, _ALIKE, _NEARLY = 3, 0.1, 0.25
_LEAST_ROWS = 30
_SURELY_LATER, _LEAST_SLACK = 50.0, timedelta(minutes=30)
_SPOILT = 0.05


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something of a GPU or a host that can hold requests up: what it is called, and from which level and rise on it is told.

    `says` puts it in words, from where it was, the level now and usually, and details; `spoils` where it may change answers and not only delay them.
    Of what is full, `is_height`, the middle hour counts and not the mean: a quiet day among bad ones does not make a full memory one that had room.
    """

    name: str
    says: str
    least: float
    rise: float
    times: float = 1.0
    is_count: bool = False
    is_height: bool = False
    spoils: bool = False


THROTTLING = Gauge("GPU throttling", "{where} throttled{detail}", 0.2, 0.2)
GPU_MEMORY = Gauge("full GPU memory", "memory of {where} was {now} full, usually {usual}", 0.95, 0.05, is_height=True)
GPU_ERRORS = Gauge("GPU errors", "{where} had errors{detail}", 1e-9, 1e-9, 3.0, is_count=True, spoils=True)
STORAGE = Gauge("storage contention", "storage contention on {where}: processors waited for data {now} of the time, usually {usual}", 0.1, 0.1, 3.0)
NETWORK = Gauge("network contention", "network contention on {where}: {now} of TCP segments were sent again, usually {usual}", 0.01, 0.01, 3.0)
HOST_MEMORY = Gauge("full host memory", "memory of {where} was {now} full, usually {usual}", 0.95, 0.05, is_height=True)
CPU = Gauge("busy processors", "processors of {where} were {now} busy, usually {usual}", 0.9, 0.2, is_height=True)


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one gauge of one device, in order: seconds since 1970 at which what each stands for began, how long that is, its value, and which are of bad windows."""

    at: Ints
    interval_s: float
    value: Floats
    is_during: Bools


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge in the bad windows and usually, and of how many of the days before (of how many) it had about as much."""

    now: float
    usual: float
    alike: int
    days: int

    def is_noticed(self, gauge: Gauge) -> bool:
        """Tell whether it is so much that people would ask about it."""
        return self.now >= gauge.least

    def is_usual(self, gauge: Gauge) -> bool:
        """Tell whether it is as it was in the weeks before."""
        rose = self.now - self.usual >= gauge.rise and self.now >= gauge.times * self.usual
        return not rose or self.has_alike

    @property
    def has_alike(self) -> bool:
        """Whether days such as these are nothing new."""
        return self.alike >= max(_LEAST_DAYS, _ALIKE * self.days)


@dataclass(frozen=True, slots=True)
class Effect:
    """How requests on strained hosts fared beside those on others: their share of the requests, their means now and usually, and which share of the whole change lies in the difference."""

    rows: float
    on: tuple[float, float]
    off: tuple[float, float]
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spoilt:
    """Answers on some hosts that were all the same, as of a fallback, or failed: which, and their share now and usually."""

    answer: str
    now: float
    usual: float

    @property
    def is_worth_telling(self) -> bool:
        """Whether there are clearly more of them than usual."""
        return self.now - self.usual >= _SPOILT


@dataclass(frozen=True, slots=True)
class Strain:
    """A gauge that stood out on some hosts; `said` is that in words, `serves` tells whether these answer requests, None where rows do not name hosts alike.

    `since` is when it began, `begun` when requests changed, and `slack` how far that may be off; `effect` is None where no split by host is possible.
    """

    gauge: Gauge
    hosts: tuple[str, ...]
    said: str
    level: Level
    since: datetime | None = None
    since_text: str = ""
    begun: datetime | None = None
    slack: timedelta = timedelta(0)
    serves: bool | None = None
    effect: Effect | None = None
    spoilt: Spoilt | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of bad windows and before: the host of each by number (`-1` without), and what is explained; with its score, and whether it failed, where known."""

    names: Sequence[str]
    host: Ints
    value: Floats
    is_during: Bools
    at: Ints
    score: Floats = field(default_factory=lambda: np.empty(0))
    failed: Bools = field(default_factory=lambda: np.empty(0, bool))

    def on(self, hosts: Sequence[str]) -> Bools:
        """Tell which of them some hosts answered."""
        return np.isin(self.host, [place for place, name in enumerate(self.names) if name in hosts])


def level_of(gauge: Gauge, series: Series, start: int) -> Level | None:
    """Return the level of a gauge in bad windows that begin at `start`, None where too little is known of these or of the days before."""
    known = np.isfinite(series.value)
    now, before = (_by_hour(gauge, series, known & side) for side in (series.is_during, ~series.is_during))
    if not len(now[0]) or not len(before[0]):
        return None
    width = int(min(24, len(now[0])))
    inside = (before[0] * _HOUR - start) // (width * _HOUR)
    bins, place = np.unique(inside, return_inverse=True)
    hours = np.bincount(place)
    means = np.bincount(place, before[1]) / hours
    day = (bins * width * _HOUR) // _DAY
    days = [means[(day == d) & (2 * hours >= width)] for d in np.unique(day)]
    most = np.array([each.max() for each in days if len(each)])
    if len(most) < _LEAST_DAYS:
        return None
    middle = np.median if gauge.is_height else np.mean
    level, usual = float(middle(now[1])), float(middle(before[1]))
    about = level - _NEARLY * max(gauge.rise, level - usual)
    return Level(level, usual, int((most >= about).sum()), len(most))


def _by_hour(gauge: Gauge, series: Series, chosen: Bools) -> tuple[Ints, Floats]:
    hours, place = np.unique(series.at[chosen] // _HOUR, return_inverse=True)
    totals, n = np.bincount(place, series.value[chosen]), np.bincount(place)
    return hours, (totals > 0).astype(float) if gauge.is_count else totals / np.maximum(n, 1)


def since(series: Sequence[Series], level: Level, start: int) -> datetime | None:
    """Return when a gauge rose, as readings of its devices from three days before the bad windows on tell."""
    at = np.concatenate([s.at for s in series])
    value = np.concatenate([s.value for s in series])
    inside = np.isfinite(value) & (at >= start - LOOK_BACK.total_seconds())
    found = change_point(at[inside], value[inside], level.now, level.usual)
    return None if found is None else datetime.fromtimestamp(found[0], UTC)


def change_point(at: Ints, value: Floats, now: float, usual: float) -> tuple[int, timedelta] | None:
    """Return when a mean went from what is usual to what it is now, by cumulative sums, and how far that may be off.

    >>> change_point(np.arange(10), np.array([0.0] * 6 + [1.0] * 4), 1.0, 0.0)[0]
    6
    """
    if len(at) == 0 or now == usual:
        return None
    order = np.argsort(at, kind="stable")
    moments, x = at[order], value[order]
    sums = np.concatenate([[0.0], np.cumsum((x - (now + usual) / 2) * np.sign(now - usual))])
    first = min(int(np.argmin(sums)), len(moments) - 1)
    gap = (moments[-1] - moments[0]) / max(1, len(moments) - 1)
    rest = np.where(np.arange(len(x)) < first, x - usual, x - now)
    rows = _SURELY_LATER * float(rest.var()) / (now - usual) ** 2
    return int(moments[first]), max(_LEAST_SLACK, min(timedelta(days=1), timedelta(seconds=float(gap * rows))))


def begun(requests: Requests, hosts: Sequence[str], start: int) -> tuple[datetime, timedelta] | None:
    """Return when requests changed, those on some hosts where these did, and how far that may be off; None where it cannot be told."""
    mine = requests.on(hosts)
    known = np.isfinite(requests.value)
    chosen = known & mine if (mine & known & requests.is_during).sum() >= _LEAST_ROWS else known
    sides = [requests.value[chosen & side] for side in (requests.is_during, ~requests.is_during)]
    if min(len(side) for side in sides) < _LEAST_ROWS:
        return None
    inside = chosen & (requests.at >= start - LOOK_BACK.total_seconds())
    found = change_point(requests.at[inside], requests.value[inside], float(sides[0].mean()), float(sides[1].mean()))
    return None if found is None else (datetime.fromtimestamp(found[0], UTC), found[1])


def effect_of(requests: Requests, hosts: Sequence[str]) -> Effect | None:
    """Return how requests on some hosts changed beside those on others, None where one of these sides has too few, or nothing changed that could be shared."""
    return effect_between(requests.value, requests.is_during, requests.on(hosts), requests.at // _DAY, requests.host >= 0)


def effect_between(value: Floats, is_during: Bools, is_on: Bools, day: Ints, has_side: Bools) -> Effect | None:
    """Return how a number changed where `is_on` beside where it is not."""
    known = np.isfinite(value) & has_side
    cells = [known & side & when for side in (is_on, ~is_on) for when in (is_during, ~is_during)]
    change, doubt = change_of(np.where(known, value, np.nan), is_during)
    if min(cell.sum() for cell in cells) < _LEAST_ROWS or abs(change) <= Z95 * doubt:
        return None
    means = [float(value[cell].mean()) for cell in cells]
    apart = (means[0] - means[1]) - (means[2] - means[3])
    of_rows = float(np.sqrt(sum(value[cell].var(ddof=1) / cell.sum() for cell in cells)))
    rows = float(cells[0].sum() / (cells[0].sum() + cells[2].sum()))
    share = rows * apart / change
    spread = Z95 * rows * max(of_rows, _by_days(value, cells, day)) / abs(change)
    return Effect(rows, (means[0], means[1]), (means[2], means[3]), share, share - spread, share + spread)


def _by_days(value: Floats, cells: Sequence[Bools], day: Ints) -> float:
    """Return the standard error of a difference between two sides by how it scatters over the days before."""
    apart = [_apart(value, cells[side], cells[side + 2], day) for side in (0, 1)]
    if len(apart[1]) < _LEAST_DAYS or not len(apart[0]):
        return 0.0
    return float(apart[1].std(ddof=1) * np.sqrt(1 / len(apart[0]) + 1 / len(apart[1])))


def _apart(value: Floats, ours: Bools, theirs: Bools, day: Ints) -> Floats:
    days = np.intersect1d(day[ours], day[theirs])
    return np.array([value[ours & (day == d)].mean() - value[theirs & (day == d)].mean() for d in days])


def spoilt_of(requests: Requests, hosts: Sequence[str]) -> Spoilt | None:
    """Return which answers on some hosts, of all where rows do not name these, are there more than usual: those that are all the same, or failed; None without answers."""
    mine = requests.on(hosts)
    chosen = mine if mine.any() else np.ones(len(mine), bool)
    now, before = chosen & requests.is_during, chosen & ~requests.is_during
    found = []
    if len(requests.score) and np.isfinite(requests.score[now]).any() and before.any():
        values, times = np.unique(requests.score[now][np.isfinite(requests.score[now])], return_counts=True)
        commonest = values[np.argmax(times)]
        found.append(Spoilt(f"{commonest:.4g}", float(times.max() / now.sum()), float((requests.score[before] == commonest).mean())))
    if len(requests.failed) and now.any() and before.any():
        found.append(Spoilt("", float(requests.failed[now].mean()), float(requests.failed[before].mean())))
    return max(found, key=lambda s: s.now - s.usual, default=None)
