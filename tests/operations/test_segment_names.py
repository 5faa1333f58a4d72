"""Names of segments whose values hold what names are made of: each is itself, in scores, answers and what people write."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.explain import explain
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.pick import pick
from watchkeeper.operations.segments import segments
from watchkeeper.operations.sums import label_parts, parts_within
from watchkeeper.operations.watch import watch
from watchkeeper.profiles.parts import LABEL
from watchkeeper.records import Profile, Score
from watchkeeper.site.explanation import explanation_lines
from watchkeeper.spelling import segment_name, segment_of, segment_pairs
from watchkeeper.windows import Window
from worlds import DAY

BEGIN = datetime(2025, 1, 6, tzinfo=UTC)
DAYS, ROWS = 16, 240
NOW = BEGIN + (DAYS + 3) * DAY
DEPOTS = ["H&M", "H", "a=b", "x&van=1", "x", "@noon", "50%", "%26"]


def brought_up(root: Path, **changes: Any) -> Home:
    home = new_home(root, PARCELS | {"segments": ["depot", "van", "depot&van"], "reference": {"from": "2025-01-06", "to": "2025-01-20"}} | changes)
    rng = np.random.default_rng(3)
    for d in range(DAYS):
        score = rng.random(ROWS).round(4)
        ids, depot = [f"{d:02d}-{i}" for i in range(ROWS)], [DEPOTS[i % len(DEPOTS)] for i in range(ROWS)]
        sent = pa.array([BEGIN + d * DAY + DAY * i / ROWS for i in range(ROWS)], pa.timestamp("us", "UTC"))
        van = ["1" if i // len(DEPOTS) % 3 else "2" for i in range(ROWS)]
        events = {"parcel": ids, "sent_at": sent, "p_late": score, "is_late": score >= 0.5, "version": ["1"] * ROWS, "depot": depot, "van": van}
        pq.write_table(pa.table(events), home.root / "inbox" / f"parcels-{d:02d}.parquet")
        known = pa.array([BEGIN + (d + 1) * DAY] * ROWS, pa.timestamp("us", "UTC"))
        labels = pa.table({"parcel": ids, "was_late": rng.random(ROWS) < score, "delivered_at": known})
        pq.write_table(labels, home.root / "inbox" / f"delivered-{d:02d}.parquet")
    watch(home, now=NOW)
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    targets = [{"metric": "recall", "segment": "depot=H&M", "at_least": 0.1}]
    return brought_up(tmp_path_factory.mktemp("names") / "home", targets=targets)


@pytest.mark.parametrize("value", [*DEPOTS, "", "&", "%", "%2", "%25", "%2&6", "%%26", "%2526", "a%25&b"])
def test_a_value_is_read_from_the_name_as_it_was(value: str) -> None:
    name = segment_of([("depot", value), ("van", "&")])
    assert segment_pairs(name) == [("depot", value), ("van", "&")]
    assert segment_name(name, ["depot&van"]) == name


def test_each_value_is_a_segment_of_its_own(home: Home) -> None:
    found = [
        s for s in home.lake.newest(Score) if (s.metric, s.grain, s.version, s.window_start) == ("rows", "day", "", BEGIN + 15 * DAY) and s.segment
    ]
    of_depots = {s.segment: s.n for s in found if s.segment.startswith("depot=") and "&" not in s.segment}
    assert of_depots == {segment_of([("depot", d)]): ROWS // len(DEPOTS) for d in DEPOTS}
    pairs = {s.segment: s.value for s in found if "&" in s.segment}
    assert pairs["depot=x&van=1"] == 20  # those of the depot x alone, and not those of the depot `x&van=1`
    assert len(pairs) == 2 * len(DEPOTS)


def test_explain_reads_a_value_as_one(home: Home) -> None:
    found = explain(home, load_monitor(home, "parcels"), "15-0", now=NOW)
    assert list(found.segments) == ["depot=H%26M", "van=2", "depot=H%26M&van=2"]
    said = "\n".join(str(line) for line in explanation_lines(load_monitor(home, "parcels"), found))
    assert "depot H&M, van 2, depot H&M and van 2" in said


def test_people_may_write_a_value_as_it_is(home: Home) -> None:
    monitor, day = load_monitor(home, "parcels"), Window(BEGIN + 15 * DAY, BEGIN + 16 * DAY)
    for said in ("depot=H&M", "depot=H%26M"):
        scores = listed_scores(home, monitor, Wanted(metrics={"recall"}, segment=said, start=day.start, end=day.end), now=NOW)
        assert [s.segment for s in scores] == ["depot=H%26M"]
        assert {p.id.split("-")[1] for p in pick(home, monitor, "any", now=NOW, window=day, segment=said, limit=500)} == {
            str(i) for i in range(0, ROWS, len(DEPOTS))
        }
    assert len(pick(home, monitor, "any", now=NOW, window=day, segment="depot=H&M&van=2", limit=500)) == 10
    assert [t.segment for t in monitor.targets] == ["depot=H%26M"]
    kept = [s for s in home.lake.newest(Score) if (s.metric, s.segment, s.grain) == ("recall", "depot=H%26M", "week")]
    assert kept
    assert all(s.value is not None for s in kept)


def test_a_split_has_every_value(home: Home) -> None:
    found = segments(home, load_monitor(home, "parcels"), now=NOW, window=Window(BEGIN + 14 * DAY, BEGIN + 16 * DAY))
    of_depots = next(s for s in found.splits if s.dimension == "depot")
    assert sorted(segment_pairs(p.segment)[0][1] for p in of_depots.parts) == sorted(DEPOTS)


def test_parts_of_an_earlier_release_are_read_under_today_s_names(tmp_path: Path) -> None:
    home = brought_up(tmp_path / "home")
    monitor = load_monitor(home, "parcels")
    mine = pc.field("segment").isin(["depot=H%26M", "depot=H%26M&van=1"])
    parts = home.lake.read(Profile.TABLE, where=mine & (pc.field("kind") == LABEL))
    bins, span = parts["bins"][0].as_py(), (BEGIN, BEGIN + DAYS * DAY)
    before = parts_within(home, monitor, bins, *span, now=NOW), label_parts(home, monitor, bins, Window(*span), {"log_loss"}, now=NOW)
    every = home.lake.read(Profile.TABLE)
    names = pa.array([name.replace("H%26M", "H&M") for name in every["segment"].to_pylist()])
    write_deltalake(home.lake.table(Profile.TABLE), every.set_column(every.column_names.index("segment"), "segment", names), mode="overwrite")
    assert home.lake.read(Profile.TABLE, where=mine).num_rows == 0
    after = parts_within(home, monitor, bins, *span, now=NOW), label_parts(home, monitor, bins, Window(*span), {"log_loss"}, now=NOW)
    for old, new in zip(before, after, strict=True):
        assert sorted(old["segment"].to_pylist()) == sorted(new["segment"].to_pylist())
