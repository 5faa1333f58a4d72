"""KPIs of people's own: an expression over a labelled row becomes a metric like the others, or says why it is none."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from scipy import stats

from conftest import PARCELS, parcels_world
from watchkeeper.adapters.expressions import columns_of, evaluated, fault_of
from watchkeeper.adapters.workspace import Home, find_home, load_monitor, load_monitors
from watchkeeper.operations.check import check
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.promises import promises
from watchkeeper.operations.query import query
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.watch import gather, present, watch
from watchkeeper.records import IncidentEvent, Score
from watchkeeper.windows import Grid
from worlds import parcels_days

DAY = timedelta(days=1)
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
COST: dict[str, Any] = {
    "name": "cost_of_errors",
    "sql": "CASE WHEN label = 1 AND NOT prediction THEN 120 WHEN label = 0 AND prediction THEN 15 * weight_kg ELSE 0 END",
    "unit": "EUR",
    "direction": "lower_is_better",
}


def with_kpis(*kpis: dict[str, Any], **more: Any) -> dict[str, Any]:
    return PARCELS | {"kpis": list(kpis)} | more


def cost_of(day: datetime, *, late: float = 0.2, rows: int = 120) -> np.ndarray:
    events, labels = parcels_world(day, rows=rows, late=late)
    truth, said, weight = (np.asarray(c) for c in (labels["was_late"], events["is_late"], events["weight_kg"]))
    return np.where(truth & ~said, 120.0, np.where(~truth & said, 15 * weight, 0.0))


def of_day(home: Home, name: str, day: date, segment: str = "") -> Score:
    (found,) = [s for s in home.lake.newest(Score) if (s.metric, s.segment, s.window_start.date(), s.grain) == (name, segment, day, "day")]
    return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three weeks of parcels; on the last three days it was late far more often, which is dear."""
    from conftest import new_home

    asked = [
        COST,
        COST | {"name": "whole_cost", "aggregate": "sum"},
        {"name": "kilos_on_time", "sql": "CASE WHEN label = 0 THEN weight_kg END", "direction": "none"},
        {"name": "odd", "sql": "1 / (weight_kg - weight_kg)", "direction": "none"},
        {"name": "nan", "sql": "CASE WHEN depot = 'north' THEN 'NaN'::DOUBLE ELSE weight_kg END", "direction": "none"},
        {"name": "broken", "sql": "CAST(depot AS INTEGER)", "direction": "none"},
    ]
    home = new_home(tmp_path_factory.mktemp("own") / "home", with_kpis(*asked, targets=[{"metric": "cost_of_errors", "at_most": 30.0, "per": "day"}]))
    parcels_days(home.root, date(2025, 1, 1), 24, rows=120, late=dict.fromkeys(range(21, 24), 0.7))
    watch(home, now=FIRST + 27 * DAY)
    return home


def test_the_mean_and_its_interval_are_those_of_the_rows(watched: Home) -> None:
    costs = cost_of(FIRST + 16 * DAY)
    score = of_day(watched, "cost_of_errors", date(2025, 1, 17))
    assert (score.n, score.unit, score.direction, score.state, score.method) == (120, "EUR", "lower_is_better", "mature", "mean of labelled rows, t")
    assert score.value == pytest.approx(costs.mean(), abs=1e-9)
    low, high = stats.t.interval(0.95, 119, costs.mean(), stats.sem(costs))
    assert (score.low, score.high) == pytest.approx((low, high))
    everything = np.concatenate([cost_of(FIRST + d * DAY) for d in range(14)])
    assert score.reference_value == pytest.approx(everything.mean())


def test_a_sum_is_that_of_the_window(watched: Home) -> None:
    assert of_day(watched, "whole_cost", date(2025, 1, 17)).value == pytest.approx(cost_of(FIRST + 16 * DAY).sum())


def test_segments_have_it_too(watched: Home) -> None:
    events, _ = parcels_world(FIRST + 16 * DAY, rows=120)
    north = np.asarray(events["depot"]) == "north"
    score = of_day(watched, "cost_of_errors", date(2025, 1, 17), "depot=north")
    assert (score.n, score.value) == (north.sum(), pytest.approx(cost_of(FIRST + 16 * DAY)[north].mean(), rel=1e-6))


def test_windows_add_up(watched: Home) -> None:
    monitor = load_monitor(watched, "parcels")
    (week, *_) = listed_scores(
        watched, monitor, Wanted(metrics=frozenset({"cost_of_errors"}), grain="week", start=FIRST + 12 * DAY), now=FIRST + 27 * DAY
    )
    first = Grid("week", "UTC").at(FIRST + 12 * DAY).start
    assert week.value == pytest.approx(np.concatenate([cost_of(first + d * DAY) for d in range(7)]).mean())


def test_a_null_is_left_out_of_n(watched: Home) -> None:
    _, labels = parcels_world(FIRST + 16 * DAY, rows=120)
    assert of_day(watched, "kilos_on_time", date(2025, 1, 17)).n == sum(not x for x in labels["was_late"].to_pylist())


def test_what_fails_or_is_infinite_says_so_and_stops_no_other(watched: Home) -> None:
    odd, broken = (of_day(watched, name, date(2025, 1, 17)) for name in ("odd", "broken"))
    assert (odd.state, odd.reason) == ("not_evaluated", "odd is infinite for 120 rows")
    assert broken.state == "not_evaluated"
    assert broken.reason.startswith("broken failed on 120 rows: Conversion Error: Could not convert string '")
    assert broken.value is None


def test_a_value_that_is_no_number_is_no_null(watched: Home) -> None:
    events, _ = parcels_world(FIRST + 16 * DAY, rows=120)
    depots = np.asarray(events["depot"])
    whole = of_day(watched, "nan", date(2025, 1, 17))
    assert (whole.state, whole.value, whole.n) == ("not_evaluated", None, (depots == "north").sum())
    assert whole.reason == f"nan failed on {whole.n} rows: it is NaN, not a number; write NULL for rows that do not count"
    other = next(d for d in sorted(set(depots.tolist())) if d != "north")
    of_other = of_day(watched, "nan", date(2025, 1, 17), f"depot={other}")
    assert (of_other.n, of_other.state) == ((depots == other).sum(), "mature")


def test_it_is_judged_by_what_is_usual(watched: Home) -> None:
    found = query(
        watched, load_monitors(watched)[0], "SELECT DISTINCT family, level FROM signals WHERE metric = 'cost_of_errors'", now=FIRST + 27 * DAY
    )
    assert {"family": "kpi", "level": "page"} in found.to_pylist()
    assert {e.family for e in watched.lake.newest(IncidentEvent)} >= {"kpi"}


def test_a_promise_may_be_about_it(watched: Home) -> None:
    (kept,) = promises(watched, load_monitor(watched, "parcels"), now=FIRST + 27 * DAY)
    assert kept.is_kept is False
    assert kept.value == pytest.approx(cost_of(FIRST + 23 * DAY, late=0.7).mean())


def test_digest_page_and_sql_show_it(watched: Home) -> None:
    monitor, now = load_monitor(watched, "parcels"), FIRST + 27 * DAY
    told = digest_of(watched, monitor, Grid("week", "UTC").at(FIRST + 14 * DAY), now=now, period="week").text
    assert "**Own numbers:** cost of errors " in told
    assert " EUR [" in told
    present(watched, now=now)
    page = (watched.site_dir / "models" / "parcels.html").read_text()
    assert "Cost of errors" in page or "cost of errors" in page
    rows = query(watched, {"parcels": monitor}, "SELECT count(*) AS n FROM scores WHERE metric = 'cost_of_errors' AND unit = 'EUR'", now=now)
    assert rows.to_pylist()[0]["n"] > 24


def test_another_expression_is_evaluated_over_all_rows_there_are(make_home: Callable[..., Home]) -> None:
    home = make_home(PARCELS)
    parcels_days(home.root, date(2025, 1, 1), 16, rows=60)
    gather(home, now=FIRST + 18 * DAY)
    for weight in (2, 3):
        kpi = {"name": "weighted", "sql": f"label * {weight}", "direction": "lower_is_better"}
        (home.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(with_kpis(kpi)))
        gather(find_home(home.root), now=FIRST + 18 * DAY + weight * timedelta(hours=1))
        score = of_day(home, "weighted", date(2025, 1, 3))
        rate = of_day(home, "positive_rate", date(2025, 1, 3))
        assert score.value == pytest.approx(weight * (rate.value or 0))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("label +", "kpis: mine: it is not an expression: syntax error"),
        ("label, score", "it is not one expression"),
        ("label; DROP TABLE x", "it is not an expression"),
        ("1 FROM wk_rows; COPY wk_rows TO 'x'", "it is not an expression"),
        ("(SELECT max(score) FROM events)", "a subquery is not allowed"),
        ("label IN (SELECT 1)", "a subquery is not allowed"),
        ("EXISTS (SELECT 1)", "a subquery is not allowed"),
        ("read_csv('/etc/passwd')", "read_csv() is not allowed"),
        ("read_text('/etc/passwd')", "read_text() is not allowed"),
        ("getenv('HOME')", "getenv() is not allowed"),
        ("current_setting('memory_limit')", "current_setting() is not allowed"),
        ("COPY events TO 'x'", "it is not an expression"),
        ("ATTACH 'x.duckdb'", "there is no type ATTACH"),
        ("sum(label)", "sum() is not allowed"),
        ("row_number() OVER ()", "a window function is not allowed"),
        ("random()", "random() is not allowed"),
        ("now()", "now() is not allowed"),
        ("score UNION SELECT 1", "it is not one expression"),
        ("weight_kg", "'weight_kg' is private"),
        ("WEIGHT_KG + 1", "'WEIGHT_KG' is private"),
    ],
)
def test_an_expression_that_is_no_more_than_one_is_all_that_is_taken(make_home: Callable[..., Home], sql: str, said: str) -> None:
    home = make_home(with_kpis({"name": "mine", "sql": sql, "direction": "none"}, private=["weight_kg"]))
    _, (problem,) = load_monitors(home)
    assert said in problem.what
    assert problem.line is not None
    assert any(f.level == "mistake" and said in f.what for f in check(home, now=FIRST).findings)


@pytest.mark.parametrize("private", ["p_late", "was_late", "is_late"])
def test_a_private_role_is_refused_by_its_name_and_by_that_of_its_column(make_home: Callable[..., Home], private: str) -> None:
    role = {"p_late": "score", "was_late": "label", "is_late": "prediction"}[private]
    for n, name in enumerate({role, private}):
        home = make_home(with_kpis({"name": "mine", "sql": f"{name} + 1", "direction": "none"}, private=[private]), name=f"home{n}")
        assert ["is private" in p.what for p in load_monitors(home)[1]] == [True]


@pytest.mark.parametrize("name", ["recall", "psi", "rows", "gpu_cost", "calibration_gap_to_rest"])
def test_a_name_that_is_taken_is_refused(make_home: Callable[..., Home], name: str) -> None:
    _, (problem,) = load_monitors(make_home(with_kpis(COST | {"name": name})))
    assert "is the name of another metric" in problem.what


def test_names_are_plain_and_given_once(make_home: Callable[..., Home]) -> None:
    _, (twice,) = load_monitors(make_home(with_kpis(COST, COST), name="a"))
    assert "another metric" in twice.what
    _, (odd,) = load_monitors(make_home(with_kpis(COST | {"name": "Cost of errors"}), name="b"))
    assert "is no name for a KPI" in odd.what


def test_without_labels_there_is_nothing_to_evaluate(make_home: Callable[..., Home]) -> None:
    said = {k: v for k, v in with_kpis(COST).items() if k != "labels"}
    _, (problem,) = load_monitors(make_home(said))
    assert "the monitor names no labels" in problem.what


def test_an_unknown_column_is_a_mistake_with_its_line_and_the_nearest_name(make_home: Callable[..., Home]) -> None:
    home = make_home(with_kpis({"name": "mine", "sql": "weight_gk * lable", "direction": "none"}))
    parcels_days(home.root, date(2025, 1, 1), 1, rows=20)
    found = [f for f in check(home, now=FIRST).findings if f.level == "mistake"]
    assert sorted(f.what.split(" has ")[1] for f in found) == ["no column 'lable'", "no column 'weight_gk'"]
    assert all(f.line is not None for f in found)
    assert any("weight_kg" in f.hint for f in found)
    assert any("label" in f.hint for f in found)


@pytest.mark.parametrize(
    ("sql", "values"),
    [("x / 0", [np.inf, np.nan, np.nan]), ("x > 0", [1, 0, np.nan]), ("coalesce(x, 7) -- the rest", [1, 0, 7]), ('"odd name" * 2', [2, 4, 6])],
)
def test_values_are_those_of_duckdb(sql: str, values: list[float]) -> None:
    found = evaluated(sql, pa.table({"x": [1.0, 0.0, None], "odd name": [1, 2, 3]}))
    assert fault_of(sql) == ""
    np.testing.assert_array_equal(found.values, values)
    assert found.failed.tolist() == [sql == "x / 0" and place == 1 for place in range(3)]
    assert found.why == ("it is NaN, not a number; write NULL for rows that do not count" if sql == "x / 0" else "")


def test_a_row_that_fails_does_not_take_the_others_along() -> None:
    found = evaluated("CAST(s AS INTEGER)", pa.table({"s": ["1", "b", None, "3"]}))
    np.testing.assert_array_equal(found.values, [1, np.nan, np.nan, 3])
    assert found.failed.tolist() == [False, True, False, False]
    assert found.why.startswith("Conversion Error: Could not convert string 'b' to INT32")


def test_a_name_that_is_no_column_is_not_taken_for_something_of_the_database() -> None:
    """`current_timestamp` parses as a column; without one DuckDB would give the clock."""
    found = evaluated("current_timestamp", pa.table({"x": [1]}))
    assert (found.failed.tolist(), found.why) == ([True], "there is no column 'current_timestamp'")
    assert columns_of("current_timestamp") == ["current_timestamp"]


def test_an_expression_that_takes_all_memory_has_failed_and_takes_nothing_else_along() -> None:
    found = evaluated("length(repeat(s, 2000000000))", pa.table({"s": ["long" * 4]}))
    assert found.failed.all()
    assert found.why
