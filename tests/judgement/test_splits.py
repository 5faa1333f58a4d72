"""An incident whose cause changed is two, where that is sure: worked by hand, day by day."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from evidence_world import MONDAY as FIRST
from evidence_world import episode as episode_of
from evidence_world import evidence, signal
from incident_world import event
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.incidents import CAUSE_CHANGED, Incident, fold
from watchkeeper.judgement.splits import Split, cut, kinds_before, split_at_opening, split_events, split_of
from watchkeeper.records import Change
from watchkeeper.story import Cause, Story
from worlds import DAY


def cause(kind: str, share: float | None = 0.9) -> Cause:
    return Cause(kind=kind, subject=f"the {kind} changed", share=share)


CONCEPT, LABELS, DATA = cause("concept"), cause("labels", 1.0), cause("data")
SHOWN = {"o": [CONCEPT], "l": [LABELS], "u": [], "b": [LABELS, CONCEPT], "d": [DATA], "m": [cause("model")], "x": [cause("mix")]}


def days(count: int, **about: Any) -> Episode:
    """Return an episode of so many bad days."""
    return episode_of(*(signal(day=7 + d, **about) for d in range(count)))


def known(told: Cause | None = CONCEPT, *, marks: Sequence[str] = (), **about: Any) -> Incident:
    """Return an open incident as it was told yesterday."""
    opened = event("opened", causes=() if told is None else (told,), signals=list(marks))
    [one] = fold([replace(opened, window_start=FIRST, window_end=FIRST + 2 * DAY)])
    return replace(one, **about)


class World:
    """What each day shows, by its letter: the (o)utcome changed, (l)abels are alike, (u)nknown, or (b)oth; days together what any of them does."""

    def __init__(self, course: str, **more: Any) -> None:
        self.course, self.more = course, more
        self.asked = 0

    def tested(self, episode: Episode) -> tuple[Evidence, list[Cause]]:
        """Return the evidence of an episode and its causes: those of any of its days."""
        self.asked += 1
        letters = [self.course[(s.window_start - FIRST).days] for s in episode.signals]
        found = {c.kind: c for letter in letters for c in SHOWN[letter]}
        whole = [c for c in found.values() if sum(c in SHOWN[letter] for letter in letters) * 2 > len(letters)]
        return evidence(*episode.signals, **self.more), [*whole, *(c for c in found.values() if c not in whole)]

    def split(self, one: Incident | None = None, had: Sequence[str] = (), **about: Any) -> Split | None:
        """Return where the course is split."""
        return split_of(one or known(), days(len(self.course), **about), self.tested, had)


def where(found: Split | None) -> tuple[int, int] | None:
    """Return how many days are before a split and since."""
    return None if found is None else (len(found.before.signals), len(found.since.signals))


@pytest.mark.parametrize(
    ("course", "days_of_each"),
    [("ooolll", (3, 3)), ("oolll", (2, 3)), ("oooolllll", (4, 5)), ("ooll", None), ("ooool", None), ("oooll", None), ("olll", None)],
)
def test_three_days_of_another_cause_alone_split_an_incident_where_it_changed(course: str, days_of_each: tuple[int, int] | None):
    assert where(World(course).split()) == days_of_each


@pytest.mark.parametrize(
    "course", ["oooooo", "oooblb", "ooolol", "ooollo", "oloooo", "ololol", "oolooolool", "ooobbb", "ooouuu", "oobolll", "lllooo"]
)
def test_a_cause_that_flickers_or_goes_on_beside_the_other_splits_nothing(course: str):
    assert World(course).split() is None


@pytest.mark.parametrize(
    ("course", "began", "days_of_each"),
    [
        ("ooolll", 3, (3, 3)),
        ("oollllll", 2, (2, 6)),
        ("ooolll", None, None),
        ("ooooll", 4, None),
        ("olllll", 1, None),
        ("ooolbb", 3, None),
        ("oobbbb", 2, None),
        ("ooblll", 3, None),
        ("oooooo", 3, None),
        ("ooouuu", 3, None),
        ("mmmxxx", 3, None),
    ],
)
def test_what_is_told_as_a_whole_splits_where_something_else_began_and_each_side_shows_its_own_kind_alone(
    course: str, began: int | None, days_of_each: tuple[int, int] | None
):
    moment = None if began is None else FIRST + began * DAY
    found = split_at_opening(days(len(course)), moment, World(course).tested)
    assert (None if found is None else tuple(len(e.signals) for e in found)) == days_of_each
    if found is not None:
        before, since = found
        assert (before.is_over, since.is_over) == (True, False)
        assert before.end == since.start == moment


def test_from_unknown_to_known_is_news_of_the_same_incident():
    assert World("uuulll").split(known(None)) is None
    assert World("uuulll").split(known(CONCEPT)) is None


@pytest.mark.parametrize("kind", ["release", "config"])
def test_what_coincidence_in_time_alone_names_is_never_the_old_cause(kind: str):
    assert World("ooolll").split(known(cause(kind))) is None
    assert World("ooolll").split(known(cause("concept", None))) is None


def test_kinds_that_pass_into_one_another_are_no_change():
    assert World("mmmxxx").split(known(cause("model"))) is None
    assert where(World("mmmlll").split(known(cause("model")))) == (3, 3)


def test_faults_that_are_there_before_or_still_are_no_change():
    fault = signal("null_ratio", 0.5, family="data", feature="weight")
    assert where(World("oooddd").split()) == (3, 3)
    assert World("oooddd", faults=[fault]).split() is None
    assert World("dddooo", faults=[fault]).split(known(DATA)) is None
    assert World("dddooo", faulty_later=["weight"]).split(known(DATA)) is None


def test_where_something_was_changed_as_it_began_nothing_is_split():
    release = Change(change_id="c", model="parcels", kind="release", at=FIRST, note="", who="ann", recorded_at=FIRST)
    assert World("ooolll", changes=[release]).split() is None


def test_it_is_looked_into_once_when_final_numbers_come_and_never_again():
    world = World("ooolll")
    newest = days(6).signals[-1].signal_id
    assert world.split(known(marks=[newest])) is None
    assert world.split(state="provisional") is None
    assert world.asked == 0


def test_days_that_are_not_final_decide_nothing_and_are_in_one_of_the_two_by_their_time():
    """The newest of seven days waits for labels, and so does the second."""
    whole = days(7)
    waiting = [replace(s, state="provisional") if d in (1, 6) else s for d, s in enumerate(whole.signals)]
    found = split_of(known(), replace(whole, signals=waiting), World("oooolll").tested, [])
    assert found is None, "of the newest three final days one is of the old cause"
    found = split_of(known(), replace(whole, signals=waiting), World("ooollll").tested, [])
    assert where(found) == (3, 4)


def test_what_is_over_or_of_data_is_not_split():
    assert World("ooolll").split(known(state="resolved")) is None
    assert World("dddlll").split(known(DATA), family="data") is None


def test_what_came_of_a_split_never_splits_back():
    assert World("lllooo").split(known(LABELS), had=["concept"]) is None
    assert where(World("lllddd").split(known(LABELS), had=["concept"])) == (3, 3)


def test_each_tells_the_other_s_id_and_the_next_judgement_finds_both_as_they_are():
    found = World("ooolll").split()
    assert found is not None
    since = Story(headline="all labels are late", when="", causes=[LABELS])
    opening = replace(event("opened", incident="i2"), window_start=found.since.start, window_end=found.since.end, story=since.to_json())
    was = Story(headline="three bad days", when="", causes=[CONCEPT])
    events = split_events(found, was, [opening], "UTC", opening.at)
    assert [(e.incident_id, e.event) for e in events] == [("i1", "updated"), ("i1", "resolved"), ("i2", "opened")]
    first = event("opened", causes=(CONCEPT,), at=opening.at - 3 * DAY)
    before, new = fold([replace(first, window_start=FIRST, window_end=FIRST + 6 * DAY), *events])
    assert (before.state, before.headline, before.why) == ("resolved", "three bad days", f"{CAUSE_CHANGED} on Thu 16 Jan 2025: i2 goes on")
    assert (before.window_end, new.window_start, new.split_from) == (FIRST + 3 * DAY, FIRST + 3 * DAY, "i1")
    assert kinds_before(new, [before, new]) == {"concept"}
    pieces = cut([days(7)], [before, new])
    assert [(len(e.signals), e.is_over) for e in pieces] == [(3, True), (4, False)]


def test_what_was_never_split_is_not_cut():
    assert cut([days(7)], [known()]) == [days(7)]
