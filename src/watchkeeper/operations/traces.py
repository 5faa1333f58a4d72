"""Traces of an incident: the rows of its windows and of the weeks before, read and compared column by column.

Belongs here: which rows and columns are read, and how many at most. Does not: what is found in them (judgement/traces.py), or what follows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.episodes import Episode, rows_out_of_line
from watchkeeper.judgement.error_changes import error_change, has_outrun
from watchkeeper.judgement.evidence import OF_A_RATE, ROLLING
from watchkeeper.judgement.odd_inputs import Repeats, change_of, hole_of, hole_of_codes
from watchkeeper.judgement.odd_places import hole_of_place
from watchkeeper.judgement.spells import bad_days
from watchkeeper.judgement.strains import Requests, Spoilt, spoilt_of
from watchkeeper.judgement.traces import Column, Place, Traces, mixes_of, place_of, rose_within, told_mix, without
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.convert import has_value
from watchkeeper.operations.join import Joined, in_environment, joined, labelled, predictions_of
from watchkeeper.operations.pieces import PER_JOINED_ROW
from watchkeeper.operations.reference_rows import spread_out
from watchkeeper.operations.service_traces import BothSides, host_column, requests_of, segment_columns, service_traces
from watchkeeper.operations.strains import strains_of
from watchkeeper.operations.traced_inputs import inputs_of, local_days, odd_numbers
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.profiles.losses import RowErrors, losses, row_errors
from watchkeeper.spelling import segment_pairs
from watchkeeper.stats.exchanges import LEAST_ROWS
from watchkeeper.windows import Window

MOST_ROWS = 200_000
_OF_MEMORY = 8
_LEAST_BEFORE = timedelta(days=14)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def traces(
    home: Home,
    monitor: Monitor,
    episode: Episode,
    metric: str,
    *,
    now: datetime,
    with_labels: bool = True,
    bad_before: Sequence[Window] = (),
) -> Traces | None:
    """Return what rows show of an episode that is led by a metric, None where there are none on either side; without labels, while these are not due, what inputs show.

    At most 200,000 rows of each side are looked at, evenly spread. The weeks before are taken without `bad_before`, windows of the same story that
    are no part of the episode, where two of them are left.
    """
    found = stored_bins(home, monitor, now=now)
    if found is None or (episode.family == "data" and episode.signals[0].metric != BROKEN):
        return None
    sides = [_before(episode, bad_before), rows_out_of_line(episode)]
    every = [predictions_of(home, monitor, side, now=now) for side in sides]
    both = joined(home, monitor, [w for side, rows in zip(sides, every, strict=True) for w in _some(home, monitor, side, rows)], now=now)
    if both is None or both.rows.num_rows == 0:
        return None
    is_during = np.asarray(pc.greater_equal(both.rows.column("time"), pa.scalar(episode.start, TIMESTAMP)).combine_chunks()).astype(bool)
    chosen = np.asarray(in_environment(monitor, both.rows)).astype(bool) & _in_segment(both, episode)
    rows = BothSides(monitor, both, dict(found.bins), chosen, is_during)
    if min((chosen & is_during).sum(), (chosen & ~is_during).sum()) < LEAST_ROWS:
        return None
    if episode.family == "data":
        made = Traces(odd=list(odd_numbers(rows, {s.feature for s in episode.signals}, list(segment_columns(rows)))))
    elif episode.family == "service":
        made = service_traces(home, rows, metric, sides, now)
    else:
        made, requests = _of_quality(rows, metric, with_labels=with_labels)
        made = made if requests is None else replace(made, strains=strains_of(home, monitor, requests, sides, now))
    is_part = any(rows > _most(home) for rows in every)
    return replace(made, read=(both.rows.num_rows, sum(every))) if is_part else made


def _before(episode: Episode, bad: Sequence[Window]) -> list[Window]:
    """Return the weeks before an episode without bad windows, whole where too little is left."""
    every = Window(episode.start - ROLLING, episode.start)
    out, begin = [], every.start
    for window in sorted(w for w in bad if w.overlaps(every)):
        out += [Window(begin, window.start)] if window.start > begin else []
        begin = max(begin, window.end)
    out += [Window(begin, every.end)] if begin < every.end else []
    return out if sum((w.end - w.start for w in out), timedelta(0)) >= _LEAST_BEFORE else [every]


def _most(home: Home) -> int:
    """Return how many rows of a side are looked at, at most."""
    return min(MOST_ROWS, home.memory_bytes // _OF_MEMORY // PER_JOINED_ROW)


def _some(home: Home, monitor: Monitor, side: Sequence[Window], rows: int) -> list[Window]:
    """Return windows of a side, which has so many rows, that hold about as many as are looked at, evenly spread over it."""
    of_one, most = rows // len(side), max(1, _most(home) // len(side))
    return [part for window in side for part in _cut(window, spread_out(monitor, window, of_one, most), of_one, most)]


def _cut(whole: Window, parts: Sequence[Window], rows: int, most: int) -> list[Window]:
    """Return parts of a window that holds so many rows, of hours that hold far more than are looked at only the beginning."""
    inside = [Window(max(part.start, whole.start), min(part.end, whole.end)) for part in parts if part.overlaps(whole)]
    share = sum((part.end - part.start for part in inside), timedelta(0)) / (whole.end - whole.start)
    kept = most / (rows * share) if rows * share > 2 * most else 1.0
    return [Window(part.start, part.start + kept * (part.end - part.start)) for part in inside]


def _in_segment(both: Joined, episode: Episode) -> Bools:
    inside = np.ones(both.rows.num_rows, bool)
    for column, value in segment_pairs(episode.subject) if episode.family == "segment" else ():
        if column in both.rows.column_names:
            inside &= np.asarray(has_value(both.rows.column(column), value)).astype(bool)
    return inside


def _of_quality(rows: BothSides, metric: str, *, with_labels: bool) -> tuple[Traces, Requests | None]:
    """Return what rows show of a number about quality, and the requests with that number; None where it has none."""
    monitor, chosen, is_during = rows.monitor, rows.chosen, rows.is_during[rows.chosen]
    said = labelled(monitor, rows.both.rows, rows.bins)
    lost = losses(monitor.task, said)
    truth = np.where(np.isfinite(said.score), said.truth, np.nan)[chosen]
    segments = list(segment_columns(rows))
    starts, local = local_days(rows)
    odd, spells, columns, finer, kept = inputs_of(rows, segments, starts, local)
    made = Traces(odd=odd, spells=spells)
    if lost is None or not with_labels:
        return made, None
    gap = truth - said.score[chosen] if monitor.task == "binary" else np.full(len(truth), np.nan)
    error = row_errors(monitor.task, metric, said)
    value = _of_binary(metric, gap, lost.loss[chosen], is_during) if error is None else _scaled(error.values[chosen], is_during)
    every, day = [*columns, *segments], rows.day[chosen]
    made = _changed(made, rows, value, error, every, [*finer, *segments])
    requests = requests_of(rows, value if error is None else error.values[chosen], said.score[chosen])
    change, se = change_of(value, is_during)
    made = replace(made, odd_host=_odd_host(rows, requests, day) if abs(change) > 2 * se else None)
    holes = [hole_of(c.name, (c.cells < 0) | (c.cells == c.unseen), value, is_during) for c in columns]
    holes += [hole_of_codes(o, c.cells, value, is_during) for o in odd for c in columns if o.cells and o.place is None and c.name == o.feature]
    holes += [hole_of_place(o, segments, value, is_during) for o in odd if o.place is not None]
    made = replace(
        made, days=bad_days(value, is_during, local, starts), repeats=_repeats(kept, value, is_during), holes=[h for h in holes if h is not None]
    )
    if made.error is not None:
        made = replace(made, has_outrun=_has_outrun(monitor, said, chosen, is_during))
    if monitor.task == "binary" and error is None:
        outcome = _inside(made.place, every, truth, gap, is_during)
        made = replace(made, labels=_labels(truth, is_during), turned=_turned(said, chosen, is_during), outcome=outcome)
    return made, requests


def _changed(made: Traces, rows: BothSides, value: Floats, error: RowErrors | None, every: Sequence[Column], finer: Sequence[Column]) -> Traces:
    """Return traces with what other shares of rows account for in the change of a value, the place of the rest, and of a mean error what became of it."""
    is_during, day = rows.is_during[rows.chosen], rows.day[rows.chosen]
    change, se = change_of(value, is_during)
    is_worse = error is None or error.is_signed or change > 0
    if not is_worse or abs(change) <= 2 * se:
        return made
    mixes = mixes_of(finer, value, is_during, day)
    mix = told_mix(mixes)
    place = place_of(every, value if mix is None else without(mix, finer, value, is_during), is_during, day)
    if error is not None and mix is not None and place is not None and not rose_within(place, mix, every, finer, value, is_during):
        place = None
    made = replace(made, place=place, mixes=mixes)
    return made if error is None else _with_errors(made, rows, error, every, np.isfinite(value))


def _of_binary(metric: str, gap: Floats, loss: Floats, is_during: Bools) -> Floats:
    """Return of a model with one probability what a number is about: the gap of outcome and score, or the loss where the gap did not move or is not what is asked for."""
    change, se = change_of(gap, is_during)
    is_still = metric in ("log_loss", "accuracy", "recall") and abs(change) < 2 * se
    return gap if metric in OF_A_RATE and not is_still else loss


def _scaled(error: Floats, is_during: Bools) -> Floats:
    """Return errors in spreads of what they usually are: what is found must not depend on the unit of the truth."""
    usual = error[np.isfinite(error) & ~is_during]
    spread = float(usual.std()) if len(usual) else 0.0
    return error / spread if np.isfinite(spread) and spread > 0 else error


def _has_outrun(monitor: Monitor, said: Labelled, chosen: Bools, is_during: Bools) -> bool:
    """Tell whether a regression's predictions, or shares of what is decided, moved without the outcome."""
    is_number = monitor.task == "regression"
    answer = said.score if is_number else said.decision.astype(np.float64)
    classes = 0 if is_number else int(max(2, len(said.classes)))
    return has_outrun(answer[chosen], said.truth[chosen], is_during, classes)


def _with_errors(made: Traces, rows: BothSides, error: RowErrors, columns: Sequence[Column], is_known: Bools) -> Traces:
    """Return traces with what became of the mean error, of all rows that are looked at and of those in the place."""
    values, is_during, day = np.where(is_known, error.values[rows.chosen], np.nan), rows.is_during[rows.chosen], rows.day[rows.chosen]
    own = rows.monitor.wording.unit if error.power else ""
    unit = f"{own}²" if own and error.power == 2 else own  # noqa: PLR2004 - a square
    there = made.place
    column = next((c for c in columns if there is not None and (c.name, c.role) == (there.column, there.role)), None)
    made = replace(made, error=error_change(error.name, values, is_during, day, unit=unit))
    if there is None or column is None:
        return made
    inside = (column.cells >= there.first) & (column.cells <= there.last)
    return replace(made, error_there=error_change(error.name, np.where(inside, values, np.nan), is_during, day, unit=unit))


def _odd_host(rows: BothSides, requests: Requests, day: NDArray[np.int64]) -> tuple[Place, Spoilt] | None:
    """Return the host that most of a change lies in, where its answers are all the same or fail: a host that serves one region has that region's troubles, too."""
    place = place_of(list(host_column(rows)), requests.value, requests.is_during, day)
    spoilt = None if place is None else spoilt_of(requests, [place.where])
    return (place, spoilt) if place is not None and spoilt is not None and spoilt.is_worth_telling else None


def _labels(truth: Floats, is_during: Bools) -> tuple[float, float, int]:
    """Return the rate of positive labels now and usually, and how many there are now."""
    known = np.isfinite(truth)
    now, before = truth[known & is_during], truth[known & ~is_during]
    return (float(now.mean()) if len(now) else np.nan), (float(before.mean()) if len(before) else np.nan), len(now)


def _turned(said: Labelled, chosen: Bools, is_during: Bools) -> tuple[float, float, float] | None:
    """Return the mean log loss of the bad windows' labels, of their opposites, and of the labels before; None where there are none."""
    as_they_are, opposite = (losses("binary", replace(said, truth=truth)) for truth in (said.truth, 1 - said.truth))
    if as_they_are is None or opposite is None:
        return None
    lost, turned = as_they_are.loss[chosen], opposite.loss[chosen]
    known = np.isfinite(lost)
    if not (known & is_during).any() or not (known & ~is_during).any():
        return None
    return float(lost[known & is_during].mean()), float(turned[known & is_during].mean()), float(lost[known & ~is_during].mean())


def _inside(place: Place | None, columns: Sequence[Column], truth: Floats, gap: Floats, is_during: Bools) -> tuple[float, float, float] | None:
    """Return the rate of positive labels in a place, now and usually, and by how much more it moved than the scores there."""
    for column in columns:
        if place is not None and (column.name, column.role) == (place.column, place.role):
            here = (column.cells >= place.first) & (column.cells <= place.last) & np.isfinite(truth)
            now, usual = here & is_during, here & ~is_during
            return float(truth[now].mean()), float(truth[usual].mean()), float(gap[now].mean() - gap[usual].mean())
    return None


def _repeats(codes: Sequence[NDArray[np.int64]], value: Floats, is_during: Bools) -> Repeats | None:
    """Return how many rows repeat another one in all of their inputs, None where inputs are too few or too coarse to tell rows by."""
    if not codes:
        return None
    group = np.zeros(len(is_during), np.int64)
    for code in codes:
        group = np.unique(group * (int(code.max(initial=0)) + 2) + code + 1, return_inverse=True)[1].astype(np.int64)
    _, first = np.unique(group * 2 + is_during, return_index=True)
    is_first = np.zeros(len(group), bool)
    is_first[first] = True
    now, usual = float((~is_first)[is_during].mean()), float((~is_first)[~is_during].mean())
    change, left = change_of(value, is_during)[0], change_of(np.where(is_first, value, np.nan), is_during)[0]
    return Repeats(now, usual, left / change if change else 1.0)
