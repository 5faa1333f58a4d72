"""A run on a GPU host's worker samples it, with a real Prefect server."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nvml_world import NvmlWorld, needs_gcc
from prefect_world import Starting
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.samples import GpuSample, HostSample

pytestmark = [pytest.mark.prefect, pytest.mark.slow, *needs_gcc]


def test_a_run_samples_for_its_time_and_says_what_landed(starting: Starting, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchkeeper.flows import sampling

    NvmlWorld(tmp_path, "- count 2", "* utilisation 40").enter(monkeypatch)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    with starting.ready():
        state = sampling.sample_gpus(hours=1 / 3600, every="0.2s", model="parcels", return_state=True)
        wrong = sampling.sample_gpus(processes=["parcels"], return_state=True)
    landed = home.lake.newest(GpuSample)
    assert state.is_completed(), state.message
    assert {(s.device, s.model, s.utilisation_ratio) for s in landed} == {(0, "parcels", 0.4), (1, "parcels", 0.4)}
    assert (state.message or "").startswith(f"{len(landed)} GPU readings, 0 process readings, ")
    assert isinstance(wrong.result(raise_on_failure=False), UsageError)


@pytest.mark.nightly
def test_a_scheduled_run_leaves_those_of_other_hosts_alone_and_one_whose_time_is_over_reads_nothing(starting: Starting, home: Home) -> None:
    """Two schedules of the same parameters, as for two hosts of a pool: runs of an hour ago, and of a second ago."""
    from prefect import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
    from prefect.client.schemas.schedules import IntervalSchedule
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME

    with starting.ready(), get_client(sync_client=True) as client:
        anchor = datetime.now(UTC) - timedelta(hours=1, seconds=1)
        schedules = [
            DeploymentScheduleCreate(slug=name, schedule=IntervalSchedule(interval=timedelta(hours=1), anchor_date=anchor)) for name in ("one", "two")
        ]
        deployment_id = client.create_deployment(
            client.create_flow_from_name("sample-gpus"),
            "two-hosts",
            schedules=schedules,
            parameters={"hours": 0.0125, "every": "0.5s"},
            path=".",
            entrypoint="watchkeeper.flows.sampling.sample_gpus",
        )
        bounds = {"start_time": (anchor - timedelta(minutes=1)).isoformat(), "end_time": datetime.now(UTC).isoformat()}
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": deployment_id}, json=bounds).raise_for_status()
        mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]))
        runs = sorted(client.read_flow_runs(flow_run_filter=mine), key=lambda r: r.expected_start_time or anchor)
        assert [r.auto_scheduled for r in runs] == [True] * 4
        env = {
            **os.environ,
            "WATCHKEEPER_HOME": str(home.root),
            "PREFECT_API_URL": PREFECT_API_URL.value(),
            "PREFECT_HOME": str(PREFECT_HOME.value()),
        }
        engine = [sys.executable, "-m", "prefect.engine"]
        both = [subprocess.Popen(engine, env={**env, "PREFECT__FLOW_RUN_ID": str(run.id)}) for run in (runs[3], runs[0])]
        assert [process.wait(120) for process in both] == [0, 0]
        old, other_old, other, now = (client.read_flow_run(r.id).state for r in runs)
    assert old is not None
    assert old.message == "No reading: it was due so long ago that its time is over."
    assert now is not None
    assert now.is_completed(), now.message
    assert [s is not None and s.is_scheduled() for s in (other_old, other)] == [True, True]
    assert home.lake.newest(HostSample)
