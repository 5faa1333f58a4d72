"""Panels from scores: all series of one metric laid out over the same windows.

Belongs here: the table of judged scores -> arrays. Does not: reading it (operations/judge.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.judgement.normal import Floats, Panel
from watchkeeper.judgement.policy import Rule
from watchkeeper.judgement.season import places, slots_of
from watchkeeper.records import CLASS
from watchkeeper.windows import grain_of

_TINY = 1e-3
_BETWEEN = "\x1f"
_NUMBERS = ("value", "se", "low", "high", "bound_low", "bound_high", "n", "reference_value")


@dataclass(frozen=True)
class Series:
    """The scores behind a panel: as they were, with bounds, rows and state; arrays are (series, windows)."""

    rule: Rule
    direction: str
    names: list[tuple[str, str]]
    windows: list[tuple[datetime, datetime]]
    value: Floats
    se: Floats
    low: Floats
    high: Floats
    bound_low: Floats
    bound_high: Floats
    n: Floats
    reference_value: Floats
    is_provisional: NDArray[np.bool_]
    is_reference: NDArray[np.bool_]
    place: NDArray[np.int64]
    slots: int
    said: Mapping[tuple[int, int], str]
    """What scores say of themselves, where they do."""

    def panel(self) -> Panel:
        """Return what is charted: mature numbers, on the rule's scale; provisional ones wait for `with_favourable`."""
        value = np.where(self.is_provisional, np.nan, self.value)
        variance = np.nan_to_num(self.se, nan=0.0) ** 2
        if self.rule.by_chance:
            value = self._at_usual_rows(value)
        if self.rule.in_logs:
            variance = variance / np.maximum(value, _TINY) ** 2
            value = in_logs(value)
        return Panel(self.rule.metric, self.names, value, np.nan_to_num(variance, nan=0.0), self.place, self.is_reference, self.slots)

    def among(self, kept: NDArray[np.bool_], learned: NDArray[np.bool_]) -> "Series":
        """Return the same of some windows alone, of which those `learned` are the reference; both are of the windows there are."""
        grids = {name: getattr(self, name)[:, kept] for name in (*_NUMBERS, "is_provisional")}
        windows = [window for window, is_kept in zip(self.windows, kept.tolist(), strict=True) if is_kept]
        return replace(self, **grids, windows=windows, place=self.place[kept], is_reference=learned[kept], said={})

    def _at_usual_rows(self, value: Floats) -> Floats:
        """Return numbers as they would be with as many rows as the reference's windows usually have, of windows that have fewer.

        What chance adds is at most what is usual altogether; a window of more rows has a smaller number, and is left as it is.
        """
        rows, reference = np.maximum(self.n, 1.0), self.is_reference
        usual, usual_rows = (row_medians(np.where(reference, of, np.nan))[:, None] for of in (value, rows))
        by_chance = np.fmin(self.rule.by_chance, usual * usual_rows)
        more = by_chance * np.maximum(0.0, 1 / rows - 1 / usual_rows)
        return value * np.where(more > 0, usual, 1.0) / np.where(more > 0, usual + more, 1.0)

    def favourable(self, centre: Floats) -> Floats:
        """Return each number as kindly as the missing labels allow: the end of its bounds nearest to what is usual."""
        kind = np.clip(centre, self.bound_low, self.bound_high)
        return np.where(self.is_provisional, kind, self.value)


def row_medians(values: Floats) -> Floats:
    """Return the median of the numbers in each row, of an even number of them the lower one; NaN where there are none."""
    ordered, seen = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    return np.where(seen > 0, ordered[np.arange(len(ordered)), np.maximum(0, seen - 1) // 2], np.nan)


def in_logs(values: Floats) -> Floats:
    """Return numbers on the scale of a rule that judges their logarithms."""
    return np.log(np.maximum(values, 0.0) + _TINY)


def unscaled(rule: Rule, value: float) -> float:
    """Return a number on the rule's scale as the score itself."""
    return max(float(np.exp(value)) - _TINY, 0.0) if rule.in_logs else value


def series(rule: Rule, scores: pa.Table, windows: Sequence[tuple[datetime, datetime]], reference_end: datetime, timezone: str) -> Series | None:
    """Lay out one metric's scores over the windows (ascending); None when it was never scored."""
    of_segments = pc.field("segment") != "" if rule.in_segments else pc.field("segment") == ""
    of_classes = pc.starts_with(pc.field("feature"), CLASS)  # judged by their targets alone
    mine = scores.filter((pc.field("metric") == rule.metric) & of_segments & ~of_classes)
    if mine.num_rows == 0:
        return None
    names, row = _names(mine)
    starts = np.array([_micros(start) for start, _ in windows], np.int64)
    column = np.searchsorted(starts, np.asarray(mine.column("window_start").cast(pa.timestamp("us", "UTC")).cast(pa.int64())))
    state = np.zeros((len(names), len(windows)), bool)
    state[row, column] = np.asarray(pc.equal(mine.column("state"), "provisional"))
    slots = slots_of(grain_of(windows[0][1] - windows[0][0]))
    grids = {name: _grid(mine.column(name), row, column, state.shape) for name in _NUMBERS}
    grids["value"] = np.where(grids["high"] - grids["low"] > rule.widest, np.nan, grids["value"])
    return Series(
        rule=rule,
        direction=mine.column("direction")[0].as_py(),
        names=names,
        windows=list(windows),
        **grids,
        is_provisional=state,
        is_reference=starts < _micros(reference_end),
        place=places([start for start, _ in windows], timezone, slots),
        slots=slots,
        said=_said(mine.column("reason"), row, column),
    )


def _said(reasons: pa.ChunkedArray, row: NDArray[np.int64], column: NDArray[np.int64]) -> dict[tuple[int, int], str]:
    some = np.flatnonzero(np.asarray(pc.greater(pc.binary_length(reasons), 0)))
    return dict(zip(zip(row[some].tolist(), column[some].tolist(), strict=True), reasons.take(pa.array(some)).to_pylist(), strict=True))


def _names(mine: pa.Table) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    joined = pc.binary_join_element_wise(mine.column("feature"), mine.column("segment"), _BETWEEN).combine_chunks().dictionary_encode()
    texts = joined.dictionary.to_pylist()
    order = np.argsort(np.array(texts))
    rank = np.empty(len(texts), np.int64)
    rank[order] = np.arange(len(texts))
    names = [(text.split(_BETWEEN)[0], text.split(_BETWEEN)[1]) for text in (texts[i] for i in order)]
    return names, rank[np.asarray(joined.indices)]


def _grid(column: pa.ChunkedArray, row: NDArray[np.int64], place: NDArray[np.int64], shape: tuple[int, ...]) -> Floats:
    out = np.full(shape, np.nan)
    out[row, place] = np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan), float)
    return out


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
