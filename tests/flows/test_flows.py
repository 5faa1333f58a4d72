"""Flows without a server: their forms, names and last words, and the file that deploys them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule
from prefect.utilities.callables import parameter_schema

from watchkeeper.adapters.prefect_file import FILE, Deployment, read_deployments
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.flows.artifacts import dated, table
from watchkeeper.flows.fan_out import Outcome, conclude, may_help
from watchkeeper.flows.selection import Selection, name_of, select, stretch
from watchkeeper.samples import HostSample

ROOT = Path(__file__).parent.parent.parent
SHIPPED = read_deployments(Home(Path("/nowhere")))
NAIVE = datetime.fromisoformat("2013-04-22")
DUE = datetime(2026, 1, 5, 7, 30, tzinfo=UTC)


def test_the_shipped_file_and_the_demo_workspace_say_the_same():
    assert (ROOT / FILE).read_bytes() == (ROOT / "src/watchkeeper/templates" / FILE).read_bytes()


@pytest.mark.parametrize("deployment", SHIPPED, ids=lambda d: d.name)
def test_every_deployment_is_a_flow_with_a_form_that_explains_itself(deployment: Deployment):
    flow = load_flow_from_entrypoint(deployment.entrypoint, use_placeholder_flow=False)
    form = parameter_schema(flow)
    assert flow.name == deployment.name
    assert all(p.get("description") for p in form.properties.values()), form.properties
    assert flow.description
    assert deployment.description
    assert all(set(t.parameters) <= set(form.properties) for t in deployment.schedules)


def test_all_but_what_a_person_starts_have_a_schedule_of_their_own():
    assert [d.name for d in SHIPPED if not d.schedules] == ["change", "ack", "silence", "resolve", "rebaseline", "backfill", "sample-gpus"]


def test_respond_follows_each_intake():
    """What came in at a quarter past is judged ten minutes later, so that measuring in between has time."""
    minutes = {d.name: [m.minute for m in _dates(d)] for d in SHIPPED if d.name in ("intake", "respond")}
    assert minutes == {"intake": [0, 15, 30, 45], "respond": [10, 25, 40, 55]}


def _dates(deployment: Deployment) -> list[datetime]:
    schedule = CronSchedule(cron=deployment.schedules[0].cron, timezone="Europe/Berlin")
    return asyncio.run(schedule.get_dates(4, start=DUE.replace(minute=0, second=0)))


def test_one_flow_runs_once_at_a_time():
    """But for the watch, of which the next run begins before one ends, so that there is no gap between them."""
    assert {d.name: d.concurrency_limit.limit for d in SHIPPED if d.concurrency_limit} == {
        **dict.fromkeys(("intake", "measure", "respond", "costs", "digest", "upkeep", "backfill"), 1),
        "watch": 2,
    }


def test_the_watch_that_goes_on_begins_only_when_somebody_asks_for_it():
    assert {d.name for d in SHIPPED for t in d.schedules if not t.active} == {"watch"}


def test_the_watch_that_goes_on_refuses_a_clock_that_stands_still(make_home, monkeypatch: pytest.MonkeyPatch):
    from watchkeeper.flows.watch import watch

    monkeypatch.setenv("WATCHKEEPER_HOME", str(make_home(name="still", now="2014-01-02T18:00Z").root))
    with pytest.raises(UsageError, match=r"watchkeeper.yaml: the clock stands still.*Take `now` out of it"):
        watch.fn(minutes=1.0)


@pytest.mark.parametrize(
    ("verb", "parameters", "expected"),
    [
        ("measure", {"models": ["flight_delays"], "start": datetime(2013, 4, 22, tzinfo=UTC)}, "measure-flight_delays-2013-04-22"),
        ("measure", {"models": ["a", "b"], "start": NAIVE, "end": NAIVE + timedelta(days=7)}, "measure-a+b-2013-04-22..2013-04-29"),
        ("measure", {"models": ["a", "b", "c", "d", "e"]}, "measure-a+b+c+2-2026-01-05T07:30Z"),
        ("intake", {"models": None}, "intake-all-2026-01-05T07:30Z"),
        ("digest", {"period": "day"}, "digest-day-2026-01-05T07:30Z"),
        ("change", {"model": "parcels"}, "change-parcels-2026-01-05T07:30Z"),
        ("ack", {"incident": "4f0c9a1b", "who": "ann"}, "ack-4f0c9a1b-2026-01-05T07:30Z"),
        ("silence", {"incident": "", "model": "parcels"}, "silence-parcels-2026-01-05T07:30Z"),
        ("upkeep", {}, "upkeep-2026-01-05T07:30Z"),
    ],
)
def test_run_names_can_be_searched(verb: str, parameters: dict, expected: str):
    assert name_of(verb, parameters, DUE) == expected


def test_an_end_before_its_start_is_refused():
    with pytest.raises(UsageError, match="must come after"):
        stretch(NAIVE + timedelta(days=1), NAIVE)


def test_a_moment_without_zone_is_utc():
    assert stretch(NAIVE, None) == (datetime(2013, 4, 22, tzinfo=UTC), None)


def test_a_model_that_is_in_no_file_is_named(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    with pytest.raises(UsageError, match="no model 'parcel'"):
        select(["parcel"], None)


def test_the_clock_is_read_once_unless_a_moment_is_given(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    assert select(None, NAIVE).now == datetime(2013, 4, 22, tzinfo=UTC)
    assert abs(select(None, None).now - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_flow_acts_as_of_where_the_workspaces_clock_stands(make_home, monkeypatch: pytest.MonkeyPatch):
    still = make_home(name="still", now="2014-01-02T18:00Z")
    monkeypatch.setenv("WATCHKEEPER_HOME", str(still.root))
    assert select(None, None).now == datetime(2014, 1, 2, 18, tzinfo=UTC)
    assert select(None, NAIVE).now == datetime(2013, 4, 22, tzinfo=UTC)
    said = "As of Thu 2 Jan 2014, 18:00 (UTC). The clock of this workspace stands at Thu 2 Jan 2014, 18:00 (`now` in watchkeeper.yaml)."
    assert dated(select(None, None)) == said
    assert dated(select(None, NAIVE)) == "As of Mon 22 Apr 2013, 00:00 (UTC)."


def test_a_run_fails_when_any_model_failed_and_names_it(home: Home):
    outcomes = [Outcome(about="good", value=3), Outcome(about="bad", failure="its file is truncated"), Outcome(about="bad", value=0)]
    state = conclude(chosen(home), outcomes, "3 windows")
    assert state.is_failed()
    assert state.message == "1 of 2 failed, the others are done. bad: its file is truncated"


def test_a_run_fails_when_a_monitor_file_cannot_be_read(home: Home):
    (home.monitors_dir / "broken.yaml").write_text("model: broken\ntask: binry\n")
    state = conclude(chosen(home), [Outcome(about="parcels", value=3)], "3 windows")
    assert state.is_failed()
    assert state.message.startswith("1 of 2 failed, the others are done. broken: deployments/monitors/broken.yaml")


def test_a_run_completes_when_all_models_did(home: Home):
    state = conclude(chosen(home), [Outcome(about="good", value=3)], "3 windows")
    assert state.is_completed()
    assert state.message == "3 windows"


def test_a_run_on_a_gpu_host_samples_for_as_long_as_it_was_told_and_says_what_landed(home: Home, monkeypatch: pytest.MonkeyPatch, no_driver: None):
    from watchkeeper.flows.sampling import sample_gpus

    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    state = sample_gpus.fn(hours=0.5 / 3600, every="0.1s", host="box")
    readings = home.lake.newest(HostSample)
    assert {r.host for r in readings} == {"box"}
    assert 0.1 <= sum(r.interval_s for r in readings) <= 2.0
    assert state.message.startswith(f"0 GPU readings, 0 process readings, {len(readings)} host readings landed. No GPU on box: ")


def test_a_run_to_whose_exporter_nobody_answers_has_failed(home: Home, monkeypatch: pytest.MonkeyPatch):
    from watchkeeper.flows.sampling import sample_gpus

    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    state = sample_gpus.fn(hours=0.3 / 3600, every="0.1s", host="box", dcgm=["http://127.0.0.1:9/metrics"])
    assert state.is_failed()
    assert state.message.startswith("0 GPU readings")


def test_a_run_for_a_model_that_there_is_not_says_so(home: Home, monkeypatch: pytest.MonkeyPatch):
    from watchkeeper.flows.sampling import sample_gpus

    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    with pytest.raises(UsageError, match="there is no model 'parcel'"):
        sample_gpus.fn(hours=0.3 / 3600, every="0.1s", model="parcel")


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without devices, whether this process has loaded the stand-in before or there is a driver."""
    (tmp_path / "nvml.txt").write_text("- count 0\n")
    monkeypatch.setenv("NVML_STANDIN", str(tmp_path / "nvml.txt"))


def chosen(home: Home) -> Selection:
    return Selection(home, *load_monitors(home), DUE)


def test_a_mistake_is_not_tried_again_but_a_lost_connection_is():
    from prefect.states import Failed

    assert not may_help(None, None, Failed(data=UsageError("no such model")))
    assert may_help(None, None, Failed(data=ConnectionError("reset")))


def test_a_table_cell_cannot_break_the_table():
    assert table(["why"], [{"why": "a|b\nc"}]).splitlines()[-1] == "| a\\|b\\nc |"


def test_mistakes_in_prefect_yaml_are_told_with_their_lines(home: Home):
    text = (ROOT / FILE).read_text().replace("slug: hourly, cron", "slug: hourly, crn")
    (home.root / FILE).write_text(text)
    with pytest.raises(ConfigurationError, match=r"unknown key 'crn' \(line \d+\): did you mean 'cron'\?"):
        read_deployments(home)


def with_secret(home: Home, value: str) -> None:
    env = f'name: watchkeeper\n    job_variables: {{env: {{AWS_SECRET_ACCESS_KEY: "{value}"}}}}'
    (home.root / FILE).write_text((ROOT / FILE).read_text().replace("name: watchkeeper\n    work_queue_name", f"{env}\n    work_queue_name"))


def test_prefect_yaml_may_name_a_secret_that_prefect_keeps(home: Home):
    with_secret(home, "{{ prefect.blocks.secret.lake-secret }}")
    assert {d.work_pool.job_variables["env"]["AWS_SECRET_ACCESS_KEY"] for d in read_deployments(home)} == {"{{ prefect.blocks.secret.lake-secret }}"}


def test_prefect_yaml_may_hold_no_secret_itself(home: Home):
    with_secret(home, "{{ prefect.blocks.secret.x }}abc123")
    with pytest.raises(ConfigurationError, match="'AWS_SECRET_ACCESS_KEY' looks like a secret"):
        read_deployments(home)
