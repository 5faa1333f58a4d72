"""Prefect on this machine: its server with the UI and one worker, as child processes with a home inside the workspace.

Belongs here: how they are started, configured and asked for their health. Does not: what is deployed to them
(deployments.py), or ending them (processes.py). Prefect itself is not imported here: it takes seconds.
"""

import http.client
import json
import socket
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from watchkeeper.adapters.pages_server import LOOPBACK
from watchkeeper.adapters.processes import Child, Family
from watchkeeper.adapters.settings import child_environment
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError, WatchkeeperError

POOL = "watchkeeper"
PAGES_VARIABLE = "watchkeeper_pages"
_KEPT_PREFIXES = ("PREFECT_SERVER_", "PREFECT_LOGGING_", "PREFECT_WORKER_")
_KEEP_RUNS = timedelta(days=60)
_PORTS_TRIED, _LAST_PORT = 50, 65535
_PATIENCE_S = 30.0
_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # its pages ask for an analytics host
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(_KEEP_RUNS.total_seconds())),
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",  # slots of lost runs are freed after a restart
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
}


@dataclass(frozen=True)
class PrefectServer:
    """Where the Prefect of one workspace lives and answers."""

    home: Home
    port: int

    @property
    def ui(self) -> str:
        """Address of the UI."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def folder(self) -> Path:
        """Its database, settings and logs."""
        return prefect_folder(self.home)

    def environment(self) -> dict[str, str]:
        """Return the environment of the server, the worker and their flow runs: a Prefect home of its own, and ours to work in.

        A profile, key or address that the person uses for another Prefect is left out.
        """
        inherited = {k: v for k, v in child_environment().items() if not k.startswith("PREFECT_") or k.startswith(_KEPT_PREFIXES)}
        own = {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": f"{self.ui}/api",
            "WATCHKEEPER_HOME": str(self.home.root),
            "NO_PROXY": ",".join(filter(None, (inherited.get("NO_PROXY"), LOOPBACK, "localhost"))),
        }
        return inherited | _SETTINGS | own

    def start(self, family: Family) -> Child:
        """Start the server."""
        return self._prefect(family, "server", ["server", "start", "--host", LOOPBACK, "--port", str(self.port)])

    def start_worker(self, family: Family) -> Child:
        """Start a worker that runs flows as processes of this machine."""
        return self._prefect(family, "worker", ["worker", "start", "--pool", POOL, "--type", "process", "--name", socket.gethostname()])

    def start_deploying(self, family: Family, *, reset_schedules: bool) -> Child:
        """Start the deployment of everything in prefect.yaml."""
        command = ["deploy", *(["--reset-schedules"] if reset_schedules else [])]
        arguments = ["-c", "from watchkeeper.cli import app; app()", "--home", str(self.home.root), *command]
        return self._start(family, "deploy", arguments)

    def is_healthy(self) -> bool:
        """Tell whether the server answers."""
        try:
            return self.ask("GET", "/health", patience_s=0) is True
        except (OSError, http.client.HTTPException, WatchkeeperError):
            return False

    def remember(self, name: str, value: str) -> None:
        """Keep a value under a name, as a Prefect variable that flows read."""
        if self.ask("POST", "/variables/filter", {"variables": {"name": {"any_": [name]}}}):
            self.ask("PATCH", f"/variables/name/{name}", {"value": value})
        else:
            self.ask("POST", "/variables/", {"name": name, "value": value})

    def settle_lost_runs(self) -> int:
        """Mark runs as crashed whose process went away with an earlier server, so that they hold nobody up; return how many."""
        states = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}
        lost = [r for r in self.ask("POST", "/flow_runs/filter", {"flow_runs": {"state": states}}) if not _is_alive(r.get("infrastructure_pid"))]
        for run in lost:
            state = {"type": "CRASHED", "name": "Crashed", "message": "Its process ended with an earlier `watchkeeper up`."}
            self.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        return len(lost)

    def ask(self, method: str, path: str, body: Any = None, *, patience_s: float = _PATIENCE_S) -> Any:
        """Return the answer of the server's API; `path` starts after /api.

        A busy server (its database is locked for a moment after the start) is asked again until `patience_s` are over.

        Raises:
            WatchkeeperError: the server refused.
            OSError: it does not answer.

        """
        deadline = time.monotonic() + patience_s
        while True:
            status, text = self._answer(method, path, body)
            if status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if status >= HTTPStatus.BAD_REQUEST:
            raise WatchkeeperError(f"Prefect answered {status} to {method} {path}: {text[:300]}", where=self.ui)
        return json.loads(text) if text else None

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request(method, f"/api{path}", None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def _prefect(self, family: Family, name: str, arguments: list[str]) -> Child:
        return self._start(family, name, ["-m", "prefect", *arguments])

    def _start(self, family: Family, name: str, arguments: list[str]) -> Child:
        log = self.folder / "logs" / f"{name}.log"
        return family.start(name, [sys.executable, *arguments], env=self.environment(), log=log, cwd=self.home.root)


def prefect_folder(home: Home) -> Path:
    """Return where a workspace keeps its own Prefect."""
    return home.root / "warehouse" / "prefect"


def choose_port(asked: int | None, first: int, option: str) -> int:
    """Return the port asked for if it is free, else, when none was asked for, the first free one from `first`.

    Raises:
        UsageError: the port asked for is none, or in use.

    """
    if asked is not None and not 1 <= asked <= _LAST_PORT:
        raise UsageError(f"{asked} is no port", where=option, then=f"Give one from 1 to {_LAST_PORT}, or leave {option} out for the first free one.")
    if asked is not None:
        if not is_free(asked):
            raise UsageError(f"port {asked} is in use", where=option, then=f"End what uses it, or give another one with {option}.")
        return asked
    for port in range(first, first + _PORTS_TRIED):
        if is_free(port):
            return port
    raise UsageError(f"no port from {first} to {first + _PORTS_TRIED - 1} is free", where=option, then=f"Give a free one with {option}.")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _is_alive(pid: str | None) -> bool:
    return bool(pid) and str(pid).isdigit() and psutil.pid_exists(int(pid or 0))
