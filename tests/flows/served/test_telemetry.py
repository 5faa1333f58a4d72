"""The schedules take telemetry in and send metrics out; a source or collector that fails fails its run by name, and nothing else."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import PARCELS, new_home
from otel_world import a_trace, json_of
from prefect_world import Starting
from receiver import Answer, Receiver
from watchkeeper.adapters.scrape import scrape
from watchkeeper.adapters.tokens import authorization
from watchkeeper.flows.intake import intake
from watchkeeper.flows.respond import respond
from watchkeeper.samples import MetricSample, Span

pytestmark = [pytest.mark.prefect, pytest.mark.slow]


class Page(Receiver):
    """Answers with one gauge, and takes what is posted."""

    def answer(self, request):
        return Answer(content="" if request.body else "# TYPE queue gauge\nqueue 3\n")


@pytest.fixture
def page():
    with Page() as receiver:
        yield receiver


def test_intake_takes_telemetry_in_and_respond_sends_metrics_out(starting: Starting, tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch):
    sources = [{"name": "fleet", "scrape": f"{page.url}/metrics"}, {"name": "gone", "server": "http://127.0.0.1:9", "query": "up"}]
    export = {"textfile": "out/ours.prom", "otlp": page.url}
    home = new_home(tmp_path / "home", PARCELS, telemetry={"files": ["inbox/*.jsonl"], "prometheus": sources, "export": export})
    (home.root / "inbox" / "a.jsonl").write_bytes(json_of(a_trace()))
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    with starting.ready():
        taken = intake(return_state=True)
        assert taken.is_failed()
        assert "gone: http://127.0.0.1:9/api/v1/query_range: cannot be read" in taken.message
        assert "parcels" not in taken.message
        (value,) = home.lake.newest(MetricSample)
        assert (value.name, value.value, value.source) == ("queue", 3.0, "fleet")
        assert len(home.lake.newest(Span)) == 3

        sent = respond(return_state=True)
        assert sent.is_completed(), sent.message
        assert page.requests[-1].path == "/v1/metrics"
        assert 'watchkeeper_incidents_open{model="parcels",severity="high"} 0' in (home.root / "out" / "ours.prom").read_text()

        before = len(page.requests)
        assert respond(as_of=datetime(2025, 1, 1, tzinfo=UTC), return_state=True).is_completed()
        assert len(page.requests) == before
        page.faults.append(Answer(500, "oh"))
        failed = respond(return_state=True)
        assert failed.is_failed()
        assert "answered 500" in failed.message


def test_a_token_may_lie_in_a_prefect_block(starting: Starting, page: Page, monkeypatch: pytest.MonkeyPatch):
    from prefect.blocks.system import Secret

    with starting.ready():
        Secret(value="s3same").save("watchkeeper-token-fleet", overwrite=True)
        monkeypatch.setenv("PREFECT_API_URL", f"{starting.server.ui}/api")
        assert authorization("fleet") == {"Authorization": "Bearer s3same"}
    assert scrape(f"{page.url}/metrics")["queue"].samples[0].value == 3.0
