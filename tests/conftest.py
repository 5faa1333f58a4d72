"""What all tests share: temporary workspaces, a small world of parcels, and skips that CI turns into failures.

Belongs here: fixtures used by more than one folder of tests. Does not: fixtures of one folder (its own conftest.py).
"""

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from object_store import bucket, object_store  # noqa: F401 - fixtures for all tests
from postgres import postgres, postgres_server  # noqa: F401 - fixtures for all tests
from skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401 - pytest calls them from here
from watchkeeper.adapters.settings import without_telemetry
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.cli import app
from watchkeeper.monitor import Monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile

without_telemetry()
os.environ.setdefault("OMP_NUM_THREADS", "1")  # scikit-learn's: as many test runs as processors are under way, and threads that wait spin

_NOBODY = 65534
_SERVED = "tests/flows/served/"
_SETTINGS = (
    "WATCHKEEPER_HOME",
    "SLACK_BOT_TOKEN",
    "SLACK_WEBHOOK_URL",
    "SLACK_API_URL",
    "WATCHKEEPER_WEBHOOK_URL",
    "WATCHKEEPER_WEBHOOK_SECRET",
    "WATCHKEEPER_TRAINING_SECRET",
    "PREFECT_API_URL",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
)

PARCELS: dict[str, Any] = {
    "model": "parcels",
    "owner": "#parcels",
    "task": "binary",
    "events": {"files": "inbox/parcels-*.parquet"},
    "labels": {"files": "inbox/delivered-*.parquet", "join": "parcel", "column": "was_late", "time": "delivered_at", "mature_after": "36h"},
    "columns": {"id": "parcel", "time": "sent_at", "score": "p_late", "prediction": "is_late", "version": "version"},
    "reference": {"from": "2025-01-01", "to": "2025-01-15"},
    "segments": ["depot"],
}
"""A small binary model: will this parcel arrive late? Its files are written by `parcels_of_day`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests, so that no processor waits at the end for another one's last file."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, millions of objects that stay, out of every later collection of garbage."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let go of it at the end, or libraries that count what they made call it leaked."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: give the files that share a server to one process, one after the other, as if they were one file."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return _SERVED if file.startswith(_SERVED) else file

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Have the loops of the scan compiled and kept before there are processes that would each compile them.

    They are compiled once for floats and once for whole numbers, and those of pairs when two columns are related: a weight in kg and in grams.
    """
    with TemporaryDirectory() as folder:
        home = new_home(Path(folder) / "compiled", PARCELS)
        for day in range(1, 17):
            events = pq.read_table(written := parcels_files(home, date(2025, 1, day), rows=20)[0])
            grams = pc.multiply(events["weight_kg"], 1000.0).cast(pa.int64(), safe=False)
            pq.write_table(events.append_column("grams", grams), written)
        monitor, now = load_monitors(home)[0]["parcels"], datetime(2025, 1, 18, tzinfo=UTC)
        ingest(home, monitor, now=now)
        profile(home, monitor, now=now)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_SETTINGS, *(n for n in os.environ if n.startswith("WATCHKEEPER_CONNECTION_"))):
        monkeypatch.delenv(name, raising=False)


def new_home(root: Path, *monitors: dict[str, Any], **workspace: Any) -> Home:
    """Make a workspace with some monitors."""
    for folder in ("deployments/monitors", "inbox", "expectations", "warehouse/seeds"):
        (root / folder).mkdir(parents=True)
    (root / "watchkeeper.yaml").write_text(json.dumps({"name": root.name, **workspace}))
    for monitor in monitors:
        (root / "deployments" / "monitors" / f"{monitor['model']}.yaml").write_text(_yaml(monitor))
    return find_home(root)


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[..., Home]:
    """Return a maker of workspaces: `make_home(PARCELS, {...}, name="two", timezone="Europe/Berlin")`."""

    def make(*monitors: dict[str, Any], name: str = "home", **workspace: Any) -> Home:
        return new_home(tmp_path / name, *monitors, **workspace)

    return make


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Home], Home]:
    """Return a maker of copies of a workspace that tests of a file share."""
    return lambda home: find_home(shutil.copytree(home.root, tmp_path / "copy" / home.root.name))


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    """A workspace with the parcels monitor and an empty inbox."""
    return make_home(PARCELS)


@pytest.fixture
def parcels(home: Home) -> Monitor:
    """The monitor of `home`."""
    return load_monitors(home)[0]["parcels"]


@pytest.fixture
def parcels_of_day(home: Home) -> Callable[..., tuple[Path, Path]]:
    """Return a writer of one day's files into the inbox: `parcels_of_day(date(2025, 1, 1), rows=200, late=0.2)`."""
    return lambda day, **about: parcels_files(home, day, **about)


def parcels_files(home: Home, day: date, *, rows: int = 200, late: float = 0.2, seed: int = 0) -> tuple[Path, Path]:
    """Write the files of one day into an inbox."""
    events, labels = parcels_world(datetime(day.year, day.month, day.day, tzinfo=UTC), rows=rows, late=late, seed=seed)
    paths = home.root / "inbox" / f"parcels-{day}.parquet", home.root / "inbox" / f"delivered-{day}.parquet"
    pq.write_table(events, paths[0])
    pq.write_table(labels, paths[1])
    return paths


def parcels_world(start: datetime, *, rows: int = 200, late: float = 0.2, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Return one day's events and labels; `late` is the true share, the model's scores believe in 0.2."""
    rng = np.random.default_rng([seed, start.toordinal()])
    part, whole = np.modf(np.sort(rng.uniform(0, 86_400, rows)))
    since = (whole * 1e6 + np.rint(part * 1e6)).astype("timedelta64[us]")
    sent = pa.array(np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us") + since).cast(pa.timestamp("us", "UTC"))
    weight = rng.lognormal(0.0, 0.5, rows)
    score = 1 / (1 + np.exp(-(np.log(0.2 / 0.8) + 1.5 * np.log(weight))))
    truth = rng.uniform(size=rows) < np.clip(score * late / 0.2, 0, 1)
    day = f"{start:%Y%m%d}"
    ids = [f"{day}-{i:05d}" for i in range(rows)]
    depot = rng.choice(["north", "south", "east"], rows, p=[0.5, 0.3, 0.2])
    events = pa.table(
        {
            "parcel": ids,
            "sent_at": sent,
            "p_late": score,
            "is_late": score >= 0.5,
            "version": ["1"] * rows,
            "weight_kg": weight,
            "depot": depot,
        }
    )
    labels = pa.table({"parcel": ids, "was_late": truth, "delivered_at": pc.add(sent, timedelta(hours=20))})
    return events, labels


@pytest.fixture
def without_rights(tmp_path: Path) -> Iterator[None]:
    """Let permissions bind: root, to whom they do not apply, is nobody while the test runs."""
    is_root = os.geteuid() == 0
    if is_root:
        for path in (*tmp_path.rglob("*"), tmp_path):
            os.chown(path, _NOBODY, -1)
        for path in (p for p in tmp_path.parents if p.name.startswith(("pytest-", "popen-"))):  # which pytest keeps to its user
            path.chmod(0o711)
        os.seteuid(_NOBODY)
    yield
    if is_root:
        os.seteuid(0)


@pytest.fixture
def watchkeeper(home: Home) -> Callable[..., Result]:
    """Return a runner of the command line in `home`: `watchkeeper("status", "--json").stdout`; `at=` names another workspace."""

    def run(*arguments: str, at: Home | None = None, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, ["--home", str((at or home).root), *arguments], env=env)

    return run


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False)
