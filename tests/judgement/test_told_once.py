"""Told once: a fault of one segment is told with the whole's incident where that names the segment, is worse or has its cause, else by itself."""

from dataclasses import replace

from evidence_world import evidence, signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence, SegmentShare
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.told_once import is_told_with
from watchkeeper.judgement.traces import Place, Traces
from watchkeeper.records import Signal


def test_a_fault_of_a_segment_that_began_before_the_whole_s_or_outlasts_it_is_an_incident_of_its_own():
    def of(family: str, first: int, last: int, *, is_over: bool = False) -> Episode:
        found = [shown(day, family) for day in range(first, last + 1)]
        return Episode("depot=east" if family == "segment" else family, family, found, is_over=is_over)

    def named(_: Episode) -> Evidence:
        worst = SegmentShare("depot=east", gap=0.7, share_of_rows=0.2, share_of_excess=0.95, observed=0.9, expected=0.2)
        return replace(evidence(), segments=[worst])

    whole = of("kpi", 5, 8)
    assert is_told_with(of("segment", 6, 9), whole, named)
    assert not is_told_with(of("segment", 4, 7), whole, named)
    assert not is_told_with(of("segment", 9, 10), whole, named)
    assert not is_told_with(of("segment", 6, 9), of("kpi", 5, 8, is_over=True), named)
    assert is_told_with(of("segment", 6, 8), of("kpi", 5, 8, is_over=True), named)
    assert not is_told_with(of("segment", 6, 9), whole, lambda _: evidence())


TURNED = Traces(labels=(0.7, 0.2, 900), turned=(1.6, 0.45, 0.45))


def one_of(own: float, apart: float, whole: float, **more: object) -> bool:
    """Tell whether a segment's incident is told with the whole's, by its own gap, how far that lies from others', and the whole's."""
    segment, every = ([shown(day, family) for day in (6, 7, 8)] for family in ("segment", "kpi"))
    beside = [replace(s, metric="calibration_gap_to_rest", value=apart) for s in segment]
    known = {"segment": evidence(*beside, gap=own, **more), "kpi": evidence(*every, gap=whole, **more)}
    pair = (Episode("depot=east", "segment", beside, is_over=False), Episode("kpi", "kpi", every, is_over=False))
    return is_told_with(*pair, lambda episode: known[episode.family])


def test_a_segment_that_is_worse_for_the_cause_of_all_is_no_incident_of_its_own():
    assert one_of(0.6, 0.1, 0.51, traces=TURNED)
    assert not one_of(0.6, 0.1, 0.51, traces=replace(TURNED, turned=(1.6, 1.6, 0.45)))


def told_by(mine: Evidence, every: Evidence) -> bool:
    """Tell whether the incident of a segment is told with that of all, by the evidence about each."""
    pair = (Episode("depot=east" if f == "segment" else f, f, [shown(day, f) for day in (6, 7, 8)], is_over=False) for f in ("segment", "kpi"))
    return is_told_with(*pair, lambda episode: mine if episode.family == "segment" else every)


def test_an_input_that_moved_is_one_cause_whatever_the_outcome_did_in_a_segment():
    def moved(name: str, outcome: float, scores: float) -> Evidence:
        return evidence(rate=0.2 + outcome, gap=outcome - scores, usual_rate=0.2, moved=[Moved(name, 8.0)])

    assert told_by(moved("size_cm", 0.02, 0.22), moved("size_cm", 0.2, 0.22)), "the scores moved against the outcome, and with it"
    assert not told_by(moved("size_cm", 0.02, 0.22), moved("wind", 0.2, 0.22))


def of_place(where: str) -> Evidence:
    """Return the evidence of an outcome that changed in one place."""
    return evidence(traces=Traces(place=Place("depot", "feature", where, 0.4, 0.0, 0.3, 0.95)))


def test_an_outcome_that_changed_in_one_place_is_one_cause_and_elsewhere_none():
    assert told_by(of_place("weight_kg > 7"), of_place("weight_kg > 7"))
    assert not told_by(of_place("weight_kg > 7"), of_place("weight_kg <= 2"))
    assert not told_by(evidence(), evidence())


def test_a_segment_whose_outcome_changed_in_another_s_rows_is_told_with_that_and_of_two_in_each_other_s_neither():
    east, west, web = (
        Episode(name, "segment", [shown(day, "segment") for day in (6, 7, 8)], is_over=False) for name in ("depot=east", "depot=west", "channel=web")
    )
    known = {"channel=web": of_place("depot = east"), "depot=east": evidence()}
    by = lambda episode: known[episode.subject]  # noqa: E731 - one line says it
    assert is_told_with(web, east, by)
    assert not is_told_with(east, web, by)
    assert not is_told_with(web, west, by)
    assert not is_told_with(web, replace(east, signals=[shown(6, "segment")], is_over=True), by), "it goes on after that is over"
    known["depot=east"] = of_place("channel = web")
    assert not is_told_with(web, east, by)
    assert not is_told_with(east, web, by)


def shown(day: int, family: str) -> Signal:
    found = signal(day=day)
    return replace(found, family=family, segment="depot=east" if family == "segment" else "")
