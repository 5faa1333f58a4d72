"""Watch: everything due in one go; a step that fails is kept and takes nothing else with it."""

import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.leases import rewriting
from watchkeeper.operations.watch import tidy, watch
from watchkeeper.records import Digest, Run, Score
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)


def test_a_run_does_all_that_is_due_and_a_second_finds_nothing(home):
    parcels_days(home.root, FIRST, 30, rows=300, late=dict.fromkeys((21, 22, 23), 0.5))
    now = BEGIN + 32 * DAY
    done = watch(home, now=now)
    assert (len(done.batches), len(done.runs), done.failures, done.problems) == (60, 32, [], [])
    assert [e.event for e in done.events] == ["opened", "resolved"]
    assert done.digests
    assert {a.state for a in done.actions} <= {"sent", "skipped"}
    again = watch(home, now=now)
    assert (again.batches, again.runs, again.events, again.digests, again.actions) == ([], [], [], [], [])


def test_progress_names_each_step_in_order(home):
    parcels_days(home.root, FIRST, 16)
    steps: list[tuple[str, str]] = []
    watch(home, now=BEGIN + 17 * DAY, progress=lambda model, step: steps.append((model, step)))
    assert [step for _, step in steps] == ["watch", "ingest", "profile", "measure", "costs", "judge", "report", "act"]


def test_a_week_that_could_not_be_judged_is_not_called_quiet(make_home):
    """A lake whose scores cannot be judged: the digest waits, since without incidents every week is quiet."""
    home = make_home(PARCELS, PARCELS | {"model": "letters", "events": {"files": "inbox/none-*.parquet"}})
    parcels_days(home.root, FIRST, 27)
    home.lake.append("signals", pa.table({"model": ["parcels"], "computed_at": pa.array([BEGIN], pa.timestamp("us", "UTC"))}))
    done = watch(home, now=BEGIN + 30 * DAY)
    assert {f.operation for f in done.failures} == {"judge"}
    assert home.lake.newest(Digest) == []
    assert home.lake.newest(Score) != []
    assert {r.outcome for r in home.lake.newest(Run) if r.operation == "judge"} == {"failed"}


def test_a_broken_monitor_file_is_told_and_the_others_go_on(home):
    parcels_days(home.root, FIRST, 16)
    (home.monitors_dir / "letters.yaml").write_text("model: letters\ntask: guessing\n")
    done = watch(home, now=BEGIN + 17 * DAY)
    assert {p.model for p in done.problems} == {"letters"}
    assert len(done.runs) == 17


@pytest.mark.parametrize("left", [None, "model: parcels\ntask: binry\nat_mots: 3\n"])
def test_a_workspace_whose_only_monitor_is_gone_or_broken_is_run_without_harm(home, watchkeeper, left):
    parcels_days(home.root, FIRST, 16)
    now = BEGIN + 17 * DAY
    watch(home, now=now)
    file = home.monitors_dir / "parcels.yaml"
    file.unlink() if left is None else file.write_text(left)
    done = watchkeeper("run", "--now", now.isoformat())
    assert done.exit_code == (0 if left is None else 4), done.output
    if left is None:
        assert done.output == "No model is watched yet. `watchkeeper add MODEL --events FILE` adds one.\n"
    else:
        assert "at_mots" in done.output
    assert watchkeeper("status", "--now", now.isoformat()).exit_code == 0


def test_a_run_as_of_an_earlier_moment_knows_nothing_of_labels_that_a_later_one_took_in(home):
    """They had come before their predictions, and wait for them."""
    parcels_days(home.root, FIRST, 16)
    watch(home, now=BEGIN + 17 * DAY)
    pq.write_table(parcels_world(BEGIN + 17 * DAY)[1], home.root / "inbox" / "delivered-early.parquet")
    assert watch(home, now=BEGIN + 20 * DAY).failures == []
    pq.write_table(parcels_world(BEGIN + 16 * DAY)[0], home.root / "inbox" / "parcels-late.parquet")
    assert watch(home, now=BEGIN + 18 * DAY).failures == []


def test_small_files_are_merged_and_large_ones_are_not_written_again_for_them(home):
    def files() -> dict[str, int]:
        adds = pa.table(home.lake.table("t").get_add_actions())
        return dict(zip(adds["path"].to_pylist(), adds["size_bytes"].to_pylist(), strict=True))

    noise = np.random.default_rng(0).random(600_000)
    home.lake.append("t", pa.table({"x": noise}))
    (large,) = files()
    for day in range(40):
        home.lake.append("t", pa.table({"x": [float(day)] * 10}))
        tidy(home)
        assert large in files()
        assert len(files()) <= 10
    assert home.lake.read("t").num_rows == 600_400
    for part in range(8):
        home.lake.append("t", pa.table({"x": noise + part}))
    tidy(home)
    assert large not in files()
    assert max(files().values()) > 16_000_000


def test_a_table_that_another_process_merges_is_left_to_it(home):
    """delta-rs refuses neither of two merges at once, and keeps what both wrote."""
    for day in range(12):
        home.lake.append("t", pa.table({"x": [day]}))
    with rewriting(Lake(home.lake.address), "t"):
        tidy(home)
        assert len(home.lake.file_sizes("t")) == 12
    tidy(home)
    assert len(home.lake.file_sizes("t")) == 1
    assert sorted(home.lake.read("t")["x"].to_pylist()) == list(range(12))


@pytest.mark.nightly
def test_rows_are_there_once_when_several_processes_merge_at_once(home):
    code = (
        "import sys, pyarrow as pa\n"
        "from pathlib import Path\n"
        "from watchkeeper.adapters.workspace import Home\n"
        "from watchkeeper.operations.watch import tidy\n"
        "home = Home(Path(sys.argv[1]))\n"
        "for n in range(24):\n"
        "    home.lake.append('t', pa.table({'x': [int(sys.argv[2]) + n]}))\n"
        "    tidy(home)\n"
    )
    home.lake.append("t", pa.table({"x": [-1]}))
    several = [subprocess.Popen([sys.executable, "-c", code, str(home.root), str(100 * k)]) for k in range(3)]
    assert [one.wait() for one in several] == [0, 0, 0]
    assert sorted(home.lake.read("t")["x"].to_pylist()) == [-1, *(100 * k + n for k in range(3) for n in range(24))]
