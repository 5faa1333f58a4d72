"""Fit bins: read the reference once and fix the cells that every later window is counted in.

Belongs here: which columns are features, and the one read of reference rows. Does not: counting (profile.py).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.bins import FeatureBins, code_numeric, fit_category, fit_numeric
from watchkeeper.profiles.columns import as_numbers, is_numeric, is_text
from watchkeeper.profiles.kinds import Derived, derived_from, source_of
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.pairs import Pair, related
from watchkeeper.records import ATTRIBUTION, key

Floats = NDArray[np.float64] | NDArray[np.float32]
PREDICTION = "@prediction"
_SAMPLE = 20_000
"""Reference rows by which related pairs are chosen; what is counted of them is counted over all rows."""
_MANY = 50
_BLUR, _SHARED, _LEAST_SHARING = 16, 0.02, 10
_ONE_AT_A_TIME = Lock()  # each takes what memory it may
_PER_VALUE = 64  # bytes of a value while bins are fitted to it: as read, as a number, sorted, and which of them are finite


def fit(home: Home, monitor: Monitor, *, now: datetime) -> tuple[dict[str, FeatureBins], tuple[Pair, ...], int]:
    """Fit bins to every feature, to the score and to the decision; return them, the related pairs and the rows of the reference.

    The reference is read a few columns at a time, as many as `memory_limit` allows, so that it may be larger than memory.
    """
    dataset, span = home.lake.dataset(f"events/{monitor.model}"), monitor.reference_span
    if dataset is None or span is None:
        return {}, (), 0
    inside = _of_reference(span, now)
    rows = dataset.count_rows(filter=inside)
    names = [*features_of(monitor, dataset.schema), *_outputs(monitor, dataset.schema)]
    at_once = max(1, home.memory_bytes // 2 // max(1, rows * _PER_VALUE))
    out: dict[str, FeatureBins] = {}
    sample: dict[str, Floats] = {}
    for first in range(0, len(names) if rows else 0, at_once):
        some = names[first : first + at_once]
        columns = {_column_of(monitor, name, dataset.schema.names) for name in some} | {"wk_time"}
        with _ONE_AT_A_TIME:
            read = Derived(dataset.to_table(columns=sorted(columns), filter=inside), "wk_time", monitor.timezone)
            fresh = fit_columns(monitor, read, some)
            sample |= {name: _sampled(read.column(name), fresh[name]) for name in fresh if _may_be_paired(monitor, fresh[name])}
        out |= fresh
    return out, related(list(sample), np.array(list(sample.values()))) if sample else (), rows


def segment_values(home: Home, monitor: Monitor, *, now: datetime) -> int:
    """Return how many values the segment column with the most has in the reference; 1 where there are no segments."""
    dataset, span = home.lake.dataset(f"events/{monitor.model}"), monitor.reference_span
    if dataset is None or span is None:
        return 1
    met: dict[str, pa.Table] = {}
    for declared in monitor.segments:
        columns = declared.split("&")
        for batch in dataset.to_batches(columns=columns, filter=_of_reference(span, now)) if set(columns) <= set(dataset.schema.names) else ():
            here = pa.Table.from_batches([batch])
            met[declared] = pa.concat_tables([met.get(declared, here.slice(0, 0)), here]).group_by(columns).aggregate([])
    return max((values.num_rows for values in met.values()), default=1)


def _of_reference(span: tuple[datetime, datetime], now: datetime) -> pc.Expression:
    time = pc.field("wk_time")
    inside = (time >= pa.scalar(span[0], TIMESTAMP)) & (time < pa.scalar(span[1], TIMESTAMP))
    return inside & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP))


def _may_be_paired(monitor: Monitor, bins: FeatureBins) -> bool:
    return bins.kind == "numeric" and len(bins.edges) > 1 and not bins.feature.startswith("@") and not is_private(monitor, bins.feature)


def _sampled(column: pa.ChunkedArray, bins: FeatureBins) -> Floats:
    """Return the normal scores of evenly spaced rows, the same rows for every column; 0 where there is no value."""
    places = np.linspace(0, len(column) - 1, min(len(column), _SAMPLE)).astype(np.int64)
    values, nulls = as_numbers(pa.chunked_array([column.take(pa.array(places)).combine_chunks()]))
    scores = np.asarray(bins.normal_scores)[code_numeric(bins, values)]
    return np.where(nulls | np.isnan(values), 0.0, scores).astype(np.float32)


def _outputs(monitor: Monitor, schema: pa.Schema) -> list[str]:
    score = [SCORE] if monitor.columns.score in schema.names else []
    attributions = [ATTRIBUTION + of for of, column in monitor.columns.attributions.items() if column in schema.names]
    return score + ([PREDICTION] if monitor.task == "multiclass" and monitor.columns.prediction in schema.names else []) + attributions


def _column_of(monitor: Monitor, name: str, stored: Collection[str]) -> str:
    """Return the column that a feature or an output is read off."""
    return outputs_of(monitor).get(name) or source_of(name, stored)[0]


def outputs_of(monitor: Monitor) -> dict[str, str]:
    """Return the column of each output of the model that is counted as features are."""
    roles = monitor.columns
    named = {SCORE: roles.score, PREDICTION: roles.prediction} | {ATTRIBUTION + of: column for of, column in roles.attributions.items()}
    return {name: column for name, column in named.items() if column}


def fit_columns(monitor: Monitor, rows: Derived, names: Sequence[str]) -> dict[str, FeatureBins]:
    """Fit bins to columns of reference rows; texts that hardly repeat are names of rows and are left out, unless asked for."""
    out = {}
    for name in names:
        column = rows.column(_column_of(monitor, name, rows.column_names) if name.startswith("@") else name)
        if name == PREDICTION:
            out[name] = _fit_category(name, column)
            continue
        bins = _fit_column(name, column, is_private=is_private(monitor, name))
        if name == SCORE or monitor.features is not None or not _names_rows(bins, column):
            out[name] = bins
    return out


def _names_rows(bins: FeatureBins, column: pa.ChunkedArray) -> bool:
    """Tell whether texts are more like names of rows than like categories: hardly any occurs twice."""
    if bins.kind != "category":
        return False
    distinct, filled = len(bins.categories) + len(bins.others), len(column) - column.null_count
    return distinct > _MANY and distinct > filled / 2


def features_of(monitor: Monitor, schema: pa.Schema) -> list[str]:
    """Return the columns that are features: those named, else every column without another role and of a type we count.

    A stored column hides what would be derived under its name. Names that begin with @ stand for the model's own outputs.
    """
    roles = set(monitor.columns.named().values())
    named = monitor.features if monitor.features is not None else [n for n in schema.names if n not in roles and not n.startswith("wk_")]
    kinds = {name: schema.field(name).type for name in named if name in schema.names and not name.startswith("@")}
    derived = [(name, each) for name, kind in kinds.items() if _is_counted(kind) for each in derived_from(name, kind)]
    return [each for name, each in derived if each == name or each not in schema.names]


def is_private(monitor: Monitor, name: str) -> bool:
    """Tell whether a feature is a private column, or derived from one, or what a private one did to the score."""
    if name.startswith(ATTRIBUTION):
        of = name.removeprefix(ATTRIBUTION)
        return of in monitor.private or monitor.columns.attributions.get(of) in monitor.private
    return name in monitor.private or source_of(name)[0] in monitor.private


def _is_counted(kind: pa.DataType) -> bool:
    return is_numeric(kind) or is_text(kind)


def _fit_column(name: str, column: pa.ChunkedArray, *, is_private: bool = False) -> FeatureBins:
    if not is_numeric(column.type):
        return _fit_category(name, column, is_private=is_private)
    values, nulls = as_numbers(column)
    known = values[~nulls]
    if is_private and np.isfinite(known).any():
        known = _blurred(known[np.isfinite(known)])
    return fit_numeric(name, known)


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values such that no edge is the value of one row: without the outermost, and rounded to a sixteenth of their spread.

    Values that many rows share, ten at least, stay as they are.
    """
    low, high, left, right = np.quantile(values, (0.01, 0.99, 0.16, 0.84))
    step = 2.0 ** np.floor(np.log2((right - left or high - low or 1.0) / 2 / _BLUR))
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    blurred = np.round(np.clip(distinct, low, high) / step) * step
    return np.where(counts >= max(_LEAST_SHARING, _SHARED * len(values)), distinct, blurred)[place]


def _fit_category(name: str, column: pa.ChunkedArray, *, is_private: bool = False) -> FeatureBins:
    tally = pc.value_counts(pc.cast(column, pa.string()).drop_null()).to_pylist()
    named = private_name if is_private else str
    return fit_category(name, {named(v["values"]): int(v["counts"]) for v in tally})


def private_name(value: str) -> str:
    """Return what stands for a private category outside the events: a hash."""
    return key("private", value)
