"""The page of an audit says all that it must, and shows what it is given as text."""

import dataclasses

import pytest

from watchkeeper.site.fairness_page import COLUMNS, fairness_page, rows, summary
from worlds_site import audit_report


def page(**changes) -> str:
    return fairness_page(dataclasses.replace(audit_report(), **changes), workspace="flights")


def test_every_statement_has_its_group_its_numbers_and_its_verdict():
    report, text = audit_report(), page()
    for said in report.statements:
        assert said.group.replace("&", "&amp;") in text
    assert text.count(">violation</span>") == 1 + 1 + sum(s.verdict == "violation" for s in report.statements)
    assert "5,000" in text
    assert "0.150 [0.090, 0.210]" in text


@pytest.mark.parametrize(
    "wanted", ["Demographic parity, difference", "between -0.05 and 0.05", "99.00 %", "v1 (4,000 rows) and v2 (1,400 rows)", "abc123", "f00d"]
)
def test_definitions_versions_and_what_it_rests_on_are_there(wanted):
    assert wanted in page()


def test_a_warning_stands_before_the_numbers():
    text = page(warnings=("Labels are selective: 100% of the flagged have one.",))
    assert text.index("Labels are selective") < text.index("What was audited")
    assert "Before you read on" not in page(warnings=())


def test_a_group_called_like_markup_is_text():
    report = audit_report()
    bad = dataclasses.replace(report.statements[0], group="sex=<script>alert(1)</script>")
    text = page(statements=(bad,))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_what_may_not_be_shown_is_empty_and_not_none():
    hidden = dataclasses.replace(audit_report().statements[0], n=None, rest_n=None, rate=None, rest_rate=None, value=None, low=None, high=None)
    assert "None" not in page(statements=(hidden,))


def test_a_table_has_one_row_a_statement_and_a_summary_of_all():
    report = audit_report()
    assert [tuple(row) for row in rows(report)] == [COLUMNS] * len(report.statements)
    assert summary(report) == "1 violation, 1 no violation, 1 cannot tell"


def test_a_violation_between_two_groups_is_counted_once_and_among_three_each_group_counts():
    first = audit_report().statements[0]
    pair = [dataclasses.replace(first, group=f"sex={name}", value=value) for name, value in (("f", 0.15), ("m", -0.15))]
    both = dataclasses.replace(audit_report(), statements=[*pair, *(dataclasses.replace(s, metric="calibration") for s in pair)])
    assert summary(both) == "2 violations (in 4 rows: of two groups each is the other's rest)"
    third = dataclasses.replace(first, group="sex=d", verdict="none")
    assert summary(dataclasses.replace(both, statements=[*pair, third])) == "2 violations, 1 no violation"
