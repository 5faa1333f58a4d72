"""Monitor files: what they inherit, and how their mistakes are told."""

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from watchkeeper.adapters.workspace import Home, find_home, load_monitor, load_monitors
from watchkeeper.errors import ConfigurationError, UsageError

GOOD = """\
model: parcels
task: binary
events: {files: "inbox/*.parquet"}
columns: {id: parcel, time: sent_at, score: p_late}
reference: {from: 2025-01-01, to: 2025-02-01}
"""
MANY_TIMES = "".join(f"x{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.fixture
def said(make_home: Callable[..., Home]) -> Callable[..., Home]:
    """Return a maker of workspaces from the texts of monitor files: `said(parcels="model: ...", _defaults="...")`."""

    def make(workspace: dict[str, Any] | None = None, **texts: str) -> Home:
        home = make_home(**(workspace or {}))
        for name, text in texts.items():
            (home.monitors_dir / f"{name}.yaml").write_text(text)
        return home

    return make


def told(home: Home) -> list[str]:
    return [str(problem) for problem in load_monitors(home)[1]]


def test_a_monitor_inherits_mappings_and_replaces_lists(said):
    home = said(
        parcels=GOOD + "alerts: {channel: '#x'}\nsegments: [depot]\n",
        _defaults="alerts: {false_alarms: 2 per week, channel: '#all'}\nsegments: [a, b]\nwindow: week\n",
    )
    monitor = load_monitor(home, "parcels")
    assert (monitor.alerts.false_alarms, monitor.alerts.channel, monitor.segments, monitor.window) == ("2 per week", "#x", ["depot"], "week")


def test_the_workspace_time_zone_is_inherited_unless_said_otherwise(said):
    home = said({"timezone": "Europe/Berlin"}, parcels=GOOD, trucks=GOOD.replace("parcels", "trucks") + "timezone: Asia/Tokyo\n")
    assert {m.model: m.timezone for m in load_monitors(home)[0].values()} == {"parcels": "Europe/Berlin", "trucks": "Asia/Tokyo"}


def test_routes_and_quiet_hours_are_inherited_from_the_workspace_and_from_the_defaults(said):
    night, oncall = {"from": "22:00", "to": "07:00"}, [{"severity": "critical", "channel": "#oncall"}]
    own = "alerts: {routes: [{families: [data], channel: '#own'}], quiet_hours: {to: '08:00'}}\n"
    home = said(
        {"alerts": {"routes": oncall, "quiet_hours": night}},
        parcels=GOOD,
        trucks=GOOD.replace("parcels", "trucks") + own,
        vans=GOOD.replace("parcels", "vans") + "alerts: {quiet_hours: null}\n",
        _defaults="alerts: {channel: '#all'}\n",
    )
    monitors, problems = load_monitors(home)
    assert problems == []
    assert [monitors["parcels"].channel_of(s, "kpi") for s in ("high", "critical")] == ["#all", "#oncall"]
    assert [monitors["trucks"].channel_of("critical", f) for f in ("kpi", "data")] == ["#all", "#own"]
    ends = {name: None if m.alerts.quiet_hours is None else m.alerts.quiet_hours.to for name, m in monitors.items()}
    assert ends == {"parcels": time(7), "trucks": time(8), "vans": None}


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ("{routes: [{severity: critcal, channel: '#a'}]}", "unknown alerts.routes.0.severity 'critcal' (line 6): did you mean 'critical'?"),
        ("{routes: [{families: [kpi, costs], channel: '#a'}]}", "unknown alerts.routes.0.families.1 'costs' (line 6): did you mean 'cost'?"),
        (
            "{routes: [{families: [covariate], channel: '#a'}]}",
            "unknown alerts.routes.0.families.0 'covariate' (line 6): valid here: cost, data, kpi, segment, service, target",
        ),
        ("{routes: [{severity: high}]}", "'alerts.routes.0.channel' is missing (line 6)"),
        ("{routes: [{chanel: '#a', severity: high, channel: '#b'}]}", "unknown key 'chanel' (line 6): did you mean 'channel'?"),
        ("{quiet_hours: {from: 22:00, to: 7}}", "alerts.quiet_hours.to: '7' is not a time of day; write hours and minutes, such as 22:00 (line 6)"),
        ("{quiet_hours: {from: 22:00, to: 07:00, days: [fry]}}", "unknown alerts.quiet_hours.days.0 'fry' (line 6): did you mean 'fri'?"),
        ("{quiet_hours: {from: 22:00, to: 07:00, except: crit}}", "unknown alerts.quiet_hours.except 'crit' (line 6): did you mean 'critical'?"),
    ],
)
def test_a_mistake_in_routes_or_quiet_hours_names_the_nearest_right_word(said, alerts: str, expected: str):
    assert told(said(parcels=GOOD + f"alerts: {alerts}\n")) == [f"deployments/monitors/parcels.yaml: {expected}"]


def test_a_mistake_in_the_workspaces_routes_is_one_of_its_own_file(tmp_path: Path):
    (tmp_path / "watchkeeper.yaml").write_text("alerts:\n  routes:\n    - {severity: hihg, channel: '#a'}\n")
    with pytest.raises(ConfigurationError, match=r"watchkeeper.yaml: unknown alerts.routes.0.severity 'hihg' \(line 3\): did you mean 'high'\?"):
        find_home(tmp_path)


def test_defaults_of_a_section_are_only_for_monitors_that_have_it(said):
    labels = "labels: {files: 'l-*.csv', join: parcel, column: was_late}\n"
    home = said(parcels=GOOD, trucks=GOOD.replace("parcels", "trucks") + labels, _defaults="labels: {mature_after: 3d}\n")
    monitors, problems = load_monitors(home)
    assert problems == []
    assert monitors["parcels"].labels is None
    assert monitors["trucks"].labels.mature_after == timedelta(days=3)


def test_all_mistakes_of_all_files_are_told_with_line_and_nearest_word(said):
    home = said(
        parcels=GOOD + "segmnts: [depot]\nwindw: day\n",
        trucks=GOOD.replace("task: binary", "task: binray").replace("id: parcel, ", "").replace("parcels", "trucks"),
        vans=GOOD.replace("parcels", "vans") + "targets:\n  - metric: recall\n    at_leest: 0.3\n",
    )
    assert told(home) == [
        "deployments/monitors/parcels.yaml: unknown key 'segmnts' (line 6): did you mean 'segments'?",
        "deployments/monitors/parcels.yaml: unknown key 'windw' (line 7): did you mean 'window'?",
        "deployments/monitors/trucks.yaml: unknown task 'binray' (line 2): did you mean 'binary'?",
        "deployments/monitors/trucks.yaml: 'columns.id' is missing (line 4)",
        "deployments/monitors/vans.yaml: unknown key 'at_leest' (line 8): did you mean 'at_least'?",
    ]


def test_a_mistake_in_the_defaults_is_told_once_and_with_its_own_file(said):
    home = said(parcels=GOOD, trucks=GOOD.replace("parcels", "trucks"), _defaults="# shared\nalrts: {}\n")
    assert told(home) == ["deployments/monitors/_defaults.yaml: unknown key 'alrts' (line 2): did you mean 'alerts'?"]


def test_a_line_of_a_replaced_default_is_the_monitors_own(said):
    home = said(parcels=GOOD + "alerts: {false_alarms: often}\n", _defaults="alerts:\n  false_alarms: 1 per week\n")
    assert told(home) == ["deployments/monitors/parcels.yaml: alerts.false_alarms: 'often' is not a budget; write for example `1 per month` (line 6)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: [parcels\ntask: binary\n", "is not good YAML, expected ',' or ']', but got ':' (line 2)"),
        ("model: parcels\n\ttask: binary\n", "is not good YAML, found character '\\t' that cannot start any token (line 2)"),
        (GOOD + "task: regression\n", "'task' is said twice; the first is in line 2 (line 6)"),
        (GOOD.replace("id: parcel", "id: a, id: b"), "'id' is said twice; the first is in line 4 (line 4)"),
        ("- parcels\n", "is a list, and should hold `key: value` lines (line 1)"),
        (GOOD.replace("2025-02-01", "2025-13-01"), "is not good YAML, 2025-13-01 is no day of the calendar (month must be in 1..12) (line 5)"),
        (GOOD.replace("2025-02-01", "2024-02-01"), "reference: `to` (2024-02-01) must come after `from` (2025-01-01) (line 5)"),
        (GOOD.replace(", score: p_late", ""), "a binary monitor needs columns.score or columns.prediction"),
        (GOOD + "id_scope: soon\n", "id_scope: 'soon' is not a duration; write a number and s, m, h, d or w, such as 36h (line 6)"),
        (GOOD + "owner: a\0b\n", "is not good YAML, it holds the character 0x00 (line 6)"),
        (GOOD + "x: &a [*a]\n", "is not good YAML, a part of it holds itself (line 6)"),
        (GOOD + "x: &a {y: *a}\n", "is not good YAML, a part of it holds itself (line 6)"),
        (GOOD + f"x: {'[' * 1000}\n", "is not good YAML, its parts lie too deep in each other"),
        (GOOD + f"x: &a0 [1, 2]\n{MANY_TIMES}", "is not good YAML, it says more than 100,000 things (line 9)"),
        (GOOD + "{[a]: b}: c\n", "is not good YAML, a key must be a word (line 6)"),
        (GOOD + "keep: 999999999999w\n", "keep: '999999999999w' is longer than 100 years (line 6)"),
        (GOOD + "id_scope: 999999w\n", "id_scope: '999999w' is longer than 100 years (line 6)"),
        (GOOD.replace("2025-02-01", "9999-12-31"), "reference.to: the year 9999 is not one of 1971 to 2200 (line 5)"),
        (GOOD.replace("2025-01-01", "0001-01-01"), "reference.from: the year 1 is not one of 1971 to 2200 (line 5)"),
        (GOOD + "timezone: Mars/Olympus\n", "timezone: 'Mars/Olympus' is not a time zone; write for example Europe/Berlin (line 6)"),
    ],
)
def test_a_broken_file_is_one_clear_sentence_and_leaves_the_others_in_use(said, text, expected):
    home = said(parcels=text, vans=GOOD.replace("parcels", "vans"))
    assert told(home) == [f"deployments/monitors/parcels.yaml: {expected}"]
    assert list(load_monitors(home)[0]) == ["vans"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "model: bad name",
            "model: 'bad name' is no name: it begins with a letter and holds letters, digits, `_` and `-` only; write for example bad_name (line 1)",
        ),
        ("threshold: high", "threshold: must be a number (line 2)"),
        ("segments: depot", "segments: must be a list, such as [a, b] (line 2)"),
        ("owner: [a]", "owner: must be text (line 2)"),
        ("reference: {from: soon, to: 2025-02-01}", "reference.from: must be a day, such as 2025-01-31 (line 2)"),
        ("cost: {hosts: {a: b}}", "cost.hosts: must be a list, such as [a, b] (line 2)"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_plain_words(said, line, expected):
    kept = "\n".join(rest for rest in GOOD.splitlines() if not rest.startswith((line.split(":")[0], "model")))
    text = f"{line}\n{kept}\n" if line.startswith("model") else f"model: parcels\n{line}\n{kept}\n"
    assert told(said(parcels=text)) == [f"deployments/monitors/parcels.yaml: {expected}"]


def test_an_empty_file_says_that_it_is(said):
    assert told(said(parcels="")) == ["deployments/monitors/parcels.yaml: is empty, and should describe a model"]


def test_a_file_that_is_not_utf8_is_told(said):
    home = said(parcels=GOOD)
    (home.monitors_dir / "latin.yaml").write_bytes("owner: José".encode("latin-1"))
    assert told(home) == ["deployments/monitors/latin.yaml: is not text in UTF-8"]
    assert list(load_monitors(home)[0]) == ["parcels"]


def test_a_broken_file_leaves_the_others_in_use(said):
    home = said(parcels=GOOD, trucks="model: trucks\ntask: nonsense\n")
    monitors, problems = load_monitors(home)
    assert list(monitors) == ["parcels"]
    assert {p.model for p in problems} == {"trucks"}


def test_two_models_whose_names_differ_only_in_case_are_refused(said):
    _, problems = load_monitors(said(big=GOOD.replace("parcels", "Parcels", 1), parcels=GOOD))
    assert ["only in case" in str(p) for p in problems] == [True]


def test_two_files_for_one_model_are_a_mistake_and_the_one_named_after_it_stays(said):
    home = said(a_copy=GOOD.replace("parcel,", "other,"), parcels=GOOD)
    monitors, problems = load_monitors(home)
    assert monitors["parcels"].columns.id == "parcel"
    assert [str(p) for p in problems] == [
        "deployments/monitors/a_copy.yaml: model 'parcels' is described in deployments/monitors/parcels.yaml already (line 1): give one of them another name"
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("token: abc123", "abc123"),
        ("slack_token: abc123", "abc123"),
        ("owner: xoxb-1234-abcd", "xoxb-1234-abcd"),
        ("cost: {currency: 'hunter2', password: hunter2}", "hunter2"),
        ("retraining: {webhook: 'https://me:hunter2@ci.example.com/x'}", "hunter2"),
        ("retraining: {webhook: 'https://hooks.slack.com/services/T0/B0/xyz'}", "T0/B0"),
    ],
)
def test_secrets_are_refused_and_never_repeated(said, line, value):
    home = said(parcels=GOOD + line + "\n")
    monitors, problems = load_monitors(home)
    assert monitors == {}
    assert [p.line for p in problems] == [6]
    assert "looks like a secret" in str(problems[0])
    assert value not in str(problems[0])


def test_a_column_may_be_called_like_a_secret(said):
    assert load_monitor(said(parcels=GOOD + "private: [password, token]\n"), "parcels").private == ["password", "token"]


def test_yaml_words_are_what_they_look_like(said):
    """`no` is a class and not false, 1e-3 a number, a date a date, 12:30 a text."""
    home = said(parcels=GOOD + "positive: no\nthreshold: 1e-3\nsegments: [on, yes, 12:30]\ncalendar: {holidays: [2025-12-24]}\n")
    monitor = load_monitor(home, "parcels")
    assert (monitor.positive, monitor.threshold, monitor.segments) == ("no", 0.001, ["on", "yes", "12:30"])
    assert monitor.calendar == {"holidays": [date(2025, 12, 24)]}


def test_a_file_ending_in_yml_is_not_silently_left_out(said):
    home = said(parcels=GOOD)
    (home.monitors_dir / "trucks.yml").write_text(GOOD)
    assert told(home) == ["deployments/monitors/trucks.yml: is not read: name it trucks.yaml"]


def test_an_unknown_model_names_the_nearest(said):
    with pytest.raises(UsageError, match=r"there is no model 'parcel'\s*.*Did you mean 'parcels'\?"):
        load_monitors(said(parcels=GOOD), ["parcel"])


def test_asking_for_one_model_tells_only_its_mistakes(said):
    home = said(parcels=GOOD, trucks="model: trucks\n")
    assert load_monitors(home, ["parcels"])[1] == []
    with pytest.raises(ConfigurationError, match=r"trucks.yaml: 'task' is missing"):
        load_monitor(home, "trucks")


def test_the_workspace_is_found_from_below(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(home.monitors_dir)
    assert find_home().root == home.root


def test_the_environment_names_the_workspace(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    assert find_home().root == home.root


def test_no_workspace_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="watchkeeper init"):
        find_home()
    with pytest.raises(ConfigurationError, match="is not a workspace"):
        find_home(tmp_path)


def test_mistakes_in_the_workspace_file_are_told_at_once(home: Home):
    (home.root / "watchkeeper.yaml").write_text("lkae: s3://x\ndigest: hourly\nlinks: {doc: http://x}\n")
    with pytest.raises(ConfigurationError) as refused:
        find_home(home.root)
    assert str(refused.value).splitlines() == [
        "3 mistakes:",
        "  watchkeeper.yaml: unknown key 'lkae' (line 1): did you mean 'lake'?",
        "  watchkeeper.yaml: unknown digest 'hourly' (line 2): valid here: day, week",
        "  watchkeeper.yaml: unknown key 'doc' (line 3): did you mean 'docs'?",
    ]


def test_the_lake_may_lie_elsewhere(make_home: Callable[..., Home]):
    assert make_home(name="near").lake.address.endswith("near/warehouse/lake")
    assert make_home(name="far", lake="s3://bucket/lake").lake.address == "s3://bucket/lake"


@pytest.mark.parametrize(("name", "what"), [("old [x]", "'['"), ("a^b", "'^'"), ("a|b", "'|'"), ("a?b", "'?'"), ("a%20b", "'%20'")])
def test_a_folder_in_which_tables_cannot_lie_is_refused_by_name(tmp_path, name, what):
    (tmp_path / name).mkdir()
    (tmp_path / name / "watchkeeper.yaml").write_text("{}")
    with pytest.raises(ConfigurationError, match=re.escape(f"whose name has {what}")) as met:
        _ = find_home(tmp_path / name).lake
    assert "Rename the folder" in str(met.value)


@pytest.mark.parametrize("name", ["100%", "a b", "ö", "#1", "it's"])
def test_other_folders_hold_tables(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "watchkeeper.yaml").write_text("{}")
    lake = find_home(tmp_path / name).lake
    lake.append("t", pa.table({"x": [1]}))
    assert lake.read("t").num_rows == 1
