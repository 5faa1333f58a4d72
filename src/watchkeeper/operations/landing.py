"""Rows into the lake, once: agree on columns, sift repeats, check, and commit under a compare-and-set.

Belongs here: the order of these steps and their repetition when another process was first. Does not: the steps themselves,
nor what is written about them (marks.py). All files of a call share one scan of landed ids and one commit.
Labels keep the order of landing in `wk_order`: landing by landing, in each file by file; then their rows count.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.expectations import Checked
from watchkeeper.adapters.widening import can_widen, widen
from watchkeeper.errors import ConfigurationError, ConflictError, WatchkeeperError
from watchkeeper.operations.cast import Rejects, without
from watchkeeper.operations.convert import as_text, fitted
from watchkeeper.operations.habits import brought
from watchkeeper.operations.lots import Intake, Lot, Settled
from watchkeeper.operations.marks import ATTEMPTS, pause
from watchkeeper.operations.repeats import (
    ORDER,
    OTHER_LABEL,
    OTHER_VALUES,
    UNTRIED,
    Landed,
    Sifted,
    landed,
    memberships,
    repeated_among,
    sift_events,
    sift_labels,
)
from watchkeeper.operations.shape import LANDING, Shape, agree
from watchkeeper.operations.verdict import Verdict, of_some_rows, verdict, verdicts

Verdicts = dict[str, Verdict]
_ROUNDS = 5  # so many rows of one id and one file are tried in turn
_FILES_BITS = 24  # for the place of a file in its landing, below the number of the landing


def settle(intake: Intake, lots: Sequence[Lot], *, whole: bool = True) -> list[Settled]:
    """Land what can be landed of the lots, in one commit, and return what came of each.

    Without `whole`, rows are some of a file's (released ones), and what the suite says about a table is not held against them.
    """
    lake, heard = intake.home.lake, Verdicts()
    for attempt in range(ATTEMPTS):
        seen = lake.version(intake.table, intake.app_id)
        dataset = lake.dataset(intake.table)
        shape = Shape(
            None if dataset is None else dataset.schema, partial(can_widen, lake, intake.table), cache(partial(brought, intake)), intake.id_column
        )
        begun = [_agreed(intake, lot, shape, ((seen + 1) << _FILES_BITS) + place) for place, lot in enumerate(lots)]
        for one in begun:
            one.rows = shape.in_wider_types(one.rows, intake.monitor.timezone)
        known = landed(lake, intake.table, intake.id_column, {s.lot.batch_id: s.rows for s in begun if s.is_open}, intake.scope)
        known = known if known.rows is None else replace(known, rows=shape.in_wider_types(known.rows, intake.monitor.timezone))
        settled = _sifted(intake, begun, known, heard, whole=whole)
        try:
            _commit(intake, settled, known, shape, seen)
        except ConflictError:
            pause(attempt)
        else:
            for one in settled:
                one.landed_before_at = _landed_before(intake, one, known)
            return settled
    raise ConflictError("other processes kept writing", where=intake.table, then="Run it again.")


def _landed_before(intake: Intake, settled: Settled, known: Landed) -> datetime | None:
    """Return when the first rows of this very batch landed, by a run that was ended before it could say so; None when this one landed all."""
    batch = settled.lot.batch_id
    if not settled.is_open or not len(known.rows_of(batch)):
        return None
    rows = intake.home.lake.read(intake.table, columns=["wk_landed_at"], where=pc.field("wk_batch") == batch)
    first: datetime | None = None if rows is None else pc.min(rows["wk_landed_at"]).as_py()
    return first


def _agreed(intake: Intake, lot: Lot, shape: Shape, order: int) -> Settled:
    settled = Settled(lot=lot, fault=lot.fault)
    if lot.cast is None or lot.fault:
        return settled
    settled.rejects, settled.notes = lot.cast.rejects.copy(), [*lot.notes, *lot.cast.notes]
    try:
        rows = agree(lot.cast, shape, intake.monitor, _names(intake), settled.rejects, settled.notes)
        settled.rows = rows if intake.source == "events" else rows.append_column(ORDER, pa.repeat(pa.scalar(order, pa.int64()), rows.num_rows))
    except (pa.ArrowException, WatchkeeperError) as error:
        why = str(error) if isinstance(error, WatchkeeperError) else type(error).__name__  # Arrow's own text names types and values over many lines
        settled.fault = f"cannot be brought into the columns of the lake ({why})"
    return settled


def _names(intake: Intake) -> set[str]:
    """Return the columns whose numbers are names, so that they are never widened to fractions."""
    if intake.source == "events":
        return {intake.id_column}
    return {"id"} if intake.monitor.task == "regression" else {"id", "label"}


def _sifted(intake: Intake, begun: list[Settled], known: Landed, heard: Verdicts, *, whole: bool) -> list[Settled]:
    """Go through the files in order, each sifted against the lake and the files before it, as if they had come one by one."""
    for empty in (s for s in begun if s.is_open and not s.rows.num_rows):
        _check(intake, empty, heard, whole=whole)
    still_open = [s for s in begun if s.is_open and s.rows.num_rows]  # of a file without a usable row even the id may have no type
    contested = _contested(intake, [s.rows for s in still_open], known)
    _check_together(intake, [s for s, mine in zip(still_open, contested, strict=True) if not mine.num_rows], heard)
    earlier: dict[tuple[str, ...], pa.Table] = {}
    for settled, mine in zip(still_open, contested, strict=True):
        _sift_and_check(intake, settled, mine, _before(settled, mine, known, list(earlier.values())), heard, whole=whole)
        if mine.num_rows and not settled.fault:
            columns = tuple(mine.column_names)
            accepted = _landed_now(intake, mine.filter(pc.is_in(mine["wk_row"], settled.rows["wk_row"].combine_chunks())))
            earlier[columns] = pa.concat_tables([earlier[columns], accepted], promote_options="permissive") if columns in earlier else accepted
    return begun


def _contested(intake: Intake, tables: list[pa.Table], known: Landed) -> list[pa.Table]:
    """Return, file by file, the rows whose ids occur twice among all files, or were landed by another."""
    contested = repeated_among(tables, intake.id_column)
    if known.rows is not None:
        contested = pa.concat_arrays([contested, as_text(known.rows[intake.id_column]).combine_chunks()])
    flags = memberships([as_text(t[intake.id_column]) for t in tables], contested)
    return [table.filter(flag) for table, flag in zip(tables, flags, strict=True)]


def _before(settled: Settled, mine: pa.Table, known: Landed, earlier: list[pa.Table]) -> list[pa.Table]:
    held = known.besides(settled.lot.batch_id)
    settled.met = set() if held is None or not mine.num_rows else set(held["wk_batch"].to_pylist())
    return earlier if held is None else [held, *earlier]


def _sift_and_check(intake: Intake, settled: Settled, mine: pa.Table, earlier: list[pa.Table], heard: Verdicts, *, whole: bool) -> None:
    """Set aside what repeats an id and what the suite refuses; a row that stood back for a refused one of its file is looked at again."""
    offered, unusable, refused = settled.rows, settled.rejects, Rejects()
    sifted = Sifted()
    for _ in range(_ROUNDS):
        sifted, before = _sifted_once(intake, without(mine, refused.reasons), earlier), settled.rows
        settled.rejects = unusable.besides(refused)
        settled.rejects.add(sifted.conflicts, OTHER_VALUES if intake.source == "events" else OTHER_LABEL)
        settled.rows = without(settled.rejects.keep(offered), sifted.duplicates)
        found = _check(intake, settled, heard, whole=whole) if not refused.reasons else _check_again(intake, settled, before)
        if settled.fault or not (sifted.conflicts | sifted.duplicates) or not set(mine["wk_row"].to_pylist()) & set(found.reasons):
            break
        refused = refused.besides(found)
    else:
        _leave_untried(settled, sifted, mine["wk_row"], as_text(mine[intake.id_column]), found)
    settled.duplicates += len(sifted.duplicates)
    if sifted.contradictions:
        settled.notes.append(f"{sifted.contradictions:,} of {offered.num_rows:,} labels contradict earlier ones; the last one counts")


def _leave_untried(settled: Settled, sifted: Sifted, numbers: pa.ChunkedArray, ids: pa.ChunkedArray, found: Rejects) -> None:
    """Set aside the rows that stood back for those just refused: so many of one id cannot all be tried, and none may be lost."""
    same = pc.is_in(ids, ids.filter(pc.is_in(numbers, pa.array(list(found.reasons), pa.int64()))).combine_chunks())
    untried = (sifted.conflicts | sifted.duplicates) & set(numbers.filter(same).to_pylist())
    settled.rejects.reasons |= {number: [UNTRIED] for number in untried}
    sifted.duplicates -= untried


def _sifted_once(intake: Intake, mine: pa.Table, earlier: list[pa.Table]) -> Sifted:
    if mine.num_rows == 0:
        return Sifted()
    if intake.source == "events":
        roles = intake.monitor.columns
        return sift_events(mine, earlier, intake.id_column, intake.monitor.id_scope, [c for c in (roles.version, roles.environment) if c])
    return sift_labels(mine, earlier, has_time=bool(intake.monitor.labels and intake.monitor.labels.time))


def _check_together(intake: Intake, alone: list[Settled], known: Verdicts) -> None:
    """Check the files that share no id with others in one go; what cannot be checked so is checked file by file, later."""
    fresh = [s for s in alone if s.lot.batch_id not in known and s.lot.cast is not None]
    views = [_view(intake, s.lot.cast.view, s) for s in fresh if s.lot.cast is not None]
    try:
        found = verdicts(intake.home, intake.monitor, intake.source, views)
    except ConfigurationError:
        raise
    except Exception:  # noqa: BLE001 - one of the files is at fault; file by file shows which
        return
    known.update({s.lot.batch_id: verdict for s, verdict in zip(fresh, found, strict=True)})


def _check(intake: Intake, settled: Settled, heard: Verdicts, *, whole: bool) -> Rejects:
    """Set aside what the suite refuses, and return that."""
    batch = settled.lot.batch_id
    if batch not in heard:
        heard[batch] = _verdict(intake, settled)
    found = heard[batch]
    if settled.lot.is_part:
        found, _ = of_some_rows(found)
    settled.checked = found.checked
    if (blind := found.checked.not_evaluated) and blind not in settled.notes:
        settled.notes.append(blind)
    if found.fault and whole:
        settled.fault = found.fault
    return _refuse(settled, found.rejects)


def _check_again(intake: Intake, settled: Settled, before: pa.Table) -> Rejects:
    """Do so where rows came that were not among those `before`; what the suite says of the file as a whole has been heard."""
    if not set(settled.rows["wk_row"].to_pylist()) - set(before["wk_row"].to_pylist()):
        return Rejects()
    return _refuse(settled, _verdict(intake, settled).rejects)


def _refuse(settled: Settled, rejects: Rejects) -> Rejects:
    there = set(settled.rows["wk_row"].to_pylist()) & set(rejects.reasons)
    refused = Rejects({number: rejects.reasons[number] for number in there})
    settled.rejects = settled.rejects.besides(refused)
    settled.rows = settled.rejects.keep(settled.rows)
    return refused


def _verdict(intake: Intake, settled: Settled) -> Verdict:
    if settled.lot.cast is None:
        return Verdict(Checked())
    try:
        return verdict(intake.home, intake.monitor, intake.source, _view(intake, settled.lot.cast.view, settled))
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever breaks while one file is checked, the others go on
        return Verdict(Checked(), fault=f"could not be checked with its suite ({type(error).__name__})")


def _view(intake: Intake, view: pa.Table, settled: Settled) -> pa.Table:
    """Return what the suite sees: the file's columns in the lake's types, with those that have no value yet as null text."""
    view = view.filter(pc.is_in(view["wk_row"], settled.rows["wk_row"].combine_chunks()))
    columns = {n: view[n].cast(pa.string()) if pa.types.is_null(view[n].type) else view[n] for n in view.column_names}
    if intake.source == "events":
        columns |= {n: settled.rows[n] for n in settled.rows.column_names if n in columns}
    return pa.table(columns)


def _commit(intake: Intake, settled: list[Settled], known: Landed, shape: Shape, seen: int) -> None:
    """Commit the accepted rows that this very batch has not landed before; a column to be widened comes first."""
    parts = [_stamped(intake, s, known) for s in settled if s.is_open]
    parts = [p for p in parts if p.num_rows]
    if not parts:
        return
    lake, name = intake.home.lake, intake.table
    shape.types |= {name: parts[0][name].type for name in LANDING if name in parts[0].column_names}
    to_widen = {n: shape.types[n] for n in shape.widened if shape.lake is not None and n in shape.lake.names}
    if to_widen:
        widen(lake, name, to_widen, lambda column, kind: fitted(column, kind, intake.monitor.timezone)[0], guard=(intake.app_id, seen))
        seen += 1
    rows = pa.concat_tables([shape.complete(p) for p in parts])
    if shape.lake is None:
        _create(intake, rows.schema)
    # Types agree column by column, so merging adds the new nullable columns and casts nothing; it is atomic with the rows.
    lake.append(name, rows, guard=(intake.app_id, seen), schema_mode="merge" if shape.is_new else None)


def _create(intake: Intake, schema: pa.Schema) -> None:
    """Create the table first and alone, so that a process whose rows have other columns sees it and agrees anew."""
    lake, name = intake.home.lake, intake.table
    lake.create(name, schema)
    dataset = lake.dataset(name)
    if dataset is None or not dataset.schema.equals(schema):
        raise ConflictError("another process made the table", where=name)


def _stamped(intake: Intake, settled: Settled, known: Landed) -> pa.Table:
    rows = settled.rows.filter(pc.invert(pc.is_in(settled.rows["wk_row"], known.rows_of(settled.lot.batch_id))))
    batch = pa.repeat(pa.scalar(settled.lot.batch_id, pa.string()), rows.num_rows)
    return _landed_now(intake, rows.append_column("wk_batch", batch))


def _landed_now(intake: Intake, rows: pa.Table) -> pa.Table:
    return rows.append_column("wk_landed_at", pa.repeat(pa.scalar(intake.now, pa.timestamp("us", "UTC")), rows.num_rows))
