"""One task per model inside one flow run: what fails for one model leaves the others alone.

Belongs here: mapping a task over models and the flow run's last word. Does not: what the tasks do (the flows' own files).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.flows.selection import Selection

if TYPE_CHECKING:
    from prefect import State, Task
    from prefect.futures import PrefectFuture
    from prefect.task_runners import TaskRunner

RETRIES = 2
RETRY_AFTER_S: list[float] = [15, 60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one model in this run: a value, or the reason why there is none."""

    model: str
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


def fan_out(task: "Task[..., Any]", selection: Selection, **arguments: Any) -> list[Outcome]:
    """Run a task for every model of the selection and return all outcomes, those of unreadable monitor files among them."""
    from prefect import unmapped

    models = list(selection.monitors)
    same = {"root": selection.home.root, "now": selection.now, **arguments}
    shared: dict[str, Any] = {name: unmapped(value) for name, value in same.items()}
    futures: list[Any] = task.map(models, **shared) if models else []
    done = [_outcome(model, future) for model, future in zip(models, futures, strict=True)]
    return done + [Outcome(model=p.model, failure=str(p)) for p in selection.problems]


def conclude(outcomes: Sequence[Outcome], done: str) -> "State[Any]":
    """Return the flow run's last word: failed when any model failed, naming each."""
    from prefect.states import Completed, Failed

    failed = [o for o in outcomes if o.failure]
    if not failed:
        return Completed(message=done)
    named = "; ".join(f"{o.model}: {o.failure}" for o in failed)
    return Failed(message=f"{len(failed)} of {len({o.model for o in outcomes})} failed, the others are done. {named}")


def _outcome(model: str, future: Any) -> Outcome:
    future.wait()
    if future.state.is_completed():
        return Outcome(model=model, value=future.state.result())
    error = future.state.result(raise_on_failure=False)
    return Outcome(model=model, failure=str(error) or future.state.message or future.state.name)
