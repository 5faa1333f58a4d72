"""Budgets: when a forecast says that a month's budget will be broken, when that is over, and the words of both.

Belongs here: a month's forecasts, day by day -> the signal, the episode and the story. Does not: the forecast itself (measures/forecast.py),
reading costs (operations/budgets.py).

It is told when the lower end of the forecast's 95 % interval has lain above the budget on two days in a row, or the budget is spent; and taken back
when the forecast itself is within the budget again. Between these two it stays as it was, so that a forecast that wavers tells nothing twice.
A month's alarms are one incident. Where a price or readings of GPUs are missing, sums and forecasts are lower bounds: they can break a budget, and never
say that it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from watchkeeper.judgement.episodes import Episode
from watchkeeper.measures.forecast import LEAST_DAYS, Forecast
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal, key
from watchkeeper.story import Cause, Story
from watchkeeper.windows import Window
from watchkeeper.words import counted

BUDGET, METRIC = "budget", "total_cost"
SURE = 0.975
_DAYS_SURE = 2
_DAY = timedelta(days=1)
_LATELY, _BEFORE, _RISEN = 7, 28, 1.15
_LARGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a model's month costs by its newest day: so far, and by its end, beside its budget; an estimate. Numbers are None where not known."""

    month_start: date
    month_end: date
    """The last day of the month."""
    currency: str
    through: date
    """The last day that is in `month_to_date`."""
    month_to_date: float
    budget: float | None = None
    forecast: float | None = None
    """By the end of the month; its interval is None where the days known are too alike to tell one."""
    low: float | None = None
    high: float | None = None
    chance_of_breaking: float | None = None
    known_by: str = "readings"
    """What tells the cost of a day: readings of GPUs, tokens, or both."""
    days_unknown: int = 0
    """Days of the month so far, since the model's first, of which nothing of that is there, or tokens without a price alone: they are in no sum."""
    days_uncounted: int = 0
    """Of these days those on which there were tokens, which have no price, and no GPU was read."""
    days_unread: int = 0
    """Days of the month so far on which tokens were paid for and no GPU was read: of these the tokens alone are in the sums."""
    days_unpriced: int = 0
    """Days of the month so far on which something has no price: that is in no sum."""
    is_at_least: bool = False
    """Whether `month_to_date` leaves out what has no price, or GPUs that were not read beside tokens that were paid for."""
    forecast_is_at_least: bool = False
    """Whether the forecast, its interval and chance do."""
    learned_from_days: int = 0
    is_synthetic: bool = False
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """How a month went beside its budget: the forecast at each alarm, the newest one, and why the last alarm is over (empty while it is not).

    `broken` is the day by whose end the budget was spent, None while it is not.
    """

    raised: Sequence[Forecast]
    last: Forecast
    ended: str
    broken: date | None = None

    @property
    def told(self) -> Forecast:
        """The forecast that is to be told: the newest one, or that of the last alarm where the newest one, such as a lower bound, breaks no budget."""
        breaks = self.last.value is not None and self.last.limit is not None and self.last.value > self.last.limit
        return self.last if self.broken is not None or breaks else self.raised[-1]


def course(forecasts: Sequence[Forecast], budget: float, currency: str) -> Course:
    """Return how a month went, by its forecasts at the end of each day so far."""
    raised: list[Forecast] = []
    is_on, sure, ended = False, 0, ""
    for found in forecasts:
        is_spent = found.to_date > budget
        sure = sure + 1 if is_spent or (found.chance is not None and found.chance >= SURE) else 0
        if is_on and not is_spent and found.value is not None and found.value <= budget and not found.is_ahead_least:
            is_on, ended = False, f"the forecast is back within the budget: {forecast_text(found, currency)}, budget {money(budget)}"
        elif not is_on and (is_spent or sure >= _DAYS_SURE):
            is_on, ended = True, ""
            raised.append(found)
    last = forecasts[-1]
    if is_on and last.is_over:
        ended = f"{last.start:%B} is over: {to_date_text(last)} {currency} were spent, budget {money(budget)}"
    broken = next((found.through for found in forecasts if found.to_date > budget), None)
    return Course(raised, last, ended, broken if last.to_date > budget else None)


def budget_signals(monitor: Monitor, found: Course, month: Window, ends: Mapping[date, datetime], now: datetime) -> list[Signal]:
    """Return a page for each alarm of a month, whose window is the month up to that day; `ends` gives when days end."""
    return [
        Signal(
            signal_id=key(monitor.model, monitor.environment, BUDGET, METRIC, "", "", month.start, number),
            model=monitor.model,
            environment=monitor.environment,
            family="cost",
            level="page",
            rule=BUDGET,
            metric=METRIC,
            window_start=month.start,
            window_end=ends[at.through],
            value=at.to_date if at.value is None else at.value,
            low=at.low,
            high=at.high,
            expected=monitor.cost.budget or 0.0,
            normal_high=monitor.cost.budget,
            p=0.0 if at.chance is None else 1.0 - at.chance,
            n=at.learned,
            reason=method_text(at),
            state="mature",
            computed_at=now,
        )
        for number, at in enumerate(found.raised)
    ]


def budget_episode(signals: Sequence[Signal], found: Course) -> Episode:
    """Return the one episode of a month's alarms."""
    return Episode(BUDGET, "cost", list(signals), is_over=bool(found.ended), ended=found.ended)


def budget_story(monitor: Monitor, found: Course, costs: Mapping[date, float], reason: str = "") -> Story:
    """Return what is told of a month with an alarm, as it stands by its newest day; `reason` says why days are not known as a whole."""
    at, budget, currency = found.told, monitor.cost.budget or 0.0, monitor.cost.currency
    lacking = [
        text
        for text in (_unread(at.unread), _uncounted(at.uncounted), _unpriced(at.unpriced, "no sum here"), reason if at.is_ahead_least else "")
        if text
    ]
    return Story(
        headline=budget_headline(at, budget, currency, found.broken),
        when=f"{at.start:%B %Y}, up to the end of day {at.through.day}, {monitor.timezone}.",
        facts=[
            ("Estimate", f"{method_text(at)}."),
            *([("Unknown", f"{unknown_text(at, known_by(monitor))}.")] if at.unknown > at.uncounted else []),
            *([("Known in part", f"{'; '.join(lacking)}.")] if lacking else []),
        ],
        causes=[_why(at, costs, currency)],
        next_steps=[f"`watchkeeper costs {monitor.model} --by day` shows each day, `watchkeeper advise {monitor.model}` what could be saved."],
    )


def budget_headline(at: Forecast, budget: float, currency: str, broken: date | None = None) -> str:
    """Return the one line about a budget that will be, or is, broken; `broken` is the day by whose end it was.

    >>> at = Forecast(start=date(2025, 11, 1), end=date(2025, 12, 1), through=date(2025, 11, 19), to_date=410.2, value=620.4, low=580.1,
    ...     high=660.3, known=19, unknown=0, learned=56)
    >>> budget_headline(at, 500.0, "USD")
    'will spend 620 [580, 660] USD by 30 November, budget 500; month to date 410 by day 19'
    """
    if at.to_date > budget:
        more = f", broken {'by' if at.is_least else 'on'} day {broken.day}" if broken is not None and broken < at.through else ""
        more += "" if at.value is None or at.is_over else f"; {forecast_text(at, currency)} by {_last(at)}"
        return f"has spent {to_date_text(at)} {currency} by day {at.through.day} of {at.start:%B}, budget {money(budget)}{more}"
    return (
        f"will spend {forecast_text(at, currency)} by {_last(at)}, budget {money(budget)}; month to date {to_date_text(at)} by day {at.through.day}"
    )


def forecast_text(at: Forecast, currency: str) -> str:
    """Return the forecast with its interval; of a month that is over, what it was."""
    if at.value is None or at.is_over:
        return f"{to_date_text(at)} {currency}"
    about = "about " if at.low is None and not at.is_ahead_least else ""
    return f"{about}{_least(is_so=at.is_ahead_least)}{_with_interval(at.value, at.low, at.high)} {currency}"


def to_date_text(at: Forecast) -> str:
    """Return what was spent so far."""
    return f"{_least(is_so=at.is_least)}{money(at.to_date)}"


def _least(*, is_so: bool) -> str:
    return "at least " if is_so else ""


def outlook_text(found: Outlook) -> str:
    """Return a month beside its budget in one sentence.

    >>> outlook_text(Outlook(month_start=date(2025, 11, 1), month_end=date(2025, 11, 30), currency="USD", through=date(2025, 11, 19),
    ...     month_to_date=410.2, budget=500.0, forecast=620.4, low=580.1, high=660.3, chance_of_breaking=0.99))
    '410 USD by 19 November; about 620 [580, 660] by 30 November, an estimate; budget 500, which will be broken.'
    """
    so_far = f"{_least(is_so=found.is_at_least)}{money(found.month_to_date)} {found.currency} by {found.through.day} {found.through:%B}"
    if found.through < found.month_start:
        so_far = "nothing yet"
    about = "at least" if found.forecast_is_at_least else "about"
    ahead = (
        f"{about} {_with_interval(found.forecast, found.low, found.high)} by {found.month_end.day} {found.month_end:%B}, an estimate"
        + (" without an interval: the days so far tell none" if found.low is None else "")
        if found.forecast is not None and found.through < found.month_end
        else ""
    )
    beside = "" if found.budget is None else f"budget {money(found.budget)}{_standing(found)}"
    without = found.days_unknown - found.days_uncounted
    unknown = f"{counted(without, 'day')} without {found.known_by} {'is' if without == 1 else 'are'} in neither" if without else ""
    lacking = (_unread(found.days_unread), _uncounted(found.days_uncounted), _unpriced(found.days_unpriced, "neither"))
    return "; ".join(filter(None, (so_far, ahead, beside, unknown, *lacking, found.reason))) + "."


def known_by(monitor: Monitor) -> str:
    """Return what tells the cost of a model's day; of one without any nothing is known."""
    if monitor.cost.llm is None:
        return "readings"
    return "readings or tokens" if monitor.cost.hosts else "tokens"


def _unread(days: int) -> str:
    return f"on {counted(days, 'day')} no GPU was read, and tokens alone are counted" if days else ""


def _uncounted(days: int) -> str:
    return f"on {counted(days, 'day')} no GPU was read and tokens have no price: nothing is counted" if days else ""


def _unpriced(days: int, sums: str) -> str:
    return f"on {counted(days, 'day')} something has no price, and is in {sums}" if days else ""


def _standing(found: Outlook) -> str:
    if found.budget is not None and found.month_to_date > found.budget:
        return ", which is spent"
    if found.chance_of_breaking is None:
        return ""
    if found.low is None and not found.forecast_is_at_least and found.through < found.month_end:
        return ", which more such days break" if found.chance_of_breaking >= SURE else ", which more such days keep"
    if found.chance_of_breaking >= SURE:
        return ", which will be broken"
    if found.high is not None and found.budget is not None and found.high > found.budget:
        return ", which may be broken"
    return ", which what is known does not break" if found.forecast_is_at_least else ", which holds"


def method_text(at: Forecast) -> str:
    """Return how a forecast was made."""
    if at.value is None:
        return f"no forecast yet: {LEAST_DAYS} days of known cost are needed, {at.learned} {'is' if at.learned == 1 else 'are'} there"
    pattern = "a level that may wander and the weekdays" if at.has_weekdays else "a level that may wander, without weekdays (too few days)"
    how = f"from {counted(at.learned, 'day')} of cost: {pattern}"
    if at.low is not None:
        return f"{how}; 95 % interval of the sum of the days left"
    none = "on no weekday that is left anything was ever spent" if at.value == at.to_date else "days so alike tell nothing of how far others may lie"
    return f"{how}; no interval: {none}"


def unknown_text(at: Forecast, lacking: str) -> str:
    """Return which days are in no sum, for want of what would tell their cost."""
    days = at.unknown - at.uncounted
    have = "has" if days == 1 else "have"
    return f"{counted(days, 'day')} of the month {have} no {lacking}: what was spent then is not known, and in no sum here"


def _why(at: Forecast, costs: Mapping[date, float], currency: str) -> Cause:
    """Say whether spending rose, or is more than the budget allows as it has long been."""
    late = [costs[d] for k in range(_LATELY) if (d := at.through - k * _DAY) in costs]
    before = [costs[d] for k in range(_LATELY, _LATELY + _BEFORE) if (d := at.through - k * _DAY) in costs]
    per_day = sum(late) / max(1, len(late))
    usual = sum(before) / len(before) if len(before) >= _LATELY else None
    if not late:
        said = ""
    elif usual is not None and per_day > _RISEN * usual:
        said = f"spending rose: {money(per_day)} {currency} a day over the last {counted(len(late), 'day')} of known cost, {money(usual)} in the four weeks before"
    else:
        said = f"no rise: {money(per_day)} {currency} a day, as before, are more than the budget allows" if usual is not None else ""
    return Cause(kind="spending" if said else "unknown", subject=said)


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return a forecast with its interval, where there is one, in as many digits as tell its ends apart.

    >>> _with_interval(620.4, 580.1, 660.3), _with_interval(600.03, 599.98, 600.08), _with_interval(600.0, None, None)
    ('620 [580, 660]', '600.03 [599.98, 600.08]', '600')
    """
    if low is None or high is None:
        return money(value)
    if money(low) != money(high):
        return f"{money(value)} [{money(low)}, {money(high)}]"
    digits = next((d for d in range(2, 9) if f"{low:.{d}f}" != f"{high:.{d}f}"), 9)
    return f"{value:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"


def money(amount: float | None) -> str:
    """Return an amount as people say it of a month: whole from a hundred on.

    >>> money(1234.5), money(42.126), money(None)
    ('1,234', '42.13', '?')
    """
    if amount is None:
        return "?"
    return f"{amount:,.0f}" if abs(amount) >= _LARGE else f"{amount:,.2f}"


def _last(at: Forecast) -> str:
    last = at.end - _DAY
    return f"{last.day} {last:%B}"
