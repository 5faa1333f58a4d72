"""Follow: a watch that goes on all the time, step after step, so that a fault in the newest rows is told within a beat or two.

Belongs here: what a step does and leaves for later, that steps never pile up, and that a failed one is kept and the next one comes. Does not: the
clock and the signals, which are given as a Pace (adapters/pace.py), what is out of line (judgement/newest.py).

A step takes in what is new, counts its rows and looks at them; it judges and tells only where a look found what none before it had found. What
reads old rows or adds up long times (joining labels, measuring windows that ended, settling, digests, pages) is the **whole watch**, which comes
every quarter of an hour and after a window's end, or is left to other schedules. A model that another process is bringing up to date is left
to it until the next step.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchkeeper.adapters.files import Stamp, discover, place_of, stamp
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.reference_files import dated
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import LeaseHeldError, UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.export import deliver
from watchkeeper.operations.failures import failed, reason_of, recovered
from watchkeeper.operations.grouping import messages_in
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.judge import judge
from watchkeeper.operations.newest import look, news
from watchkeeper.operations.profile import profile
from watchkeeper.operations.spread import Spread, in_turn
from watchkeeper.operations.watch import Watched, tidy, watch
from watchkeeper.records import Action, Batch, IncidentEvent, Look, Profile
from watchkeeper.words import counted

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=1)
WHOLE_EVERY, AFTER_A_WINDOW = timedelta(minutes=15), timedelta(minutes=2)
_ACT_EVERY, _TELL_AGAIN = timedelta(minutes=5), timedelta(minutes=15)
_EVERY_FILE = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to follow: how often, for how long (None: until asked to stop), which models, and whether the whole watch is done here too."""

    every_s: float
    for_s: float | None = None
    models: Sequence[str] | None = None
    is_whole: bool = True


@dataclass(slots=True)
class Step:
    """What one step did; `skipped` counts the beats that went by since the one before because that took longer, `failures` say model, step and why."""

    at: datetime
    batches: list[Batch] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)
    """The rows looked at, by model."""
    events: list[IncidentEvent] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """The models that another process was at."""
    whole: Watched | None = None
    skipped: int = 0
    took_s: float = 0.0

    @property
    def messages(self) -> int:
        """How many messages were sent."""
        return messages_in(self.actions)


def line_of(step: Step) -> str:
    """Return what a step did, in one line.

    >>> from datetime import UTC
    >>> line_of(Step(datetime(2025, 3, 3, 14, 2, tzinfo=UTC), looked={"parcels": 1200}, took_s=0.31))
    '14:02:00 UTC: nothing new; looked at 1,200 rows; 0.3 s'
    """
    rows = sum(b.rows_landed for b in step.batches)
    opened, resolved = (sum(e.event == what for e in step.events) for what in ("opened", "resolved"))
    parts = [
        f"{counted(len(step.batches), 'batch')}, {counted(rows, 'row')} landed" if step.batches else "nothing new",
        f"looked at {counted(sum(step.looked.values()), 'row')}" if step.looked else "",
        "everything brought up to date" if step.whole else "",
        f"{counted(opened, 'incident')} opened" if opened else "",
        f"{counted(resolved, 'incident')} resolved" if resolved else "",
        f"{counted(step.messages, 'message')} sent" if step.messages else "",
        f"{', '.join(step.elsewhere)} left to another process" if step.elsewhere else "",
        f"{counted(step.skipped, 'beat')} left out" if step.skipped else "",
        f"{counted(len(step.failures), 'failure')}" if step.failures else "",
        f"{step.took_s:.1f} s",
    ]
    return f"{step.at:%H:%M:%S} UTC: {'; '.join(filter(None, parts))}"


@dataclass(slots=True)
class _Memory:
    """What a following knows from step to step, all of it bounded by what lies in the inbox; lost, it is found out anew."""

    whole_at: datetime | None = None
    acted_at: datetime | None = None
    is_unsent: bool = False
    files: dict[str, frozenset[tuple[str, Stamp]]] = field(default_factory=dict)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    """The models of which all that was found has been judged; of one that this process has not judged yet, nothing is known."""
    failed: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    fine: set[tuple[str, str]] = field(default_factory=set)


def check_beat(every: timedelta) -> float:
    """Return the seconds between two steps.

    Raises:
        UsageError: nobody could keep such a beat, or ordinary schedules do as much.

    """
    if not SHORTEST <= every <= LONGEST:
        raise UsageError(f"{every.total_seconds():g} s is not between 1 s and 1 h", where="--every", then="Write for example 1m.")
    return every.total_seconds()


def check_clock(home: Home, *, asked: bool = False) -> None:
    """Refuse a clock that stands still, as `asked` for with --now or as the workspace says.

    Raises:
        UsageError: the clock stands still.

    """
    if not asked and home.workspace.now is None:
        return
    where, then = ("--now", "Leave --now out.") if asked else ("watchkeeper.yaml", "Take `now` out of it.")
    raise UsageError("the clock stands still, and a watch that goes on follows one that goes", where=where, then=then)


Show = Callable[[Home, Sequence[str] | None, datetime], object]
"""Brings what people look at up to date, for some models or all, as of a moment."""


def follow(
    home: Home, plan: Plan, pace: Pace, *, told: Callable[[Step], None] = lambda _: None, show: Show = lambda *_: None, spread: Spread = in_turn
) -> int:
    """Take step after step until told to stop, or the time is over; `told` is called after each. Return how many there were.

    `show` is asked for pages when something was found, and should not take long (beside.py).
    A beat that comes while a step goes on is left out: the next step does the work of both.
    """
    memory, began, beat, steps = _Memory(), pace.seconds(), 0, 0
    while True:
        begun = pace.seconds()
        here = round((begun - began) / plan.every_s)
        step, beat = Step(pace.now(), skipped=max(0, here - beat)), here + 1
        _take(home, plan, memory, step, spread)
        _show(home, plan, step, show)
        step.took_s, steps = pace.seconds() - begun, steps + 1
        told(step)
        since = pace.seconds() - began
        wait = plan.every_s - since % plan.every_s
        if (plan.for_s is not None and since + wait >= plan.for_s) or pace.wait(wait):
            return steps


def _take(home: Home, plan: Plan, memory: _Memory, step: Step, spread: Spread) -> None:
    """Take one step; whatever goes wrong in it, the next one comes."""
    try:
        monitors, problems = load_monitors(home, plan.models)
        step.failures += [str(problem) for problem in problems]
        is_whole = plan.is_whole and _is_whole_due(monitors.values(), memory, step.at)
        for monitor in monitors.values():
            _of_model(home, monitor, memory, step, is_judged_after=is_whole)
        if is_whole:
            _whole(home, plan, memory, step, spread)
        elif step.events or memory.is_unsent or memory.acted_at is None or step.at - memory.acted_at >= _ACT_EVERY:
            step.actions += act(home, {m: dated(home, monitor) for m, monitor in monitors.items()}, now=step.at)
            memory.acted_at, memory.is_unsent = step.at, _are_unsent(step.actions)
        if step.batches or step.events:
            tidy(home)
    except Exception as error:  # noqa: BLE001 - a lake that is away for a minute, or a file that is half edited, must not end the watch
        step.failures.append(reason_of(error))


def _whole(home: Home, plan: Plan, memory: _Memory, step: Step, spread: Spread) -> None:
    """Bring everything up to date, and send the metrics where watchkeeper.yaml says, as after any run."""
    step.whole, memory.whole_at = watch(home, plan.models, now=step.at, spread=spread, is_live=True), step.at
    done = step.whole
    step.batches += done.batches
    step.events += done.events
    step.actions += done.actions
    step.failures += [f"{f.model}: {f.operation} failed: {f.reason}" for f in done.failures]
    step.failures += [*done.unevaluated, *(f"{name}: {reason}" for name, reason in done.unread)]
    memory.judged |= set(done.models) - {f.model for f in done.failures}
    memory.acted_at, memory.is_unsent = step.at, _are_unsent(done.actions)
    step.failures += deliver(home, load_monitors(home)[0], now=step.at)


def _show(home: Home, plan: Plan, step: Step, show: Show) -> None:
    if not step.events and step.whole is None:
        return
    try:
        show(home, plan.models, step.at)
    except Exception as error:  # noqa: BLE001 - pages of a while ago are better than no watch
        step.failures.append(reason_of(error))


def _are_unsent(actions: Sequence[Action]) -> bool:
    return any(action.state == "failed" for action in actions)


def _is_whole_due(monitors: Iterable[Monitor], memory: _Memory, now: datetime) -> bool:
    """Tell whether everything is to be brought up to date: at first, every quarter of an hour, and when a window ended a while ago."""
    if memory.whole_at is None or now - memory.whole_at >= WHOLE_EVERY:
        return True
    grids = {grid for monitor in monitors for grid in (monitor.grid, *monitor.promise_grids)}
    return any(grid.at(now - AFTER_A_WINDOW).start > memory.whole_at - AFTER_A_WINDOW for grid in grids)


def _of_model(home: Home, monitor: Monitor, memory: _Memory, step: Step, *, is_judged_after: bool) -> None:
    """Take in, count and look at what is new of one model, and judge it where that shows what was not known, or where what was known may not be judged yet."""
    offered = _offered(home, monitor)
    is_new = offered is _EVERY_FILE or not offered <= memory.files.get(monitor.model, frozenset())
    attempts = _Attempts(home, monitor, memory, step)
    if is_new or memory.counted.get(monitor.model) != (_version(home, Batch), _version(home, Profile)):
        found = _seen(home, monitor, attempts, offered, is_new=is_new)
        if news(home, found, now=step.at):
            memory.judged.discard(monitor.model)
    if monitor.model in memory.judged or monitor.model in step.elsewhere or is_judged_after:
        return
    landed = dated(home, monitor)
    if attempts.made("judge", lambda: step.events.extend(judge(home, {monitor.model: landed}, now=step.at))):
        memory.judged.add(monitor.model)


def _seen(home: Home, monitor: Monitor, attempts: "_Attempts", offered: frozenset[tuple[str, Stamp]] | None, *, is_new: bool) -> list[Look]:
    """Take in and count what is new of one model, unless another process is at it; return what is seen of it."""
    memory, step = attempts.memory, attempts.step
    found: list[Look] = []
    try:
        with lease(home.lake, f"watch:{monitor.model}", wait_s=0.0):
            if is_new and attempts.made("ingest", lambda: step.batches.extend(ingest(home, monitor, now=step.at))) and offered is not _EVERY_FILE:
                memory.files[monitor.model] = offered
            landed, batches = dated(home, monitor), _version(home, Batch)  # what others land from here on is of the next step
            if attempts.made("profile", lambda: profile(home, landed, now=step.at, counts_alone=True)):
                parts = _version(home, Profile)
                if attempts.made("look", lambda: found.extend(look(home, landed, now=step.at))):
                    memory.counted[monitor.model] = batches, parts
    except LeaseHeldError:
        step.elsewhere.append(monitor.model)
    step.looked |= {one.model: one.n for one in found if one.metric == "rows"}
    return found


def _offered(home: Home, monitor: Monitor) -> frozenset[tuple[str, Stamp]] | None:
    """Return the files that a model's sources offer, as they now are; None where it cannot be told without reading, as of a database."""
    places = list(monitor.places.values())
    if any(place.sql is not None for place in places):
        return _EVERY_FILE
    patterns = [p for p in (monitor.reference.files, *(place.files for place in places)) if p is not None]
    try:
        found = {(place_of(home, file), stamp(file) or Stamp(-1, None)) for pattern in patterns for file in discover(home, pattern)}
    except Exception:  # noqa: BLE001 - intake says what is wrong with a source
        return _EVERY_FILE
    return frozenset(found) if all(known.modified_at is not None for _, known in found) else _EVERY_FILE


def _version(home: Home, record: type[Batch | Profile]) -> int:
    """Return the state of the table that says what landed, or of that which says what was counted: while they stay there is nothing to do."""
    found = home.lake.table(record.TABLE)
    return found.version() if found else -1


@dataclass(frozen=True, slots=True)
class _Attempts:
    """Steps for one model; a failure is kept as a run when it is new, and every quarter of an hour while it lasts."""

    home: Home
    monitor: Monitor
    memory: _Memory
    step: Step

    def made(self, operation: str, attempt: Callable[[], object]) -> bool:
        """Tell whether something was done; where not, the reason is kept."""
        name, now = (self.monitor.model, operation), self.step.at
        try:
            attempt()
        except Exception as error:  # noqa: BLE001 - whatever one model's data does must not stop the others
            reason = reason_of(error)
            self.step.failures.append(f"{self.monitor.model}: {operation} failed: {reason}")
            before, at = self.memory.failed.get(name, ("", now))
            if before != reason or now - at >= _TELL_AGAIN:
                failed(self.home, [self.monitor], operation, reason, now=now)
                self.memory.failed[name] = reason, now
            self.memory.fine.discard(name)
            return False
        if name not in self.memory.fine:  # also one that failed before this process began
            recovered(self.home, [self.monitor], operation, now=now)
            self.memory.fine.add(name)
            self.memory.failed.pop(name, None)
        return True
