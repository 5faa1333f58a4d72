"""Evidently: an HTML report that compares two samples, in one file that loads nothing from elsewhere.

Belongs here: the call of Evidently, the only place that needs pandas. Does not: which rows are compared (operations/look.py),
or any number that counts: those are scores, computed on all rows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.settings import without_telemetry

_MOST_CATEGORIES = 200


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
        elif is_number:
            found.numbers.append(name)
        elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
            found.left_out[name] = f"neither numbers nor categories ({kind})"
        elif max(pc.count_distinct(t.column(name)).as_py() for t in (reference, analysis)) > _MOST_CATEGORIES:
            found.left_out[name] = f"more than {_MOST_CATEGORIES} categories"
        else:
            found.categories.append(name)
    return found


def drift_report(reference: pa.Table, analysis: pa.Table, compared: Compared, *, title: str, remarks: Collection[str]) -> str:
    """Return the report as HTML, with a title and remarks printed on top of it."""
    without_telemetry()
    from evidently import DataDefinition, Dataset, Report

    definition = DataDefinition(numerical_columns=compared.numbers, categorical_columns=compared.categories)
    sides = [Dataset.from_pandas(_finite(t, compared).to_pandas(), data_definition=definition) for t in (analysis, reference)]
    made: str = Report([_by_column()]).run(*sides).get_html_str(as_iframe=False)
    head, body, rest = made.partition("<body>")
    return f"{head}{body}{_banner(title, remarks)}{rest}".replace("<head>", f"<head><title>{escape(title)}</title>", 1)


def _by_column() -> Any:
    """Return Evidently's table of columns without the verdict on top, which calls a data set drifted from half of its columns on and not below."""
    from evidently.presets import DataDriftPreset

    class ByColumn(DataDriftPreset):  # type: ignore[misc] # Evidently has no types
        def render(self, *arguments: Any, **named: Any) -> list[Any]:
            return [widget for widget in super().render(*arguments, **named) if widget.type != "counter"]

    return ByColumn()


def _finite(rows: pa.Table, compared: Compared) -> pa.Table:
    """Return the columns compared, numbers as floats with what is not finite as null, which is what Evidently can draw."""
    numbers = {n: pc.cast(rows.column(n), pa.float64()) for n in compared.numbers}
    finite = {n: pc.if_else(pc.is_finite(c), c, None) for n, c in numbers.items()}
    return pa.table({**finite, **{n: pc.cast(rows.column(n), pa.string()) for n in compared.categories}})


def _banner(title: str, remarks: Collection[str]) -> str:
    lines = "".join(f"<li>{escape(r)}</li>" for r in remarks)
    style = "font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:1.5rem auto;padding:0 1.25rem;color:#1b2230"
    return f'<header style="{style}"><h1 style="font-size:1.4rem;margin:0">{escape(title)}</h1><ul style="color:#566173">{lines}</ul></header>'
