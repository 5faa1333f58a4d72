"""Newest: the newest rows of a window that has not ended, held against what the reference's hours let expect of so few.

Belongs here: numbers of a minute's rows -> which are out of line, and the signals of these. Does not: reading the rows (operations/newest.py),
windows that have ended (charts.py).

A partial window is no alarm by being partial: of few rows any number may be anything, and minutes differ more than hours do. So a number of the
newest rows is out of line only where it is four times as far off as would be told of a whole window; beyond what the sampling of so few rows
and the wander of such stretches explain, where of shares both a t- and a binomial test must say so; and so far that a tenth of the family's
budget of false alarms, over the 1,440 looks of a day, allows for it. Wander of stretches is learned from the looks before (when there are 30);
until then it is taken to be twice that of hours, and of data always: there are as many numbers as columns, and those in line are not kept.
What is smaller, builds up, or needs labels is told by the whole window, as ever.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import bdtrc

from watchkeeper.judgement.charts import charts_of
from watchkeeper.judgement.episodes import WITHOUT_LABELS
from watchkeeper.judgement.normal import Floats, Normal, Panel, chances_of, learn, row_means, usual_ranges
from watchkeeper.judgement.panels import Series, in_logs, row_medians, series, unscaled
from watchkeeper.judgement.policy import Rule, level_of_family, rules_of
from watchkeeper.judgement.season import on_calendar, places
from watchkeeper.monitor import Monitor
from watchkeeper.records import Look, Score, Signal, key
from watchkeeper.stats.testing import benjamini_hochberg
from watchkeeper.windows import Window

NEWEST = "newest"
LEAST_ROWS, LEAST_FOR_A_PERCENTILE = 30, 100
"""Rows below which a share, and a percentile, of the newest rows says nothing."""
LEAST_LOOKS = 30
_FARTHER, _COLD, _SHARE, _LOOKS_A_DAY = 4.0, 4.0, 0.1, 1440.0
_MORE_OF_THE_NEW = 0.5
_NORMAL_SPREAD = 1.4826  # a standard deviation in median absolute deviations
Named = tuple[str, str, str]
"""The metric, feature and segment of a number."""


class Before(NamedTuple):
    """A number in earlier looks where it was in line: what it was in each, what was expected, and the rows."""

    value: Floats
    expected: Floats
    n: Floats


Earlier = Callable[[Sequence[Named]], Mapping[Named, Before]]
"""Tells what numbers were in earlier looks; asked only of those that lie too far off, since of others it does not matter."""


@dataclass(frozen=True)
class UsualHours:
    """What is usual of one metric in the hours of the reference; `noise` is the sampling variance of one row of each series."""

    rule: Rule
    found: Series
    panel: Panel
    normal: Normal
    noise: Floats

    def centre(self, j: int, place: int) -> float | None:
        """Return what is usual of a series at a place of the week, on the rule's scale; None where that is not known."""
        found = float(self.normal.centre[j, place])
        return found if self.normal.is_calibrated[j] and np.isfinite(found) else None


def looked_at(monitor: Monitor) -> list[Rule]:
    """Return the rules by which the newest rows of a model are judged: those of data and service that page, and so need no labels."""
    return [rule for rule in rules_of(monitor) if rule.level == "page" and rule.family in WITHOUT_LABELS]


def usual_hours(monitor: Monitor, hours: pa.Table) -> list[UsualHours]:
    """Learn what is usual of each metric from the scores of the reference's hours; days that the calendar names are not learned from."""
    if hours.num_rows == 0 or monitor.reference_span is None:
        return []
    distinct = hours.group_by("window_start").aggregate([("window_end", "max")]).sort_by("window_start")
    windows = list(zip(distinct.column("window_start").to_pylist(), distinct.column("window_end_max").to_pylist(), strict=True))
    laid = (series(rule, hours, windows, monitor.reference_span[1], monitor.timezone) for rule in looked_at(monitor))
    return [_learned(monitor, found) for found in laid if found is not None]


def _learned(monitor: Monitor, found: Series) -> UsualHours:
    panel = found.panel()
    named = on_calendar(monitor, found.windows)
    panel = Panel(panel.metric, panel.names, np.where(named, np.nan, panel.value), panel.variance, panel.place, panel.is_reference, panel.slots)
    normal = learn(panel)
    if found.rule.beside_reference:
        expected = np.nan_to_num(row_medians(found.reference_value))[:, None]
        normal = Normal(np.fmax(normal.centre, expected), normal.tau2, normal.phi, normal.centre_variance, normal.freedom, normal.windows)
    return UsualHours(found.rule, found, panel, normal, row_means(panel.variance * np.nan_to_num(found.n)))


def awaited(monitor: Monitor, usual: Sequence[UsualHours], window: Window) -> list[Named]:
    """Return the numbers of the service that are judged in a window once they have rows enough; none on a day of the calendar."""
    if on_calendar(monitor, [(window.start, window.end)])[0]:
        return []
    mine = [u for u in usual if u.rule.family == "service"]
    here = [(u, int(places([window.start], monitor.timezone, u.panel.slots)[0])) for u in mine]
    return [(u.rule.metric, *name) for u, place in here for j, name in enumerate(u.found.names) if u.centre(j, place) is not None]


def out_of_line(monitor: Monitor, usual: Sequence[UsualHours], scores: Sequence[Score], before: Earlier) -> Iterator[tuple[Score, "Held"]]:
    """Yield each number of the newest rows that can be judged, with how it lies to what is usual; `before` tells of earlier ones that were in line.

    Of a family as many are out of line as its budget allows for (Benjamini-Hochberg).
    """
    if not scores or on_calendar(monitor, [(scores[0].window_start, scores[0].window_end)])[0]:
        return
    by_metric = {u.rule.metric: u for u in usual}
    beside = [found for s in scores if s.metric in by_metric and (found := _beside(monitor, by_metric[s.metric], s)) is not None]
    far = [one.name for one in beside if one.beyond]
    earlier = before(far) if far else {}
    held = [(one.score, _held(one, earlier.get(one.name))) for one in beside]
    for family in WITHOUT_LABELS:
        mine = [(s, h) for s, h in held if h.rule.family == family]
        budget = _SHARE * level_of_family(family, "page", monitor.alerts.false_alarms_per_day, _LOOKS_A_DAY)  # type: ignore[arg-type]
        is_out = benjamini_hochberg(np.array([h.p for _, h in mine], float), budget).tolist()
        yield from ((s, h if out else h.in_line()) for (s, h), out in zip(mine, is_out, strict=True))


class Held(NamedTuple):
    """A number of the newest rows beside what is usual: the rule, what is expected, between what 95 % of hours lie, and the chance of it."""

    rule: Rule
    expected: float
    low: float
    high: float
    p: float
    is_out: bool = True

    def in_line(self) -> "Held":
        """Return the same, not out of line."""
        return self._replace(is_out=False)


class _Beside(NamedTuple):
    """A number of enough rows and the series of hours that it belongs to; `beyond` is by how much it is farther off than is let pass, with its sign."""

    score: Score
    usual: UsualHours
    j: int
    place: int
    centre: float
    tolerance: float
    beyond: float

    @property
    def name(self) -> Named:
        return self.score.metric, self.score.feature, self.score.segment

    @property
    def is_share(self) -> bool:
        return _is_share(self.score)


def _is_share(score: Score) -> bool:
    return score.unit == "ratio"


def _beside(monitor: Monitor, usual: UsualHours, score: Score) -> _Beside | None:
    name, rule = (score.feature, score.segment), usual.rule
    if score.value is None or score.n < (LEAST_ROWS if _is_share(score) else LEAST_FOR_A_PERCENTILE) or name not in usual.found.names:
        return None
    j, place = usual.found.names.index(name), int(places([score.window_start], monitor.timezone, usual.panel.slots)[0])
    centre = usual.centre(j, place)
    if centre is None:
        return None
    tolerance = _FARTHER * rule.tolerance * (abs(centre) if rule.is_relative else 1.0) + (_MORE_OF_THE_NEW * centre if rule.beside_reference else 0.0)
    off = float(_scaled(rule, score.value)) - centre
    return _Beside(score, usual, j, place, centre, tolerance, float(np.sign(off)) * max(0.0, abs(off) - tolerance))


def _held(one: _Beside, before: Before | None) -> Held:
    score, usual, j, centre = one.score, one.usual, one.j, one.centre
    rule, normal = usual.rule, usual.normal
    wander = _wander(rule, usual, j, before)
    limit = min(max(centre + one.tolerance, 0.0), 1.0)
    noise = limit * (1 - limit) / score.n if one.is_share else float(usual.noise[j]) / score.n
    z = one.beyond / max(np.sqrt(wander + noise + normal.centre_variance[j]), 1e-12)
    p = float(chances_of(np.array(z), normal.freedom[j], score.direction))
    if one.is_share and one.beyond > 0:
        p = max(p, _by_chance(score, min(1.0, limit + 2 * float(np.sqrt(wander)))))
    low, high = usual_ranges(usual.panel, normal, j)
    here = np.flatnonzero(usual.panel.place == one.place)
    ends = (float(low[here[-1]]), float(high[here[-1]])) if len(here) else (centre, centre)
    return Held(rule, unscaled(rule, centre), unscaled(rule, ends[0]), unscaled(rule, ends[1]), min(1.0, charts_of(usual.found) * p))


def _by_chance(score: Score, limit: float) -> float:
    """Return the chance of as many rows as there are, or more, where a share of them as large as the limit is what is usual."""
    hits = round((score.value or 0.0) * score.n)
    return float(bdtrc(hits - 1, score.n, limit)) if hits > 0 and limit < 1 else 1.0


def _scaled(rule: Rule, value: Floats | float) -> Floats:
    return in_logs(np.asarray(value, float)) if rule.in_logs else np.asarray(value, float)


def _wander(rule: Rule, usual: UsualHours, j: int, before: Before | None) -> float:
    """Return by what variance stretches of minutes differ beyond the sampling of their rows."""
    tau2 = float(usual.normal.tau2[j])
    if before is None or len(before.value) < LEAST_LOOKS:
        return _COLD * tau2
    off = _scaled(rule, before.value) - _scaled(rule, before.expected)
    spread = _NORMAL_SPREAD * float(np.median(np.abs(off - np.median(off))))
    noise = float(usual.noise[j]) * float(np.mean(1 / np.maximum(1, np.sort(before.n))))  # sorted, so that no order of files shows
    return max(tau2, spread**2 - noise)


def newest_signals(looks: Iterable[Look], now: datetime) -> list[Signal]:
    """Return a page for each number that was out of line in a look at a window, by the least likely look, the one that is farther off of two; final once the window has ended."""
    worst: dict[str, Look] = {}
    for look in looks:
        name = signal_id(look)
        if look.is_out and (name not in worst or _rank(look) < _rank(worst[name])):
            worst[name] = look
    return [_signal(name, look, now) for name, look in sorted(worst.items(), key=lambda each: (each[1].window_start, each[0]))]


def _rank(look: Look) -> tuple[float, float, int]:
    return look.p, -abs(look.value - look.expected), look.reached


def signal_id(look: Look) -> str:
    """Return the id that the whole window's signal about the same number has: it is the same trouble."""
    return key(look.model, look.environment, "normal", look.metric, look.feature, look.segment, look.window_start)


def _signal(name: str, look: Look, now: datetime) -> Signal:
    return Signal(
        signal_id=name,
        model=look.model,
        environment=look.environment,
        family=look.family,
        level="page",
        rule=NEWEST,
        metric=look.metric,
        feature=look.feature,
        segment=look.segment,
        window_start=look.window_start,
        window_end=look.window_end,
        value=look.value,
        low=look.low,
        high=look.high,
        expected=look.expected,
        normal_low=look.normal_low,
        normal_high=look.normal_high,
        p=look.p,
        n=look.n,
        state="provisional" if look.window_end > now else "mature",
        rows_from=look.rows_from,
        rows_to=look.rows_to,
        computed_at=now,
    )
