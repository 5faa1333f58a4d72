"""The same input, scored more than once: how often it came out otherwise, against pandas on random tables."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.operations.consistency import TOLERANCE, consistency
from watchkeeper.site.consistency import consistency_cells, consistency_lines
from watchkeeper.site.explanation import MASK
from watchkeeper.windows import Window

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = FIRST + 400 * DAY
MONITOR = PARCELS | {"private": ["customer"], "columns": PARCELS["columns"] | {"environment": "stage"}}
INPUT = ["weight", "depot", "floors", "customer", "booked_at"]
SCHEMA = pa.schema(
    [
        ("parcel", pa.string()),
        ("sent_at", TIMESTAMP),
        ("weight", pa.float64()),
        ("depot", pa.string()),
        ("floors", pa.int32()),
        ("customer", pa.string()),
        ("booked_at", TIMESTAMP),
        ("p_late", pa.float64()),
        ("is_late", pa.int64()),
        ("version", pa.string()),
        ("stage", pa.string()),
        ("wk_time", TIMESTAMP),
        ("wk_landed_at", TIMESTAMP),
        ("wk_batch", pa.string()),
        ("wk_row", pa.int64()),
    ]
)


def day(number: int) -> Window:
    return Window(FIRST + number * DAY, FIRST + (number + 1) * DAY)


def row(number: int, place: int, **values: Any) -> dict[str, Any]:
    """One prediction of a day; what is not said is the same for all."""
    at = FIRST + number * DAY + timedelta(seconds=60 + place)
    same = {"weight": 1.0, "depot": "ulm", "floors": 1, "customer": "ann", "booked_at": FIRST, "p_late": 0.25, "is_late": 0, "version": "1"}
    fixed = {"parcel": f"{number}-{place}", "sent_at": at, "stage": "production", "wk_time": at, "wk_landed_at": at, "wk_batch": "b", "wk_row": place}
    return same | fixed | values


def landed(home: Home, rows: list[dict[str, Any]]) -> None:
    home.lake.append("events/parcels", pa.Table.from_pylist(rows, schema=SCHEMA))


def random_rows(number: int) -> list[dict[str, Any]]:
    """A day of inputs that repeat more or less, with gaps in them, of several versions, and noise in what came out."""
    rng = np.random.default_rng([5, number])
    values = int(rng.integers(1, 40))
    out = []
    for place in range(int(rng.integers(1, 300))):
        score = float(np.clip(rng.choice([0.2, 0.5, 0.8]) + rng.choice([0, 0, 1e-8, 0.01]) * rng.normal(), 0, 1))
        mine = {
            "weight": [0.5, float("nan"), None, float(rng.integers(values))][rng.integers(4)],
            "depot": [None, "ulm", f"d{rng.integers(values)}"][rng.integers(3)],
            "floors": int(rng.integers(2)),
            "p_late": None if rng.random() < 0.05 else score,
            "is_late": None if rng.random() < 0.05 else int(score + rng.normal(0, 0.1) >= 0.5),
            "version": str(rng.integers(1, 3)),
            "stage": rng.choice(["production", "shadow"], p=[0.9, 0.1]),
        }
        out.append(row(number, place, **mine))
    return out


def oracle(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same counts row by row in pandas; a value that is missing is a value, and not a number is another."""
    kept = [r for r in rows if r["stage"] == "production" and not (r["p_late"] is None and r["is_late"] is None)]
    named: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for r in kept:
        named.setdefault((r["version"], *(repr(r[name]) for name in INPUT)), []).append(r)
    repeated = [pd.DataFrame(g) for g in named.values() if len(g) > 1]
    ranges, decided, scored, within, free = [], 0, 0, 0.0, 0
    differing = 0
    for group in repeated:
        scores = group["p_late"].astype(float).dropna()
        otherwise = len({repr(d) for d in group["is_late"].astype(object).where(group["is_late"].notna(), None)}) > 1
        apart = len(scores) > 1 and scores.max() - scores.min() > TOLERANCE
        decided, scored, differing = decided + otherwise, scored + apart, differing + (otherwise or apart)
        if len(scores) > 1:
            ranges.append(scores.max() - scores.min())
            within, free = within + scores.var() * (len(scores) - 1), free + len(scores) - 1
    return {
        "predictions": len(kept),
        "inputs": len(named),
        "repeated": len(repeated),
        "rows_repeated": sum(map(len, repeated)),
        "differing": differing,
        "decided_otherwise": decided,
        "scored_otherwise": scored,
        "inconsistency_ratio": differing / len(repeated) if repeated else None,
        "mean_range": np.mean(ranges) if ranges else None,
        "largest_range": max(ranges) if ranges else None,
        "pooled_sd": np.sqrt(within / free) if free else None,
    }


TABLES = 70


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    place = new_home(tmp_path_factory.mktemp("repeats") / "home", MONITOR)
    landed(place, [r for number in range(TABLES) for r in random_rows(number)])
    return place


@pytest.fixture(scope="module")
def monitor(home):
    return load_monitor(home, "parcels")


@pytest.mark.parametrize("number", range(TABLES))
def test_counts_and_spread_are_those_of_pandas(number, home, monitor):
    found = consistency(home, monitor, now=NOW, window=day(number), limit=3)
    for name, expected in oracle(random_rows(number)).items():
        assert getattr(found, name) == (None if expected is None else pytest.approx(expected, abs=1e-12)), name
    assert len(found.examples) == min(3, found.differing)
    if found.inconsistency_ratio is not None:
        assert found.low <= found.inconsistency_ratio <= found.high


def of(home: Home, number: int, *rows: dict[str, Any], **options: Any):
    landed(home, [row(number, place, **values) for place, values in enumerate(rows)])
    return consistency(home, load_monitor(home, "parcels"), now=NOW, window=day(number), **options)


def test_where_no_input_repeats_it_cannot_be_told(home, monitor):
    found = of(home, 100, {"weight": 1.0}, {"weight": 2.0}, {"weight": None}, {"weight": float("nan")})
    assert (found.repeated, found.inconsistency_ratio, found.low, found.mean_range) == (0, None, None, None)
    (line,) = consistency_lines(monitor, found)
    assert line.endswith(": 4 predictions; no input came more than once. Cannot tell whether the same input comes out the same.")


def test_one_row_and_none_repeat_nothing(home, monitor):
    assert of(home, 101, {}).repeated == 0
    assert consistency(home, monitor, now=NOW, window=day(399)).predictions == 0


def test_the_nearest_two_floats_are_two_inputs_and_missing_values_are_alike(home):
    assert of(home, 102, {"weight": 0.1}, {"weight": np.nextafter(0.1, 1)}).repeated == 0
    found = of(home, 103, {"weight": None, "depot": None}, {"weight": None, "depot": None}, {"weight": float("nan")}, {"weight": float("nan")})
    assert (found.repeated, found.differing) == (2, 0)


def test_another_version_and_the_same_id_are_no_second_scoring(home):
    assert of(home, 104, {"version": "1"}, {"version": "2", "p_late": 0.9}).repeated == 0
    assert of(home, 105, {"parcel": "a"}, {"parcel": "a", "p_late": 0.9}).repeated == 0


def test_what_differs_by_rounding_is_the_same(home):
    assert of(home, 106, {"p_late": 0.3}, {"p_late": 0.3 + 9e-7}).differing == 0
    found = of(home, 107, {"p_late": 0.3}, {"p_late": 0.3 + 2e-6})
    assert (found.differing, found.scored_otherwise, found.decided_otherwise) == (1, 1, 0)


def test_a_row_without_any_output_does_not_count(home):
    assert of(home, 108, {}, {"p_late": None, "is_late": None}, {"p_late": float("nan"), "is_late": None}).predictions == 1


def test_decisions_that_differ_show_two_rows_and_mask_what_is_private(home, monitor):
    found = of(home, 109, {"parcel": "a"}, {"parcel": "b", "is_late": 1, "p_late": 0.75}, {"parcel": "c"})
    (example,) = found.examples
    assert {example.one.decision, example.other.decision} == {"0", "1"}
    assert (example.times, example.spread, example.inputs["customer"]) == (3, 0.5, MASK)
    assert (example.inputs["depot"], example.inputs["floors"]) == ("ulm", 1)
    assert "ann" not in json.dumps(consistency_cells(found))
    assert consistency_lines(monitor, found)[1].startswith("Came out otherwise: 1 of 1, 100")


def test_an_outcome_that_is_always_the_same_is_consistent(home):
    found = of(home, 110, *[{} for _ in range(50)])
    assert (found.repeated, found.rows_repeated, found.inconsistency_ratio, found.mean_range, found.pooled_sd) == (1, 50, 0.0, 0.0, 0.0)
    assert found.examples == ()


def test_rows_that_landed_later_do_not_exist_yet(home, monitor):
    landed(home, [row(111, 0), row(111, 1, wk_landed_at=NOW + DAY, p_late=0.9)])
    assert consistency(home, monitor, now=NOW, window=day(111)).predictions == 1


def test_classes_are_compared_by_decision_and_by_the_likeliest_one_s_probability(tmp_path):
    columns = {"id": "parcel", "time": "sent_at", "prediction": "depot", "probabilities": {"a": "p_late", "b": "weight"}}
    place = new_home(tmp_path / "home", {**PARCELS, "task": "multiclass", "columns": columns, "segments": [], "features": ["floors"]})
    landed(place, [row(0, 0, depot="a", p_late=0.6, weight=0.4), row(0, 1, depot="b", p_late=0.4, weight=0.6), row(0, 2, floors=2)])
    found = consistency(place, load_monitor(place, "parcels"), now=NOW, window=day(0))
    assert (found.repeated, found.decided_otherwise, found.scored_otherwise) == (1, 1, 0)


def test_numbers_have_no_decision_and_are_compared_by_their_size(tmp_path):
    columns = {"id": "parcel", "time": "sent_at", "prediction": "weight"}
    place = new_home(tmp_path / "home", {**PARCELS, "task": "regression", "columns": columns, "segments": [], "features": ["floors"]})
    landed(place, [row(0, 0, weight=1e6), row(0, 1, weight=1e6 + 0.5), row(0, 2, weight=5.0, floors=2), row(0, 3, weight=6.0, floors=2)])
    found = consistency(place, load_monitor(place, "parcels"), now=NOW, window=day(0))
    assert (found.repeated, found.decided_otherwise, found.scored_otherwise, found.largest_range) == (2, 0, 1, 1.0)


def test_a_model_without_outputs_or_inputs_is_told_so(tmp_path):
    for change, what in (({"features": []}, "no column of its rows is a feature"), ({"columns": {"id": "parcel", "time": "sent_at"}}, "no output")):
        place = new_home(tmp_path / what[:9] / "home", {**PARCELS, "task": "ranking", "segments": [], "labels": None, **change})
        landed(place, [row(0, 0)])
        with pytest.raises(UsageError, match=what):
            consistency(place, load_monitor(place, "parcels"), now=NOW, window=day(0))


def test_a_model_without_rows_cannot_be_told(tmp_path):
    place = new_home(tmp_path / "home", MONITOR)
    assert "Cannot tell" in consistency_lines(load_monitor(place, "parcels"), consistency(place, load_monitor(place, "parcels"), now=NOW))[0]
