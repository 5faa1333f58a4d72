"""Files of prices that people edit: CSV lines with numbers, the cells by column, and how a wrong cell is told.

Belongs here: what both price books have in common. Does not: which columns they have (prices.py, token_prices.py).
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

from watchkeeper.adapters.monitor_files import nearest
from watchkeeper.errors import ConfigurationError
from watchkeeper.words import counted

Made = TypeVar("Made")
Row = Mapping[str, str]


def text_of(path: Path) -> str:
    """Return the text of a price book.

    Raises:
        ConfigurationError: it cannot be read as text.

    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot be read ({error})", where=path.name, then="Save it as CSV in UTF-8.") from error


def parse_lines(text: str, name: str, columns: Sequence[str], optional: Sequence[str], make: Callable[[Row, int, list[Made]], Made]) -> list[Made]:
    """Return what `make(row, line, what was made before)` makes of each line; lines that start with # are notes.

    The first line names `columns` in their order, and then any of the `optional` ones; cells left out at the end of a line are empty.

    Raises:
        ConfigurationError: there are mistakes; all of them in one message, with their lines.

    """
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#")]
    rows = list(csv.reader(line for _, line in numbered))
    given = tuple(c.strip() for c in rows[0]) if rows else ()
    if given[: len(columns)] != tuple(columns):
        may = f", and may go on with {', '.join(optional)}"
        raise ConfigurationError(f"the first line must be {','.join(columns)}{may}", where=name, then="Take the columns from there.")
    extra = given[len(columns) :]
    wrong = [c for c in extra if c not in optional] or [c for n, c in enumerate(extra) if c in extra[:n]]
    if wrong:
        what = f"the first line has a column {wrong[0]!r} {'twice' if wrong[0] in optional else 'that is none'}"
        raise ConfigurationError(what, where=name, then=nearest(wrong[0], optional))
    mistakes: list[str] = []
    made: list[Made] = []
    for (line, _), cells in zip(numbered[1:], rows[1:], strict=True):
        try:
            made.append(make(_row(cells, given, len(columns)), line, made))
        except ValueError as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        raise ConfigurationError("; ".join(mistakes), where=name, then="Mend these lines.")
    return made


def _row(cells: Sequence[str], columns: Sequence[str], least: int) -> Row:
    if not least <= len(cells) <= len(columns):
        message = f"{counted(len(cells), 'cell')} where {least if len(cells) < least else len(columns)} are due"
        raise ValueError(message)
    return dict.fromkeys(columns, "") | {c: cell.strip() for c, cell in zip(columns, cells, strict=False)}


def needed(row: Row, columns: Sequence[str]) -> None:
    """Refuse a line in which one of some cells is empty."""
    missing = [c for c in columns if not row.get(c)]
    if missing:
        message = f"{' and '.join(missing)} missing"
        raise ValueError(message)


def amount(text: str, what: str = "a price", such_as: str = "0.80", *, least: Decimal = Decimal(0), is_above: bool = False) -> Decimal:
    """Return a number of a cell that is at least (or above) the least there can be."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < least or (is_above and number == least):
        bound = f"above {least}" if is_above else "not negative" if least == 0 else f"at least {least}"
        message = f"{text!r} is not {what}; write a number that is {bound}, such as {such_as}"
        raise ValueError(message)
    return number


def currency(text: str) -> str:
    """Return a currency's three letters."""
    if len(text) != len("USD") or not text.isalpha():
        message = f"{text!r} is not a currency; write for example USD"
        raise ValueError(message)
    return text.upper()


def day(row: Row, column: str) -> date:
    """Return the day in a cell."""
    try:
        return date.fromisoformat(row[column])
    except ValueError:
        message = f"{column} {row[column]!r} is not a day; write for example 2026-09-06"
        raise ValueError(message) from None
