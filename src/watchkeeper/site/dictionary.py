"""The data dictionary: what every table of the lake and of the published file means, written from the records themselves.

Belongs here: the text of warehouse/README.md (`python -m watchkeeper.site.dictionary > warehouse/README.md` writes it anew).
Does not: the meanings of columns; those stand beside the columns in records.py and published.py.
"""

import sys
import types
import typing
from datetime import datetime

from watchkeeper.records import RECORDS, Batch, Quarantined, Run, Score, Signal, Validation
from watchkeeper.site.published import CostRow, IncidentRow, described

PUBLISHED: tuple[type, ...] = (Score, IncidentRow, Signal, CostRow, Run, Batch, Validation)
EVENTS = {
    "(the columns of your files)": ("as in the files", "as they came, in the types they first had; the id is compared as text"),
    "wk_batch": ("text", "the batch a row came in; `batches` has it"),
    "wk_row": ("whole number", "row in the file, from 0"),
    "wk_landed_at": ("moment", "the `now` of the run that took it in"),
    "wk_time": ("moment", "the event's time, read from its time column"),
}
LABELS = {
    "id": ("text", "the event it is the truth about"),
    "label": ("as in the files", "the truth"),
    "labelled_at": ("moment", "when the truth became known: the label's time column, else when it landed"),
    **{name: EVENTS[name] for name in ("wk_batch", "wk_row", "wk_landed_at")},
    "wk_order": ("whole number", "the order of landing: of labels for one event and one time the last one counts, and of one file the last row"),
}
_NAMES: dict[object, str] = {str: "text", int: "whole number", float: "number", bool: "yes or no", datetime: "moment"}

_HEAD = """# Data dictionary

Written from the records by `python -m watchkeeper.site.dictionary > warehouse/README.md`; a test compares it with the real columns.

Moments are UTC; windows are half-open, the end excluded. Text that is not known is empty, anything else is null: never zero.

There are two places to read from:

* **The published file**, `warehouse/watchkeeper.duckdb`, for people and BI tools: newest revisions only, scores of 400 days, no raw
  events and nothing private. It is swapped in whole, so it can be opened at any time and stays readable while it is replaced;
  open it again to see newer rows. Moments in it are of the type TIMESTAMP, in UTC. DuckDB 2.0 reads it:
  `duckdb -readonly warehouse/watchkeeper.duckdb`. Its columns carry these meanings as comments.
* **The lake**, `warehouse/lake/` or an object store, Delta tables: every revision of everything. `watchkeeper sql "SELECT ..."` reads it,
  newest revisions under a table's name and all of them under `<name>_all`; so do Spark, Trino, Databricks and Polars. `incidents` and
  `costs` are in `watchkeeper sql` what they are in the published file; the lake's table of what happened to incidents is
  `incident_events` there, and `incident_events_all` with every revision.
"""


def dictionary() -> str:
    """Return the text of warehouse/README.md."""
    parts = [_HEAD, "## The published file", *(_section(r, f"`{r.TABLE}`") for r in PUBLISHED)]  # type: ignore[attr-defined]
    parts += ["## The lake", *(_section(r, _lake_name(r)) for r in RECORDS)]
    parts += [
        _raw("`events/<model>`", "The accepted events of one model; `events_<model>` in `watchkeeper sql`.", EVENTS),
        _raw("`labels/<model>`", "The accepted labels of one model; `labels_<model>` in `watchkeeper sql`.", LABELS),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def columns(record: type) -> dict[str, tuple[str, str]]:
    """Return column -> (type in words, meaning).

    >>> columns(CostRow)["gpu_hours"]
    ('number or null', 'hours of GPUs held')
    """
    hints = typing.get_type_hints(record)
    return {name: (_type(hints[name]), meaning) for name, meaning in described(record).items()}


def _type(hint: object) -> str:
    if isinstance(hint, types.UnionType):
        return f"{_type(next(a for a in hint.__args__ if a is not type(None)))} or null"
    if typing.get_origin(hint) is list:
        return f"list of {_type(typing.get_args(hint)[0])}"
    if typing.get_origin(hint) is typing.Literal:
        return "text"
    return _NAMES[hint]


def _lake_name(record: type) -> str:
    return "`quarantine/<model>`" if record is Quarantined else f"`{record.TABLE}`"  # type: ignore[attr-defined]


def _section(record: type, name: str) -> str:
    keys = getattr(record, "KEY", ())
    key = f" One row per {', '.join(f'`{k}`' for k in keys)}; later revisions replace earlier ones." if keys else ""
    return _raw(name, f"{(record.__doc__ or '').splitlines()[0]}{key}", columns(record))


def _raw(name: str, about: str, rows: dict[str, tuple[str, str]]) -> str:
    lines = [f"| {column if column.startswith('(') else f'`{column}`'} | {kind} | {_cell(meaning)} |" for column, (kind, meaning) in rows.items()]
    return "\n".join([f"### {name}", "", about, "", "| column | type | meaning |", "| --- | --- | --- |", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(dictionary())
