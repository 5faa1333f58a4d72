"""The workspace on disk: where its files are, and which monitors it has.

Belongs here: paths, finding the workspace, loading its monitors. Does not: how a file is read and its mistakes are told
(monitor_files.py), or what may be said in it (monitor.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from watchkeeper.adapters.monitor_files import Problem, mistakes, nearest, sorted_once, understand
from watchkeeper.adapters.reference_files import dated
from watchkeeper.adapters.settings import Settings, give_memory_back
from watchkeeper.adapters.yaml_lines import Document, Fault, read_yaml
from watchkeeper.errors import ConfigurationError, UsageError
from watchkeeper.monitor import Labels, Monitor, Retraining
from watchkeeper.spelling import is_remote
from watchkeeper.words import standing_text
from watchkeeper.workspace import Workspace

if TYPE_CHECKING:
    from watchkeeper.adapters.lake import Lake

give_memory_back()  # before the lake's libraries are loaded

WORKSPACE_FILE = "watchkeeper.yaml"
_UNFIT = re.compile(r"[\[\]^|?]|%[0-9A-Fa-f]{2}")  # delta-rs takes addresses apart at these
DEFAULTS_FILE = "_defaults.yaml"


@dataclass(frozen=True)
class Home:
    """A workspace: one folder with its monitors, suites, lake and pages."""

    root: Path
    workspace: Workspace = field(default_factory=Workspace)

    @property
    def monitors_dir(self) -> Path:
        """Monitor files, one model each."""
        return self.root / "deployments" / "monitors"

    @property
    def suites_dir(self) -> Path:
        """Expectation suites, JSON."""
        return self.root / "expectations"

    @property
    def site_dir(self) -> Path:
        """Pages to look at: overview, incidents, validation docs, reports; served by `watchkeeper up`."""
        return self.root / "warehouse" / "site"

    @property
    def published(self) -> Path:
        """The DuckDB file for people and BI tools."""
        return self.root / "warehouse" / "watchkeeper.duckdb"

    @property
    def prices(self) -> Path:
        """The GPU price book."""
        return self.root / "warehouse" / "seeds" / "gpu_prices.csv"

    @property
    def token_prices(self) -> Path:
        """The price book of tokens of hosted language models."""
        return self.root / "warehouse" / "seeds" / "token_prices.csv"

    @property
    def outbox_dir(self) -> Path:
        """Where messages are written when no Slack is configured."""
        return self.root / "warehouse" / "outbox"

    @property
    def standing(self) -> str:
        """A sentence that says where the clock of this workspace stands, empty where it goes."""
        return standing_text(self.workspace.now, self.workspace.timezone) if self.workspace.now else ""

    @property
    def memory_bytes(self) -> int:
        """What one process may take for data."""
        from watchkeeper.adapters.memory import half_of_this_machine

        return self.workspace.memory_limit or half_of_this_machine()

    def __reduce__(self) -> tuple[type["Home"], tuple[Path, Workspace]]:
        """Travel without the open lake: another process or thread opens its own."""
        return Home, (self.root, self.workspace)

    @cached_property
    def lake(self) -> "Lake":
        """The lake of this workspace."""
        return self.lake_at(self.workspace.lake)

    def lake_at(self, address: str) -> "Lake":
        """Return the lake at an address, as watchkeeper.yaml may name it; a relative folder lies in the workspace."""
        from watchkeeper.adapters.lake import Lake  # the lake's libraries take half a second, and `--help` needs none of them

        if is_remote(address):
            return Lake(address, Settings.from_environment().storage_options)
        folder = self.root / address
        if unfit := _UNFIT.search(str(folder)):
            then = "Rename the folder, or name another one as `lake` in watchkeeper.yaml."
            raise ConfigurationError(f"tables cannot lie in a folder whose name has {unfit[0]!r}", where=str(folder), then=then)
        return Lake(folder)


def find_home(path: Path | None = None) -> Home:
    """Return the workspace at `path`, else at WATCHKEEPER_HOME, else in the nearest folder above that has a watchkeeper.yaml.

    Raises:
        ConfigurationError: there is none, or its watchkeeper.yaml has mistakes (all of them in the text).

    """
    root = _root(path or Settings.from_environment().home)
    workspace, problems = understand(Workspace, read_yaml(root / WORKSPACE_FILE, WORKSPACE_FILE))
    if workspace is None:
        raise mistakes(problems)
    return Home(root, workspace)


def load_monitors(home: Home, models: Sequence[str] | None = None) -> tuple[dict[str, Monitor], list[Problem]]:
    """Return the monitors (of `models`, default all) by model, and the mistakes in the files that gave none.

    Raises:
        UsageError: one of `models` is in no file.

    """
    monitors: dict[str, Monitor] = {}
    problems: list[Problem] = _misnamed(home)
    sources: dict[str, str] = {}
    for document in monitor_documents(home):
        monitor, found = understand(Monitor, document)
        problems += found
        if monitor is None:
            continue
        twin = next((m for m in monitors if m.casefold() == monitor.model.casefold()), None)  # tables and folders do not tell names apart by case
        if twin is not None:
            place = document.place(("model",))
            known = f"is described in {sources[twin]} already" if twin == monitor.model else f"differs from '{twin}' ({sources[twin]}) only in case"
            problems.append(
                Problem(
                    document.file,
                    place.line,
                    f"model '{monitor.model}' {known}",
                    "give one of them another name",
                    monitor.model,
                )
            )
            continue
        monitors[monitor.model], sources[monitor.model] = dated(home, monitor), document.file
    return _only(monitors, problems, models)


def load_monitor(home: Home, model: str) -> Monitor:
    """Return one monitor.

    Raises:
        UsageError: no file describes it.
        ConfigurationError: its file has mistakes (all of them in the text).

    """
    monitors, problems = load_monitors(home, [model])
    if model not in monitors:
        raise mistakes(problems)
    return monitors[model]


def _root(path: Path | None) -> Path:
    if path is not None:
        if not (path / WORKSPACE_FILE).is_file():
            raise ConfigurationError(
                f"is not a workspace, it has no {WORKSPACE_FILE}", where=str(path), then=f"Run `watchkeeper init {path}` to make it one."
            )
        return path.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / WORKSPACE_FILE).is_file():
            return folder
    raise ConfigurationError(
        f"no {WORKSPACE_FILE} here or in a folder above",
        where=str(here),
        then="Run `watchkeeper init DIR` to make a workspace, or name one with --home.",
    )


def monitor_at(home: Home, path: Path) -> Monitor:
    """Return the monitor of a file that lies anywhere, over the workspace's defaults: one that is tried before it is put in its place.

    Raises:
        ConfigurationError: it has mistakes (all of them in the text), or cannot be read.

    """
    monitor, problems = understand(Monitor, _laid(home, [path])[0])
    if monitor is None:
        raise mistakes(problems)
    return dated(home, monitor)


def monitor_documents(home: Home) -> list[Document]:
    """Return the monitor files over their defaults; a file named after its model comes first, so that a copy never displaces it."""
    files = sorted(p for p in home.monitors_dir.glob("*.yaml") if not p.name.startswith("_"))
    return sorted(_laid(home, files), key=lambda d: d.data.get("model") != d.stem)


def _laid(home: Home, files: Sequence[Path]) -> list[Document]:
    """Return monitor files over the workspace's defaults."""
    defaults = (
        read_yaml(home.monitors_dir / DEFAULTS_FILE, _name(home, DEFAULTS_FILE))
        if (home.monitors_dir / DEFAULTS_FILE).exists()
        else Document(DEFAULTS_FILE)
    )
    alerts = home.workspace.alerts.model_dump(by_alias=True, exclude_unset=True)
    shared = Document(WORKSPACE_FILE, {"timezone": home.workspace.timezone, **({"alerts": alerts} if alerts else {})})
    return [_inherit(_said(read_yaml(path, _named(home, path))), defaults, shared) for path in files]


def _named(home: Home, path: Path) -> str:
    return _name(home, path.name) if path.parent == home.monitors_dir else str(path)


def _said(document: Document) -> Document:
    """Return a document, with the fault that it says nothing where it does: its defaults alone describe no model."""
    is_empty = not document.data and not document.faults
    return Document(document.file, faults=[Fault((), None, "is empty, and should describe a model")]) if is_empty else document


def _inherit(document: Document, defaults: Document, shared: Document) -> Document:
    """Lay a monitor over the defaults; a section that only the defaults speak of, and not whole, is for those that have one."""
    for section, kind in (("labels", Labels), ("retraining", Retraining)):
        if section in defaults.data and section not in document.data and understand(kind, Document(defaults.file, defaults.data[section]))[0] is None:
            defaults = defaults.without(section)
    laid = document.over(defaults.over(shared))
    return Document(laid.file, laid.data, laid.places, [*document.faults, *defaults.faults]) if defaults.faults else laid


def _misnamed(home: Home) -> list[Problem]:
    return [
        Problem(_name(home, path.name), None, "is not read", f"name it {path.stem}.yaml", path.stem)
        for path in sorted(home.monitors_dir.glob("*.yml"))
    ]


def _only(monitors: dict[str, Monitor], problems: list[Problem], models: Sequence[str] | None) -> tuple[dict[str, Monitor], list[Problem]]:
    if not models:
        return monitors, sorted_once(problems)
    known = {*monitors, *(p.model for p in problems)}
    for model in models:
        if model not in known:
            raise UsageError(f"there is no model '{model}'", then=f"{nearest(model, monitors)[:1].upper()}{nearest(model, monitors)[1:]}")
    return {m: monitors[m] for m in models if m in monitors}, sorted_once(p for p in problems if p.model in models)


def _name(home: Home, file: str) -> str:
    return str((home.monitors_dir / file).relative_to(home.root))
