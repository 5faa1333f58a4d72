"""The tables of several classes on a model's page."""

from datetime import UTC, datetime, timedelta

from watchkeeper.site.class_tables import Confusion, class_tables
from watchkeeper.windows import Window
from worlds_site import class_scores

WINDOW = Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=31))


def tables(counts, names=("ant", "bee"), others=0):
    found = class_tables(Confusion(window=WINDOW, names=names, counts=counts, others=others), class_scores(WINDOW, ["ant"]), "UTC")
    assert found is not None
    return found


def test_a_line_has_its_class_s_numbers_and_what_it_was_taken_for():
    found = tables([(8, 2, 0), (0, 5, 0)])
    assert [(line.name, line.n) for line in found.lines] == [("ant", 10), ("bee", 5)]
    assert [(c.count, c.share, c.is_right) for c in found.lines[0].cells] == [(8, "80 %", True), (2, "20 %", False)]
    assert (found.metrics, found.decided) == (["recall"], ["ant", "bee"])
    assert [line.scores[0] is None for line in found.lines] == [False, True], "of a class that the reference lacks there is no number"


def test_decisions_for_none_of_the_classes_have_a_column_where_there_are_any():
    assert tables([(8, 2, 1), (0, 5, 0)]).decided == ["ant", "bee", "another, or none"]


def test_classes_left_out_are_told():
    assert tables([(8, 2, 0), (0, 5, 0)], others=3).caption.endswith("with 95 % intervals. 3 classes with fewer labels are left out.")


def test_without_labels_there_are_no_tables():
    assert class_tables(None, [], "UTC") is None
    assert class_tables(Confusion(window=WINDOW, names=[], counts=[]), [], "UTC") is None
