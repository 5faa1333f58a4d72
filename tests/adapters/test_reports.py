"""A report draws what can be drawn, says what it leaves out, and is silent otherwise."""

import math
import warnings

import pyarrow as pa
import pytest

from watchkeeper.adapters.reports import comparable, drift_report

N = 60
TOO_LARGE = "values beyond 1e+150, whose squares are no numbers"
TOO_CLOSE = "values closer together than a histogram can tell apart"
NOTHING = "no finite values on one side"
ODD = {
    "whole numbers beyond 2^53": ([2**60 + i for i in range(N)], TOO_CLOSE),
    "one whole number beyond 2^53": ([2**60] * N, TOO_CLOSE),
    "spread whole numbers beyond 2^53": ([2**53 * i for i in range(N)], ""),
    "the largest floats": ([1e308, -1e308] * (N // 2), TOO_LARGE),
    "one of the largest floats": ([1e308, *range(N - 1)], TOO_LARGE),
    "the smallest floats": ([5e-324 * i for i in range(N)], TOO_CLOSE),
    "infinities": ([math.inf] * N, NOTHING),
    "infinities among numbers": ([math.inf, *range(N - 1)], ""),
    "one value": ([1.0] * N, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize(("values", "why"), ODD.values(), ids=ODD)
def test_a_column_is_drawn_without_a_warning_or_left_out_with_a_reason(values: list[float], why: str) -> None:
    odd = pa.array(values if isinstance(values[-1], int) and isinstance(values[0], int) else [float(v) for v in values])
    rows = pa.table({"odd": odd, "plain": [float(i) for i in range(N)]})
    compared = comparable(rows, rows, ["odd", "plain"])
    assert compared.left_out == ({"odd": why} if why else {})
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        made = drift_report(rows, rows, compared, title="a title", remarks=["a remark"])
    assert heard == []
    assert ("odd" in compared.numbers) == (not why)
    assert "<li>a remark</li>" in made
