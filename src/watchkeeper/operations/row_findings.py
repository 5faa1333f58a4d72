"""Row findings: what did not hold of the file that a prediction came in, and whether the prediction itself is why.

Belongs here: reading the findings of a batch, and asking them of one row that landed. Does not: checking files (validate.py), the words
(site/explanation.py).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from math import isnan
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private
from watchkeeper.records import Batch, Validation


def findings_of(home: Home, batch: Batch | None, *, now: datetime) -> Sequence[Validation]:
    """Return what did not hold of a batch, or could not be checked."""
    if batch is None:
        return []
    found: list[Validation] = home.lake.newest(Validation, as_of=now, where=pc.field("batch_id") == batch.batch_id)
    return [v for v in found if v.outcome != "pass"]


def broken_by(monitor: Monitor, findings: Collection[Validation], row: pa.Table, hidden: Collection[str]) -> Mapping[str, bool]:
    """Return whether a row breaks what did not hold of its file, by expectation id, of those of which that can be told.

    It can of missing values, of limits of numbers and of sets of texts, where the expectation is about all rows and the column is not hidden.
    """
    asked = ((v, _is_broken(monitor, v, row)) for v in findings if v.column in row.column_names and v.column not in hidden)
    return {v.expectation_id: broken for v, broken in asked if broken is not None}


def _is_broken(monitor: Monitor, finding: Validation, row: pa.Table) -> bool | None:
    """Tell whether a row breaks an expectation; None where that is not known, as of private columns, whose limits are not kept."""
    arguments: dict[str, Any] = json.loads(finding.arguments or "{}")
    if finding.outcome != "fail" or arguments.get("row_condition"):
        return None
    value = row.column(finding.column)[0].as_py()
    if finding.expectation == "expect_column_values_to_not_be_null":
        return value is None
    if finding.expectation == "expect_column_values_to_be_between" and not is_private(monitor, finding.column):
        return _is_beyond(value, arguments)
    if finding.expectation == "expect_column_values_to_be_in_set" and not is_private(monitor, finding.column):
        return _is_none_of(value, arguments.get("value_set"))
    return None


def _is_none_of(value: Any, allowed: Any) -> bool | None:
    """Tell whether a text is not in a set of texts, which one that is missing breaks not; None where value or set are of another kind."""
    if not isinstance(allowed, list) or not all(isinstance(v, str) for v in allowed) or not isinstance(value, str | None):
        return None
    return value is not None and value not in allowed


def _is_beyond(value: Any, arguments: Mapping[str, Any]) -> bool | None:
    """Tell whether a number lies beyond limits, which one that is missing does not; None where value or limits are no numbers."""
    least, most = arguments.get("min_value"), arguments.get("max_value")
    if value is None:
        return False
    if not all(_is_number(v) for v in (value, *(end for end in (least, most) if end is not None))):
        return None
    is_low = least is not None and (value < least or (value == least and bool(arguments.get("strict_min"))))
    return is_low or (most is not None and (value > most or (value == most and bool(arguments.get("strict_max")))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not isnan(value)
