"""The words of `telemetry` in watchkeeper.yaml: traces and metrics that come from elsewhere, and where ours go.

Belongs here: what may be said and what it means. Does not: reading it (adapters/otlp.py, adapters/prometheus.py), or any secret:
`bearer` names one, which the environment or a Prefect block holds.
"""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from watchkeeper.spelling import Lasting, Name, Words, web_address

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(minutes=5)


def plain_address(text: str) -> str:
    """Return a web address without a user or password, which would be a secret in a file."""
    if "@" in text.partition("://")[2].partition("/")[0]:
        message = "an address must not hold a user or password; name the secret as `bearer` and leave it to the environment"
        raise ValueError(message)
    return web_address(text)


def token_name(text: str) -> str:
    """Return the name of a token; what looks like a token itself is refused without being shown.

    >>> token_name("prom")
    'prom'
    """
    from watchkeeper.redaction import looks_secret  # whose patterns take a while to make, and few files name a token

    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_\-]{0,39}", text) is None or looks_secret(text) or _HEX.fullmatch(text):
        message = (
            "this is no name of a token, and may be the token itself, so it is not shown; a name such as prom has at most 40 letters, digits, `_` and `-`, "
            "and the token goes into the environment as WATCHKEEPER_TOKEN_PROM"
        )
        raise ValueError(message)
    return text


_HEX = re.compile(r"(?=.*\d)[0-9a-fA-F-]{16,}")
PlainAddress = Annotated[str, AfterValidator(plain_address)]
TokenName = Annotated[str, AfterValidator(token_name)]


class Prometheus(Words):
    """One source of metrics: a page that is scraped, or a query that is put to a Prometheus server."""

    name: Name = Field(description="what its samples are kept under")
    scrape: PlainAddress | None = Field(None, description="address of a metrics page, such as http://gpu-7:9400/metrics")
    server: PlainAddress | None = Field(None, description="address of a Prometheus server, such as http://prometheus:9090")
    query: str | None = Field(None, description="PromQL that is put to the server, for every step since the last answer")
    step: Lasting = Field(timedelta(minutes=1), description="time between two values of the query")
    lookback: Lasting = Field(timedelta(hours=1), description="how far back the first answer reaches")
    only: list[str] = Field(default_factory=list, description="names of metrics to keep of a page, such as vllm:*; else all")
    timeout: Lasting = Field(timedelta(seconds=10), description="how long an answer may take, 1s to 5m")
    series: int = Field(10_000, ge=1, le=100_000, description="most series in one answer; one with more is refused")
    bearer: TokenName | None = Field(
        None, description="name of its bearer token: WATCHKEEPER_TOKEN_<NAME> in the environment, or a Prefect Secret block"
    )

    @model_validator(mode="after")
    def _one_form(self) -> "Prometheus":
        if (self.scrape is None) == (self.server is None):
            message = "give either `scrape`, or `server` and `query`"
            raise ValueError(message)
        if (self.server is None) != (self.query is None):
            message = "`server` and `query` go together" if self.scrape is None else "`query` is for a `server`; of a page `only` chooses"
            raise ValueError(message)
        if self.server is not None and self.only:
            message = "`only` is for a page; the query chooses itself"
            raise ValueError(message)
        if self.scrape is not None and {"step", "lookback"} & self.model_fields_set:
            message = "`step` and `lookback` are for a query; a page is read once a run"
            raise ValueError(message)
        if self.step < _SHORTEST:
            message = "`step` is shorter than a second"
            raise ValueError(message)
        if not _SHORTEST <= self.timeout <= _LONGEST:
            message = "`timeout` must lie between 1s and 5m"
            raise ValueError(message)
        return self


class Export(Words):
    """Where our scores and incidents go as metrics, after each run."""

    textfile: str | None = Field(None, description="file for node_exporter's textfile collector; its name ends in .prom")
    otlp: PlainAddress | None = Field(None, description="address of an OpenTelemetry collector, such as http://collector:4318")
    bearer: TokenName | None = Field(None, description="name of the collector's bearer token, as above")
    series: int = Field(10_000, ge=100, le=1_000_000, description="most series of scores; what is left out is counted")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is named."""
        return self.textfile is None and self.otlp is None

    @field_validator("textfile")
    @classmethod
    def _named_as_asked(cls, path: str | None) -> str | None:
        if path is not None and not path.endswith(".prom"):
            message = f"{path!r} does not end in .prom, and node_exporter reads no other files"
            raise ValueError(message)
        return path


class Telemetry(Words):
    """Traces and metrics from elsewhere, and where ours go."""

    files: list[str] = Field(default_factory=list, description="globs of OpenTelemetry files, JSON lines or protobuf")
    attributes: list[str] = Field(
        default_factory=list, description="names of attributes of spans that are kept besides those known to hold no contents"
    )
    prometheus: list[Prometheus] = Field(default_factory=list)
    export: Export = Export()

    @field_validator("prometheus")
    @classmethod
    def _told_apart(cls, found: list[Prometheus]) -> list[Prometheus]:
        names = [p.name.casefold() for p in found]
        twice = next((n for n in names if names.count(n) > 1 or n == "otlp"), None)
        if twice is not None:
            message = f"the name '{twice}' is taken; samples are told apart by it"
            raise ValueError(message)
        return found

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing comes in."""
        return not self.files and not self.prometheus
