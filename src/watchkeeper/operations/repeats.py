"""Ids that landed before: which rows repeat one, and whether they say the same.

Belongs here: finding landed ids in one scan, and sifting the rows of one file against them. Does not: committing (landing.py).
Only contested ids are ever compared value by value: those landed by another file, or met twice among the new rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import Lake
from watchkeeper.operations.cast import RESERVED
from watchkeeper.operations.convert import as_text, fitted

OTHER_VALUES = "id already landed with other values"
OTHER_LABEL = "the same file gives this id another label for the same time"
UNTRIED = "several rows of this id and file were refused before this one"
ORDER = "wk_order"
_ID, _AT, _SAYS, _OF = "wk_id", "wk_at", "wk_says", "wk_of"


@dataclass(frozen=True, slots=True)
class Landed:
    """What the lake holds under the ids of new rows: `whose` has (id, wk_batch, wk_row), `rows` all columns of the contested."""

    whose: pa.Table | None = None
    rows: pa.Table | None = None

    def rows_of(self, batch_id: str) -> pa.Array:
        """Return the row numbers that this very batch has landed already: a run that was killed had come so far."""
        if self.whose is None:
            return pa.array([], pa.int64())
        return self.whose.filter(pc.equal(self.whose["wk_batch"], batch_id))["wk_row"].combine_chunks()

    def besides(self, batch_id: str) -> pa.Table | None:
        """Return the contested rows that other batches have landed."""
        return None if self.rows is None else self.rows.filter(pc.not_equal(self.rows["wk_batch"], batch_id))


@dataclass(slots=True)
class Sifted:
    """What repeats do to the rows of a file."""

    duplicates: set[int] = field(default_factory=set)
    conflicts: set[int] = field(default_factory=set)
    contradictions: int = 0


def landed(lake: Lake, table: str, id_column: str, lots: dict[str, pa.Table], scope: timedelta | None) -> Landed:
    """Return what the lake holds under the ids of the lots (batch id -> rows), within `scope` of their times."""
    dataset = lake.dataset(table)
    rows = [r for r in lots.values() if r.num_rows]
    if dataset is None or not rows or id_column not in dataset.schema.names:
        return Landed()
    ids, _ = fitted(pa.chunked_array([c for r in rows for c in r[id_column].chunks]), dataset.schema.field(id_column).type, "UTC")
    near = pc.field(id_column).isin(ids.drop_null().combine_chunks())
    if scope is not None:
        ends = [pc.min_max(r["wk_time"]).as_py() for r in rows]
        low, high = min(e["min"] for e in ends) - scope, max(e["max"] for e in ends) + scope
        near &= (pc.field("wk_time") >= pa.scalar(low, TIMESTAMP)) & (pc.field("wk_time") <= pa.scalar(high, TIMESTAMP))
    whose = dataset.to_table(columns=[id_column, "wk_batch", "wk_row"], filter=near)
    contested = _contested(whose, id_column, lots)
    return Landed(whose, dataset.to_table(filter=near & pc.field(id_column).isin(contested)) if len(contested) else None)


def _contested(whose: pa.Table, id_column: str, lots: dict[str, pa.Table]) -> pa.Array:
    """Return the ids landed by another batch than the one (or not only the one) that brings them now."""
    kind = whose[id_column].type
    pairs = [pa.table({"id": fitted(r[id_column], kind, "UTC")[0], "b": pa.repeat(batch, r.num_rows)}) for batch, r in lots.items() if r.num_rows]
    brought, held = (pl.DataFrame(t) for t in (pa.concat_tables(pairs), whose))
    met = held.join(brought, left_on=id_column, right_on="id").filter(pl.col("wk_batch") != pl.col("b"))
    return met.get_column(id_column).unique().to_arrow().cast(kind)


def repeated_among(tables: Sequence[pa.Table], id_column: str) -> pa.Array:
    """Return, as text, the ids that occur more than once in all the tables together."""
    texts = [as_text(t[id_column]) for t in tables if t.num_rows]
    if not texts:
        return pa.array([], pa.string())
    counts = pl.Series(pa.chunked_array([c for t in texts for c in t.chunks])).value_counts(name="n")
    return counts.filter(pl.col("n") > 1).get_column(counts.columns[0]).to_arrow().cast(pa.string())


def memberships(columns: Sequence[pa.ChunkedArray], values: pa.Array) -> list[pa.ChunkedArray]:
    """Return, column by column, whether each text is among `values`, which are hashed once for all columns."""
    flags = pc.is_in(pa.chunked_array([c for column in columns for c in column.chunks], pa.string()), values)
    starts = accumulate((len(c) for c in columns), initial=0)
    return [flags.slice(start, len(column)) for start, column in zip(starts, columns, strict=False)]


def sift_events(rows: pa.Table, earlier: Sequence[pa.Table], id_column: str, scope: timedelta, apart: Collection[str] = ()) -> Sifted:
    """Return which rows repeat an id within `scope` of its time: with the same values, or with others. The first one stays.

    Rows that differ in a column of `apart` are different predictions: another version's, say, or one of another environment.
    """
    new = _frame(rows, id_column)
    kept = [c for c in apart if c in new.columns]
    first = new.unique([_ID, *kept], keep="first", maintain_order=True)
    sifted = _compared(new, first, scope, kept, is_own=True)
    for table in earlier:
        old = _frame(table, id_column)
        found = _compared(new, old, scope, [c for c in kept if c in old.columns], is_own=False)
        sifted.duplicates |= found.duplicates
        sifted.conflicts |= found.conflicts
    sifted.conflicts -= sifted.duplicates
    return sifted


def _frame(rows: pa.Table, id_column: str) -> pl.DataFrame:
    frame = pl.DataFrame(rows.append_column(_ID, as_text(rows[id_column])))
    return frame.sort("wk_row") if "wk_row" in frame.columns else frame


def _compared(new: pl.DataFrame, old: pl.DataFrame, scope: timedelta, apart: Sequence[str], *, is_own: bool) -> Sifted:
    shared = [c for c in new.columns if c in old.columns and not c.startswith(RESERVED)]
    whose = [pl.col(c).cast(pl.String).alias(f"{_OF} {i}") for i, c in enumerate(apart)]
    left = new.select(_ID, "wk_row", pl.col("wk_time").alias(_AT), _content(shared, new), *whose)
    right = old.select(_ID, pl.col("wk_row").alias("of"), pl.col("wk_time").alias("then"), _content(shared, new).alias("said"), *whose)
    pairs = left.join(right, on=[_ID, *(f"{_OF} {i}" for i in range(len(apart)))], nulls_equal=True).filter(
        (pl.col(_AT) - pl.col("then")).abs() <= scope
    )
    if is_own:
        pairs = pairs.filter(pl.col("wk_row") > pl.col("of"))
    verdict = pairs.group_by("wk_row").agg((pl.col(_SAYS) == pl.col("said")).any().alias("same"))
    return Sifted(set(verdict.filter("same")["wk_row"]), set(verdict.filter(~pl.col("same"))["wk_row"]))


def _content(columns: list[str], like: pl.DataFrame) -> pl.Expr:
    """Return one number for the values of a row; equal rows give the same one (a clash of others: 1 in 10^19 a pair)."""
    return pl.struct([pl.col(c).cast(like.schema[c]) for c in columns]).hash().alias(_SAYS)


def sift_labels(rows: pa.Table, earlier: Sequence[pa.Table], *, has_time: bool) -> Sifted:
    """Return which labels were said before, and how many contradict what was; a later label is kept, and the last one wins.

    A label repeats another when it says what the newest one of its id said, with times of their own the newest one for its time.
    Of labels for the same time the one that landed last is the newest, and of those of one file the last row.
    """
    new = _label_frame([rows])
    spoken = new.group_by("id", "labelled_at", maintain_order=True).agg(pl.col("wk_row").last().alias("last"), pl.col("label").last().alias("final"))
    new = new.join(spoken, on=["id", "labelled_at"]).sort("wk_row")
    again = new.filter(pl.col("wk_row") != pl.col("last"))
    sifted = Sifted(set(again.filter(pl.col("label") == pl.col("final"))["wk_row"]), set(again.filter(pl.col("label") != pl.col("final"))["wk_row"]))
    left = new.filter(pl.col("wk_row") == pl.col("last"))
    old = _label_frame(earlier) if earlier else None
    if old is not None and len(old):
        old = old.sort("labelled_at", "wk_landed_at", ORDER, "wk_row")
        newest = old.group_by("id", maintain_order=True).agg(pl.col("label").last().alias("before"))
        keys = ["id", "labelled_at"] if has_time else ["id"]
        said = old.group_by(keys, maintain_order=True).agg(pl.col("label").last())
        sifted.duplicates |= set(left.join(said, on=[*keys, "label"])["wk_row"])
        fresh = left.filter(~pl.col("wk_row").is_in(list(sifted.duplicates)))
        sifted.contradictions = fresh.join(newest, on="id").filter(pl.col("label") != pl.col("before")).height
    sifted.contradictions += int(left.filter(pl.col("id").is_duplicated()).group_by("id").agg(pl.col("label").n_unique() - 1)["label"].sum())
    return sifted


def _label_frame(tables: Sequence[pa.Table]) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    for table in tables:
        columns = {"id": table["id"], "label": as_text(table["label"]), "labelled_at": table["labelled_at"], "wk_row": table["wk_row"]}
        for name, kind in (("wk_landed_at", TIMESTAMP), (ORDER, pa.int64())):  # new rows have not landed, and old ones kept no order
            columns[name] = table[name] if name in table.column_names else pa.nulls(table.num_rows, kind)
        frames.append(pl.DataFrame(pa.table(columns)).with_columns(pl.col(ORDER).fill_null(0)))
    return pl.concat(frames).sort("wk_row")
