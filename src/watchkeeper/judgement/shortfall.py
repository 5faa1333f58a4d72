"""Rows and labels that should have come and did not: a feed that died, or one whose rows are nearly all set aside.

Belongs here: far too few rows or labels -> signals. Does not: rows that are merely fewer than usual (the rule for `rows` in policy.py).

The rule: on this weekday (of hours: at this hour) no window of the reference had fewer than five times these rows, and so few
would come by chance less than once in 10,000 times (Poisson, over the windows since rows were last enough). Where two windows of the reference had
as small a share of what is usual at their place, on whatever day, traffic swings so, and it takes a fifth of that. A window
without any row counts when two more have ended, and a day at least: until then its file may only be late. A model that is scaled to zero
when nobody asks is empty, not down: where the reference had two silences or more at places where rows are usual, one as long as two of these is usual too.

Of labels a window whose labels are due is asked: less than half of the least share that any reference window has, and by chance
less than once in 10,000 times. Without them nothing says how good the model is, which must not look like health.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import pdtr

from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.season import on_calendar, places, slots_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal, key

_SHARE, _HALF = 0.2, 0.5
_CHANCE = 1e-4
_LIKE = 3  # windows of one weekday or hour that say what is usual then
_LATE = timedelta(days=1)


def shortfalls(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    """Yield a page for each window after the reference in which nearly all rows, or most labels, are missing; `scores` as in sql/judged_scores.sql."""
    yield from _of_rows(monitor, environment, scores, now)
    yield from _of_labels(monitor, environment, scores, now)


def _windows(monitor: Monitor, scores: pa.Table, metric: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the scores of a metric of the model, but for days that the calendar names: in the reference, and after it, in order."""
    span = monitor.reference_span
    about = (pc.field("metric") == metric) & (pc.field("segment") == "") & (pc.field("grain") == monitor.window)
    every = scores.filter(about).sort_by("window_start").to_pylist()
    is_named = on_calendar(monitor, [(r["window_start"], r["window_end"]) for r in every])
    rows = [row for row, named in zip(every, is_named.tolist(), strict=True) if not named]
    reference = [r for r in rows if span is not None and r["window_start"] < span[1]]
    return reference, rows[len(reference) :]


def _of_labels(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    reference, after = _windows(monitor, scores, "label_coverage")
    usual = [r["value"] for r in reference if r["value"] is not None]
    if monitor.labels is None or len(usual) < LEAST_WINDOWS or min(usual) <= 0:
        return
    for row in after:
        if row["value"] is None or row["state"] != "mature" or row["value"] >= _HALF * min(usual):
            continue
        chance = float(pdtr(row["value"] * row["n"], min(usual) * row["n"]))
        if chance < _CHANCE:
            yield _signal(monitor, environment, row, usual, chance, now)


def _of_rows(monitor: Monitor, environment: str, scores: pa.Table, now: datetime) -> Iterator[Signal]:
    reference, after = _windows(monitor, scores, "rows")
    if len(reference) < LEAST_WINDOWS:
        return
    usual = _Usual(monitor, reference)
    waited = came = 0.0
    silent = 0
    for row in after:
        like, value = usual.like(row["window_start"]), float(row["value"] or 0.0)
        silent = 0 if value else silent + (median(like) > 0)
        if value == 0 and silent <= usual.silence:
            continue
        least = min(*like, usual.swing * median(like))
        if value >= _SHARE * least:
            waited, came = (0.0, 0.0) if value else (waited, came)
            continue
        if value == 0 and now < row["window_end"] + max(2 * (row["window_end"] - row["window_start"]), _LATE):
            continue
        waited, came = waited + least, came + value
        chance = float(pdtr(came, waited))
        if chance < _CHANCE:
            yield _signal(monitor, environment, row, like, chance, now)


class _Usual:
    """The rows of the reference's windows at the same place of the week."""

    def __init__(self, monitor: Monitor, reference: Sequence[dict[str, Any]]) -> None:
        self._timezone, self._slots = monitor.timezone, slots_of(monitor.window)
        self._every = [float(r["value"] or 0.0) for r in reference]
        self._by_place: dict[int, list[float]] = defaultdict(list)
        for row, value in zip(reference, self._every, strict=True):
            self._by_place[self._place(row["window_start"])].append(value)

        self.swing = self._swing(reference)
        """The least share of what is usual at its place that two windows with rows had: as few came before."""

        self.silence = self._silence(reference)
        """How many windows without any row, of those that usually have some, came one after the other twice or more."""

    def _silence(self, reference: Sequence[dict[str, Any]]) -> int:
        runs = [0]
        for row in reference:
            if row["value"]:
                runs.append(0)
            elif median(self.like(row["window_start"])) > 0:
                runs[-1] += 1
        lengths = sorted(filter(None, runs), reverse=True)
        return lengths[1] if len(lengths) > 1 else 0

    def _swing(self, reference: Sequence[dict[str, Any]]) -> float:
        usual = [(float(r["value"] or 0.0), median(self.like(r["window_start"]))) for r in reference]
        shares = sorted(value / typical for value, typical in usual if value and typical)
        return min(1.0, shares[1]) if len(shares) > 1 else 1.0

    def _place(self, start: datetime) -> int:
        return int(places([start], self._timezone, self._slots)[0])

    def like(self, start: datetime) -> list[float]:
        """Return the rows of windows like the one that starts then; of all, where too few are like it."""
        found = self._by_place.get(self._place(start), [])
        return found if len(found) >= _LIKE else self._every


def _signal(monitor: Monitor, environment: str, row: dict[str, Any], like: Sequence[float], chance: float, now: datetime) -> Signal:
    return Signal(
        signal_id=key(monitor.model, environment, "shortfall", *(() if row["metric"] == "rows" else (row["metric"],)), row["window_start"]),
        model=monitor.model,
        environment=environment,
        family="data",
        level="page",
        rule="shortfall",
        metric=row["metric"],
        window_start=row["window_start"],
        window_end=row["window_end"],
        value=float(row["value"] or 0.0),
        expected=float(median(like)),
        normal_low=min(like),
        normal_high=max(like),
        p=chance,
        n=int((row["value"] if row["metric"] == "rows" else row["n"]) or 0),
        state="mature",
        computed_at=now,
    )
