"""The commands that take files in, as people and scripts use them."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from conftest import PARCELS, parcels_world
from intake_world import expect, suite
from watchkeeper.adapters.workspace import Home
from watchkeeper.cli import app

Run = Callable[..., Result]
HEADER = "parcel,sent_at,p_late,is_late,version,address\n"
GOOD = "a,2025-01-02T10:00:00Z,0.1,0,1,Main Street 1\n"
BAD = "b,soon,0.1,0,1,Secret Lane 9\n"
NOW = ("--now", "2025-01-03T00:00Z")


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    return make_home({**PARCELS, "private": ["address"]})


@pytest.fixture
def one_held(home: Home, watchkeeper: Run) -> Home:
    path = home.root / "day.csv"
    path.write_text(HEADER + GOOD + BAD)
    assert watchkeeper("ingest", "parcels", str(path), *NOW).exit_code == 3
    return home


def test_ingest_says_what_became_of_each_file_and_knows_a_repeat(home: Home, watchkeeper: Run) -> None:
    path = home.root / "day.csv"
    path.write_text(HEADER + GOOD + BAD)
    first, again = (json.loads(watchkeeper("ingest", "parcels", str(path), "--json", *NOW).stdout)[0] for _ in range(2))
    keys = ("batch_id", "rows_landed", "rows_quarantined", "is_duplicate")
    assert [first[k] for k in keys[1:]] == [1, 1, False]
    assert [again[k] for k in keys] == [first["batch_id"], 0, 0, True]
    assert (
        again["reason"]
        == "the same content was taken in before, as day.csv; 1 row: sent_at: '…' is not a time (ISO text, day.month.year, or an epoch)"
    )


def test_ingest_without_files_takes_what_the_monitor_names(watchkeeper: Run, home: Home) -> None:
    assert watchkeeper("ingest", "parcels", *NOW).stdout == "No new files.\n"


def test_ingest_takes_standard_input(home: Home) -> None:
    line = '{"parcel": "a", "sent_at": "2025-01-02T10:00:00Z", "p_late": 0.1, "is_late": 0}\n'
    arguments = ["--home", str(home.root), "ingest", "parcels", "--stdin", "--name", "x.jsonl", "--json", *NOW]
    told = json.loads(CliRunner().invoke(app, arguments, input=line).stdout)[0]
    assert (told["name"], told["status"], told["rows_landed"]) == ("x.jsonl", "landed", 1)


def test_ingest_takes_labels(home: Home, watchkeeper: Run) -> None:
    (home.root / "l.csv").write_text("parcel,was_late,delivered_at\na,1,2025-01-02T20:00:00Z\n")
    told = json.loads(watchkeeper("ingest", "parcels", str(home.root / "l.csv"), "--source", "labels", "--json", *NOW).stdout)[0]
    assert (told["source"], told["rows_landed"], told["reason"]) == ("labels", 1, "1 of 1 ids not seen yet")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody",), "nobody"),
        (("parcels", "nowhere.csv"), "no file at nowhere.csv"),
        (("parcels", "--stdin"), "standard input has no name to tell its format by"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(watchkeeper: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = watchkeeper("ingest", *arguments, *NOW)
    assert (result.exit_code, sentence in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "command",
    [("ingest", "parcels", "nope.parquet"), ("validate", "parcels", "--file", "nope.parquet"), ("add", "vans", "--events", "nope.parquet")],
    ids=lambda c: c[0],
)
def test_a_file_that_is_not_there_is_the_same_wrong_usage_for_every_command(watchkeeper: Run, command: tuple[str, ...]) -> None:
    result = watchkeeper(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "no file at nope.parquet. Check the path; quote globs only in monitor files.\n"


def test_a_given_file_that_is_refused_whole_gives_exit_code_3(home: Home, watchkeeper: Run) -> None:
    (home.root / "day.parquet").write_bytes(b"PAR1")
    result = watchkeeper("ingest", "parcels", str(home.root / "day.parquet"), *NOW)
    assert result.exit_code == 3


def test_quarantine_is_listed_by_reason_without_values(one_held: Home, watchkeeper: Run) -> None:
    listed = json.loads(watchkeeper("quarantine", "list", "parcels", "--json", *NOW).stdout)
    assert [(h["model"], h["rows"], h["reason"]) for h in listed] == [
        ("parcels", 1, "sent_at: '…' is not a time (ISO text, day.month.year, or an epoch)")
    ]
    assert "soon" not in watchkeeper("quarantine", "list", *NOW).stdout


def test_private_columns_are_shown_with_a_reason_only(one_held: Home, watchkeeper: Run) -> None:
    masked = json.loads(watchkeeper("quarantine", "show", "parcels", "--json", *NOW).stdout)[0]
    assert (masked["row"]["address"], masked["row"]["parcel"]) == ("***", "b")
    refused = watchkeeper("quarantine", "show", "parcels", "--private", "--json", *NOW)
    assert (refused.exit_code, "Secret" in refused.stdout) == (2, False)
    shown = watchkeeper("quarantine", "show", "parcels", "--private", "--reason", "ticket 7", "--json", *NOW)
    assert json.loads(shown.stdout)[0]["row"]["address"] == "Secret Lane 9"


def test_rows_are_released_or_stay_with_exit_code_3_and_discarded_with_a_reason(one_held: Home, watchkeeper: Run) -> None:
    kept = watchkeeper("quarantine", "release", "parcels", "--all", "--reason", "try", "--json", *NOW)
    assert (kept.exit_code, json.loads(kept.stdout)[0]["kept"]) == (3, 1)
    assert watchkeeper("quarantine", "discard", "parcels", "--all", *NOW).exit_code == 2
    assert watchkeeper("quarantine", "discard", "parcels", "--reason", "test", *NOW).exit_code == 2
    gone = watchkeeper("quarantine", "discard", "parcels", "--all", "--reason", "test rows", "--who", "ann", "--now", "2025-01-04T00:00Z")
    assert gone.stdout == "1 discarded.\n"
    again = watchkeeper("quarantine", "discard", "parcels", "--all", "--reason", "test rows", "--who", "ann", "--now", "2025-01-04T00:00Z")
    assert (again.exit_code, again.stdout) == (0, "Nothing that you chose is held.\n")
    assert watchkeeper("quarantine", "list", "parcels", "--now", "2025-01-05T00:00Z").stdout == "Nothing is in quarantine.\n"


@pytest.mark.parametrize("command", ["ingest", "quarantine list", "quarantine show", "quarantine release", "quarantine discard"])
def test_help_ends_with_an_example(watchkeeper: Run, command: str) -> None:
    assert f"Example: watchkeeper {command}" in watchkeeper(*command.split(), "--help").stdout


def test_an_empty_id_chooses_nothing_and_not_everything(one_held: Home, watchkeeper: Run) -> None:
    result = watchkeeper("quarantine", "discard", "parcels", "", "--reason", "a variable was unset")
    assert (result.exit_code, "would choose every entry" in result.stderr) == (2, True)
    assert watchkeeper("quarantine", "list", "parcels", "--json").stdout != "[]\n"


def test_a_file_of_which_rows_were_set_aside_gives_exit_code_3(home: Home, watchkeeper: Run) -> None:
    file = home.root / "some.csv"
    file.write_text("parcel,sent_at,p_late,is_late,version\na,2025-01-02T10:00:00Z,0.5,true,1\nb,soon,0.5,true,1\n")
    result = watchkeeper("ingest", "parcels", str(file), "--json")
    assert (result.exit_code, [(b["rows_landed"], b["rows_quarantined"]) for b in json.loads(result.stdout)]) == (3, [(1, 1)])


@pytest.mark.parametrize(("name", "content", "code"), [("day.csv.gz", "", 3), ("day.csv", HEADER + GOOD + BAD, 3), ("day.csv", HEADER + GOOD, 0)])
def test_a_file_offered_again_exits_as_it_did_the_first_time(home: Home, watchkeeper: Run, name: str, content: str, code: int) -> None:
    (home.root / name).write_text(content)
    first, again = (watchkeeper("ingest", "parcels", str(home.root / name), "--json", *NOW) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (code, code)
    assert json.loads(again.stdout)[0]["reason"].endswith(json.loads(first.stdout)[0]["reason"])


BLIND = expect("expect_column_values_to_not_be_null", column="courier")
SAYS = "could not be evaluated (expect_column_values_to_not_be_null/courier), so rows landed unchecked: "


def test_a_critical_expectation_that_cannot_be_evaluated_exits_with_4_until_a_file_can_be_checked(home: Home, watchkeeper: Run) -> None:
    suite(home, "parcels_events", BLIND)
    (home.root / "day.csv").write_text(HEADER + GOOD)
    for _ in range(2):
        result = watchkeeper("ingest", "parcels", str(home.root / "day.csv"), *NOW)
        assert (result.exit_code, f"day.csv: 1 critical expectation {SAYS}" in result.stderr) == (4, True)
    assert "Correct the suite parcels_events, or send what it names." in watchkeeper("status", *NOW).stdout
    (home.root / "next.csv").write_text("courier," + HEADER + "x," + GOOD.replace("a,", "b,", 1))
    assert watchkeeper("ingest", "parcels", str(home.root / "next.csv"), "--now", "2025-01-04T00:00Z").exit_code == 0
    assert SAYS not in watchkeeper("status", "--now", "2025-01-04T00:00Z").stdout


def test_rows_set_aside_go_before_what_could_not_be_evaluated(home: Home, watchkeeper: Run) -> None:
    suite(home, "parcels_events", BLIND)
    (home.root / "day.csv").write_text(HEADER + GOOD + BAD)
    result = watchkeeper("ingest", "parcels", str(home.root / "day.csv"), *NOW)
    assert (result.exit_code, SAYS in result.stderr) == (3, True)


def test_what_is_no_critical_expectation_may_go_unevaluated(home: Home, watchkeeper: Run) -> None:
    suite(home, "parcels_events", {**BLIND, "severity": "warning"})
    (home.root / "day.csv").write_text(HEADER + GOOD)
    assert watchkeeper("ingest", "parcels", str(home.root / "day.csv"), *NOW).exit_code == 0


def test_run_says_which_critical_expectation_could_not_be_evaluated(
    home: Home, watchkeeper: Run, parcels_of_day: Callable[..., tuple[Path, Path]]
) -> None:
    suite(home, "parcels_events", BLIND)
    for day in (1, 2):
        parcels_of_day(date(2025, 1, day), rows=5)
    result = watchkeeper("run", "--json", *NOW)
    assert (result.exit_code, len(json.loads(result.stdout)["unevaluated"])) == (4, 1)
    assert f"parcels-2025-01-01.parquet and 1 more: 1 critical expectation {SAYS}" in result.stderr


def test_run_and_ingest_say_why_rows_and_files_were_set_aside(home: Home, watchkeeper: Run, parcels_of_day: Callable[..., tuple[Path, Path]]) -> None:
    for day in (1, 2, 9):
        parcels_of_day(date(2025, 1, day), rows=5)
    (home.root / "inbox" / "parcels-cut.parquet").write_bytes(b"PAR1 and then nothing")
    said = (
        "Set aside: 1 file: parcels-cut.parquet: is not a whole Parquet file; it may have been cut off. Copy it again; 5 rows: sent_at: '…' lies more than a day in the future; "
        "5 rows: delivered_at: '…' lies more than a day in the future. `watchkeeper quarantine list` has all of it."
    )
    result = watchkeeper("run", *NOW)
    assert result.stdout.splitlines()[1:3] == [said, "parcels: not measured yet: the reference ends on 2025-01-15; measuring starts then."]
    assert "0 windows measured" in result.stdout
    assert "parcels: the reference ends on 2025-01-15; measuring starts then" in watchkeeper("status", *NOW).stdout
    assert result.exit_code == 0
    again = watchkeeper("run", *NOW)
    assert "Set aside" not in again.stdout
    files = [str(home.root / "inbox" / f"parcels-{name}.parquet") for name in ("cut", "2025-01-09")]
    named = watchkeeper("ingest", "parcels", *files, *NOW)
    assert f"{said.rpartition('; 5 rows')[0]}. `watchkeeper quarantine list` has all of it." in named.stdout.splitlines()
    assert named.exit_code == 3


def test_run_tells_of_rows_that_were_known_already(home: Home, watchkeeper: Run, parcels_of_day: Callable[..., tuple[Path, Path]]) -> None:
    events, _ = parcels_of_day(date(2025, 1, 1), rows=5)
    assert "10 rows landed, 0 quarantined. " in watchkeeper("run", *NOW).stdout
    again, more = pq.read_table(events), parcels_world(datetime(2025, 1, 2, tzinfo=UTC), rows=2)[0]
    pq.write_table(pa.concat_tables([again, more]), home.root / "inbox" / "parcels-both.parquet")
    assert "1 batch: 2 rows landed, 0 quarantined, 5 known already. " in watchkeeper("run", *NOW).stdout


@pytest.mark.parametrize("command", [("ingest", "parcels"), ("run",)])
def test_a_lake_that_is_no_folder_is_one_sentence_and_exit_code_4(
    home: Home, watchkeeper: Run, parcels_of_day: Callable[..., tuple[Path, Path]], command: tuple[str, ...]
) -> None:
    parcels_of_day(date(2025, 1, 1), rows=5)
    (home.root / "warehouse" / "lake").write_text("not a folder")
    result = watchkeeper(*command, *NOW)
    assert (result.exit_code, result.stderr.count("\n")) == (4, 1)
    assert result.stderr == f"{home.root / 'warehouse' / 'lake'}: is a file, where the lake's folder should be. Move it away, or put the lake back.\n"


def test_pages_that_cannot_be_written_are_one_sentence_and_exit_code_4(home: Home, watchkeeper: Run, request: pytest.FixtureRequest) -> None:
    assert watchkeeper("run", *NOW).exit_code == 0
    request.getfixturevalue("without_rights")
    (home.site_dir / "index.html").unlink()
    home.site_dir.chmod(0o555)
    result = watchkeeper("run", *NOW)
    assert "index.html: cannot be written (Permission denied). Check its permissions, and the space left there." in result.stderr
    assert result.exit_code == 4


def test_an_id_or_a_batch_that_was_never_in_quarantine_is_refused(one_held: Home, watchkeeper: Run) -> None:
    for words in (
        ("show", "parcels", "nosuch"),
        ("release", "parcels", "nosuch", "--reason", "try"),
        ("discard", "parcels", "nosuch", "--reason", "x"),
        ("discard", "parcels", "--matching", "nosuch", "--reason", "x"),
        ("release", "parcels", "--matching", "nosuch", "--reason", "x"),
    ):
        done = watchkeeper("quarantine", *words, *NOW)
        assert done.exit_code == 2
        assert "nosuch" in done.output


def test_a_validation_without_rows_says_that_nothing_was_checked(home: Home, watchkeeper: Run) -> None:
    done = watchkeeper("validate", "parcels", *NOW)
    assert done.exit_code == 4
    assert "Nothing was checked" in done.output
    assert "No critical failure" not in done.output


def test_a_moment_that_cannot_be_is_named_by_its_own_option(home: Home, watchkeeper: Run) -> None:
    done = watchkeeper("change", "add", "parcels", "--kind", "config", "--at", "0001-01-01", *NOW)
    assert (done.exit_code, done.stderr.startswith("--at: the year 1 is not one of 1971 to 2200")) == (2, True)
    assert watchkeeper("change", "add", "parcels", "--kind", "config", "--now", "soon").stderr.startswith("--now: 'soon' is not a moment")


def test_a_file_that_cannot_be_checked_is_named_with_its_model(home: Home, watchkeeper: Run) -> None:
    (home.root / "odd.csv").write_text("a,b\n1,2\n")
    refused = watchkeeper("validate", "parcels", "--file", str(home.root / "odd.csv"))
    assert refused.exit_code == 4
    assert refused.stderr.startswith("odd.csv, for parcels: has no columns ")


def test_a_week_that_has_not_begun_has_no_digest(home: Home, watchkeeper: Run) -> None:
    refused = watchkeeper("digest", "--of", "2031-01-15", *NOW)
    assert (refused.exit_code, refused.stderr.startswith("--of: that week has not begun. It is ")) == (2, True)
