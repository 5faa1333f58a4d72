"""Rows that repeat: intervals of KPIs take whom they are about, or days, as independent, and say so; the oracle is written from the rows."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from entity_world import BEGIN, DAYS, KPI, NOW, ROWS, TASKS, brought_up, day_of, monitor_of, row_means, tables_of
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.bins_in_force import layout, stored_bins
from watchkeeper.operations.entities import entities_of
from watchkeeper.operations.join import ENTITY
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.operations.watch import gather
from watchkeeper.records import Profile, Score
from watchkeeper.windows import Grid
from worlds import DAY, watched

Floats = NDArray[np.float64]
DAY_SHOWN = 20
SHARES = {"positive_rate", "flagged_ratio", "accuracy", "precision", "recall", "specificity"}
BY_TASK = [task if task != "multiclass" else pytest.param(task, marks=pytest.mark.nightly) for task in TASKS]
APART = "the interval takes rows of one customer as independent"


def robust(values: Floats, cluster: Sequence[object], *, is_share: bool, claimed: float = 0.0, if_alike: float | None = None) -> dict[str, float]:
    """Return mean, standard error and interval with clusters independent: Liang and Zeger's variance, cluster by cluster."""
    mean, names = float(np.mean(values)), sorted({str(c) for c in cluster})
    members = [np.array([str(c) == name for c in cluster]) for name in names]
    sizes = np.array([m.sum() for m in members], float)
    residuals = np.array([(values[m] - mean).sum() for m in members])
    worth = sizes.sum() ** 2 / (sizes**2).sum()
    se = sqrt(max(worth / (worth - 1) * (residuals**2).sum() / sizes.sum() ** 2, claimed))
    reach = stats.t.ppf(0.975, worth - 1)
    if not is_share:
        return {"value": mean, "se": se, "low": mean - reach * se, "high": mean + reach * se}
    rows = mean * (1 - mean) / se**2 if se > 0 else (if_alike or len(names))

    def beyond(p: float) -> float:
        return abs(p - mean) - reach * sqrt(p * (1 - p) / rows)

    low = 0.0 if mean == 0 else optimize.brentq(beyond, 1e-12, mean - 1e-12)
    high = 1.0 if mean == 1 else optimize.brentq(beyond, mean + 1e-12, 1 - 1e-12)
    return {"value": mean, "se": se, "low": low, "high": high}


def named(customers: Sequence[str | None]) -> list[str]:
    """Return whom rows are about; one without a name is somebody of its own."""
    return [c if c is not None else f"nobody {i}" for i, c in enumerate(customers)]


def claimed_by(metric: str, day: dict[str, Any], mine: NDArray[np.bool_]) -> float:
    p = day["p_late"][mine]
    return float((p * (1 - p)).sum()) / len(p) ** 2 if metric == "calibration_gap" else 0.0


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Home]:
    made: dict[str, Home] = {}

    def home(task: str) -> Home:
        if task not in made:
            made[task] = brought_up(tmp_path_factory.mktemp(task) / "home", task)
        return made[task]

    return home


def scores_of(home: Home, day: int, **wanted: Any) -> dict[tuple[str, str], Score]:
    start = BEGIN + day * DAY
    asked = Wanted(start=start, end=start + wanted.pop("days", 1) * DAY, **wanted)
    return {(s.metric, s.segment): s for s in listed_scores(home, load_monitor(home, "parcels"), asked, now=NOW) if not s.feature}


def agrees(score: Score, wanted: dict[str, float], within: float = 1e-9) -> None:
    for name, value in wanted.items():
        assert getattr(score, name) == pytest.approx(value, rel=within, abs=within), (score.metric, score.segment, name)


@pytest.mark.parametrize("task", BY_TASK)
def test_intervals_of_a_day_are_those_of_its_customers(task: str, homes: Callable[[str], Home]) -> None:
    day, found = day_of(task, DAY_SHOWN), scores_of(homes(task), DAY_SHOWN)
    for metric, (mine, values) in row_means(task, day).items():
        whom = named(np.array(day["customer"], object)[mine])
        score = found[metric, ""]
        agrees(score, robust(values[mine], whom, is_share=metric in SHARES, claimed=claimed_by(metric, day, mine)))
        people = {w for w in whom if not w.startswith("nobody")}
        assert score.n == mine.sum()
        assert score.method.endswith(", clustered by customer")
        assert f"interval over {len(people)} values of customer and {len(whom) - sum(w in people for w in whom)} rows without one" in score.reason


def test_the_interval_is_not_that_of_rows_where_customers_differ(homes: Callable[[str], Home]) -> None:
    score = scores_of(homes("binary"), DAY_SHOWN)["positive_rate", ""]
    of_rows = stats.binomtest(round(score.value * ROWS), ROWS).proportion_ci(method="wilson")
    assert score.high - score.low > 1.5 * (of_rows.high - of_rows.low)


@pytest.mark.parametrize("task", BY_TASK)
def test_segments_and_pairs_have_theirs(task: str, homes: Callable[[str], Home]) -> None:
    day, found = day_of(task, DAY_SHOWN), scores_of(homes(task), DAY_SHOWN, segment="all")
    depot = np.array(["(null)" if d is None else d for d in day["depot"]])
    groups = {f"depot={d}": depot == d for d in set(depot)} | {
        f"depot={d}&van={v}": (depot == d) & (day["van"] == v) for d in set(depot) for v in "ab"
    }
    checked = 0
    for metric, (rows, values) in row_means(task, day).items():
        for segment, inside in groups.items():
            mine = rows & inside
            if (metric, segment) in found and mine.sum() >= 20:
                wanted = robust(
                    values[mine],
                    named(np.array(day["customer"], object)[mine]),
                    is_share=metric in SHARES,
                    claimed=claimed_by(metric, day, mine),
                )
                agrees(found[metric, segment], wanted, within=2e-6)  # segments keep the sums of other numbers to seven digits
                assert found[metric, segment].n == mine.sum()
                checked += 1
    assert checked >= {"binary": 40, "regression": 15, "multiclass": 15}[task]


@pytest.mark.parametrize("task", BY_TASK)
def test_a_week_s_interval_is_over_its_days(task: str, homes: Callable[[str], Home]) -> None:
    days = [day_of(task, d) for d in range(14, 21)]
    found = scores_of(homes(task), 14, days=7, grain="week")
    means = [row_means(task, day) for day in days]
    for metric in means[0]:
        values = np.concatenate([m[metric][1][m[metric][0]] for m in means])
        which = np.repeat(np.arange(7), [m[metric][0].sum() for m in means])
        claimed = 0.0
        if metric == "calibration_gap":
            p = np.concatenate([day["p_late"] for day in days])
            claimed = float((p * (1 - p)).sum()) / len(p) ** 2
        agrees(found[metric, ""], robust(values, which, is_share=metric in SHARES, claimed=claimed, if_alike=len(values)))
        assert found[metric, ""].reason.endswith("interval over 7 days")
        assert "clustered" not in found[metric, ""].method


def grouped(customers: Sequence[str | None], parcels: Sequence[str]) -> list[str]:
    """Return the group of each row's customer, of a row without one that of the row itself."""
    found = entities_of(pa.table({ENTITY: pa.array(customers, pa.string()), "id": list(parcels)}))
    return [str(g) for g in found.groups]


def test_a_customer_is_in_one_group_in_every_scan() -> None:
    names = [f"customer {i}" for i in range(6_400)]
    whole = grouped(names, names)
    assert grouped(names[::-2], names[::-2]) == whole[::-2]
    assert grouped([None] * 6_400, names) == whole
    sizes = np.bincount(np.array(whole, int), minlength=64)
    assert len(sizes) == 64
    assert stats.chisquare(sizes).pvalue > 0.001


def test_of_what_happened_in_a_week_customers_who_come_back_are_one_witness(homes: Callable[[str], Home]) -> None:
    """A digest tells of the week itself, and not of days like these."""
    home = homes("binary")
    monitor, days = load_monitor(home, "parcels"), [day_of("binary", d) for d in range(14, 21)]
    grid, span = Grid("week", "UTC"), {"start": BEGIN + 14 * DAY, "end": BEGIN + 21 * DAY}
    (found,) = rolled_up(home, monitor, grid, now=NOW, metrics={"brier"}, of_whole=True, **span)
    values = np.concatenate([row_means("binary", day)["brier"][1] for day in days])
    agrees(found, robust(values, [g for day in days for g in grouped(day["customer"], day["parcel"])], is_share=False))
    assert found.reason == "interval over 64 groups of values of customer"
    assert found.method == "t, clustered by customer"


def test_of_segments_of_a_week_it_is_said_that_customers_count_again(homes: Callable[[str], Home]) -> None:
    home = homes("binary")
    found = rolled_up(
        home, load_monitor(home, "parcels"), Grid("week", "UTC"), now=NOW, start=BEGIN + 14 * DAY, end=BEGIN + 21 * DAY, metrics={"recall"}
    )
    of_segments = [s for s in found if s.segment and s.low is not None]
    assert len(of_segments) > 5
    for score in of_segments:
        assert re.fullmatch(
            r"approximate interval over \d+ values of customer( and \d+ rows? without one)?: "
            "those that come back at other times or in other versions count again",
            score.reason,
        )


def faithful(day: dict[str, Any]) -> None:
    """Have the same 200 customers come every day, some of whom are always late and some never."""
    d = int(day["parcel"][0].split("-")[0])
    who = np.random.default_rng([d, 5]).integers(0, 200, ROWS)
    always = np.random.default_rng(6).random(200) < 0.4
    day.update(customer=[f"c{i}" for i in who], was_late=always[who], version=np.where(np.arange(ROWS) % 2, "1", "2").tolist())


@pytest.mark.nightly
def test_customers_who_come_back_every_day_do_not_make_a_week_surer(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", faithful, days=21)
    monitor, days = load_monitor(home, "parcels"), [day_of("binary", d) for d in range(14, 21)]
    for day in days:
        faithful(day)
    (week,) = rolled_up(
        home, monitor, Grid("week", "UTC"), now=NOW, start=BEGIN + 14 * DAY, end=BEGIN + 21 * DAY, metrics={"positive_rate"}, of_whole=True
    )
    late = np.concatenate([day["was_late"] for day in days]).astype(float)
    whom = [c for day in days for c in day["customer"]]
    apart = [f"{c} on day {d}" for d, day in enumerate(days) for c in day["customer"]]
    width = week.high - week.low
    true, narrow = (r["high"] - r["low"] for r in (robust(late, names, is_share=True) for names in (whom, apart)))
    assert narrow < 0.6 * true
    assert width == pytest.approx(true, rel=0.25)


def test_a_customer_whom_two_versions_served_on_a_day_is_one_witness(tmp_path: Path) -> None:
    columns = TASKS["binary"]["columns"] | {"version": "version"}
    home, day = land(tmp_path / "home", "binary", faithful, days=16, columns=columns), day_of("binary", 15)
    faithful(day)
    found = scores_of(home, 15)["positive_rate", ""]
    agrees(found, robust(day["was_late"].astype(float), grouped(day["customer"], day["parcel"]), is_share=True))
    assert found.reason == "interval over 64 groups of values of customer"
    apart = [
        s for s in home.lake.newest(Score) if s.metric == "positive_rate" and s.version and s.window_start == BEGIN + 15 * DAY and s.grain == "day"
    ]
    assert [(s.version, s.reason.split("interval over ")[1]) for s in sorted(apart, key=lambda s: s.version)] == [
        (v, f"{len({c for c, w in zip(day['customer'], day['version'], strict=True) if w == v})} values of customer") for v in "12"
    ]


@pytest.mark.parametrize(("days", "said"), [(1, "interval over {} values of customer"), (7, "interval over 7 days")])
def test_the_interval_of_rmse_is_that_of_its_mean_square(homes: Callable[[str], Home], days: int, said: str) -> None:
    made = [day_of("regression", d) for d in range(14, 14 + days)]
    squares = np.concatenate([(day["hours"] - day["took"]) ** 2 for day in made])
    whom = named(made[0]["customer"]) if days == 1 else [str(d) for d in range(7) for _ in range(ROWS)]
    mean = robust(squares, whom, is_share=False)
    value, half = sqrt(mean["value"]), (mean["high"] - mean["value"]) / (2 * sqrt(mean["value"]))
    found = scores_of(homes("regression"), 14, days=days, grain="day" if days == 1 else "week")["rmse", ""]
    agrees(found, {"value": value, "se": mean["se"] / (2 * value), "low": value - half, "high": value + half})
    assert said.format(len({c for c in made[0]["customer"] if c is not None})) in found.reason
    assert found.method == ("delta, clustered by customer" if days == 1 else "delta")


NO_MEANS = {"binary": ("roc_auc", "average_precision", "f1", "matthews"), "regression": ("r2",), "multiclass": ("macro_f1",)}


@pytest.mark.parametrize("task", BY_TASK)
def test_what_is_no_mean_over_rows_says_what_its_interval_takes(task: str, homes: Callable[[str], Home]) -> None:
    for days in ({}, {"days": 7, "grain": "week"}):
        found = scores_of(homes(task), 14, **days)
        assert all(found[m, ""].reason.endswith(APART) for m in NO_MEANS[task])


def test_what_sets_a_segment_apart_is_no_mean_over_rows_either(homes: Callable[[str], Home]) -> None:
    gap = scores_of(homes("binary"), DAY_SHOWN, segment="all")["calibration_gap_to_rest", "depot=north"]
    assert gap.reason == APART


def test_what_has_no_interval_needs_no_word(homes: Callable[[str], Home]) -> None:
    assert scores_of(homes("binary"), DAY_SHOWN)["calibration_error", ""].reason == "no interval: its sampling is not normal"
    assert scores_of(homes("binary"), DAY_SHOWN)["rows", ""].reason == ""


def test_few_customers_make_an_approximate_interval(homes: Callable[[str], Home]) -> None:
    assert "approximate interval over " in scores_of(homes("binary"), DAY_SHOWN)["precision", ""].reason


def land(root: Path, task: str, change: Callable[[dict[str, Any]], None], days: int = DAYS, **monitor: Any) -> Home:
    """Return a workspace of the same world with each day changed first."""
    from conftest import new_home

    home = new_home(root, monitor_of(task, segments=[], **monitor))
    for d in range(days):
        day = day_of(task, d)
        change(day)
        events, labels = tables_of(task, day)
        pq.write_table(events, home.root / "inbox" / f"parcels-{d:02d}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{d:02d}.parquet")
    gather(home, now=NOW)
    return home


def test_one_customer_alone_leaves_no_interval_and_says_so(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", lambda day: day.update(customer=["ann"] * ROWS), days=16)
    loss = scores_of(home, 15)["log_loss", ""]
    assert (loss.low, loss.high, loss.state) == (None, None, "mature")
    assert loss.value is not None
    assert loss.reason == "no interval: all rows are of one customer"
    assert scores_of(home, 15)["roc_auc", ""].reason == APART


@pytest.mark.nightly
def test_one_customer_with_nearly_all_rows_leaves_none_either(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", lambda day: day.update(customer=["ann"] * (ROWS - 3) + ["bob", "eve", None]), days=16)
    assert scores_of(home, 15)["brier", ""].reason == "no interval: nearly all rows are of one customer"


def test_a_column_that_no_row_has_leaves_rows_independent_and_says_so(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", lambda _: None, days=16, columns=TASKS["binary"]["columns"] | {"entity": "payer"})
    loss = scores_of(home, 15)["log_loss", ""]
    assert loss.reason == "the interval takes rows of one payer as independent"
    values = row_means("binary", day_of("binary", 15))["log_loss"][1]
    assert (loss.low, loss.high) == pytest.approx(stats.t.interval(0.95, ROWS - 1, values.mean(), stats.sem(values)))


def test_without_an_entity_rows_are_independent_without_a_word(tmp_path: Path) -> None:
    plain = {k: v for k, v in TASKS["binary"]["columns"].items() if k != "entity"}
    home = land(tmp_path / "home", "binary", lambda _: None, days=16, columns=plain)
    loss = scores_of(home, 15)["log_loss", ""]
    assert (loss.method, loss.reason) == ("t", "")
    assert not any(p.feature.startswith("entity:") for p in home.lake.newest(Profile))


def test_a_private_customer_is_counted_and_never_named(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", lambda day: day.update(customer=[f"{c}-secret" for c in day["customer"]]), days=16, private=["customer"])
    assert "interval over " in scores_of(home, 15)["log_loss", ""].reason
    for table in ("profiles", "scores", "bins"):
        assert not [f for f in (home.root / "warehouse/lake" / table).rglob("*.parquet") if "secret" in str(pq.read_table(f).to_pylist())]


def test_late_labels_count_their_customers_anew(tmp_path: Path) -> None:
    from conftest import new_home

    home = new_home(tmp_path / "home", monitor_of("binary", segments=[], reference={"from": "2025-01-06", "to": "2025-01-15"}))
    for d in range(12):
        events, labels = tables_of("binary", day_of("binary", d))
        pq.write_table(events, home.root / "inbox" / f"parcels-{d:02d}.parquet")
        pq.write_table(labels.slice(0, 100 if d == 11 else ROWS), home.root / "inbox" / f"delivered-{d:02d}.parquet")
    gather(home, now=NOW)
    day = day_of("binary", 11)
    pq.write_table(tables_of("binary", day)[1].slice(100), home.root / "inbox" / "delivered-late.parquet")
    for n in (100, ROWS):
        mine, values = row_means("binary", day)["log_loss"]
        score = next(s for s in home.lake.newest(Score) if (s.metric, s.window_start, s.grain) == ("log_loss", BEGIN + 11 * DAY, "day"))
        agrees(score, robust(values[mine][:n], named(day["customer"][:n]), is_share=False))
        gather(home, now=NOW + DAY)


def test_rows_of_a_customer_lie_in_one_part_of_a_day(homes: Callable[[str], Home]) -> None:
    from watchkeeper.operations.bins_in_force import part_grain

    span = (datetime(2025, 1, 6, tzinfo=BEGIN.tzinfo), datetime(2025, 1, 16, tzinfo=BEGIN.tzinfo))
    assert part_grain(watched(), 10**7, span, lambda: 1) == "hour"
    with_customers = watched(columns=TASKS["binary"]["columns"])
    assert part_grain(with_customers, 10**7, span, lambda: 1) == "day"
    assert part_grain(with_customers.model_copy(update={"window": "hour"}), 10**7, span, lambda: 1) == "hour"
    home = homes("binary")
    assert stored_bins(home, load_monitor(home, "parcels"), now=NOW).grain == "day"


def test_only_monitors_with_an_entity_are_counted_otherwise_than_before() -> None:
    plain, by_customer = watched(), watched(columns=TASKS["binary"]["columns"])
    assert "by entity" not in layout(plain)
    assert layout(by_customer).endswith('"by entity, and by group of entities"]')


def test_a_promise_is_judged_by_its_own_week(tmp_path: Path) -> None:
    """Whether it was kept is a fact about that week, and not about days like its own."""
    home = land(tmp_path / "home", "binary", lambda _: None, targets=[{"metric": "recall", "at_least": 0.1}])
    week = next(s for s in home.lake.newest(Score) if (s.metric, s.grain, s.window_start) == ("recall", "week", BEGIN + 14 * DAY))
    days = [day_of("binary", d) for d in range(14, 21)]
    found = [(row_means("binary", day)["recall"], grouped(day["customer"], day["parcel"])) for day in days]
    whom = [whom[i] for (mine, _), whom in found for i in np.flatnonzero(mine)]
    agrees(week, robust(np.concatenate([values[mine] for (mine, values), _ in found]), whom, is_share=True))
    assert week.reason.endswith("interval over 64 groups of values of customer")


def test_own_kpis_are_clustered_where_they_are_means(tmp_path: Path) -> None:
    home = land(tmp_path / "home", "binary", lambda _: None, days=16, kpis=[KPI, KPI | {"name": "whole", "aggregate": "sum"}])
    found = scores_of(home, 15)
    assert "interval over" in found["cost", ""].reason
    assert found["whole", ""].reason == APART
