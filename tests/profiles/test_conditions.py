"""Conditions: every value lies in the cell whose words it meets, and in no other."""

import numpy as np
import pyarrow as pa
import pytest

from watchkeeper.profiles.bins import COARSE, MOST_CATEGORIES, FeatureBins, fit_category, fit_numeric
from watchkeeper.profiles.conditions import MISSING, condition_cells, condition_text

RNG = np.random.default_rng(4)
SHAPES = {
    "smooth": RNG.normal(size=3_000).round(2),
    "mostly zero": np.where(RNG.random(3_000) < 0.7, 0.0, RNG.exponential(size=3_000).round(2)),
    "whole": RNG.poisson(4, 3_000).astype(float),
    "large": RNG.integers(1_000_000, 5_000_000, 3_000).astype(float),
    "two values": RNG.integers(0, 2, 3_000).astype(float),
    "constant": np.full(100, 7.5),
    "nothing": np.empty(0),
}


def meets(text: str, value: float) -> bool:
    """Read the words of numbers as Python."""
    if text.endswith(" is not missing"):
        return True
    return bool(eval(text.replace(",", "").replace(" = ", " == "), {"x": value}))  # noqa: S307 - our own words


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_meet_the_words_of_their_cell_and_of_no_other(shape):
    values = SHAPES[shape]
    bins = fit_numeric("x", values)
    column = pa.chunked_array([pa.array(values[:50]), pa.array(values[50:])])
    cells = condition_cells(bins, column)
    texts = {cell: condition_text(bins, cell) for cell in range(bins.coarse_size)}
    assert len(set(texts.values())) == bins.coarse_size <= COARSE
    for value, cell in zip(values[:500].tolist(), cells[:500].tolist(), strict=True):
        assert [c for c, text in texts.items() if meets(text, value)] == [cell], (value, texts)


def test_what_has_no_number_is_missing():
    bins = fit_numeric("x", SHAPES["smooth"])
    column = pa.chunked_array([pa.array([None, float("nan"), float("inf"), float("-inf")])])
    assert condition_cells(bins, column).tolist() == [MISSING, MISSING, bins.coarse_size - 1, 0]
    assert condition_cells(bins, pa.chunked_array([["a", "b"]])).tolist() == [MISSING, MISSING]
    assert condition_text(bins, MISSING) == "x is missing"


def test_categories_are_told_one_by_one():
    counts = {f"c{i:03d}": 1_000 - i for i in range(MOST_CATEGORIES + 30)}
    bins = fit_category("town", counts)
    column = pa.chunked_array([pa.array(["c012", None, "c225", "atlantis", "c199"]).dictionary_encode()])
    said = [condition_text(bins, cell) for cell in condition_cells(bins, column).tolist()]
    assert said == [
        "town = c012",
        "town is missing",
        "town is one of 30 rare ones",
        "town is new (the reference has no such value)",
        "town = c199",
    ]


def test_a_number_where_texts_were_is_a_text():
    bins = fit_category("code", {"1": 5, "2": 5})
    assert condition_cells(bins, pa.chunked_array([[2, 1, 7]])).tolist() == [1, 0, bins.unseen]


def test_a_category_called_other_is_told_as_it_is():
    assert condition_text(fit_category("kind", {"other": 5, "some": 4}), 0) == "kind = other"
    assert condition_text(FeatureBins("kind", "category", categories=("a",), others=("b",), coarse=(0, 1, 2)), 1) == "kind is one of 1 rare ones"
