"""What surrounds the models on this machine: installed versions, the lake's address, a server's answer, disk and clock.

Belongs here: looking, with short waits, and saying what was seen. Does not: judging it or how to mend it (operations/doctor.py).
"""

import shutil
import tempfile
import urllib.error
import urllib.request
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
import pyarrow as pa

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError
from watchkeeper.spelling import is_remote

_QUICKLY = {"timeout": "5s", "connect_timeout": "3s", "max_retries": "0", "retry_timeout": "5s"}
_PROBE = "doctor"


def wanted() -> dict[str, str]:
    """Return package -> the versions that this version of Watchkeeper asks for, such as `<4`."""
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in requires("watchkeeper") or []]
    return {r.name: str(r.specifier) for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})}


def installed(package: str) -> str | None:
    """Return the installed version of a package, None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def suits(found: str, specifier: str) -> bool:
    """Tell whether a version is one that was asked for.

    >>> suits("3.26.2", "<4"), suits("4.0.0", "<4")
    (True, False)
    """
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(found, prereleases=True)


def try_lake(lake: Lake, now: datetime) -> tuple[str, datetime | None]:
    """Write to the lake, read it back, and have a stale commit refused; return what went wrong and the file's time.

    The text is empty when all is well; the time is None where the lake is not a folder. What was written is removed.
    """
    options = {**_QUICKLY, **lake.options} if lake.options is not None else None
    is_folder = not is_remote(lake.address)
    if is_folder:
        Path(lake.address).mkdir(parents=True, exist_ok=True)
    address = tempfile.mkdtemp(prefix=".doctor-", dir=lake.address) if is_folder else lake.address
    try:
        wrong = _write_read_refuse(Lake(address, options), now)
        newest = max((p.stat().st_mtime for p in Path(address).rglob("*.parquet")), default=None) if is_folder else None
    finally:
        if is_folder:
            shutil.rmtree(address, ignore_errors=True)
    return wrong, None if newest is None else datetime.fromtimestamp(newest, UTC)


def _write_read_refuse(lake: Lake, now: datetime) -> str:
    row = pa.table({"at": pa.array([now], pa.timestamp("us", "UTC"))})
    seen = lake.version(_PROBE, _PROBE)
    lake.append(_PROBE, row, guard=(_PROBE, seen))
    found = lake.read(_PROBE)
    if found is None or now not in found["at"].to_pylist():
        return "what was written could not be read back"
    try:
        Lake(lake.address, lake.options).append(_PROBE, row, guard=(_PROBE, seen))
    except ConflictError:
        lake.compact(_PROBE)
        lake.vacuum(_PROBE, keep_hours=0)
        return ""
    return "a commit on a stale read was accepted, so two runs at once could do things twice"


def answers(address: str, *, timeout_s: float = 3.0) -> str:
    """Return why an address does not answer with success; empty when it does."""
    if not address.startswith(("http://", "https://")):
        return "it is no http address"
    try:
        with urllib.request.urlopen(address, timeout=timeout_s) as answer:  # noqa: S310 - only http, checked above
            return "" if answer.status == HTTPStatus.OK else f"it answered {answer.status}"
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except (OSError, ValueError) as error:
        return f"no answer ({getattr(error, 'reason', error)})"


def free_space(folder: Path) -> tuple[int, float]:
    """Return the free bytes and the free share of the disk that holds a folder."""
    usage = psutil.disk_usage(str(folder))
    return usage.free, usage.free / usage.total
