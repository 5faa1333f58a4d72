"""Does the interval of a month's forecast hold what it says, does a budget that is kept stay quiet, and how long before it breaks is one told.

Belongs here: made months of spending, foretold day by day. Does not: reading costs (operations/budgets.py), what is done about them.

    python -m benchmarks.budgets --json
    python -m benchmarks.budgets --months 400 --worlds steady spiky

A month is November 2025 after eight weeks and more of spending; the budget of it is set by what was really spent, so that it is kept by 2, 5 or 10 %, or
broken by as much.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.budget import course
from watchkeeper.measures.forecast import Forecast, forecast

Floats = NDArray[np.float64]
DAY = timedelta(days=1)
START, MONTH, NEXT = date(2025, 8, 25), date(2025, 11, 1), date(2025, 12, 1)
DAYS = [START + k * DAY for k in range((NEXT - START).days)]
WEEK = np.array([{5: 0.5, 6: 0.4}.get(d.weekday(), 1.0) for d in DAYS])
ASKED = (3, 10, 20, 27)
ROOM = (0.02, 0.05, 0.1)
_SPIKES = 0.03


def _steady(rng: np.random.Generator, chance: float = 0.1) -> Floats:
    return 20.0 * WEEK * np.exp(rng.normal(0.0, chance, len(DAYS)))


WORLDS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "steady": _steady,
    "without weekdays": lambda rng: 20.0 * np.exp(rng.normal(0.0, 0.1, len(DAYS))),
    "level wanders 2 % a day": lambda rng: _steady(rng) * np.exp(np.cumsum(rng.normal(0.0, 0.02, len(DAYS)))),
    "grows .4 % a day": lambda rng: _steady(rng) * np.exp(np.arange(len(DAYS)) * 0.004),
    "rose by .6 within the last eight weeks": lambda rng: _steady(rng) * np.where(np.arange(len(DAYS)) < rng.integers(20, 65), 1.0, 1.6),
    "spiky": lambda rng: _steady(rng) + np.where(rng.random(len(DAYS)) < _SPIKES, rng.exponential(60.0, len(DAYS)), 0.0),
}


def foretold(values: Floats, budget: float) -> list[Forecast]:
    """Return the forecast at the end of each day of the month."""
    costs = dict(zip(DAYS, values.tolist(), strict=True))
    return [forecast(costs, MONTH, NEXT, MONTH + k * DAY, budget) for k in range((NEXT - MONTH).days)]


def world(name: str, months: int, seed: int) -> dict[str, Any]:
    """Return how often intervals held, quiet months were told and broken ones were told in time, in one kind of world."""
    rng = np.random.default_rng(seed)
    inside: dict[int, list[bool]] = {day: [] for day in ASKED}
    wide: dict[int, list[float]] = {day: [] for day in ASKED}
    told: dict[float, list[int]] = {room: [] for room in ROOM}
    left: dict[float, list[int | None]] = {room: [] for room in ROOM}
    for _ in range(months):
        values = WORLDS[name](rng)
        spent = np.cumsum([v for d, v in zip(DAYS, values, strict=True) if d >= MONTH])
        total = float(spent[-1])
        for room in ROOM:
            told[room].append(len(course(foretold(values, total * (1 + room)), total * (1 + room), "USD").raised))
            budget = total / (1 + room)
            found = foretold(values, budget)
            raised, broke = course(found, budget, "USD").raised, int(np.argmax(spent > budget)) + 1
            left[room].append(broke - raised[0].through.day if raised else None)
        for day in ASKED:
            low, high = found[day - 1].low or 0.0, found[day - 1].high or 0.0
            inside[day].append(low <= total <= high)
            wide[day].append((high - low) / total)
    return {
        "coverage": {day: float(np.mean(inside[day])) for day in ASKED},
        "width_to_total": {day: float(np.median(wide[day])) for day in ASKED},
        "told_though_kept": {f"by {room:.0%}": float(np.mean([n > 0 for n in told[room]])) for room in ROOM},
        "told_before_it_broke": {f"by {room:.0%}": float(np.mean([n is not None and n > 0 for n in left[room]])) for room in ROOM},
        "days_before_it_broke": {f"by {room:.0%}": float(np.median([n or 0 for n in left[room]])) for room in ROOM},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of each kind of world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--months", type=int, default=100)
    parser.add_argument("--worlds", nargs="*", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    found = {name: world(name, asked.months, asked.seed) for name in asked.worlds}
    if asked.json:
        print(json.dumps({"months": asked.months, "worlds": found}, indent=1))
        return
    for name, figures in found.items():
        print(f"{name}, {asked.months} months")
        for about, numbers in figures.items():
            print(f"  {about.replace('_', ' ')}: {', '.join(f'{key} {value:.3g}' for key, value in numbers.items())}")


if __name__ == "__main__":
    main()
