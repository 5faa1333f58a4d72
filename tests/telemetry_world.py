"""What is put into workspaces that take telemetry in, and asked for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.take_telemetry import Taken, take

NOW = datetime(2025, 2, 1, 12, tzinfo=UTC)


def taken_in(home: Home, *, now: datetime = NOW, **how: Any) -> list[Taken]:
    """Take in what waits."""
    return take(home, load_monitors(home)[0], now=now, **how)


def put(home: Home, name: str, data: bytes) -> Path:
    """Put a file into the inbox."""
    path = home.root / "inbox" / name
    path.write_bytes(data)
    return path
