"""How results are printed: tables for people, JSON for machines, sentences on stderr.

Belongs here: the form of what is printed. Does not: what is printed, nor the pages people look at (site/).
"""

import dataclasses
import json
import math
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.spelling import utc
from watchkeeper.words import number_text, one_line, window_text

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NOBODY = "No model is watched yet. `watchkeeper add MODEL --events FILE` adds one."
_GAP = 3  # between two columns
_PLAIN_BYTES = frozenset(range(0x20, 0x7F)) - {0x5C}


def show(
    rows: Sequence[Any], *, as_json: bool, columns: Sequence[str] = (), title: str = "", empty: str = "Nothing to show.", is_exact: bool = False
) -> None:
    """Print records or mappings: all their fields as JSON, or `columns` (default: all) as a table, `is_exact` with all digits.

    JSON is always one list with every key of every row, so that a script needs no case for an empty result.
    """
    dicts = [as_dict(row) for row in rows]
    if as_json:
        show_json(dicts)
    elif not dicts:
        say(empty)
    else:
        _table(dicts, columns or list(dicts[0]), title, is_exact=is_exact)


def show_json(value: Any) -> None:
    """Print one value as JSON: times as ISO in UTC, durations in seconds, numbers that are none as null."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def say(text: str) -> None:
    """Print a sentence for people."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print a sentence on stderr, so that results stay clean."""
    typer.echo(text, err=True)


def window_so_far(start: datetime, end: datetime, timezone: str, now: datetime) -> str:
    """Return a window in local words; one that goes on says so."""
    return window_text(start, end, timezone) + (", not over" if end > now else "")


def set_aside_lines(reasons: Sequence[str]) -> list[str]:
    """Return the lines that say why rows and files were set aside, none when nothing was.

    >>> set_aside_lines(["2 rows: sent_at is null: a row needs a time"])
    ['Set aside: 2 rows: sent_at is null: a row needs a time. `watchkeeper quarantine list` has all of it.']
    """
    return [f"Set aside: {'; '.join(r.rstrip('.') for r in reasons)}. `watchkeeper quarantine list` has all of it."] if reasons else []


def program() -> str:
    """Return what calls this program from here: its name where the shell finds it, else the path to it."""
    here = Path(sys.executable).parent / "watchkeeper"
    found = shutil.which("watchkeeper")
    if (found and Path(found).resolve() == here.resolve()) or not here.exists():
        return "watchkeeper"
    return shlex.quote(str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here))


def as_dict(row: Any) -> dict[str, Any]:
    """Return a record or mapping as a dictionary in its own order."""
    if isinstance(row, Mapping):
        return dict(row)
    return {f.name: getattr(row, f.name) for f in dataclasses.fields(row)}


def plain(value: Any) -> Any:
    """Return a value as JSON knows it.

    >>> from datetime import UTC
    >>> plain({"at": datetime(2013, 4, 22, tzinfo=UTC), "value": float("nan")})
    {'at': '2013-04-22T00:00:00Z', 'value': None}
    >>> plain(datetime(2013, 4, 22, 12))
    '2013-04-22T12:00:00Z'
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
        return utc(value).isoformat().replace("+00:00", "Z")
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


def cell(value: Any, *, is_exact: bool = False) -> str:
    r"""Return a value as people read it in a table: nothing for None, numbers as everywhere (counts and money with all their digits), minutes.

    With `is_exact` every number has all its digits: a row is shown for what is in it.

    >>> from datetime import UTC
    >>> cell(0.123456), cell(58331.63), cell(13245), cell(datetime(2013, 4, 22, 6, 30, tzinfo=UTC)), cell(None), cell(["a", "b"])
    ('0.123', '58,300', '13,245', '2013-04-22 06:30', '', 'a, b')
    >>> cell({"wind": 1048.36058}, is_exact=True)
    'wind: 1,048.36058'

    What would break a row of the table is spelled, since a segment's value may hold anything.

    >>> print(cell("depot=north\ngate"))
    depot=north\ngate
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return number_text(value) if isinstance(value, float) and not (is_exact and math.isfinite(value)) else f"{value:,}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        value = [f"{k}: {cell(v, is_exact=is_exact)}" for k, v in value.items()]
    if isinstance(value, list | tuple):
        return ", ".join(cell(v, is_exact=is_exact) for v in value)
    return one_line(_text(value))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str, *, is_exact: bool) -> None:
    """Print a table in which every name stays whole, to be copied: lines break at spaces, and into a pipe or file not at all."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    shown = [[cell(row.get(column), is_exact=is_exact) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = _widths(list(zip(heads, *shown, strict=True)), console.width if console.is_terminal else None)
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False)
    for column, head, width in zip(columns, heads, widths, strict=True):
        table.add_column(head, overflow="fold", width=width, justify="right" if _is_numeric(rows, column) else "left")
    for texts in shown:
        table.add_row(*map(Text, texts))
    console.width = sum(widths) + _GAP * len(widths)
    with console.capture() as printed:
        console.print(table)
    say("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _widths(columns: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Return how wide columns of texts are: as they need or, within `room`, the widest less, but never less than their longest word.

    >>> _widths([["average_precision"], ["several words"]], 20)
    [17, 7]
    """
    from rich.cells import cell_len

    needed = [max(cell_len(line) for text in texts for line in text.split("\n")) for texts in columns]
    least = [max((cell_len(word) for text in texts for word in text.split()), default=0) for texts in columns]
    if room is None:
        return needed
    widths = [max(word, min(whole, room)) for word, whole in zip(least, needed, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > room and widths != least:
        widths[max((i for i, width in enumerate(widths) if width > least[i]), key=widths.__getitem__)] -= 1
    return widths


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    values = [row.get(column) for row in rows if row.get(column) is not None]
    return bool(values) and all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in values)
