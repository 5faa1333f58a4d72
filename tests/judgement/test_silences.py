"""Silences: which incidents they cover, how long they last, and what that leaves to be told."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from evidence_world import signal
from incident_world import DAY, MONDAY, event
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.notices import STALE, Fate, notices
from watchkeeper.judgement.silences import covers, during, in_force, marked
from watchkeeper.judgement.silences import fold as folded
from watchkeeper.records import IncidentEvent, Silence

HOUR = timedelta(hours=1)
MORNING = MONDAY + DAY + 6 * HOUR
"""When the incident of day 0 opens."""


def silence(at: datetime = MONDAY, until: datetime = MONDAY + 10 * DAY, **more: Any) -> Silence:
    return Silence(**{"silence_id": "s1", "model": "parcels", "until": until, "who": "ann", "why": "a known fault", "at": at} | more)


def incident(*events: IncidentEvent) -> Incident:
    [one] = fold(events or [event()])
    return one


@pytest.mark.parametrize(
    ("about", "signals", "is_covered"),
    [
        ({}, [("log_loss", "")], True),
        ({"model": "letters"}, [("log_loss", "")], False),
        ({"incident_id": "i1"}, [], True),
        ({"incident_id": "i2"}, [("log_loss", "")], False),
        ({"metric": "log_loss"}, [("log_loss", ""), ("log_loss", "depot=north")], True),
        ({"metric": "log_loss"}, [("log_loss", ""), ("roc_auc", "")], False),
        ({"metric": "log_loss"}, [], False),
        ({"segment": "depot=north"}, [("log_loss", "depot=north"), ("log_loss", "size=3&depot=north")], True),
        ({"segment": "depot=north"}, [("log_loss", "depot=northwest")], False),
        ({"segment": "depot=north"}, [("log_loss", "")], False),
        ({"segment": "depot=north", "metric": "log_loss"}, [("calibration_gap", "depot=north")], False),
    ],
)
def test_a_silence_covers_an_incident_of_which_every_signal_is_what_it_is_about(about, signals, is_covered):
    assert covers(silence(**about), incident(), [signal(metric, segment=segment) for metric, segment in signals]) is is_covered


def test_a_signal_that_was_taken_back_keeps_no_incident_from_being_silent():
    found = [signal("log_loss"), signal("roc_auc", state="withdrawn")]
    assert covers(silence(metric="log_loss"), incident(), found)
    assert not covers(silence(metric="log_loss"), incident(), [replace(s, state="mature") for s in found])


def test_a_silence_lasts_until_its_end_or_until_it_is_ended():
    begun = silence()
    ended = replace(begun, event="ended", who="bob", at=MONDAY + 2 * DAY)
    assert in_force([begun], MONDAY + 10 * DAY - HOUR) == begun
    assert in_force([begun], MONDAY + 10 * DAY) is None
    [cut] = folded([ended, begun])
    assert (cut.until, cut.who) == (MONDAY + 2 * DAY, "ann")
    assert in_force([cut], MONDAY + 2 * DAY) is None
    [late] = folded([replace(ended, at=MONDAY + 20 * DAY), begun])
    assert late.until == begun.until


def test_of_several_silences_the_one_that_lasts_longest_is_named():
    longer = silence(silence_id="s2", until=MONDAY + 30 * DAY)
    assert in_force([longer, silence()], MONDAY + DAY) == longer


def test_what_is_open_is_marked_and_what_is_over_is_not():
    assert marked(incident(), [silence()], MORNING).state == "silenced"
    assert marked(incident(event(), event("acknowledged", who="bob")), [silence()], MORNING).state == "silenced"
    assert marked(incident(), [silence()], MONDAY + 11 * DAY).state == "open"
    assert marked(incident(event(), event("resolved", day=3)), [silence()], MONDAY + 5 * DAY).state == "resolved"


def test_an_incident_is_told_beside_the_silences_of_its_own_time():
    over = incident(event(), event("resolved", day=1))
    assert during([silence(until=MORNING), silence(at=MONDAY + 3 * DAY)], over) == []
    assert during([silence(), silence(at=MONDAY + 2 * DAY)], over) == [silence(), silence(at=MONDAY + 2 * DAY)]


# What is told


class Told:
    """What became of the events of one incident, day after day."""

    def __init__(self, *silences: Silence) -> None:
        self.silences = silences
        self.decided: dict[str, Fate] = {}

    def at(self, now: datetime, *events: IncidentEvent) -> list[tuple[str, str, str]]:
        """Decide at a moment; return (kind, event, reason it was passed over)."""
        found = notices([e for e in events if e.at <= now], self.decided, now=now, mature_after=timedelta(0), silences={"i1": self.silences})
        self.decided |= {n.event.event_id: "told" if not n.skip else "silenced" if n.skip.startswith("silenced") else "passed over" for n in found}
        return [(n.kind, n.event.event, n.skip) for n in found]


WHY = "silenced by ann until 13 Mar 2025, 00:00 UTC: a known fault"


def test_nothing_is_told_while_a_silence_lasts_and_what_was_not_says_who_silenced_it_and_why():
    told = Told(silence())
    events = [event(), event("joined", day=1), event("joined", day=2, severity="critical")]
    assert told.at(MORNING, *events) == [("open", "opened", WHY)]
    assert told.at(MORNING + 2 * DAY, *events) == [("update", "joined", WHY)] * 2


def test_after_it_the_next_news_opens_what_nobody_was_told_of():
    told = Told(silence(until=MONDAY + 3 * DAY))
    events = [event(), event("joined", day=1), event("joined", day=2), event("joined", day=3)]
    told.at(MORNING + DAY, *events)
    assert told.at(MONDAY + 3 * DAY + HOUR, *events) == []
    assert told.at(MORNING + 2 * DAY, *events) == [("open", "joined", "")]
    assert told.at(MORNING + 3 * DAY, *events) == [("update", "joined", "")]


def test_after_it_the_next_news_is_an_update_where_people_knew_also_when_it_repeats_what_was_silenced():
    told = Told(silence(at=MORNING + HOUR, until=MONDAY + 3 * DAY))
    joined = event("joined", day=1)
    events = [event(), joined, replace(event("joined", day=2), story=joined.story)]
    assert told.at(MORNING, *events) == [("open", "opened", "")]
    assert told.at(MORNING + DAY, *events) == [("update", "joined", WHY.replace("13 Mar", "06 Mar"))]
    assert told.at(MORNING + 2 * DAY, *events) == [("update", "joined", "")]


def test_the_end_of_what_people_know_of_waits_until_the_silence_is_over_however_long_that_lasts():
    told = Told(silence(at=MORNING + HOUR, until=MONDAY + 30 * DAY))
    events = [event(), event("resolved", day=1)]
    told.at(MORNING, *events)
    assert told.at(MORNING + DAY, *events) == []
    assert told.at(MONDAY + 30 * DAY - HOUR, *events) == []
    assert told.at(MONDAY + 30 * DAY, *events) == [("resolve", "resolved", "")]
    assert told.at(MONDAY + 30 * DAY + HOUR, *events) == []


def test_the_end_that_waits_is_passed_over_when_it_opens_again_in_the_silence():
    told = Told(silence(at=MORNING + HOUR, until=MONDAY + 5 * DAY))
    events = [event(), event("resolved", day=1, who="ann"), event("joined", day=2)]
    told.at(MORNING, *events)
    assert told.at(MORNING + DAY, *events) == []
    assert [kind for kind, _, why in told.at(MORNING + 2 * DAY, *events) if why.startswith("silenced")] == ["resolve", "update"]
    assert told.at(MONDAY + 5 * DAY, *events) == []


def test_what_opened_and_ended_in_a_silence_is_told_to_nobody():
    told = Told(silence())
    events = [event(), event("resolved", day=1)]
    told.at(MORNING, *events)
    assert told.at(MORNING + DAY, *events) == [("resolve", "resolved", WHY)]
    assert told.at(MONDAY + 10 * DAY, *events) == []


def test_what_ends_after_a_silence_in_which_it_opened_is_told_once():
    told = Told(silence(until=MONDAY + 2 * DAY))
    events = [event(), event("resolved", day=1, at=MONDAY + 2 * DAY + HOUR)]
    told.at(MORNING, *events)
    assert told.at(MONDAY + 2 * DAY + HOUR, *events) == [("resolve", "resolved", "")]


def test_old_history_in_a_silence_is_old_all_the_same():
    told = Told(silence(at=MONDAY + 30 * DAY, until=MONDAY + 40 * DAY))
    assert [why for *_, why in told.at(MONDAY + 31 * DAY, event(), event("resolved", day=1))] == [STALE, STALE]
