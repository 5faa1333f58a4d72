"""What a scan meets that is no tidy column: gone and damaged files, empty pieces, other types and encodings, far too many categories."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from conftest import PARCELS
from watchkeeper.adapters.row_groups import row_groups_of
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.errors import UnreadableError
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.profile import profile
from watchkeeper.profiles.bins import MOST_CATEGORIES, fit_category, fit_numeric
from watchkeeper.profiles.groups import Grouping
from watchkeeper.profiles.scan import Numbers, Scan, of_category
from watchkeeper.records import Profile, Score
from watchkeeper.windows import Grid
from worlds import parcels_days

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = BEGIN + 20 * DAY
SHORT = PARCELS | {"reference": {"from": "2025-01-06", "to": "2025-01-16"}}


@pytest.fixture
def landed(make_home):
    """A workspace whose rows are in the lake and not scanned yet."""
    home = make_home(SHORT)
    parcels_days(home.root, BEGIN.date(), 15, rows=60)
    ingest(home, load_monitor(home, "parcels"), now=NOW)
    return home


def data_file(home) -> Path:
    return next(Path(home.lake.uri("events/parcels")).glob("*.parquet"))


@pytest.mark.parametrize(("harm", "said"), [("vanish", "is gone"), ("shrink", "is damaged")])
def test_a_file_of_the_lake_that_is_gone_or_cut_is_named_and_counted_once_it_is_back(landed, harm, said):
    monitor, file = load_monitor(landed, "parcels"), data_file(landed)
    profile(landed, monitor, now=NOW)
    clean = landed.lake.read(Profile.TABLE)
    parcels_days(landed.root, (BEGIN + 15 * DAY).date(), 1, rows=60)
    before = set(file.parent.glob("*.parquet"))
    ingest(landed, monitor, now=NOW)
    (file,) = set(file.parent.glob("*.parquet")) - before
    whole = file.read_bytes()
    file.unlink() if harm == "vanish" else file.write_bytes(whole[:100])
    with pytest.raises(UnreadableError, match=said) as met:
        profile(landed, monitor, now=NOW)
    assert file.name in str(met.value)
    assert "Run again" in str(met.value)
    assert landed.lake.read(Profile.TABLE).num_rows == clean.num_rows
    file.write_bytes(whole)
    assert profile(landed, monitor, now=NOW) > 0


def scan(path: Path, *quantities) -> dict[str, tuple[int, int, list[int]]]:
    """Return (rows, nulls, counts) of each quantity of a file."""
    grouping = Grouping(Grid("month", "UTC"), {"time": "at"}, {"batch": "b", "version": "", "environment": "production"}, [])
    scanned = Scan(list(quantities))
    for piece in row_groups_of(pads.dataset(path), pc.scalar(True)):
        scanned.add(piece, grouping.number(piece), grouping.dimensions)
    found = {quantities[q].column: next(c for c in counted.each() if c.n) for q, _, counted in scanned.counted(grouping.dimensions)}
    return {name: (c.n, c.nulls, c.counts.tolist()) for name, c in found.items()}


def times(n: int) -> pa.Array:
    return pa.array([BEGIN] * n, pa.timestamp("us", "UTC"))


def test_pieces_without_rows_add_nothing(tmp_path):
    rows = pa.table({"at": times(3), "x": [1.0, 2.0, None]})
    with pq.ParquetWriter(tmp_path / "a.parquet", rows.schema) as writer:
        for part in (rows.slice(0, 0), rows.slice(0, 2), rows.slice(0, 0), rows.slice(2), rows.slice(0, 0)):
            writer.write_table(part)
    assert scan(tmp_path / "a.parquet", Numbers("x", fit_numeric("x", np.array([1.0, 2.0])))) == {"x": (3, 1, [1, 1])}


def test_columns_are_those_asked_for_whatever_was_said_to_be_asked_for_ahead(tmp_path):
    rows = pa.table({"at": times(4), "a": [1, 2, 3, 4], "a.b": [5, 6, 7, 8], "b": [9, None, 11, 12], "a'b": [13, 14, 15, 16]})
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=3)
    asked = ["b", "a", "a", "a.b", "b", "at", "a'b", "a.b"]
    for ahead in ([], asked, ["a", "gone", "b", "a.b"], rows.column_names):
        for piece, begin in zip(row_groups_of(pads.dataset(tmp_path / "a.parquet"), pc.scalar(True), ahead), (0, 3), strict=True):
            for name in asked:
                assert piece.column(name).to_pylist() == rows.column(name).slice(begin, 3).to_pylist()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_piece_knows_between_which_times_it_lies_unless_some_are_null_or_untold(tmp_path, unit):
    kind = pa.timestamp(unit, "UTC")
    rows = pa.table({"at": times(4).cast(kind), "gap": pa.array([BEGIN, None, None, BEGIN], kind), "n": [1, 2, 3, 4], "of": [{"at": BEGIN}] * 4})
    pq.write_table(rows, tmp_path / "told.parquet")
    pq.write_table(rows, tmp_path / "untold.parquet", write_statistics=False)
    told, untold = (next(row_groups_of(pads.dataset(tmp_path / f"{name}.parquet"), pc.scalar(True))) for name in ("told", "untold"))
    assert told.bounds("at") == pa.array([rows["at"][0], rows["at"][3]])
    assert [told.bounds("gap"), told.bounds("n"), told.bounds("of"), told.bounds("gone"), untold.bounds("at")] == [None] * 5


def test_two_columns_of_one_path_are_not_taken_for_each_other(tmp_path):
    rows = pa.table({"of": [{"at": BEGIN}], "of.at": pa.array([BEGIN + DAY], pa.timestamp("us", "UTC"))})
    pq.write_table(rows, tmp_path / "twins.parquet")
    piece = next(row_groups_of(pads.dataset(tmp_path / "twins.parquet"), pc.scalar(True)))
    assert piece.bounds("of.at") is None


TEXTS = pa.array(["a", "b", "a", None, "zz"])


@pytest.mark.parametrize("how", [pa.string(), pa.large_string(), pa.string_view(), "codes", "wide codes"])
def test_a_category_counts_the_same_in_every_encoding(tmp_path, how):
    encoded = {
        "codes": TEXTS.dictionary_encode,
        "wide codes": lambda: pa.DictionaryArray.from_arrays(
            TEXTS.dictionary_encode().indices.cast(pa.int64()), TEXTS.dictionary_encode().dictionary
        ),
    }
    column = encoded[how]() if how in encoded else TEXTS.cast(how)
    pq.write_table(pa.table({"at": times(5), "s": column}), tmp_path / "a.parquet")
    bins = fit_category("s", {"a": 5, "b": 3})
    assert scan(tmp_path / "a.parquet", of_category("s", bins)) == {"s": (5, 1, [2, 1, 1])}


def test_a_million_categories_are_folded_and_none_is_lost(tmp_path):
    n = 1_000_000
    pq.write_table(pa.table({"at": times(n), "s": [f"v{i}" for i in range(n)]}), tmp_path / "a.parquet")
    bins = fit_category("s", {f"v{i}": 1 + (i < MOST_CATEGORIES) for i in range(n // 2)})
    rows, nulls, counts = scan(tmp_path / "a.parquet", of_category("s", bins))["s"]
    assert (rows, nulls, sum(counts)) == (n, 0, n)
    assert counts == [1] * MOST_CATEGORIES + [n // 2 - MOST_CATEGORIES, n // 2]


@pytest.mark.parametrize("values", [[None] * 4, [7.0] * 4, [0.0, 1.0, 1.0, 1.0], [np.nan] * 4, [np.inf, -np.inf, 1.0, None]])
def test_edges_that_collapse_still_hold_every_value(tmp_path, values):
    column = pa.array(values, pa.float64(), from_pandas=False)
    known = np.array([v for v in values if v is not None and np.isfinite(v)])
    pq.write_table(pa.table({"at": times(len(values)), "x": column}), tmp_path / "a.parquet")
    rows, nulls, counts = scan(tmp_path / "a.parquet", Numbers("x", fit_numeric("x", known)))["x"]
    nans = sum(v is not None and np.isnan(v) for v in values)
    assert (rows, nulls) == (4, values.count(None))
    assert sum(counts) == 4 - nulls - nans


def test_a_column_that_is_of_another_kind_in_a_file_is_not_counted_and_the_others_are(tmp_path):
    nested = pa.array([{"a": 1}, {"a": 2}])
    pq.write_table(pa.table({"at": times(2), "x": nested, "y": [1.0, 2.0], "s": pa.array([[1], [2]])}), tmp_path / "a.parquet")
    bins = fit_numeric("x", np.array([1.0, 2.0]))
    found = scan(tmp_path / "a.parquet", Numbers("x", bins), Numbers("y", bins), of_category("s", fit_category("s", {"a": 1})))
    assert found == {"y": (2, 0, [1, 1])}


def test_a_feature_gone_from_a_days_files_has_no_value_that_day_and_says_why(make_home):
    home = make_home(SHORT)
    monitor = load_monitor(home, "parcels")
    parcels_days(home.root, BEGIN.date(), 12, rows=60)
    newest = max(home.root.glob("inbox/parcels*.parquet"))
    pq.write_table(pq.read_table(newest).drop_columns(["weight_kg"]), newest)
    ingest(home, monitor, now=NOW)
    profile(home, monitor, now=NOW)
    measure(home, monitor, now=NOW)
    drifts = [s for s in home.lake.newest(Score) if s.feature == "weight_kg" and s.metric == "psi" and s.window_start == BEGIN + 11 * DAY]
    assert [(s.state, s.value, s.n) for s in drifts] == [("insufficient", None, 0)]
    assert drifts[0].reason.startswith("0 rows")
