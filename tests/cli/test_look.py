"""The commands status, look and sql, as a person calls them."""

import json
import re
import shlex
from datetime import UTC, datetime

import pytest
import yaml
from typer.testing import CliRunner

import worlds_site as world
from watchkeeper.adapters.workspace import find_home
from watchkeeper.cli import app
from watchkeeper.cli.demo import commands
from watchkeeper.cli.frame import parse_window
from watchkeeper.errors import UsageError
from watchkeeper.windows import Window

RUN = CliRunner()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("cli"))
    world.add_events(home, watched, rows_a_day=100, days_back=3)
    home.monitors_dir.mkdir(parents=True)
    text = yaml.safe_dump(json.loads(watched.model_dump_json(by_alias=True, exclude_defaults=True)))
    (home.monitors_dir / f"{watched.model}.yaml").write_text(re.sub(r"mature_after: PT\S+|mature_after: P\S+", "mature_after: 36h", text))
    (home.root / "watchkeeper.yaml").write_text("name: flights\n")
    return home.root


def call(root, *words):
    return RUN.invoke(app, ["--home", str(root), *words])


def test_status_shows_the_overview_and_what_failed(root):
    done = call(root, "status", "--now", world.NOW.isoformat())
    assert done.exit_code == 0, done.output
    for words in ("flight_delays", "warning", "31.68 USD", "Virgin America is late", "open to slack failed: Slack answered 500"):
        assert words in done.output


def test_status_as_json_has_stable_keys(root):
    done = call(root, "status", "--json", "--now", world.NOW.isoformat())
    (row,) = json.loads(done.stdout)
    keys = {"model", "owner", "state", "reason", "timezone", "window_start", "window_end", "is_provisional", "incidents", "targets", "label_coverage"}
    assert set(row) == keys | {
        "cost",
        "currency",
        "is_cost_synthetic",
        "operations",
        "failed_actions",
        "rows_held",
        "files_held",
        "windows_without_rows",
        "maturity",
        "new_classes",
        "versions",
        "compared_with",
    }
    assert {o["operation"]: (o["outcome"], o["window_end"], o["due"], o["left_out"]) for o in row["operations"]} == {
        "measure": ("done", "2013-05-01T04:00:00Z", [], []),
        "judge": ("done", "2013-05-01T04:00:00Z", [], []),
    }


def test_sql_answers_as_a_table_and_as_json(root):
    question = "SELECT state, severity FROM incidents WHERE state = 'resolved'"
    assert json.loads(call(root, "sql", question, "--json").stdout) == [{"state": "resolved", "severity": "high"}]
    assert "resolved" in call(root, "sql", question).stdout


def test_the_example_in_the_help_of_sql_runs(root):
    example = RUN.invoke(app, ["sql", "--help"]).stdout.split("Example: watchkeeper ")[1]
    done = call(root, *shlex.split(example), "--now", world.NOW.isoformat())
    assert [set(row) for row in json.loads(done.stdout)] == [{"headline"}] * 2


def test_the_question_at_the_end_of_the_demo_is_answered(root):
    question = shlex.split(commands(find_home(root))["any question"])[1:]
    done = RUN.invoke(app, [*question, "--now", world.NOW.isoformat(), "--json"])
    assert [row["severity"] for row in json.loads(done.stdout)] == ["high", "warning"]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("TIMESTAMPTZ '9999-12-31 23:59:59+00'", "9999-12-31T23:59:59Z"),
        ("TIMESTAMPTZ '10000-01-01 00:00:00+00'", "10000-01-01 00:00:00.000000Z"),
        ("TIMESTAMP '20000-01-01'", "20000-01-01 00:00:00.000000"),
        ("DATE '20000-01-01'", "20000-01-01"),
        ("[DATE '20000-01-01']", ["20000-01-01"]),
        ("{'a': [DATE '20000-01-01'], 'b': 7}", {"a": ["20000-01-01"], "b": 7}),
        ("MAP {'a': DATE '20000-01-01'}", [["a", "20000-01-01"]]),
    ],
)
def test_sql_tells_moments_of_any_year(root, moment, told):
    question = f"SELECT {moment} AS t, 1 AS n"
    assert json.loads(call(root, "sql", question, "--json").stdout) == [{"t": told, "n": 1}]
    assert "0000-01-01" in (shown := call(root, "sql", question).stdout) or "9999-12-31 23:59" in shown


def test_sql_answers_whatever_kind_of_value_there_is(root):
    question = r"SELECT 'x\x00\xAA'::BLOB AS b, TIME '01:02' AS t, INTERVAL 3 DAY AS i, {'at': TIME '01:00'} AS s, DATE '2013-04-22' AS d"
    assert json.loads(call(root, "sql", question, "--json").stdout)[0] == {
        "b": r"x\x00\xAA",
        "t": "01:02:00",
        "i": [0, 3, 0],
        "s": {"at": "01:00:00"},
        "d": "2013-04-22",
    }
    assert r"x\x00\xAA" in call(root, "sql", question).stdout


def test_of_two_columns_of_one_name_the_second_is_numbered(root):
    assert json.loads(call(root, "sql", "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a", "--json").stdout) == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4}]


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--now", "9999-12-31T23:59:59"],
        ["status", "--now", "0001-01-01T00:00+05:00"],
        ["scores", world.MODEL, "--from", "9999-12-31"],
        ["scores", world.MODEL, "--to", "0001-01-01T00:00"],
        ["digest", "--of", "9999-12-31"],
        ["look", world.MODEL, "--window", "0001-01-01..9999-12-31"],
        ["look", world.MODEL, "--window", "2013-01-01..9999-12-31"],
        ["costs", "--from", "0001-01-01"],
    ],
    ids=" ".join,
)
def test_a_day_beyond_all_reckoning_is_wrong_usage_in_one_sentence(root, words):
    done = call(root, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"--[a-z/-]+: the year (1|9999) is not one of 1971 to 2200. Write for example 2013-04-29.\n", done.stderr)


def test_a_long_answer_is_cut_on_the_screen_and_whole_as_json(root):
    question = f"SELECT wk_row FROM events_{world.MODEL}"
    assert "100 more rows; --json prints all." in call(root, "sql", question).stdout
    assert len(json.loads(call(root, "sql", question, "--json").stdout)) == 300


def test_writing_is_wrong_usage(root):
    done = call(root, "sql", "DROP TABLE scores")
    assert done.exit_code == 2
    assert "only reads" in done.output


def test_private_columns_need_a_reason(root):
    question = f"SELECT count(passenger) AS n FROM events_{world.MODEL}"
    assert call(root, "sql", question).exit_code == 2
    assert call(root, "sql", question, "--private").exit_code == 2
    done = call(root, "sql", question, "--private", "--reason", "ticket 12", "--json")
    assert json.loads(done.stdout) == [{"n": 300}]


def test_look_names_a_model_that_is_not_there(root):
    done = call(root, "look", "flight_delay")
    assert done.exit_code == 2
    assert "flight_delay" in done.output


def test_a_window_is_local_days_both_included():
    days = parse_window("2013-04-22..2013-04-28", "America/New_York")
    assert days == Window(datetime(2013, 4, 22, 4, tzinfo=UTC), datetime(2013, 4, 29, 4, tzinfo=UTC))
    hour = parse_window("2013-04-22T10:00Z..2013-04-22T11:00Z", "America/New_York")
    assert (hour.end - hour.start).total_seconds() == 3600


@pytest.mark.parametrize("text", ["yesterday", "2013-04-28..2013-04-22", "", "2013-04-22T10:00Z"])
def test_what_is_no_window_is_wrong_usage(text):
    with pytest.raises(UsageError):
        parse_window(text, "UTC")


@pytest.mark.parametrize("command", ["status", "look", "sql"])
def test_help_ends_with_an_example(command):
    assert "Example: watchkeeper " in RUN.invoke(app, [command, "--help"]).stdout.strip().splitlines()[-1]


def test_status_long_after_the_last_run_says_how_to_see_it_as_it_stood(root):
    done = call(root, "status", "--now", "2014-05-01T04:00Z")
    assert "365 windows due, since 2013-05-01" in done.output
    assert "`--now 2013-05-01T04:00Z`" in done.output.replace("\n", "")
    assert "nothing has run" not in call(root, "status", "--now", world.NOW.isoformat()).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--metric", "log_los"), "Did you mean log_loss"),
        (("--feature", "dset"), "Did you mean dest?"),
        (("--segment", "carrier=V"), "Did you mean carrier=VX"),
    ],
)
def test_scores_of_what_nothing_is_called_are_refused_with_the_nearest_name(root, words, said):
    done = call(root, "scores", world.MODEL, *words, "--now", world.NOW.isoformat())
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("asked", "extension"),
    [("delta_scan('x')", "delta"), ("iceberg_scan('x')", "iceberg"), ("sqlite_scan('x', 'y')", "sqlite_scanner"), ("read_xlsx('x')", "excel")],
)
def test_a_function_of_an_extension_is_refused_in_one_whole_sentence(home, watchkeeper, asked, extension):
    refused = watchkeeper("sql", f"SELECT * FROM {asked}")
    assert refused.exit_code == 2
    assert refused.stderr == (
        f'sql: Catalog Error: Table Function with name "{asked.partition("(")[0]}" is not in the catalog, but it exists in the {extension} extension.'
        " `SHOW TABLES` lists what there is.\n"
    )
