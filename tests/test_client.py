"""The logger of a serving process: nothing is lost while there is room, and the caller never notices it."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intake_world import NOW, loans
from watchkeeper import PredictionLogger
from watchkeeper.adapters.files import read
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.ingest import ingest

PATIENCE_S = 15.0


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl.gz"))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in files(folder) for row in read(path, path.name).to_pylist()]


def until(is_true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_true()


def test_what_is_logged_lands(home: Home) -> None:
    monitor = loans(events={"files": "spool/loans-*"}, columns={"id": "id", "time": "time", "score": "score"})
    with PredictionLogger(home.root / "spool", "loans", clock=NOW.timestamp) as log:
        log.log(id="a", score=0.5, features={"amount": 100, "city": "Rome"}, version="2")
        log.log(id="b", time=datetime(2025, 2, 1, tzinfo=UTC), score=np.float32(0.25), features={"amount": np.int64(7), "city": None})
    assert [b.status for b in ingest(home, monitor, now=NOW)] == ["landed"]
    found = home.lake.read("events/loans")
    assert found is not None
    landed = found.sort_by("id").to_pylist()
    assert [(r["id"], r["score"], r["amount"], r["city"], r["version"]) for r in landed] == [("a", 0.5, 100, "Rome", "2"), ("b", 0.25, 7, None, None)]
    assert [r["wk_time"] for r in landed] == [NOW, datetime(2025, 2, 1, tzinfo=UTC)]


def test_a_file_is_finished_after_so_many_rows(tmp_path: Path) -> None:
    log = PredictionLogger(tmp_path, "m", rotate_rows=10, rotate_seconds=3600)
    for i in range(10):
        log.log(id=i, score=0.5)
    assert until(lambda: len(files(tmp_path)) == 1)
    log.close()
    assert len(rows(tmp_path)) == 10


def test_a_file_is_finished_after_so_many_seconds(tmp_path: Path) -> None:
    moment = [1000.0]
    log = PredictionLogger(tmp_path, "m", rotate_seconds=60, clock=lambda: moment[0])
    log.log(id=1, score=0.5)
    time.sleep(0.5)
    assert files(tmp_path) == []
    moment[0] += 61
    assert until(lambda: len(files(tmp_path)) == 1)
    log.close()


def test_a_full_buffer_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    log = PredictionLogger(blocked, "m", max_buffer=5)
    for i in range(12):
        log.log(id=i, score=0.5)
    assert log.dropped == 7
    blocked.unlink()
    log.close()
    assert [r["id"] for r in rows(blocked)] == [7, 8, 9, 10, 11]


def test_a_folder_that_cannot_be_written_breaks_nothing_and_loses_nothing_while_there_is_room(tmp_path: Path) -> None:
    blocked = tmp_path / "spool"
    blocked.write_text("not a folder")
    log = PredictionLogger(blocked, "m", rotate_rows=2)
    for i in range(4):
        log.log(id=i, score=0.5)
    assert log.flush() is False
    assert "FileExistsError" in log.last_error or "NotADirectoryError" in log.last_error
    assert log.dropped == 0
    blocked.unlink()
    assert log.flush() is True
    log.close()
    assert sorted(r["id"] for r in rows(blocked)) == [0, 1, 2, 3]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_breaks_nothing(tmp_path: Path) -> None:
    class OnFullDisk(PredictionLogger):
        """Its folder's files all end up on a disk without room."""

        def _write(self, waiting: list[dict[str, Any]]) -> bool:
            from watchkeeper.client import _write_whole

            try:
                _write_whole(Path("/dev/full"), b"x" * 100_000)
            except OSError as error:
                self._note(error)
                return False
            return super()._write(waiting)

    log = OnFullDisk(tmp_path, "m")
    log.log(id=1, score=0.5)
    assert log.flush() is False
    assert "No space left" in log.last_error
    log.close()


def test_a_value_that_no_json_knows_is_written_as_text_and_never_raises(tmp_path: Path) -> None:
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    with PredictionLogger(tmp_path, "m") as log:
        log.log(id=1, score=math.nan, features={"what": object})
        log.log(id=2, score=0.5, features=circle)
        log.log(id=3, score=0.5, features=7)  # type: ignore[arg-type]
    assert [r["id"] for r in rows(tmp_path)] == [1]
    assert math.isnan(rows(tmp_path)[0]["score"])
    assert log.dropped == 2


def test_rows_logged_after_closing_are_dropped_and_counted(tmp_path: Path) -> None:
    log = PredictionLogger(tmp_path, "m")
    log.close()
    log.log(id=1, score=0.5)
    assert (log.dropped, files(tmp_path)) == (1, [])


def test_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    with PredictionLogger(tmp_path, "m", rotate_rows=50) as log:
        threads = [threading.Thread(target=lambda t=t: [log.log(id=f"{t}-{i}", score=0.5) for i in range(200)]) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    logged = [r["id"] for r in rows(tmp_path)]
    assert (len(logged), len(set(logged)), log.dropped) == (1600, 1600, 0)


def test_unfinished_files_are_never_seen_under_their_final_name(tmp_path: Path) -> None:
    with PredictionLogger(tmp_path, "m", rotate_rows=1) as log:
        for i in range(20):
            log.log(id=i, score=0.5)
    assert len(rows(tmp_path)) == 20
    assert list(tmp_path.glob("*.part")) == []


FORKING = """
import os, sys
from watchkeeper.client import PredictionLogger
log = PredictionLogger(sys.argv[1], "m", rotate_seconds=3600)
log.log(id="parent, before", score=0.5)
child = os.fork()
log.log(id="child" if child == 0 else "parent, after", score=0.5)
if child == 0:
    log.close()
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_writes_its_own_rows_and_what_waited_is_the_parents_and_exit_flushes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path)], check=True, timeout=60)
    assert sorted(r["id"] for r in rows(tmp_path)) == ["child", "parent, after", "parent, before"]
    assert len(files(tmp_path)) == 2


def test_the_client_imports_the_standard_library_alone() -> None:
    code = "import sys, json; before = set(sys.modules); import watchkeeper.client; print(json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(json.loads(printed)) - set(sys.stdlib_module_names) == {"watchkeeper"}
