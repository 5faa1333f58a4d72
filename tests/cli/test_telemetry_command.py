"""`take-telemetry`, and `run` with sources: what is printed, and with which code they end."""

import json

from conftest import PARCELS
from otel_world import a_trace, json_of

NOW = ("--now", "2025-02-02T00:00Z")


def test_given_files_are_told_of_one_by_one_and_what_was_set_aside_ends_with_3(home, watchkeeper):
    good, bad = home.root / "good.jsonl", home.root / "bad.jsonl"
    good.write_bytes(json_of(a_trace()))
    bad.write_bytes(b"nonsense {\n" + json_of(a_trace(seconds=60)))
    assert watchkeeper("take-telemetry", str(good), *NOW).exit_code == 0
    both = watchkeeper("take-telemetry", str(good), str(bad), "--json", *NOW)
    assert both.exit_code == 3
    again, broken = sorted(json.loads(both.stdout), key=lambda t: not t["is_repeat"])
    assert (again["name"], again["spans"], again["rows_duplicate"]) == ("good.jsonl", 0, 3)
    assert (broken["name"], broken["status"], broken["spans"], broken["reason"]) == ("bad.jsonl", "partial", 3, "set aside: line 1 is not JSON")
    once_more = watchkeeper("take-telemetry", str(bad), "--json", *NOW)
    (repeat,) = json.loads(once_more.stdout)
    assert (once_more.exit_code, repeat["rows_duplicate"], repeat["rows_quarantined"], repeat["is_repeat"]) == (3, 3, 1, True)
    assert repeat["reason"] == "the same content was taken in before; set aside: line 1 is not JSON"


def test_without_files_or_sources_it_says_where_to_name_them(home, watchkeeper):
    told = watchkeeper("take-telemetry")
    assert told.exit_code == 2
    assert "Name files, or say in watchkeeper.yaml, under `telemetry`, where they come from." in told.stderr
    assert "no file at nowhere.jsonl" in watchkeeper("take-telemetry", "nowhere.jsonl").stderr


def test_a_source_that_fails_is_told_of_once_and_a_folder_is_called_one(make_home, watchkeeper):
    gone = [{"name": "gone", "server": "http://127.0.0.1:9", "query": "up"}]
    home = make_home(PARCELS, name="traced", telemetry={"prometheus": gone})
    told = watchkeeper("take-telemetry", *NOW, at=home)
    assert told.exit_code == 4
    assert told.output.count("Connection refused") == 1
    assert "Connection refused" in told.stderr
    assert "gone   failed" in told.stdout
    assert "Connection refused" in json.loads(watchkeeper("take-telemetry", "--json", *NOW, at=home).stdout)[0]["reason"]
    of_a_folder = watchkeeper("take-telemetry", str(home.root), at=home)
    assert of_a_folder.exit_code == 2
    assert "is a folder. Name its files." in of_a_folder.stderr


def test_while_a_monitor_cannot_be_read_nothing_is_taken_in_since_its_private_names_are_not_known(make_home, watchkeeper):
    home = make_home(PARCELS, name="traced", telemetry={"files": ["inbox/*.jsonl"]})
    (home.root / "inbox" / "a.jsonl").write_bytes(json_of(a_trace()))
    broken = home.root / "deployments" / "monitors" / "letters.yaml"
    broken.write_text("model: letters\nprivate: [lane]\nwindw: day\n")
    for told in (watchkeeper("take-telemetry", *NOW, at=home), watchkeeper("run", *NOW, at=home)):
        assert told.exit_code in (2, 4)
        assert (
            "no telemetry is taken in, since what a monitor that cannot be read calls private is not known (deployments/monitors/letters.yaml"
            in told.stderr
        )
    assert home.lake.read("telemetry/spans") is None
    broken.unlink()
    assert "3 spans" in watchkeeper("run", *NOW, at=home).stdout


def test_run_takes_it_in_tells_of_it_and_ends_with_4_where_a_source_is_gone(make_home, watchkeeper):
    sources = [{"name": "gone", "server": "http://127.0.0.1:9", "query": "up"}]
    home = make_home(PARCELS, name="traced", telemetry={"files": ["inbox/*.jsonl"], "prometheus": sources})
    (home.root / "inbox" / "a.jsonl").write_bytes(json_of(a_trace()))
    done = watchkeeper("run", *NOW, at=home)
    assert done.exit_code == 4
    assert "Telemetry: 3 spans and 0 values landed." in done.stdout
    assert "gone: http://127.0.0.1:9/api/v1/query_range: cannot be read (Connection refused)" in done.stderr
    assert (home.root / "warehouse" / "site" / "metrics").read_text().startswith("# HELP watchkeeper_score_series_left_out")
