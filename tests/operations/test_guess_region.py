"""A column called `region` is that of the hosts where each of them is in one; else it may be the customers', and is none of the service."""

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.operations.guesses import by_name

RNG = np.random.default_rng(0)
HOSTS = RNG.choice(["eu-1", "eu-2", "us-1"], 400)
OF_CUSTOMERS = RNG.choice(["eu", "us"], 400)


def guessed(**columns: object) -> object:
    return by_name(pa.table(columns), ()).get("region")


def test_where_each_host_is_in_one_region_it_is_the_services():
    assert guessed(host=HOSTS, region=[h[:2] for h in HOSTS]) == ("region", "by its name, and each host is in one")


@pytest.mark.parametrize(
    "columns",
    [
        {"host": HOSTS, "region": OF_CUSTOMERS},
        {"region": OF_CUSTOMERS},
        {"host": [f"h{i}" for i in range(400)], "region": OF_CUSTOMERS},
        {"host": HOSTS, "region": ["eu"] * 400},
        {"host": HOSTS, "region": [int(h[-1]) for h in HOSTS]},
    ],
    ids=["of customers", "no host", "hosts of one row", "a single one", "numbers"],
)
def test_else_it_is_left_alone(columns):
    assert guessed(**columns) is None


def test_a_column_that_is_named_plainly_comes_first():
    assert guessed(host=HOSTS, region=[h[:2] for h in HOSTS], cloud_region=[h[:2] for h in HOSTS]) == ("cloud_region", "by its name")
