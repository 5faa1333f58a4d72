"""Rules that people begin with beside Watchkeeper, on the demo's year: how often each would have called somebody.

Belongs here: fixed limits on the scores of a workspace that is there, and what was really told. Does not: making it (`watchkeeper demo`), streams
whose truth is known (detection.py).

    python -m benchmarks.naive --home ~/flights
    python -m benchmarks.naive --home ~/flights --json

The rules read the same scores, as they stand in the end: PSI by week and by day, p by day (Kolmogorov and Smirnov of numbers, chi-square of
categories), and every KPI by day. An alarm is one number of one window that breaks the rule. Of Watchkeeper they are its signals that stand, pages
and notices, the incidents that pages became, and the messages that were sent about these. Windows are those after the reference that have ended.
"""

import argparse
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.demo.flights import CATEGORIES, NUMBERS
from watchkeeper.errors import UsageError, WatchkeeperError
from watchkeeper.judgement.incidents import fold
from watchkeeper.measures import catalogue
from watchkeeper.monitor import Monitor
from watchkeeper.operations.listing import EVERY, Wanted, listed_scores
from watchkeeper.records import Action, IncidentEvent, Score, Signal
from watchkeeper.windows import Window, local_midnight
from watchkeeper.words import counted

MODEL = "flight_delays"
SCHEDULE = ("dep_minute", "arr_minute", "block_minutes", "distance", "dow")
WEATHER = tuple(name for name in NUMBERS if name not in SCHEDULE)
BAD_WEEK = (date(2013, 4, 22), date(2013, 4, 29))
PSI, P, DEVIATIONS = 0.2, 0.05, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rule: its alarms and the windows that have one, of how many; so of the bad week and of the reference's own windows. None where that is no question."""

    rule: str
    alarms: int
    windows: int | None = None
    of: int | None = None
    bad_week: int | None = None
    of_bad_week: int | None = None
    reference: int | None = None
    of_reference: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """A model that was watched: what is asked of its numbers, and when it was bad."""

    home: Home
    monitor: Monitor
    now: datetime
    inputs: Collection[str]
    weather: Collection[str]
    bad: Window

    @property
    def begins(self) -> datetime:
        """When the reference is over."""
        return self.monitor.reference_span[1] if self.monitor.reference_span else self.now

    def scores(self, metrics: Iterable[str], grain: str, features: Collection[str] = ("",)) -> list[Score]:
        """Return the numbers of all rows, of windows that have ended."""
        found = listed_scores(self.home, self.monitor, Wanted(metrics=frozenset(metrics), feature=EVERY, grain=grain), now=self.now)
        return [s for s in found if s.value is not None and s.window_end <= self.now and s.feature in features]

    def line(self, rule: str, scores: Collection[Score], breaks: Callable[[Score, float], bool]) -> Line:
        """Return how often scores break a rule."""
        alarms = [s for s in scores if s.value is not None and breaks(s, s.value)]
        starts, every = ({s.window_start for s in some} for some in (alarms, scores))
        return Line(
            rule=rule,
            alarms=sum(s.window_start >= self.begins for s in alarms),
            windows=sum(start >= self.begins for start in starts),
            of=sum(start >= self.begins for start in every),
            bad_week=sum(start in self.bad for start in starts),
            of_bad_week=sum(start in self.bad for start in every),
            reference=sum(start < self.begins for start in starts),
            of_reference=sum(start < self.begins for start in every),
        )


def compared(year: Year) -> list[Line]:
    """Return a line for each rule: the naive ones, then what Watchkeeper said."""
    return [*_of_psi(year), *_of_p(year), *_of_kpis(year), *_of_watchkeeper(year)]


def _of_psi(year: Year) -> Iterator[Line]:
    for grain in ("week", "day"):
        for what, names in (("a weather input", year.weather), ("an input", year.inputs)):
            yield year.line(f"PSI of {what} above {PSI}, by {grain}", year.scores({"psi"}, grain, names), lambda _, value: value > PSI)


def _is_below(limit: float, _: Score, value: float) -> bool:
    return value < limit


def _of_p(year: Year) -> Iterator[Line]:
    found = {(s.feature, s.window_start, s.metric): s for s in year.scores({"ks_p", "chi_square_p"}, "day", year.inputs)}
    best = [s for (feature, start, metric), s in found.items() if metric == "ks_p" or (feature, start, "ks_p") not in found]
    for said, limit in ((f"{P}", P), (f"{P} / {len(year.inputs)}", P / len(year.inputs))):
        yield year.line(f"p of an input below {said}, by day", best, partial(_is_below, limit))


def _of_kpis(year: Year) -> Iterator[Line]:
    names = [m.name for m in catalogue.CATALOGUE if m.subject == year.monitor.task and m.stored and m.needs_labels]
    scores = year.scores(names, "day")
    before = {name: [s.value for s in scores if s.metric == name and s.value is not None and s.window_start < year.begins] for name in names}
    usual = {name: (mean(values), stdev(values)) for name, values in before.items() if len(values) > 1}

    def breaks(score: Score, value: float) -> bool:
        middle, spread = usual[score.metric]
        return abs(value - middle) > DEVIATIONS * spread

    judged = [s for s in scores if s.metric in usual]
    yield year.line(f"one of {counted(len(usual), 'KPI')} {DEVIATIONS} sd from its reference days, by day", judged, breaks)
    for name in usual:
        yield year.line(f"{name} {DEVIATIONS} sd from its reference days, by day", [s for s in judged if s.metric == name], breaks)


def _of_watchkeeper(year: Year) -> Iterator[Line]:
    mine = pc.field("model") == year.monitor.model
    signals: list[Signal] = [s for s in year.home.lake.newest(Signal, as_of=year.now, where=mine) if s.state != "withdrawn"]
    days = {s.window_start for s in year.scores({"rows"}, "day") if s.window_start >= year.begins and s.value}
    incidents = [i for i in fold(year.home.lake.newest(IncidentEvent, as_of=year.now, where=mine)) if not i.is_withdrawn]
    done: list[Action] = year.home.lake.newest(Action, as_of=year.now, where=mine & (pc.field("state") == "sent"))

    def line(what: str, alarms: int, spans: Iterable[tuple[datetime, datetime]]) -> Line:
        apart = list(spans)
        alarmed = {day for day in days if any(start <= day < end for start, end in apart)}
        bad = [sum(day in year.bad for day in some) for some in (alarmed, days)]
        return Line(rule=f"Watchkeeper: {what}", alarms=alarms, windows=len(alarmed), of=len(days), bad_week=bad[0], of_bad_week=bad[1])

    for level in ("notice", "page"):
        some = [s for s in signals if s.level == level]
        yield line(f"{level}s, numbers by day", len(some), ((s.window_start, s.window_end) for s in some if s.rule != "target"))
    yield line("incidents, that pages became", len(incidents), ((i.window_start, i.window_end) for i in incidents))
    for kind, what in (("open", "an incident opened"), ("update", "there is news of one"), ("resolve", "one is over")):
        yield Line(rule=f"Watchkeeper: messages that {what}", alarms=sum(a.kind == kind for a in done))


def year_of(home: Home) -> Year:
    """Return the demo's year.

    Raises:
        UsageError: the demo was not run in this workspace.

    """
    monitor = load_monitor(home, MODEL)
    bad = Window(*(local_midnight(day, monitor.timezone) for day in BAD_WEEK))
    now = home.workspace.now
    if now is None:
        raise UsageError(
            "is no workspace of the demo, whose clock stands still", where=str(home.root), then="Run `watchkeeper demo --home DIR` first."
        )
    return Year(home=home, monitor=monitor, now=now, inputs=(*NUMBERS, *CATEGORIES), weather=WEATHER, bad=bad)


def table(lines: Sequence[Line]) -> str:
    """Return lines as a table in markdown."""
    rows = [
        (
            line.rule,
            f"{line.alarms:,}",
            *(
                "" if some is None else f"{some} of {of}"
                for some, of in ((line.windows, line.of), (line.bad_week, line.of_bad_week), (line.reference, line.of_reference))
            ),
        )
        for line in lines
    ]
    heads = ("rule", "alarms", "windows with one", "in the bad week", "in the reference itself")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(), help="a workspace in which the demo was run (default: here)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    try:
        lines = compared(year_of(find_home(given.home)))
    except WatchkeeperError as error:
        raise SystemExit(str(error)) from error
    print(json.dumps([asdict(line) for line in lines], indent=2) if given.json else table(lines))


if __name__ == "__main__":
    main()
