"""The commands init, add, check and doctor, on real files."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_diabetes, load_wine
from typer.testing import CliRunner, Result

from conftest import PARCELS
from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.cli import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace made by `init`."""
    root = tmp_path / "watch"
    assert call("init", root, "--timezone", "Europe/Berlin").exit_code == 0
    return root


def hours(count: int, step_h: float) -> list[datetime]:
    return [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=step_h * i) for i in range(count)]


@pytest.fixture
def wine(root: Path) -> tuple[Path, Path]:
    """scikit-learn's wine as events and labels in the inbox."""
    data = load_wine()
    names = data.target_names[data.target]
    ids = [f"bottle-{i}" for i in range(len(names))]
    features = {name.replace("/", "_"): data.data[:, i] for i, name in enumerate(data.feature_names)}
    pq.write_table(
        pa.table({"bottle_id": ids, "tasted_at": hours(len(ids), 8), "predicted": names, **features}), root / "inbox" / "wine-2025.parquet"
    )
    pyarrow.csv.write_csv(pa.table({"bottle_id": ids, "cultivar": names, "known_at": hours(len(ids), 8)}), root / "inbox" / "cultivars-2025.csv")
    return root / "inbox" / "wine-2025.parquet", root / "inbox" / "cultivars-2025.csv"


@pytest.fixture
def diabetes(root: Path) -> tuple[Path, Path]:
    """scikit-learn's diabetes as events and labels in the inbox."""
    data = load_diabetes()
    patients = list(range(1000, 1000 + len(data.target)))
    features = {name: data.data[:, i] for i, name in enumerate(data.feature_names)}
    pq.write_table(
        pa.table({"patient": patients, "examined_at": hours(len(patients), 3), "predicted": data.target * 0.9, **features}),
        root / "inbox" / "d-1.parquet",
    )
    pq.write_table(pa.table({"patient": patients, "progression": data.target}), root / "inbox" / "progression-1.parquet")
    return root / "inbox" / "d-1.parquet", root / "inbox" / "progression-1.parquet"


def test_init_makes_a_workspace_that_checks_clean_and_names_the_next_command(tmp_path: Path):
    made = call("init", tmp_path / "new", "--name", "Ümit's: watch")
    assert made.exit_code == 0
    assert "watchkeeper add MODEL" in made.stdout
    home = find_home(tmp_path / "new")
    assert home.workspace.name == "Ümit's: watch"
    assert home.prices.exists()
    assert home.workspace.now is None
    assert (home.root / "deployments" / "prefect.yaml").exists()
    assert "/warehouse/lake/" in (home.root / ".gitignore").read_text()
    assert call("check", "--home", home.root).exit_code == 0


def test_init_takes_the_folder_from_home_where_it_is_named_there_and_asks_for_one_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WATCHKEEPER_HOME", raising=False)
    assert call("--home", tmp_path / "new", "init").exit_code == 0
    assert (tmp_path / "new" / "watchkeeper.yaml").exists()
    unnamed = call("init")
    assert (unnamed.exit_code, unnamed.stderr.strip()) == (2, "DIR: which folder is to be the workspace. Name it: `watchkeeper init DIR`.")


def test_init_overwrites_nothing(root: Path):
    (root / "watchkeeper.yaml").write_text("name: mine\n")
    refused = call("init", root)
    assert refused.exit_code == 2
    assert "nothing is overwritten" in refused.stderr
    assert (root / "watchkeeper.yaml").read_text() == "name: mine\n"


def test_init_refuses_a_time_zone_that_is_none(tmp_path: Path):
    refused = call("init", tmp_path / "new", "--timezone", "Mars/Olympus")
    assert (refused.exit_code, (tmp_path / "new").exists()) == (2, False)
    assert "not a time zone" in refused.stderr


def test_a_multiclass_model_is_added_and_checks_clean(root: Path, wine: tuple[Path, Path]):
    added = call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1], "--owner", "#wine")
    assert added.exit_code == 0, added.stderr
    assert "Wrote deployments/monitors/wine.yaml" in added.stdout
    monitors, problems = load_monitors(find_home(root))
    assert problems == []
    assert (monitors["wine"].task, monitors["wine"].timezone, monitors["wine"].events.files) == (
        "multiclass",
        "Europe/Berlin",
        "inbox/wine-*.parquet",
    )
    checked = call("check", "--home", root, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout) == {"monitors": ["wine"], "suites": ["wine_events.json", "wine_labels.json"], "findings": []}


def test_a_regression_model_is_added_and_checks_clean(root: Path, diabetes: tuple[Path, Path]):
    added = call("add", "diabetes", "--home", root, "--events", diabetes[0], "--labels", diabetes[1], "--owner", "#d", "--json")
    assert added.exit_code == 0, added.stderr
    guesses = {g["key"]: g["value"] for g in json.loads(added.stdout)["guesses"]}
    assert (guesses["task"], guesses["columns.score"], guesses["labels.column"]) == ("regression", "predicted", "progression")
    assert json.loads(call("check", "--home", root, "--json").stdout)["findings"] == []


BUYERS = {"order_id": [f"o{i}" for i in range(200)], "placed_at": hours(200, 1), "channel": ["web", "shop"] * 100}


@pytest.mark.parametrize(
    ("outputs", "truth", "suffix"),
    [
        ({"score": [0, 1] * 100, "is_late": [False, True] * 100}, [0, 1] * 100, "parquet"),
        ({"score": [i / 200 for i in range(200)]}, [True, False] * 100, "csv"),
        ({"predicted": ["a", "b", "c", "d"] * 50, **{f"p_{c}": [int(c == "a")] * 200 for c in "abcd"}}, ["a", "b", "c", "d"] * 50, "csv"),
        ({"predicted": [1, 2, 3, 4] * 50, "latency": [3, 12] * 100}, [1, 2, 3, 4] * 50, "parquet"),
        ({"estimate": [1000 * i for i in range(200)], "latency": range(200)}, [1000.5 * i for i in range(200)], "csv"),
        ({"estimate": [1000 * i for i in range(200)]}, [1010 * i for i in range(200)], "parquet"),
    ],
    ids=["whole scores", "scores", "whole probabilities", "whole classes", "whole estimates", "whole truth"],
)
def test_a_drafted_suite_passes_on_the_file_it_was_drafted_from(root: Path, outputs: dict[str, object], truth: list[object], suffix: str):
    write = pq.write_table if suffix == "parquet" else pyarrow.csv.write_csv
    for name, columns in (("orders", BUYERS | outputs), ("outcomes", {"order_id": BUYERS["order_id"], "outcome": truth, "known_at": hours(200, 1)})):
        write(pa.table({k: list(v) for k, v in columns.items()}), root / "inbox" / f"{name}-1.{suffix}")
    files = {"events": root / "inbox" / f"orders-1.{suffix}", "labels": root / "inbox" / f"outcomes-1.{suffix}"}
    added = call(
        "add",
        "orders",
        "--home",
        root,
        "--events",
        files["events"],
        "--labels",
        files["labels"],
        *(["--score", "score"] if "score" in outputs else []),
    )
    assert added.exit_code == 0, added.output
    for source, file in files.items():
        done = call("validate", "orders", "--home", root, "--file", file, *(["--labels"] if source == "labels" else []), "--json")
        checked = json.loads(done.stdout)
        assert [f["expectation_id"] for f in checked["findings"] if f["outcome"] != "pass"] == []
        assert (done.exit_code, checked["quarantined"]) == (0, 0)


def test_each_guess_stands_in_the_file_with_its_reason(root: Path, wine: tuple[Path, Path]):
    call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1])
    text = (root / "deployments" / "monitors" / "wine.yaml").read_text()
    assert any(line.startswith("  id: bottle_id ") and "# all values differ" in line for line in text.splitlines())


def test_what_the_data_do_not_say_is_asked_for_and_nothing_is_written(root: Path):
    pyarrow.csv.write_csv(pa.table({"colour": ["red", "blue", "red"], "weight": [1.0, 2.0, 3.0]}), root / "inbox" / "x.csv")
    refused = call("add", "x", "--home", root, "--events", root / "inbox" / "x.csv")
    assert refused.exit_code == 2
    assert all(option in refused.stderr for option in ("--id", "--time", "--task"))
    assert list((root / "deployments" / "monitors").glob("x*")) == []
    assert list((root / "expectations").iterdir()) == []


def test_a_mistyped_task_is_wrong_usage(root: Path, wine: tuple[Path, Path]):
    refused = call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1], "--task", "multiclas")
    assert (refused.exit_code, refused.stderr) == (2, "--task: there is no task 'multiclas'. Did you mean 'multiclass'?\n")


def test_a_model_is_added_once(root: Path, wine: tuple[Path, Path]):
    assert call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1]).exit_code == 0
    again = call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1])
    assert again.exit_code == 2
    assert "there is a model 'wine' already" in again.stderr


def test_a_suite_that_people_wrote_is_kept(root: Path, wine: tuple[Path, Path]):
    (root / "expectations" / "wine_events.json").write_text('{"name": "wine_events", "expectations": []}')
    added = call("add", "wine", "--home", root, "--events", wine[0], "--labels", wine[1])
    assert "Kept expectations/wine_events.json" in added.stdout
    assert json.loads((root / "expectations" / "wine_events.json").read_text())["expectations"] == []


def test_two_files_of_like_names_do_not_share_a_glob(root: Path):
    rows = {"order_id": [f"o{i}" for i in range(40)], "placed_at": hours(40, 12)}
    pq.write_table(pa.table({**rows, "score": [i / 41 for i in range(40)]}), root / "inbox" / "data-1.parquet")
    pq.write_table(pa.table({"order_id": rows["order_id"], "late": [0, 1] * 20}), root / "inbox" / "data-2.parquet")
    assert (
        call("add", "x", "--home", root, "--events", root / "inbox" / "data-1.parquet", "--labels", root / "inbox" / "data-2.parquet").exit_code == 0
    )
    monitor = load_monitors(find_home(root))[0]["x"]
    assert (monitor.events.files, monitor.labels.files) == ("inbox/data-1.parquet", "inbox/data-2.parquet")


def test_an_unreadable_file_is_one_sentence(root: Path):
    (root / "inbox" / "cut.parquet").write_bytes(b"PAR1 and then nothing")
    refused = call("add", "x", "--home", root, "--events", root / "inbox" / "cut.parquet")
    assert refused.exit_code == 4
    assert refused.stderr.count("\n") == 1
    assert "not a whole Parquet file" in refused.stderr


def test_check_names_columns_that_the_newest_file_lacks(watchkeeper: Callable[..., Result], parcels_of_day, home):
    parcels_of_day(date(2025, 1, 1))
    path = home.monitors_dir / "parcels.yaml"
    path.write_text(
        path.read_text().replace("score: p_late", "score: p_lat").replace("- depot", "- depots") + "targets:\n- {metric: rok_auc, at_least: 0.5}\n"
    )
    checked = watchkeeper("check", "--json")
    assert checked.exit_code == 3
    mistakes = [f for f in json.loads(checked.stdout)["findings"] if f["level"] == "mistake"]
    assert [(f["what"], f["hint"]) for f in mistakes] == [
        ("unknown metric 'rok_auc'", "did you mean 'roc_auc'?"),
        ("parcels-2025-01-01.parquet has no column 'p_lat'", "did you mean 'p_late'?"),
        ("parcels-2025-01-01.parquet has no column 'depots'", "did you mean 'depot'?"),
    ]
    assert all(f["line"] for f in mistakes)
    path.write_text(path.read_text() + "segmnts: [depot]\n")
    told = [f["what"] for f in json.loads(watchkeeper("check", "--json").stdout)["findings"] if f["level"] == "mistake"]
    whole = ["unknown metric 'rok_auc'", "unknown key 'segmnts'", *(f["what"] for f in mistakes[1:])]
    assert told == whole, "a mistyped key does not hide the rest"


def test_a_suite_is_called_unused_only_where_every_monitor_is_understood(watchkeeper: Callable[..., Result], home):
    (home.suites_dir / "other_events.json").write_text('{"name": "other_events", "expectations": []}')
    assert "no monitor uses it" in watchkeeper("check").output
    (home.monitors_dir / "other.yaml").write_text("model: other\nsegmnts: [depot]\n")
    assert "no monitor uses it" not in watchkeeper("check").output


def test_check_warns_of_a_reference_that_is_not_over_or_has_no_rows(watchkeeper: Callable[..., Result], parcels_of_day, make_home, home):
    def told(at):
        checked = watchkeeper("check", "--json", at=at)
        assert checked.exit_code == 0
        return [f for f in json.loads(checked.stdout)["findings"] if "reference" in f["what"]]

    parcels_of_day(date(2025, 1, 20))
    assert told(home) == [], "nothing has landed yet: the first run may bring the rows"
    watchkeeper("ingest", "parcels", "--now", "2025-02-01")
    (found,) = told(home)
    assert (found["level"], bool(found["line"])) == ("warning", True)
    assert found["what"] == "the reference is empty: no events between 2025-01-01 and 2025-01-15 have landed"
    parcels_of_day(date(2025, 1, 3))
    watchkeeper("ingest", "parcels", "--now", "2025-02-01")
    assert told(home) == []
    early = make_home({**PARCELS, "reference": {"from": "2025-01-01", "to": "2025-01-15"}}, name="early", now="2025-01-10T00:00Z")
    assert [f["what"] for f in told(early)] == ["the reference ends on 2025-01-15; measuring starts then"]


def test_check_may_be_asked_as_of_another_moment(watchkeeper: Callable[..., Result], parcels_of_day, home):
    parcels_of_day(date(2025, 1, 20))
    watchkeeper("ingest", "parcels", "--now", "2025-02-01")
    assert "the reference ends on 2025-01-15; measuring starts then" in watchkeeper("check", "--now", "2025-01-10T00:00Z").output
    assert "the reference is empty: no events between" in watchkeeper("check", "--now", "2025-02-01").output
    refused = watchkeeper("check", "--now", "soon")
    assert refused.exit_code == 2
    assert "'soon' is not a moment" in refused.output


def test_check_tells_monitor_and_suite_mistakes_together(watchkeeper: Callable[..., Result], home):
    (home.monitors_dir / "trucks.yaml").write_text("model: trucks\ntask: binray\n")
    (home.suites_dir / "parcels_events.json").write_text('{"expectations": [{"type": "expect_nonsense", "kwargs": {}}]}')
    checked = watchkeeper("check")
    assert checked.exit_code == 3
    assert "unknown task 'binray' (line 2): did you mean 'binary'?" in checked.stdout
    assert "expect_nonsense" in checked.stdout


def test_check_names_expectations_that_no_row_of_the_newest_file_could_answer(watchkeeper: Callable[..., Result], parcels_of_day, home):
    parcels_of_day(date(2025, 1, 1))
    asked = [
        ("expect_column_values_to_match_regex", {"column": "depot", "regex": "[north"}),
        ("expect_column_values_to_match_regex_list", {"column": "depot", "regex_list": ["^n", "*"]}),
        ("expect_column_values_to_match_regex", {"column": "weight_kg", "regex": "^1"}),
        ("expect_column_values_to_be_between", {"column": "depot", "min_value": 1, "max_value": 3}),
        ("expect_column_mean_to_be_between", {"column": "depot", "min_value": 1}),
        ("expect_column_values_to_be_between", {"column": "depot", "min_value": "2025-01-01", "max_value": "2025-02-01"}),
        ("expect_column_value_lengths_to_be_between", {"column": "depot", "min_value": 1, "max_value": 9}),
        ("expect_column_values_to_match_regex", {"column": "depot", "regex": "^[a-z]+$"}),
        ("expect_column_values_to_be_between", {"column": "weight_kg", "min_value": 0}),
    ]
    expectations = [{"type": t, "kwargs": k, "severity": "warning", "meta": {"owner": "data", "why": "so"}} for t, k in asked]
    (home.suites_dir / "parcels_events.json").write_text(json.dumps({"name": "parcels_events", "expectations": expectations, "meta": {}}))
    checked = watchkeeper("check", "--json")
    assert [f["what"] for f in json.loads(checked.stdout)["findings"] if f["level"] == "mistake"] == [
        "expectations[0] (expect_column_values_to_match_regex): '[north' is no regular expression, missing ]: [north",
        "expectations[1] (expect_column_values_to_match_regex_list): '*' is no regular expression, no argument for repetition operator: *",
        (
            "expectations[2] (expect_column_values_to_match_regex): column 'weight_kg' of parcels-2025-01-01.parquet holds no text,"
            " and only text matches a pattern"
        ),
        (
            "expectations[3] (expect_column_values_to_be_between): column 'depot' of parcels-2025-01-01.parquet holds text,"
            " which lies between no numbers"
        ),
        "expectations[4] (expect_column_mean_to_be_between): column 'depot' of parcels-2025-01-01.parquet holds text, which lies between no numbers",
    ]
    assert checked.exit_code == 3


def looked_at(result: Result) -> dict[str, dict[str, str]]:
    return {d["subject"]: d for d in json.loads(result.stdout)}


def test_doctor_finds_a_good_workspace_well(watchkeeper: Callable[..., Result], home):
    looked = watchkeeper("doctor", "--json")
    assert looked.exit_code == 0, looked.stderr
    states = {subject: d["state"] for subject, d in looked_at(looked).items()}
    assert states == dict.fromkeys(states, "ok") | {"slack": "warn"}
    assert {"workspace", "lake", "clock", "python", "fastapi", "sqlalchemy", "prefect server", "gpu", "time zones", "disk"} <= set(states)
    assert list(home.root.glob("warehouse/lake/.doctor*")) == []


def test_doctor_works_in_a_broken_workspace(home):
    (home.root / "watchkeeper.yaml").write_text("lkae: x\n")
    looked = call("doctor", "--home", home.root, "--json")
    assert looked.exit_code == 3
    assert "did you mean 'lake'" in looked_at(looked)["workspace"]["what"]
    assert looked_at(looked)["fastapi"]["state"] == "ok"


def test_doctor_says_when_the_lake_cannot_be_written(home):
    (home.root / "warehouse" / "lake").write_text("a file where a folder should be")
    looked = call("doctor", "--home", home.root, "--json")
    assert looked.exit_code == 3
    assert looked_at(looked)["lake"]["state"] == "fail"
    assert looked_at(looked)["lake"]["mend"]


class Answers(BaseHTTPRequestHandler):
    """Answers like Prefect's health and Slack's auth.test."""

    def do_GET(self) -> None:
        self._answer(b"true" if self.path == "/api/health" else b"", 200 if self.path == "/api/health" else 404)

    def do_POST(self) -> None:
        good = self.headers.get("Authorization") == "Bearer good-token"
        self._answer(json.dumps({"ok": True, "team": "Ships"} if good else {"ok": False, "error": "invalid_auth"}).encode(), 200)

    def _answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that answers."""
    running = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.parametrize(("token", "state", "what"), [("good-token", "ok", "Ships"), ("bad-token", "fail", "invalid_auth")])
def test_doctor_asks_slack_and_prefect_where_they_are_configured(watchkeeper, server: str, token: str, state: str, what: str):
    env = {"SLACK_BOT_TOKEN": token, "SLACK_API_URL": f"{server}/api/", "PREFECT_API_URL": f"{server}/api"}
    looked = looked_at(watchkeeper("doctor", "--json", env=env))
    assert looked["slack"]["state"] == state
    assert what in looked["slack"]["what"]
    assert token not in str(looked)
    assert looked["prefect server"]["state"] == "ok"


def test_doctor_says_that_prefect_does_not_answer_without_repeating_its_password(watchkeeper):
    looked = looked_at(watchkeeper("doctor", "--json", env={"PREFECT_API_URL": "http://me:hunter2@127.0.0.1:9/api"}))
    assert looked["prefect server"]["state"] == "fail"
    assert "hunter2" not in str(looked)


def test_of_columns_that_differ_only_in_case_add_check_and_run_say_which_is_left_out(root: Path):
    rng = np.random.default_rng(3)
    rows = {"id": list(range(60)), "at": hours(60, 12), "Score": ["low", "high"] * 30, "score": rng.uniform(0, 1, 60), "Amount": rng.normal(size=60)}
    pq.write_table(pa.table(rows | {"amount": rng.normal(size=60)}), root / "inbox" / "calls.parquet")
    added = call("add", "calls", "--home", root, "--events", root / "inbox" / "calls.parquet")
    sentences = [
        f"column '{gone}' is left out: it differs from '{kept}' only in case, so one of them must be renamed to be kept"
        for gone, kept in (("Score", "score"), ("amount", "Amount"))
    ]
    assert added.exit_code == 0, added.stderr
    assert all(f"C{sentence[1:]}.\n" in added.stdout for sentence in sentences)
    checked = call("check", "--home", root)
    assert (checked.exit_code, all(f"calls.parquet: {sentence} (line" in checked.stdout for sentence in sentences)) == (0, True)
    done = call("run", "--home", root, "--now", "2025-02-01")
    assert "1 batch: 60 rows landed, 0 quarantined" in done.stdout
    assert all(f"calls: {sentence} (1 file).\n" in done.stdout for sentence in sentences)


def test_check_refuses_a_private_segment_and_warns_of_a_private_column_that_is_not_there(root: Path):
    rows = {"id": list(range(60)), "at": hours(60, 12), "score": [0.2, 0.7] * 30, "country": ["a", "b"] * 30, "channel": ["x", "y", "z"] * 20}
    pq.write_table(pa.table(rows), root / "inbox" / "calls.parquet")
    assert call("add", "calls", "--home", root, "--events", root / "inbox" / "calls.parquet", "--segments", "country,channel").exit_code == 0
    file = root / "deployments" / "monitors" / "calls.yaml"
    drafted = file.read_text()
    file.write_text(f"{drafted}private: [channel]\n")
    checked, done = call("check", "--home", root), call("run", "--home", root, "--now", "2025-02-01")
    said = "segments: 'channel' is private, and a segment shows its values in scores, pages and messages"
    assert (checked.exit_code, said in checked.stdout, done.exit_code, said in done.stderr) == (3, True, 4, True)
    file.write_text(f"{drafted}private: [Country_]\n")
    checked = call("check", "--home", root)
    assert checked.exit_code == 0
    assert "warning: deployments/monitors/calls.yaml: calls.parquet has no column 'Country_' (line" in checked.stdout
    assert "did you mean 'country'?" in checked.stdout
