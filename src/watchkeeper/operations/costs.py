"""Costs: GPU telemetry -> scores of what each model's GPUs did and cost, window by window, restated when inputs change.

Belongs here: which windows are due, what is written, and sums of other windows. Does not: sums and prices (measures/cost.py), what people are
shown, with what nobody's model used (bill.py), taking the readings (sample.py).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.gpu_hours import first_uses, gpu_uses, predictions
from watchkeeper.adapters.lake import Lake, among
from watchkeeper.adapters.prices import price_book
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import ConfigurationError
from watchkeeper.measures.cost import COST_METRICS, Use, cost_scores, method, usage, withdrawn
from watchkeeper.measures.prices import Price
from watchkeeper.measures.readings import DONE, PROVISIONAL
from watchkeeper.monitor import Monitor
from watchkeeper.operations.lost import lost_costs
from watchkeeper.records import Run, Score
from watchkeeper.windows import Grid, Window
from watchkeeper.words import not_over

OPERATION = "costs"
SETTLED = timedelta(days=35)
"""Telemetry and predictions that land later than this after their window no longer change its cost."""


def costs(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> int:
    """Bring the cost of every monitor's ended windows up to date; return how many scores were written.

    A wrong price book leaves hours and energy as they are; scores of money then say what is wrong with it.
    """
    hosts = host_map({**load_monitors(home)[0], **monitors}.values())
    runs = {m: known for m, known in _runs(home.lake, monitors, now).items() if not (any(r.rows for r in known.values()) and lost_costs(home, m))}
    began = first_uses(home.lake, hosts, now=now) if monitors.keys() - runs.keys() else {}
    due = {m: _due(monitor, runs.get(m, {}), began.get(m), now) for m, monitor in monitors.items()}
    due = {m: windows for m, windows in due.items() if windows}
    if not due:
        return 0
    known = _scores(home.lake, min(windows[0].start for windows in due.values()), now)
    at_hand = _AtHand(home.lake, hosts, book_or_reason(home), known, now)
    found = {m: _bring_up(monitors[m], windows, at_hand) for m, windows in due.items()}
    outcomes = [r for m, (fresh, written) in found.items() for r in _outcomes(m, due[m], fresh, written, runs.get(m, {}), now)]
    scores = [s for _, written in found.values() for s in written]
    home.lake.append_records(Score, scores)
    home.lake.append_records(Run, outcomes)
    return len(scores)


def costs_by(home: Home, monitor: Monitor, grid: Grid, *, now: datetime, start: datetime, end: datetime) -> Iterator[Score]:
    """Yield what a model's GPUs did and cost in windows of any grid that overlap [start, end), summed from the readings; `end` cuts the last one."""
    hosts = host_map({**load_monitors(home)[0], monitor.model: monitor}.values())
    windows = list(grid.between(start, end))
    spans = {w.start: Window(w.start, min(w.end, end)) for w in windows}
    mine = _of_model(gpu_uses(home.lake, list(spans.values()), hosts, now=now), monitor.model)
    counts, book = predictions(home.lake, monitor, list(spans.values()), now=now), book_or_reason(home)
    for window in windows:
        for uses in [found for (begun, _), found in mine.items() if begun == window.start]:
            used = usage(uses, spans[window.start], book, monitor.cost.currency)
            scores = cost_scores(used, monitor, window, predictions=counts.get(window.start, 0), now=now)
            yield from (_so_far(dataclasses.replace(s, grain=grid.grain), now) for s in scores)


def _so_far(score: Score, now: datetime) -> Score:
    """Return a score that says when its window goes on."""
    if score.window_end <= now or score.state != DONE:
        return score
    return dataclasses.replace(score, state=PROVISIONAL, reason="; ".join(filter(None, (not_over(score.grain), score.reason))))


def book_or_reason(home: Home) -> Sequence[Price] | str:
    """Return the price book, or the sentence that says what is wrong with it."""
    try:
        return price_book(home)
    except ConfigurationError as error:
        return str(error)


def host_map(monitors: Iterable[Monitor]) -> dict[str, str]:
    """Return host -> the one model it serves; a host that two monitors claim serves neither, so that it bills once."""
    claims: dict[str, list[str]] = {}
    for monitor in monitors:
        for host in sorted(set(monitor.cost.hosts)):
            claims.setdefault(host, []).append(monitor.model)
    return {host: models[0] for host, models in claims.items() if len(models) == 1}


@dataclass(frozen=True, slots=True)
class _AtHand:
    """What is the same for every monitor of a run."""

    lake: Lake
    hosts: Mapping[str, str]
    book: Sequence[Price] | str
    known: Mapping[tuple[object, ...], Score]
    now: datetime


def _runs(lake: Lake, monitors: Mapping[str, Monitor], now: datetime) -> dict[str, dict[Window, Run]]:
    """Return model -> window of its grid -> what became of it, for windows that are not long settled."""
    recent = (pc.field("operation") == OPERATION) & (pc.field("window_start") >= pa.scalar(now - 2 * SETTLED, TIMESTAMP))
    found: dict[str, dict[Window, Run]] = {}
    for run in lake.newest(Run, as_of=now, where=recent):
        window = Window(run.window_start, run.window_end)
        if run.model in monitors and monitors[run.model].grid.at(window.start) == window:
            found.setdefault(run.model, {})[window] = run
    return found


def _scores(lake: Lake, since: datetime, now: datetime) -> dict[tuple[object, ...], Score]:
    """Return the newest score of each key in windows from `since` on."""
    wanted = among("metric", COST_METRICS) & (pc.field("window_start") >= pa.scalar(since, TIMESTAMP))
    return {_key(s): s for s in lake.newest(Score, as_of=now, where=wanted)}


def _due(monitor: Monitor, runs: Mapping[Window, Run], began: datetime | None, now: datetime) -> list[Window]:
    """Return the ended windows that may have changed: all since the first use, later those that are new or not settled."""
    if runs:
        began = max(runs).end - SETTLED
    return [w for w in monitor.grid.between(began, now) if w.end <= now] if began else []


def _bring_up(monitor: Monitor, windows: list[Window], at_hand: _AtHand) -> tuple[dict[Window, list[Score]], list[Score]]:
    """Return the scores of each window in which the model used a GPU, and those among them that are to be written."""
    uses = gpu_uses(at_hand.lake, windows, at_hand.hosts, now=at_hand.now)
    counts = predictions(at_hand.lake, monitor, windows, now=at_hand.now)
    by_start = {w.start: w for w in windows}
    fresh: dict[Window, list[Score]] = {}
    for (start, _), mine in _of_model(uses, monitor.model).items():
        used = usage(mine, by_start[start], at_hand.book, monitor.cost.currency)
        scores = cost_scores(used, monitor, by_start[start], predictions=counts.get(start, 0), now=at_hand.now)
        fresh.setdefault(by_start[start], []).extend(scores)
    before = {k: s for k, s in at_hand.known.items() if s.model == monitor.model and s.grain == monitor.window}
    return fresh, [*_restated(fresh, before), *_withdrawn(fresh, before, uses, at_hand.now)]


def _of_model(uses: Iterable[Use], model: str) -> dict[tuple[datetime, bool], list[Use]]:
    """Return (window start, is synthetic) -> the model's uses, so that measured and made-up time never mix."""
    mine: dict[tuple[datetime, bool], list[Use]] = {}
    for use in uses:
        if use.model == model:
            mine.setdefault((use.window_start, use.is_synthetic), []).append(use)
    return mine


def _restated(fresh: Mapping[Window, list[Score]], known: Mapping[tuple[object, ...], Score]) -> list[Score]:
    """Return the scores that are new or say something else than before."""
    news: list[Score] = []
    for score in (s for scores in fresh.values() for s in scores):
        before = known.get(_key(score))
        if before is None:
            news.append(score)
        elif dataclasses.replace(score, revision=before.revision, computed_at=before.computed_at) != before:
            news.append(dataclasses.replace(score, revision=before.revision + 1))
    return news


def _withdrawn(fresh: Mapping[Window, list[Score]], known: Mapping[tuple[object, ...], Score], uses: Iterable[Use], now: datetime) -> list[Score]:
    """Return, without a number, scores whose readings are still there but belong to another model now."""
    present = {_key(s) for scores in fresh.values() for s in scores}
    sampled = {(u.window_start, method(is_synthetic=u.is_synthetic)) for u in uses}
    gone = [s for k, s in known.items() if k not in present and (s.window_start, s.method) in sampled and s.n]
    return [withdrawn(s, now) for s in gone]


def _outcomes(
    model: str,
    windows: Iterable[Window],
    fresh: Mapping[Window, list[Score]],
    written: Iterable[Score],
    runs: Mapping[Window, Run],
    now: datetime,
) -> list[Run]:
    """Return what became of each window since the model's GPUs were first seen, where that is news."""
    first = min([*fresh, *runs], default=None)
    touched = {s.window_start for s in written}
    news: list[Run] = []
    for window in (w for w in windows if first is not None and w >= first):
        rows, before = len(fresh.get(window, [])), runs.get(window)
        if before is None or window.start in touched or (rows and before.rows != rows):
            news.append(_run(model, window, rows, now))
    return news


def _run(model: str, window: Window, rows: int, now: datetime) -> Run:
    return Run(
        model=model,
        operation=OPERATION,
        window_start=window.start,
        window_end=window.end,
        outcome="done" if rows else "empty",
        reason="" if rows else "no GPU reading of this model: its use is unknown, not zero",
        rows=rows,
        computed_at=now,
    )


def _key(score: Score) -> tuple[object, ...]:
    return tuple(getattr(score, name) for name in Score.KEY)
