"""Told once: a fault of one segment is told with the whole's incident where that names the segment, is worse or has its cause, else by itself."""

from dataclasses import replace

from evidence_world import evidence, signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence, SegmentShare
from watchkeeper.judgement.told_once import is_told_with
from watchkeeper.judgement.traces import Traces
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


def shown(day: int, family: str) -> Signal:
    found = signal(day=day)
    return replace(found, family=family, segment="depot=east" if family == "segment" else "")
