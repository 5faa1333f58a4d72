"""What is counted of a monitor's events: its features and outputs in their bins, latency and errors on fixed grids.

Belongs here: monitor and bins -> quantities. Does not: counting them (profiles/scan.py), fitting bins (fit.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.measures.service_view import INPUT_TOKENS, LATENCY, MINUTES, OUTPUT_TOKENS, QUEUE, STATUS
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private, outputs_of, private_name
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import Ints, as_codes
from watchkeeper.profiles.grids import LATENCY_CELLS, latency_cells, token_cells
from watchkeeper.profiles.parts import FEATURE, SERVICE
from watchkeeper.profiles.scan import Gridded, Numbers, Quantity, Texts, of_category
from watchkeeper.profiles.statuses import CLASSES, class_cells

_MINUTES_A_DAY = 1_440


@dataclass(frozen=True, slots=True)
class Counting:
    """A quantity under the kind and name of its parts; of private ones, and where nothing else is asked for, only counts are kept."""

    kind: str
    name: str
    quantity: Quantity
    is_counts_only: bool = False


def countings(monitor: Monitor, bins: Mapping[str, FeatureBins]) -> Iterator[Counting]:
    """Yield what is counted of each event's features and outputs."""
    outputs = outputs_of(monitor)
    for name, fitted in bins.items():
        column, hidden = outputs.get(name, name) or name, is_private(monitor, name)
        if fitted.kind == "numeric":
            yield Counting(FEATURE, name, Numbers(column, fitted), hidden)
        else:
            yield Counting(FEATURE, name, of_category(column, fitted, private_name if hidden else str), hidden)


def service_countings(monitor: Monitor) -> Iterator[Counting]:
    """Yield what is counted of how each event was served: in regions and on hosts, too."""
    roles = monitor.columns
    if not roles.of_service:
        return
    yield Counting(SERVICE, MINUTES, Gridded("wk_time", _MINUTES_A_DAY, _minutes, fold=np.zeros(_MINUTES_A_DAY, np.int64)), is_counts_only=True)
    if roles.status:
        yield Counting(SERVICE, STATUS, Texts(roles.status, len(CLASSES), class_cells, np.arange(len(CLASSES))))
    times = ((LATENCY, roles.latency), (QUEUE, roles.queue_time))
    tokens = ((INPUT_TOKENS, roles.input_tokens), (OUTPUT_TOKENS, roles.output_tokens))
    gridded = [(name, column, latency_cells, roles.to_ms) for name, column in times] + [(name, column, token_cells, 1.0) for name, column in tokens]
    for name, column, cells_of, scale in gridded:
        if column:
            yield Counting(SERVICE, name, Gridded(column, LATENCY_CELLS, cells_of, scale), is_private(monitor, column))


def is_error(statuses: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell which rows failed, by their status; one without is none."""
    codes, texts = as_codes(pc.cast(statuses, pa.string()))
    return np.append(class_cells(texts) > 0, False)[codes]


def _minutes(seconds: NDArray[np.float64]) -> Ints:
    """Return the minute of the day, UTC, of moments in seconds since 1970."""
    return np.asarray(np.floor_divide(seconds, 60) % _MINUTES_A_DAY, np.int64)
