"""The flights, read once for all tests of the demo; a thin slice of them trains in a second."""

import polars as pl
import pytest

from watchkeeper.demo.flights import read_flights


@pytest.fixture(scope="session")
def flights() -> pl.DataFrame:
    return read_flights()


@pytest.fixture(scope="session")
def few(flights: pl.DataFrame) -> pl.DataFrame:
    return flights.gather_every(30)
