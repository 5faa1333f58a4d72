"""Validation with Great Expectations over DuckDB: a table and a suite in, an outcome for each expectation out.

Belongs here: running a suite, and outcomes of three values. Does not: the files (suites.py, suite_drafts.py), the SQL bridge
(gx_duckdb.py), finding rows (broken_rows.py), what follows from an outcome (operations/), the pages (validation_docs.py). No raw value leaves: results hold counts, aggregates and row numbers.
"""

import copy
import json
import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from watchkeeper.adapters.broken_rows import ON_ROWS, Look
from watchkeeper.adapters.suite_drafts import draft_suite
from watchkeeper.adapters.suite_lint import lint_suites
from watchkeeper.adapters.suites import Expectation, Suite, load, quiet_gx
from watchkeeper.records import Source, Validation
from watchkeeper.words import counted, expectation_text

__all__ = ["Checked", "Finding", "check", "draft_suite", "lint_suites"]

TABLE = "batch"
COLUMNS = "columns_of_batch"
ALIKE = "wk_alike"
_KEPT_OR_NOT = {"result_format": "BOOLEAN_ONLY"}
_ON_COLUMNS = {"result_format": "BASIC", "partial_unexpected_count": 0}
_HIDDEN = "(private)"
_NAMES_ARE_SAFE = {
    "expect_column_type_to_be",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
}
_QUOTES_VALUES = ("Conversion Error", "Invalid Input Error", "Out of Range Error", "Constraint Error")
_LOCK = threading.Lock()  # one GX context, whose project is global to the process


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one expectation."""

    expectation_id: str
    expectation: str
    column: str = ""
    arguments: str = "{}"
    severity: str
    outcome: str
    unexpected_count: int | None = None
    element_count: int | None = None
    observed: str = ""
    owner: str = ""
    why: str = ""
    error: str = ""
    says: str = ""
    unexpected_rows: list[int] = field(default_factory=list)
    is_table_level: bool = False

    @property
    def is_critical_failure(self) -> bool:
        """Tell whether rows, or the batch, must be set aside because of it."""
        return self.severity == "critical" and self.outcome == "fail"

    @property
    def reason(self) -> str:
        """One sentence for the people who find their rows in quarantine."""
        why = f": {self.why}" if self.why else ""
        owner = f" ({self.owner})" if self.owner else ""
        return f"{self.says or self.expectation}{why}{owner}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of all expectations of a suite; `suite` is empty when there was nothing to check with."""

    suite: str = ""
    suite_hash: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def refusals(self) -> list[Finding]:
        """The failures for which the whole table is set aside."""
        return [f for f in self.findings if f.is_critical_failure and f.is_table_level]

    @property
    def not_evaluated(self) -> str:
        """One sentence on the expectations that could not be evaluated, empty when all could: rows land past them."""
        blind = [f for f in self.findings if f.outcome == "error"]
        names = ", ".join(sorted({f.expectation_id for f in blind})[:3])
        return f"{len(blind)} of {counted(len(self.findings), 'expectation')} could not be evaluated ({names})" if blind else ""

    @property
    def reasons_by_row(self) -> dict[int, list[str]]:
        """The rows to set aside, each with its reasons."""
        reasons: dict[int, list[str]] = {}
        for finding in self.findings:
            for row in finding.unexpected_rows:
                reasons.setdefault(row, []).append(finding.reason)
        return reasons

    def records(self, *, batch_id: str, model: str, source: Source, now: datetime) -> list[Validation]:
        """Return the findings as records of one batch."""
        return [
            Validation(
                batch_id=batch_id,
                expectation_id=f.expectation_id,
                model=model,
                source=source,
                suite=self.suite,
                suite_hash=self.suite_hash,
                expectation=f.expectation,
                column=f.column,
                arguments=f.arguments,
                severity=f.severity,
                outcome=f.outcome,
                unexpected_count=f.unexpected_count,
                element_count=f.element_count,
                observed=f.observed,
                owner=f.owner,
                why=f.why,
                error=f.error,
                validated_at=now,
            )
            for f in self.findings
        ]


def check(rows: pa.Table, suite_file: Path, *, private: Collection[str] = ()) -> Checked:
    """Run the suite over the rows, which carry their numbers in `wk_row`; no file means nothing to check.

    A column of Arrow's null type is one that the file lacks, and that counts as empty: rows are asked about it, and it does not exist.
    An expectation that cannot be evaluated is an error and not a failure; the others are evaluated all the same.
    For private columns no aggregate is told either, and no value that the expectation names.

    Raises:
        ConfigurationError: the file is no suite.

    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        suite = load(suite_file)
        if suite is None or not suite.expectations:
            return Checked() if suite is None else Checked(suite=suite.name, suite_hash=suite.digest)
        return Checked(suite=suite.name, suite_hash=suite.digest, findings=_run(rows, suite, frozenset(private)))


def _run(rows: pa.Table, suite: Suite, private: frozenset[str]) -> list[Finding]:
    from watchkeeper.adapters.gx_duckdb import batch, remembering

    lacking = {f.name for f in rows.schema if pa.types.is_null(f.type)}
    plain, on_rows = (_alike_in(lacking, part) for part in (suite.gx_plain, suite.gx_rows))
    with remembering(), _opened(rows) as connection, batch(_context(), connection, TABLE, suite.name) as gx_rows:
        results = _results(gx_rows, plain, _KEPT_OR_NOT)
        broken = [e for e in plain.expectations if not (results[e.id].success or _error(results[e.id].exception_info))]
        counted = _with(on_rows, broken)
        results |= _results(gx_rows, counted, ON_ROWS)
        if suite.gx_columns.expectations:
            with batch(_context(), connection, COLUMNS, suite.name) as gx_columns:
                results |= _results(gx_columns, suite.gx_columns, _ON_COLUMNS)
        look = Look(connection=connection, batch=gx_rows, table=TABLE, rows=rows.num_rows, gx={e.id: e for e in counted.expectations})
        return [_finding(expectation, results[expectation.expectation_id], look, private) for expectation in suite.expectations]


def _alike_in(lacking: set[str], suite: Any) -> Any:
    """Return a suite in which rows are told apart by the columns that are there: all are alike in one that is lacking, where GX takes empty ones to differ."""
    if not any(lacking & set(e.configuration.kwargs.get("column_list") or ()) for e in suite.expectations):
        return suite
    made = []
    for each in (e.configuration for e in suite.expectations):
        listed = each.kwargs.get("column_list") or ()
        if lacking & set(listed):
            each = copy.deepcopy(each)  # noqa: PLW2901 - of this table alone
            each.kwargs["column_list"] = list(dict.fromkeys(ALIKE if name in lacking else name for name in listed))
        made.append(each)
    return quiet_gx().ExpectationSuite(name=suite.name, expectations=made)


def _with(suite: Any, expectations: list[Any]) -> Any:
    """Return a suite that has these expectations too."""
    if not expectations:
        return suite
    return quiet_gx().ExpectationSuite(name=suite.name, expectations=[e.configuration for e in (*suite.expectations, *expectations)])


def _results(batch: Any, suite: Any, form: dict[str, Any]) -> dict[str, Any]:
    """Return Great Expectations' result for each expectation of a suite by its id."""
    if not suite.expectations:
        return {}
    return {result.expectation_config.id: result for result in batch.validate(suite, result_format=form).results}


@cache
def _context() -> Any:
    context = quiet_gx().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


@contextmanager
def _opened(rows: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that sees the rows and nothing else: a suite's own SQL reaches no file and no setting."""
    connection = _closed_database().cursor()
    try:
        connection.register(TABLE, _as_asked(rows))
        there = [f.name for f in rows.schema if not (f.name.startswith("wk_") or pa.types.is_null(f.type))]
        connection.register(COLUMNS, rows.select(there))
        yield connection
    finally:
        connection.close()


@cache
def _closed_database() -> duckdb.DuckDBPyConnection:
    """Return an empty database, opened once: each of its cursors sees what was registered on it and no other's."""
    connection = duckdb.connect(config={"python_enable_replacements": False})
    for setting in ("enable_external_access = false", "global TimeZone = 'UTC'", "lock_configuration = true"):
        connection.execute(f"set {setting}")
    return connection


def _as_asked(rows: pa.Table) -> pa.Table:
    """Drop the zone of timestamps, which are UTC inside; limits in suites carry none. What has no type becomes text, and `ALIKE` is the same in all rows."""
    rows = rows.append_column(ALIKE, pa.array(np.zeros(rows.num_rows, np.int8)))
    naive = [f.with_type(pa.timestamp(f.type.unit)) if pa.types.is_timestamp(f.type) else f for f in rows.schema]
    return rows.cast(pa.schema([f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in naive]))


def _finding(expectation: Expectation, result: Any, look: Look, private: frozenset[str]) -> Finding:
    error = _error(result.exception_info)
    outcome = "error" if error else "pass" if result.success else "fail"
    rows: list[int] | None = None
    if outcome == "fail" and expectation.severity == "critical" and expectation.is_row_level:
        rows = look.numbers(expectation, result)
    counts = result.result
    observed_rows = counts.get("observed_value") if expectation.is_row_level else None
    return Finding(
        expectation_id=expectation.expectation_id,
        expectation=expectation.type,
        column=expectation.column,
        arguments=json.dumps(_told(expectation, private), sort_keys=True, ensure_ascii=False, default=str),
        severity=expectation.severity,
        outcome=outcome,
        unexpected_count=0 if expectation.is_plain and outcome == "pass" else counts.get("unexpected_count", observed_rows),
        element_count=counts.get("element_count", look.rows if expectation.is_row_level and not error else None),
        observed="" if expectation.is_row_level or expectation.column in private else _observed(expectation, counts.get("observed_value")),
        owner=expectation.owner,
        why=expectation.why,
        error=error,
        says=_said(expectation, private),
        unexpected_rows=rows or [],
        is_table_level=not expectation.is_row_level or (outcome == "fail" and expectation.severity == "critical" and not rows),
    )


def _told(expectation: Expectation, private: frozenset[str]) -> dict[str, Any]:
    """Return the arguments as they may be told: of a private column none of the values that they name, which were often drafted from rows."""
    if expectation.column not in private:
        return expectation.arguments
    hidden = {
        name: _HIDDEN if isinstance(value, str) else [_HIDDEN] for name, value in expectation.arguments.items() if isinstance(value, str | list)
    }
    return hidden | {name: value for name, value in expectation.arguments.items() if isinstance(value, bool) or name == "mostly"}


def _said(expectation: Expectation, private: frozenset[str]) -> str:
    """Return the expectation in words, which for a private column name no value either."""
    if _told(expectation, private) == expectation.arguments:
        return expectation.says
    return f"{expectation.column}: {expectation_text(expectation.type)} (what it names is private)"


def _observed(expectation: Expectation, value: Any) -> str:
    """Return an aggregate as text, and of a list only its length: its members are values of rows."""
    if value is None:
        return ""
    if expectation.type in _NAMES_ARE_SAFE:
        return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if isinstance(value, bool | int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    return counted(len(value), "value") if isinstance(value, list | tuple | set | dict) else ""


def _error(info: dict[str, Any]) -> str:
    """Return why an expectation could not be evaluated, without the values that some messages quote."""
    parts = [info] if "raised_exception" in info else list(info.values())
    messages = [str(part["exception_message"]) for part in parts if part.get("raised_exception")]
    if not messages:
        return ""
    first = messages[0].split("\n", maxsplit=1)[0].strip()
    said = first.rsplit("Exception) ", maxsplit=1)[-1]
    if any(kind in said for kind in _QUOTES_VALUES):
        return said.split("'", maxsplit=1)[0].split('"', maxsplit=1)[0].strip()
    return said
