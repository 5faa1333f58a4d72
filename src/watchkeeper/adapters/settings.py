"""Settings that come from the environment: addresses and secrets.

Belongs here: every read of an environment variable of this project. Does not: what people write in files (monitor.py).
Secrets never show in a repr, so that they reach neither logs nor error texts.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TELEMETRY_OFF = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"}
CONNECTION_PREFIX = "WATCHKEEPER_CONNECTION_"
TOKEN_PREFIX = "WATCHKEEPER_TOKEN_"  # noqa: S105 - the beginning of a name
_STORAGE_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says; empty means not configured."""

    home: Path | None = None
    slack_bot_token: str = field(default="", repr=False)
    slack_webhook_url: str = field(default="", repr=False)
    slack_api_url: str = "https://slack.com/api/"
    webhook_url: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    training_secret: str = field(default="", repr=False)
    prefect_api_url: str = ""
    storage_options: dict[str, str] = field(default_factory=dict, repr=False)
    connections: dict[str, str] = field(default_factory=dict, repr=False)
    """Address of each database, by the name that a variable gives it: WATCHKEEPER_CONNECTION_SHOP has that of `SHOP`."""
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """Bearer tokens, by the name that a variable gives them: WATCHKEEPER_TOKEN_PROM has that of `PROM`."""

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> "Settings":
        """Return the settings found in `variables`, by default those of this process."""
        found = os.environ if variables is None else variables
        home = found.get("WATCHKEEPER_HOME", "")
        return cls(
            home=Path(home).expanduser() if home else None,
            slack_bot_token=found.get("SLACK_BOT_TOKEN", ""),
            slack_webhook_url=found.get("SLACK_WEBHOOK_URL", ""),
            slack_api_url=found.get("SLACK_API_URL", "") or cls.slack_api_url,
            webhook_url=found.get("WATCHKEEPER_WEBHOOK_URL", ""),
            webhook_secret=found.get("WATCHKEEPER_WEBHOOK_SECRET", ""),
            training_secret=found.get("WATCHKEEPER_TRAINING_SECRET", ""),
            prefect_api_url=found.get("PREFECT_API_URL", ""),
            storage_options=_storage_options(found),
            connections=_named(found, CONNECTION_PREFIX),
            tokens=_named(found, TOKEN_PREFIX),
        )


def _named(found: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix) and value}


def _storage_options(found: Mapping[str, str]) -> dict[str, str]:
    """Return what the environment says of object stores; an endpoint that is named as http:// is allowed to be one."""
    options = {name: value for name, value in found.items() if name.startswith(_STORAGE_PREFIXES)}
    is_plain = any(options.get(name, "").startswith("http://") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
    return {"AWS_ALLOW_HTTP": "true", **options} if is_plain else options


def without_telemetry() -> None:
    """Turn the telemetry of the libraries off, here and in the processes started from here."""
    os.environ.update(TELEMETRY_OFF)


def give_memory_back() -> None:
    """Have Arrow use the system's allocator: its own keeps what was given back, some 150 MB of it, and is no faster here.

    Arrow looks when it is loaded, so whoever loads it first calls this before.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def without_idle_threads() -> None:
    """Have numpy's linear algebra use one thread: its helpers spin while they wait, which doubled the CPU time of measuring and sped nothing up.

    It looks when numpy is loaded, so whoever loads it first calls this before.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment for a child process: ours, telemetry off, and `more`."""
    return {**os.environ, **TELEMETRY_OFF, **more}
