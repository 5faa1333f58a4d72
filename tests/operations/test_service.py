"""Service figures of a real lake: what is logged of requests comes out as numbers, a slow region as one incident that names it, and bad input is said."""

import json
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from conftest import new_home
from service_world import BEGIN, DAYS, FEW, FEW_DAYS, HOUR, REFERENCE_DAYS, SERVED, failing, hours_of, requests, slower
from watchkeeper.adapters.contradictions import contradictions
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.judgement.service_story import TO_REST
from watchkeeper.monitor import Monitor
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.watch import gather, watch
from watchkeeper.records import Run, Score, Signal

NOW = BEGIN + timedelta(days=DAYS) + HOUR
BAD = range((DAYS - 1) * 24 + 6, (DAYS - 1) * 24 + 12)
SOON = BEGIN + timedelta(days=FEW_DAYS) + HOUR
BAD_HOURS = range((FEW_DAYS - 1) * 24 + 6, (FEW_DAYS - 1) * 24 + 12)


def scores_in(home: Home, hour: int) -> dict[tuple[str, str], Score]:
    """Return the scores of the service in one hour by metric and segment."""
    return {(s.metric, s.segment): s for s in home.lake.newest(Score) if s.window_start == BEGIN + hour * HOUR and not s.feature}


@pytest.fixture(scope="module")
def slow_region(tmp_path_factory) -> Home:
    home = new_home(tmp_path_factory.mktemp("served") / "home", SERVED)
    hours_of(home.root, range(DAYS * 24), plant=slower({"region": "eu-west"}, 3.0), during=BAD)
    watch(home, now=NOW)
    return home


def test_figures_are_those_of_the_rows_of_the_hour(slow_region: Home):
    rows, found = requests(5), scores_in(slow_region, 5)
    assert found["rows", ""].value == len(rows)
    assert found["error_ratio", ""].value == pytest.approx((rows.status != "ok").mean())
    assert found["rows_per_second", ""].value == pytest.approx(len(rows) / 3600)
    assert found["rows_peak_minute", ""].value == rows["at"].dt.minute.value_counts().max()
    for q in (50, 95, 99):
        assert found[f"latency_p{q}", ""].value == pytest.approx(np.quantile(rows.ms, q / 100, method="inverted_cdf"), rel=0.01)
    assert found["queue_time_p95", ""].value == pytest.approx(np.quantile(rows.queue_ms, 0.95, method="inverted_cdf"), rel=0.01)
    assert found["saturation", ""].value == pytest.approx(rows.queue_ms.sum() / rows.ms.sum(), rel=0.01)
    assert found["concurrency", ""].value == pytest.approx(rows.ms.sum() / 3600e3, rel=0.01)
    assert found["tokens_per_request", ""].value == pytest.approx((rows.tokens_in + rows.tokens_out).mean(), rel=0.01)
    assert found["tokens_per_second", ""].value == pytest.approx((rows.tokens_in + rows.tokens_out).sum() / 3600, rel=0.01)


def test_each_region_and_host_has_its_own(slow_region: Home):
    rows, found = requests(5), scores_in(slow_region, 5)
    for column in ("region", "host"):
        for value, mine in rows.groupby(column):
            place = f"{column}={value}"
            assert found["rows", place].value == len(mine)
            assert found["latency_p95", place].value == pytest.approx(np.quantile(mine.ms, 0.95, method="inverted_cdf"), rel=0.01)
            others = rows[rows[column] != value]
            expected = np.exp(np.log(mine.ms).mean() - np.log(others.ms).mean())
            if len(mine) >= 50:
                assert found["latency_to_rest", place].value == pytest.approx(expected, rel=0.01)
    assert not [key for key in found if key[1] and key[0] in ("psi", "calibration_gap", "score_mean")], (
        "regions and hosts are no segments of the model"
    )


def test_what_is_not_kept_of_a_region_is_worked_out_when_asked_for(slow_region: Home):
    monitor = load_monitor(slow_region, "ranker")
    asked = Wanted(metrics=frozenset({"saturation"}), segment="region=asia", start=BEGIN + 5 * HOUR, end=BEGIN + 6 * HOUR)
    [score] = listed_scores(slow_region, monitor, asked, now=NOW)
    mine = requests(5).query("region == 'asia'")
    assert score.value == pytest.approx(mine.queue_ms.sum() / mine.ms.sum(), rel=0.02)


def test_a_slow_region_is_one_incident_and_its_first_line_names_it(slow_region: Home):
    [incident] = known_incidents(slow_region, now=NOW)
    assert incident.family == "service"
    assert incident.headline.startswith("latency p95 of region eu-west ")
    assert incident.story is not None
    [cause] = incident.story.causes
    assert (cause.kind, cause.subject) == ("infrastructure", "region eu-west alone")
    assert dict(incident.story.facts)["Where"].startswith("region eu-west, 29 % of predictions. They take 4.")
    during = {s.window_start for s in slow_region.lake.newest(Signal) if s.level == "page"}
    assert during == {BEGIN + hour * HOUR for hour in BAD}


PLANTS = {
    "one host is slow": (slower({"host": "us-2"}, 3.0), "latency p95 of host us-2 "),
    "one host fails": (failing({"host": "us-2"}, 0.5, "504"), "of requests of host us-2 failed"),
    "all are slow": (slower({}, 3.0), "latency p95 "),
    "all fail": (failing({}, 0.2, "503"), "error ratio "),
}


@pytest.mark.parametrize("name", [n if n == "one host is slow" else pytest.param(n, marks=pytest.mark.nightly) for n in PLANTS])
def test_what_is_everywhere_is_told_of_the_whole_and_what_is_in_a_place_of_that(name: str, make_home: Callable[..., Home]):
    plant, said = PLANTS[name]
    home = make_home(FEW)
    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=BAD_HOURS, rows=250)
    watch(home, now=SOON)
    [incident] = known_incidents(home, now=SOON)
    assert said in incident.headline
    named = {place for place in ("region", "host") if f"of {place}" in incident.headline}
    assert named == ({"host"} if name.startswith("one") else set())


def test_a_service_scaled_to_nothing_is_empty_and_not_down(make_home: Callable[..., Home]):
    home = make_home(FEW)
    hours_of(home.root, range((FEW_DAYS - 1) * 24), rows=60)
    hours_of(home.root, range((FEW_DAYS - 1) * 24 + 5, FEW_DAYS * 24), rows=60)
    gather(home, now=SOON)
    quiet = (FEW_DAYS - 1) * 24 + 2
    found = scores_in(home, quiet)
    assert found["rows", ""].value == 0
    assert ("availability", "") not in found
    [run] = [r for r in home.lake.newest(Run) if r.operation == "measure" and r.window_start == BEGIN + quiet * HOUR]
    assert run.outcome == "empty"
    assert scores_in(home, quiet + 5)["availability", ""].value > 0.9


BAD_LATENCIES = {
    "nought": (lambda ms, some: ms.where(~some, 0.0), "have a latency of 0, below, or above eleven days"),
    "negative": (lambda ms, some: ms.where(~some, -ms), "have a latency of 0, below, or above eleven days"),
    "infinite": (lambda ms, some: ms.where(~some, np.inf), "have a latency of 0, below, or above eleven days"),
    "immense": (lambda ms, some: ms.where(~some, 1e308), "have a latency of 0, below, or above eleven days"),
    "null": (lambda ms, some: ms.where(~some), "have no latency"),
}
WITH_BAD = dict(zip(BAD_LATENCIES, BAD_HOURS, strict=False))
"""The hour that each kind of bad latency is in."""


@pytest.fixture(scope="module")
def bad_latencies(tmp_path_factory) -> Home:
    """Hours, one after the other, of which three rows in ten have a latency that is none, of another kind in each."""
    home = new_home(tmp_path_factory.mktemp("bad") / "home", FEW)
    kinds = iter(BAD_LATENCIES.values())

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows["ms"] = next(kinds)[0](rows.ms, pd.Series(rng.random(len(rows)) < 0.3))

    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=range(BAD_HOURS[0], BAD_HOURS[0] + len(BAD_LATENCIES)), rows=120)
    watch(home, now=SOON)
    return home


@pytest.mark.parametrize("name", BAD_LATENCIES)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_latencies_that_are_none_are_counted_apart_and_said_and_no_alarm(name: str, bad_latencies: Home):
    found = scores_in(bad_latencies, WITH_BAD[name])
    score, every = found["latency_p95", ""], found["rows", ""].value
    assert score.state == "done"
    assert BAD_LATENCIES[name][1] in score.reason
    assert 0.5 * every < score.n < 0.9 * every
    assert score.value == pytest.approx(score.reference_value, rel=0.3)
    assert not [s for s in bad_latencies.lake.newest(Signal) if s.level == "page"]


@pytest.mark.nightly
def test_a_million_statuses_are_a_few_classes(make_home: Callable[..., Home]):
    """Thousands of different ones in the lake here; the classes themselves are tried on a million in test_statuses.py."""
    home = make_home(FEW)

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows["status"] = [f"request {i} of {rng.integers(1 << 40)} went astray" for i in range(len(rows))]

    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=BAD_HOURS, rows=100)
    watch(home, now=SOON)
    found = scores_in(home, BAD_HOURS[2])
    assert found["error_ratio", ""].value == found["other_error_ratio", ""].value == 1.0
    assert found["availability", ""].value == 0.0
    [incident] = known_incidents(home, now=SOON)
    assert incident.headline.startswith("error ratio 1")


@pytest.mark.nightly
def test_hosts_that_come_and_go_have_figures_and_are_no_alarm(make_home: Callable[..., Home]):
    home = make_home(FEW)

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows.loc[rows.host == "us-3", "host"] = "us-9"

    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=BAD_HOURS, rows=150)
    watch(home, now=SOON)
    found = scores_in(home, BAD_HOURS[2])
    assert found["rows", "host=us-9"].value > 0
    assert ("rows", "host=us-3") not in found
    assert found["latency_to_rest", "host=us-9"].reference_value is None
    assert known_incidents(home, now=SOON) == []


def test_rows_that_do_not_tell_their_host_are_in_one_place_be_it_empty_or_null(make_home: Callable[..., Home]):
    home = make_home(FEW)
    hour = requests(5)
    hour.loc[hour.host == "us-2", "host"] = ""
    hour.loc[hour.host == "us-3", "host"] = None
    hours_of(home.root, range(FEW_DAYS * 24 - 24))
    hour = hour.assign(at=hour["at"] + (FEW_DAYS - 1) * 24 * HOUR, id="late-" + hour["id"])
    hour.to_parquet(home.root / "inbox" / "ranker-late.parquet", index=False)
    watch(home, now=SOON)
    found = scores_in(home, (FEW_DAYS - 1) * 24 + 5)
    untold = hour[(hour.host == "") | hour.host.isna()]
    assert found["rows", "host=(null)"].value == len(untold)
    assert found["latency_p95", "host=(null)"].value == pytest.approx(np.quantile(untold.ms, 0.95, method="inverted_cdf"), rel=0.01)
    assert not [place for _, place in found if place == "host="]


def test_of_ever_new_hosts_fifty_are_told_apart(make_home: Callable[..., Home]):
    home = make_home(FEW)

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows["host"] = [f"pod-{rng.integers(1 << 30)}" for _ in range(len(rows))]

    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=range(FEW_DAYS * 24), rows=100)
    watch(home, now=SOON)
    assert len({place for metric, place in scores_in(home, BAD_HOURS[2]) if metric == "rows" and place.startswith("host=")}) <= 50
    assert known_incidents(home, now=SOON) == []


@pytest.mark.nightly
def test_seconds_are_measured_in_milliseconds_where_the_monitor_says_so(make_home: Callable[..., Home]):
    columns = SERVED["columns"] | {"latency_unit": "s"}
    home = make_home(FEW | {"columns": columns})

    def plant(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows[["ms", "queue_ms"]] /= 1e3

    hours_of(home.root, range(FEW_DAYS * 24), plant=plant, during=range(FEW_DAYS * 24), rows=60)
    watch(home, now=SOON)
    rows = requests(5, rows=60)
    assert scores_in(home, 5)["latency_p95", ""].value == pytest.approx(np.quantile(rows.ms, 0.95, method="inverted_cdf"), rel=0.01)
    assert scores_in(home, 5)["saturation", ""].value == pytest.approx(rows.queue_ms.sum() / rows.ms.sum(), rel=0.02)


def test_a_limit_of_latency_is_kept_or_broken_and_a_new_one_is_measured_anew(make_home: Callable[..., Home]):
    said = {"service": {"latency_limit": 200}, "targets": [{"metric": "latency_over", "at_most": 0.01, "per": "day"}]}
    home = make_home(FEW | said)
    hours_of(home.root, range(FEW_DAYS * 24), plant=slower({}, 2.0), during=range((FEW_DAYS - 1) * 24, FEW_DAYS * 24), rows=60)
    watch(home, now=SOON)
    rows = requests(5, rows=60)
    assert scores_in(home, 5)["latency_over", ""].value == pytest.approx((rows.ms > 200).mean(), abs=0.02)
    assert scores_in(home, 5)["latency_over", ""].reason == "slower than 198 ms", "the nearest end of a step"
    assert "target latency_over" in {i.subject for i in known_incidents(home, now=SOON)}
    file = home.monitors_dir / "ranker.yaml"
    file.write_text(json.dumps(FEW | said | {"service": {"latency_limit": 100}}))
    gather(home, now=SOON + HOUR)
    assert scores_in(home, 5)["latency_over", ""].value == pytest.approx((rows.ms > 100).mean(), abs=0.02)


@pytest.mark.nightly
def test_each_version_has_its_own_latency(make_home: Callable[..., Home]):
    home = make_home(FEW | {"columns": SERVED["columns"] | {"version": "version"}})

    def two(rows: pd.DataFrame, rng: np.random.Generator) -> None:
        rows["version"] = np.where(rng.random(len(rows)) < 0.5, "1", "2")
        rows.loc[rows.version == "2", "ms"] *= 2

    hours_of(home.root, range(FEW_DAYS * 24), plant=two, during=range(FEW_DAYS * 24), rows=60)
    watch(home, now=SOON)
    rows = requests(5, rows=60)
    two(rows, np.random.default_rng([0, 5, 1]))
    monitor = load_monitor(home, "ranker")
    for version, mine in rows.groupby("version"):
        asked = Wanted(metrics=frozenset({"latency_p50"}), version=str(version), start=BEGIN + 5 * HOUR, end=BEGIN + 6 * HOUR)
        [score] = listed_scores(home, monitor, asked, now=SOON)
        assert score.value == pytest.approx(np.quantile(mine.ms, 0.5, method="inverted_cdf"), rel=0.01)


TARGETS = {
    "of a region": ({"metric": "latency_p95", "segment": "region=asia", "at_most": 300}, ""),
    "of a place that is not named": (
        {"metric": "latency_to_rest", "at_most": 2},
        "is one of a region, a host or a segment, and the target names none",
    ),
    "of the model in a region": ({"metric": "recall", "segment": "region=asia", "at_least": 0.5}, "is of no declared segment"),
    "of a peak in a region": ({"metric": "rows_peak_minute", "segment": "region=asia", "at_most": 5}, "is not measured in segments"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_promise_about_a_region_is_one_of_the_service(name: str):
    target, expected = TARGETS[name]
    found = [c.what for c in contradictions(Monitor.model_validate(SERVED | {"targets": [target]}))]
    assert [expected in what for what in found] == ([True] if expected else [])


def test_private_places_and_those_that_are_segments_already_are_none_of_the_service():
    assert Monitor.model_validate(SERVED).dimensions == ["region", "host"]
    assert Monitor.model_validate(SERVED | {"segments": ["region"], "private": ["host"]}).dimensions == ["region"]


def test_the_reference_ends_before_what_is_planted():
    assert min(BAD) >= REFERENCE_DAYS * 24
    assert set(TO_REST) == {"latency_to_rest", "errors_to_rest"}
