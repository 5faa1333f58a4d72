"""Traced inputs: what is odd about the inputs of an incident, day by day and in all, and their columns by cells.

Belongs here: rows of both sides -> what to ask of each input. Does not: what is odd about values (judgement/odd_inputs.py, spells.py, odd_places.py), what rows
show of the model's quality (traces.py).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from watchkeeper.judgement.odd_inputs import Odd, exchanged, odd_of, odd_scale, odd_unit
from watchkeeper.judgement.odd_places import Asked, odd_in_place, spell_in_place
from watchkeeper.judgement.spells import Spell, spell_of
from watchkeeper.judgement.traces import Column
from watchkeeper.operations.losses import feature_columns
from watchkeeper.operations.service_traces import BothSides
from watchkeeper.profiles.bins import FeatureBins, code_numeric
from watchkeeper.profiles.columns import as_codes, as_numbers
from watchkeeper.profiles.conditions import condition_cells, condition_text, run_text
from watchkeeper.stats.exchanges import LEAST_ROWS
from watchkeeper.windows import Grid

_NEVER = -2

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def inputs_of(
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
                spell = spell_in_place(name, known, partial(_unit_on, name, known, is_during), segments, is_during, local, starts)
                if spell is not None and not bad <= set(spell.days):
                    spells.append(spell)
                    one = spell.odd if spell.days[0] <= min(bad) else None
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


def local_days(rows: BothSides) -> tuple[list[datetime], NDArray[np.int64]]:
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


def _unit_on(name: str, known: Floats, is_during: Bools, of_days: Bools) -> Asked:
    """Return what tells whether the unit of a number is another one in some rows, of the bad windows in those of some days."""
    return _unit_of(name, np.where(is_during & ~of_days, np.nan, known), is_during)


def _codes_of(name: str, cells: NDArray[np.int64], bins: FeatureBins, is_during: Bools, day: NDArray[np.int64]) -> Asked:
    """Return what tells whether the codes of a category are exchanged in some rows."""
    return lambda rows, where: exchanged(name, cells[rows], bins.label, is_during[rows], day[rows], len(bins.categories), where)


def odd_numbers(rows: BothSides, names: Collection[str], segments: Sequence[Column]) -> Iterator[Odd]:
    """Yield what is odd about some inputs that are numbers and known to be at fault, such as another unit, of all rows or of one segment."""
    is_during, day = rows.is_during[rows.chosen], rows.day[rows.chosen]
    numbers = [n for n in sorted(names) if n in rows.bins and rows.bins[n].kind == "numeric"]
    for name, values in feature_columns(rows.monitor, rows.both, numbers):
        found, nulls = as_numbers(values)
        known = np.where(nulls, np.nan, found)[rows.chosen]
        one = odd_of(name, known[~is_during], known[is_during], day[~is_during])
        one = one or odd_in_place(name, _unit_of(name, known, is_during), segments, is_during)
        one = one or odd_scale(name, *(known[side & np.isfinite(known)] for side in (~is_during, is_during)))
        if one is not None:
            yield one


def _in_fine_cells(bins: FeatureBins, first: int, _last: int) -> str:
    return bins.label(first)


def _one(bins: FeatureBins, first: int, _last: int) -> str:
    return condition_text(bins, first)
