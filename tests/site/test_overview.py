"""The overview reads the same in a terminal, an artifact and on the first page."""

import dataclasses
from datetime import UTC, datetime

import worlds_site as world
from watchkeeper.judgement.promises import Promise
from watchkeeper.site.index_page import index_page
from watchkeeper.site.overview import (
    COLUMNS,
    STATE_TEXTS,
    OpenIncident,
    OverviewRow,
    overview_cells,
    overview_markdown,
    state_of,
    worst_first,
)

DECEMBER = {"per": "month", "window_start": datetime(2013, 12, 1, tzinfo=UTC), "window_end": datetime(2014, 1, 1, tzinfo=UTC)}
FINE = OverviewRow(model="fine_one", owner="#a", state="fine", window_start=world.NOW, window_end=world.NOW, cost=12.0)
BAD = OverviewRow(
    model="bad_one",
    state="high",
    reason="measure left out 2 windows",
    incidents=[OpenIncident(incident_id="i", severity="high", headline="late | <b>later</b>")],
    targets=[Promise(text="recall at least 0.35", is_kept=False, value=0.2, **DECEMBER), Promise(text="mae at most 3", per="week", is_kept=None)],
    cost=3.0,
    is_cost_synthetic=True,
)


def first_page(*rows):
    return index_page(rows, [], [], workspace="flights", as_of="now", timezones={})


def test_what_needs_somebody_stands_on_top():
    assert [r.model for r in worst_first([FINE, BAD])] == ["bad_one", "fine_one"]


def test_the_worst_open_incident_is_the_state_and_a_notice_needs_nobody():
    incidents = [OpenIncident(incident_id=s, severity=s, headline="") for s in ("notice", "critical", "warning")]
    assert state_of(incidents, is_behind=True, has_scores=True) == "critical"
    assert state_of(incidents[:1], is_behind=True, has_scores=True) == "behind"
    assert state_of(incidents[:1], is_behind=False, is_judged=False, has_scores=True) == "unjudged"
    assert state_of(incidents[:1], is_behind=False, has_scores=True) == "notice"
    assert state_of([], is_behind=False, has_scores=False) == "new"


def test_a_synthetic_cost_is_marked_and_one_not_measured_is_not_zero():
    assert overview_cells(BAD)["cost of last week"] == "3.00 USD (synthetic)"
    assert overview_cells(OverviewRow(model="m", state="new"))["cost of last week"] == "not measured"


def test_a_broken_target_says_its_value_and_an_unknown_one_is_no_kept_one():
    assert overview_cells(BAD)["targets"] == "0 kept, broken: recall at least 0.35 (was 0.200 in December 2013), 1 not known"


def test_markdown_has_every_column_and_what_a_headline_holds_cannot_break_it():
    lines = overview_markdown([FINE, BAD]).splitlines()
    assert lines[0] == f"| {' | '.join(COLUMNS)} |"
    assert {line.count(" | ") for line in lines[2:4]} == {len(COLUMNS) - 1}
    assert "late \\| &lt;b&gt;later&lt;/b&gt;" in lines[-1]


def test_the_page_holds_every_cell_of_the_table_and_its_headline_counts_who_needs_somebody():
    text = first_page(FINE, BAD)
    assert all(overview_cells(row)[c] in text for row in (FINE, BAD) for c in COLUMNS)
    assert "<h1>bad_one needs somebody</h1>" in text
    assert "<h1>2 of 3 models need somebody</h1>" in first_page(FINE, BAD, dataclasses.replace(BAD, model="worse"))
    assert STATE_TEXTS["high"] in text


def test_the_page_says_when_nothing_needs_you_and_when_nothing_is_watched():
    assert "<h1>Nothing needs you</h1>" in first_page(FINE)
    assert "<h1>No model is watched yet</h1>" in first_page()


def test_a_cost_is_in_the_currency_of_its_prices():
    assert overview_cells(dataclasses.replace(FINE, currency="EUR"))["cost of last week"] == "12.00 EUR"
