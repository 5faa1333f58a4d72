"""DuckDB reads the lake: by name, in UTC, without what was never written."""

import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from watchkeeper.adapters.arrow_records import to_arrow
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.warehouse import ask, connect, heard, quoted, registered_name, statement
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.records import Run, Signal

NOW = datetime(2013, 4, 23, 6, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    run = Run(model="flights", operation="measure", window_start=NOW, window_end=NOW, outcome="done", computed_at=NOW)
    home.lake.append_records(Run, [run])
    return home


def test_a_table_is_known_by_its_name_and_its_times_are_utc(home):
    answer = ask(connect(home), "SELECT model, window_start, window_start::varchar AS text FROM runs").to_pylist()
    assert answer == [{"model": "flights", "window_start": NOW, "text": "2013-04-23 06:00:00+00"}]


def test_a_table_that_was_never_written_is_left_out(home):
    connection = connect(home.lake, {"runs": "runs", "scores": "scores"})
    assert ask(connection, "SELECT count(*) AS n FROM runs").to_pylist() == [{"n": 1}]
    with pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT * FROM scores")


def test_values_travel_as_parameters(home):
    connection = connect(home)
    sql = "SELECT count(*) AS n FROM runs WHERE model = $model"
    assert ask(connection, sql, {"model": "flights"}).to_pylist() == [{"n": 1}]
    assert ask(connection, sql, {"model": "' OR true --"}).to_pylist() == [{"n": 0}]


def test_connections_of_a_process_see_their_own_tables_only(home):
    first, second = connect(home, {}), connect(home, {})
    first.register("mine", pa.table({"a": [1]}))
    first.execute("CREATE TEMP TABLE kept AS SELECT 2 AS a")
    for name in ("mine", "kept"):
        with pytest.raises(duckdb.CatalogException):
            second.sql(f"SELECT * FROM {name}")


def test_a_connection_that_is_not_shared_may_be_locked(home):
    alone = connect(home, {}, is_shared=False)
    alone.execute("SET enable_external_access = false; SET lock_configuration = true")
    shared = connect(home, {})
    settings = ask(shared, "SELECT current_setting('enable_external_access') AS files, current_setting('lock_configuration') AS locked").to_pylist()
    assert settings == [{"files": True, "locked": False}]


def test_python_variables_are_no_tables(home):
    runs_of_mine = home.lake.read("runs")
    assert runs_of_mine is not None
    with pytest.raises(duckdb.CatalogException):
        connect(Lake(home.root / "elsewhere")).execute("SELECT * FROM runs_of_mine")


def test_a_statement_that_does_not_exist_is_named():
    with pytest.raises(UsageError, match="no_such_thing"):
        statement("no_such_thing")


def test_names_with_anything_in_them_are_quoted():
    assert registered_name("events/flight_delays") == "events_flight_delays"
    awkward = 'late "arrivals" ; drop'
    assert duckdb.connect().execute(f"SELECT 1 AS {quoted(awkward)}").description[0][0] == awkward


def test_ctrl_c_in_a_query_is_heard():
    """DuckDB takes the interrupt for itself: in a process of its own, since the signal is for the whole of it."""
    code = (
        "import duckdb, os, signal, threading\n"
        "from watchkeeper.adapters.warehouse import ask\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever started the tests may have had it ignored
        "opened = duckdb.connect(config={'threads': 1})\n"  # else another thread may have the work, and the interrupt is heard after it
        "ask(opened, 'SELECT sum(hash(range)) FROM range(1000)')\n"  # all that is imported by need is there
        "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    ask(opened, 'SELECT sum(hash(range)) FROM range(1000000000000)')\n"
        "except KeyboardInterrupt:\n"
        "    print('heard')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("heard", "")


def test_other_errors_are_left_as_they_are():
    with pytest.raises(RuntimeError, match="of another kind"), heard():
        raise RuntimeError("of another kind")
    with pytest.raises(duckdb.CatalogException), heard():
        duckdb.connect().execute("SELECT * FROM nothing")


def test_a_table_from_before_a_field_was_kept_has_nothing_there(home):
    """The lake's table is of the run that the workspace has; `revision` came later, and is never null in one of today's."""
    old = Lake(home.root / "old")
    old.append(Run.TABLE, home.lake.read(Run.TABLE).drop_columns(["revision"]))
    assert ask(connect(old), "SELECT model, revision FROM runs").to_pylist() == [{"model": "flights", "revision": None}]
    signal = Signal(
        signal_id="s",
        model="m",
        environment="production",
        family="kpi",
        level="page",
        rule="sudden",
        metric="psi",
        window_start=NOW,
        window_end=NOW,
        value=1.0,
        expected=0.0,
        p=0.1,
        state="mature",
        computed_at=NOW,
    )
    old.append(Signal.TABLE, to_arrow(Signal, [signal]).drop_columns(["expects"]))
    assert ask(connect(old), "SELECT metric, expects FROM signals").to_pylist() == [{"metric": "psi", "expects": None}]
