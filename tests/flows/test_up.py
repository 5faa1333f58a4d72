"""`watchkeeper up` runs the schedules for real, keeps what people changed, and leaves nothing behind.

The tests are one story and run in order: a first `up` that is ended by SIGTERM, a second one that is killed. The second one is nightly; what
deploying keeps and how one run stands in for late ones is asked of a server that other tests use too: tests/flows/served/test_deployments.py.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from typer.testing import CliRunner

from watchkeeper.adapters.prefect_server import is_free
from watchkeeper.adapters.workspace import find_home
from watchkeeper.cli import app

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")]

EVERY_S = 10
GOOD = """model: parcels
owner: "#parcels"
task: binary
events: {files: "inbox/parcels-*.csv"}
columns: {id: parcel, time: sent_at, score: p_late}
reference: {from: 2025-01-01, to: 2025-01-15}
"""


def until(found: Callable[[], Any], seconds: float, instead: Callable[[], Any] = str) -> Any:
    """Return what `found` returns as soon as that is something; when it takes too long, say what was there `instead`."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"waited in vain: {instead()}"
        time.sleep(0.3)
    return result


class Up:
    """A running `watchkeeper up`, with its output and its API."""

    def __init__(self, root: Path, *options: str) -> None:
        self.log = root.parent / f"up-{time.monotonic_ns()}.log"
        self.process = psutil.Popen(
            [sys.executable, "-c", "from watchkeeper.cli import app; app()", "--home", str(root), "up", *options],
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_PROFILE": "a-profile-that-is-not-there"},
        )

    def started(self) -> "Up":
        until(lambda: "Ctrl-C stops everything" in self.output() or self.process.poll() is not None, 150)
        assert self.process.poll() is None, self.output()
        return self

    def output(self) -> str:
        return self.log.read_text()

    def address(self, name: str) -> str:
        found = re.search(rf"^{name} +(http://127\.0\.0\.1:\d+)$", self.output(), re.MULTILINE)
        assert found, self.output()
        return found[1]

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def ports(self) -> list[int]:
        return [int(self.address(name).rpartition(":")[2]) for name in ("Prefect", "Pages")]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address('Prefect')}/api{path}", data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.5)
        raise AssertionError(path)

    def deployment(self, name: str) -> dict[str, Any]:
        return self.ask("GET", f"/deployments/name/{name}/{name}")

    def schedules(self, name: str) -> dict[str, tuple[Any, bool]]:
        return {s["slug"]: (s["schedule"].get("cron") or s["schedule"]["interval"], s["active"]) for s in self.deployment(name)["schedules"]}

    def change(self, name: str, slug: str, **what: Any) -> None:
        deployment = self.deployment(name)
        schedule = next(s for s in deployment["schedules"] if s["slug"] == slug)
        self.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule['id']}", what)

    def runs(self, name: str, **state: Any) -> list[dict[str, Any]]:
        asked = {"deployments": {"name": {"any_": [name]}}, "flow_runs": {"state": state}, "sort": "EXPECTED_START_TIME_ASC"}
        return self.ask("POST", "/flow_runs/filter", asked)

    def states(self, name: str) -> list[str]:
        """Return what became of each run of a flow, and what the server and the worker said meanwhile."""
        became = [f"{r['expected_start_time']} {r['state_name']}: {(r['state'] or {}).get('message')}" for r in self.runs(name)]
        folder = self.output().partition("Logs ")[2].split("\n", 1)[0].strip()
        return became + [f"{log.name}: {log.read_text()[-4000:]}" for log in Path(folder).glob("*.log")]

    def artifact(self, key: str) -> str:
        return self.ask("GET", f"/artifacts/{key}/latest")["data"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one model that works and one whose monitor file has a mistake."""
    root = tmp_path_factory.mktemp("up") / "home"
    for folder in ("deployments/monitors", "inbox", "expectations"):
        (root / folder).mkdir(parents=True)
    (root / "watchkeeper.yaml").write_text("{name: parcels-co, timezone: Europe/Berlin}\n")
    (root / "deployments/monitors/parcels.yaml").write_text(GOOD)
    (root / "deployments/monitors/broken.yaml").write_text(GOOD.replace("model: parcels", "model: broken").replace("task: binary", "task: binry"))
    lines = [f"{i},2025-01-{1 + i % 20:02d}T08:00:00Z,0.{i % 9 + 1}" for i in range(400)]
    (root / "inbox/parcels-1.csv").write_text("\n".join(["parcel,sent_at,p_late", *lines]) + "\n")
    return root


@pytest.fixture(scope="module")
def first(root: Path) -> Iterator[Up]:
    """The first `up`, whose intake comes every few seconds."""
    yield from _ended(Up(root, "--grace", "5").started())


@pytest.fixture(scope="module")
def changed(first: Up) -> Up:
    """The first `up`, after people changed two schedules in its API."""
    first.change("intake", "every-15-minutes", schedule={"interval": EVERY_S, "timezone": "Europe/Berlin"})
    first.change("digest", "monday-morning", active=False)
    return first


def _ended(up: Up) -> Iterator[Up]:
    kin = up.family()
    yield up
    for process in [*kin, *(up.family() if up.process.is_running() else [])]:
        if process.is_running():
            process.kill()


def test_a_scheduled_run_is_done_by_the_worker(changed: Up):
    """Nobody asks for it: the schedule is changed in the API, the scheduler plans it, the worker runs it."""
    ended = {"any_": ["COMPLETED", "FAILED"]}
    run = until(lambda: [r for r in changed.runs("intake", type=ended) if r["auto_scheduled"]], 180, lambda: changed.states("intake"))[0]
    assert run["name"].startswith("intake-all-20")
    assert run["infrastructure_pid"]


def test_one_model_s_mistake_fails_the_run_after_the_others_are_done(first: Up, root: Path):
    run = first.runs("intake", type={"any_": ["COMPLETED", "FAILED"]})[0]
    assert run["state"]["type"] == "FAILED"
    assert "1 of 2 failed, the others are done. broken: deployments/monitors/broken.yaml: unknown task 'binry'" in run["state"]["message"]
    landed = find_home(root).lake.read("events/parcels")
    assert landed is not None
    assert landed.num_rows == 400


def test_the_run_shows_what_it_did(first: Up):
    assert "| parcels | parcels-1.csv |" in first.artifact("intake")
    assert "| broken |" in first.artifact("overview")
    assert f"({first.address('Pages')}/index.html)" in first.artifact("overview")
    assert b"parcels" in urllib.request.urlopen(f"{first.address('Pages')}/index.html", timeout=10).read()  # noqa: S310


def test_the_server_is_quiet_and_at_home_in_the_workspace(first: Up, root: Path):
    settings = first.ask("GET", "/admin/settings")["server"]
    assert settings["analytics_enabled"] is False
    assert (settings["ui"]["v2_enabled"], settings["ui"]["show_promotional_content"]) == (False, False)
    assert (root / "warehouse/prefect/prefect.db").exists()


def test_a_second_up_on_the_same_workspace_says_that_one_is_running(first: Up, root: Path):
    refused = CliRunner().invoke(app, ["--home", str(root), "up"])
    assert refused.exit_code == 2
    assert "`watchkeeper up` is running already" in refused.output
    assert first.process.is_running()


def test_a_port_in_use_is_refused_by_name(first: Up, tmp_path: Path):
    (tmp_path / "watchkeeper.yaml").write_text("{}")
    refused = CliRunner().invoke(app, ["--home", str(tmp_path), "up", "--port", str(first.ports()[0])])
    assert refused.exit_code == 2
    assert f"--port: port {first.ports()[0]} is in use" in refused.output


def test_sigterm_ends_everything(first: Up):
    kin, ports = first.family(), first.ports()
    assert len(kin) >= 3
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(90) == 0
    assert "Stopped." in first.output()
    assert [p for p in kin if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert all(is_free(port) for port in ports)


@pytest.fixture(scope="module")
def second(root: Path, changed: Up) -> Iterator[Up]:
    """The next `up` on the same workspace, without a worker, so that runs become late."""
    if changed.process.is_running():  # where the tests of the first one are left out
        changed.process.send_signal(signal.SIGTERM)
        changed.process.wait(90)
    yield from _ended(Up(root, "--no-worker").started())


@pytest.mark.nightly
def test_the_next_up_keeps_what_people_changed(second: Up):
    assert second.schedules("intake") == {"every-15-minutes": (EVERY_S, True)}
    assert second.schedules("digest") == {"every-morning": ("0 7 * * *", True), "monday-morning": ("30 7 * * 1", False)}
    assert second.schedules("measure") == {"hourly": ("5 * * * *", True)}
    assert "as they are in Prefect" in second.output()


@pytest.fixture(scope="module")
def own_deploy(second: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """Prefect's own `deploy` of one flow of our file, begun while runs become late."""
    file = Path(__file__).parent.parent.parent / "deployments" / "prefect.yaml"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--name", "measure", "--prefect-file", str(file)]
    folder = tmp_path_factory.mktemp("own")
    env = {**os.environ, "PREFECT_API_URL": f"{second.address('Prefect')}/api", "PREFECT_HOME": str(folder)}
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


@pytest.mark.nightly
@pytest.mark.usefixtures("own_deploy")
def test_one_run_stands_in_for_the_late_ones(second: Up):
    """No worker runs, so they pile up; one that begins leaves only those that are not due."""
    late = until(lambda: (found := _late(second)) and len(found) >= 2 and found, 60)
    this = late[-1]
    assert _with_server(second, "late", second.deployment("intake")["id"], this["id"]) >= len(late) - 1
    cancelled = {r["id"] for r in second.runs("intake", type={"any_": ["CANCELLED"]})}
    assert {r["id"] for r in late} - cancelled == {this["id"]}


def _late(up: Up) -> list[dict[str, Any]]:
    return [r for r in up.runs("intake", type={"any_": ["SCHEDULED"]}) if r["estimated_start_time_delta"] > 0]


def _with_server(up: Up, what: str, *arguments: Any) -> Any:
    """Run our own adapters against the server of `up`."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from watchkeeper.adapters.deployments import deploy_all
    from watchkeeper.flows.beginning import stand_in_for_late_runs

    with temporary_settings({PREFECT_API_URL: f"{up.address('Prefect')}/api"}):
        if what == "late":
            return stand_in_for_late_runs(*(UUID(a) for a in arguments))
        return deploy_all(*arguments, reset_schedules=True)


@pytest.mark.nightly
def test_reset_schedules_puts_ours_back(second: Up, root: Path):
    _with_server(second, "deploy", find_home(root))
    assert second.schedules("intake") == {"every-15-minutes": ("*/15 * * * *", True)}
    assert second.schedules("digest") == {"every-morning": ("0 7 * * *", True), "monday-morning": ("30 7 * * 1", True)}


@pytest.mark.nightly
def test_prefect_s_own_deploy_understands_the_file(second: Up, own_deploy: subprocess.Popen[str]):
    output, _ = own_deploy.communicate(timeout=120)
    assert own_deploy.returncode == 0, output
    measure = second.deployment("measure")
    assert (measure["entrypoint"], measure["pull_steps"]) == ("watchkeeper.flows.measure.measure", [])
    assert second.schedules("measure") == {"hourly": ("5 * * * *", True)}


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_even_a_kill_leaves_nothing_behind(second: Up):
    kin, ports = second.family(), second.ports()
    second.process.send_signal(signal.SIGKILL)
    until(lambda: not [p for p in kin[1:] if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], 30)
    assert all(is_free(port) for port in ports)
