"""Each version beside a reference of its own: what is measured, what is told of it, and what odd versions do."""

import json
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from conftest import PARCELS, new_home, parcels_world
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli import app
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.operations.check import check
from watchkeeper.operations.compare import compare
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.measure import NOT_APART, measure
from watchkeeper.operations.pages import pages
from watchkeeper.operations.profile import profile
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.status import status
from watchkeeper.operations.trust import reference_doubt
from watchkeeper.operations.version_list import listed_versions
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent, Run, Score, Signal
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
PLAIN = PARCELS | {"segments": [], "versions": {"calibrated_after": 5}}
STAGED = PLAIN | {"columns": PARCELS["columns"] | {"environment": "stage"}}
Shares = dict[str | None, float]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def overdone(p: Floats) -> Floats:
    """Scores of a version that is too sure: they rank as before."""
    return p**2 / (p**2 + (1 - p) ** 2)


def land(
    home: Home,
    days: Collection[int],
    shares: Shares,
    *,
    rows: int = 300,
    late: float = 0.2,
    bend: dict[str, Callable[[Floats], Floats]] | None = None,
    stage: str | None = None,
    labels: bool = True,
) -> None:
    """Write days of parcels whose versions have those shares of the rows, in turn; `bend` changes the scores of a version."""
    for d in days:
        events, truth = parcels_world(BEGIN + d * DAY, rows=rows, late=late)
        edges = np.cumsum([round(share * 100) for share in shares.values()])
        version = np.array(list(shares), object)[np.searchsorted(edges, np.arange(rows) % 100, side="right")]
        score = np.asarray(events.column("p_late")).copy()
        for name, change in (bend or {}).items():
            score[version == name] = change(score[version == name])
        given = {"version": pa.array(version.tolist(), pa.string()), "p_late": pa.array(score), "is_late": pa.array(score >= 0.5)}
        for name, values in given.items():
            events = events.set_column(events.column_names.index(name), name, values)
        if stage is not None:
            events = events.append_column("stage", pa.array([stage] * rows))
        about = f"{d:03}-{stage or ''}"
        pq.write_table(events, home.root / "inbox" / f"parcels-{about}.parquet")
        if labels:
            pq.write_table(truth, home.root / "inbox" / f"delivered-{about}.parquet")


def brought_up(home: Home, day: float) -> list[Run]:
    """Take in, profile and measure, as of so many days after the first."""
    monitor, now = load_monitor(home, "parcels"), BEGIN + day * DAY
    ingest(home, monitor, now=now)
    profile(home, monitor, now=now)
    return measure(home, monitor, now=now)


def watched_pages(home: Home, day: float) -> None:
    """Bring everything up to date, and the pages too."""
    assert watch(home, now=BEGIN + day * DAY).failures == []
    pages(home, {"parcels": load_monitor(home, "parcels")}, now=BEGIN + day * DAY)


def scored(home: Home, metric: str, version: str = "2", *, environment: str = "production", feature: str = "") -> dict[int, Score]:
    """Return the newest scores of one series by day."""
    about = {"metric": metric, "version": version, "environment": environment, "feature": feature, "segment": "", "grain": "day"}
    where = pc.scalar(True)
    for name, value in about.items():
        where &= pc.field(name) == value
    return {(s.window_start - BEGIN) // DAY: s for s in home.lake.newest(Score, where=where)}


def cli(home: Home, *arguments: str, day: float, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["--home", str(home.root), *arguments, "--now", (BEGIN + day * DAY).isoformat()], env={"COLUMNS": "250"})
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def taken_over(tmp_path_factory) -> tuple[Home, dict[int, int]]:
    """Twenty days of version 1, three with a half of version 2, then that alone; brought up on most days. Also how many windows each run measured."""
    home = new_home(tmp_path_factory.mktemp("taken over") / "home", PLAIN)
    land(home, range(20), {"1": 1.0})
    brought_up(home, 20)
    measured = {}
    for d in range(20, 32):
        land(home, [d], {"1": 0.5, "2": 0.5} if d < 23 else {"2": 1.0}, bend={"2": overdone})
        if d not in (27, 28, 29):
            measured[d] = len(brought_up(home, d + 1))
    return home, measured


def test_a_new_version_is_measured_and_compared_with_nothing_until_it_has_five_mature_windows(taken_over):
    home, _ = taken_over
    then = [
        s for s in home.lake.newest(Score, as_of=BEGIN + 25 * DAY, where=(pc.field("version") == "2") & (pc.field("segment") == "")) if not s.feature
    ]
    mine = {(s.window_start - BEGIN) // DAY: s for s in then if s.metric == "roc_auc"}
    assert {(s.state, s.reason, s.reference, s.reference_value) for s in mine.values() if s.state == "mature"} == {
        ("mature", f"uncalibrated: {n} of 5 windows of version 2 are mature", "", None) for n in (0, 1, 2, 3) if n
    }
    assert all(s.value is not None for s in mine.values())
    estimates = [s for s in then if s.metric.startswith("estimated_") or s.metric in ("log_loss_gap", "accuracy_gap")]
    assert len({s.metric for s in estimates}) == 6
    assert {(s.state, s.value, s.reference_value) for s in estimates} == {("not_evaluated", None, None)}
    assert all(re.match(r"uncalibrated: \d of 5 windows of version 2 are mature(; |$)", s.reason) for s in then)


def test_its_reference_is_the_rows_of_its_first_mature_windows(taken_over):
    home, _ = taken_over
    found = scored(home, "roc_auc")
    assert sorted(found) == list(range(20, 32))
    assert {s.reason for s in found.values()} == {""}
    (reference,) = {s.reference for s in found.values()}
    score, truth = [], []
    for d in range(20, 25):
        events, labels = (pq.read_table(home.root / "inbox" / f"{name}-{d:03}-.parquet") for name in ("parcels", "delivered"))
        mine = np.asarray(events.column("version").to_pylist()) == "2"
        score.append(np.asarray(events.column("p_late"))[mine])
        truth.append(np.asarray(labels.column("was_late"))[mine])
    expected = roc_auc_score(np.concatenate(truth), np.concatenate(score))
    assert [s.reference_value for s in found.values()] == [pytest.approx(expected, abs=1e-3)] * 12
    assert scored(home, "rows")[20].value == 150
    assert reference != scored(home, "roc_auc", "1")[20].reference == scored(home, "roc_auc", "")[20].reference


def test_its_outputs_and_estimates_are_held_against_its_own_reference(taken_over):
    home, _ = taken_over
    whole, own = (scored(home, "psi", v, feature="@score") for v in ("", "2"))
    days = range(25, 32)
    assert np.mean([own[d].value for d in days]) < 0.1
    assert np.mean([whole[d].value for d in days]) > 0.2
    said, known = scored(home, "estimated_positive_rate"), scored(home, "positive_rate")
    assert {s.state for s in said.values()} == {"done"}
    assert np.mean([said[d].value for d in days]) == pytest.approx(0.2, abs=0.05), "what an overdone score means was learned"
    assert np.mean([known[d].value for d in days if known[d].value is not None]) == pytest.approx(0.2, abs=0.05)
    assert np.mean([scored(home, "score_mean")[d].value for d in days]) < 0.17


def test_windows_wait_for_the_reference_once_and_are_not_measured_every_day(taken_over):
    home, measured = taken_over
    assert measured[31] <= 3, "the new day, and those that became mature"
    assert max(measured.values()) == measured[26] >= 7, "on the day the fifth window was mature all of the version's were"
    revisions = {s.revision for s in scored(home, "roc_auc").values()}
    assert max(revisions) <= 2
    assert brought_up(home, 32) == []


def test_the_models_version_alone_is_the_whole_and_not_told_again(taken_over):
    home, _ = taken_over
    assert sorted(scored(home, "roc_auc", "1")) == [20, 21, 22]
    assert {s.reference_value for s in scored(home, "roc_auc", "1").values()} == {scored(home, "roc_auc", "")[3].reference_value}


def test_late_labels_of_its_reference_restate_all_its_scores(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 30), {"1": 0.5, "2": 0.5})
    held = home.root / "inbox" / "delivered-021-.parquet"
    held.rename(tmp_path / held.name)
    brought_up(home, 32)
    before = scored(home, "roc_auc")
    assert {run.outcome for run in brought_up(home, 32.5)} <= {"late"}
    (tmp_path / held.name).rename(held)
    brought_up(home, 33)
    after = scored(home, "roc_auc")
    assert {s.reference for s in after.values()}.isdisjoint({s.reference for s in before.values()})
    assert [after[d].revision - before[d].revision for d in range(20, 30)] == [1] * 10
    assert after[28].value == before[28].value


def test_one_version_is_never_measured_apart(home):
    land(home, range(16), {"1": 1.0})
    brought_up(home, 18)
    assert pc.unique(home.lake.read(Score.TABLE).column("version")).to_pylist() == [""]
    assert "Versions" not in (cli(home, "status", day=18))
    monitor = load_monitor(home, "parcels")
    (line,) = listed_versions(home, monitor, now=BEGIN + 18 * DAY).lines
    assert (line.version, line.rows, line.state) == ("1", 16 * 300, "calibrated: the model's reference")
    assert line.score is not None
    assert line.score.reference_value == scored(home, "roc_auc", "")[3].reference_value


@pytest.mark.nightly
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_other_tasks_measure_versions_apart_too(tmp_path, task):
    columns = {"id": "parcel", "time": "sent_at", "version": "version"}
    columns |= {"score": "hours"} if task == "regression" else {"prediction": "guess", "probabilities": {"late": "p", "fine": "q"}}
    home = new_home(tmp_path / "home", PLAIN | {"task": task, "columns": columns, "labels": PARCELS["labels"] | {"column": "became"}})
    for d in range(28):
        events, labels = parcels_world(BEGIN + d * DAY, rows=300)
        version = np.where((np.arange(300) % 2 == 0) & (d >= 18), "2", "1")
        rng, p = np.random.default_rng(d), np.asarray(events.column("p_late"))
        hours = rng.normal(40, 6, 300)
        made = {"hours": hours} if task == "regression" else {"p": p, "q": 1 - p, "guess": np.where(p > 0.5, "late", "fine")}
        truth = hours + rng.normal(0, np.where(version == "2", 9, 3)) if task == "regression" else np.where(labels.column("was_late"), "late", "fine")
        events = events.select(["parcel", "sent_at", "weight_kg"])
        for name, values in {**made, "version": version}.items():
            events = events.append_column(name, pa.array(values))
        pq.write_table(events, home.root / "inbox" / f"parcels-{d}.parquet")
        pq.write_table(labels.drop_columns("was_late").append_column("became", pa.array(truth)), home.root / "inbox" / f"delivered-{d}.parquet")
    assert watch(home, now=BEGIN + 30 * DAY).failures == []
    kpi, estimate = ("mae", "estimated_mae") if task == "regression" else ("accuracy", "estimated_accuracy")
    mine, models = scored(home, kpi), scored(home, kpi, "1")
    assert sorted(mine) == sorted(models) == list(range(18, 28))
    assert {s.state for s in scored(home, estimate, "1").values()} == {"done"}
    if task == "regression":
        assert mine[20].reference_value == pytest.approx(7.2, abs=0.6)
        assert models[20].reference_value == pytest.approx(2.4, abs=0.2)
        assert {(s.state, s.reason) for s in scored(home, estimate).values()} == {
            ("not_evaluated", "estimates of errors are made for the version that the model's reference is of")
        }
    else:
        assert {s.state for s in scored(home, estimate).values()} == {"done"}
        assert scored(home, "log_loss")[20].reference_value != scored(home, "log_loss", "1")[20].reference_value


def test_a_shadow_is_compared_with_itself_in_its_own_environment(tmp_path):
    home = new_home(tmp_path / "home", STAGED)
    land(home, range(26), {"1": 1.0}, stage="production")
    land(home, range(18, 26), {"2": 1.0}, stage="staging", labels=False)
    brought_up(home, 28)
    shadow = scored(home, "roc_auc", environment="staging")
    assert sorted(shadow) == list(range(18, 26))
    assert {(s.reason, s.reference == "") for s in shadow.values()} == {("", False)}
    assert scored(home, "roc_auc", "1") == {}
    land(home, range(28, 31), {"2": 1.0}, stage="production")
    brought_up(home, 33)
    assert {s.reason for s in scored(home, "roc_auc").values()} == {"uncalibrated: 3 of 5 windows of version 2 are mature"}
    found = compare(home, load_monitor(home, "parcels"), "1", "2", now=BEGIN + 33 * DAY)
    assert found.uncalibrated == {}, "it is known in staging"


# --- odd versions -------------------------------------------------------------------------------------------------


def test_a_version_of_one_row_is_counted_with_the_rest_and_nothing_is_lost(home):
    land(home, range(20), {"1": 1.0})
    land(home, [20], {"1": 0.99, "oops": 0.01}, rows=100)
    brought_up(home, 23)
    assert {s.value for s in scored(home, "rows", "").values() if s.window_start == BEGIN + 20 * DAY} == {100}
    assert scored(home, "rows", "1")[20].value == 99
    rest = scored(home, "rows", "(other)")[20]
    assert (rest.value, rest.reason) == (1, "1 version with few rows, told together: `watchkeeper versions list parcels`")
    assert scored(home, "roc_auc", "oops") == scored(home, "roc_auc", "(other)") == {}
    assert "oops" in cli(home, "versions", "list", "parcels", day=23)


@pytest.mark.nightly
def test_of_hundreds_of_versions_twenty_are_measured_apart_and_all_are_listed(home):
    land(home, range(16), {"1": 1.0})
    events, labels = parcels_world(BEGIN + 16 * DAY, rows=9_000)
    version = [f"build-{i % 300:03}" for i in range(9_000 - 300)] + ["build-007"] * 300
    pq.write_table(
        events.set_column(events.column_names.index("version"), "version", pa.array(version)), home.root / "inbox" / "parcels-016-.parquet"
    )
    pq.write_table(labels, home.root / "inbox" / "delivered-016-.parquet")
    watched_pages(home, 19)
    there = home.lake.newest(Score, where=(pc.field("metric") == "rows") & (pc.field("segment") == "") & (pc.field("version") != ""))
    assert len(there) == 21
    assert {s.version: s.value for s in there}["build-007"] == 329
    assert sum(s.value for s in there) == 9_000
    listed = json.loads(cli(home, "versions", "list", "parcels", "--json", day=19))
    assert len(listed) == 301
    assert sum(line["rows"] for line in listed) == 9_000 + 16 * 300
    page = (home.root / "warehouse" / "site" / "models" / "parcels.html").read_text()
    assert "The 281 whose rows are oldest are left out." in page
    assert "more versions are uncalibrated" in cli(home, "status", day=19)


def test_rows_without_a_version_are_measured_under_a_name_of_their_own(home):
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 23), {"1": 0.5, None: 0.5})
    brought_up(home, 25)
    assert [scored(home, "rows", v)[21].value for v in ("", "1", "(null)")] == [300, 150, 150]
    assert scored(home, "roc_auc", "(null)")[21].reason == "uncalibrated: 3 of 14 windows of rows without a version are mature"
    assert "(null)" in cli(home, "versions", "list", "parcels", day=25)


def test_a_model_that_begins_to_log_its_version_was_one_before(tmp_path):
    home = new_home(tmp_path / "home", PLAIN | {"task": "regression", "columns": PARCELS["columns"] | {"prediction": None, "score": "p_late"}})
    land(home, range(20), {None: 1.0})
    land(home, range(20, 28), {None: 0.5, "2": 0.5})
    assert watch(home, now=BEGIN + 30 * DAY).failures == []
    assert {s.reference for s in scored(home, "mae", "(null)").values()} == {s.reference for s in scored(home, "mae", "").values()}
    assert {s.state for s in scored(home, "estimated_mae", "(null)").values()} == {"done"}
    assert not any("uncalibrated" in s.reason for s in scored(home, "mae").values())


ODD = ["<b>2</b>", "release 2, final", "2/β?é", 'it\'s "2"', "2026-01-01", "\u2028", " "]


@pytest.mark.nightly
def test_names_with_odd_characters_stay_what_they_are(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(16), {"1": 1.0})
    land(home, range(16, 23), {"1": 0.3, **dict.fromkeys(ODD, 0.1)}, rows=1_000)
    watched_pages(home, 25)
    for name in ODD:
        assert [scored(home, "rows", name)[d].value for d in (16, 22)] == [100, 100], name
        assert scored(home, "roc_auc", name)[22].reference
    listed = {line["version"] for line in json.loads(cli(home, "versions", "list", "parcels", "--json", day=25))}
    assert listed == {"1", *ODD}
    page = (home.root / "warehouse" / "site" / "models" / "parcels.html").read_text()
    assert "&lt;b&gt;2&lt;/b&gt;" in page
    assert "<b>2</b>" not in page
    assert "2/β?é" in cli(home, "scores", "parcels", "--version", "2/β?é", "--metric", "roc_auc", "--by", "week", day=25)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        pytest.param(
            {"2": {"from": "2024-01-01", "to": "2024-02-01"}},
            "there is no row of version 2 in the days named as its reference, 1 to 31 Jan 2024",
            id="long ago",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            {"2": {"from": "2025-01-02", "to": "2025-01-05"}},
            "there is no row of version 2 in the days named as its reference, 2 to 4 Jan 2025",
            id="before it came",
        ),
        pytest.param({"9": {"from": "2025-01-02", "to": "2025-01-05"}}, "no row of version '9' has landed", id="no such version"),
    ],
)
def test_a_named_reference_without_rows_is_told_where_people_look(tmp_path, named, told):
    home = new_home(tmp_path / "home", PLAIN | {"versions": {"calibrated_after": 5, "references": named}})
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 28), {"1": 0.5, "2": 0.5})
    brought_up(home, 30)
    warnings = [f for f in check(home, now=BEGIN + 30 * DAY).findings if told in f.what]
    assert [(f.level, f.line is not None) for f in warnings] == [("warning", True)]
    listed = cli(home, "versions", "list", "parcels", day=30)
    if "2" in named:
        assert {s.reason for s in scored(home, "roc_auc").values()} == {f"uncalibrated: {told}"}
        assert told in listed
    else:
        assert {s.reason for s in scored(home, "roc_auc").values()} == {""}
        assert "uncalibrated: the monitor names its reference, and no row of it has landed" in listed


def test_named_days_may_be_those_of_a_shadow_in_staging(tmp_path):
    named = {"2": {"from": "2025-01-19", "to": "2025-01-27"}}
    home = new_home(tmp_path / "home", STAGED | {"versions": {"references": named}})
    land(home, range(26), {"1": 1.0}, stage="production")
    land(home, range(18, 26), {"2": 1.0}, stage="staging", labels=False)
    land(home, [26], {"2": 1.0}, stage="production")
    brought_up(home, 29)
    assert scored(home, "roc_auc")[26].reason == ""
    assert scored(home, "roc_auc")[26].reference == scored(home, "roc_auc", environment="staging")[20].reference
    (line,) = [
        v
        for v in listed_versions(home, load_monitor(home, "parcels"), now=BEGIN + 29 * DAY).lines
        if v.environment == "production" and v.version == "2"
    ]
    assert line.state == "calibrated: the days named for it, 19 to 26 Jan 2025, in staging"


def test_when_the_reference_is_moved_to_the_new_version_its_old_scores_are_withdrawn_and_the_old_ones_come(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(15), {"1": 1.0})
    land(home, range(15, 35), {"2": 1.0})
    brought_up(home, 37)
    assert scored(home, "roc_auc", "1") == {}
    assert {s.reason for s in scored(home, "roc_auc").values()} == {""}
    said = home.root / "deployments" / "monitors" / "parcels.yaml"
    said.write_text(said.read_text().replace("2025-01-01", "2025-01-16").replace("2025-01-15", "2025-02-01"))
    brought_up(home, 37.1)
    old, new = scored(home, "roc_auc", "1"), scored(home, "roc_auc")
    assert sorted(old) == list(range(15))
    assert {s.reason for s in old.values()} == {""}
    assert {(s.state, s.value, s.reference_value, s.reason) for s in new.values()} == {("not_evaluated", None, None, NOT_APART)}
    before = home.lake.read(Score.TABLE).num_rows
    measure(home, load_monitor(home, "parcels"), now=BEGIN + 37.2 * DAY, recompute=True)
    assert home.lake.read(Score.TABLE).num_rows == before


# --- what people see ----------------------------------------------------------------------------------------------


def test_status_list_compare_scores_and_page_tell_which_versions_there_are(taken_over):
    home, _ = taken_over
    monitor = load_monitor(home, "parcels")
    (then,) = status(home, {"parcels": monitor}, now=BEGIN + 25 * DAY)
    took_over = "version 2 took over on Fri 24 January, after sharing the traffic since Tue 21 January; usual is that of version 1"
    assert then.overview.versions == f"{took_over}; uncalibrated: 3 of 5 windows of version 2 are mature"
    assert f"parcels: versions: {took_over}" in cli(home, "status", day=32)
    listed = cli(home, "versions", "list", "parcels", day=32)
    assert "calibrated: its first 5 days, 21 to 25 Jan 2025" in listed
    assert "AUC over 3 to 30 Jan 2025" in listed
    assert "calibrated: the model's reference" in listed
    early = cli(home, "versions", "compare", "parcels", "1", "2", day=25, code=3)
    assert "Uncalibrated: 3 of 5 windows of version 2 are mature. What is compared is the two with each other." in early
    assert "ncalibrated" not in cli(home, "versions", "compare", "parcels", "1", "2", day=32, code=3)
    assert json.loads(cli(home, "versions", "compare", "parcels", "1", "2", "--json", day=25, code=3).rpartition("}")[0] + "}")["uncalibrated"] == {
        "2": "uncalibrated: 3 of 5 windows of version 2 are mature"
    }


def test_scores_show_versions_on_demand_and_over_any_windows(taken_over):
    home, _ = taken_over

    def asked(*more: str) -> list[dict[str, Any]]:
        return json.loads(cli(home, "scores", "parcels", "--metric", "roc_auc", "--json", *more, day=32))

    assert {s["version"] for s in asked()} == {""}
    assert {s["version"] for s in asked("--version", "all")} == {"1", "2"}
    by_week = asked("--version", "2", "--by", "week")
    assert [s["n"] for s in by_week] == [450 + 3 * 300, 6 * 300]
    assert {round(s["reference_value"], 6) for s in by_week} == {round(scored(home, "roc_auc")[30].reference_value, 6)}
    ones = asked("--version", "1")
    assert len(ones) == 23, "those days too on which all rows were of it"
    refused = CliRunner().invoke(app, ["--home", str(home.root), "scores", "parcels", "--version", "3"])
    assert refused.exit_code == 2
    assert "no row of parcels is of version '3'. Those there are: 1, 2." in refused.output


@pytest.mark.nightly
def test_the_page_has_a_table_of_versions_where_there_are_two(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(20), {"1": 1.0})
    watched_pages(home, 22)
    page = home.root / "warehouse" / "site" / "models" / "parcels.html"
    assert "<h2>Versions</h2>" not in page.read_text()
    land(home, range(20, 24), {"1": 0.5, "2": 0.5})
    watched_pages(home, 26)
    text = page.read_text()
    assert "<h2>Versions</h2>" in text
    assert "uncalibrated: 4 of 5 windows of version 2 are mature" in text
    assert "AUC over 1 to 24 Jan 2025, with 95 % intervals." in text


def test_a_model_without_a_version_column_says_so(tmp_path):
    home = new_home(tmp_path / "home", PLAIN | {"columns": {k: v for k, v in PARCELS["columns"].items() if k != "version"}})
    land(home, range(16), {"1": 1.0})
    brought_up(home, 18)
    assert "names no column that tells versions apart" in cli(home, "versions", "list", "parcels", day=18)
    assert pc.unique(home.lake.read(Score.TABLE).column("version")).to_pylist() == [""]


def incidents(home: Home) -> list[Incident]:
    return fold(home.lake.newest(IncidentEvent))


@pytest.mark.nightly
def test_a_page_of_the_whole_says_whose_numbers_are_usual_long_after_another_version_took_over(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 36), {"2": 1.0})
    land(home, range(36, 40), {"2": 1.0}, late=0.6)
    watch(home, now=BEGIN + 42 * DAY)
    (one,) = [i for i in incidents(home) if i.family == "kpi"]
    assert one.window_start == BEGIN + 36 * DAY
    assert one.story is not None
    assert ("Versions", "version 2 took over on Tue 21 January; usual is that of version 1.") in one.story.facts
    told = cli(home, "incidents", "show", one.id, day=42)
    assert "*Versions:* version 2 took over on Tue 21 January; usual is that of version 1." in told
    monitor, now = load_monitor(home, "parcels"), BEGIN + 42 * DAY
    (row,) = status(home, {"parcels": monitor}, now=now)
    assert row.overview.versions.startswith("version 2 took over on Tue 21 January; usual is that of version 1")
    for first in (19, 26, 33):
        digest = digest_of(home, monitor, Window(BEGIN + first * DAY, BEGIN + (first + 7) * DAY), now=now, period="week")
        assert "**Versions:** version 2 took over on Tue 21 January; usual is that of version 1." in digest.text


@pytest.mark.nightly
def test_two_versions_that_share_the_traffic_are_told_as_that_by_all_that_tell_of_versions(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 36), {"1": 0.5, "2": 0.5})
    land(home, range(36, 40), {"1": 0.5, "2": 0.5}, late=0.6)
    watch(home, now=BEGIN + 42 * DAY)
    monitor, now = load_monitor(home, "parcels"), BEGIN + 42 * DAY
    shared = "versions 1 and 2 share the traffic (50 % and 50 % since Tue 21 January); usual is that of version 1"
    (one,) = [i for i in incidents(home) if i.family == "kpi"]
    assert one.story is not None
    assert ("Versions", f"{shared}.") in one.story.facts
    (row,) = status(home, {"parcels": monitor}, now=now)
    assert row.overview.versions.startswith(shared)
    for first in (19, 26, 33):
        digest = digest_of(home, monitor, Window(BEGIN + first * DAY, BEGIN + (first + 7) * DAY), now=now, period="week")
        assert f"**Versions:** {shared}." in digest.text


@pytest.mark.nightly
def test_a_page_of_one_version_says_nothing_of_versions(home):
    land(home, range(24), {"1": 1.0})
    land(home, range(24, 28), {"1": 1.0}, late=0.6)
    watch(home, now=BEGIN + 30 * DAY)
    (one,) = [i for i in incidents(home) if i.family == "kpi"]
    assert one.story is not None
    assert "Versions" not in dict(one.story.facts)


def test_an_uncalibrated_version_pages_by_promises_and_not_by_numbers_of_its_own(tmp_path):
    promise = {"metric": "log_loss", "at_most": 0.6, "per": "day"}
    home = new_home(tmp_path / "home", PLAIN | {"targets": [promise]})
    land(home, range(20), {"1": 1.0})
    land(home, range(20, 23), {"2": 1.0}, late=0.6)
    watch(home, now=BEGIN + 25 * DAY)
    found = [s for s in home.lake.newest(Signal) if s.level == "page"]
    assert {"target", "kpi"} <= {s.family for s in found}
    by_whole = {(s.metric, s.window_start) for s in found}
    judged = home.lake.newest(Score, where=(pc.field("version") == "") & (pc.field("segment") == ""))
    assert by_whole <= {(s.metric, s.window_start) for s in judged}
    assert judge(home, {"parcels": load_monitor(home, "parcels")}, now=BEGIN + 25 * DAY) == []


# --- honest references --------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_named_days_that_the_version_was_trained_on_are_not_believed(tmp_path):
    """Version 2 was trained on the days of its named reference, and is far worse on all that came after."""
    named = {"2": {"from": "2025-01-01", "to": "2025-01-21"}}
    home = new_home(tmp_path / "home", STAGED | {"versions": {"references": named}})
    land(home, range(40), {"1": 1.0}, stage="production", rows=200)
    for d in range(40):
        events, labels = parcels_world(BEGIN + d * DAY, rows=200)
        score, truth = np.asarray(events.column("p_late")), np.asarray(labels.column("was_late").to_pylist())
        score = np.clip(0.35 * score + 0.65 * truth, 0.01, 0.99) if d < 20 else score
        given = {"version": ["2"] * 200, "p_late": score, "is_late": score >= 0.5}
        for name, values in given.items():
            events = events.set_column(events.column_names.index(name), name, pa.array(values))
        pq.write_table(events.append_column("stage", pa.array(["staging"] * 200)), home.root / "inbox" / f"parcels-shadow-{d}.parquet")
    assert watch(home, now=BEGIN + 42 * DAY).failures == []
    monitor, now = load_monitor(home, "parcels"), BEGIN + 42 * DAY
    said = "as when the reference's scores are of rows that the model was trained on"
    lines = {line.version: line for line in listed_versions(home, monitor, now=now).lines}
    assert said in lines["2"].doubt
    assert lines["1"].doubt == ""
    assert any(said in f.what for f in check(home, now=now).findings)
    assert said in cli(home, "versions", "list", "parcels", day=42)
    assert reference_doubt(home, monitor, now=now) == "", "the model's own is believed"
    assert [i for i in incidents(home) if i.family in ("kpi", "segment")] == []


@pytest.mark.nightly
def test_a_doubt_about_the_models_reference_names_the_version_that_took_over_at_its_end(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    worse = {"2": lambda p: np.random.default_rng(1).permutation(p)}
    land(home, range(14), {"1": 1.0})
    land(home, range(14, 34), {"2": 1.0}, bend=worse)
    watch(home, now=BEGIN + 36 * DAY)
    said = reference_doubt(home, load_monitor(home, "parcels"), now=BEGIN + 36 * DAY)
    assert said.startswith("not judged by what is usual: AUC is 0.6")
    assert said.endswith("; or it is the version: version 2 took over on Wed 15 January; usual is that of version 1")
    (row,) = status(home, {"parcels": load_monitor(home, "parcels")}, now=BEGIN + 36 * DAY)
    assert row.overview.versions.startswith("version 2 took over on Wed 15 January; usual is that of version 1")


@pytest.mark.nightly
def test_a_doubt_about_the_models_reference_names_a_version_that_came_in_at_its_end_step_by_step(tmp_path):
    home = new_home(tmp_path / "home", PLAIN)
    worse = {"2": lambda p: np.random.default_rng(1).permutation(p)}
    land(home, range(14), {"1": 1.0})
    land(home, range(14, 17), {"1": 0.4, "2": 0.6}, bend=worse)
    land(home, range(17, 34), {"2": 1.0}, bend=worse)
    watch(home, now=BEGIN + 36 * DAY)
    said = reference_doubt(home, load_monitor(home, "parcels"), now=BEGIN + 36 * DAY)
    assert said.endswith(
        "; or it is the version: version 2 took over on Sat 18 January, after sharing the traffic since Wed 15 January; usual is that of version 1"
    )


def test_a_version_of_the_reference_that_answers_on_as_usual_clears_it_and_the_new_one_pages(tmp_path):
    """All rows together fall at the reference's end as those of an in-sample one do; version 1, beside the new one, does not."""
    home, now = new_home(tmp_path / "home", PLAIN), BEGIN + 36 * DAY
    land(home, range(14), {"1": 1.0}, rows=600)
    land(home, range(14, 34), {"1": 0.5, "2": 0.5}, rows=600, bend={"2": _upside_down})
    watch(home, now=now)
    assert reference_doubt(home, load_monitor(home, "parcels"), now=now) == ""
    (one,) = [i for i in incidents(home) if i.family == "kpi"]
    assert one.story is not None
    assert one.story.causes[0].kind == "release"
    told = digest_of(home, load_monitor(home, "parcels"), Window(BEGIN + 19 * DAY, BEGIN + 26 * DAY), now=now, period="week").text
    assert "not judged" not in told
    assert "nothing to do" not in told


@pytest.mark.nightly
def test_a_version_of_the_reference_that_fell_as_all_rows_did_leaves_the_doubt_and_it_is_not_the_version(tmp_path):
    home, now = new_home(tmp_path / "home", PLAIN), BEGIN + 36 * DAY
    land(home, range(14), {"1": 1.0}, rows=600)
    land(home, range(14, 34), {"1": 0.5, "2": 0.5}, rows=600, bend={"1": _at_random, "2": _at_random})
    watch(home, now=now)
    said = reference_doubt(home, load_monitor(home, "parcels"), now=now)
    assert said.startswith("not judged by what is usual: AUC is 0.")
    assert said.endswith("give the reference out-of-fold scores, or name another one")
    assert [i for i in incidents(home) if i.family == "kpi"] == []


def _at_random(p: Floats) -> Floats:
    return np.random.default_rng(1).permutation(p)


def _upside_down(p: Floats) -> Floats:
    """Scores of which the highest were to be the lowest."""
    return np.sort(p)[::-1][np.argsort(np.argsort(p))]


@pytest.mark.nightly
def test_hours_of_a_version_are_counted_by_the_hour(make_home):
    span = {"from": "2025-01-10", "to": "2025-01-15"}
    home = make_home(PLAIN | {"window": "hour", "reference": span, "versions": {"calibrated_after": 6}})
    land(home, range(9, 15), {"1": 1.0}, rows=480)
    land(home, [15], {"1": 0.5, "2": 0.5}, rows=2_400)
    brought_up(home, 15 + 8 / 24 + 1.5)
    assert {s.reason for s in scored_hours(home, "2")} == {"uncalibrated: 4 of 6 windows of version 2 are mature; 4 more have fewer than 100 rows"}
    brought_up(home, 20)
    assert {s.reason for s in scored_hours(home, "2")} == {""}


def scored_hours(home: Home, version: str) -> list[Score]:
    where = (pc.field("version") == version) & (pc.field("metric") == "positive_rate")
    return [s for s in home.lake.newest(Score, where=where) if s.window_end - s.window_start == timedelta(hours=1)]
