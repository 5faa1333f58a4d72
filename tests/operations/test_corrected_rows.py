"""A row that its file corrects: what was refused has not landed, so the correction is no other value for a landed id."""

import pytest

from intake_world import HEADER, LATER, expect, held, landed, loans, put, suite, take
from watchkeeper.adapters.workspace import Home

AMOUNT = expect("expect_column_values_to_be_between", column="amount", min_value=0)
UNIQUE = expect("expect_column_values_to_be_unique", column="loan")
REFUSED = ["amount values must be greater than or equal to 0: because"]
AGAIN = ["id already landed with other values"]


def rows(*amounts: int, loan: int = 7) -> str:
    return HEADER + "".join(f"{loan},2025-02-01T10:00:00Z,0.5,{amount}\n" for amount in amounts)


def reasons(home: Home) -> dict[int, list[str]]:
    return {number: [r.partition(":")[0] for r in said] for number, said in held(home).items()}


@pytest.mark.parametrize("others", [(), (UNIQUE,)], ids=["", "ids unique"])
@pytest.mark.parametrize(
    ("amounts", "kept", "refused", "again", "duplicates"),
    [
        ((-5, 3), 3, {0}, set(), 0),
        ((-5, -5, 3), 3, {0, 1}, set(), 0),
        ((-5, 3, 3), 3, {0}, set(), 1),
        ((-5, 3, 4), 3, {0}, {2}, 0),
        ((3, -5), 3, set(), {1}, 0),
        ((3, -5, 3), 3, set(), {1}, 1),
        ((-1, -2, -3, 4), 4, {0, 1, 2}, set(), 0),
    ],
)
def test_a_correction_in_the_same_file_lands(home, others, amounts, kept, refused, again, duplicates):
    suite(home, "loans_events", AMOUNT, *others)
    put(home, "loans-1.csv", rows(*amounts) + rows(1, loan=8).removeprefix(HEADER))
    [batch] = take(home)
    assert landed(home, "loan", "amount") == [{"loan": 7, "amount": kept}, {"loan": 8, "amount": 1}]
    assert set(held(home)) == refused | again
    assert {n for n, said in held(home).items() if said == AGAIN} == again
    assert (batch.rows_duplicate, batch.rows_landed, batch.rows_quarantined) == (duplicates, 2, len(refused | again))
    assert "landed with other values" not in batch.reason or again


def test_a_correction_is_sifted_against_the_lake_as_well(home):
    suite(home, "loans_events", AMOUNT)
    put(home, "loans-0.csv", rows(2))
    take(home)
    put(home, "loans-1.csv", rows(-5, 3))
    [batch] = take(home, now=LATER)
    assert (batch.rows_landed, held(home)) == (0, {0: AGAIN, 1: AGAIN})


def test_of_very_many_refused_rows_of_one_id_none_is_lost(home):
    suite(home, "loans_events", AMOUNT)
    put(home, "loans-1.csv", rows(*range(-20, 0), -1, 5))
    [batch] = take(home)
    assert (batch.rows_landed, batch.rows_duplicate, batch.rows_quarantined) == (0, 0, 22)
    assert set(held(home)[21]) == {"several rows of this id and file were refused before this one"}


def test_of_two_labels_the_one_before_counts_when_the_last_is_refused(home):
    suite(home, "loans_labels", expect("expect_column_values_to_be_between", column="sure", min_value=0))
    put(home, "repaid-1.csv", "loan,defaulted,sure\n7,1,1\n7,0,-1\n8,0,1\n")
    [batch] = take(home, loans(), source="labels")
    assert landed(home, "id", "label", table="labels/loans", by="id") == [{"id": "7", "label": 1}, {"id": "8", "label": 0}]
    assert list(held(home)) == [1]
    assert batch.rows_landed == 2
