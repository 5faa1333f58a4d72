"""Traces of an incident: the rows of its windows and of the weeks before, read and compared column by column.

Belongs here: which rows and columns are read, and how many at most. Does not: what is found in them (judgement/traces.py), or what follows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.episodes import Episode, rows_out_of_line
from watchkeeper.judgement.evidence import OF_A_RATE, ROLLING
from watchkeeper.judgement.odd_inputs import Odd, Repeats, change_of, exchanged, hole_of, hole_of_codes, odd_of, odd_unit
from watchkeeper.judgement.odd_places import Asked, hole_of_place, odd_in_place
from watchkeeper.judgement.spells import Spell, bad_days, spell_of
from watchkeeper.judgement.strains import Requests, Spoilt, spoilt_of
from watchkeeper.judgement.traces import Column, Place, Traces, mixes_of, place_of, told_mix, without
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.convert import has_value
from watchkeeper.operations.join import Joined, in_environment, joined, labelled, predictions_of
from watchkeeper.operations.losses import feature_columns
from watchkeeper.operations.pieces import PER_JOINED_ROW
from watchkeeper.operations.reference_rows import spread_out
from watchkeeper.operations.service_traces import BothSides, host_column, requests_of, segment_columns, service_traces
from watchkeeper.operations.strains import strains_of
from watchkeeper.profiles.bins import FeatureBins, code_numeric
from watchkeeper.profiles.columns import as_codes, as_numbers
from watchkeeper.profiles.conditions import condition_cells, condition_text, run_text
from watchkeeper.profiles.labelled import Labelled
from watchkeeper.profiles.losses import losses
from watchkeeper.spelling import segment_pairs
from watchkeeper.stats.exchanges import LEAST_ROWS
from watchkeeper.windows import Grid, Window

MOST_ROWS = 200_000
_OF_MEMORY = 8
_NEVER = -2
_LEAST_BEFORE = timedelta(days=14)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def traces(
    home: Home, monitor: Monitor, episode: Episode, metric: str, *, now: datetime, with_labels: bool = True, bad_before: Sequence[Window] = ()
) -> Traces | None:
    """Return what rows show of an episode that is led by a metric, None where there are none on either side; without labels, while these are not due, what inputs show.

    At most 200,000 rows of each side are looked at, evenly spread. The weeks before are taken without `bad_before`, windows of the same story that
    are no part of the episode, where two of them are left.
    """
    found = stored_bins(home, monitor, now=now)
    if found is None or episode.family == "data":
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
    if episode.family == "service":
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
    starts, local = _local_days(rows)
    odd, spells, columns, finer, kept = _inputs(rows, segments, starts, local)
    made = Traces(odd=odd, spells=spells)
    if lost is None or not with_labels:
        return made, None
    gap = truth - said.score[chosen] if monitor.task in ("binary", "regression") else np.full(len(truth), np.nan)
    loss = lost.loss[chosen]
    value = gap if metric in OF_A_RATE or metric in ("bias", "mae") else loss
    if metric in ("log_loss", "accuracy", "recall", "mae") and abs(change_of(gap, is_during)[0]) < 2 * change_of(gap, is_during)[1]:
        value = loss
    change, se = change_of(value, is_during)
    day = rows.day[chosen]
    every = [*columns, *segments]
    mixes = mixes_of([*finer, *segments], value, is_during, day) if abs(change) > 2 * se else []
    mix = told_mix(mixes)
    rest = value if mix is None else without(mix, [*finer, *segments], value, is_during)
    place = place_of(every, rest, is_during, day) if abs(change) > 2 * se else None
    requests = requests_of(rows, value, said.score[chosen])
    made = replace(made, place=place, mixes=mixes, odd_host=_odd_host(rows, requests, day) if abs(change) > 2 * se else None)
    holes = [hole_of(c.name, (c.cells < 0) | (c.cells == c.unseen), value, is_during) for c in columns]
    holes += [hole_of_codes(o, c.cells, value, is_during) for o in odd for c in columns if o.cells and o.place is None and c.name == o.feature]
    holes += [hole_of_place(o, segments, value, is_during) for o in odd if o.place is not None]
    made = replace(
        made, days=bad_days(value, is_during, local, starts), repeats=_repeats(kept, value, is_during), holes=[h for h in holes if h is not None]
    )
    if monitor.task != "binary":
        return made, requests
    outcome = _inside(place, every, truth, gap, is_during)
    return replace(made, labels=_labels(truth, is_during), turned=_turned(said, chosen, is_during), outcome=outcome), requests


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


def _inputs(
    rows: BothSides, segments: Sequence[Column], starts: Sequence[datetime], local: NDArray[np.int64]
) -> tuple[list[Odd], list[Spell], list[Column], list[Column], list[NDArray[np.int64]]]:
    """Return what is odd about inputs, in which spells, their columns by cells that people are told and by finer ones, and codes of their values by which rows that repeat are known."""
    odd, spells, columns, finer, codes = [], [], [], [], []
    is_during, day = rows.is_during[rows.chosen], rows.day[rows.chosen]
    bad = {starts[number] for number, rows in enumerate(np.bincount(local[is_during])) if rows >= LEAST_ROWS}
    for name, values in feature_columns(rows.monitor, rows.both, rows.bins):
        bins = rows.bins[name]
        cells = condition_cells(bins, values).astype(np.int64)[rows.chosen]
        if bins.kind == "numeric":
            said = partial(run_text, bins)
            found, nulls = as_numbers(values)
            known = np.where(nulls, np.nan, found)[rows.chosen]
            one = odd_of(name, known[~is_during], known[is_during], day[~is_during])
            spell = spell_of(name, known, is_during, local, starts)
            if spell is not None and set(spell.days) != bad:
                spells.append(spell)
                one = spell.odd if spell.days[0] == min(bad) else None
            elif one is None:
                one = odd_in_place(name, _unit_of(name, known, is_during), segments, is_during)
            codes.append(np.unique(known, return_inverse=True)[1].astype(np.int64))
        else:
            said, known = partial(_one, bins), np.empty(0)
            one = _codes_of(name, cells, bins, is_during, day)(np.ones(len(cells), bool), "") or odd_in_place(
                name, _codes_of(name, cells, bins, is_during, day), segments, is_during
            )
            codes.append(np.asarray(as_codes(values)[0], np.int64)[rows.chosen])
        odd += [one] if one is not None else []
        is_number = bins.kind == "numeric"
        columns.append(Column(name, "feature", cells, said, is_ordered=is_number, unseen=_NEVER if is_number else bins.unseen))
        fine = np.where(np.isnan(known), -1, code_numeric(bins, known)) if is_number else cells
        finer.append(replace(columns[-1], cells=fine, said=partial(_in_fine_cells, bins) if is_number else said))
    return odd, spells, columns, finer, codes


def _local_days(rows: BothSides) -> tuple[list[datetime], NDArray[np.int64]]:
    """Return when the days of the rows that are looked at begin, in the monitor's time zone, and the place of each row's day among them."""
    seconds = rows.seconds[rows.chosen]
    first, last = (datetime.fromtimestamp(int(end), UTC) for end in (seconds.min(), seconds.max()))
    starts = [w.start for w in Grid("day", rows.monitor.timezone).between(first, last + timedelta(seconds=1))]
    return starts, np.searchsorted([s.timestamp() for s in starts], seconds, side="right").astype(np.int64) - 1


def _unit_of(name: str, known: Floats, is_during: Bools) -> Asked:
    """Return what tells whether the unit of a number is another one in some rows."""

    def asked(rows: Bools, where: str) -> Odd | None:
        here = rows & np.isfinite(known)
        before, during = known[here & ~is_during], known[here & is_during]
        return odd_unit(name, before, during, where) if min(len(before), len(during)) >= LEAST_ROWS else None

    return asked


def _codes_of(name: str, cells: NDArray[np.int64], bins: FeatureBins, is_during: Bools, day: NDArray[np.int64]) -> Asked:
    """Return what tells whether the codes of a category are exchanged in some rows."""
    return lambda rows, where: exchanged(name, cells[rows], bins.label, is_during[rows], day[rows], len(bins.categories), where)


def _in_fine_cells(bins: FeatureBins, first: int, _last: int) -> str:
    return bins.label(first)


def _one(bins: FeatureBins, first: int, _last: int) -> str:
    return condition_text(bins, first)


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
