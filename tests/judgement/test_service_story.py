"""Which place leads a service's incident: a region whose hosts are slow together, a host that is alone, the whole where all moved."""

from evidence_world import evidence, monitor, signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.service_story import place_that_leads
from watchkeeper.judgement.story import story


def beside(segment: str, value: float, expected: float, n: int, metric: str = "latency_to_rest"):
    return signal(metric, value, family="service", segment=segment, expected=expected, n=n)


def whole(metric: str, value: float, expected: float):
    return signal(metric, value, family="service", expected=expected, n=1000)


REGION = [beside("region=eu", 3.0, 1.0, 300), beside("host=eu-1", 2.4, 1.0, 150), beside("host=eu-2", 2.4, 1.0, 150)]
HOST = [beside("region=us", 1.35, 1.0, 600), beside("host=us-2", 3.0, 1.0, 190)]


def test_a_region_leads_where_its_hosts_are_slow_together():
    assert place_that_leads(REGION) == ("latency_to_rest", "region=eu")


def test_a_host_leads_where_it_is_alone_in_its_region():
    assert place_that_leads(HOST) == ("latency_to_rest", "host=us-2")


def test_a_place_leads_beside_a_whole_that_moved_as_little_and_not_beside_one_that_moved_by_far_more():
    assert place_that_leads([whole("latency_p95", 220.0, 150.0), *REGION]) == ("latency_to_rest", "region=eu")
    assert place_that_leads([whole("latency_p95", 900.0, 150.0), beside("host=us-2", 1.3, 1.0, 200)]) is None


def test_errors_lead_by_their_difference():
    failing = [beside("host=us-2", 0.4, 0.0, 190, "errors_to_rest"), beside("region=us", 0.13, 0.0, 600, "errors_to_rest")]
    assert place_that_leads([whole("error_ratio", 0.08, 0.004), *failing]) == ("errors_to_rest", "host=us-2")
    assert place_that_leads([whole("error_ratio", 0.5, 0.004), beside("host=us-2", 0.05, 0.0, 190, "errors_to_rest")]) is None


def test_without_places_none_leads():
    assert place_that_leads([whole("latency_p95", 900.0, 150.0)]) is None


def test_what_is_usual_of_a_place_stands_with_the_place_and_other_trouble_is_told_too():
    slow = signal("latency_to_rest", 4.18, family="service", segment="host=gpu-b", expected=1.08, normal_low=1.05, normal_high=1.12)
    failing = signal("error_ratio", 0.036, family="service", expected=0.004, normal_low=0.001, normal_high=0.008, p=1e-6)
    said = story(monitor(), Episode("service", "service", [slow, failing], is_over=False), evidence(slow, failing))
    facts = dict(said.facts)
    assert said.when == "Mon 13 January, UTC."
    assert facts["Where"] == "host gpu-b. They take 4.18 times as long as all others, usually 1.08 (in 95 % of windows 1.05 to 1.12 times)."
    assert facts["Errors too"] == "error ratio 4 %, usually 0.4 %"
