"""Fairness: audit a model's sensitive columns over the mature windows of a span, from the parts of their groups.

Belongs here: which windows count, and what is known of the rows behind an audit. Does not: the statements (measures/fairness.py),
counting groups (sensitive.py), or how an audit looks (site/fairness_page.py).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.measures.fairness import Statement, View, audit
from watchkeeper.measures.frame import BySegment
from watchkeeper.measures.views import BinaryView, RegressionView
from watchkeeper.monitor import Monitor
from watchkeeper.operations.audit import private_shown
from watchkeeper.operations.bins_in_force import reference_problem, stored_bins
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.sensitive import attribute_of, attributes, names_of, not_audited
from watchkeeper.operations.sums import Ledger, added, content_of, ledger, of_environment, parts_within
from watchkeeper.profiles.groups import NULL, REST
from watchkeeper.profiles.labelled import ERROR, SCORE
from watchkeeper.records import Run
from watchkeeper.site.fairness_page import FairnessReport, fairness_page
from watchkeeper.spelling import segment_of, segment_pairs
from watchkeeper.windows import Window
from watchkeeper.words import counted, window_text

AUDITS = "fairness"
"""The folder of the site that holds them."""
_SPAN = timedelta(days=90)
_LEAST_SHOWN = 10
"""Of a private column, counts below it are not shown."""
_MARK = 8


def fairness(
    home: Home, monitor: Monitor, *, now: datetime, start: datetime | None = None, end: datetime | None = None, private_reason: str | None = None
) -> FairnessReport:
    """Audit the mature windows of [start, end), by default those of the last 90 days that have any.

    Values of private columns are named by a hash unless `private_reason` says why they are needed; that is kept in `runs`.

    Raises:
        UsageError: the model has no sensitive columns or a task without criteria, or nothing is counted in that time.

    """
    refused, instead = not_audited(monitor)
    if refused:
        raise UsageError(refused, where=monitor.model, then=instead)
    found = stored_bins(home, monitor, now=now)
    if found is None:
        is_waiting = monitor.reference_span is None or now < monitor.reference_span[1]
        why = reference_problem(monitor, now=now) if is_waiting else "no groups are counted yet"
        raise UsageError(why, where=monitor.model, then="Run `watchkeeper run`; groups are counted then.")
    due = maturity_of(home, monitor, now=now, bins=found.version)
    span = _span(monitor, ledger(home, monitor, found.version, now=now), due, now, start, end)
    parts = of_environment(parts_within(home, monitor, found.version, span.start, span.end, now=now, of_groups=True), monitor.environment)
    if parts.num_rows == 0:
        shown = window_text(span.start, span.end, monitor.timezone)
        raise UsageError(f"no rows are counted for {shown}", where=monitor.model, then="Ask for other days, or run `watchkeeper run` first.")
    if private_reason is not None:
        asked = f"fairness {monitor.model} {span.start:%Y-%m-%d} {span.end:%Y-%m-%d}"
        home.lake.append_records(Run, [private_shown(monitor.model, "fairness", asked, private_reason, rows=parts.num_rows, now=now)])
    names = _private_names(home, monitor, span, now=now) if private_reason is not None else {}
    sums = added(parts)
    made = audit(monitor.task, dict(_views(monitor, sums, names)), has_labels=monitor.labels is not None)
    versions = _versions(monitor, parts)
    return FairnessReport(
        model=monitor.model,
        task=monitor.task,
        environment=monitor.environment,
        timezone=monitor.timezone,
        start=span.start,
        end=span.end,
        windows=len({monitor.grid.at(begun).start for begun in pc.unique(parts.column("window_start")).to_pylist()}),
        window=monitor.window,
        rows=sum(versions.values()),
        versions=versions,
        attributes=tuple(attributes(monitor)),
        verdict=made.verdict,
        level=made.level,
        statements=tuple(_shown(monitor, s) for s in made.statements),
        warnings=(*_left_out(monitor, end, due.until(monitor.grid, now)), *made.warnings),
        content=content_of(sums),
        bins=found.version,
        computed_at=now,
    )


def write_page(home: Home, report: FairnessReport) -> Path:
    """Write an audit as a page of the site and return where it is."""
    first, last = (f"{moment:%Y-%m-%d}" for moment in report.local_days)
    path = home.site_dir / AUDITS / f"{report.model}-{first}-{last}.html"
    write_whole(path, fairness_page(report, workspace=home.workspace.name))
    return path


def audits(home: Home, model: str) -> list[tuple[str, str]]:
    """Return the days and the file of each page there is about a model, oldest first."""
    day = "????-??-??"
    found = sorted((home.site_dir / AUDITS).glob(f"{model}-{day}-{day}.html"))
    return [(f"{f.stem[-21:-11]} to {f.stem[-10:]}", f.name) for f in found]


def _span(monitor: Monitor, known: Ledger, due: Maturity, now: datetime, start: datetime | None, end: datetime | None) -> Window:
    """Return the mature part of the time asked for, by default of the 90 days up to the newest rows, as far back as there are any."""
    mature = due.until(monitor.grid, now)
    newest = monitor.grid.at(known.starts[-1]).end if known.starts else mature
    last = min(end or newest, mature)
    first = max([monitor.grid.at(last - _SPAN).start, *(monitor.grid.at(begun).start for begun in known.starts[:1])])
    span = Window(start or first, last)
    if span.end <= span.start:
        then = f"{due.due_text[:1].upper()}{due.due_text[1:]}; ask" if monitor.labels else "Ask"
        raise UsageError("no window of this time is mature", where="--from, --to", then=f"{then} for earlier days.")
    return span


def _left_out(monitor: Monitor, end: datetime | None, mature: datetime) -> Iterator[str]:
    if end is not None and end > mature:
        yield f"{window_text(mature, end, monitor.timezone)}: left out, since not all labels are due."


def _views(monitor: Monitor, sums: BySegment, names: Mapping[str, str]) -> Iterator[tuple[str, dict[str, View]]]:
    """Yield each attribute with the view of each of its groups, by the name it is shown under."""
    kind = BinaryView if monitor.task == "binary" else RegressionView
    found: dict[str, dict[str, View]] = defaultdict(dict)
    for group, counts in sums.items():
        attribute = attribute_of(monitor, group)
        if attribute:
            view = kind({(feature, outcome): c for (_, feature, outcome), c in counts.items()})
            found[attribute][_name(monitor, group, names)] = view
    yield from ((attribute, found[attribute]) for attribute in attributes(monitor) if attribute in found)


def _name(monitor: Monitor, group: str, names: Mapping[str, str]) -> str:
    """Return what a group is shown as; a value of a private column by the first digits of its hash."""
    return segment_of((c, v if c not in monitor.private or v in (NULL, REST) else names.get(v, f"#{v[:_MARK]}")) for c, v in segment_pairs(group))


def _private_names(home: Home, monitor: Monitor, span: Window, *, now: datetime) -> dict[str, str]:
    """Return hash -> value of the private sensitive columns, as the events of the span have them."""
    events = home.lake.dataset(f"events/{monitor.model}")
    columns = [c for c in monitor.sensitive if c in monitor.private and events is not None and c in events.schema.names]
    if events is None or not columns:
        return {}
    start, end, known = (pa.scalar(moment, TIMESTAMP) for moment in (span.start, span.end, now))
    inside = (pc.field("wk_time") >= start) & (pc.field("wk_time") < end) & (pc.field("wk_landed_at") <= known)
    rows = events.to_table(columns=columns, filter=inside)
    return {mark: value for column in columns for mark, value in names_of(rows.column(column)).items()}


def _shown(monitor: Monitor, said: Statement) -> Statement:
    """Return a statement without the counts of few people, where the column is private."""
    if said.n is None or said.n >= _LEAST_SHOWN or not set(said.attribute.split("&")) & set(monitor.private):
        return said
    why = f"fewer than {counted(_LEAST_SHOWN, 'row')} of a private column, which are not shown"
    return replace(said, n=None, rest_n=None, rate=None, rest_rate=None, value=None, low=None, high=None, reason=why)


def _versions(monitor: Monitor, parts: pa.Table) -> dict[str, int]:
    """Return the rows of each version of the model."""
    one = attributes(monitor)[0]
    mine = [g for g in pc.unique(parts.column("segment")).to_pylist() if attribute_of(monitor, g) == one]
    rows = parts.filter(pc.field("segment").isin(mine) & pc.field("feature").isin([SCORE, ERROR]))
    tally = rows.group_by("version").aggregate([("n", "sum")]).sort_by("version")
    return dict(zip(tally.column("version").to_pylist(), tally.column("n_sum").to_pylist(), strict=True))
