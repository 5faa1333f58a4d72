"""Rows that should have come: what is too few, when it is known, and what is only late or usual."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from watchkeeper.judgement.shortfall import shortfalls
from worlds import DAY, START, day_of, scores, watched

HOUR = DAY / 24
DAYS = 80
LATER = START + 200 * DAY


def rows(*, weekend: float = 300.0, usual: float = 300.0, **days: float):
    """Return the rows of 80 days, the first 60 the reference; `d65=0` is a day without any."""
    values = np.array([[weekend if (START + d * DAY).weekday() >= 5 else usual for d in range(DAYS)]])
    for name, value in days.items():
        values[0, int(name[1:])] = value
    return scores(values, metric="rows", n=0)


def found(table, *, now=LATER):
    return [day_of(s) for s in shortfalls(watched(60), "production", table, now)]


def test_a_feed_that_died_is_a_page_for_each_day():
    dead = rows(**{f"d{d}": 0.0 for d in range(70, 80)})
    assert found(dead) == list(range(70, 80))
    first = next(iter(shortfalls(watched(60), "production", dead, LATER)))
    assert (first.family, first.level, first.metric, first.value, first.expected) == ("data", "page", "rows", 0.0, 300.0)


def test_a_day_whose_rows_were_nearly_all_set_aside_is_a_page_at_once():
    assert found(rows(d70=20.0), now=START + 71 * DAY + HOUR) == [70]


def test_fewer_rows_than_usual_are_no_page():
    assert found(rows(d70=90.0)) == []


def test_traffic_that_swung_so_in_the_reference_is_no_page_and_less_is():
    """A tenth twice, on a Monday and a Thursday; then a tenth on a Tuesday, and on a Friday a hundredth."""
    assert found(rows(d14=30.0, d24=30.0, d71=30.0, d74=3.0)) == [74]
    assert found(rows(d14=30.0, d71=30.0)) == [71], "once is no swing"


@pytest.mark.parametrize(("hours", "days"), [(25, []), (47, []), (48, [70])])
def test_a_day_without_rows_may_be_late_until_two_more_have_ended(hours, days):
    assert found(rows(d70=0.0), now=START + 71 * DAY + hours * HOUR) == days


def test_days_of_the_week_that_never_have_rows_are_usual():
    assert found(rows(weekend=0.0)) == []
    assert found(rows(weekend=0.0, **{f"d{d}": 0.0 for d in range(60, 66)})) == [d for d in range(60, 66) if (START + d * DAY).weekday() < 5]


def test_a_model_that_is_scaled_to_zero_now_and_then_is_empty_and_not_down():
    """Twice two days, once four, none of them on a Monday or a weekend: then two days are usual, and of ten those that were never empty before tell it."""
    scaled = {f"d{d}": 0.0 for d in (8, 9, 24, 25, 43, 44, 45, 46)}
    assert found(rows(**scaled, d69=0.0, d70=0.0)) == []
    assert found(rows(**scaled, **{f"d{d}": 0.0 for d in range(70, 80)})) == [75, 76, 77]
    assert found(rows(d8=0.0, d9=0.0, d69=0.0, d70=0.0)) == [69, 70], "once is no habit"


def test_weekends_that_are_always_empty_excuse_no_other_day():
    """Of a run over a weekend that is always empty, Friday and Monday are missed."""
    assert found(rows(weekend=0.0, d67=0.0, d70=0.0)) == [67, 70]


def test_a_thin_feed_is_missed_when_its_silence_has_become_unlikely():
    """Three rows a day: none on one day happens by chance (5 %), none on four hardly ever (6 in a million)."""
    thin = rows(weekend=3.0, usual=3.0, **{f"d{d}": 0.0 for d in range(70, 75)})
    assert found(thin) == [73, 74]
    assert found(rows(weekend=3.0, usual=3.0, d70=0.0, d72=0.0, d74=0.0, d76=0.0)) == []


def test_too_short_a_reference_says_nothing():
    assert list(shortfalls(watched(7), "production", rows(d70=0.0), LATER)) == []


def coverage(**days: float):
    """Return the label coverage of 80 days of 300 rows, the first 60 the reference."""
    values = 0.98 - 0.02 * (np.arange(DAYS)[None, :] % 3)
    for name, value in days.items():
        values[0, int(name[1:])] = value
    return scores(values, metric="label_coverage", n=300)


def test_labels_that_are_due_and_did_not_come_are_a_page():
    dead = coverage(**{f"d{d}": 0.0 for d in range(72, 80)})
    assert found(dead) == list(range(72, 80))
    first = next(iter(shortfalls(watched(60), "production", dead, LATER)))
    assert (first.family, first.level, first.metric, first.value, first.n) == ("data", "page", "label_coverage", 0.0, 300)


def test_half_of_the_usual_labels_is_the_least_that_is_no_page():
    assert found(coverage(d70=0.42, d71=0.5)) == [70]


def test_labels_that_are_not_due_yet_are_no_page():
    table = coverage(d79=0.0)
    waiting = table.set_column(
        table.column_names.index("state"), "state", [["provisional" if v == 0.0 else "mature" for v in table["value"].to_pylist()]]
    )
    assert found(waiting) == []


def test_a_model_whose_labels_hardly_ever_come_is_not_paged_for_a_few_less():
    few = coverage(**{f"d{d}": 0.01 for d in range(60)}, **{f"d{d}": 0.0 for d in range(60, 80)})
    assert found(few) == []


def of_two_depots(share: float, *, rows: float = 100.0):
    """Labels of ten days of the south come for a `share` of its rows, and those of all others, nine times as many, come."""
    names = [("", "depot=north"), ("", "depot=south")]
    labelled = np.ones((2, DAYS))
    labelled[1, 70:] = share
    losses = scores(np.full((2, DAYS), 0.4), metric="log_loss", names=names)
    losses = losses.set_column(losses.column_names.index("coverage"), losses.schema.field("coverage"), pa.array(labelled.ravel(), pa.float64()))
    counted = scores(np.array([[9 * rows] * DAYS, [rows] * DAYS]), metric="rows", names=names, n=0)
    whole = coverage(**{f"d{d}": 0.9 + 0.1 * share for d in range(70, 80)})
    whole = whole.set_column(whole.column_names.index("n"), whole.schema.field("n"), pa.array([int(10 * rows)] * DAYS, whole.schema.field("n").type))
    return pa.concat_tables([whole, losses, counted])


def of_segments(table):
    return [(day_of(s), s.segment) for s in shortfalls(watched(60, segments=["depot"]), "production", table, LATER)]


def test_labels_of_one_segment_are_missed_though_most_labels_come():
    assert of_segments(of_two_depots(0.0)) == [(day, "depot=south") for day in range(70, 80)]
    first = next(iter(shortfalls(watched(60, segments=["depot"]), "production", of_two_depots(0.1), LATER)))
    assert (first.metric, first.value, first.expected, first.n) == ("label_coverage", 0.1, 1.0, 100)


def test_a_segment_with_half_of_its_labels_or_hardly_any_rows_is_not_missed():
    assert of_segments(of_two_depots(0.5)) == []
    assert of_segments(of_two_depots(0.0, rows=4.0)) == []


def test_where_labels_of_all_are_missing_no_segment_is_told_beside():
    table = pa.concat_tables([coverage(**{f"d{d}": 0.0 for d in range(70, 80)}), of_two_depots(0.0).filter(pc.field("metric") != "label_coverage")])
    assert of_segments(table) == [(day, "") for day in range(70, 80)]
