"""Costs: GPU telemetry -> scores of what each model's GPUs did and cost, window by window, restated when inputs change.

Belongs here: which windows are due, what is written, and sums of other windows. Does not: sums and prices (measures/cost.py), what people are
shown, with what nobody's model used (bill.py), taking the readings (sample.py).
"""

import dataclasses
import functools
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.gpu_hours import Claims, first_uses, gpu_uses
from watchkeeper.adapters.lake import Lake, among
from watchkeeper.adapters.requests import Asked
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.measures.cost import COST_METRICS, cost_scores, method, share_score, version_scores, withdrawn
from watchkeeper.measures.gpu_use import Use
from watchkeeper.measures.readings import DONE, PROVISIONAL
from watchkeeper.monitor import Monitor
from watchkeeper.operations.lost import lost_costs
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.spending import (
    Answers,
    Books,
    asked_of,
    books_or_reasons,
    claims_of,
    first_asked,
    measured_answers,
    segment_shares,
    spent_by,
    spent_by_version,
    summed_answers,
)
from watchkeeper.records import Run, Score
from watchkeeper.windows import Grid, Window
from watchkeeper.words import not_over

OPERATION = "costs"
SETTLED = timedelta(days=35)
"""Telemetry, predictions and labels that land later than this after they were due no longer change a window's cost."""


def costs(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> int:
    """Bring the cost of every monitor's ended windows up to date; return how many scores were written.

    A wrong price book leaves hours and energy as they are; scores of money then say what is wrong with it.
    """
    claims = claims_of({**load_monitors(home)[0], **monitors})
    settled = {m: SETTLED + maturity_of(home, monitor, now=now).wait for m, monitor in monitors.items()}
    runs = {m: known for m, known in _runs(home, monitors, settled, now).items() if not (any(r.rows for r in known.values()) and lost_costs(home, m))}
    began = _began(home, claims, {m: monitors[m] for m in monitors.keys() - runs.keys()}, now)
    due = {m: _due(monitor, runs.get(m, {}), settled[m], began.get(m), now) for m, monitor in monitors.items()}
    due = {m: windows for m, windows in due.items() if windows}
    if not due:
        return 0
    known = _scores(home.lake, {m: windows[0].start for m, windows in due.items()}, now)
    at_hand = _AtHand(home, claims, books_or_reasons(home), known, now)
    found = {m: _bring_up(monitors[m], windows, at_hand) for m, windows in due.items()}
    outcomes = [r for m, (fresh, written) in found.items() for r in _outcomes(m, due[m], fresh, written, runs.get(m, {}), now)]
    scores = [s for _, written in found.values() for s in written]
    home.lake.append_records(Score, scores)
    home.lake.append_records(Run, outcomes)
    return len(scores)


def costs_by(home: Home, monitor: Monitor, grid: Grid, *, now: datetime, start: datetime, end: datetime) -> Iterator[Score]:
    """Yield what a model cost in windows of any grid that overlap [start, end), summed from the readings; `end` cuts the last one."""
    claims = claims_of({**load_monitors(home)[0], monitor.model: monitor})
    if not monitor.cost.llm and monitor.model not in first_uses(home.lake, claims, now=now, models=[monitor.model]):
        return
    books, windows = books_or_reasons(home), list(grid.between(start, end))
    cut = {w.start: Window(w.start, min(w.end, end)) for w in windows}
    every = gpu_uses(home.lake, books.spans(list(cut.values())), claims, now=now)
    uses = _of_model(every, monitor.model)
    if not uses and not monitor.cost.llm:
        return
    asked = asked_of(home, {monitor.model: monitor}, books, list(cut.values()), every, now=now)[monitor.model]
    answers = summed_answers(home, monitor, grid, start, end, now=now)
    for window in windows:
        mine, requests = _sides(monitor, window, uses, asked)
        for place, side in enumerate(mine):
            accuracy = answers.accuracy.get(window.start)
            spent = spent_by(monitor, side, cut[window.start].until(now), books, requests, accuracy, with_tokens=place == 0)
            yield from (_so_far(dataclasses.replace(s, grain=grid.grain), now) for s in cost_scores(spent, monitor, window, now=now))


def _sides(
    monitor: Monitor, window: Window, uses: Mapping[tuple[datetime, bool], list[Use]], asked: Mapping[datetime, Asked]
) -> tuple[list[list[Use]], Asked]:
    """Return a window's uses, measured ones apart from made-up ones (one empty side where tokens alone were paid for), and what was asked in it."""
    requests = asked.get(window.start, Asked())
    mine = [uses[window.start, made_up] for made_up in (False, True) if (window.start, made_up) in uses]
    return mine or ([[]] if monitor.cost.llm and requests.tokens else []), requests


def _so_far(score: Score, now: datetime) -> Score:
    """Return a score that says when its window goes on."""
    if score.window_end <= now or score.state != DONE:
        return score
    return dataclasses.replace(score, state=PROVISIONAL, reason="; ".join(filter(None, (not_over(score.grain), score.reason))))


@dataclass(frozen=True, slots=True)
class _AtHand:
    """What is the same for every monitor of a run."""

    home: Home
    claims: Claims
    books: Books
    known: Mapping[tuple[object, ...], Score]
    now: datetime


def _runs(home: Home, monitors: Mapping[str, Monitor], settled: Mapping[str, timedelta], now: datetime) -> dict[str, dict[Window, Run]]:
    """Return model -> window of its grid -> what became of it, for windows that are not long settled."""
    longest = max(settled.values(), default=SETTLED)
    recent = (pc.field("operation") == OPERATION) & (pc.field("window_start") >= pa.scalar(now - longest - SETTLED, TIMESTAMP))
    found: dict[str, dict[Window, Run]] = {}
    for run in home.lake.newest(Run, as_of=now, where=recent):
        window = Window(run.window_start, run.window_end)
        if run.model in monitors and monitors[run.model].grid.at(window.start) == window:
            found.setdefault(run.model, {})[window] = run
    return found


def _began(home: Home, claims: Claims, monitors: Mapping[str, Monitor], now: datetime) -> dict[str, datetime]:
    """Return model -> when it may have used its first GPU or, where it pays for them, tokens."""
    if not monitors:
        return {}
    began = {m: at for m, at in first_uses(home.lake, claims, now=now, models=monitors).items() if m is not None}
    for monitor in monitors.values():
        asked = first_asked(home, monitor, now=now) if monitor.cost.llm else None
        began |= {monitor.model: min(asked, began.get(monitor.model, asked))} if asked else {}
    return began


def _scores(lake: Lake, since: Mapping[str, datetime], now: datetime) -> dict[tuple[object, ...], Score]:
    """Return the newest score of each key, of each model in windows from its moment on."""
    each = ((pc.field("model") == model) & (pc.field("window_start") >= pa.scalar(start, TIMESTAMP)) for model, start in since.items())
    wanted = among("metric", COST_METRICS) & functools.reduce(operator.or_, each)
    return {_key(s): s for s in lake.newest(Score, as_of=now, where=wanted)}


def _due(monitor: Monitor, runs: Mapping[Window, Run], settled: timedelta, began: datetime | None, now: datetime) -> list[Window]:
    """Return the ended windows that may have changed: all since the first use, later those that are new or not settled.

    A window is settled so long after its end: its labels come, too, and tell what a correct prediction cost. While nobody knows how long they take
    none is, and all count from the first use on.
    """
    if runs:
        began = max(max(runs).end - settled, min(runs).start - SETTLED)
    return [w for w in monitor.grid.between(began, now) if w.end <= now] if began else []


def _bring_up(monitor: Monitor, windows: list[Window], at_hand: _AtHand) -> tuple[dict[Window, list[Score]], list[Score]]:
    """Return the scores of each window in which the model used a GPU or tokens, and those among them that are to be written."""
    home, books, now = at_hand.home, at_hand.books, at_hand.now
    every = gpu_uses(home.lake, books.spans(windows), at_hand.claims, now=now)
    uses, asked, answers = _of_model(every, monitor.model), dict[datetime, Asked](), Answers()
    if uses or monitor.cost.llm:
        asked = asked_of(home, {monitor.model: monitor}, books, windows, every, now=now)[monitor.model]
        answers = measured_answers(home, monitor, windows, now=now)
    fresh: dict[Window, list[Score]] = {}
    for window in windows:
        mine, requests = _sides(monitor, window, uses, asked)
        for place, side in enumerate(mine):
            spent = spent_by(monitor, side, window, books, requests, answers.accuracy.get(window.start), with_tokens=place == 0)
            made = cost_scores(spent, monitor, window, now=now)
            for version, its, estimated in spent_by_version(monitor, side, window, books, requests, with_tokens=place == 0):
                made += version_scores(its, monitor, window, version=version, estimated_ratio=estimated, now=now) if version else []
            shares = segment_shares(answers.segments.get(window.start, {}), requests)
            made += [share_score(spent, monitor, window, segment, share, now=now) for segment, share in shares.items()]
            fresh.setdefault(window, []).extend(made)
    before = {k: s for k, s in at_hand.known.items() if s.model == monitor.model and s.grain == monitor.window}
    return fresh, [*_restated(fresh, before), *_withdrawn(fresh, before, every, now)]


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
    """Return, without a number, scores of what is attributed otherwise now: its readings are still there or, of tokens alone, its requests."""
    present = {_key(s) for scores in fresh.values() for s in scores}
    sampled = {(u.window_start, u.is_synthetic) for u in uses}
    asked, of_tokens = {w.start for w in fresh}, method(is_synthetic=False, is_of_tokens=True)
    gone = (s for k, s in known.items() if k not in present and (s.n or s.value is not None))
    return [
        withdrawn(s, now) for s in gone if (s.window_start, "synthetic" in s.method) in sampled or (s.method == of_tokens and s.window_start in asked)
    ]


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
