"""Tokens that are no count are left out of every figure, and said."""

import numpy as np
import pytest

from watchkeeper.measures.service import token_speed, tokens_per_request, tokens_per_second
from watchkeeper.measures.service_view import ServiceView
from watchkeeper.profiles.counted import of_rows
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import token_cells

SAID = "have input tokens that are negative, a fraction or above a hundred million"


def counts_of(values: list[float]) -> Counts:
    found = np.array(values, np.float64)
    missing = np.isnan(found)
    filled = np.where(missing, 0.0, found)
    return of_rows(token_cells(filled), filled, missing, np.zeros(len(found), np.int64), 1).of(0)


def test_what_is_no_count_of_tokens_is_left_out_and_said():
    view = ServiceView(6, input_tokens=counts_of([100, 300, 0, 1e18, -7, 3.5]), seconds=100.0)
    each = tokens_per_request(view)
    assert (each.value, each.n) == (pytest.approx(400 / 3), 3)
    assert each.reason == f"left out: 3 of 6 rows (50 %) {SAID}"
    assert tokens_per_second(view).value == pytest.approx(4.0)
    assert SAID in tokens_per_second(view).reason


def test_where_none_is_a_count_there_is_no_number():
    view = ServiceView(2, input_tokens=counts_of([-1, 0.5]), output_tokens=counts_of([1e9, -2]), seconds=100.0)
    for metric in (tokens_per_request, tokens_per_second, token_speed):
        assert not np.isfinite(metric(view).value)
    assert SAID in tokens_per_request(view).reason


def test_nought_is_a_count_and_a_row_without_tokens_is_not_told():
    each = tokens_per_request(ServiceView(3, output_tokens=counts_of([0, 10, float("nan")]), seconds=1.0))
    assert (each.value, each.n, each.reason) == (5.0, 2, "")
