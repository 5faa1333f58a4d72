"""What a suite asks of columns that no row could answer, as a file of theirs shows: a pattern that is none, a range of texts.

Belongs here: what can be told without running the suite. Does not: reading it (adapters/suites.py), what it lacks
(adapters/suite_lint.py), or running it (adapters/expectations.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_BOUNDS = ("min_value", "max_value")
_OF_VALUES = frozenset(f"expect_column_{what}_to_be_between" for what in ("values", "min", "max", "mean", "median", "stdev", "sum"))
_PATTERNS = ("regex", "regex_list")


def unanswerable(entries: Sequence[Mapping[str, Any]], columns: pa.Schema, *, file: str, numbers: Collection[str] = ()) -> Iterator[str]:
    """Yield what is wrong with each expectation; `numbers` are columns that intake makes numbers, whatever the file holds."""
    for index, entry in enumerate(entries):
        kwargs = entry.get("kwargs")
        if not isinstance(kwargs, dict):
            continue
        place = f"expectations[{index}] ({entry.get('type')})"
        for pattern in _patterns(kwargs):
            if fault := _fault(pattern):
                yield f"{place}: {pattern!r} is no regular expression, {fault}"
        name = kwargs.get("column")
        if isinstance(name, str) and name in columns.names and name not in numbers and (wrong := _misfit(entry, kwargs, columns.field(name).type)):
            yield f"{place}: column '{name}' of {file} holds {wrong}"


def _patterns(kwargs: Mapping[str, Any]) -> list[str]:
    said = [kwargs[name] for name in _PATTERNS if name in kwargs]
    return [p for one in said for p in (one if isinstance(one, list) else [one]) if isinstance(p, str)]


def _fault(pattern: str) -> str:
    """Return why DuckDB would refuse a pattern, empty when it takes it; Arrow reads patterns with the same library."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        return str(error).removeprefix("Invalid regular expression: ")
    return ""


def _misfit(entry: Mapping[str, Any], kwargs: Mapping[str, Any], kind: pa.DataType) -> str:
    if pa.types.is_string(kind):
        asks_for_numbers = entry.get("type") in _OF_VALUES and any(isinstance(kwargs.get(bound), int | float) for bound in _BOUNDS)
        return "text, which lies between no numbers" if asks_for_numbers else ""
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return "no text, and only text matches a pattern" if is_number and _patterns(kwargs) else ""
