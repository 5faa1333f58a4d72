"""Hardware is a cause where time and the split by host say so, and is ruled out with the reason where they do not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evidence_world import MONDAY, episode, evidence, monitor, signal
from strain_world import AS_OTHERS, RARE, SLOWER, strain
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.changes import Came
from watchkeeper.judgement.story import story
from watchkeeper.judgement.strains import GPU_ERRORS, Effect, Level, Spoilt
from watchkeeper.judgement.traces import Place, Traces
from watchkeeper.judgement.versions import Versions

STEADY = Versions(["4"], [])
FALLBACK = Spoilt("0.2", 0.9, 0.001)


def service(*strains, metric="latency_p95", **more):
    lead = signal(metric, 300.0, family="service", expected=150.0)
    return evidence(lead, **{"versions": STEADY, "traces": Traces(strains=strains), **more})


def of_throttling(found):
    return [said for said in ruled_out(found) if said.startswith(("GPU throttling", "GPU errors"))]


def test_a_gpu_whose_requests_alone_are_slower_is_told_as_a_person_can_act_on_it():
    [cause] = causes(service(strain(effect=SLOWER)))
    assert cause.subject == (
        "GPU 0 of host gpu-2 throttled (hardware thermal, 91 °C) from Mon 13 January 14:10; "
        "requests on that host took 2.4 times as long, those on others did not"
    )
    assert (cause.kind, cause.share, cause.low, cause.onset) == ("infrastructure", 0.97, 0.9, MONDAY + timedelta(hours=14, minutes=10))
    assert {"it began as requests changed", "on none of the 28 days before"} <= set(cause.evidence_for)
    assert cause.evidence_against == []
    assert of_throttling(service(strain(effect=SLOWER))) == []


def test_requests_that_failed_are_told_as_such():
    failing = Effect(0.25, (0.3, 0.004), (0.005, 0.004), 0.97, 0.9, 1.0)
    [cause] = causes(service(strain(effect=failing), metric="error_ratio"))
    assert cause.subject.endswith("30 % of requests on that host failed, 0.4 % in the weeks before; on others +0 points")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"level": Level(0.42, 0.4, 20, 28)}, "about as much on 20 of the 28 days before"),
        ({"level": Level(0.42, 0.38, 0, 28)}, "much the same share of readings in the weeks before: 42 %, usually 38 %"),
        ({"serves": False, "effect": None}, "only on gpu-2, which answered none of the requests"),
        ({"begun": MONDAY, "since": MONDAY + timedelta(hours=9)}, "only from Mon 13 January 14:10, 9 h after requests had changed"),
        ({"effect": AS_OTHERS}, "requests on that host took 2.0 times as long, those on others took 2.0 times as long"),
        (
            {"effect": None, "since": MONDAY - timedelta(days=3), "begun": MONDAY},
            "from Mon 13 January 14:10 on, and requests were as usual for 3 days",
        ),
    ],
)
def test_a_throttle_that_did_no_harm_is_ruled_out_with_its_reason(changed, reason):
    found = service(strain(**{"effect": SLOWER, **changed}))
    assert causes(found) == []
    assert of_throttling(found) == [f"GPU throttling ({reason})"]


def test_where_every_host_throttled_it_is_coincidence_in_time_and_said_so():
    [cause] = causes(service(strain(effect=None)))
    assert cause.share is None
    assert cause.evidence_against == ["coincidence in time alone: every host that answered was so, and there is no other to compare with"]


def test_a_place_comes_before_what_is_coincidence_and_a_host_is_told_once_by_what_ails_it():
    host = Place("host", "host", "gpu-2", 5.3, 4.4, 0.25, 0.98)
    both = service(traces=Traces(place=host, strains=[strain(effect=SLOWER)]))
    assert len(causes(both)) == 1
    other = service(traces=Traces(place=replace(host, where="gpu-1"), strains=[strain(effect=None)]))
    assert [c.subject.partition(" (")[0] for c in causes(other)] == ["host gpu-1 alone", "GPU 0 of host gpu-2 throttled"]
    assert "most of it lies in gpu-1" in causes(other)[1].evidence_against


def test_what_accounts_for_more_comes_first_of_a_release_and_a_gpu():
    def score(value):
        return replace(evidence().observed, metric="latency_p95", value=value, se=1.0, reference_value=150.0)

    came = Came(version="5", since=MONDAY, before=["4"], share_before=0.0, share=0.6, ours=score(300.0), theirs=score(150.0))
    found = causes(service(strain(effect=SLOWER), versions=Versions(["4", "5"], [came])))
    assert [c.kind for c in found] == ["infrastructure", "release"]
    assert all(
        c.evidence_against == ["another cause accounts for as much: both are about the same requests, and cannot be told apart"] for c in found
    )


def test_throttling_makes_answers_late_and_not_wrong():
    gap = Effect(0.25, (0.4, 0.0), (0.0, 0.0), 1.0, 0.9, 1.1)
    found = evidence(traces=Traces(strains=[strain(effect=gap)]))
    assert [c.kind for c in causes(found)] == ["concept"]
    assert of_throttling(found) == ["GPU throttling (no more answers than usual failed or were all the same: it makes them late, not wrong)"]


def test_a_fallback_on_a_host_is_a_cause_of_bad_quality():
    gap = Effect(0.25, (0.4, 0.0), (0.0, 0.0), 1.0, 0.9, 1.1)
    found = causes(evidence(traces=Traces(strains=[strain(effect=gap, spoilt=FALLBACK)])))
    assert found[0].kind == "infrastructure"
    assert "90 % of the answers there are 0.2, 0.1 % in the weeks before" in found[0].evidence_for


def test_errors_of_a_gpu_may_make_each_answer_wrong_in_its_own_way():
    gap = Effect(0.25, (0.4, 0.0), (0.0, 0.0), 1.0, 0.9, 1.1)
    broken = strain(gauge=GPU_ERRORS, said="GPU 0 of host gpu-2 had errors (XID 79)", effect=gap)
    assert causes(evidence(traces=Traces(strains=[broken])))[0].kind == "infrastructure"
    without = evidence(traces=Traces(strains=[replace(broken, effect=None)]))
    assert [c.kind for c in causes(without)] == ["concept"]
    assert of_throttling(without)[0].startswith("GPU errors (no more answers")


def test_a_host_whose_answers_are_all_the_same_is_named_without_any_reading():
    place = Place("host", "host", "gpu-3", 0.4, 0.0, 0.25, 0.95)
    first = causes(evidence(traces=Traces(odd_host=(place, FALLBACK))))[0]
    assert (first.kind, first.subject, first.share) == ("infrastructure", "host gpu-3 alone", 0.95)


def test_a_level_is_usual_by_its_rise_or_by_days_like_it():
    assert not RARE.is_usual(strain().gauge)
    assert Level(0.8, 0.7, 0, 28).is_usual(strain().gauge)
    assert Level(0.8, 0.2, 3, 28).is_usual(strain().gauge)
    assert not Level(0.8, 0.2, 2, 28).is_usual(strain().gauge)


def test_the_headline_says_what_ails_the_host_where_the_split_bears_it_out_and_not_where_it_is_coincidence():
    told = {
        name: story(monitor(), episode(found.lead), found).headline
        for name, found in (("split", service(strain(effect=SLOWER))), ("time", service(strain())))
    }
    assert told["split"].endswith("on a typical day: GPU 0 of host gpu-2 throttled (hardware thermal, 91 °C) from Mon 13 January 14:10")
    assert told["time"].endswith("on a typical day")
