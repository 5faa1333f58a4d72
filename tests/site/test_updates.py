"""Updates read as agreed: news in a line or two, one line that it goes on, and at the end what it was."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incident_world import DAY, MONDAY, event
from watchkeeper.judgement.incidents import LASTED, RESTATED, fold
from watchkeeper.judgement.news import News
from watchkeeper.records import IncidentEvent
from watchkeeper.site.message import UNKNOWN, Message, text
from watchkeeper.site.updates import end_lines, update_message
from watchkeeper.story import Cause, Size, Story

STORY = Story(headline="57 % of parcels on Monday were late; the model expected 20 %", when="Mon 3 March")
LINKS = [("Incident", "https://docs.example/incidents/i1.html"), ("Acknowledge", "https://prefect.example/deployments")]
CAUSE = Cause(kind="concept", subject="the outcome changed, not the inputs", share=0.83, low=0.71, high=0.95)
LATER = Cause(kind="data", subject="size_cm comes in another unit", share=0.17, is_later=True)
WORST = Size(about="calibration gap", value=0.37, expected=0.0, said="calibration gap +37 points on Mon 3 March")


def told(*news: News, day: int = 5, **more) -> Message:
    one = event("joined", day=day)
    return update_message(STORY, one, news, day=day, began_at=one.at - (day + 4) * DAY, severity="high", channel="#parcels", **more)


def test_news_is_said_first_with_what_it_is_about_and_the_page():
    assert text(told(News("severity", "now high, was warning"), links=LINKS)) == (
        "🔴 **parcels: now high, was warning: 57 % of parcels on Monday were late; the model expected 20 %**\n"
        "`i1`, high, #parcels. Links: [Incident](https://docs.example/incidents/i1.html)\n"
    )


def test_more_news_is_one_more_line_and_a_headline_is_said_once():
    said = told(News("severity", "now high, was warning"), News("size", "grew: MAE 26"), News("change", "recorded since: release 5"))
    assert (said.title, said.facts) == (f"parcels: now high, was warning: {STORY.headline}", [("Also", "grew: MAE 26; recorded since: release 5.")])
    grew = told(News("size", "grew: MAE 26"))
    assert (grew.title, grew.facts) == ("parcels: grew: MAE 26", [("As it stands", f"{STORY.headline}.")])
    alone = told(News("labels", f"labels are in: {STORY.headline}"))
    assert (alone.title, alone.facts) == (f"parcels: labels are in: {STORY.headline}", [])


def test_that_it_goes_on_is_one_line_that_says_since_when_as_its_numbers_do_and_when_the_next_comes():
    assert text(told(day=7)) == (
        "🔴 **parcels goes on, 11 days since it began: 57 % of parcels on Monday were late; the model expected 20 %**\n"
        "`i1`, high, #parcels. Next in 7 days, or with news. All of it: `watchkeeper incidents show i1`.\n"
    )


def test_who_looks_after_it_is_said_beside_either():
    cared = [("Acknowledged", "by ann on Tue 4 Mar 2025, 08:00")]
    assert [m.facts[-1] for m in (told(cared=cared), told(News("severity", "now high"), cared=cared))] == [
        ("Acknowledged", "by ann on Tue 4 Mar 2025, 08:00.")
    ] * 2


def lines(*events: IncidentEvent) -> dict[str, str]:
    [incident] = fold(events)
    return dict(end_lines(incident, "UTC"))


def opened(*causes: Cause, size: Size | None = WORST) -> IncidentEvent:
    return replace(event(), story=replace(STORY, causes=list(causes), size=size).to_json())


def test_the_end_says_how_long_how_bad_and_why():
    assert lines(opened(CAUSE, LATER), event("joined", day=4, causes=(CAUSE, LATER)), event("resolved", day=4)) == {
        "Lasted": "5 days, 3 to 7 Mar 2025",
        "Cause in the end": "the outcome changed, not the inputs (83 % [71, 95] of the change); later also size_cm comes in another unit (17 % of the change)",
    }
    assert lines(opened(CAUSE), event("resolved"))["At worst"] == "calibration gap +37 points on Mon 3 March"


@pytest.mark.parametrize("causes", [(), (Cause(kind="unknown", subject=""),)])
def test_a_cause_that_was_not_found_is_said_so(causes: tuple[Cause, ...]):
    assert lines(opened(*causes), event("resolved"))["Cause in the end"] == UNKNOWN


def test_what_lasts_is_not_said_to_be_over_and_what_never_was_has_no_length():
    assert "So far" in lines(opened(), replace(event("resolved", day=27), why=LASTED))
    assert lines(opened(), replace(event("resolved"), why=RESTATED)) == {}


def test_a_length_is_in_days_also_where_the_clock_was_set_and_else_in_hours():
    summer = replace(opened(), window_end=MONDAY + 2 * DAY - timedelta(hours=1))
    assert lines(summer, event("resolved"))["Lasted"].startswith("2 days, ")
    short = replace(opened(), window_end=MONDAY + timedelta(hours=3))
    assert lines(short, replace(event("resolved"), window_end=short.window_end))["Lasted"].startswith("3 h, ")
