"""Of landed rows: a planted gap is found and nothing else, and what is counted of groups adds up and is seen nowhere else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli import app
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import layout
from watchkeeper.operations.check import check
from watchkeeper.operations.fairness import fairness, write_page
from watchkeeper.operations.fit import private_name
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.pages import pages
from watchkeeper.operations.profile import profile
from watchkeeper.profiles.parts import GROUP, LABEL, gathered, newest_scans
from watchkeeper.records import Profile, Run, Score
from worlds import parcels_days

BEGIN, DAYS = date(2025, 1, 1), 25
NOW = datetime(2025, 2, 10, tzinfo=UTC)
ROWS = 600
PEOPLE = PARCELS | {"sensitive": ["sex", "region"], "features": ["weight_kg", "depot"]}


def people(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Give each parcel a sender: men and women, one in twenty unknown, a few of a third sex; women are flagged more often by 15 points."""
    rng = np.random.default_rng(events.column("sent_at")[0].as_py().toordinal())
    n = events.num_rows
    sex = rng.choice(["f", "m", "x", None], n, p=[0.4, 0.5495, 0.0005, 0.05])
    region = rng.choice(["n", "s"], n)
    flagged = rng.random(n) < np.where(sex == "f", 0.35, 0.20)
    place = events.column_names.index("is_late")
    events = events.set_column(place, "is_late", pa.array(flagged))
    return events.append_column("sex", pa.array(sex.tolist(), pa.string())).append_column("region", pa.array(region.tolist())), labels


def watched(root: Path, monitor: dict[str, Any], change: Callable[..., Any] = people, days: int = DAYS) -> tuple[Home, Monitor]:
    home = new_home(root, monitor)
    parcels_days(home.root, BEGIN, days, rows=ROWS, change=dict.fromkeys(range(days), change))
    found = load_monitor(home, "parcels")
    ingest(home, found, now=NOW)
    profile(home, found, now=NOW)
    return home, found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Monitor]:
    home, monitor = watched(tmp_path_factory.mktemp("fair") / "home", PEOPLE)
    measure(home, monitor, now=NOW)
    return home, monitor


def audited_now(home: Home, monitor: Monitor) -> Any:
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    return fairness(home, monitor, now=NOW)


def said(report: Any, group: str, metric: str) -> Any:
    return next(s for s in report.statements if s.group == group and s.metric == metric)


def raw(home: Home) -> pl.DataFrame:
    events, labels = (pl.read_parquet(home.root / "inbox" / f"{name}*.parquet") for name in ("parcels", "delivered"))
    return events.join(labels, on="parcel", how="left")


def test_the_planted_gap_is_found_and_no_other(world):
    report = fairness(*world, now=NOW)
    violations = {(s.attribute, s.group, s.metric) for s in report.statements if s.verdict == "violation"}
    assert ("sex", "sex=f", "demographic_parity") in violations
    assert ("sex", "sex=f", "demographic_parity_ratio") in violations
    assert all("sex=f" in group or "sex=m" in group for _, group, _ in violations)
    assert not any(attribute == "region" for attribute, _, _ in violations)
    assert report.verdict == "violation"


def test_rates_are_those_of_the_files(world):
    home, _ = world
    report, rows = fairness(*world, now=NOW), raw(home)
    for group, inside in {
        "sex=f": pl.col("sex") == "f",
        "sex=(null)": pl.col("sex").is_null(),
        "region=n": pl.col("region") == "n",
        "sex=f&region=n": (pl.col("sex") == "f") & (pl.col("region") == "n"),
    }.items():
        ours, others = rows.filter(inside), rows.filter(~inside.fill_null(value=False))
        parity, found = said(report, group, "demographic_parity"), said(report, group, "equal_opportunity")
        assert (parity.n, parity.rest_n) == (len(ours), len(others))
        assert (parity.rate, parity.rest_rate) == pytest.approx((ours["is_late"].mean(), others["is_late"].mean()))
        assert found.n == ours["was_late"].sum()
        assert found.rate == pytest.approx(ours.filter("was_late")["is_late"].mean())
        gap = said(report, group, "calibration")
        assert gap.rate == pytest.approx((ours["was_late"] - ours["p_late"]).mean(), abs=1e-5)
    assert (report.rows, report.versions, report.windows) == (DAYS * ROWS, {"1": DAYS * ROWS}, DAYS)


def test_a_tiny_group_cannot_tell_and_says_how_many_rows_it_takes(world):
    one = said(fairness(*world, now=NOW), "sex=x", "demographic_parity")
    assert one.verdict == "cannot tell"
    assert one.n < 30
    assert one.needed > 1000


def test_the_groups_of_an_attribute_add_up_to_the_whole(world):
    home, _ = world
    parts = newest_scans(home.lake.read(Profile.TABLE))
    whole = gathered(parts.filter((pc.field("kind") == LABEL) & (pc.field("segment") == "")), ("feature", "outcome"))
    for attribute in (r"^sex=[^&]*$", r"^region=[^&]*$", r"^sex=[^&]*&region=[^&]*$"):
        inside = parts.filter((pc.field("kind") == GROUP) & pc.match_substring_regex(pc.field("segment"), attribute))
        summed = gathered(inside, ("feature", "outcome"))
        assert summed.keys() == whole.keys()
        for quantity, counts in whole.items():
            assert summed[quantity].n == counts.n, (attribute, quantity)
            assert summed[quantity].sum == pytest.approx(counts.sum, rel=1e-5, abs=1e-5)


def test_groups_are_seen_nowhere_but_in_an_audit(world):
    home, _ = world
    segments = {s.segment for s in home.lake.newest(Score)}
    assert {s.partition("=")[0] for s in segments if s} == {"depot"}


def test_a_span_is_that_of_the_days_asked_for(world):
    report = fairness(*world, now=NOW, start=datetime(2025, 1, 5, tzinfo=UTC), end=datetime(2025, 1, 8, tzinfo=UTC))
    assert (report.rows, report.windows) == (3 * ROWS, 3)


def test_days_whose_labels_are_not_due_are_left_out_and_it_is_said(world):
    now = datetime(2025, 1, 20, tzinfo=UTC)
    with pytest.raises(UsageError, match=r"no groups are counted|no rows are counted"):
        fairness(*world, now=now)
    report = fairness(*world, now=NOW, end=datetime(2025, 3, 1, tzinfo=UTC))
    assert "left out, since not all labels are due" in report.warnings[0]
    assert report.end == datetime(2025, 2, 8, tzinfo=UTC)


def test_the_same_counts_have_the_same_hash_and_others_another(world):
    whole, again = fairness(*world, now=NOW), fairness(*world, now=NOW + timedelta(days=1))
    part = fairness(*world, now=NOW, start=datetime(2025, 1, 5, tzinfo=UTC))
    assert whole.content == again.content
    assert len(whole.content) == 64
    assert part.content != whole.content


def test_the_page_says_what_was_audited_and_loads_nothing(world):
    home, monitor = world
    report = fairness(home, monitor, now=NOW)
    path = write_page(home, report)
    text = path.read_text(encoding="utf-8")
    assert path.relative_to(home.site_dir).as_posix() == "fairness/parcels-2025-01-01-2025-01-26.html"
    for wanted in (report.content, report.bins, "Equal opportunity", "sex=f&amp;region=n", "sex=(null)", "1 (15,000 rows)", "99.", "violation"):
        assert wanted in text, wanted
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_the_command_prints_the_worst_first_and_exits_with_three(world):
    home, _ = world
    done = CliRunner().invoke(app, ["--home", str(home.root), "fairness", "parcels", "--page", "--now", f"{NOW.isoformat()}"])
    assert done.exit_code == 3, done.output
    lines = done.output.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("group"))
    assert "violation" in lines[head + 2]
    assert lines[-1].endswith("fairness/parcels-2025-01-01-2025-01-26.html")


def test_an_audit_that_is_filed_is_linked_from_the_models_page(world):
    home, monitor = world
    path = write_page(home, fairness(home, monitor, now=NOW))
    pages(home, {monitor.model: monitor}, now=NOW)
    text = (home.site_dir / "models" / "parcels.html").read_text(encoding="utf-8")
    assert f"../fairness/{path.name}" in text
    assert "Fairness audit of parcels, 2025-01-01 to 2025-01-26" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--private", "--reason", "x", "--page"), "shows no private values"), (("--private",), "need a reason"), (("--from", "2025-03-01"), "mature")],
)
def test_what_is_asked_wrongly_is_refused_in_one_sentence(world, arguments, message):
    done = CliRunner().invoke(app, ["--home", str(world[0].root), "fairness", "parcels", *arguments, "--now", NOW.isoformat()])
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensitive": []}, "names no sensitive columns"),
        ({"task": "multiclass"}, "of a multiclass model is not defined"),
        ({"task": "regression", "labels": None}, "nobody knows the errors"),
    ],
)
def test_what_cannot_be_audited_says_why(home, changes, message):
    monitor = Monitor.model_validate(PEOPLE | changes)
    with pytest.raises(UsageError, match=message):
        fairness(home, monitor, now=NOW)


@pytest.mark.parametrize(("changes", "said"), [({"task": "multiclass"}, True), ({}, False)])
def test_check_tells_of_sensitive_columns_that_no_audit_looks_at(make_home, changes, said):
    found = check(make_home(PEOPLE | changes), now=NOW).findings
    assert any("not defined here" in f.what and f.level == "warning" for f in found) == said


def test_labels_that_land_later_replace_what_was_counted_without_them(world, tmp_path):
    """Half of the labels come a second time round: the counts, and so their hash, are those of all at once."""
    home = new_home(tmp_path / "home", PEOPLE)
    parcels_days(home.root, BEGIN, DAYS, rows=ROWS, change=dict.fromkeys(range(DAYS), people))
    held = sorted((home.root / "inbox").glob("delivered-*.parquet"))[::2]
    for file in held:
        file.rename(home.root / file.name)
    monitor = load_monitor(home, "parcels")
    early = audited_now(home, monitor)
    for file in held:
        (home.root / file.name).rename(file)
    assert early.content != audited_now(home, monitor).content == fairness(*world, now=NOW).content


def test_before_anything_is_counted_it_says_what_to_do(home):
    with pytest.raises(UsageError, match="Run `watchkeeper run`"):
        fairness(home, Monitor.model_validate(PEOPLE), now=NOW)


def test_a_monitor_without_sensitive_columns_keeps_its_layout():
    plain, other = Monitor.model_validate(PARCELS), Monitor.model_validate(PARCELS | {"sensitive": ["sex"]})
    assert "sensitive" not in layout(plain)
    assert layout(plain) == layout(Monitor.model_validate(PARCELS | {"sensitive": []}))
    assert layout(other) != layout(plain)


def test_without_labels_who_is_flagged_is_audited(tmp_path):
    report = fairness(*watched(tmp_path / "home", {**PEOPLE, "labels": None}, days=18), now=NOW)
    assert {s.metric for s in report.statements} == {"demographic_parity", "demographic_parity_ratio"}
    assert said(report, "sex=f", "demographic_parity").verdict == "violation"
    assert report.rows == 18 * ROWS


def test_of_a_private_column_groups_are_hashes_unless_somebody_says_why(tmp_path):
    home, monitor = watched(tmp_path / "home", PEOPLE | {"private": ["sex"]}, days=18)
    parts = home.lake.read(Profile.TABLE, columns=["segment", "kind"])
    stored = {s for s, kind in zip(parts.column("segment").to_pylist(), parts.column("kind").to_pylist(), strict=True) if kind == GROUP}
    assert f"sex={private_name('f')}" in stored
    assert not any("sex=f" in s.split("&") for s in stored)
    hidden, shown = fairness(home, monitor, now=NOW), fairness(home, monitor, now=NOW, private_reason="audit of 2025")
    assert said(hidden, f"sex=#{private_name('f')[:8]}", "demographic_parity").verdict == "violation"
    assert said(hidden, "sex=(null)", "demographic_parity").n
    assert said(shown, "sex=f", "demographic_parity").verdict == "violation"
    assert any("audit of 2025" in r.reason for r in home.lake.newest(Run))
    few = [s for s in hidden.statements if "sex" in s.attribute and s.reason.startswith("fewer than 10")]
    assert few
    assert all(s.n is None and s.rate is None for s in few)
    assert all(s.n is None or s.n >= 10 for s in hidden.statements if "sex" in s.attribute)


def test_a_column_that_some_files_lack_is_not_known_there(tmp_path):
    def later(events, labels):
        events, labels = people(events, labels)
        return (events, labels) if events.column("sent_at")[0].as_py().day > 9 else (events.drop_columns(["sex"]), labels)

    home, monitor = watched(tmp_path / "home", PEOPLE, later, days=18)
    report = fairness(home, monitor, now=NOW)
    rows = {s.group: s.n for s in report.statements if s.metric == "demographic_parity" and s.attribute == "sex"}
    assert sum(rows.values()) == 18 * ROWS
    assert rows["sex=(null)"] > 9 * ROWS


def test_a_regression_is_audited_by_its_errors(tmp_path):
    def amounts(events, labels):
        events, labels = people(events, labels)
        rng = np.random.default_rng(1)
        truth = rng.normal(50, 10, events.num_rows)
        lean = 3.0 * np.array([s == "f" for s in events.column("sex").to_pylist()])
        place, of_label = events.column_names.index("p_late"), labels.column_names.index("was_late")
        events = events.set_column(place, "p_late", pa.array(truth + rng.normal(0, 4, len(truth)) + lean))
        return events, labels.set_column(of_label, "was_late", pa.array(truth))

    changes = {"task": "regression", "columns": {k: v for k, v in PARCELS["columns"].items() if k != "prediction"}}
    report = fairness(*watched(tmp_path / "home", PEOPLE | changes, amounts, days=18), now=NOW)
    assert {s.metric for s in report.statements} == {"mean_error"}
    assert said(report, "sex=f", "mean_error").verdict == "violation"
    assert said(report, "sex=f", "mean_error").rate == pytest.approx(3.0, abs=0.3)
    assert not any(s.verdict == "violation" for s in report.statements if s.attribute == "region")
