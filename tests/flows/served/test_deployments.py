"""What is deployed to a real Prefect server: schedules that people changed stay, late runs are stood in for, secrets are known by name.

A worker and a server on Postgres take longer: tests/flows/test_up.py and tests/flows/test_on_postgres.py.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import kubernetes_validate
import pytest
import yaml

from conftest import PARCELS, new_home
from object_store import ObjectStore
from prefect_world import Starting
from watchkeeper.adapters.deployments import deploy_all
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.prefect_file import FILE
from watchkeeper.adapters.workspace import Home
from watchkeeper.flows.beginning import stand_in_for_late_runs
from watchkeeper.records import Batch
from worlds import parcels_days

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
NOW = datetime(2025, 1, 24, 7, tzinfo=UTC)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "lake-key", "AWS_SECRET_ACCESS_KEY": "lake-secret"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, object_store: ObjectStore) -> Home:
    """A workspace whose lake is on S3 and whose prefect.yaml is the shipped one, with the credentials as docs/cluster.md writes them."""
    root = tmp_path_factory.mktemp("deployed") / "home"
    made = new_home(root, PARCELS, timezone="Europe/Berlin", lake=f"{object_store.new_bucket('deployed').address}/lake")
    said = yaml.safe_load((ROOT / FILE).read_text())
    plain = {k: v for k, v in object_store.environment.items() if k not in CREDENTIALS}
    written = {k: f"{{{{ prefect.blocks.secret.{block} }}}}" for k, block in CREDENTIALS.items()}
    for deployment in said["deployments"]:
        deployment["work_pool"] = {**deployment["work_pool"], "job_variables": {"env": plain | written}}
    (root / FILE).write_text(yaml.safe_dump(said))
    return made


@pytest.fixture(scope="module")
def deployed(starting: Starting, home: Home) -> Iterator[Starting]:
    """The server to which everything was deployed once."""
    with starting.ready():
        assert all(d.is_new for d in deploy_all(home))
    return starting


def deployment(server: Starting, name: str) -> Any:
    return server.server.ask("GET", f"/deployments/name/{name}/{name}")


def schedules(server: Starting, name: str) -> dict[str, tuple[str, bool]]:
    return {s["slug"]: (s["schedule"].get("cron") or s["schedule"]["interval"], s["active"]) for s in deployment(server, name)["schedules"]}


def test_what_people_changed_stays_until_schedules_are_reset(deployed: Starting, home: Home):
    server, there = deployed.server, deployment(deployed, "digest")
    monday = next(s for s in there["schedules"] if s["slug"] == "monday-morning")
    server.ask("PATCH", f"/deployments/{there['id']}/schedules/{monday['id']}", {"active": False})
    intake = deployment(deployed, "intake")
    often = {"schedule": {"interval": 10, "timezone": "Europe/Berlin"}}
    server.ask("PATCH", f"/deployments/{intake['id']}/schedules/{intake['schedules'][0]['id']}", often)
    with deployed.ready():
        again = deploy_all(home)
    assert all("as they are in Prefect" in str(d) and not d.is_new for d in again)
    assert schedules(deployed, "intake") == {"every-15-minutes": (10, True)}
    assert schedules(deployed, "digest") == {"every-morning": ("0 7 * * *", True), "monday-morning": ("30 7 * * 1", False)}
    with deployed.ready():
        deploy_all(home, reset_schedules=True)
    assert schedules(deployed, "intake") == {"every-15-minutes": ("*/15 * * * *", True)}
    assert schedules(deployed, "digest") == {"every-morning": ("0 7 * * *", True), "monday-morning": ("30 7 * * 1", True)}


def test_one_run_stands_in_for_the_late_ones(deployed: Starting):
    """Those that a schedule planned, that is; one that a person asked for and one not yet due are left."""
    server, there, now = deployed.server, deployment(deployed, "intake"), datetime.now(UTC)
    hour = {"start_time": (now - timedelta(minutes=50)).isoformat(), "end_time": (now + timedelta(minutes=40)).isoformat(), "min_runs": 1}
    server.ask("POST", f"/deployments/{there['id']}/schedule", hour)
    asked = server.ask("POST", f"/deployments/{there['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    of_it = {"deployments": {"id": {"any_": [there["id"]]}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = [r for r in server.ask("POST", "/flow_runs/filter", of_it) if r["auto_scheduled"]]
    late = [r["id"] for r in runs if datetime.fromisoformat(r["expected_start_time"]) < now]
    assert 2 <= len(late) < len(runs)
    with deployed.ready():
        assert stand_in_for_late_runs(UUID(there["id"]), UUID(late[-1])) == len(late) - 1
    cancelled = {r["id"] for r in server.ask("POST", "/flow_runs/filter", of_it) if r["state"]["type"] == "CANCELLED"}
    assert cancelled == set(late[:-1])
    assert server.ask("GET", f"/flow_runs/{asked['id']}")["state"]["type"] == "SCHEDULED"


def test_a_lake_s_credentials_reach_a_flow_from_the_blocks_that_a_deployment_names(
    deployed: Starting, home: Home, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
):
    """As a worker asks Prefect for what it gives the process of a run."""
    from prefect.blocks.system import Secret
    from prefect.workers.process import ProcessJobConfiguration

    from watchkeeper.flows.intake import intake

    there = deployment(deployed, "intake")
    parcels_days(home.root, date(2025, 1, 1), 1, rows=120)
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    with deployed.ready():
        for variable, block in CREDENTIALS.items():
            Secret(value=object_store.environment[variable]).save(block, overwrite=True)
        pool = deployed.server.ask("GET", f"/work_pools/{there['work_pool_name']}")
        job = asyncio.run(ProcessJobConfiguration.from_template_and_values(pool["base_job_template"], there["job_variables"]))
        monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
        for name, value in job.env.items():
            monkeypatch.setenv(name, str(value))
        state = intake(as_of=NOW, return_state=True)
        assert state.is_completed(), state.message
    lake = Lake(home.lake.address, object_store.environment | {"AWS_ALLOW_HTTP": "true"})
    assert sum(b.rows_landed for b in lake.newest(Batch) if b.source == "events") == 120
    assert object_store.environment["AWS_SECRET_ACCESS_KEY"] not in json.dumps(there)
    assert object_store.environment["AWS_SECRET_ACCESS_KEY"] not in json.dumps(deployed.server.ask("POST", "/logs/filter", {"limit": 200}))


def test_the_job_that_prefect_makes_of_our_template_is_one_that_kubernetes_accepts(deployed: Starting):
    template = json.loads(yaml.safe_load((ROOT / "deployments" / "k8s" / "jobs.yaml").read_text())["data"]["base-job-template.json"])
    deployed.server.ask("POST", "/work_pools/", {"name": "far", "type": "kubernetes", "base_job_template": template})
    pool = deployed.server.ask("GET", "/work_pools/far")
    with deployed.ready():
        job = asyncio.run(_job(pool["base_job_template"]))
    assert pool["type"] == "kubernetes"
    for version in ("1.30", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(job, version, strict=True)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["image"].startswith("watchkeeper:")
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "4Gi"}
    assert {"name": "PREFECT_API_URL", "value": f"{deployed.server.ui}/api"} in container["env"]


async def _job(template: Any) -> Any:
    """Return the manifest that Prefect's worker would send to Kubernetes for a flow run."""
    from prefect import get_client
    from prefect.client.schemas.objects import FlowRun
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    async with get_client() as client:
        job = await KubernetesWorkerJobConfiguration.from_template_and_values(template, {}, client=client)
    job.prepare_for_flow_run(FlowRun(id=UUID(int=1), flow_id=UUID(int=2), name="intake-all"))
    return job.job_manifest
