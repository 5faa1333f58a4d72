"""What the expectation suite says about new rows: the rows to set aside, the batch to set aside, or neither.

Belongs here: what follows from a finding. Does not: running a suite (adapters/expectations.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from watchkeeper.adapters.expectations import Checked, Finding
from watchkeeper.adapters.sharing import check_all
from watchkeeper.adapters.workspace import Home
from watchkeeper.monitor import Monitor
from watchkeeper.operations.cast import Rejects, failed
from watchkeeper.records import Source

_ROW_COUNT = "expect_table_row_count"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a suite found, the rows it refuses, and why it refuses the whole batch."""

    checked: Checked
    rejects: Rejects = field(default_factory=Rejects)
    fault: str = ""


def verdict(home: Home, monitor: Monitor, source: Source, view: pa.Table) -> Verdict:
    """Return what today's suite says about rows; `view` has the columns of the file and `wk_row`.

    Raises:
        ConfigurationError: the suite cannot be read; nothing must land unchecked then.

    """
    return verdicts(home, monitor, source, [view])[0]


def verdicts(home: Home, monitor: Monitor, source: Source, views: Sequence[pa.Table]) -> list[Verdict]:
    """Return the verdict on each of several files, which do not depend on each other.

    Raises:
        ConfigurationError: the suite cannot be read; nothing must land unchecked then.

    """
    filled = [view for view in views if view.num_rows]
    found = iter(
        check_all([_numbered(_with_roles(view, monitor, source)) for view in filled], suite_file(home, monitor, source), private=monitor.private)
    )
    return [_concluded(monitor, source, view, next(found)) if view.num_rows else Verdict(Checked()) for view in views]


def of_some_rows(found: Verdict) -> tuple[Verdict, int]:
    """Return a verdict on some rows of many without what counts the rows of one file, and how many expectations do."""
    kept = [f for f in found.checked.findings if not f.expectation.startswith(_ROW_COUNT)]
    checked = replace(found.checked, findings=kept)
    return replace(found, checked=checked, fault="; ".join(f.reason for f in checked.refusals)), len(found.checked.findings) - len(kept)


def _with_roles(view: pa.Table, monitor: Monitor, source: Source) -> pa.Table:
    """Return events with an empty column for a version or an environment that the monitor names and a file lacks: intake takes such rows to have none."""
    roles = (monitor.columns.version, monitor.columns.environment) if source == "events" else ()
    for name in (n for n in roles if n is not None and n not in view.column_names):
        view = view.append_column(name, pa.nulls(view.num_rows))
    return view


def _numbered(view: pa.Table) -> pa.Table:
    return view.set_column(view.column_names.index("wk_row"), "wk_row", pa.array(np.arange(view.num_rows)))


def _concluded(monitor: Monitor, source: Source, view: pa.Table, checked: Checked) -> Verdict:
    numbers, rejects = view["wk_row"].to_numpy(), Rejects()
    has_failed = failed(view, monitor) if source == "events" else np.zeros(len(numbers), bool)
    for finding in checked.findings:
        rejects.add(numbers[_refused(finding, has_failed, _outputs(monitor))], finding.reason)
    return Verdict(checked, rejects, "; ".join(f.reason for f in checked.refusals))


def suite_file(home: Home, monitor: Monitor, source: Source) -> Path:
    """Return where the suite of a source is."""
    return home.suites_dir / f"{monitor.suite_names[source]}.json"


def _refused(finding: Finding, has_failed: np.ndarray, outputs: set[str]) -> np.ndarray:
    """Return the rows that break a critical expectation; a failed call owes no score."""
    rows = np.asarray(finding.unexpected_rows, np.int64)
    return rows[~has_failed[rows]] if finding.column in outputs else rows


def _outputs(monitor: Monitor) -> set[str]:
    columns = monitor.columns
    return {c for c in (columns.score, columns.prediction, *columns.probabilities.values()) if c}
