"""SQL expressions over one row, as people write them in monitor files: refused unless they are no more than that, and evaluated.

Belongs here: what an expression may hold, which columns it names, and its values. Does not: which rows (operations/own_kpis.py), or
statements of people (operations/query.py).

What may be there is listed, so that what DuckDB learns later stays out: columns, constants, CASE, comparisons, casts, and scalar
functions that give the same for the same row. Nothing reads a file, a table, a setting, the clock or the environment.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_ALLOWED = frozenset({"CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR", "BETWEEN", "TYPE"})
_KINDS = {"SUBQUERY": "a subquery", "WINDOW": "a window function", "STAR": "a star", "PARAMETER": "a parameter", "LAMBDA": "a lambda"}
_REFUSED = frozenset({"getenv", "current_setting", "getvariable", "age"})  # of one time `age` reads the clock
_LONGEST = 10_000
_NAN = "it is NaN, not a number; write NULL for rows that do not count"
_MEMORY = "1GB"  # beside the rows; an expression that takes more has failed


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An expression's value for each row, NaN where it is null, and which rows it failed on, which a NaN is too; `why` is what went wrong on the first."""

    values: NDArray[np.float64]
    failed: NDArray[np.bool_]
    why: str = ""


def fault_of(expression: str) -> str:
    """Say why a text is not an expression over one row, empty when it is.

    >>> fault_of("CASE WHEN label = 1 THEN 120 ELSE amount END"), fault_of("getenv('HOME')")
    ('', 'getenv() is not allowed: only functions of the row itself are')
    >>> fault_of("(SELECT 1)"), fault_of("sum(amount)")
    ('a subquery is not allowed: only an expression over one row is', 'sum() is not allowed: only functions of the row itself are')
    """
    if len(expression) > _LONGEST:
        return f"it is longer than {_LONGEST:,} characters"
    try:
        tree = _parsed(expression)
    except ValueError as error:
        return str(error)
    return next(_faults(tree), "")


def columns_of(expression: str) -> list[str]:
    """Return the columns that an expression names, in order; none of what is no expression.

    >>> columns_of('label * amount + coalesce("net worth", amount)')
    ['label', 'amount', 'net worth']
    """
    try:
        found = [n["column_names"] for n in _nodes(_parsed(expression)) if n["class"] == "COLUMN_REF"]
    except ValueError:
        return []
    return list(dict.fromkeys(names[0] for names in found))


def evaluated(expression: str, rows: pa.Table) -> Evaluated:
    """Return the values of an expression over rows, each as a number; a row that it fails on does not stop the others."""
    if why := fault_of(expression) or _unknown(expression, rows.column_names):
        return Evaluated(np.full(rows.num_rows, np.nan), np.ones(rows.num_rows, bool), why)
    wanted = rows.select(columns_of(expression)).append_column("wk_place", pa.array(np.arange(rows.num_rows)))
    with _closed() as connection:
        connection.register("rows", wanted)
        whole = f"SELECT wk_place, TRY({{'v': CAST((\n{expression}\n) AS DOUBLE)}}) AS made FROM rows"
        try:
            made = connection.sql(f"SELECT made.v AS v, made IS NULL AS failed FROM ({whole}) ORDER BY wk_place").to_arrow_table()
        except duckdb.Error as error:  # of a type that the columns do not have, say: no row of it can be computed
            return Evaluated(np.full(rows.num_rows, np.nan), np.ones(rows.num_rows, bool), _said(error))
        failed = np.asarray(made.column("failed").combine_chunks().to_numpy(zero_copy_only=False), bool)
        values = made.column("v").combine_chunks()
        why = _first_failure(connection, expression, int(np.flatnonzero(failed)[0])) if failed.any() else ""
    is_nan = np.asarray(pc.fill_null(pc.is_nan(values), fill_value=False))
    return Evaluated(np.asarray(values.fill_null(np.nan)), failed | is_nan, why or (_NAN if is_nan.any() else ""))


def _first_failure(connection: duckdb.DuckDBPyConnection, expression: str, place: int) -> str:
    try:
        connection.sql(f"SELECT CAST((\n{expression}\n) AS DOUBLE) FROM rows WHERE wk_place = {place}").fetchall()
    except duckdb.Error as error:
        return _said(error)
    return "it could not be computed"


def _unknown(expression: str, known: Sequence[str]) -> str:
    lacking = [name for name in columns_of(expression) if name not in known]
    return f"there is no column '{lacking[0]}'" if lacking else ""


def _said(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].strip().rstrip(".!")


@cache
def _grammar() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _closed() -> duckdb.DuckDBPyConnection:
    """Return a database of its own that can reach nothing but what is registered in it."""
    connection = duckdb.connect(config={"python_enable_replacements": False, "autoinstall_known_extensions": False})
    for setting in ("TimeZone = 'UTC'", f"memory_limit = '{_MEMORY}'", "autoload_known_extensions = false", "enable_external_access = false"):
        connection.execute(f"SET {setting}")
    connection.execute("SET lock_configuration = true")
    return connection


@cache
def _scalars() -> frozenset[str]:
    """Return the functions whose value depends on their arguments alone."""
    found = _grammar().cursor().execute("SELECT function_name, function_type, stability FROM duckdb_functions()").fetchall()
    other = {name for name, kind, stability in found if kind != "scalar" or stability != "CONSISTENT"}
    return frozenset(name for name, _, _ in found) - other - _REFUSED


@cache
def _types() -> frozenset[str]:
    return frozenset(name.lower() for (name,) in _grammar().cursor().execute("SELECT type_name FROM duckdb_types()").fetchall())


@cache
def _parsed(expression: str) -> dict[str, Any]:
    """Return the syntax tree of an expression.

    Raises:
        ValueError: it is none, or more than one.

    """
    told = _grammar().cursor().execute("SELECT json_serialize_sql(?)", [f"SELECT {expression}\n FROM wk_rows"]).fetchone()
    tree: dict[str, Any] = json.loads(told[0]) if told else {"error": True}
    if tree["error"]:
        message = f"it is not an expression: {str(tree.get('error_message', 'it cannot be read')).splitlines()[0]}"
        raise ValueError(message)
    nodes = [statement["node"] for statement in tree["statements"]]
    if len(nodes) != 1 or nodes[0]["type"] != "SELECT_NODE" or not _is_plain(nodes[0]):
        message = "it is not one expression: it may hold no SELECT, FROM, DISTINCT, comma or semicolon of its own"
        raise ValueError(message)
    return dict(nodes[0]["select_list"][0])


def _is_plain(node: dict[str, Any]) -> bool:
    table, rest = node["from_table"], ("where_clause", "having", "sample", "qualify", "modifiers", "group_expressions")
    is_ours = table["type"] == "BASE_TABLE" and table.get("table_name") == "wk_rows" and not table.get("alias")
    return is_ours and len(node["select_list"]) == 1 and not node["select_list"][0].get("alias") and not any(node.get(name) for name in rest)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every expression of a tree."""
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    elif isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for part in tree.values():
            yield from _nodes(part)


def _faults(tree: dict[str, Any]) -> Iterator[str]:
    for node in _nodes(tree):
        kind, name = node["class"], str(node.get("function_name", "")).lower()
        if kind not in _ALLOWED:
            yield f"{_KINDS.get(kind, kind.lower().replace('_', ' '))} is not allowed: only an expression over one row is"
        elif kind == "FUNCTION" and name not in _scalars():
            yield f"{name}() is not allowed: only functions of the row itself are"
        elif kind == "TYPE" and str(node["type_name"]).lower() not in _types():
            yield f"there is no type {node['type_name']}"
        elif kind == "COLUMN_REF" and len(node["column_names"]) > 1:
            yield f"'{'.'.join(node['column_names'])}': name a column alone, in double quotes where it holds a dot"
