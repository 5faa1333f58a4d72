"""Of landed rows: losses by feature are those of the labelled rows in the files, and correlations can be asked for of any window."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, find_home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.listing import Wanted, listed_scores, silence
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.profiles.bins import code_numeric
from watchkeeper.profiles.losses import losses_of
from watchkeeper.profiles.parts import LOSS, gathered, newest_scans
from watchkeeper.records import Profile
from worlds import parcels_days

BEGIN, DAYS = date(2025, 1, 1), 26
NOW = datetime(2025, 2, 10, tzinfo=UTC)
SPLIT = datetime(2025, 1, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Parcels whose price follows their weight until 23 January, and not after."""
    root = tmp_path_factory.mktemp("pairs")
    (root / "deployments" / "monitors").mkdir(parents=True)
    (root / "inbox").mkdir()
    (root / "watchkeeper.yaml").write_text("name: pairs")
    (root / "deployments" / "monitors" / "parcels.yaml").write_text(json.dumps(PARCELS))
    home = find_home(root)
    parcels_days(home.root, BEGIN, DAYS, rows=120)
    rng = np.random.default_rng(2)
    for file in sorted((home.root / "inbox").glob("parcels*.parquet")):
        rows = pq.read_table(file)
        weight = np.asarray(rows.column("weight_kg"), float)
        is_after = rows.column("sent_at")[0].as_py() >= SPLIT
        price = (rng.permutation(weight) if is_after else weight) + rng.normal(0, 0.3 * weight.std(), len(weight))
        pq.write_table(rows.append_column("price", pa.array(price)), file)
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    measure(home, monitor, now=NOW)
    return home


def raw(home: Home) -> pl.DataFrame:
    events, labels = (pl.read_parquet(home.root / "inbox" / f"{name}*.parquet") for name in ("parcels", "delivered"))
    return events.join(labels, left_on="parcel", right_on=labels.columns[0])


def test_losses_by_feature_are_those_of_the_rows_in_the_files(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    found = stored_bins(home, monitor, now=NOW)
    parts = newest_scans(home.lake.read(Profile.TABLE, where=pc.field("kind") == LOSS))
    sums = gathered(parts, ["feature"])
    rows = raw(home)
    truth, score = rows["was_late"].cast(pl.Float64).to_numpy(), rows[monitor.columns.score].to_numpy()
    lost = -np.where(truth == 1, np.log(score), np.log(1 - score))
    for (name,), counts in sums.items():
        bins = found.bins[name]
        if bins.kind == "numeric":
            cells = bins.fold[code_numeric(bins, rows[name].cast(pl.Float64).to_numpy())]
            n, loss, scored = losses_of(counts, bins)
            np.testing.assert_array_equal(n, np.bincount(cells, minlength=len(n)))
            np.testing.assert_allclose(loss, np.bincount(cells, weights=lost, minlength=len(n)), rtol=2e-3)
            np.testing.assert_allclose(scored, np.bincount(cells, weights=score, minlength=len(n)), rtol=2e-3)
        assert counts.n == len(rows)
    assert {name for (name,) in sums} == {"weight_kg", "depot", "price"}
    assert pc.unique(parts.column("segment")).to_pylist() == [""]


def test_the_correlation_of_a_related_pair_is_that_of_the_rows_and_falls_when_they_part(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    [pair] = stored_bins(home, monitor, now=NOW).pairs
    assert set(pair) == {"price", "weight_kg"}
    scores = listed_scores(home, monitor, Wanted(metrics=frozenset({"correlation"}), feature="*".join(pair), grain="day"), now=NOW)
    assert len(scores) == DAYS
    before, after = ([s for s in scores if (s.window_start >= SPLIT) == is_after] for is_after in (False, True))
    assert all(s.value > 0.85 and s.low < s.value < s.high and s.n == 120 for s in before)
    assert all(abs(s.value) < 0.4 for s in after)
    rows = raw(home).with_columns(day=pl.col("sent_at").dt.date()).sort("sent_at")
    for score in scores:
        day = rows.filter(pl.col("day") == score.window_start.date())
        assert score.value == pytest.approx(np.corrcoef(day["weight_kg"], day["price"])[0, 1], abs=0.15)
        assert score.reference_value > 0.85


def test_other_grains_are_sums_and_an_unknown_pair_is_said(home: Home) -> None:
    monitor = load_monitor(home, "parcels")
    [pair] = stored_bins(home, monitor, now=NOW).pairs
    wanted = Wanted(metrics=frozenset({"correlation"}), feature="*".join(pair), grain="week")
    assert {s.n for s in listed_scores(home, monitor, wanted, now=NOW)} >= {7 * 120}
    with pytest.raises(UsageError, match=r"Did you mean price\*weight_kg|weight_kg\*price"):
        listed_scores(home, monitor, Wanted(metrics=frozenset({"correlation"}), feature="pric*weight_kg", grain="day"), now=NOW)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("mae", "mae is a number of regression models, and parcels is of the task binary."),
        ("macro_f1", "macro_f1 is a number of multiclass models, and parcels is of the task binary."),
        ("latency_p95", "latency_p95 needs `columns.latency` in the monitor file."),
        ("error_ratio", "error_ratio needs `columns.status` in the monitor file."),
        ("roc_auc", "`watchkeeper status` tells what was measured."),
    ],
)
def test_what_cannot_have_a_score_says_why(home: Home, metric: str, said: str) -> None:
    assert silence(home, load_monitor(home, "parcels"), Wanted(metrics=frozenset({metric})), now=NOW) == said


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"psi"}, "In segments no feature is measured but the model's output, @score: `--feature @score`, or leave `--segment` out."),
        (set(), "In segments no feature is measured but the model's output, @score: `--feature @score`, or leave `--segment` out."),
        ({"null_ratio"}, "null_ratio is not measured in segments."),
    ],
    ids=["drift", "any metric", "data quality"],
)
def test_a_feature_in_a_segment_is_said_not_to_be_measured(home: Home, metric: set[str], said: str) -> None:
    monitor = load_monitor(home, "parcels")
    wanted = Wanted(metrics=frozenset(metric), feature="weight_kg", segment="depot=north")
    assert listed_scores(home, monitor, wanted, now=NOW) == []
    assert silence(home, monitor, wanted, now=NOW) == said
    if metric != {"null_ratio"}:
        of_output = listed_scores(home, monitor, Wanted(metrics=frozenset({"psi"}), feature="@score", segment="depot=north"), now=NOW)
        assert {s.metric for s in of_output} == {"psi"}


def test_without_related_features_it_is_said_that_no_pair_is_counted(make_home: Callable[..., Home]) -> None:
    home, wanted = make_home(PARCELS), Wanted(metrics=frozenset({"correlation"}))
    parcels_days(home.root, BEGIN, 16, rows=20)
    monitor = load_monitor(home, "parcels")
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    assert listed_scores(home, monitor, wanted, now=NOW) == []
    assert silence(home, monitor, wanted, now=NOW).startswith("No two numeric features go together in the reference")
    unlabelled = monitor.model_copy(update={"labels": None})
    assert silence(home, unlabelled, Wanted(metrics=frozenset({"recall"})), now=NOW) == "recall needs labels, and the monitor file names none."
