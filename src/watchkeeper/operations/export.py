"""Export: the newest scores, open incidents and how fresh the runs are, as metrics for other people's dashboards.

Belongs here: which metrics there are, their labels, and the bound on series. Does not: finding the rows (export_rows.py), or their
forms (adapters/our_metrics.py, adapters/otlp_out.py). No segment of a private column goes out, as in the published file.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from watchkeeper.adapters.our_metrics import Gauge, prometheus_text
from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import WatchkeeperError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.export_rows import newest_runs, newest_scores
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.records import CLASS, SEVERITIES, Run, Score
from watchkeeper.spelling import segment_pairs

PAGE = "metrics"
"""The file of the pages that `watchkeeper up` serves as /metrics."""


def metrics_of(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, series: int | None = None) -> list[Gauge]:
    """Return our metrics as of `now`; of scores at most so many `series` (else as watchkeeper.yaml says), those of whole models first, and the rest counted."""
    most = home.workspace.telemetry.export.series if series is None else series
    found = [s for m in monitors.values() for s in newest_scores(home, m, now=now) if not _is_private(m, s)]
    kept = sorted(found, key=_rank)[:most]
    return [
        Gauge(
            "watchkeeper.score",
            "1",
            "Newest value of a score; its own unit is a label.",
            [(_labels(s), s.value) for s in kept if s.value is not None],
        ),
        Gauge("watchkeeper.score.series_left_out", "{series}", "Series of scores that the bound left out.", [({}, float(len(found) - len(kept)))]),
        Gauge("watchkeeper.incidents.open", "{incident}", "Incidents that are not resolved.", list(_incidents(home, monitors, now))),
        *_freshness(newest_runs(home, monitors, now=now)),
        Gauge("watchkeeper.export.timestamp", "s", "The moment as of which these numbers are.", [({}, now.timestamp())]),
        Gauge("watchkeeper.build_info", "1", "Always 1; the version is a label.", [({"version": version("watchkeeper")}, 1.0)]),
    ]


def _is_private(monitor: Monitor, score: Score) -> bool:
    hidden = set(monitor.private)
    names_class = score.feature.startswith(CLASS) and monitor.labels is not None and monitor.labels.column in hidden
    return names_class or any(column in hidden for column, _ in segment_pairs(score.segment))


def _rank(score: Score) -> tuple[object, ...]:
    return (bool(score.segment), bool(score.version), bool(score.feature), score.model, tuple(_labels(score).values()))


def _labels(score: Score) -> dict[str, str]:
    return {
        "model": score.model,
        "environment": score.environment,
        "version": score.version,
        "metric": score.metric,
        "feature": score.feature,
        "segment": score.segment,
        "window": score.grain,
        "state": score.state,
        "unit": score.unit,
    }


def _incidents(home: Home, monitors: Mapping[str, Monitor], now: datetime) -> Iterator[tuple[dict[str, str], float]]:
    """Yield how many incidents are open by model and severity; zeros too, or nothing would say that one is over."""
    open_ones = [(i.model, i.severity) for i in known_incidents(home, now=now) if i.is_open]
    for model in monitors:
        for severity in SEVERITIES:
            yield {"model": model, "severity": severity}, float(open_ones.count((model, severity)))


def _freshness(runs: Sequence[Run]) -> Iterator[Gauge]:
    newest = {(r.model, r.operation): r for r in sorted(runs, key=lambda r: (r.computed_at, r.window_start))}
    measured = {r.model: r for r in sorted(runs, key=lambda r: r.window_end) if r.operation == "measure" and r.outcome == "done"}
    labelled = [({"model": model, "operation": operation}, run) for (model, operation), run in sorted(newest.items())]
    yield Gauge(
        "watchkeeper.run.timestamp", "s", "When an operation last had something to do.", [(names, r.computed_at.timestamp()) for names, r in labelled]
    )
    yield Gauge(
        "watchkeeper.run.failed", "1", "1 where its newest run failed, else 0.", [(names, float(r.outcome == "failed")) for names, r in labelled]
    )
    ends = [({"model": model}, run.window_end.timestamp()) for model, run in sorted(measured.items())]
    yield Gauge("watchkeeper.window_end.timestamp", "s", "End of the newest window that was measured.", ends)


def write_page(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> Path:
    """Write the metrics beside the pages, where `watchkeeper up` serves them as /metrics."""
    path = home.site_dir / PAGE
    write_whole(path, prometheus_text(metrics_of(home, monitors, now=now)))
    return path


def deliver(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> list[str]:
    """Send the metrics where watchkeeper.yaml says; return why some did not get there, a sentence each."""
    if home.workspace.telemetry.export.is_empty:
        return []
    found = metrics_of(home, monitors, now=now)
    faults = []
    for send in (_to_textfile, _to_collector):
        try:
            send(home, found, now)
        except WatchkeeperError as error:
            faults.append(f"The metrics could not be exported: {error}")
    return faults


def _to_textfile(home: Home, found: Sequence[Gauge], _now: datetime) -> None:
    textfile = home.workspace.telemetry.export.textfile
    if textfile is not None:
        write_whole(home.root / textfile, prometheus_text(found))


def _to_collector(home: Home, found: Sequence[Gauge], now: datetime) -> None:
    wanted = home.workspace.telemetry.export
    if wanted.otlp is not None:
        from watchkeeper.adapters.otlp_out import post, request_of
        from watchkeeper.adapters.tokens import authorization

        post(wanted.otlp, request_of(found, workspace=home.workspace.name, now=now), headers=authorization(wanted.bearer))
