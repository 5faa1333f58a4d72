"""One scan, three ways to do its pieces: in turn, in threads and on Dask, by Prefect's own task runners. What is stored is the same."""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import prefect
import pyarrow as pa
import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from conftest import PARCELS
from prefect_world import Starting
from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.errors import ConfigurationError
from watchkeeper.flows.fan_out import conclude, threads
from watchkeeper.flows.measure import measure as measure_flow
from watchkeeper.flows.measure import scan_and_measure
from watchkeeper.flows.selection import select
from watchkeeper.flows.spreading import spread_here, tasks_of
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.operations.spread import in_threads, in_turn
from watchkeeper.records import Profile, Run, Score
from worlds import parcels_days

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

NOW = datetime(2025, 2, 10, 12, tzinfo=UTC)
LITTLE = {"memory_limit": "256MB"}
STAGES = ("counting rows-", "joining labels-", "measuring windows-")


@pytest.fixture(scope="module")
def landed(starting: Starting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty days of parcels that have landed and were not counted."""
    root = tmp_path_factory.mktemp("landed")
    (root / "deployments" / "monitors").mkdir(parents=True)
    (root / "inbox").mkdir()
    (root / "watchkeeper.yaml").write_text(json.dumps(LITTLE))
    (root / "deployments" / "monitors" / "parcels.yaml").write_text(json.dumps(PARCELS))
    parcels_days(root, date(2025, 1, 1), 40, rows=80)
    home = find_home(root)
    ingest(home, load_monitor(home, "parcels"), now=NOW)
    return root


def copied(landed: Path, name: str, **workspace: Any) -> Home:
    root = landed.with_name(name)
    shutil.copytree(landed, root)
    (root / "watchkeeper.yaml").write_text(json.dumps(LITTLE | workspace))
    return find_home(root)


def by_hand(home: Home, spread: Any) -> Home:
    monitor = load_monitor(home, "parcels")
    profile(home, monitor, now=NOW, spread=spread)
    measure(home, monitor, now=NOW, spread=spread)
    return home


@pytest.fixture(scope="module")
def alone(landed: Path) -> Home:
    """All pieces done in turn."""
    return by_hand(copied(landed, "in-turn"), in_turn)


def stored(home: Home, table: str) -> pa.Table:
    rows = home.lake.read(table)
    assert rows is not None
    return rows.sort_by([(name, "ascending") for name in rows.column_names if not pa.types.is_nested(rows.schema.field(name).type)])


def unlike(ours: pa.Table, theirs: pa.Table) -> list[Any]:
    """Return how many rows there are, and of which types, where these differ, else the values that differ, with their row."""
    if ours.num_rows != theirs.num_rows or not ours.schema.equals(theirs.schema):
        return [ours.num_rows, ours.schema, theirs.num_rows, theirs.schema]
    pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    return [(a["metric"], a["segment"], a["window_start"], name, a[name], b[name]) for a, b in pairs for name in a if a[name] != b[name]]


def commits(home: Home, table: str) -> int:
    found = home.lake.table(table)
    return 0 if found is None else found.version()


def flown(home: Home, starting: Starting, flow: Any) -> list[str]:
    """Run a flow; return the names of its task runs, once the server has heard of those of the last stage (it hears of them by and by)."""
    from prefect import get_client

    with starting.ready(), pytest.MonkeyPatch.context() as environment:
        environment.setenv("WATCHKEEPER_HOME", str(home.root))
        state: Any = flow(as_of=NOW, return_state=True)
        assert state.is_completed(), state.message
        with get_client(sync_client=True) as client:
            only = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
            names: list[str] = []
            patience = time.monotonic() + 30
            while not all(any(n.startswith(stage) for n in names) for stage in STAGES) and time.monotonic() < patience:
                time.sleep(0.1)
                names = [run.name for run in client.read_task_runs(flow_run_filter=only)]
            return names


@prefect.flow(task_runner=threads(4))
def brought_up(as_of: datetime) -> Any:
    """What the flow measure does before it shows it."""
    selection = select(None, as_of)
    scanned, measured = scan_and_measure(selection, None, None, recompute=False)
    return conclude(selection, [*scanned, *measured], "done")


def test_a_year_is_more_than_one_piece(alone: Home) -> None:
    assert commits(alone, Profile.TABLE) > 1


@pytest.fixture(scope="module")
def by_threads(landed: Path) -> Home:
    """All pieces done in threads."""
    return by_hand(copied(landed, "in-threads"), in_threads)


@pytest.mark.parametrize("table", [Profile.TABLE, Score.TABLE, Run.TABLE])
def test_threads_leave_what_one_after_the_other_does(alone: Home, by_threads: Home, table: str) -> None:
    assert unlike(stored(by_threads, table), stored(alone, table)) == []


@pytest.fixture(scope="module")
def by_tasks(landed: Path, starting: Starting) -> tuple[Home, list[str]]:
    """Done by the flow as it comes: threads."""
    home = copied(landed, "by-tasks")
    return home, flown(home, starting, measure_flow)


@pytest.fixture(scope="module")
def by_local_dask(landed: Path, starting: Starting) -> tuple[Home, list[str]]:
    """Done by a cluster that the flow begins on this machine."""
    home = copied(landed, "by-local-dask", tasks="dask", dask={"workers": 2})
    return home, flown(home, starting, brought_up)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster that was there before."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        yield cluster.scheduler_address


@pytest.mark.parametrize("table", [Profile.TABLE, Score.TABLE, Run.TABLE])
@pytest.mark.parametrize("runner", ["by_tasks", pytest.param("by_local_dask", marks=pytest.mark.nightly)])
def test_task_runners_leave_what_one_process_does(alone: Home, runner: str, table: str, request: pytest.FixtureRequest) -> None:
    home, names = request.getfixturevalue(runner)
    assert unlike(stored(home, table), stored(alone, table)) == []
    assert len({n for n in names if n.startswith("counting rows-parcels-2025-")}) > 1
    assert any(n.startswith("joining labels-parcels-2025-") for n in names)
    assert any(n.startswith("measuring windows-parcels-day-2025-") for n in names)


def test_a_backfill_that_a_person_starts_leaves_the_same_and_shows_how_far_it_is(alone: Home, landed: Path, starting: Starting) -> None:
    from prefect.artifacts import Artifact

    from watchkeeper.flows.backfill import backfill

    home = copied(landed, "by-backfill")
    names = flown(home, starting, backfill)
    for table in (Profile.TABLE, Score.TABLE, Run.TABLE):
        assert unlike(stored(home, table), stored(alone, table)) == []
    assert any(n.startswith("counting rows-parcels-2025-") for n in names)
    with starting.ready():
        shown = {key: Artifact.get(key) for key in ("backfill-parcels-counting-rows", "backfill-parcels-measuring-windows")}
    assert {key: made.data for key, made in shown.items() if made} == dict.fromkeys(shown, 100.0)


@pytest.mark.nightly
def test_a_scheduler_that_is_there_is_used_and_needs_no_files_of_the_workspace(
    alone: Home, landed: Path, starting: Starting, scheduler: str, tmp_path: Path
) -> None:
    home = copied(landed, "by-scheduler", tasks="dask", dask={"scheduler": scheduler}, lake=str(tmp_path / "elsewhere"))
    shutil.move(home.root / "warehouse" / "lake", tmp_path / "elsewhere")
    flown(find_home(home.root), starting, brought_up)
    assert stored(find_home(home.root), Profile.TABLE).equals(stored(alone, Profile.TABLE))


def test_a_scheduler_that_does_not_answer_is_said(landed: Path, starting: Starting) -> None:
    home = copied(landed, "nobody", tasks="dask", dask={"scheduler": "tcp://127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match=r"tcp://127.0.0.1:1: no Dask scheduler"), tasks_of(home):
        profile(home, load_monitor(home, "parcels"), now=NOW, spread=spread_here())
