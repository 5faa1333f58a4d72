"""Commands that bring the schedules to life: `up` starts everything on this machine, `deploy` uses a Prefect you have.

Belongs here: the order in which things start and end, and what is said meanwhile. Does not: how each is started
(adapters/prefect_server.py, processes.py, pages_server.py) or deployed (adapters/deployments.py).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from watchkeeper.adapters.pages_server import serving
from watchkeeper.adapters.prefect_server import PAGES_VARIABLE, PrefectServer, choose_port, prefect_folder
from watchkeeper.adapters.processes import Child, Family
from watchkeeper.adapters.workspace import Home
from watchkeeper.cli.frame import HomeOption, open_home
from watchkeeper.cli.output import say
from watchkeeper.errors import UsageError, WatchkeeperError

_PREFECT_PORT, _PAGES_PORT = 4200, 4300
_START_S, _DEPLOY_S, _SERVER_GRACE_S = 180.0, 180.0, 10.0
_SAY_EVERY_S = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ResetOption = Annotated[
    bool, typer.Option("--reset-schedules", help="Put the schedules of deployments/prefect.yaml back, also where people changed them.")
]


class Stop(threading.Event):
    """Set by the first signal to stop; counts them."""

    count = 0

    def is_urgent(self) -> bool:
        """Tell whether somebody pressed Ctrl-C again."""
        return self.count > 1

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        self.count += 1
        self.set()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example: watchkeeper up --port 4200 --pages-port 4300")(up)
    app.command(epilog="Example: PREFECT_API_URL=http://prefect:4200/api watchkeeper deploy")(deploy)


def up(
    ctx: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help=f"Port of Prefect and its UI; else the first free one from {_PREFECT_PORT}.", show_default=False),
    ] = None,
    pages_port: Annotated[
        int | None,
        typer.Option("--pages-port", metavar="PORT", help=f"Port of the pages; else the first free one from {_PAGES_PORT}.", show_default=False),
    ] = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run the flows on this machine.")] = True,
    reset_schedules: ResetOption = False,
    grace: Annotated[float, typer.Option("--grace", metavar="SECONDS", help="Seconds that a flow in progress is given to finish at the end.")] = 30.0,
    home: HomeOption = None,
) -> None:
    """Start Prefect with its UI, a worker, all schedules and the pages on this machine, until Ctrl-C or SIGTERM."""
    place = open_home(ctx, home)
    with _only_one(place), _told_to_stop() as stop:
        server = PrefectServer(place, choose_port(port, _PREFECT_PORT, "--port"))
        family = Family()
        try:
            if place.standing:
                say(place.standing)
            with serving(place.site_dir, choose_port(pages_port, _PAGES_PORT, "--pages-port")) as pages:
                _start(server, family, pages, stop, worker=worker, reset_schedules=reset_schedules)
                _watch(family, stop)
        finally:
            _end(family, stop, grace)


def deploy(ctx: typer.Context, *, reset_schedules: ResetOption = False, home: HomeOption = None) -> None:
    """Deploy the flows of deployments/prefect.yaml to the Prefect that PREFECT_API_URL names; schedules that people changed stay."""
    from watchkeeper.adapters.deployments import deploy_all

    place = open_home(ctx, home)
    for deployed in deploy_all(place, reset_schedules=reset_schedules):
        say(str(deployed))


def _start(server: PrefectServer, family: Family, pages: str, stop: Stop, *, worker: bool, reset_schedules: bool) -> None:
    say(f"Starting Prefect for {server.home.root} (about half a minute the first time).")
    child = server.start(family)
    _wait(server.is_healthy, "Prefect is starting", child, stop, seconds=_START_S)
    if not stop.is_set():
        _prepare(server, pages)
        _deploy(server, family, stop, reset_schedules=reset_schedules)
    if worker and not stop.is_set():
        server.start_worker(family)
    if not stop.is_set():
        say(_addresses(server, pages, has_worker=worker))


def _prepare(server: PrefectServer, pages: str) -> None:
    server.remember(PAGES_VARIABLE, pages)
    lost = server.settle_lost_runs()
    if lost:
        say(f"{lost} run(s) had been cut off by an earlier end and are marked as crashed; the next ones catch up.")


def _deploy(server: PrefectServer, family: Family, stop: Stop, *, reset_schedules: bool) -> None:
    child = server.start_deploying(family, reset_schedules=reset_schedules)
    _wait(lambda: not child.is_running, "Deploying the flows", child, stop, seconds=_DEPLOY_S)
    if child.is_running:
        return
    family.children.remove(child)
    if child.process.returncode != 0:
        raise WatchkeeperError(f"the flows could not be deployed:\n{child.last_lines()}", where=str(child.log))
    say(child.last_lines(20))


def _wait(is_done: Callable[[], bool], doing: str, child: Child, stop: Stop, *, seconds: float) -> None:
    """Wait until something is done, saying every few seconds that we do."""
    started = said = time.monotonic()
    while not stop.is_set() and not is_done():
        if not child.is_running and not is_done():
            raise WatchkeeperError(f"the {child.name} ended by itself:\n{child.last_lines()}", where=str(child.log))
        if time.monotonic() - started > seconds:
            raise WatchkeeperError(
                f"the {child.name} did not answer within {seconds:.0f} seconds", where=str(child.log), then="Read that log, then try again."
            )
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            say(f"  {doing}: {said - started:.0f} s")
        stop.wait(0.2)


def _watch(family: Family, stop: Stop) -> None:
    """Wait for the signal to stop; a child that ends by itself is an error."""
    while not stop.wait(0.5):
        gone = family.ended()
        if gone is not None:
            raise WatchkeeperError(
                f"the {gone.name} ended by itself:\n{gone.last_lines()}",
                where=str(gone.log),
                then="Everything was stopped; run `watchkeeper up` again.",
            )


def _end(family: Family, stop: Stop, grace: float) -> None:
    """End the worker first, so that a flow in progress can finish, or at least tell the server how it ended."""
    if not family.children:
        return
    say("Stopping.")
    for child in [c for c in family.children if c.name != "server"]:
        if family.is_busy(child):
            say(f"  Flows in progress have {grace:.0f} s to finish; Ctrl-C ends them now.")
        if not family.drain(child, grace_s=grace, in_a_hurry=stop.is_urgent):
            say("  Some did not finish and were ended; the next runs catch up.")
        family.end(child, grace_s=_SERVER_GRACE_S, in_a_hurry=stop.is_urgent)
    family.end_all(grace_s=_SERVER_GRACE_S)
    say("Stopped.")


def _addresses(server: PrefectServer, pages: str, *, has_worker: bool) -> str:
    doing = "Flows run on this machine" if has_worker else "No worker was started, so nothing runs until one is"
    return f"\nPrefect  {server.ui}\nPages    {pages}\nLogs     {server.folder / 'logs'}\n\n{doing}. Ctrl-C stops everything."


@contextmanager
def _told_to_stop() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(home: Home) -> Iterator[None]:
    """Hold the workspace for one `up`; the kernel lets go of it when we end in whatever way."""
    import fcntl

    folder = prefect_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError("`watchkeeper up` is running already", where=str(home.root), then="Use that one, or end it first.") from error
        yield
