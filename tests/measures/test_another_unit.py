"""Latencies of a window that are a thousand times the reference's are told beside its percentiles."""

import numpy as np
import pytest

from watchkeeper.measures.service import latency_percentile
from watchkeeper.measures.service_view import TAIL, ServiceView
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.grids import latency_cell_below, latency_cells


def view(middle_ms: float, rows: int = 400) -> ServiceView:
    took = np.random.default_rng(3).lognormal(np.log(middle_ms), 0.5, rows)
    counts = of_rows(latency_cells(took), took, np.zeros(rows, bool), np.zeros(rows, np.int64), 1).of(0)
    return ServiceView(rows, latency=counts, limits={TAIL: latency_cell_below(281.0)})


@pytest.mark.parametrize(
    ("middle_ms", "said"), [(0.09, "about a thousandth of the reference's"), (90_000.0, "about a thousand times the reference's")]
)
def test_a_day_in_another_unit_says_so(middle_ms: float, said: str):
    assert latency_percentile(0.95, view(middle_ms)).reason.startswith(said)


def test_a_fast_or_slow_day_and_a_few_rows_are_not_doubted():
    assert latency_percentile(0.95, view(9.0)).reason == latency_percentile(0.95, view(900.0)).reason == ""
    assert latency_percentile(0.95, view(0.09, rows=20)).reason == ""
