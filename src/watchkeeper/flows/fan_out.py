"""One task per model inside one flow run, or one for all: what fails for one model leaves the others alone.

Belongs here: running tasks, having what failed kept, and the flow run's last word. Does not: what the tasks do (the flows'
own files), or how a failure is kept (operations/failures.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.flows.selection import Selection
from watchkeeper.operations.failures import failed, reason_of, recovered

if TYPE_CHECKING:
    from prefect import State, Task
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

RETRIES = 2
RETRY_AFTER_S: list[float] = [15, 60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one model, or of one step for all models, in this run: a value, or the reason why there is none."""

    about: str
    value: Any = None
    failure: str = ""


def threads(at_once: int) -> "TaskRunner[PrefectFuture[Any]]":
    """Return a runner of so many tasks at once, in threads: the heavy work is outside Python and runs side by side."""
    from prefect.task_runners import ThreadPoolTaskRunner

    return cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner(max_workers=at_once))


def may_help(_task: Any, _run: Any, state: Any) -> bool:
    """Tell whether another attempt may help: a mistake in a file or a parameter stays one."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, ConfigurationError | UsageError)


def fan_out(task: "Task[..., Any]", selection: Selection, operation: str, **arguments: Any) -> list[Outcome]:
    """Run a task for every model of the selection; return what became of each, which the lake keeps too."""
    from prefect import unmapped

    models = list(selection.monitors)
    same = {"root": selection.home.root, "now": selection.now, **arguments}
    shared: dict[str, Any] = {name: unmapped(value) for name, value in same.items()}
    futures: list[Any] = task.map(models, **shared) if models else []
    for future in futures:
        future.wait()
    outcomes = [_outcome(model, future.state) for model, future in zip(models, futures, strict=True)]
    for outcome in outcomes:
        _keep(selection, operation, outcome.failure, [outcome.about])
    return outcomes


def together(task: "Task[..., Any]", selection: Selection, operation: str, **arguments: Any) -> Outcome:
    """Run a task for all models of the selection at once; return what became of it, which the lake keeps too."""
    models = list(selection.monitors)
    state: Any = task(models, root=selection.home.root, now=selection.now, return_state=True, **arguments)
    outcome = _outcome(operation, state)
    _keep(selection, operation, outcome.failure, models)
    return outcome


def conclude(selection: Selection, outcomes: Sequence[Outcome], done: str) -> "State[Any]":
    """Return the flow run's last word: failed when anything failed or a monitor file could not be read, naming each."""
    from prefect.states import Completed, Failed

    everything = [*outcomes, *(Outcome(about=p.model, failure=str(p)) for p in selection.problems)]
    failures = [o for o in everything if o.failure]
    if not failures:
        return Completed(message=done)
    of_all = f"{len({o.about for o in failures})} of {len({o.about for o in everything})}"
    return Failed(message=f"{of_all} failed, the others are done. {'; '.join(f'{o.about}: {o.failure}' for o in failures)}")


def _outcome(about: str, state: Any) -> Outcome:
    if state.is_completed():
        return Outcome(about=about, value=state.result())
    error = state.result(raise_on_failure=False)
    return Outcome(about=about, failure=reason_of(error) if isinstance(error, BaseException) else state.message or state.name)


def _keep(selection: Selection, operation: str, failure: str, models: Sequence[str]) -> None:
    monitors = [selection.monitors[m] for m in models]
    if failure:
        failed(selection.home, monitors, operation, failure, now=selection.now)
    else:
        recovered(selection.home, monitors, operation, now=selection.now)
