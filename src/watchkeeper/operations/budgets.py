"""Budgets: each model's month beside its budget, and what that changes about its incidents.

Belongs here: reading daily costs, which months are looked at, and the events that follow. Does not: the forecast (measures/forecast.py), when a
budget counts as broken (judgement/budget.py), writing (judge.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.budget import METRIC, Course, Outlook, budget_episode, budget_signals, budget_story, course, known_by, method_text
from watchkeeper.judgement.developments import developments
from watchkeeper.judgement.incidents import Incident
from watchkeeper.measures.cost import method
from watchkeeper.measures.forecast import LEARNED_FROM, AtLeast, Forecast, forecast
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bill import BillRow
from watchkeeper.operations.costs import costs_by
from watchkeeper.operations.spending import first_asked
from watchkeeper.records import IncidentEvent, Score, Signal
from watchkeeper.story import Story
from watchkeeper.windows import Grid, Window, local_midnight

_DAY = timedelta(days=1)
_LATE = timedelta(days=2)
"""How long after its end a month is still looked at of which nothing was told: its last day's cost comes after it."""
_SETTLES = timedelta(days=7)
_PRICED = ("gpu_cost", "token_cost")
"""What has a price of its own: each of these scores says which price it lacks."""


@dataclass(frozen=True, slots=True)
class DailyCosts:
    """What each local day cost of which that is known, measured or (where nothing was) by a made-up trace."""

    costs: dict[date, float] = field(default_factory=dict)
    at_least: dict[date, AtLeast] = field(default_factory=dict)
    """What is known of the days of which a price, or readings of some GPU, are missing."""
    is_synthetic: bool = False
    lacking: dict[date, str] = field(default_factory=dict)
    """Which price a day lacks, and what to add."""
    began: date | None = None
    """The first day on which the model cost or was asked anything, or one before those looked at; None before any."""

    def reason(self, through: date) -> str:
        """Return which price was lacking on the last such day up to one; empty where none was."""
        return next((self.lacking[day] for day in sorted(self.lacking, reverse=True) if day <= through), "")

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known of any day."""
        return not self.costs and all(a.amount is None for a in self.at_least.values())

    def through(self, today: date) -> date:
        """Return the last day that a forecast may count: yesterday, or the day before while yesterday's cost is not measured."""
        last, measured = today - _DAY, self.costs.keys() | self.at_least.keys()
        return last if last in measured or last - _DAY not in measured else last - _DAY


def daily_costs(home: Home, monitor: Monitor, since: date, *, now: datetime) -> DailyCosts:
    """Return what a model cost on each day from `since` on that is over, as known at `now`."""
    start, end = local_midnight(since, monitor.timezone), Grid("day", monitor.timezone).at(now).start
    scores = list(_scores(home, monitor, start, end, now)) if start < end else []
    measured = [s for s in scores if "synthetic" not in s.method]
    mine = measured or scores
    by_day: dict[date, list[Score]] = {}
    for score in (s for s in mine if s.metric == METRIC):
        by_day.setdefault(_day_of(monitor, score.window_start), []).append(score)
    known = {day: _known_of(monitor, found) for day, found in by_day.items()}
    whole = {day: one.amount for day, one in known.items() if one.amount is not None and not one.lacks_price and not one.lacks_readings}
    return DailyCosts(
        costs=whole,
        at_least={day: one for day, one in known.items() if day not in whole},
        is_synthetic=bool(scores) and not measured,
        lacking=_lacking(monitor, mine),
        began=_began(home, monitor, min(by_day, default=None), since, now),
    )


def _began(home: Home, monitor: Monitor, costed: date | None, since: date, now: datetime) -> date | None:
    """Return the first day of a model by its costs, of which the first known one from `since` on is given, and by what it was asked."""
    earlier = pc.field("window_start") < pa.scalar(local_midnight(since, monitor.timezone), TIMESTAMP)
    if costed is not None and costed > since and _costed(home, monitor, (METRIC,), earlier, now):
        return since
    asked = first_asked(home, monitor, now=now)
    return min((d for d in (costed, asked and _day_of(monitor, asked)) if d is not None), default=None)


def _known_of(monitor: Monitor, scores: Sequence[Score]) -> AtLeast:
    """Return what is known of a day by the totals of its windows; one on which some GPU of the model was read counts with what was read, as a window does."""
    known = [amount for s in scores if (amount := s.bound_low if s.value is None else s.value) is not None]
    lacks_price, lacks_readings = any(_lacks_price(monitor, s) for s in scores), all(_lacks_readings(monitor, s) for s in scores)
    return AtLeast(sum(known) if known else None, lacks_price=lacks_price, lacks_readings=lacks_readings)


def _lacks_readings(monitor: Monitor, score: Score) -> bool:
    """Tell whether tokens were counted in a window in which none of the model's GPUs was read."""
    return bool(monitor.cost.hosts) and score.method == method(is_synthetic=False, is_of_tokens=True)


def _lacks_price(monitor: Monitor, score: Score) -> bool:
    """Tell whether something in a window has no price: tokens beside which no GPU was read have one where a lower bound is known."""
    return score.value is None and (score.bound_low is None or not _lacks_readings(monitor, score))


def _lacking(monitor: Monitor, scores: Iterable[Score]) -> dict[date, str]:
    """Return which price each day lacks, of GPUs and of tokens, as the score of each says in its last window without a number."""
    found: dict[date, dict[str, str]] = {}
    for score in sorted(scores, key=lambda s: (s.metric, s.window_start)):
        if score.metric in _PRICED and score.value is None:
            found.setdefault(_day_of(monitor, score.window_start), {})[score.metric] = score.reason
    return {day: "; ".join(reasons.values()) for day, reasons in found.items()}


def _scores(home: Home, monitor: Monitor, start: datetime, end: datetime, now: datetime) -> Iterable[Score]:
    """Return the cost of GPUs, of tokens and of both in windows of a day at most; longer ones are taken apart from the readings."""
    wanted = (METRIC, *_PRICED)
    if monitor.window not in ("hour", "day"):
        return (s for s in costs_by(home, monitor, Grid("day", monitor.timezone), now=now, start=start, end=end) if s.metric in wanted)
    time = pc.field("window_start")
    return _costed(home, monitor, wanted, (time >= pa.scalar(start, TIMESTAMP)) & (time < pa.scalar(end, TIMESTAMP)), now)


def _costed(home: Home, monitor: Monitor, metrics: Sequence[str], when: pc.Expression, now: datetime) -> list[Score]:
    """Return costs in windows of the monitor's own grid in which the model cost anything."""
    where = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment) & among("metric", metrics)
    where &= (pc.field("grain") == monitor.window) & (pc.field("version") == "") & (pc.field("segment") == "") & when
    return [s for s in home.lake.newest(Score, as_of=now, where=where) if s.n or s.value is not None]


def outlook(home: Home, monitor: Monitor, *, now: datetime, at: datetime | None = None) -> Outlook | None:
    """Return the month of a model that goes on at `now`, beside its budget, or as it was when the last day before `at` was over.

    None where nothing is known of its costs of the last weeks, and no budget is set.
    """
    until = now if at is None else min(at, now)
    month = Grid("month", monitor.timezone).at(until if at is None else until - timedelta.resolution)
    first = _day_of(monitor, month.start)
    found = daily_costs(home, monitor, first - LEARNED_FROM, now=now)
    if found.is_unknown and monitor.cost.budget is None:
        return None
    made = _forecast(found, monitor, month, min(found.through(_day_of(monitor, now)), _day_of(monitor, until) - _DAY))
    return Outlook(
        month_start=made.start,
        month_end=made.end - _DAY,
        currency=monitor.cost.currency,
        through=made.through,
        month_to_date=made.to_date,
        budget=made.limit,
        forecast=made.value,
        low=made.low,
        high=made.high,
        chance_of_breaking=made.chance,
        known_by=known_by(monitor),
        days_unknown=made.unknown,
        days_uncounted=made.uncounted,
        days_unread=made.unread,
        days_unpriced=made.unpriced,
        is_at_least=made.is_least,
        forecast_is_at_least=made.value is not None and made.is_ahead_least,
        learned_from_days=made.learned,
        is_synthetic=found.is_synthetic,
        method=method_text(made),
        reason="; ".join(filter(None, (found.reason(made.through), method_text(made) if made.value is None else ""))),
    )


def with_outlooks(home: Home, monitors: Mapping[str, Monitor], rows: Sequence[BillRow], *, now: datetime) -> list[BillRow]:
    """Return rows of a bill, the newest of each model with the month that goes on beside its budget."""
    newest = {rows[n].model: n for n in sorted(range(len(rows)), key=lambda n: rows[n].window_start)}
    found = {n: outlook(home, monitors[model], now=now) for model, n in newest.items() if model is not None and model in monitors}
    return [replace(row, outlook=found.get(n)) for n, row in enumerate(rows)]


def watch_budget(
    home: Home, monitor: Monitor, incidents: Sequence[Incident], known: Sequence[Signal], *, now: datetime
) -> tuple[list[Signal], list[IncidentEvent]]:
    """Return the signals about a model's budget as known at `now`, and what they change about its incidents of family `cost`; nothing is written.

    A made-up trace pages nobody. Months that are settled are as they were told.
    """
    mine, told = [i for i in incidents if i.family == "cost"], [s for s in known if s.family == "cost" and s.state != "withdrawn"]
    months = list(_months(monitor, mine, told, now))
    signals = [s for s in told if s.window_start not in {m.start for m in months}]
    courses = {m.start: found for m in months if (found := _course(home, monitor, m, now)) is not None}
    raised = {m.start: budget_signals(monitor, courses[m.start][0], m, _ends(monitor, m), now) for m in months if m.start in courses}
    by_start = {start: courses[start] for start, made in raised.items() if made}
    events = developments(
        monitor.model,
        monitor.environment,
        mine,
        [budget_episode(raised[start], found) for start, (found, _) in by_start.items()],
        lambda episode, _severity: _story(monitor, *by_start[episode.start]),
        now,
        timezone=monitor.timezone,
        normal_now=lambda incident: _changed(monitor, incident, known),
    )
    return [*signals, *(s for made in raised.values() for s in made)], events


def _months(monitor: Monitor, incidents: Sequence[Incident], told: Sequence[Signal], now: datetime) -> Iterable[Window]:
    """Yield the months to look at: those of open incidents, the last one for some days, and this one."""
    grid = Grid("month", monitor.timezone)
    this = grid.at(now)
    last = grid.at(this.start - _DAY)
    late = _SETTLES if any(s.window_start == last.start for s in told) else _LATE
    starts = (
        {i.window_start for i in incidents if i.is_open or i.state == "lasting"} | ({last.start} if now < last.end + late else set()) | {this.start}
    )
    return (grid.at(start) for start in sorted(starts))


def _story(monitor: Monitor, found: Course, daily: DailyCosts) -> Story:
    return budget_story(monitor, found, daily.costs, daily.reason(found.told.through))


def _course(home: Home, monitor: Monitor, month: Window, now: datetime) -> tuple[Course, DailyCosts] | None:
    """Return how a month went by measured costs, with these; None without a budget, or before its first day is over."""
    budget = monitor.cost.budget
    if budget is None:
        return None
    first, last = _day_of(monitor, month.start), _day_of(monitor, month.end) - _DAY
    found = daily_costs(home, monitor, first - LEARNED_FROM, now=now)
    until = min(last, found.through(_day_of(monitor, now)))
    days = [first + k * _DAY for k in range((until - first).days + 1)]
    if found.is_synthetic or found.is_unknown or not days:
        return None
    return course([_forecast(found, monitor, month, day) for day in days], budget, monitor.cost.currency), found


def _forecast(found: DailyCosts, monitor: Monitor, month: Window, through: date) -> Forecast:
    start, end = _day_of(monitor, month.start), _day_of(monitor, month.end)
    return forecast(found.costs, start, end, through, monitor.cost.budget, found.at_least, found.began)


def _ends(monitor: Monitor, month: Window) -> dict[date, datetime]:
    return {_day_of(monitor, w.start): w.end for w in Grid("day", monitor.timezone).between(month.start, month.end)}


def _day_of(monitor: Monitor, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(monitor.timezone)).date()


def _changed(monitor: Monitor, incident: Incident, known: Sequence[Signal]) -> str:
    """Say that an incident is over because its budget is another now; empty where it is the same."""
    budget = monitor.cost.budget
    if budget is None:
        return "no budget is set any more"
    was = {s.expected for s in known if s.signal_id in incident.signals}
    return f"the budget is {budget:,.12g} {monitor.cost.currency} now" if was and budget not in was else ""
