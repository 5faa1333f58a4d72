"""Parts: counts under their keys, in the table form they are stored in, and their sums.

Belongs here: counted groups -> rows of the table `profiles`, and adding rows up over any of their keys. Does not: reading
and writing the table (operations/profile.py, adapters/lake.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.profiles.counted import Counted
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.groups import GroupKey

FEATURE, LABEL, GROUP, LOSS, SERVICE, PAIR, MARK = "feature", "label", "group", "loss", "service", "pair", "mark"
LABELS_BATCH = "labels"
LISTS = ("cells", "counts", "sums")
"""What parts keep by cell."""
_NUMBERS = ("n", "nulls", "nans", "pos_infs", "neg_infs")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Origin:
    """What all parts of one scan have in common."""

    model: str
    bins: str
    grain: str
    revision: int
    now: datetime


def key_columns(keys: Sequence[GroupKey]) -> pa.Table:
    """Return keys of groups as columns, to be made once for all quantities of a dimension."""
    starts, batches, versions, environments, segments = zip(*keys, strict=True) if keys else ((),) * len(GroupKey._fields)
    texts = {"version": versions, "environment": environments, "batch_id": batches, "segment": segments}
    return pa.table({"window_start": pa.array(starts, pa.timestamp("us", "UTC")), **{k: pa.array(v, pa.string()) for k, v in texts.items()}})


def part_rows(counted: Counted, keys: pa.Table, *, kind: str, feature: str, outcome: str = "", unit: float = 0.0, is_exact: bool = False) -> pa.Table:
    """Return the groups that have rows as rows of the table, without what `whole_rows` adds.

    Sums per cell are kept in multiples of a unit, else in single precision, 7 digits. Parts of segments are many and hold few rows each: theirs are
    left out, with the smallest and the largest value, and their moments are kept in single precision too. What is asked for exactly keeps all digits.
    """
    if not counted.n.all():
        some = np.flatnonzero(counted.n)
        counted, keys = counted.chosen(some), keys.take(pa.array(some))
    if counted.groups and keys.column("segment")[0].as_py() and not is_exact:
        counted = counted.rounded()
    sizes, nothing = np.diff(counted.ends), np.zeros(counted.groups, np.int64)
    total, squares, low, high = counted.moments.T
    same = {"kind": kind, "feature": feature, "outcome": outcome}
    columns = {
        **{name: pa.repeat(text, counted.groups) for name, text in same.items()},
        "n": counted.n,
        **dict(zip(_NUMBERS[1:], counted.odd.T, strict=True)),
        "low": pa.array(low, mask=~np.isfinite(low)),
        "high": pa.array(high, mask=~np.isfinite(high)),
        "sum": total,
        "sum2": squares,
        "cells": _lists(_gaps(counted.cells, sizes), sizes),
        "counts": _lists(counted.counts, sizes),
        "sums": _lists(
            np.round(counted.sums / unit) * unit if unit else counted.sums if is_exact else _single(counted.sums),
            sizes if len(counted.sums) else nothing,
        ),
    }
    return pa.table({**{name: keys.column(name) for name in keys.column_names}, **columns})


def whole_rows(parts: Iterable[pa.Table], origin: Origin) -> pa.Table:
    """Return parts of one scan together, like beside like, with what they have in common."""
    rows = pa.concat_tables(parts)
    rows = rows.take(pa.array(_order(rows)))
    same: dict[str, Any] = {"model": origin.model, "bins": origin.bins, "grain": origin.grain, "revision": origin.revision}
    same["computed_at"] = pa.scalar(origin.now, pa.timestamp("us", "UTC"))
    for name, value in same.items():
        rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows


def _order(rows: pa.Table) -> NDArray[np.int64]:
    """Return the rows ordered by kind, feature, outcome, segment and window; of texts that repeat, ranks are quicker to compare."""
    whole = np.zeros(rows.num_rows, np.int64)
    for name in ("kind", "feature", "outcome", "segment"):
        coded = rows.column(name).combine_chunks().dictionary_encode()
        rank = np.argsort(np.argsort(np.array(coded.dictionary.to_pylist(), object)))
        whole = whole * len(rank) + rank[np.asarray(coded.indices)]
    return np.lexsort((np.asarray(rows.column("window_start").cast(pa.int64())), whole))


def mark_rows(batches: Iterable[tuple[str, int, int]], step: str = "") -> pa.Table:
    """Return the marks that a step is done for batches, each with its rows, and as `nulls` those that still wait for something.

    The empty step is all of them.
    """
    ids, rows, waiting = (list(c) for c in zip(*batches, strict=True))
    keys = [GroupKey(_EPOCH, batch, "", "production") for batch in ids]
    nothing = np.zeros(len(ids), np.int64)
    counted = Counted(
        np.array(rows, np.int64),
        np.column_stack([np.array(waiting, np.int64), np.zeros((len(ids), 3), np.int64)]),
        np.tile(np.array([0.0, 0.0, np.inf, -np.inf]), (len(ids), 1)),
        np.zeros(len(ids) + 1, np.int64),
        nothing[:0],
        nothing[:0],
        np.empty(0),
    )
    return part_rows(counted, key_columns(keys), kind=MARK, feature=step)


def _gaps(cells: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first cell of each group, and of the others how far they lie from the one before: small numbers take less room."""
    gaps = np.diff(cells, prepend=0)
    firsts = (np.cumsum(sizes) - sizes)[sizes > 0]
    gaps[firsts] = cells[firsts]
    return gaps


def cells_of(gaps: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cells of groups as they were before they were stored as distances; `sizes` is how many each has.

    >>> cells_of(np.array([3, 2, 7]), np.array([2, 0, 1])).tolist()
    [3, 5, 7]
    """
    summed = np.cumsum(gaps)
    firsts = (np.cumsum(sizes) - sizes)[sizes > 0]
    out: NDArray[np.int64] = summed - np.repeat(summed[firsts] - gaps[firsts], sizes[sizes > 0])
    return out


def _single(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        single = sums.astype(np.float32).astype(np.float64)
    return np.where(np.isfinite(single), single, sums)


def _lists(values: NDArray[Any], sizes: NDArray[np.int64]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)), pa.array(values))


def moments_alone(parts: pa.Table) -> pa.Table:
    """Return parts without what they keep by cell, for numbers that need none of it: most of the room that they take."""
    for name in LISTS:
        kind = parts.schema.field(name).type
        nothing = pa.ListArray.from_arrays(pa.array(np.zeros(parts.num_rows + 1, np.int32)), pa.array([], kind.value_type)).cast(kind)
        parts = parts.set_column(parts.column_names.index(name), name, nothing)
    return parts


def newest_scans(table: pa.Table) -> pa.Table:
    """Keep the newest scan of each batch, and of the labels the newest of each window: what was scanned again is replaced."""
    if table.num_rows == 0 or pc.count_distinct(table.column("revision")).as_py() == 1:
        return table
    labels = pc.equal(table.column("batch_id"), LABELS_BATCH)
    window = pc.if_else(labels, table.column("window_start"), pa.scalar(None, pa.timestamp("us", "UTC")))
    keyed = pa.table({"batch_id": table.column("batch_id"), "window": window, "revision": table.column("revision")})
    places = _codes(keyed, ("batch_id", "window"))
    revisions = np.asarray(keyed.column("revision").combine_chunks())
    newest = np.full(places.max() + 1, -1, np.int64)
    np.maximum.at(newest, places, revisions)
    return table.filter(pa.array(revisions == newest[places]))


def _codes(table: pa.Table, columns: Sequence[str]) -> NDArray[np.int64]:
    """Return one number a row, equal where all the columns are."""
    whole = np.zeros(table.num_rows, np.int64)
    for name in columns:
        coded = pc.dictionary_encode(table.column(name), null_encoding="encode").combine_chunks()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.chunk(0) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
        whole = whole * max(1, len(coded.dictionary)) + np.asarray(coded.indices)
        whole = np.unique(whole, return_inverse=True)[1]
    return whole


def gathered(table: pa.Table, by: Sequence[str]) -> dict[tuple[Any, ...], Counts]:
    """Return the sum of the parts that agree in the columns `by`, under what they agree in."""
    if table.num_rows == 0:
        return {}
    group = _codes(table, by)
    first = np.zeros(group.max() + 1, np.int64)
    first[group[::-1]] = np.arange(table.num_rows)[::-1]
    names = zip(*(table.column(c).take(pa.array(first)).to_pylist() for c in by), strict=True)
    has_sums = np.zeros(len(first), bool)
    has_sums[group[np.asarray(pc.list_value_length(table.column("sums")).combine_chunks()) > 0]] = True
    return dict(zip(names, _summed(table, group, len(first)).each(has_sums.tolist()), strict=True))


def _summed(table: pa.Table, group: NDArray[np.int64], groups: int) -> Counted:
    """Add the rows of each group up."""
    numbers = np.column_stack([_added(table.column(c), group, groups) for c in _NUMBERS]).astype(np.int64)
    moments = np.column_stack([_added(table.column(c), group, groups) for c in ("sum", "sum2")] + [np.full(groups, np.inf), np.full(groups, -np.inf)])
    for place, name, extreme in ((2, "low", np.minimum), (3, "high", np.maximum)):
        column = table.column(name)
        there = np.asarray(pc.is_valid(column).combine_chunks())
        extreme.at(moments[:, place], group[there], np.asarray(column.drop_null().combine_chunks(), float))
    sizes = np.asarray(pc.list_value_length(table.column("cells")).combine_chunks()).astype(np.int64)
    has_sums = np.asarray(pc.list_value_length(table.column("sums")).combine_chunks()) > 0
    cells, counts, sums = (np.asarray(pc.list_flatten(table.column(c)).combine_chunks()) for c in ("cells", "counts", "sums"))
    cells = cells_of(cells, sizes)
    weights = np.zeros(len(cells))
    weights[np.repeat(has_sums, sizes)] = sums
    if len(table) == groups:
        return Counted(numbers[:, 0], numbers[:, 1:], moments, *_one_by_one(group, sizes, cells, counts, weights))
    owner = np.repeat(group, sizes)
    order = np.lexsort((cells, owner))
    owner, cells = owner[order], cells[order]
    starts = np.flatnonzero(np.concatenate([[True], (owner[1:] != owner[:-1]) | (cells[1:] != cells[:-1])])) if len(cells) else np.empty(0, np.int64)
    counted = np.add.reduceat(counts[order], starts) if len(starts) else np.empty(0, np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond all numbers is infinite
        summed = np.add.reduceat(weights[order], starts) if len(starts) else np.empty(0)
    ends = np.searchsorted(owner[starts], np.arange(groups + 1)).astype(np.int64)
    return Counted(numbers[:, 0], numbers[:, 1:], moments, ends, cells[starts].astype(np.int64), counted.astype(np.int64), summed)


def _one_by_one(
    group: NDArray[np.int64], sizes: NDArray[np.int64], cells: NDArray[np.int64], counts: NDArray[np.int64], sums: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return ends, cells, counts and sums by group where each is of one part: nothing is to be added, only put in order."""
    place = np.argsort(group)
    starts, kept = (np.cumsum(sizes) - sizes)[place], sizes[place]
    ends = np.concatenate([[0], np.cumsum(kept)])
    order = np.arange(len(cells)) + np.repeat(starts - ends[:-1], kept)
    return ends, cells[order], counts[order].astype(np.int64), sums[order]


def _added(column: pa.ChunkedArray, group: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    return np.bincount(group, weights=np.asarray(column.combine_chunks(), float), minlength=groups).astype(np.float64)
