"""How results are printed: tables for people, JSON for machines, sentences on stderr.

Belongs here: the form of what is printed. Does not: what is printed, nor the pages people look at (site/).
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_FILE_WIDTH = 160
_PLAIN_BYTES = frozenset(range(0x20, 0x7F)) - {0x5C}


def show(rows: Sequence[Any], *, as_json: bool, columns: Sequence[str] = (), title: str = "", empty: str = "Nothing to show.") -> None:
    """Print records or mappings: all their fields as JSON, or `columns` (default: all) as a table.

    JSON is always one list with every key of every row, so that a script needs no case for an empty result.
    """
    dicts = [as_dict(row) for row in rows]
    if as_json:
        show_json(dicts)
    elif not dicts:
        say(empty)
    else:
        _table(dicts, columns or list(dicts[0]), title)


def show_json(value: Any) -> None:
    """Print one value as JSON: times as ISO in UTC, durations in seconds, numbers that are none as null."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def say(text: str) -> None:
    """Print a sentence for people."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print a sentence on stderr, so that results stay clean."""
    typer.echo(text, err=True)


def as_dict(row: Any) -> dict[str, Any]:
    """Return a record or mapping as a dictionary in its own order."""
    if isinstance(row, Mapping):
        return dict(row)
    return {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}


def plain(value: Any) -> Any:
    """Return a value as JSON knows it.

    >>> plain({"at": datetime(2013, 4, 22, tzinfo=UTC), "value": float("nan")})
    {'at': '2013-04-22T00:00:00Z', 'value': None}
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return plain(as_dict(value))
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if value is None or isinstance(value, str | int | float) else _text(value)


def _text(value: Any) -> str:
    """Return what JSON has no form for as text; bytes as DuckDB writes them."""
    return "".join(chr(b) if b in _PLAIN_BYTES else f"\\x{b:02X}" for b in value) if isinstance(value, bytes) else str(value)


def cell(value: Any) -> str:
    """Return a value as people read it in a table: nothing for None, four digits, minutes.

    >>> cell(0.123456), cell(datetime(2013, 4, 22, 6, 30, tzinfo=UTC)), cell(None), cell(["a", "b"])
    ('0.1235', '2013-04-22 06:30', '', 'a, b')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        value = [f"{k}: {cell(v)}" for k, v in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(cell(v) for v in value)
    return _text(value)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", justify="right" if _is_numeric(rows, column) else "left")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    console.print(table)


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    values = [row.get(column) for row in rows if row.get(column) is not None]
    return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
