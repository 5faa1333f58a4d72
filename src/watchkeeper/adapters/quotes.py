"""Quotes in CSV that swallow rows: those never closed, and those closed by the stray quote of a later row.

Belongs here: where rows begin and end, as the reader of text_files.py sees them, and which of them cannot be trusted. Does
not: what the rows hold (text_files.py). A file without a quote need not be looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from watchkeeper.errors import UnreadableError

_BREAK = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Torn:
    """Bytes from `start` to `end` that are set aside as the row with this number (from 0, the header not counted)."""

    number: int
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Grammar:
    """A field (its quoted part, what closes it, what follows) and a row; as the reader, quotes count at the start of a field only."""

    delimiter: bytes
    field: re.Pattern[bytes]
    row: re.Pattern[bytes]

    def fields(self, data: bytes, start: int) -> Iterator[re.Match[bytes]]:
        """Yield the fields of the row that starts at `start`."""
        found = self.field.match(data, start)
        while found:
            yield found
            is_last = data[found.end() : found.end() + 1] != self.delimiter
            found = None if is_last else self.field.match(data, found.end() + 1)


@cache
def _grammar(delimiter: bytes) -> _Grammar:
    plain = rb"[^" + re.escape(delimiter) + rb"\r\n]*+"
    quoted = rb'"%s[^"]*+(?:""[^"]*+)*+%s(?:"%s' + plain + rb"%s|\Z)"
    bare = rb"(?>" + quoted % (b"", b"", b"", b"") + rb"|" + plain + rb")"
    field = re.compile(quoted % (rb"(?P<inside>", rb")", rb"(?P<after>", rb")") + rb"|" + plain)
    return _Grammar(delimiter, field, re.compile(bare + rb"(?:" + re.escape(delimiter) + bare + rb")*+(?:\r\n|\r|\n|\Z)"))


def torn(data: bytes, name: str, delimiter: str) -> list[Torn]:
    """Return what no row can be made of without losing others, in order.

    A quote that is never closed, or closed where its value goes on, costs its line: reading goes on with the next. A value
    that is quoted well and looks like rows may be either, so it is set aside whole.

    Raises:
        UnreadableError: the header itself is torn.

    """
    grammar = _grammar(delimiter.encode())
    found: list[Torn] = []
    at, line, number, width = 0, 1, -1, 0
    while at < len(data):
        end = grammar.row.match(data, at).end()  # type: ignore[union-attr] # it matches anywhere
        if end == len(data) or data.find(b"\n", at, end - 1) >= 0 or data.find(b"\r", at, end - 2) >= 0:
            end, reason = _judged(grammar, data, at, end, width, line)
            if reason and number < 0:
                raise UnreadableError(f"has no readable header: {reason}", where=name, then="Write the file again, with every quote closed.")
            if reason:
                found.append(Torn(number, at, end, reason))
        if data[at:end].strip(b"\r\n"):
            width = width or sum(1 for _ in grammar.fields(data, at))
            number += 1
        line += data.count(b"\n", at, end)
        at = end
    return found


def _judged(grammar: _Grammar, data: bytes, start: int, end: int, width: int, line: int) -> tuple[int, str]:
    """Return where the row that starts at `start` ends, and why it cannot be trusted, if so."""
    width = width or sum(1 for _ in grammar.fields(data, start))
    for field in grammar.fields(data, start):
        if field["inside"] is None:
            continue
        lines = list(_BREAK.finditer(data, field.start("inside"), field.end("inside")))
        first, closed = (line + data.count(b"\n", start, field.span("inside")[side]) for side in (0, 1))
        opened = f"a quote opened in line {first}"
        if field["after"] is None:
            return (lines[0].end() if lines else end), f"{opened} is never closed"
        if lines and field["after"]:
            return lines[0].end(), f"{opened} is closed within a value in line {closed}"
        if any(_is_row(grammar, data, each.end(), field.end("inside"), width) for each in lines):
            return end, f"{opened} is closed in line {closed} only, and what lies between looks like rows"
    return end, ""


def _is_row(grammar: _Grammar, data: bytes, start: int, end: int, width: int) -> bool:
    """Tell whether a row of `width` fields starts here, at least two of them inside the quoted text that ends at `end`."""
    fields = list(grammar.fields(data, start))
    is_whole = all(f["inside"] is None or f["after"] is not None for f in fields)
    return is_whole and len(fields) == width > 1 and fields[0].end() < end
