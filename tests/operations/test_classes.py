"""Classes of a binary model: true and false count however a file spells them."""

from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.operations.classes import is_foreign, is_positive

TRUTHS: list[list[Any]] = [[True, False], [1, 0], [1.0, 0.0], ["true", "false"], ["TRUE", "FALSE"], ["yes", "no"], ["Y", "N"], ["t", "f"], [1, -1]]
TRUE: list[object] = [1, True, 1.0, "1", "yes", "True"]
FALSE: list[object] = [0, False, 0.0, "0", "no", "False"]


@pytest.mark.parametrize("labels", TRUTHS, ids=repr)
def test_a_truth_that_counts_as_positive_is_met_in_every_spelling(labels: list[Any]) -> None:
    column = pa.chunked_array([labels])
    assert [is_positive(column, positive).tolist() for positive in TRUE] == [[1.0, 0.0]] * len(TRUE)
    assert [is_positive(column, positive).tolist() for positive in FALSE] == [[0.0, 1.0]] * len(FALSE)
    assert [is_foreign(column, positive).to_pylist() for positive in TRUE + FALSE] == [[False, False]] * len(TRUE + FALSE)


@pytest.mark.parametrize("positive", [2, 2.0, "2"])
def test_a_number_that_counts_as_positive_is_met_whether_whole_or_with_a_fraction(positive: object) -> None:
    assert is_positive(pa.chunked_array([[1, 2]]), positive).tolist() == [0.0, 1.0]
    assert is_positive(pa.chunked_array([[1.0, 2.0]]), positive).tolist() == [0.0, 1.0]
