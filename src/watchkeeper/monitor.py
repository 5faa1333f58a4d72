"""The words of a monitor file, with their defaults.

Belongs here: what may be said and what it means. Does not: what `alerts` and `reference` may say (alerts.py, reference.py), the workspace file (workspace.py), finding and reading the files
(adapters/workspace.py).
"""

import math
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from watchkeeper.alerts import Alerts
from watchkeeper.reference import NewNormal, Reference, Versions
from watchkeeper.spelling import Budget, Duration, Lasting, Name, WebAddress, Words, Zone, one_label, segment_name
from watchkeeper.windows import Grain, Grid, Window, local_midnight

_CALIBRATED_AFTER: dict[Grain, int] = {"hour": 168, "day": 14, "week": 8, "month": 8}
Task = Literal["binary", "multiclass", "regression", "ranking"]


class Place(Words):
    """Where rows come from: files, or a query that is put to a database."""

    files: str | None = Field(None, description="glob of files: relative to the workspace, absolute, or in an object store")
    sql: str | None = Field(None, description="query whose rows are taken in")
    connection: Name | None = Field(
        None, description="name of the connection that the query goes to; its address and secrets come from the environment"
    )
    watermark: str | None = Field(None, description="column of the query's result that says when a row was written or changed last")
    lookback: Duration = Field(timedelta(days=1), description="how far before the greatest watermark seen rows are asked for again")
    timeout: Duration = Field(timedelta(minutes=5), description="how long the database may take for the query")

    @model_validator(mode="after")
    def _one_place(self) -> "Place":
        if (self.files is None) == (self.sql is None):
            message = "give either `files`, or `sql` and `connection`"
            raise ValueError(message)
        if self.sql is not None and not self.sql.strip().rstrip(";"):
            message = "`sql` is empty"
            raise ValueError(message)
        if self.sql is not None and self.connection is None:
            message = "`sql` needs `connection`, the name of the database to ask"
            raise ValueError(message)
        changed = [n for n in ("connection", "watermark", "lookback", "timeout") if getattr(self, n) != Place.model_fields[n].default]
        if self.sql is None and changed:
            message = f"`{changed[0]}` is for a query; add `sql`, or leave it out"
            raise ValueError(message)
        if self.watermark is None and "lookback" in changed:
            message = "`lookback` needs `watermark`, the column it looks back on"
            raise ValueError(message)
        if self.timeout < timedelta(seconds=1):
            message = "`timeout` is shorter than a second"
            raise ValueError(message)
        return self


class Events(Place):
    """Where predictions come from."""


class Labels(Place):
    """Where the truth comes from, and how long it takes."""

    join: str = Field(description="column of the label files that holds the event's id")
    column: str = Field(description="column that holds the truth")
    time: str | None = Field(None, description="column that says when the truth became known; else when it landed")
    mature_after: Duration | None = Field(None, description="a window is mature this long after its end; default: learned from the reference")


class Columns(Words):
    """Which columns of the events mean what."""

    id: str
    time: str
    score: str | None = Field(None, description="binary: probability of the positive class; regression: the prediction")
    prediction: str | None = Field(None, description="the decision: class or 0/1")
    probabilities: dict[str, str] = Field(default_factory=dict, description="multiclass: class -> column of its probability")
    attributions: dict[str, str] = Field(
        default_factory=dict, description="input -> column of its attribution: by how much it moved the score (SHAP values, say)"
    )
    version: str | None = None
    environment: str | None = None
    entity: str | None = None
    latency: str | None = Field(None, description="time to the answer, the wait in a queue included; in milliseconds, or as `latency_unit` says")
    latency_unit: Literal["ms", "s", "us"] = Field("ms", description="unit of `latency` and `queue_time`")
    queue_time: str | None = Field(None, description="how much of the latency a request waited before anything was done for it")
    status: str | None = Field(None, description="ok, an HTTP or gRPC status, or the class of the error")
    input_tokens: str | None = Field(None, description="tokens that went in")
    output_tokens: str | None = Field(None, description="tokens that came out")
    cached_tokens: str | None = Field(None, description="those among `input_tokens` that the provider had in its cache")
    trace_id: str | None = None
    host: str | None = None
    region: str | None = None

    def named(self) -> dict[str, str]:
        """Return role -> column for every role that is given."""
        probabilities = {f"probability of {k}": v for k, v in self.probabilities.items()}
        return self.single() | probabilities | {f"attribution of {k}": v for k, v in self.attributions.items()}

    def single(self) -> dict[str, str]:
        """Return role -> column for every role that one column has."""
        return {k: v for k, v in self.model_dump(exclude={"probabilities", "attributions", "latency_unit"}).items() if v}

    @property
    def of_service(self) -> bool:
        """Tell whether any column is named that says how the model was served."""
        return any((self.latency, self.queue_time, self.status, self.input_tokens, self.output_tokens, self.host, self.region))

    @property
    def to_ms(self) -> float:
        """What a logged latency is to be multiplied by to be in milliseconds."""
        return {"ms": 1.0, "s": 1e3, "us": 1e-3}[self.latency_unit]


class Target(Words):
    """A promise with a fixed limit on any metric, judged apart from what was learned as normal."""

    metric: str
    feature: str = ""
    segment: str = ""
    at_least: float | None = None
    at_most: float | None = None
    per: Grain = Field("week", description="the windows over which it is kept or broken")

    @model_validator(mode="after")
    def _has_limit(self) -> "Target":
        if self.at_least is None and self.at_most is None:
            message = "give `at_least` or `at_most`"
            raise ValueError(message)
        if not all(limit is None or math.isfinite(limit) for limit in (self.at_least, self.at_most)):
            message = "a limit must be a finite number"
            raise ValueError(message)
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = f"no number is at least {self.at_least:g} and at most {self.at_most:g}"
            raise ValueError(message)
        return self

    def is_kept_by(self, value: float) -> bool:
        """Tell whether a value keeps the promise."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


class Kpi(Words):
    """A number of people's own: an SQL expression over a labelled row, averaged or added up."""

    name: str = Field(description="what it is called in scores, targets and pages: lower case letters, digits and _")
    sql: str = Field(description="expression over one row: columns of the events, and `label`, `score`, `prediction`")
    unit: str = Field("", description="unit of its values: EUR, minutes")
    direction: Literal["higher_is_better", "lower_is_better", "closer_to_zero", "none"] = Field(
        description="what is better; `none` is shown and never pages"
    )
    aggregate: Literal["mean", "sum"] = Field("mean", description="mean of a labelled prediction, or the sum over the labelled ones")

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) is None:
            message = f"{name!r} is no name for a KPI; write lower case letters, digits and _, such as cost_of_errors"
            raise ValueError(message)
        return name


class Retraining(Words):
    """What to start when a model should be trained again; nothing starts unless one of the two is named."""

    deployment: str | None = Field(None, description="Prefect deployment, flow/name")
    webhook: WebAddress | None = Field(None, description="address that takes a signed POST")
    cooldown: Lasting = Field(timedelta(days=7), description="least time between two triggers")
    severity: Literal["warning", "high", "critical"] = Field("high", description="least severity that triggers")

    @model_validator(mode="after")
    def _one_way(self) -> "Retraining":
        if bool(self.deployment) == bool(self.webhook):
            message = "give either `deployment` or `webhook`"
            raise ValueError(message)
        return self


class Wording(Words):
    """What messages call the things that this model is about."""

    rows: str = Field("predictions", description="plural of what is predicted: flights, loans")
    positive: str = Field("positive", description="binary: what a positive one is: late, fraudulent")
    unit: str = Field("", description="regression: the unit of what is predicted: EUR, minutes")


def _currency(text: str) -> str:
    """Return a currency's three letters, as price books have them."""
    if len(text) != len("USD") or not text.isalpha():
        message = f"{text!r} is not a currency; write for example USD"
        raise ValueError(message)
    return text.upper()


class Cost(Words):
    """How the model's share of the GPUs is found, and what it may cost."""

    hosts: list[str] = Field(default_factory=list, description="hosts that serve this model; of one that several monitors name each has its share")
    currency: Annotated[str, AfterValidator(_currency)] = "USD"
    budget: Budget | None = Field(None, description="what it may cost in a calendar month: `500 per month`")
    llm: str | None = Field(None, description="hosted language model whose tokens it pays for: `model` of a line in token_prices.csv")


class Service(Words):
    """What is asked of the service that answers for the model."""

    latency_limit: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="milliseconds; `latency_over` is the share of requests slower than it"
    )


class Monitor(Words):
    """One model under watch."""

    model: Name
    owner: str = ""
    team: str = Field("", description="team that its costs are told of; else the owner")
    description: str = ""
    task: Task
    timezone: Zone = "UTC"
    environment: str = Field("production", description="environment of events that carry none")
    events: Events
    labels: Labels | None = None
    columns: Columns
    positive: Annotated[str | int | bool | float, BeforeValidator(one_label)] = Field(
        1, description="binary: the label that counts as positive; true and false in any spelling"
    )
    threshold: float = Field(0.5, description="binary: a score at or above is a positive decision, where no prediction column is named")
    reference: Reference
    versions: Versions = Versions()
    window: Grain = "day"
    features: list[str] | None = Field(None, description="default: every other column")
    segments: list[str] = Field(default_factory=list, description="columns, each a dimension of its own; a&b for a pair")
    sensitive: list[str] = Field(default_factory=list, description="columns that stand for protected groups; each, and each pair, is audited")
    private: list[str] = Field(default_factory=list, description="columns that leave the lake only as counts")
    calendar: dict[str, list[date]] = Field(
        default_factory=dict, description="name to days, such as holidays: they are neither learned from nor judged by what is usual"
    )
    id_scope: Duration = Field(timedelta(days=90), description="an id counts as landed before when its event lies this close")
    targets: list[Target] = Field(default_factory=list)
    kpis: list[Kpi] = Field(default_factory=list, description="KPIs of your own, beside those of the task")
    alerts: Alerts = Alerts()
    retraining: Retraining | None = None
    wording: Wording = Wording()
    service: Service = Service()
    cost: Cost = Cost()
    suite: str | None = Field(None, description="expectation suite of the events; default: <model>_events")
    labels_suite: str | None = Field(None, description="expectation suite of the labels; default: <model>_labels")
    keep: Lasting = Field(timedelta(days=800), description="rows older than this are removed by upkeep")

    @field_validator("targets", mode="after")
    @classmethod
    def _of_segments(cls, targets: list[Target], told: ValidationInfo) -> list[Target]:
        declared = told.data.get("segments", ())
        return [t.model_copy(update={"segment": segment_name(t.segment, declared)}) for t in targets]

    @model_validator(mode="after")
    def _whole(self) -> "Monitor":
        if self.task in ("binary", "regression") and self.columns.score is None and self.columns.prediction is None:
            message = f"a {self.task} monitor needs columns.score or columns.prediction"
            raise ValueError(message)
        if self.task == "multiclass" and self.columns.prediction is None:
            message = "a multiclass monitor needs columns.prediction"
            raise ValueError(message)
        if self.cost.llm and not (self.columns.input_tokens and self.columns.output_tokens):
            message = "cost.llm needs columns.input_tokens and columns.output_tokens, by which it is billed"
            raise ValueError(message)
        self.reference.require_room(self.window)
        return self

    @property
    def places(self) -> dict[Literal["events", "labels"], Place]:
        """Where the rows of each source come from."""
        return {"events": self.events, **({"labels": self.labels} if self.labels is not None else {})}

    @property
    def grid(self) -> Grid:
        """The windows this monitor is measured on."""
        return Grid(self.window, self.timezone)

    @property
    def promise_grids(self) -> list[Grid]:
        """The windows of targets that are not those of the monitor."""
        return [Grid(grain, self.timezone) for grain in sorted({t.per for t in self.targets} - {self.window})]

    @property
    def reference_span(self) -> tuple[datetime, datetime] | None:
        """Start and end (UTC) of the reference windows, None while none of the files that are the reference has landed."""
        if self.reference.from_ is None or self.reference.to is None:
            return None
        return local_midnight(self.reference.from_, self.timezone), local_midnight(self.reference.to, self.timezone)

    @property
    def reference_stretches(self) -> list[Window]:
        """The stretches of time that the reference windows are: one, or several where some were left out."""
        span = self.reference_span
        if span is None or span[1] <= span[0]:
            return []
        begins, out = span[0], []
        for hole in (self.grid.at(start) for start in sorted(self.reference_left_out)):
            out += [Window(begins, hole.start)] if begins < hole.start else []
            begins = max(begins, hole.end)
        return [*out, *([Window(begins, span[1])] if begins < span[1] else [])]

    @property
    def reference_left_out(self) -> tuple[datetime, ...]:
        """The starts of the windows of the reference's days that are no part of it."""
        return self.reference.left_out if isinstance(self.reference, NewNormal) else ()

    @property
    def is_rebased(self) -> bool:
        """Tell whether this is the monitor as windows of a new normal are judged by it (judgement/eras.py)."""
        return isinstance(self.reference, NewNormal)

    @property
    def calibrated_after(self) -> int:
        """How many windows of its own a version needs to have a reference: a week of hours, two of days, eight longer windows."""
        return self.versions.calibrated_after or _CALIBRATED_AFTER[self.window]

    @property
    def named_columns(self) -> set[str]:
        """The columns of the events that this monitor names in some part."""
        split = {part for pair in self.segments for part in pair.split("&")}
        return {*self.columns.named().values(), *(self.features or ()), *split, *self.sensitive, *(t.feature for t in self.targets if t.feature)}

    @property
    def service_places(self) -> list[str]:
        """The columns that say where a request was answered, but for private ones: of each of their values service figures are measured, as of a segment."""
        there = dict.fromkeys(filter(None, (self.columns.region, self.columns.host)))
        return [column for column in there if column not in self.private and column not in self.segments]

    @property
    def dimensions(self) -> list[str]:
        """The segments, and the columns that are segments for service figures alone."""
        return [*self.segments, *self.service_places]

    @property
    def decides_alone(self) -> bool:
        """Tell whether a binary model logs decisions and no probabilities: of such a model nothing is known that takes a score."""
        return self.task == "binary" and self.columns.score is None

    @property
    def gives_chances(self) -> bool:
        """Tell whether it can be counted how unsure the model is: of a score, or of the probabilities of two classes, none of which is private."""
        if self.task == "binary":
            return self.columns.score is not None and self.columns.score not in self.private
        chances = self.columns.probabilities.values() if self.task == "multiclass" else ()
        return len(chances) > 1 and not set(chances) & set(self.private)

    @property
    def suite_names(self) -> dict[str, str]:
        """Suite of each source."""
        return {"events": self.suite or f"{self.model}_events", "labels": self.labels_suite or f"{self.model}_labels"}

    @property
    def billed_to(self) -> str:
        """The team that its costs are told of."""
        return self.team or self.owner

    @property
    def channel(self) -> str:
        """Where messages about this model go that no route takes."""
        return self.alerts.channel or self.owner

    def channel_of(self, severity: str, family: str) -> str:
        """Return where messages about an incident as grave as that, of such a family, go; empty where nobody is named."""
        return self.alerts.route_of(severity, family) or self.channel
