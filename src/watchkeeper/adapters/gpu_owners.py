"""Whose a process on a GPU is: the model it serves, by the process, by its container, or by what its environment says.

Belongs here: rules, and what the system tells of a process. Does not: which processes there are (nvml_processes.py, dcgm.py), or how a
GPU's time is split between them. Of a process the program's name is kept, of its environment four variables; arguments and the rest
of the environment are looked at, and kept nowhere.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import psutil

from watchkeeper.errors import UsageError

_CONTAINER = re.compile(r"\b[0-9a-f]{64}\b")
_POD = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """Processes or containers that fit a shell pattern serve a model."""

    model: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who uses a GPU, as far as it is known."""

    name: str = ""
    model: str = ""
    version: str = ""
    team: str = ""
    purpose: str = "serving"
    attributed_by: str = ""


def rules(texts: Iterable[str], *, option: str) -> list[Rule]:
    """Return what `MODEL=PATTERN` says, one rule a text.

    >>> rules(["parcels=*serve_parcels*"], option="--process")
    [Rule(model='parcels', pattern='*serve_parcels*')]

    Raises:
        UsageError: a text says no model or no pattern.

    """
    found = [Rule(model.strip(), pattern.strip()) for model, _, pattern in (text.partition("=") for text in texts)]
    for text, rule in zip(texts, found, strict=True):
        if not rule.model or not rule.pattern:
            raise UsageError(f"{text!r} does not say MODEL=PATTERN", where=option, then=f"Write for example {option} 'parcels=*serve_parcels*'.")
    return found


class Owners:
    """Tells whose processes and containers are; the first rule that fits counts, and rules come before the environment."""

    def __init__(self, *, processes: Sequence[Rule] = (), containers: Sequence[Rule] = ()) -> None:
        """Take the rules about programs and command lines, and those about containers, pods and their names."""
        self._processes, self._containers = processes, containers
        self._known: dict[int, tuple[float, Owner]] = {}

    def of(self, pid: int) -> Owner:
        """Return whose a process of this host is; of one that is gone, or of another user, what can be known."""
        try:
            process = psutil.Process(pid)
            began = process.create_time()
            known = self._known.get(pid)
            if known is None or known[0] != began:
                known = self._known[pid] = (began, self._find(process))
            return known[1]
        except psutil.Error:
            self._known.pop(pid, None)
            return Owner()

    def of_container(self, name: str, names: Sequence[str]) -> Owner:
        """Return whose a container is that has these names; `name` is the one to keep."""
        model = _fitting(self._containers, names)
        return Owner(name=name, model=model, attributed_by="container" if model else "")

    def forget_all_but(self, pids: Iterable[int]) -> None:
        """Drop what is known of processes that use no GPU any more."""
        alive = set(pids)
        self._known = {pid: known for pid, known in self._known.items() if pid in alive}

    def _find(self, process: psutil.Process) -> Owner:
        name = process.name()
        said = _allowed(process)
        own = Owner(
            name=name,
            model=said.get("WATCHKEEPER_MODEL", ""),
            version=said.get("WATCHKEEPER_VERSION", ""),
            team=said.get("WATCHKEEPER_TEAM", ""),
            purpose="training" if said.get("WATCHKEEPER_PURPOSE", "").lower() == "training" else "serving",
        )
        by_process = _fitting(self._processes, [name, _command_line(process)]) if self._processes else ""
        by_container = "" if by_process or not self._containers else _fitting(self._containers, _names(process.pid, said))
        model = by_process or by_container
        if not model:
            return replace(own, attributed_by="environment" if own.model else "")
        version = own.version if own.model in ("", model) else ""  # that of another model
        return replace(own, model=model, version=version, attributed_by="process" if by_process else "container")


def container_names(cgroup: str) -> list[str]:
    """Return the ids of container and pod in a process's /proc/PID/cgroup, none outside of containers.

    >>> container_names("0::/kubepods.slice/kubepods-pod0a1b2c3d_0a1b_0a1b_0a1b_0a1b2c3d4e5f.slice/cri-containerd-" + "ab" * 32 + ".scope")[1]
    '0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f'
    """
    return [*_CONTAINER.findall(cgroup)[-1:], *(uid.replace("_", "-") for uid in _POD.findall(cgroup)[-1:])]


def _allowed(process: psutil.Process) -> dict[str, str]:
    """Return our variables of a process's environment, and the name of its host, which in a container is that of the pod or container."""
    try:
        found = process.environ()
    except (psutil.Error, OSError):
        return {}
    wanted = ("WATCHKEEPER_MODEL", "WATCHKEEPER_VERSION", "WATCHKEEPER_TEAM", "WATCHKEEPER_PURPOSE", "HOSTNAME")
    return {name: found[name].strip()[:_LONGEST] for name in wanted if name in found}


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _names(pid: int, said: dict[str, str]) -> list[str]:
    try:
        found = container_names(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = []
    return [*found, *([said["HOSTNAME"]] if said.get("HOSTNAME") else [])]


def _fitting(known: Sequence[Rule], names: Sequence[str]) -> str:
    return next((rule.model for rule in known if any(fnmatchcase(name, rule.pattern) for name in names)), "")
