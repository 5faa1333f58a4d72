"""Our metrics as others read them: parsed back by Prometheus' own parser and OpenTelemetry's own classes."""

import dataclasses
import json
import math
import urllib.request
from collections.abc import Mapping
from datetime import timedelta

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from prometheus_client.parser import text_string_to_metric_families

import worlds_site as world
from receiver import Answer, Receiver
from watchkeeper.adapters.our_metrics import Gauge, prometheus_name, prometheus_text
from watchkeeper.adapters.pages_server import serving
from watchkeeper.adapters.scrape import scrape
from watchkeeper.adapters.workspace import find_home
from watchkeeper.operations.export import deliver, metrics_of, write_page
from watchkeeper.records import Score


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A workspace of the flights with scores, incidents and runs; tests of this file add nothing that others would see."""
    home, watched = as_files(tmp_path_factory.mktemp("export"))
    return home, {watched.model: watched}


def as_files(root, **workspace):
    """Return the world with its files, as the command line finds it."""
    _, watched = world.build(root)
    (root / "deployments" / "monitors").mkdir(parents=True)
    (root / "deployments" / "monitors" / "flights.yaml").write_text(
        watched.model_dump_json(by_alias=True, exclude_unset=True).replace("P1DT12H", "36h")
    )
    (root / "watchkeeper.yaml").write_text(json.dumps(workspace))
    return find_home(root), watched


def parsed(text) -> Mapping[str, list]:
    return {f.name: f.samples for f in text_string_to_metric_families(text)}


def points(gauges, name):
    return next(g for g in gauges if g.name == name).points


def newest(home, metric):
    scores = [s for s in home.lake.newest(Score) if s.metric == metric and not s.segment and not s.feature and not s.version]
    return max(scores, key=lambda s: s.window_start)


def test_the_newest_score_of_each_series_is_there_as_prometheus_reads_it(built):
    home, monitors = built
    found = parsed(prometheus_text(metrics_of(home, monitors, now=world.NOW)))
    recall = newest(home, "recall")
    (sample,) = [
        s for s in found["watchkeeper_score"] if s.labels["metric"] == "recall" and "segment" not in s.labels and s.labels["state"] == recall.state
    ]
    assert sample.value == recall.value
    assert sample.labels == {
        "model": "flight_delays",
        "environment": "production",
        "metric": "recall",
        "window": "day",
        "state": recall.state,
        "unit": "ratio",
    }
    assert found["watchkeeper_score_series_left_out"][0].value == 0
    assert found["watchkeeper_export_timestamp_seconds"][0].value == world.NOW.timestamp()


def test_names_have_units_help_and_type(built):
    text = prometheus_text(metrics_of(*built, now=world.NOW))
    families = list(text_string_to_metric_families(text))
    assert {f.type for f in families} == {"gauge"}
    assert all(f.documentation for f in families)
    assert {f.name for f in families} >= {"watchkeeper_run_timestamp_seconds", "watchkeeper_run_failed", "watchkeeper_window_end_timestamp_seconds"}


def test_open_incidents_are_counted_by_severity_with_zeros(built):
    home, monitors = built
    before_any = {
        tuple(labels.values()): n
        for labels, n in points(metrics_of(home, monitors, now=world.NOW - timedelta(days=400)), "watchkeeper.incidents.open")
    }
    assert before_any == {("flight_delays", s): 0.0 for s in ("notice", "warning", "high", "critical")}
    from watchkeeper.operations.incident_book import known_incidents

    open_ones = [i.severity for i in known_incidents(home, now=world.NOW) if i.is_open]
    assert open_ones
    now = {labels["severity"]: n for labels, n in points(metrics_of(home, monitors, now=world.NOW), "watchkeeper.incidents.open")}
    assert now == {s: float(open_ones.count(s)) for s in now}


def test_scores_of_long_ago_are_no_news(built):
    home, monitors = built
    assert points(metrics_of(home, monitors, now=world.NOW + timedelta(days=60)), "watchkeeper.score") == []


def test_series_are_bounded_whole_models_first_and_the_rest_is_counted(built):
    home, monitors = built
    every = points(metrics_of(home, monitors, now=world.NOW), "watchkeeper.score")
    whole = [labels for labels, _ in every if not labels["segment"] and not labels["feature"]]
    assert len(whole) < len(every)
    few = metrics_of(home, monitors, now=world.NOW, series=len(whole))
    assert [labels for labels, _ in points(few, "watchkeeper.score")] == whole
    assert points(few, "watchkeeper.score.series_left_out") == [({}, float(len(every) - len(whole)))]


def test_the_bound_on_series_is_that_of_watchkeeper_yaml_unless_another_is_given(tmp_path, watchkeeper):
    home, _ = as_files(tmp_path / "w", telemetry={"export": {"series": 100}})
    home.lake.append_records(Score, [dataclasses.replace(newest(home, "recall"), version=f"v{i}") for i in range(150)])
    at = ["export", "--now", world.NOW.isoformat()]
    counts = [len(parsed(watchkeeper(*at, *more, at=home).stdout)["watchkeeper_score"]) for more in ([], ["--series", "3"])]
    assert counts == [100, 3]


def test_segments_of_a_private_column_stay_inside(built):
    home, monitors = built
    watched = monitors["flight_delays"]
    segments = {labels["segment"] for labels, _ in points(metrics_of(home, monitors, now=world.NOW), "watchkeeper.score")} - {""}
    columns = {s.partition("=")[0] for s in segments}
    assert columns
    private = {"flight_delays": watched.model_copy(update={"private": sorted(columns)})}
    left = points(metrics_of(home, private, now=world.NOW), "watchkeeper.score")
    assert left
    assert not [labels for labels, _ in left if labels["segment"]]


def test_any_text_in_a_label_survives_both_ways():
    odd = 'a "b" \\n \\ c\nd = {e}, ü'
    text = prometheus_text([Gauge("watchkeeper.score", "1", "About\nit \\", [({"segment": odd}, math.inf), ({"segment": "x"}, math.nan)])])
    first, second = parsed(text)["watchkeeper_score"]
    assert (first.labels["segment"], first.value) == (odd, math.inf)
    assert math.isnan(second.value)


def of_request(request) -> dict:
    (group,) = request.resource_metrics
    return {m.name: m for m in group.scope_metrics[0].metrics}


def test_otlp_as_protobuf_and_json_says_what_prometheus_reads(built, watchkeeper, tmp_path):
    home, _ = built
    at = ["--now", world.NOW.isoformat()]
    texts = parsed(watchkeeper("export", *at, at=home).stdout)
    assert watchkeeper("export", *at, "--format", "otlp-protobuf", "--out", str(tmp_path / "m.pb"), at=home).exit_code == 0
    request = ExportMetricsServiceRequest.FromString((tmp_path / "m.pb").read_bytes())
    written = watchkeeper("export", *at, "--format", "otlp-json", at=home).stdout
    assert len(written.splitlines()) == 1
    assert json_format.Parse(written, ExportMetricsServiceRequest()) == request
    metrics = of_request(request)
    assert {prometheus_name(Gauge(m.name, m.unit, "")) for m in metrics.values()} == set(texts)
    told = sorted(p.as_double for p in metrics["watchkeeper.score"].gauge.data_points)
    assert told == sorted(s.value for s in texts["watchkeeper_score"])
    assert {p.time_unix_nano for p in metrics["watchkeeper.score"].gauge.data_points} == {int(world.NOW.timestamp()) * 10**9}
    resource = {a.key: a.value.string_value for a in request.resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "watchkeeper"


def test_our_own_otlp_can_be_taken_in_again(built, watchkeeper, tmp_path):
    home, monitors = built
    file = tmp_path / "ours.json"
    watchkeeper("export", "--now", world.NOW.isoformat(), "--format", "otlp-json", "--out", str(file), at=home)
    (told,) = json.loads(watchkeeper("take-telemetry", str(file), "--json").stdout)
    assert (told["status"], told["values"]) == ("landed", sum(len(g.points) for g in metrics_of(home, monitors, now=world.NOW)))


class Collector(Receiver):
    """Takes OTLP as a collector does; refuses some values on demand."""

    refused = 0

    def answer(self, request):
        del request
        partial = ExportMetricsPartialSuccess(rejected_data_points=self.refused, error_message="too old" if self.refused else "")
        said = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
        return Answer(content=said.decode("latin-1"), headers={"Content-Type": "application/x-protobuf"})


def test_a_collector_gets_them_with_its_token(built, watchkeeper):
    home, _ = built
    with Collector() as collector:
        done = watchkeeper(
            "export",
            "--now",
            world.NOW.isoformat(),
            "--otlp",
            collector.url,
            "--bearer",
            "collector",
            at=home,
            env={"WATCHKEEPER_TOKEN_COLLECTOR": "s3same"},
        )
    assert done.exit_code == 0, done.output
    (request,) = collector.requests
    assert (request.path, request.headers["authorization"], request.headers["content-type"]) == (
        "/v1/metrics",
        "Bearer s3same",
        "application/x-protobuf",
    )
    assert "watchkeeper.score" in of_request(ExportMetricsServiceRequest.FromString(request.body))
    assert "values sent." in done.stdout


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(503, "busy"), "answered 503"),
        (Answer(401, "who are you"), "answered 401"),
        (Answer(200, "<html>Sign in</html>", {"Content-Type": "text/html"}), "answered with a web page"),
        (Answer(silent=True), "gave no answer"),
    ],
)
def test_a_collector_that_does_not_take_them_is_one_sentence(built, watchkeeper, answer, why):
    home, _ = built
    with Collector() as collector:
        collector.faults.append(answer)
        done = watchkeeper("export", "--now", world.NOW.isoformat(), "--otlp", f"{collector.url}/v1/metrics", at=home)
    assert done.exit_code == 4
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_goes_nowhere_but_to_the_collector(built, watchkeeper, status):
    home, _ = built
    with Collector() as collector, Receiver() as elsewhere:
        collector.faults.append(Answer(status, "", {"Location": f"{elsewhere.url}/v1/metrics"}))
        how = ("--otlp", collector.url, "--bearer", "collector")
        done = watchkeeper("export", "--now", world.NOW.isoformat(), *how, at=home, env={"WATCHKEEPER_TOKEN_COLLECTOR": "s3same"})
    assert elsewhere.requests == []
    assert done.exit_code == 4
    assert f"answered {status}" in done.stderr
    assert "Name the address that takes them itself" in done.stderr


def test_values_that_a_collector_refuses_are_told_of(built, watchkeeper):
    home, _ = built
    with Collector() as collector:
        collector.refused = 3
        done = watchkeeper("export", "--now", world.NOW.isoformat(), "--otlp", collector.url, at=home)
    assert "3 values refused: too old" in done.stderr


def test_the_pages_serve_them_where_prometheus_can_read_them(built):
    home, monitors = built
    write_page(home, monitors, now=world.NOW)
    with serving(home.site_dir, 0) as address:
        with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:  # noqa: S310 - our own server
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        found = scrape(f"{address}/metrics")
    assert found["watchkeeper_score"].samples


def test_what_watchkeeper_yaml_names_gets_them_and_one_that_fails_stops_no_other(tmp_path):
    with Collector() as collector:
        collector.faults.append(Answer(500, "oh"))
        home, watched = as_files(tmp_path / "w", telemetry={"export": {"textfile": "out/watchkeeper.prom", "otlp": collector.url}})
        monitors = {watched.model: watched}
        said = deliver(home, monitors, now=world.NOW)
        assert len(said) == 1
        assert "answered 500" in said[0]
        assert deliver(home, monitors, now=world.NOW) == []
    root = home.root
    assert parsed((root / "out" / "watchkeeper.prom").read_text())["watchkeeper_build_info"][0].value == 1
    assert [p.name for p in (root / "out").iterdir()] == ["watchkeeper.prom"]
    assert len(collector.requests) == 2


def test_nothing_is_sent_where_nothing_is_named(built):
    home, monitors = built
    assert deliver(home, monitors, now=world.NOW) == []


def test_options_that_contradict_each_other_are_told_of(built, watchkeeper):
    home, _ = built
    assert "a token is for a collector" in watchkeeper("export", "--bearer", "x", at=home).stderr
    assert "protobuf is not for reading" in watchkeeper("export", "--format", "otlp-protobuf", at=home).stderr
