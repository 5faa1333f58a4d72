"""Label parts of windows and segments add up, however late the labels came and whatever classes each scan saw."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure_world import NAN, assert_same, quickly
from watchkeeper.profiles.counts import add
from watchkeeper.profiles.grids import on_the_grid
from watchkeeper.profiles.labelled import DECISION, KNOWN, PENDING, Labelled, class_cell, pieces

scores = st.one_of(st.floats(-0.2, 1.2), st.sampled_from([0.0, 1.0, NAN, np.inf]))
CLASSES = ("a", "b", "c")


def made(task: str, table) -> Labelled:
    score, code, decision = (np.array([row[i] for row in table], float) for i in range(3))
    if task == "multiclass":
        chances = {"a": np.abs(score), "b": 1 - np.abs(score)}
        return Labelled(
            score, decision.astype(np.int64), np.where(code < 0, NAN, code), CLASSES, np.where(code < 0, NAN, np.abs(score)), chances=chances
        )
    return Labelled(score, np.minimum(decision, 1).astype(np.int64), np.where(code < 0, NAN, np.minimum(code, 1)))


rows = st.lists(st.tuples(scores, st.integers(-1, 2), st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=80)
TASKS = ["binary", "regression", "multiclass"]


def parts(task: str, table, group=None, groups=1):
    codes = np.zeros(len(table), np.int64) if group is None else group
    return {(p.feature, p.outcome): p.count(codes, groups).each() for p in pieces(task, made(task, table))}


def assert_same_on_the_grid(left, right) -> None:
    """Where scores lie close together, one part may hold them one by one and another by the grid."""
    assert_same(left.moved(on_the_grid), right.moved(on_the_grid))


@pytest.mark.parametrize("task", TASKS)
@given(table=rows, cut=st.integers(0, 80))
@quickly
def test_two_parts_of_the_rows_merge_to_one_scan(task, table, cut):
    left, right, whole = (parts(task, side) for side in (table[:cut], table[cut:], table))
    for key, counts in whole.items():
        assert_same_on_the_grid(add([left[key][0], right[key][0]]), counts[0])


@pytest.mark.parametrize("task", TASKS)
@given(table=rows)
@quickly
def test_segments_sum_to_the_whole(task, table):
    split = parts(task, table, np.array([row[3] for row in table]), 3)
    for key, counts in parts(task, table).items():
        assert_same_on_the_grid(add(split[key]), counts[0])


@pytest.mark.parametrize("task", TASKS)
@given(table=rows)
@quickly
def test_a_window_rebuilt_when_labels_came_is_as_if_they_had_been_there_from_the_start(task, table):
    """Windows not touched keep their parts, those touched are replaced: nothing else of them is left."""
    group = np.array([row[3] for row in table])
    before = [row if row[3] else (row[0], -1, *row[2:]) for row in table]
    kept, rebuilt = parts(task, before, group, 3), parts(task, table, np.where(group == 0, 0, -1), 3)
    for key, counts in parts(task, table, group, 3).items():
        for ours, truth in zip([rebuilt[key][0], *kept[key][1:]], counts, strict=True):
            assert_same_on_the_grid(ours, truth)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@given(table=rows)
@quickly
def test_every_row_is_pending_or_has_one_outcome(task, table):
    tallies = {outcome: c[0].n for (f, outcome), c in parts(task, table).items() if f == DECISION}
    assert sum(tallies.values()) == len(table)
    assert tallies[PENDING] == sum(row[1] < 0 for row in table)


@pytest.mark.parametrize("task", TASKS)
def test_losses_rest_on_rows_with_both_a_score_and_a_label(task):
    table = [(0.3, 1, 1, 0), (NAN, 1, 1, 0), (0.4, -1, 1, 0), (0.9, 0, 0, 0)]
    known = {feature: c[0].n for (feature, outcome), c in parts(task, table).items() if outcome == KNOWN and feature != "abs_error_ratio"}
    assert known
    assert set(known.values()) == {2}


def test_a_class_is_counted_in_the_same_cell_whatever_other_classes_a_scan_knew():
    narrow = Labelled(np.array([NAN]), np.array([1]), np.array([0.0]), ("a", "c"))
    wide = Labelled(np.array([NAN]), np.array([2]), np.array([0.0]), ("a", "b", "c"))
    ours, theirs = ({(p.feature, p.outcome): p.count(np.zeros(1, np.int64), 1).of(0) for p in pieces("multiclass", r)} for r in (narrow, wide))
    assert_same(ours[DECISION, "a"], theirs[DECISION, "a"])
    assert ours[DECISION, "a"].cells.tolist() == [class_cell("c")]


def test_a_truth_of_minus_one_is_a_missing_label():
    rows = Labelled(np.array([NAN, NAN]), np.array([0, 1]), np.array([-1.0, 0.0]), ("a", "b"))
    tallies = {p.outcome: p.count(np.zeros(2, np.int64), 1).of(0).n for p in pieces("multiclass", rows)}
    assert tallies == {PENDING: 1, "a": 1, "b": 0}


def test_a_task_without_kpis_has_no_label_parts():
    assert list(pieces("ranking", made("binary", [(0.5, 1, 1, 0)]))) == []


@given(table=rows)
@quickly
def test_every_row_is_once_among_the_parts_of_each_class(table):
    found = {key: counts[0] for key, counts in parts("multiclass", table).items()}
    scored = sum(bool(np.isfinite(row[0])) for row in table)
    for name in ("a", "b"):
        mine = {(feature, outcome): c for (feature, outcome), c in found.items() if feature in (f"@class={name}", f"@decided={name}")}
        assert sum(c.n for c in mine.values()) == len(table)
        assert sum(c.finite for c in mine.values()) == scored, "a row of which any probability is missing has none"
        assert sum(c.n for (feature, _), c in mine.items() if feature.startswith("@decided")) == sum(row[2] == CLASSES.index(name) for row in table)


def test_parts_of_classes_are_asked_of_the_whole_alone():
    made_of = {p.is_of_whole for p in pieces("multiclass", made("multiclass", [(0.3, 1, 1, 0)])) if p.feature.startswith(("@class=", "@decided="))}
    assert made_of == {True}
