"""Costs: GPU telemetry -> scores of what each model's GPUs did and cost, window by window, restated when inputs change.

Belongs here: which windows are due, and what is written. Does not: sums and prices (measures/cost.py), what people are
shown, with what nobody's model used (bill.py), taking the readings (sample.py).
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow.compute as pc

from watchkeeper.adapters.gpu_hours import first_uses, gpu_uses, predictions
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.prices import price_book
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import ConfigurationError
from watchkeeper.measures.cost import COST_METRICS, Use, cost_scores, method, usage, withdrawn
from watchkeeper.measures.prices import Price
from watchkeeper.monitor import Monitor
from watchkeeper.records import Run, Score
from watchkeeper.windows import Window

OPERATION = "costs"
SETTLED = timedelta(days=35)
"""Telemetry and predictions that land later than this after their window no longer change its cost."""


def costs(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> int:
    """Bring the cost of every monitor's ended windows up to date; return how many scores were written.

    A wrong price book leaves hours and energy as they are; scores of money then say what is wrong with it.
    """
    hosts = host_map({**load_monitors(home)[0], **monitors}.values())
    began, book = first_uses(home.lake, hosts, now=now), book_or_reason(home)
    scores: list[Score] = []
    runs: list[Run] = []
    for monitor in monitors.values():
        stored = _Stored(home.lake, monitor, now)
        windows = _due(monitor, stored, began.get(monitor.model), now)
        found, outcomes = _bring_up(home.lake, monitor, windows, stored, hosts, book, now)
        scores += found
        runs += outcomes
    home.lake.append_records(Score, scores)
    home.lake.append_records(Run, runs)
    return len(scores)


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


class _Stored:
    """What earlier runs wrote about one monitor's costs."""

    def __init__(self, lake: Lake, monitor: Monitor, now: datetime) -> None:
        mine = pc.field("model") == monitor.model
        self._lake, self._now = lake, now
        self._mine = mine & pc.field("metric").isin(COST_METRICS) & (pc.field("grain") == monitor.window)
        found = lake.newest(Run, as_of=now, where=mine & (pc.field("operation") == OPERATION))
        spans = ((Window(r.window_start, r.window_end), r) for r in found)
        self.runs: dict[Window, Run] = {w: r for w, r in spans if monitor.grid.at(w.start) == w}

    def scores(self, windows: Sequence[Window]) -> dict[tuple[object, ...], Score]:
        """Return the newest score of each key in some windows."""
        within = (pc.field("window_start") >= windows[0].start) & (pc.field("window_start") < windows[-1].end)
        return {_key(s): s for s in self._lake.newest(Score, as_of=self._now, where=self._mine & within)}


def _due(monitor: Monitor, stored: _Stored, began: datetime | None, now: datetime) -> list[Window]:
    """Return the ended windows that may have changed: all since the first use, later those that are new or not settled."""
    if stored.runs:
        began = max(stored.runs).end - SETTLED
    return [w for w in monitor.grid.between(began, now) if w.end <= now] if began else []


def _bring_up(
    lake: Lake,
    monitor: Monitor,
    windows: list[Window],
    stored: _Stored,
    hosts: Mapping[str, str],
    book: Sequence[Price] | str,
    now: datetime,
) -> tuple[list[Score], list[Run]]:
    if not windows:
        return [], []
    uses = gpu_uses(lake, windows, hosts, now=now)
    counts = predictions(lake, monitor, windows, now=now)
    by_start = {w.start: w for w in windows}
    fresh: dict[Window, list[Score]] = {}
    for (start, _), mine in _of_model(uses, monitor.model).items():
        used = usage(mine, by_start[start], book, monitor.cost.currency)
        scores = cost_scores(used, monitor, by_start[start], predictions=counts.get(start, 0), now=now)
        fresh.setdefault(by_start[start], []).extend(scores)
    known = stored.scores(windows)
    written = [*_restated(fresh, known), *_withdrawn(fresh, known, uses, now)]
    return written, _outcomes(monitor, windows, fresh, written, stored, now)


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
    monitor: Monitor,
    windows: Iterable[Window],
    fresh: Mapping[Window, list[Score]],
    written: Iterable[Score],
    stored: _Stored,
    now: datetime,
) -> list[Run]:
    """Return what became of each window since the model's GPUs were first seen, where that is news."""
    first = min([*fresh, *stored.runs], default=None)
    touched = {s.window_start for s in written}
    news: list[Run] = []
    for window in (w for w in windows if first is not None and w >= first):
        rows, before = len(fresh.get(window, [])), stored.runs.get(window)
        if before is None or window.start in touched or (rows and before.rows != rows):
            news.append(_run(monitor.model, window, rows, now))
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
