"""What every command has: a home, one-sentence errors with exit codes, an example, and a quick start."""

import errno
import importlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.settings import TELEMETRY_OFF
from watchkeeper.cli import VERBS, app
from watchkeeper.cli.frame import moment, new_app
from watchkeeper.cli.output import cell, plain, program, show
from watchkeeper.errors import UsageError

RUNNER = CliRunner()


ALL = typer.main.get_command(app)


def leaves(command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    return [path] if inner is None else [leaf for name, sub in inner.items() for leaf in leaves(sub, (*path, name))]


COMMANDS = [leaf for verb in VERBS for leaf in leaves(ALL.load(verb.name), (verb.name,))]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_ends_with_an_example(command):
    shown = RUNNER.invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.stdout.strip().split("\n\n")[-1]
    assert " ".join(command) in shown.stdout.strip().split("\n\n")[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_names_values_in_capitals_and_shows_no_python_type(command):
    shown = RUNNER.invoke(app, [*command, "--help"]).stdout
    assert "<" not in shown
    usage = shown.split("Usage: ")[1].splitlines()[0]
    named = re.findall(r"[{\[]([^}\]]+)[}\]]", usage)
    assert named == [n.upper() for n in named]
    assert "[[" not in usage


@pytest.mark.parametrize("command", [("scores", "m", "--by"), ("costs", "--by"), ("backfill", "--bins"), ("digest", "--period")], ids=" ".join)
def test_a_value_that_is_none_of_those_there_are_is_refused_in_our_words(command):
    refused = RUNNER.invoke(app, [*command, "fortnight"])
    assert refused.exit_code == 2
    assert f"Invalid value for '{command[-1]}': 'fortnight' is not one of" in refused.output


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in {("init",), ("demo",)}], ids=" ".join)
def test_home_may_stand_after_every_verb(command):
    assert "--home" in RUNNER.invoke(app, [*command, "--help"]).stdout


def test_home_may_stand_before_and_after_the_verb_or_in_the_environment(home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    for arguments, env in (
        (["--home", home.root, "check"], {}),
        (["check", "--home", home.root], {}),
        (["check"], {"WATCHKEEPER_HOME": str(home.root)}),
    ):
        assert RUNNER.invoke(app, [str(a) for a in arguments], env=env).exit_code == 0


def test_the_home_after_the_verb_wins(home, tmp_path: Path):
    assert RUNNER.invoke(app, ["--home", str(tmp_path / "nowhere"), "check", "--home", str(home.root)]).exit_code == 0


def test_an_error_is_one_sentence_on_stderr_and_an_exit_code(tmp_path: Path):
    refused = RUNNER.invoke(app, ["check", "--home", str(tmp_path)])
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert refused.stderr == f"{tmp_path}: is not a workspace, it has no watchkeeper.yaml. Run `watchkeeper init {tmp_path}` to make it one.\n"


def broken_app() -> typer.Typer:
    """Return an application with a command that fails in a way nobody foresaw."""
    app = new_app(())

    @app.command("look")
    def look() -> None:
        Lake("nowhere").uri(1, 2)

    return app


def test_a_bug_is_one_sentence_with_its_place_and_an_exit_code_of_its_own():
    failed = RUNNER.invoke(broken_app(), ["look"])
    assert failed.exit_code == 5
    assert "Traceback" not in failed.output
    assert failed.stderr == (
        "look: this is a bug in Watchkeeper: TypeError: Lake.uri() takes 2 positional arguments but 3 were given. "
        "`watchkeeper --traceback look ...` shows where it comes from; please report that.\n"
    )


def test_the_sentence_of_a_bug_names_the_file_and_line_where_it_happened(tmp_path: Path):
    app = new_app(())

    @app.command("look")
    def look() -> None:
        Lake(tmp_path).append("t", "no table")

    assert re.search(
        r": AttributeError in adapters/lake\.py, line \d+: 'str' object has no attribute 'num_rows'\. ", RUNNER.invoke(app, ["look"]).stderr
    )


def test_the_traceback_of_a_bug_is_shown_on_demand():
    failed = RUNNER.invoke(broken_app(), ["--traceback", "look"])
    assert failed.exit_code == 5
    assert "Traceback (most recent call last)" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("look: this is a bug in Watchkeeper: TypeError")


def test_a_full_disk_is_no_bug():
    app = new_app(())

    @app.command("look")
    def look() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/lake")

    failed = RUNNER.invoke(app, ["look"])
    assert failed.exit_code == 4
    assert failed.stderr == "/lake: cannot be used (No space left on device). Check its permissions, and the space left there.\n"


def test_wrong_usage_exits_with_2():
    assert RUNNER.invoke(app, ["check", "--nonsense"]).exit_code == 2


def test_every_command_of_every_module_is_in_the_table_of_contents():
    listed = {(verb.name, verb.module) for verb in VERBS}
    for module in {verb.module for verb in VERBS}:
        part = typer.Typer()
        importlib.import_module(f"watchkeeper.cli.{module}").register(part)
        names = {c.name or c.callback.__name__ for c in part.registered_commands} | {g.name for g in part.registered_groups}
        assert {(name, module) for name in names} == {(n, m) for n, m in listed if m == module}


def test_the_table_of_contents_fits_a_terminal():
    shown = RUNNER.invoke(app, ["--help"]).stdout
    assert all(verb.summary in shown for verb in VERBS)


def test_help_loads_none_of_the_heavy_libraries():
    heavy = [
        "great_expectations",
        "evidently",
        "prefect",
        "sklearn",
        "pandas",
        "polars",
        "duckdb",
        "deltalake",
        "pyarrow",
        "scipy",
        "numpy",
        "altair",
    ]
    code = f"import sys, watchkeeper.cli as c, typer.testing as t; t.CliRunner().invoke(c.app, ['--help']); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-04-29", datetime(2013, 4, 29, tzinfo=UTC)),
        ("2013-04-29T06:00Z", datetime(2013, 4, 29, 6, tzinfo=UTC)),
        ("2013-04-29T06:00+02:00", datetime(2013, 4, 29, 4, tzinfo=UTC)),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text, expected):
    assert moment(text) == expected


def test_without_now_the_clock_is_read():
    assert abs(moment(None) - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_workspace_whose_clock_stands_still_has_its_own_now(make_home):
    still = make_home(name="still", now="2014-01-02T18:00Z", timezone="America/New_York")
    assert moment(None, still) == datetime(2014, 1, 2, 18, tzinfo=UTC)
    assert moment("2013-04-29", still) == datetime(2013, 4, 29, tzinfo=UTC)
    assert abs(moment(None, make_home(name="going")) - datetime.now(UTC)) < timedelta(seconds=5)


def test_status_run_and_doctor_say_that_the_clock_stands_still(make_home):
    still = make_home(name="still", now="2014-01-02T18:00Z", timezone="America/New_York")
    said = "The clock of this workspace stands at Thu 2 Jan 2014, 13:00 (`now` in watchkeeper.yaml)."
    for verb in ("status", "run"):
        assert said not in RUNNER.invoke(app, [verb, "--home", str(still.root), "--now", "2013-05-01"]).stdout
        assert said in RUNNER.invoke(app, [verb, "--home", str(still.root)]).stdout.splitlines()
    [told] = [d for d in json.loads(RUNNER.invoke(app, ["doctor", "--json", "--home", str(still.root)]).stdout) if d["what"] == said]
    assert (told["state"], told["mend"]) == ("warn", "remove `now` from watchkeeper.yaml to watch as time goes")
    assert said in (still.site_dir / "index.html").read_text()


def test_a_clock_that_is_no_moment_is_a_mistake_with_its_line(tmp_path: Path):
    (tmp_path / "watchkeeper.yaml").write_text("name: still\nnow: yesterday\n")
    refused = RUNNER.invoke(app, ["status", "--home", str(tmp_path)])
    assert refused.exit_code == 2
    assert "now: 'yesterday' is not a moment; write for example 2014-01-02T18:00Z (line 2)" in refused.stderr


def test_a_moment_that_is_none_says_how_to_write_one():
    with pytest.raises(UsageError, match="--now: 'yesterday' is not a moment"):
        moment("yesterday")


def test_json_has_times_in_utc_and_null_for_what_is_no_number():
    value = {"at": datetime(2013, 4, 22, tzinfo=UTC), "wait": timedelta(hours=1), "path": Path("a/b"), "values": (1, float("inf"))}
    assert plain(value) == {"at": "2013-04-22T00:00:00Z", "wait": 3600.0, "path": "a/b", "values": [1, None]}


def test_a_cell_shows_nothing_for_none():
    assert [cell(v) for v in (None, True, 0.00012345, {"a": 1})] == ["", "yes", "0.000123", "a: 1"]


def test_deploy_without_a_prefect_server_says_what_to_set_and_starts_none(home, tmp_path: Path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    (tmp_path / "person").mkdir()
    command = [sys.executable, "-c", "from watchkeeper.cli import app; app()", "deploy", "--home", str(home.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**kept, "HOME": str(tmp_path / "person")})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "PREFECT_API_URL: there is no Prefect server to deploy to. "
        "Set PREFECT_API_URL, such as http://prefect:4200/api, or let `watchkeeper up` start one.\n"
    )
    assert [p for p in (tmp_path / "person").rglob("*") if p.is_file()] == []


def test_every_command_turns_telemetry_off(home, monkeypatch: pytest.MonkeyPatch):
    for name in TELEMETRY_OFF:
        monkeypatch.delenv(name)  # the tests turn it off themselves
    assert RUNNER.invoke(app, ["check", "--home", str(home.root)]).exit_code == 0
    assert TELEMETRY_OFF.items() <= os.environ.items()


ROWS = [{"metric": "average_precision", "why": "a sentence of several words that may be folded"}, {"metric": "log_loss", "why": ""}]


@pytest.mark.parametrize("width", ["12", "40", "200"])
def test_names_in_a_table_stay_whole_on_a_narrow_terminal(width, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", width)
    show(ROWS, as_json=False)
    printed = capsys.readouterr().out
    assert all(word in printed for row in ROWS for text in row.values() for word in text.split())
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in printed.splitlines()) <= max(int(width), 40)


def test_a_table_in_a_pipe_has_a_line_for_each_row(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    show(ROWS, as_json=False)
    assert capsys.readouterr().out.splitlines()[2:] == ["average_precision   a sentence of several words that may be folded", "log_loss"]


def test_the_program_is_named_so_that_the_command_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin")
    assert program() == "watchkeeper"
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.chdir(folder.parent.parent)
    assert program() == f"{folder.parent.name}/{folder.name}/watchkeeper"
    monkeypatch.chdir(tmp_path)
    assert program() == str(folder / "watchkeeper")


def test_the_lake_of_a_home_is_opened_only_when_asked_for(home):
    assert isinstance(home.lake, Lake)
    assert not (home.root / "warehouse" / "lake").exists()


def test_linear_algebra_has_no_helper_threads_that_spin(home):
    code = (
        "from watchkeeper.cli import app; app(['scores', 'parcels'], standalone_mode=False); import numpy; "
        "from threadpoolctl import threadpool_info; print([p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**kept, "WATCHKEEPER_HOME": str(home.root)})
    threads = json.loads(done.stdout.splitlines()[-1])
    assert threads == [1] * len(threads) != []
