"""A cluster in small: Prefect on a real Postgres, a worker that learns the lake's credentials from Prefect blocks, a lake on S3.

It is nightly: a database, a server, a deployment, a worker and a run are five processes. What a worker is told, and what Kubernetes would be
given, is asked of a server that other tests use too: tests/flows/served/test_deployments.py.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

import postgres
from conftest import PARCELS
from object_store import ObjectStore
from prefect_world import PATIENCE_S, Starting, free_port, without_services
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.prefect_file import FILE
from watchkeeper.adapters.prefect_server import PrefectServer
from watchkeeper.adapters.processes import Family
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.records import Batch
from worlds import parcels_days

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.nightly]

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2025, 1, 24, 7, tzinfo=UTC)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "lake-key", "AWS_SECRET_ACCESS_KEY": "lake-secret"}


class Cluster:
    """A workspace whose lake is on S3, and the Prefect that its flows run in."""

    def __init__(self, home: Home, server: PrefectServer, family: Family, database: "postgres.Postgres", store: ObjectStore) -> None:
        self.home, self.server, self.family, self.database, self.store = home, server, family, database, store

    def run_of(self, run_id: str) -> Any:
        return self.server.ask("GET", f"/flow_runs/{run_id}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, object_store: ObjectStore) -> Iterator[Cluster]:
    """Everything started: Postgres, the server on it, all deployments, a worker."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            patch.delenv(name)
        database = stack.enter_context(postgres.running())
        database.ask("postgres", "create database prefect")
        address = database.url("prefect").replace("postgresql://", "postgresql+asyncpg://")
        patch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", address)
        patch.setenv("PREFECT_WORKER_QUERY_SECONDS", "2")
        without_services(patch)
        home = _workspace(tmp_path_factory.mktemp("cluster"), object_store)
        server, family = PrefectServer(home, free_port()), Family()
        stack.callback(family.end_all, grace_s=10)
        starting = Starting(server, server.start(family))
        with starting.ready():
            for variable, block in CREDENTIALS.items():
                _save_secret(block, object_store.environment[variable])
        deploying = server.start_deploying(family, reset_schedules=False)
        assert deploying.process.wait(PATIENCE_S) == 0, deploying.last_lines()
        family.children.remove(deploying)
        server.start_worker(family)
        yield Cluster(home, server, family, database, object_store)


def _workspace(root: Path, store: ObjectStore) -> Home:
    """Make a workspace whose prefect.yaml is the shipped one, with the credentials as docs/cluster.md writes them."""
    for folder in ("deployments/monitors", "inbox", "expectations", "warehouse/seeds"):
        (root / folder).mkdir(parents=True)
    bucket = store.new_bucket("of-the-cluster")
    (root / "watchkeeper.yaml").write_text(yaml.safe_dump({"name": "cluster", "lake": f"{bucket.address}/lake"}))
    (root / "deployments" / "monitors" / "parcels.yaml").write_text(yaml.safe_dump(PARCELS))
    plain = {k: v for k, v in store.environment.items() if k not in CREDENTIALS}
    written = {k: f"{{{{ prefect.blocks.secret.{block} }}}}" for k, block in CREDENTIALS.items()}
    said = yaml.safe_load((ROOT / FILE).read_text())
    for deployment in said["deployments"]:
        deployment["schedules"] = []
        deployment["work_pool"] = {**deployment["work_pool"], "job_variables": {"env": plain | written}}
    (root / FILE).write_text(yaml.safe_dump(said))
    return find_home(root)


def _save_secret(name: str, value: str) -> None:
    from prefect.blocks.system import Secret

    Secret(value=value).save(name, overwrite=True)


def until(found: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.5)
    return result


def test_a_flow_runs_on_a_worker_and_writes_to_the_lake_whose_secrets_are_in_prefect(cluster: Cluster):
    parcels_days(cluster.home.root, date(2025, 1, 1), 3, rows=120)
    deployment = cluster.server.ask("GET", "/deployments/name/intake/intake")
    begun = cluster.server.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"as_of": NOW.isoformat()}})
    run = until(lambda: (r := cluster.run_of(begun["id"])) and r["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED") and r)
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"]
    lake = Lake(cluster.home.lake.address, cluster.store.environment | {"AWS_ALLOW_HTTP": "true"})
    assert sum(b.rows_landed for b in lake.newest(Batch) if b.source == "events") == 3 * 120
    kept = cluster.database.ask("prefect", f"select state_type from flow_run where id = '{UUID(begun['id'])}'")
    assert kept == "COMPLETED", "Prefect's own records are in Postgres"
    assert not list(cluster.server.folder.glob("*.db")), "and nowhere else"
    logs = json.dumps(cluster.server.ask("POST", "/logs/filter", {"limit": 200}))
    assert cluster.store.environment["AWS_SECRET_ACCESS_KEY"] not in logs
