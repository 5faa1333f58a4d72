"""Looks at everything around the models that must work, and says how to mend what does not.

Belongs here: what is well, what is odd, what is broken, and the next step. Does not: the looking (adapters/machine.py), or
mistakes in files (check.py). Each look stands alone, so that one failure never hides another.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchkeeper.adapters import connections, databases, machine, nvml, slack, stored_files
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import DeliveryError, WatchkeeperError
from watchkeeper.operations.latency_units import latency_doubts
from watchkeeper.operations.lost import lost_tables
from watchkeeper.operations.unlooked import MEND, unlooked_text
from watchkeeper.words import counted, percent

State = Literal["ok", "warn", "fail"]

SILENT: dict[str, str] = {
    "fastapi": "with a newer one the Prefect server does not start",
    "sqlalchemy": "with a newer one Prefect never creates a scheduled run",
    "pandas": "with a newer one no Evidently report can be made",
    "marshmallow": "with a newer one a validation run crashes",
    "plotly": "with a newer one no Evidently report can be made",
    "duckdb": "with an older one files written by a newer one cannot be opened",
    "prefect": "with another one the pins beside it may be wrong",
    "great-expectations": "with another one the DuckDB dialect may not fit",
    "evidently": "with another one the reports may not fit",
}
"""Packages that fail silently, or far from the cause, when another version is installed, and how."""

_PYTHONS = ((3, 11), (3, 15))
_SKEW = timedelta(minutes=1)
_LITTLE_BYTES, _SOME_BYTES = 1e9, 5e9


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at: well, odd or broken, and how to mend it."""

    state: State
    subject: str
    what: str
    mend: str = ""


def examine(home: Home | None, *, settings: Settings, now: datetime, broken: str = "") -> list[Diagnosis]:
    """Return a diagnosis of each thing; `broken` says why there is no `home`."""
    looks: list[tuple[str, Callable[[], Iterator[Diagnosis]]]] = [
        ("versions", lambda: _versions(machine.wanted())),
        ("prefect", lambda: _prefect(settings)),
        ("slack", lambda: _slack(settings)),
        ("gpu", _gpu),
    ]
    if home is None:
        looks.insert(0, ("workspace", lambda: iter([Diagnosis("fail", "workspace", broken)])))
        looks.append(("disk", lambda: _disk(Path.cwd())))
    else:
        looks[:0] = [("workspace", lambda: _workspace(home)), ("lake", lambda: _lake(home, now)), ("tables", lambda: _tables(home))]
        looks += [("connections", lambda: _connections(home, settings)), ("stores", lambda: _stores(home))]
        looks += [("latency", lambda: _latencies(home, now)), ("newest rows", lambda: _unlooked(home, now))]
        looks += [("clock", lambda: _zones(home)), ("disk", lambda: _disk(home.root))]
    return [diagnosis for subject, look in looks for diagnosis in _safely(subject, look)]


def _safely(subject: str, look: Callable[[], Iterator[Diagnosis]]) -> list[Diagnosis]:
    """Return what a look says; one that itself breaks is a failure with its reason."""
    try:
        return list(look())
    except Exception as error:  # noqa: BLE001 - a doctor who faints helps nobody; whatever it was is told
        return [Diagnosis("fail", subject, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")]


def _workspace(home: Home) -> Iterator[Diagnosis]:
    monitors, problems = load_monitors(home)
    if problems:
        yield Diagnosis(
            "fail",
            "workspace",
            f"{counted(len(problems), 'mistake')} in monitor files; the first: {problems[0]}",
            "run `watchkeeper check` and correct what it names",
        )
    else:
        yield Diagnosis("ok", "workspace", f"{home.root}, {counted(len(monitors), 'monitor')}")
    if home.standing:
        yield Diagnosis("warn", "workspace", home.standing, "remove `now` from watchkeeper.yaml to watch as time goes")


def _versions(wanted: dict[str, str]) -> Iterator[Diagnosis]:
    python = ".".join(map(str, sys.version_info[:3]))
    if _PYTHONS[0] <= sys.version_info[:2] < _PYTHONS[1]:
        yield Diagnosis("ok", "python", python)
    else:
        yield Diagnosis("fail", "python", f"{python} is not supported", "use Python 3.11 to 3.14")
    for package, harm in SILENT.items():
        yield _version(package, wanted.get(package, ""), harm)


def _version(package: str, specifier: str, harm: str) -> Diagnosis:
    found = machine.installed(package)
    mend = f'pip install "{package}{specifier}"'
    if found is None:
        return Diagnosis("fail", package, "is not installed", mend)
    if not machine.suits(found, specifier):
        return Diagnosis("fail", package, f"{found} is not {specifier}: {harm}", mend)
    return Diagnosis("ok", package, found)


def _lake(home: Home, now: datetime) -> Iterator[Diagnosis]:
    try:
        wrong, written_at = machine.try_lake(home.lake, now)
    except Exception as error:  # noqa: BLE001 - object stores raise what they like
        said = error.strerror if isinstance(error, OSError) else None
        wrong, written_at = f"cannot be written ({said or ' '.join(str(error).split())[:300]})", None
    if wrong:
        yield Diagnosis(
            "fail",
            "lake",
            f"{home.lake.address}: {wrong}",
            "check the address in watchkeeper.yaml, its permissions, and for object stores the credentials in the environment",
        )
    else:
        yield Diagnosis("ok", "lake", f"{home.lake.address}: written, read back, a stale commit was refused")
    if written_at is not None:
        yield _skew(written_at, now)


def _tables(home: Home) -> Iterator[Diagnosis]:
    """Say which tables are gone although others say what was written to them."""
    gone = list(lost_tables(home, load_monitors(home)[0]))
    yield from (Diagnosis("warn" if lost.is_derived else "fail", f"table {lost.table}", lost.what, lost.mend) for lost in gone)
    if not gone:
        yield Diagnosis("ok", "tables", "none is gone of those that others speak of")


def _skew(written_at: datetime, now: datetime) -> Diagnosis:
    off = abs(written_at - now)
    if off > _SKEW:
        return Diagnosis("fail", "clock", f"the lake's files are {off.total_seconds():.0f} s off this machine's clock", "synchronise both by NTP")
    return Diagnosis("ok", "clock", f"{off.total_seconds():.1f} s off the lake's files")


def _connections(home: Home, settings: Settings) -> Iterator[Diagnosis]:
    """Ask every database that a monitor names."""
    for name in sorted({place.connection for m in load_monitors(home)[0].values() for place in m.places.values() if place.connection}):
        subject = f"connection {name}"
        try:
            connection = connections.find(name, settings)
            databases.answers(connection)
        except WatchkeeperError as error:
            yield Diagnosis("fail", subject, error.what, error.then)
        else:
            yield Diagnosis("ok", subject, f"{connection.place} answers; its address is in {connection.origin}")


def _stores(home: Home) -> Iterator[Diagnosis]:
    """List what the globs of object stores name."""
    monitors = load_monitors(home)[0].values()
    globs = {place.files for m in monitors for place in m.places.values()} | {m.reference.files for m in monitors}
    for glob in sorted(g for g in globs if g and stored_files.is_address(g)):
        try:
            found = stored_files.listed(glob)
        except WatchkeeperError as error:
            yield Diagnosis("fail", glob, error.what, error.then)
        else:
            yield Diagnosis("ok", glob, counted(len(found), "object"))


def _latencies(home: Home, now: datetime) -> Iterator[Diagnosis]:
    """Say which models log latencies in another unit than their monitor says, or ones that are none."""
    for model, monitor in sorted(load_monitors(home)[0].items()):
        for said in latency_doubts(home, monitor, now=now):
            yield Diagnosis("warn", f"latency of {model}", said, "see docs/service.md, Which columns to log")


def _unlooked(home: Home, now: datetime) -> Iterator[Diagnosis]:
    """Say of which models nobody looks at the newest rows any more."""
    for model, monitor in sorted(load_monitors(home)[0].items()):
        if asleep := unlooked_text(home, monitor, now=now):
            yield Diagnosis("warn", f"newest rows of {model}", asleep, MEND)


def _zones(home: Home) -> Iterator[Diagnosis]:
    zones = sorted({home.workspace.timezone, *(m.timezone for m in load_monitors(home)[0].values())})
    missing = [zone for zone in zones if not _is_known(zone)]
    if missing:
        yield Diagnosis("fail", "time zones", f"no data for {', '.join(missing)}", "pip install tzdata")
    else:
        yield Diagnosis("ok", "time zones", ", ".join(zones))


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _prefect(settings: Settings) -> Iterator[Diagnosis]:
    if not settings.prefect_api_url:
        yield Diagnosis("ok", "prefect server", "none is named by PREFECT_API_URL; `watchkeeper up` starts its own")
        return
    address = settings.prefect_api_url.rstrip("/")
    if wrong := machine.answers(f"{address}/health"):
        yield Diagnosis("fail", "prefect server", f"{_public(address)}: {wrong}", "start it, or correct PREFECT_API_URL")
    else:
        yield Diagnosis("ok", "prefect server", f"{_public(address)} answers")


def _slack(settings: Settings) -> Iterator[Diagnosis]:
    if settings.slack_bot_token:
        try:
            yield Diagnosis("ok", "slack", f"the token belongs to {slack.check(settings)}")
        except DeliveryError as error:
            yield Diagnosis("fail", "slack", str(error), "check SLACK_BOT_TOKEN and the way to Slack")
    elif settings.slack_webhook_url:
        yield Diagnosis("ok", "slack", "a webhook is configured; it is not tried, since that would post a message")
    else:
        yield Diagnosis(
            "warn", "slack", "is not configured: messages are written to warehouse/outbox and printed", "set SLACK_BOT_TOKEN, or SLACK_WEBHOOK_URL"
        )


def _gpu() -> Iterator[Diagnosis]:
    with nvml.gpus() as found:
        lost = [f"{device}: {why}" for device, why in found.lost().items()]
        if lost:
            yield Diagnosis("fail", "gpu", "; ".join(lost), "look at nvidia-smi and the kernel's log")
        elif found.devices:
            yield Diagnosis("ok", "gpu", f"{counted(len(found.devices), 'device')} {'answers' if len(found.devices) == 1 else 'answer'}")
        else:
            yield Diagnosis("ok", "gpu", f"none here: {found.why_none}")


def _disk(folder: Path) -> Iterator[Diagnosis]:
    free, share = machine.free_space(folder)
    state: State = "fail" if free < _LITTLE_BYTES else "warn" if free < _SOME_BYTES else "ok"
    mend = "" if state == "ok" else "free some space, or move the lake: a full disk stops intake"
    yield Diagnosis(state, "disk", f"{free / 1e9:.1f} GB free, {percent(share)}", mend)


def _public(address: str) -> str:
    """Return an address without the user and password that may stand in it."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
