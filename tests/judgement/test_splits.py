"""An incident whose cause changed is two, where that is sure: worked by hand, day by day."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from evidence_world import MONDAY as FIRST
from evidence_world import episode as episode_of
from evidence_world import evidence, signal
from incident_world import event
from watchkeeper.judgement.developments import developments
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.incidents import CAUSE_CHANGED, Incident, fold
from watchkeeper.judgement.splits import Split, cut, in_pieces, kinds_before, split_at_once, split_events, split_of
from watchkeeper.judgement.splits import tested_kind as kind_of
from watchkeeper.records import Change, IncidentEvent
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

    def develop(self, known: Sequence[Incident], found: Sequence[Episode]) -> list[IncidentEvent]:
        """Return what is new of episodes."""
        return developments("parcels", "production", known, found, lambda e, _: Story(headline="late", when="", causes=self.tested(e)[1]), FIRST)


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


def at_once(course: str, **more: Any) -> list[tuple[int, bool]]:
    """Return of each story that a course is, which is judged as a whole when it is over, how many days it has and whether it is over."""
    world, whole = World(course, **more), replace(days(len(course)), is_over=True)
    openings, splits = split_at_once([whole], world.tested, world.develop)
    assert [s.incident.id for s in splits[:1]] == [e.incident_id for e in openings]
    return [(len(e.signals), e.is_over) for e in in_pieces([whole], splits)]


def day_by_day(course: str) -> list[int]:
    """Return how many days each story has that a course becomes, where it is judged on each of its days, and told with the likely cause of all until then."""
    world, one, kinds, cuts = World(course), known(None), list[str](), list[int]()
    for count in range(1, len(course) + 1):
        begun = cuts[-1] if cuts else 0
        whole = days(count)
        mine = replace(whole, signals=whole.signals[begun:])
        found = split_of(one, mine, world.tested, kinds)
        if found is not None:
            kinds.append(kind_of(world.tested(found.before)[1]))
            cuts.append(begun + len(found.before.signals))
            mine = found.since
        one = replace(known(next(iter(world.tested(mine)[1]), None)), window_start=mine.start)
    return [b - a for a, b in pairwise([0, *cuts, len(course)])]


@pytest.mark.parametrize(
    ("course", "days_of_each"),
    [
        ("ooolll", [3, 3]),
        ("oollllll", [2, 6]),
        ("oooooooolllo", [8, 4]),
        ("oooolllllldddddd", [4, 6, 6]),
        ("ooollloooo", [3, 7]),
        ("mmmmxxxxlll", [8, 3]),
        ("o" * 12 + "ll", [14]),
        ("ooooll", [6]),
        ("olllll", [6]),
        ("ooolbb", [6]),
        ("oobbbb", [6]),
        ("ooblll", [6]),
        ("oooooo", [6]),
        ("ooouuu", [6]),
        ("mmmxxx", [6]),
        ("uuulll", [6]),
        ("ololololol", [10]),
    ],
)
def test_a_past_that_is_judged_at_once_splits_into_what_it_splits_into_day_by_day(course: str, days_of_each: list[int]):
    assert [count for count, _ in at_once(course)] == day_by_day(course) == days_of_each


def test_of_what_splits_at_once_all_stories_but_the_last_are_closed_by_the_split_and_the_last_is_as_over_as_the_whole():
    world, whole = World("oooolllllldddddd"), days(16)
    openings, splits = split_at_once([whole], world.tested, world.develop)
    assert [(e.event, e.window_end) for e in openings] == [("opened", FIRST + 4 * DAY)]
    first, second = splits
    assert (first.since.start, first.since.end, first.since.is_over) == (FIRST + 4 * DAY, FIRST + 10 * DAY, False), "it is opened before it is closed"
    assert (second.episode, second.incident.split_from) == (first.since, first.incident.id)
    assert [(e.start, e.end, e.is_over) for e in in_pieces([whole], splits)] == [
        (FIRST, FIRST + 4 * DAY, True),
        (FIRST + 4 * DAY, FIRST + 10 * DAY, True),
        (FIRST + 10 * DAY, FIRST + 16 * DAY, False),
    ]


def test_what_has_lasted_four_weeks_splits_no_more_and_what_stays_the_same_is_not_gone_through_day_by_day():
    assert at_once("o" * 28 + "l" * 6) == [(34, True)]
    assert [count for count, _ in at_once("o" * 24 + "l" * 6)] == [24, 6]
    world = World("o" * 200)
    assert split_at_once([days(200)], world.tested, world.develop) == ([], [])
    assert world.asked <= 11


def test_what_is_of_data_or_not_final_splits_at_once_no_more_than_day_by_day():
    world, whole = World("ooolll"), days(6)
    for one in (replace(whole, family="data"), replace(whole, signals=[replace(s, state="provisional") for s in whole.signals])):
        assert split_at_once([one], world.tested, world.develop) == ([], [])


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


def test_nor_into_the_kind_that_it_was_split_into_which_other_days_hid_since():
    class Hiding(World):
        def tested(self, episode: Episode) -> tuple[Evidence, list[Cause]]:
            bearing, found = super().tested(episode)
            return bearing, found if len(found) == 1 else [CONCEPT]

    assert where(Hiding("lllooolll").split(known(CONCEPT))) == (6, 3)
    assert Hiding("lllooolll").split(known(CONCEPT), had=["concept"]) is None
    assert where(Hiding("dddooolll").split(known(CONCEPT), had=["data"])) == (6, 3)


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
