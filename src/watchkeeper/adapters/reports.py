"""Evidently: an HTML report that compares two samples, in one file that loads nothing from elsewhere.

Belongs here: the call of Evidently, the only place that needs pandas. Does not: which rows are compared (operations/look.py),
or any number that counts: those are scores, computed on all rows.
"""

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.settings import without_telemetry

_MOST_CATEGORIES = 200
_LARGEST = 1e150
_LEAST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The columns a report can show, and those it cannot with the reason."""

    numbers: list[str]
    categories: list[str]
    left_out: dict[str, str]


def comparable(reference: pa.Table, analysis: pa.Table, columns: Collection[str]) -> Compared:
    """Sort columns into numbers and categories; those without values on one side, or with too many categories, are left out."""
    found = Compared(numbers=[], categories=[], left_out={})
    for name in columns:
        kind = analysis.schema.field(name).type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        if min(t.num_rows - t.column(name).null_count for t in (reference, analysis)) == 0:
            found.left_out[name] = "no values on one side"
        elif is_number and (why := _undrawable(reference.column(name)) or _undrawable(analysis.column(name))):
            found.left_out[name] = why
        elif is_number:
            found.numbers.append(name)
        elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
            found.left_out[name] = f"neither numbers nor categories ({kind})"
        elif max(pc.count_distinct(t.column(name)).as_py() for t in (reference, analysis)) > _MOST_CATEGORIES:
            found.left_out[name] = f"more than {_MOST_CATEGORIES} categories"
        else:
            found.categories.append(name)
    return found


def _undrawable(column: pa.ChunkedArray) -> str:
    """Say why a histogram of numbers cannot be drawn; empty when it can."""
    ends = pc.min_max(_finite_floats(column)).as_py()
    if ends["min"] is None:
        return "no finite values on one side"
    largest = max(abs(ends["min"]), abs(ends["max"]))
    if largest > _LARGEST:
        return f"values beyond {_LARGEST:g}, whose squares are no numbers"
    if ((ends["max"] - ends["min"]) or 1.0) < _LEAST_STEPS * np.spacing(largest):  # one value is drawn as wide as 1
        return "values closer together than a histogram can tell apart"
    return ""


def drift_report(reference: pa.Table, analysis: pa.Table, compared: Compared, *, title: str, remarks: Collection[str]) -> str:
    """Return the report as HTML, with a title and remarks printed on top of it."""
    without_telemetry()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = _made(reference, analysis, compared)
    head, body, rest = made.partition("<body>")
    return f"{head}{body}{_banner(title, remarks)}{rest}".replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def _made(reference: pa.Table, analysis: pa.Table, compared: Compared) -> str:
    from evidently import DataDefinition, Dataset, Report

    warnings.simplefilter("ignore")  # again after the imports, which set filters of their own; a reader could mend nothing of what they say
    definition = DataDefinition(numerical_columns=compared.numbers, categorical_columns=compared.categories)
    sides = [Dataset.from_pandas(_finite(t, compared).to_pandas(), data_definition=definition) for t in (analysis, reference)]
    made: str = Report([_by_column()]).run(*sides).get_html_str(as_iframe=False)
    return made


def _by_column() -> Any:
    """Return Evidently's table of columns without the verdict on top, which calls a data set drifted from half of its columns on and not below."""
    from evidently.presets import DataDriftPreset

    class ByColumn(DataDriftPreset):  # type: ignore[misc] # Evidently has no types
        def render(self, *arguments: Any, **named: Any) -> list[Any]:
            return [widget for widget in super().render(*arguments, **named) if widget.type != "counter"]

    return ByColumn()


def _finite(rows: pa.Table, compared: Compared) -> pa.Table:
    """Return the columns compared, numbers as floats with what is not finite as null, which is what Evidently can draw."""
    numbers = {n: _finite_floats(rows.column(n)) for n in compared.numbers}
    return pa.table({**numbers, **{n: pc.cast(rows.column(n), pa.string()) for n in compared.categories}})


def _finite_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    floats = pc.cast(column, pa.float64(), safe=False)  # to be drawn, so the nearest float will do
    return pc.if_else(pc.is_finite(floats), floats, None)


def _banner(title: str, remarks: Collection[str]) -> str:
    lines = "".join(f"<li>{escape(r)}</li>" for r in remarks)
    style = "font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:1.5rem auto;padding:0 1.25rem;color:#1b2230"
    return f'<header style="{style}"><h1 style="font-size:1.4rem;margin:0">{escape(title)}</h1><ul style="color:#566173">{lines}</ul></header>'
