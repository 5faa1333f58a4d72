"""The flow that judges what was measured and acts on it.

Belongs here: parameters, retries, what is shown. Does not: what is out of line (judgement/), or who is told (operations/act.py).
Models are judged together, since one story may touch several; so there is one task for judging and one for acting.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from watchkeeper.adapters.workspace import find_home, load_monitors
from watchkeeper.flows.artifacts import dated, links, publish, table
from watchkeeper.flows.beginning import begin
from watchkeeper.flows.fan_out import RETRIES, RETRY_AFTER_S, Outcome, conclude, may_help, threads, together
from watchkeeper.flows.measure import AT_ONCE, scan_and_measure
from watchkeeper.flows.plots import headline_plot
from watchkeeper.flows.selection import Selection, run_name, select, stretch
from watchkeeper.flows.showing import show
from watchkeeper.records import Action, IncidentEvent
from watchkeeper.words import counted

_EVENTS = ("model", "event", "severity", "from", "headline", "incident")
_ACTIONS = ("model", "action", "target", "state", "why")


@task(task_run_name="judge", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def judge_models(models: list[str], root: Path, now: datetime) -> list[IncidentEvent]:
    """Judge the models' scores; open, update and resolve incidents."""
    from watchkeeper.operations.judge import judge

    home = find_home(root)
    events = judge(home, load_monitors(home, models)[0], now=now)
    get_run_logger().info("%d incident events", len(events))
    return events


@task(task_run_name="act", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def act_for_models(models: list[str], root: Path, now: datetime) -> list[Action]:
    """Tell people and start what is to be started, each once."""
    from watchkeeper.operations.act import act

    home = find_home(root)
    actions = act(home, load_monitors(home, models)[0], now=now)
    get_run_logger().info("%d actions", len(actions))
    return actions


@task(task_run_name="export", retries=RETRIES, retry_delay_seconds=RETRY_AFTER_S, retry_condition_fn=may_help, cache_policy=NO_CACHE)
def export_metrics(root: Path, now: datetime) -> list[str]:
    """Send the newest scores and open incidents as metrics where watchkeeper.yaml says; return why some did not get there."""
    from watchkeeper.operations.export import deliver

    home = find_home(root)
    return deliver(home, load_monitors(home)[0], now=now)


@flow(name="respond", flow_run_name=run_name, task_runner=threads(AT_ONCE))
def respond(
    *,
    models: list[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    recompute: bool = False,
    as_of: datetime | None = None,
) -> State[Any]:
    """Judges what was measured, keeps the incidents, and acts: tells people, asks for a retraining.

    Args:
        models: Models to judge. Leave empty for all.
        start: Measure the windows from this moment first. Leave empty to judge what has been measured.
        end: Moment at which those windows end, exclusive.
        recompute: Measure those windows again before judging.
        as_of: Act as of this moment, with what was known then. Leave empty for now.
    """
    begin()
    first, last = stretch(start, end)
    selection = select(models, as_of)
    asked = bool(first or last or recompute)
    scanned, measured = scan_and_measure(selection, first, last, recompute=recompute) if asked else ([], [])
    judged = together(judge_models, selection, "judge")
    acted = together(act_for_models, selection, "act")  # also when judging failed: what was planned before is still to be sent
    events, actions = judged.value or [], acted.value or []
    if events or actions:
        publish("respond", _page(selection, events, actions), "What the newest run with news found and did")
        show(selection)
    is_live = as_of is None and selection.home.workspace.now is None
    return conclude(
        selection,
        [*scanned, *measured, judged, acted, *(_exported(selection) if is_live else [])],
        f"{counted(len(events), 'incident event')}, {counted(len(actions), 'action')} for {counted(len(selection.monitors), 'model')}",
    )


def _exported(selection: Selection) -> list[Outcome]:
    """Return what became of the export; a run without a place to send to has no task for it."""
    if selection.home.workspace.telemetry.export.is_empty:
        return []
    faults = export_metrics(selection.home.root, selection.now)
    return [Outcome(about="export", failure=said) for said in faults] or [Outcome(about="export")]


def _page(selection: Selection, events: Sequence[IncidentEvent], actions: Sequence[Action]) -> str:
    pages = [(e.incident_id, f"incidents/{e.incident_id}.html") for e in events]
    parts = [
        "# Respond",
        dated(selection),
        f"## Incidents\n\n{table(_EVENTS, [_event(e) for e in events])}" if events else "",
        f"## Actions\n\n{table(_ACTIONS, [_action(a) for a in actions])}" if actions else "",
        *(headline_plot(selection, model) for model in dict.fromkeys(e.model for e in events)),
        links(selection.home, *dict.fromkeys(pages), ("All pages", "index.html")),
    ]
    return "\n\n".join(filter(None, parts))


def _event(event: IncidentEvent) -> dict[str, object]:
    headline = json.loads(event.story).get("headline", "")
    known = (event.model, event.event, event.severity, f"{event.window_start:%Y-%m-%d %H:%M}", headline or event.why, event.incident_id)
    return dict(zip(_EVENTS, known, strict=True))


def _action(action: Action) -> dict[str, object]:
    return dict(zip(_ACTIONS, (action.model, action.kind, action.target, action.state, action.reason), strict=True))
