"""What was asked of a model is counted of what the events say, as DuckDB does."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.requests import span_table
from watchkeeper.adapters.warehouse import ask, statement
from watchkeeper.measures.price_spans import PriceSpan

START = datetime(2025, 1, 20, tzinfo=UTC)
NO_TEXTS, NO_FLAGS, NO_TIMES = pa.array([], pa.string()), pa.array([], pa.bool_()), pa.array([], pa.int64())


def test_tokens_that_are_no_count_are_not_paid_for_and_counted_apart():
    tokens = [(100.0, 10.0, 40.0), (1e18, 20.0, 5.0), (-7.0, None, 0.0), (3.5, 0.5, 0.0), (None, 30.0, 9.0), (50.0, 0.0, 80.0)]
    requests = pa.table(
        {
            "wk_time": [START + timedelta(minutes=i) for i in range(len(tokens))],
            "version": [""] * len(tokens),
            "is_answered": [True] * len(tokens),
            **{name: [row[place] for row in tokens] for place, name in enumerate(("input_tokens", "output_tokens", "cached_tokens"))},
        }
    )
    with duckdb.connect() as connection:
        connection.register("requests", requests)
        connection.register("serving", pa.table({"window_start": pa.array([], TIMESTAMP), "device_uuid": NO_TEXTS, "is_synthetic": NO_FLAGS}))
        connection.register("sampled", pa.table({"device_uuid": NO_TEXTS, "is_synthetic": NO_FLAGS, "from_us": NO_TIMES, "to_us": NO_TIMES}))
        connection.register("windows", span_table([PriceSpan(START, START, START + timedelta(days=1), START.date())]))
        (row,) = ask(connection, statement("predictions")).to_pylist()
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (150, 60, 90)
    assert (row["predictions"], row["odd_tokens"]) == (6, 3)
