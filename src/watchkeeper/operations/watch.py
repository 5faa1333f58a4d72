"""Watch: bring everything due up to date, the same operations in the same order as the schedules run them.

Belongs here: the order, and that one model's failure does not stop the others. Does not: any operation itself.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from watchkeeper.adapters.leases import lease, rewriting
from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.reference_files import dated
from watchkeeper.adapters.warehouse import heard
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import LeaseHeldError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.costs import costs
from watchkeeper.operations.failures import failed, reason_of, recovered
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.lost import lost_scores
from watchkeeper.operations.lots import left_out
from watchkeeper.operations.profile import profile
from watchkeeper.operations.quarantine import set_aside
from watchkeeper.operations.report import report
from watchkeeper.operations.rolling import measure_and_roll
from watchkeeper.operations.spread import Spread, in_turn
from watchkeeper.operations.unevaluated import unevaluated
from watchkeeper.records import Action, Batch, Digest, IncidentEvent, Run

Progress = Callable[[str, str], None]
_FEW, _TIERS = 8, tuple(16**tier * 2**20 for tier in range(3))
LONGEST_WAIT_S = 3600.0


@dataclass
class Watched:
    """What a run did."""

    batches: list[Batch] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    failures: list[Run] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unevaluated: list[str] = field(default_factory=list)
    monitors: dict[str, Monitor] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    telemetry: list[str] = field(default_factory=list)
    """What came in of others' traces and metrics, in a sentence, where something did."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Sources of telemetry that could not be read, each with the reason; the next run asks them again."""

    @property
    def models(self) -> list[str]:
        """The models that were watched."""
        return list(self.monitors)


def watch(
    home: Home,
    models: Sequence[str] | None = None,
    *,
    now: datetime,
    progress: Progress | None = None,
    spread: Spread = in_turn,
    is_live: bool = False,
) -> Watched:
    """Ingest, profile and measure each model; then cost all, judge and report each, and act for all. Harmless when repeated.

    A model or step that fails is kept as a run with its reason; the rest goes on. `progress` is called with (model, step),
    `spread` does the pieces of scanning and measuring; `is_live` says that `now` is now, so that others may be asked what is.
    """
    telemetry = take_telemetry(home, now=now, is_live=is_live, progress=progress)
    done = respond(home, gather(home, models, now=now, progress=progress, spread=spread), now=now, progress=progress)
    tidy(home)
    done.telemetry, done.unread = telemetry
    return done


def take_telemetry(home: Home, *, now: datetime, is_live: bool, progress: Progress | None = None) -> tuple[list[str], list[tuple[str, str]]]:
    """Take in the traces and metrics that watchkeeper.yaml names; return what came in, as sentences, and what could not be read, each with the reason."""
    if home.workspace.telemetry.is_empty:
        return [], []
    from watchkeeper.operations.take_telemetry import all_monitors, faults, take, taken_text

    (progress or _silent)("", "telemetry")
    try:
        taken = take(home, all_monitors(home), now=now, is_live=is_live)
    except Exception as error:  # noqa: BLE001 - whatever others wrote must not stop the watch
        return [], [("telemetry", reason_of(error))]
    return list(filter(None, [taken_text(taken)])), faults(taken)


def gather(home: Home, models: Sequence[str] | None = None, *, now: datetime, progress: Progress | None = None, spread: Spread = in_turn) -> Watched:
    """Do the first half of a watch: bring the scores of each model up to date."""
    monitors, problems = load_monitors(home, models)
    done = Watched(problems=problems, monitors=monitors)
    for monitor in monitors.values():
        _of_model(home, monitor, now, done, progress or _silent, spread)
    done.unevaluated = unevaluated(home, done.batches)
    done.set_aside = set_aside(home, done.batches)
    done.left_out = left_out(done.batches)
    return done


def respond(home: Home, done: Watched, *, now: datetime, progress: Progress | None = None) -> Watched:
    """Do the second half with what the first half did, and return both: costs, verdicts, digests and actions.

    It sees what was known at `now` and nothing later, so a first half of a later time may be under way beside it.
    """
    monitors, tell = {model: dated(home, monitor) for model, monitor in done.monitors.items()}, progress or _silent
    every = Steps(home, list(monitors.values()), now, done, tell)
    every.attempt("costs", lambda: costs(home, monitors, now=now))
    for monitor in monitors.values():
        _verdict(home, monitor, now, done, tell)
    every.attempt("act", lambda: done.actions.extend(act(home, monitors, now=now)))
    return done


def _silent(_model: str, _step: str) -> None:
    """Tell nobody."""


def present(home: Home, models: Sequence[str] | None = None, *, now: datetime) -> list[str]:
    """Bring what people look at up to date: the worst incident's report, the pages, the published file, and what Prometheus reads.

    What is made from the same as before is left as it is; only the first page and the metrics say as of when that was looked at.
    Returns what could not be made and may be missed, as sentences: a report that fails takes no page with it.
    """
    from watchkeeper.operations.export import write_page
    from watchkeeper.operations.freshness import is_published, note_published, print_of
    from watchkeeper.operations.pages import pages
    from watchkeeper.operations.publish import publish

    monitors, problems = load_monitors(home, models)
    missed = _look(home, monitors, now)
    every, everything = load_monitors(home) if models else (monitors, problems)
    made_from = print_of(home, every, everything, now=now)
    pages(home, every, now=now, problems=everything, made_from=made_from)
    if not is_published(home, made_from):
        publish(home, every, now=now)
        note_published(home, made_from)
    write_page(home, every, now=now)
    return missed


def _look(home: Home, monitors: Mapping[str, Monitor], now: datetime) -> list[str]:
    from watchkeeper.operations.look import look_at_worst

    try:
        look_at_worst(home, monitors, now=now)
    except Exception as error:  # noqa: BLE001 - the library draws whatever rows hold; a picture less is better than no pages
        return [f"The Evidently report of the worst incident could not be made ({reason_of(error)}). The pages are there without it."]
    return []


def tidy(home: Home) -> None:
    """Merge the files of tables that have more than a few of about the same size; readers and writers are not disturbed.

    Each file is opened at each reading, so there are to be few; and those of a higher tier are not written again for a day's rows.
    A table that another process is merging is left to it.
    """
    for table in home.lake.tables_in_use():
        sizes = home.lake.file_sizes(table)
        for above, tier in pairwise((0, *_TIERS)):
            if sum(above // 2 <= size < tier // 2 for size in sizes) > _FEW:
                with suppress(LeaseHeldError), rewriting(home.lake, table, wait_s=0.0):
                    home.lake.compact(table, up_to=tier)
                break


def _of_model(home: Home, monitor: Monitor, now: datetime, done: Watched, tell: Progress, spread: Spread) -> None:
    """Bring one model's scores up to date; a second run of the same model waits, or it would judge what is half landed."""
    steps = Steps(home, [monitor], now, done, tell)

    def whole() -> None:
        with lease(home.lake, f"watch:{monitor.model}", wait_s=LONGEST_WAIT_S):
            steps.attempt("ingest", lambda: done.batches.extend(ingest(home, monitor, now=now)))
            landed = dated(home, monitor)
            steps.attempt("profile", lambda: profile(home, landed, now=now, spread=spread))
            steps.attempt(
                "measure", lambda: done.runs.extend(measure_and_roll(home, landed, now=now, recompute=lost_scores(home, landed), spread=spread))
            )

    steps.attempt("watch", whole)


def _verdict(home: Home, monitor: Monitor, now: datetime, done: Watched, tell: Progress) -> None:
    """Judge and report one model; a week of which anything could not be done gets no digest, since it would call the week quiet."""
    steps, alone = Steps(home, [monitor], now, done, tell), {monitor.model: monitor}
    is_whole = not any(f.model == monitor.model and f.operation != "costs" for f in done.failures)
    if steps.attempt("judge", lambda: done.events.extend(judge(home, alone, now=now))) and is_whole:
        steps.attempt("report", lambda: done.digests.extend(report(home, alone, now=now, period=home.workspace.digest)))


@dataclass(frozen=True)
class Steps:
    """Steps for some models; a failing one is recorded for each of them."""

    home: Home
    monitors: list[Monitor]
    now: datetime
    done: Watched
    tell: Progress

    def attempt(self, operation: str, step: Callable[[], object]) -> bool:
        """Run a step and tell whether it was done; keep its failure as a run, and that it is over once the step succeeds."""
        self.tell(self.monitors[0].model if len(self.monitors) == 1 else "", operation)
        try:
            with heard():
                step()
        except Exception as error:  # noqa: BLE001 - whatever one model's data does must not stop the others
            self.done.failures.extend(failed(self.home, self.monitors, operation, reason_of(error), now=self.now))
            return False
        recovered(self.home, self.monitors, operation, now=self.now)
        return True
