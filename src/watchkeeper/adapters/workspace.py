"""The workspace on disk: where its files are, and how monitor files are found and read.

Belongs here: paths and YAML with line numbers. Does not: what may be said in it (monitor.py).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from watchkeeper.adapters.lake import Lake
from watchkeeper.monitor import Workspace


@dataclass(frozen=True)
class Home:
    """A workspace: one folder with its monitors, suites, lake and pages."""

    root: Path
    workspace: Workspace = Workspace()  # type: ignore[call-arg]

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
    def outbox_dir(self) -> Path:
        """Where messages are written when no Slack is configured."""
        return self.root / "warehouse" / "outbox"

    @cached_property
    def lake(self) -> Lake:
        """The lake of this workspace."""
        address = self.workspace.lake
        return Lake(address if "://" in address else self.root / address)
