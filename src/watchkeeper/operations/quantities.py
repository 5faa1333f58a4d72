"""What is counted of a monitor's events: its features and outputs in their bins, latency and errors on fixed grids.

Belongs here: monitor and bins -> quantities. Does not: counting them (profiles/scan.py), fitting bins (fit.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private, outputs_of, private_name
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.columns import Ints, as_codes
from watchkeeper.profiles.grids import LATENCY_STEP, latency_cells
from watchkeeper.profiles.parts import FEATURE, SERVICE
from watchkeeper.profiles.scan import Gridded, Numbers, Quantity, Texts, of_category

LATENCY, STATUS = "@latency", "@status"
_LATENCY_CELLS = int(np.log(1e12) / np.log1p(LATENCY_STEP)) + 2
_GOOD_STATUS = {"", "ok", "200", "success", "succeeded", "0"}


@dataclass(frozen=True, slots=True)
class Counting:
    """A quantity under the kind and name of its parts; of private ones only counts are kept."""

    kind: str
    name: str
    quantity: Quantity
    is_private: bool = False


def countings(monitor: Monitor, bins: Mapping[str, FeatureBins]) -> Iterator[Counting]:
    """Yield what is counted of each event."""
    outputs = outputs_of(monitor)
    for name, fitted in bins.items():
        column, hidden = outputs.get(name, name) or name, is_private(monitor, name)
        if fitted.kind == "numeric":
            yield Counting(FEATURE, name, Numbers(column, fitted), hidden)
        else:
            yield Counting(FEATURE, name, of_category(column, fitted, private_name if hidden else str), hidden)
    if monitor.columns.latency:
        yield Counting(SERVICE, LATENCY, Gridded(monitor.columns.latency, _LATENCY_CELLS, latency_cells))
    if monitor.columns.status:
        yield Counting(SERVICE, STATUS, Texts(monitor.columns.status, 2, _errors, np.arange(2)))


def is_error(statuses: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Tell which rows failed, by their status; one without is none."""
    codes, texts = as_codes(pc.cast(statuses, pa.string()))
    return np.append(_errors(texts), 0).astype(bool)[codes]


def _errors(statuses: Sequence[str]) -> Ints:
    return np.array([s.strip().lower() not in _GOOD_STATUS for s in statuses], np.int64)
