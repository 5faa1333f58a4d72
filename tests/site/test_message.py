"""Messages read as agreed: golden texts of the opening, the unknown cause, the resolution and a digest."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.records import Digest, IncidentEvent
from watchkeeper.site import message as m
from watchkeeper.site.block_kit import blocks, clip, escape
from watchkeeper.story import Cause, Story

EVENT = IncidentEvent(
    event_id="e1",
    incident_id="4f0c9a",
    model="flight_delays",
    event="opened",
    family="kpi",
    subject="kpi",
    severity="high",
    window_start=datetime(2013, 4, 22, 4, tzinfo=UTC),
    window_end=datetime(2013, 4, 23, 4, tzinfo=UTC),
    at=datetime(2013, 4, 23, 6, tzinfo=UTC),
)
STORY = Story(
    headline="at least 52 % of Monday's flights were late; the model expected 11 %",
    when="Mon 22 April, New York. Miss: at least +41 points; 95 % of reference days lie between -13 and +21.",
    facts=[
        ("Labels", '907 of 985 (92 %). "At least" counts the missing as on time.'),
        ("Missed", "504 of 511 late flights were not flagged (99 %)."),
    ],
    causes=[
        Cause(
            kind="concept",
            subject="the outcome changed, not the inputs",
            share=0.83,
            low=0.71,
            high=0.95,
            evidence_for=["inputs alone would have moved the rate by +2 points, the rest is +41 points"],
            evidence_against=["temp moved too"],
        )
    ],
    ruled_out=["rain, fog (0 rainy flights)", "missing weather", "a new version"],
    not_measured=["latency", "GPU"],
    next_steps=['Distrust "on time" at LaGuardia; ask flight-ops what changed', "Do not retrain on one day."],
)
LINKS = [("Incident", "https://docs.example/incidents/4f0c9a.html"), ("Rerun", "https://prefect.example/deployments")]
RESOLVED = dataclasses.replace(EVENT, event="resolved", why="3 windows clear since 2013-04-27")

OPENING = """\
🔴 **flight_delays: at least 52 % of Monday's flights were late; the model expected 11 %**
Mon 22 April, New York. Miss: at least +41 points; 95 % of reference days lie between -13 and +21.
*Labels:* 907 of 985 (92 %). "At least" counts the missing as on time.
*Missed:* 504 of 511 late flights were not flagged (99 %).
*Likely cause:* the outcome changed, not the inputs (83 % [71, 95] of the change); inputs alone would have moved the rate by +2 points, the rest is +41 points; against it: temp moved too.
*Ruled out:* rain, fog (0 rainy flights), missing weather, a new version.
*Not measured:* latency, GPU.
*Do:* Distrust "on time" at LaGuardia; ask flight-ops what changed. Do not retrain on one day.
`4f0c9a`, high, #flight-ops. Links: [Incident](https://docs.example/incidents/4f0c9a.html), [Rerun](https://prefect.example/deployments)
"""
RESOLUTION = """\
✅ **flight_delays: resolved: 3 windows clear since 2013-04-27**
*It was:* at least 52 % of Monday's flights were late; the model expected 11 %
`4f0c9a`, high, #flight-ops.
"""
BELATED = """\
✅ **flight_delays: at least 52 % of Monday's flights were late; the model expected 11 %**
Mon 22 April, New York. Miss: at least +41 points; 95 % of reference days lie between -13 and +21.
*Opened and resolved:* 3 windows clear since 2013-04-27. This is the only message about it.
*Labels:* 907 of 985 (92 %). "At least" counts the missing as on time.
*Missed:* 504 of 511 late flights were not flagged (99 %).
*Likely cause:* the outcome changed, not the inputs (83 % [71, 95] of the change); inputs alone would have moved the rate by +2 points, the rest is +41 points; against it: temp moved too.
*Ruled out:* rain, fog (0 rainy flights), missing weather, a new version.
*Not measured:* latency, GPU.
*Do:* Distrust "on time" at LaGuardia; ask flight-ops what changed. Do not retrain on one day.
`4f0c9a`, high, #flight-ops.
"""
WEEK = """\
📊 **Flight delays, 22 to 28 April: bad week. 39 % late [36, 42]; the model expected 14 %**
1 model needs you. All days final.
*Quality:* log loss .87 [.81, .94], reference weeks .36 to .59.
*Not known:* whether it returns; latency, GPU.
`d1`, digest of the week, #ops.
"""


def told(story: Story, event: IncidentEvent = EVENT, **more) -> m.Message:
    return m.incident_message(story, event, severity="high", channel="#flight-ops", **more)


def test_an_opening_says_what_happened_why_and_what_to_do():
    assert m.text(told(STORY, links=LINKS)) == OPENING


def test_a_resolution_is_short():
    assert m.text(told(m.ending(RESOLVED, STORY), RESOLVED)) == RESOLUTION


def test_an_incident_over_before_it_was_told_is_told_once_and_says_so():
    assert m.text(m.belated_message(STORY, m.ending(RESOLVED, STORY), RESOLVED, severity="high", channel="#flight-ops")) == BELATED


@pytest.mark.parametrize("causes", [[], [Cause(kind="unknown", subject="")]])
def test_an_unknown_cause_is_said_plainly_with_what_was_ruled_out(causes: list[Cause]):
    said = m.text(told(dataclasses.replace(STORY, causes=causes)))
    assert (
        "*Likely cause:* unknown; nothing that was tested explains it.\n*Ruled out:* rain, fog (0 rainy flights), missing weather, a new version.\n"
        in said
    )


def test_a_digest_keeps_its_labels_and_says_its_headline_once():
    text = """**Flight delays, 22 to 28 April: bad week. 39 % late [36, 42]; the model expected 14 %**
1 model needs you. All days final.

*Quality:* log loss .87 [.81, .94], reference weeks .36 to .59.
- **Not known:** whether it returns; latency, GPU.
"""
    start, end = datetime(2013, 4, 22, 4, tzinfo=UTC), datetime(2013, 4, 29, 4, tzinfo=UTC)
    headline = "Flight delays, 22 to 28 April: bad week. 39 % late [36, 42]; the model expected 14 %"
    digest = Digest(digest_id="d1", model="", period="week", window_start=start, window_end=end, headline=headline, text=text, computed_at=end)
    assert m.text(m.digest_message(digest, channel="#ops")) == WEEK


def test_a_headline_that_names_the_model_is_not_named_twice():
    assert told(dataclasses.replace(STORY, headline="flight_delays is late")).title == "flight_delays is late"


def test_what_lasts_is_not_called_resolved():
    lasting = dataclasses.replace(RESOLVED, why="lasts: the state is known and stays in the digest")
    assert told(m.ending(lasting, STORY), lasting).title == "flight_delays: lasts: the state is known and stays in the digest"


def test_a_resolution_with_a_story_of_its_own_tells_that():
    own = Story(headline="27 and 28 April back to -2 and +3 points", when="22 to 26 April: 2,024 late flights not flagged.")
    assert m.ending(dataclasses.replace(RESOLVED, story=own.to_json()), STORY) == own


def test_a_message_survives_the_way_through_json():
    message = told(STORY, links=LINKS)
    assert m.Message.from_dict(json.loads(json.dumps(dataclasses.asdict(message)))) == message


@pytest.mark.parametrize("limit", range(1, 40))
def test_cutting_never_splits_an_entity_and_keeps_to_the_limit(limit: int):
    words = "a<b>&c & <<late>> 12 % & more"
    cut = clip(words, limit, "")
    assert len(cut) <= limit
    assert escape(words).startswith(cut)
    assert cut.count("&") == cut.count(";")


def test_a_long_headline_is_cut_at_a_word_and_only_the_rest_of_it_stands_below():
    headline = " ".join(f"word{n}" for n in range(40))
    found = blocks(told(dataclasses.replace(STORY, headline=headline)))
    head, below = found[0]["text"]["text"], found[1]["text"]["text"].splitlines()[0]
    assert 140 < len(head) <= 150
    assert f"{head.removesuffix('…')} {below.removeprefix('… ')}" == told(dataclasses.replace(STORY, headline=headline)).headline
    assert (head[-1], below[:2]) == ("…", "… ")


@pytest.mark.parametrize("length", [150, 151, 152, 300])
def test_a_headline_without_words_is_cut_and_nothing_of_it_is_lost(length: int):
    message = m.Message(icon="🔴", title="x" * (length - 2), footer="")
    found = blocks(message)
    head = found[0]["text"]["text"]
    below = found[1]["text"].get("text", "") if found[1]["type"] == "section" else ""
    assert len(head) <= 150
    assert head.removesuffix("…") + below.removeprefix("… ") == message.headline


def test_what_is_left_out_is_counted():
    many = dataclasses.replace(STORY, facts=[("Fact", "x" * 90)] * 200)
    found = blocks(told(many))
    shown = sum(block["text"]["text"].count("*Fact:*") for block in found if block["type"] == "section")
    said = next(block["text"]["text"] for block in found if "more lines left out" in str(block))
    assert f"… {200 - shown} more lines left out" in said
    assert 0 < shown < 200


def test_a_broken_promise_says_where_to_look_first_and_names_that_once():
    def beside(family: str, severity: str) -> Incident:
        one = dataclasses.replace(EVENT, incident_id=family, family=family, severity=severity, story=STORY.to_json())
        return fold([one])[0]

    broken = dataclasses.replace(EVENT, family="target")
    others = [beside("data", "critical"), beside("kpi", "high")]
    said = dict(m.incident_message(STORY, broken, severity="warning", channel="", beside=others).facts[:1])
    assert said == {"Look first at": f"`kpi` (high): {STORY.headline}."}
    read = m.text(m.incident_message(STORY, broken, severity="warning", channel="", beside=others))
    assert read.count("`kpi`") == 1
    named = dataclasses.replace(STORY, when="Mon 22 April, New York. On days of incident kpi: 52 % were late.")
    read = m.text(m.incident_message(named, broken, severity="warning", channel="", beside=others))
    assert read.splitlines()[1] == named.when
    assert ("Look first at" in read, "`kpi`" in read, "*At the same time:* `data`" in read) == (False, False, True)
    assert "*At the same time:* `data`" in read
    assert "Look first" not in m.text(m.incident_message(STORY, EVENT, severity="high", channel="", beside=others))


def test_causes_between_which_nothing_decides_are_told_side_by_side():
    halves = [Cause(kind="model", subject="the scores moved", share=0.51), Cause(kind="concept", subject="the outcome changed", share=0.49)]
    read = m.text(told(dataclasses.replace(STORY, causes=halves)))
    assert "*Undecided between:* the scores moved (51 % of the change)." in read
    assert "*and:* the outcome changed (49 % of the change)." in read
    assert "Likely cause" not in read


def test_a_fault_that_came_later_is_told_as_that():
    first, other = Cause(kind="data", subject="faulty data: weight_kg", share=0.6), Cause(kind="covariate", subject="the inputs changed: wind")
    later = Cause(kind="data", subject="size_cm comes in another unit", share=0.4, is_later=True, evidence_for=["since Mon 27 Jan 2025"])
    read = m.text(told(dataclasses.replace(STORY, causes=[first, other, later])))
    assert "*Likely cause:* faulty data: weight_kg (60 % of the change)." in read
    assert "*Also possible:* the inputs changed: wind." in read
    assert "*Later also:* size_cm comes in another unit (40 % of the change); since Mon 27 Jan 2025." in read
