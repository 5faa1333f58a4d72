"""Which place leads a service's incident: a region whose hosts are slow together, a host that is alone, the whole where all moved."""

from evidence_world import evidence, monitor, score, signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.service_story import place_that_leads
from watchkeeper.judgement.story import story
from watchkeeper.records import Score, Signal


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


def told(*signals: Signal, **known: Score) -> dict[str, str]:
    """Return the facts of a service's episode of host=h3, with numbers of all its windows together."""
    pooled = {(metric, "host=h3"): found for metric, found in known.items()}
    return dict(story(monitor(), Episode("service", "service", list(signals), is_over=False), evidence(*signals, service=pooled)).facts)


def failing_on(day: int, value: float, metric: str = "errors_to_rest", expected: float = 0.001, **more: object) -> Signal:
    return signal(
        metric, value, day=day, family="service", segment="host=h3", expected=expected, **({"normal_low": None, "normal_high": None} | more)
    )


def test_errors_beside_others_are_points_of_all_windows_as_the_headline_is():
    days = [failing_on(7, 0.40, p=1e-12, normal_low=-0.01, normal_high=0.02), failing_on(8, 0.31)]
    ratio, apart = (score(m, v, days=2, reference_value=u) for m, v, u in (("error_ratio", 0.32, 0.01), ("errors_to_rest", 0.315, 0.001)))
    said = told(*days, error_ratio=ratio, errors_to_rest=apart)["Where"]
    assert said.startswith("host h3. Its errors lie 32 points above those of all others, usually 0 points (in 95 % of windows 0 to 2 points).")


def test_latency_beside_others_is_that_of_all_windows_too():
    days = [failing_on(7, 5.0, "latency_to_rest", 1.0, p=1e-12), failing_on(8, 4.0, "latency_to_rest", 1.0)]
    said = told(*days, latency_to_rest=score("latency_to_rest", 4.4, days=2, reference_value=1.02))["Where"]
    assert said == "host h3. They take 4.40 times as long as all others, usually 1.02."


def test_a_number_of_one_window_among_several_says_of_which():
    days = [failing_on(7, 0.40, p=1e-12), failing_on(8, 0.31)]
    slow = failing_on(8, 4.0, "latency_to_rest", 1.0)
    said = told(*days, slow)
    assert said["Where"] == "host h3. Its errors lie 40 points above those of all others on Mon 13 January, usually 0 points."
    assert said["Latency too"] == "host h3: they take 4.00 times as long as all others on Tue 14 January, usually 1.00"
    assert " on " not in told(days[0])["Where"]
