"""A KPI's change by segments: the mix is told from what segments do themselves, and all of it is what the rows say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy import stats
from typer.testing import CliRunner, Result

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.cli import app
from watchkeeper.errors import UsageError
from watchkeeper.measures.segment_mix import SegmentSplit
from watchkeeper.monitor import Kpi
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.segments import segments
from watchkeeper.operations.watch import gather, present, watch
from watchkeeper.site.segments import SegmentReport, segment_lines, split_lines
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAYS, ROWS = 35, 400
NOW = BEGIN + (DAYS + 3) * DAY
PLAIN, MIXED, WORSE, NEW = (Window(BEGIN + d * DAY, BEGIN + (d + 7) * DAY) for d in (14, 21, 28, 28))
DIMENSIONS = ["carrier", "depot", "carrier&depot"]
Floats = NDArray[np.float64]


def day_of(d: int) -> dict[str, Any]:
    """Return a day: carrier c is hard to tell. In the fourth week it has half of the rows; in the fifth the south does worse, and n is new."""
    rng = np.random.default_rng([d, 11])
    is_mixed, is_worse = 21 <= d < 28, d >= 28
    shares = [0.3, 0.2, 0.5] if is_mixed else [0.45, 0.35, 0.2]
    carrier = rng.choice(["a", "b", "c"], ROWS, p=shares).astype(object)
    depot = rng.choice(["north", "south"], ROWS).astype(object)
    carrier[rng.random(ROWS) < 0.1] = None
    if is_worse:
        carrier[rng.random(ROWS) < 0.1] = "n"
        carrier[carrier == "b"] = "a"
    hard = np.isin(carrier.astype(str), ["c", "n"])
    score = np.where(hard, 0.45, rng.choice([0.05, 0.95], ROWS))
    truth = rng.random(ROWS) < score
    flipped = is_worse & (depot == "south") & (rng.random(ROWS) < 0.25)
    return {"carrier": carrier.tolist(), "depot": depot.tolist(), "p_late": score, "was_late": truth ^ flipped, "hours": 10 + 10 * score}


def tables_of(d: int, task: str) -> tuple[pa.Table, pa.Table]:
    day, ids = day_of(d), [f"{d:02d}-{i:04d}" for i in range(ROWS)]
    sent = [BEGIN + d * DAY + DAY * s for s in np.linspace(0, 0.99, ROWS).tolist()]
    moment = pa.timestamp("us", "UTC")
    outputs: dict[str, dict[str, Any]] = {
        "binary": {"p_late": day["p_late"], "is_late": day["p_late"] >= 0.5, "version": ["1"] * ROWS},
        "regression": {"hours": day["hours"]},
    }
    truth = {"binary": {"was_late": day["was_late"]}, "regression": {"took": 10 + 10 * day["was_late"]}}[task]
    events = {"parcel": ids, "sent_at": pa.array(sent, moment), "carrier": day["carrier"], "depot": day["depot"], **outputs[task]}
    return pa.table(events), pa.table({"parcel": ids, "delivered_at": pa.array([s + DAY / 2 for s in sent], moment), **truth})


def brought_up(root: Path, task: str = "binary", **changes: Any) -> Home:
    plain: dict[str, Any] = {"task": task, "segments": DIMENSIONS, "reference": {"from": "2025-01-06", "to": "2025-01-20"}}
    if task == "regression":
        plain |= {"columns": {"id": "parcel", "time": "sent_at", "score": "hours"}, "labels": PARCELS["labels"] | {"column": "took"}}
    home = new_home(root, PARCELS | plain | changes)
    for d in range(DAYS):
        events, labels = tables_of(d, task)
        pq.write_table(events, home.root / "inbox" / f"parcels-{d:02d}.parquet")
        pq.write_table(labels, home.root / "inbox" / f"delivered-{d:02d}.parquet")
    watch(home, now=NOW)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return brought_up(tmp_path_factory.mktemp("segments") / "home")


def asked(home: Home, window: Window | None = None, metric: str | None = None) -> SegmentReport:
    return segments(home, load_monitor(home, "parcels"), now=NOW, window=window, metric=metric)


def by(found: SegmentReport, dimension: str) -> SegmentSplit:
    return next(s for s in found.splits if s.dimension == dimension)


def rows_of(days: range) -> tuple[Floats, dict[str, NDArray[np.str_]]]:
    """Return the log loss of each row of some days, and the segment it is in by dimension."""
    made = [day_of(d) for d in days]
    p, y = (np.concatenate([day[name] for day in made]) for name in ("p_late", "was_late"))
    values = {name: np.array(["(null)" if v is None else v for day in made for v in day[name]]) for name in ("carrier", "depot")}
    single = {name: np.array([f"{name}={v}" for v in column]) for name, column in values.items()}
    pairs = np.array([f"{a}&{b}" for a, b in zip(single["carrier"], single["depot"], strict=True)])
    return -np.where(y, np.log(p), np.log(1 - p)), {**single, "carrier&depot": pairs}


def split_by_hand(dimension: str, before: range, after: range) -> tuple[float, float]:
    """Return mix and effect from the rows, segment by segment."""
    (x, of_x), (z, of_z) = rows_of(before), rows_of(after)
    mix = effect = 0.0
    for name in {*of_x[dimension], *of_z[dimension]}:
        old, new = x[of_x[dimension] == name], z[of_z[dimension] == name]
        w, v = len(old) / len(x), len(new) / len(z)
        if len(old) and len(new):
            mix += (v - w) * (old.mean() + new.mean()) / 2
            effect += (new.mean() - old.mean()) * (v + w) / 2
        else:
            mix += v * (new.mean() if len(new) else 0.0) - w * (old.mean() if len(old) else 0.0)
    return mix, effect


@pytest.mark.parametrize(("window", "days"), [(PLAIN, range(14, 21)), (MIXED, range(21, 28)), (WORSE, range(28, 35))])
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_mix_and_effect_are_those_of_the_rows_and_add_up(home: Home, window: Window, days: range, dimension: str) -> None:
    found = asked(home, window)
    split = by(found, dimension)
    before, after = (rows_of(r)[0].mean() for r in (range(14), days))
    assert split.mix.value + split.effect.value == pytest.approx(after - before, abs=1e-9)
    assert split.change.value == pytest.approx(after - before, abs=1e-9)
    assert (split.mix.value, split.effect.value) == pytest.approx(split_by_hand(dimension, range(14), days), abs=1e-7)  # segments keep 7 digits
    assert (found.value.value, found.reference_value) == pytest.approx((after, before), abs=1e-9)
    assert sum(p.mix for p in split.parts) == pytest.approx(split.mix.value, abs=1e-9)
    assert sum(p.effect.value for p in split.parts) == pytest.approx(split.effect.value, abs=1e-9)


def test_the_help_says_that_a_pair_is_declared() -> None:
    told = " ".join(CliRunner().invoke(app, ["segments", "--help"]).stdout.split())
    assert "each pair that it declares (`channel&region`)" in told


def test_a_quiet_week_has_neither(home: Home) -> None:
    split = by(asked(home, PLAIN), "carrier")
    assert all(e.low < 0 < e.high for e in (split.mix, split.effect))


def test_more_of_a_hard_carrier_is_mix_and_no_effect(home: Home) -> None:
    split = by(asked(home, MIXED), "carrier")
    assert split.mix.low > 0.8 * split.change.value
    assert split.effect.low < 0 < split.effect.high
    assert split.parts[0].segment in ("carrier=c", "carrier=a", "carrier=b", "carrier=(null)")
    assert max(split.parts, key=lambda p: p.mix).segment == "carrier=c"


def test_a_depot_that_does_worse_is_effect_and_no_mix(home: Home) -> None:
    split = by(asked(home, WORSE), "depot")
    assert split.effect.low > 0
    assert split.mix.low < 0 < split.mix.high
    worst = split.parts[0]
    assert worst.segment == "depot=south"
    assert worst.effect.low > 0
    assert worst.gap.low > 0
    assert worst.effect.value > 0.9 * split.effect.value


def test_segments_on_one_side_alone_are_mix_and_are_named(home: Home) -> None:
    split = by(asked(home, WORSE), "carrier")
    assert (split.new, split.gone) == (("carrier=n",), ("carrier=b",))
    parts = {p.segment: p for p in split.parts}
    assert (parts["carrier=n"].reference_n, parts["carrier=b"].n) == (0, 0)
    assert parts["carrier=n"].effect.value == parts["carrier=b"].effect.value == 0
    assert parts["carrier=n"].mix + parts["carrier=b"].mix == pytest.approx(split.new_and_gone)
    told = split_lines(load_monitor(home, "parcels"), asked(home, WORSE))
    assert any("is of segments on one side alone: carrier n new and carrier b gone." in line for line in told)


def test_rows_without_a_value_are_a_segment(home: Home) -> None:
    found = {p.segment: p for p in by(asked(home, MIXED), "carrier").parts}
    losses, of = rows_of(range(21, 28))
    nobody = of["carrier"] == "carrier=(null)"
    assert found["carrier=(null)"].n == nobody.sum()
    assert found["carrier=(null)"].value.value == pytest.approx(losses[nobody].mean(), abs=1e-7)
    assert found["carrier=(null)"].share == pytest.approx(nobody.mean())


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_segment_and_pair_has_its_rows_its_interval_and_its_gap_to_the_rest(home: Home, dimension: str) -> None:
    losses, of = rows_of(range(21, 22))
    day = Window(MIXED.start, MIXED.start + DAY)
    for part in by(asked(home, day), dimension).parts:
        mine = of[dimension] == part.segment
        assert part.n == mine.sum()
        value, rest = losses[mine], losses[~mine]
        low, high = stats.t.interval(0.95, len(value) - 1, value.mean(), stats.sem(value))
        assert (part.value.low, part.value.high) == pytest.approx((low, high), abs=1e-4)  # of values all alike, kept to 7 digits
        assert part.gap.value == pytest.approx(value.mean() - rest.mean(), abs=1e-6)
        reach = np.hypot(value.mean() - low, stats.t.ppf(0.975, len(rest) - 1) * stats.sem(rest))
        assert part.gap.value - part.gap.low == pytest.approx(reach, rel=1e-3)


def test_stored_scores_of_pairs_have_rows_interval_and_gap_to_the_rest(home: Home) -> None:
    day = day_of(21)
    wanted = Wanted(start=MIXED.start, end=MIXED.start + DAY, segment="all")
    found = {(s.metric, s.segment): s for s in listed_scores(home, load_monitor(home, "parcels"), wanted, now=NOW) if not s.feature}
    _, of = rows_of(range(21, 22))
    gaps = day["was_late"] - day["p_late"]
    pairs = sorted(set(of["carrier&depot"].tolist()))
    assert len(pairs) == 8
    for pair in pairs:
        mine = of["carrier&depot"] == pair
        rate, gap = found["positive_rate", pair], found["calibration_gap_to_rest", pair]
        low, high = stats.binomtest(int(day["was_late"][mine].sum()), int(mine.sum())).proportion_ci(method="wilson")
        assert (rate.n, rate.low, rate.high) == (mine.sum(), pytest.approx(low), pytest.approx(high))
        assert gap.n == mine.sum()
        assert gap.value == pytest.approx(gaps[mine].mean() - gaps[~mine].mean(), abs=1e-6)
        assert gap.low < gap.value < gap.high


@pytest.mark.parametrize("metric", ["brier", "accuracy", "positive_rate", "calibration_gap", "recall", "precision", "specificity"])
def test_any_mean_over_rows_can_be_asked_for(home: Home, metric: str) -> None:
    made = [day_of(d) for d in range(21, 28)]
    p, y = (np.concatenate([day[name] for day in made]) for name in ("p_late", "was_late"))
    said = p >= 0.5
    truths = {
        "brier": ((p - y) ** 2).mean(),
        "accuracy": (said == y).mean(),
        "positive_rate": y.mean(),
        "calibration_gap": (y - p).mean(),
        "recall": said[y].mean(),
        "precision": y[said].mean(),
        "specificity": (~said)[~y].mean(),
    }
    found = asked(home, MIXED, metric)
    assert found.value.value == pytest.approx(truths[metric], abs=1e-9)
    for split in found.splits:
        assert split.mix.value + split.effect.value == pytest.approx(found.value.value - found.reference_value, abs=1e-9)


@pytest.mark.nightly
def test_errors_of_a_regression_are_split_too_by_columns_alone_where_no_pair_is_declared(home: Home, tmp_path: Path) -> None:
    found = asked(brought_up(tmp_path / "home", "regression", segments=["carrier", "depot"]), MIXED)
    assert [s.dimension for s in found.splits] == ["carrier", "depot"]
    assert [s.dimension for s in asked(home, MIXED).splits] == DIMENSIONS, "where one is, by it too"
    errors = [np.abs(10 * day["p_late"] - 10 * day["was_late"]) for day in (day_of(d) for d in range(21, 28))]
    assert (found.metric, found.unit) == ("mae", "truth")
    assert found.value.value == pytest.approx(np.concatenate(errors).mean())
    assert by(found, "carrier").mix.low > 0


def test_without_a_window_it_is_the_latest_week_whose_labels_are_due(home: Home) -> None:
    assert asked(home).window == WORSE


def test_days_whose_labels_are_due_later_say_so(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    assert monitor.labels is not None
    slow = monitor.model_copy(update={"labels": monitor.labels.model_copy(update={"mature_after": 20 * DAY})})
    found = segments(home, slow, now=NOW, window=WORSE)
    assert found.is_provisional
    assert segment_lines(slow, found)[1].startswith("Labels of these days are still due")


def run(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home.root), "segments", *arguments, "--now", NOW.isoformat()])


def test_the_command_tells_one_sentence_a_dimension_and_a_table(home: Home) -> None:
    done = run(home, "parcels", "--window", "2025-02-03..2025-02-09", "--limit", "2")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith("parcels, 3 to 9 Feb 2025: log loss ")
    assert lines[1].startswith("By carrier: of the rise of log loss by ")
    assert "the mix explains" in lines[1]
    assert lines[2].startswith("By depot: of the rise of log loss by ")
    assert ", most of it depot south (" in lines[2]
    assert any(line.startswith("Intervals take rows as independent: they are of these days") for line in lines)
    assert sum(line.startswith(("carrier=", "depot=")) for line in lines) == 6


def test_the_command_tells_machines_all_segments(home: Home) -> None:
    told = json.loads(run(home, "parcels", "--metric", "accuracy", "--json", "--limit", "1").output)
    assert (told["metric"], [s["dimension"] for s in told["splits"]]) == ("accuracy", DIMENSIONS)
    assert len(told["splits"][2]["parts"]) == told["splits"][2]["segments"] == 10
    assert set(told["splits"][0]["parts"][0]) >= {"segment", "n", "reference_n", "value", "gap", "mix", "effect"}
    assert told["splits"][0]["mix"]["low"] < told["splits"][0]["mix"]["value"] < told["splits"][0]["mix"]["high"]


def test_what_has_no_parts_is_refused_with_what_has(home: Home) -> None:
    done = run(home, "parcels", "--metric", "roc_auc")
    assert done.exit_code == 2
    assert "roc_auc is no mean over rows" in done.output
    assert "log_loss, brier, calibration_gap" in done.output
    assert run(home, "parcels", "--metric", "nonsense").exit_code == 2


def test_a_sum_is_refused_with_what_to_declare_instead(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    total = Kpi(name="lost", sql="CASE WHEN label = 1 THEN 5 ELSE 0 END", direction="lower_is_better", aggregate="sum")
    with pytest.raises(UsageError, match=r"lost is a sum over rows, so that its change is .* `aggregate: mean`"):
        segments(home, monitor.model_copy(update={"kpis": (total,)}), now=NOW, metric="lost")
    mean = total.model_copy(update={"name": "loss", "aggregate": "mean"})
    with pytest.raises(UsageError) as told:
        segments(home, monitor.model_copy(update={"kpis": (total, mean)}), now=NOW, metric="lost")
    assert told.value.then.endswith(", loss.")


def test_choices_are_those_that_can_be_told_of_this_model(tmp_path: Path) -> None:
    """A model that logs decisions alone has no losses of scores to choose from, and every choice gives an answer."""
    columns = {name: column for name, column in PARCELS["columns"].items() if name != "score"}
    home = brought_up(tmp_path / "home", columns=columns, segments=["carrier"])
    with pytest.raises(UsageError, match="brier is of scores or probabilities, and the monitor names no columns of these") as told:
        asked(home, WORSE, "brier")
    choices = told.value.then.removeprefix("Those that are means over rows: ").removesuffix(".").split(", ")
    assert choices == ["positive_rate", "flagged_ratio", "accuracy", "precision", "recall", "specificity"]
    for name in choices:
        assert asked(home, WORSE, name).splits, name


@pytest.mark.parametrize(("changes", "said"), [({"segments": []}, "declares no segments"), ({"labels": None}, "has no labels")])
def test_a_model_without_segments_or_labels_is_refused(home: Home, changes: dict[str, Any], said: str) -> None:
    monitor = load_monitor(home, "parcels").model_copy(update=changes)
    with pytest.raises(UsageError, match=said):
        segments(home, monitor, now=NOW)


def test_before_the_reference_is_whole_and_without_rows_it_says_why(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    assert "the reference ends on" in segments(home, monitor, now=BEGIN).reason
    empty = segments(home, monitor, now=NOW, window=Window(NOW + 30 * DAY, NOW + 31 * DAY))
    assert empty.reason == "the window has no log_loss: no labels"
    assert not empty.splits


def test_the_pages_of_model_and_incident_say_it(home: Home) -> None:
    present(home, now=NOW)
    model = (home.site_dir / "models" / "parcels.html").read_text()
    assert "By carrier: " in model
    assert "the segments themselves" in model
    pages = [p.read_text() for p in (home.site_dir / "incidents").glob("*.html")]
    assert any("<h2>For whom</h2>" in p and "By depot: " in p for p in pages)


def test_a_column_that_came_later_leaves_earlier_rows_to_those_without_a_value(tmp_path: Path) -> None:
    root = new_home(tmp_path / "home", PARCELS | {"segments": ["depot"], "reference": {"from": "2025-01-06", "to": "2025-01-13"}})
    for d in range(21):
        events, labels = tables_of(d, "binary")
        events = events.drop_columns(["depot"]) if d < 16 else events
        pq.write_table(events, root.root / "inbox" / f"parcels-{d:02d}.parquet")
        pq.write_table(labels, root.root / "inbox" / f"delivered-{d:02d}.parquet")
        if d in {6, 15, 20}:  # within the reference, before the column came, and at the end
            gather(root, now=BEGIN + (d + 3) * DAY)
    found = asked(root, Window(BEGIN + 14 * DAY, BEGIN + 21 * DAY))
    parts = {p.segment: p for p in by(found, "depot").parts}
    assert (parts["depot=(null)"].reference_n, parts["depot=(null)"].n) == (7 * ROWS, 2 * ROWS)
    assert parts["depot=north"].n + parts["depot=south"].n == 5 * ROWS
    split = by(found, "depot")
    assert split.mix.value + split.effect.value == pytest.approx(found.value.value - found.reference_value, abs=1e-9)
