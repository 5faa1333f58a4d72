"""Pieces of a scan as tasks of Prefect's own task runners: threads, or Dask where watchkeeper.yaml says `tasks: dask`.

Belongs here: choosing and starting the runner. Does not: what a piece is or does (operations/), or a cluster of our own.
A piece is sent with all it needs: a Dask worker needs the package and a way to the lake, and neither files nor a clock.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from os import cpu_count
from threading import Lock
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.operations.spread import AT_ONCE, Spread, ahead, apart, in_turn
from watchkeeper.workspace import Workspace

if TYPE_CHECKING:
    from prefect.futures import PrefectWrappedFuture
    from prefect_dask import DaskTaskRunner


class Sealed:
    """A piece that neither Prefect nor Dask looks into: both take records and tuples apart in search of futures."""

    def __init__(self, piece: Any) -> None:
        """Seal it."""
        self.piece = piece


@task(task_run_name="{what}-{name}", cache_policy=NO_CACHE)
def do_piece(what: str, name: str, work: Callable[[Any], Any], sealed: Sealed) -> Any:  # noqa: ARG001 - the first two name the task run
    """Do one piece; the task of its model is what tries again, and goes on where it stood."""
    return work(sealed.piece)


_ANSWERS_WITHIN_S, _WORKERS_WITHIN_S = 5, 120
_HERE: ContextVar[Spread] = ContextVar("spread", default=in_turn)


@contextmanager
def tasks_of(home: Home) -> Iterator[None]:
    """Have the pieces of tasks that the body runs spread by the task runner that a workspace asks for.

    A cluster of our own is begun by the first piece, and ends with the body.
    """
    spread = _Dask(home.workspace) if home.workspace.tasks == "dask" else _Threads()
    with spread.runner:
        token = _HERE.set(spread)
        try:
            yield
        finally:
            _HERE.reset(token)


def spread_here() -> Spread:
    """Return how pieces are spread where a task runs; it is no parameter of the task, since those are sent along with each piece."""
    return _HERE.get()


class _Threads:
    """A spread over threads of this process."""

    def __init__(self) -> None:
        """Take a thread a processor."""
        self.at_once = min(cpu_count() or 1, AT_ONCE)
        self.runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=self.at_once)

    def __call__(self, what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
        """Do several pieces side by side, a single one here."""
        if len(pieces) < 2:  # noqa: PLR2004
            return in_turn(what, work, pieces)
        return ahead(lambda piece: _Begun(self.runner.submit(do_piece, _given(what, work, apart(piece)))), pieces, self.at_once)


class _Dask:
    """A spread over the workers of a Dask cluster."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the cluster that the workspace names, else one on this machine, a process a processor."""
        self.scheduler = workspace.dask.scheduler
        self.workers = workspace.dask.workers or cpu_count() or 1
        self.runner = _dask_runner(self.scheduler, self.workers)
        self._beginning = Lock()

    def __call__(self, what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
        """Do every piece on the cluster; a single one is not worth a cluster of its own and is done here."""
        if not pieces or (len(pieces) == 1 and not self.scheduler):
            return in_turn(what, work, pieces)
        at_once = self._at_once()
        return ahead(lambda piece: _Begun(self.runner.submit(do_piece, _given(what, work, self._sent(piece)))), pieces, at_once)

    def _at_once(self) -> int:
        """Return how many pieces the cluster does at once; begin it, of several models' threads once.

        Raises:
            ConfigurationError: no scheduler answers.

        """
        try:
            with self._beginning:
                client = self.runner.client
                client.wait_for_workers(1, timeout=_WORKERS_WITHIN_S)
                cores: dict[str, int] = client.ncores()
                return max(1, sum(cores.values()))
        except OSError as error:
            message = f"no Dask scheduler with workers answers ({error or type(error).__name__})"
            raise ConfigurationError(message, where=self.scheduler or "dask", then="See `dask.scheduler` in watchkeeper.yaml.") from error

    def _sent(self, piece: Any) -> Any:
        """Return a piece as it is sent: workers on this machine share its memory."""
        if self.scheduler:
            return piece
        less = piece.home.workspace.model_copy(update={"memory_limit": piece.home.memory_bytes // self.workers})
        return dataclasses.replace(piece, home=Home(piece.home.root, less))


@dataclass(frozen=True, slots=True)
class _Begun:
    """A piece that was begun: Prefect's future knows its state, the one it wraps can be cancelled."""

    future: "PrefectWrappedFuture[Any, Any]"

    def result(self) -> Any:
        """Wait for what comes of it."""
        return self.future.result()

    def cancel(self) -> None:
        """Have it not done any more, where it has not begun."""
        self.future.wrapped_future.cancel()


def _given(what: str, work: Callable[[Any], Any], piece: Any) -> dict[str, Any]:
    return {"what": what, "name": piece.name, "work": work, "sealed": Sealed(piece)}


def _dask_runner(scheduler: str | None, workers: int) -> "DaskTaskRunner":
    """Return Prefect's runner for Dask.

    Raises:
        ConfigurationError: it is not installed.

    """
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        then = "Install watchkeeper[dask], or leave `tasks` out to scan in threads."
        raise ConfigurationError("`tasks: dask` needs prefect-dask", where="watchkeeper.yaml", then=then) from error
    if scheduler:
        return DaskTaskRunner(address=scheduler, client_kwargs={"timeout": _ANSWERS_WITHIN_S})
    return DaskTaskRunner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, "memory_limit": None, "dashboard_address": None})
