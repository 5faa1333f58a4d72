"""The nouns of the chain: each class is one record, one lake table, one arrow of the design.

Belongs here: the columns, their meaning and their keys, and the list of all tables. Does not: what is read of GPUs, hosts and traces (samples.py), what
an incident's message says (story.py), how records are stored (adapters/lake.py) or filled (operations/). Times are UTC, windows half-open, texts canonical; `None` means not known, never zero.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated as Of
from typing import ClassVar, Literal

from watchkeeper.samples import GpuProcess, GpuSample, HostSample, MetricSample, Span

Source = Literal["events", "labels"]
Severity = Literal["notice", "warning", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("notice", "warning", "high", "critical")
Family = Literal["kpi", "segment", "data", "target", "service", "cost", "covariate"]


def key(*parts: object) -> str:
    """Return a short stable identifier of its parts, 16 hexadecimal digits."""
    return hashlib.sha256("\x1f".join(str(p) for p in parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One file or query result that was offered, and what became of it."""

    TABLE: ClassVar[str] = "batches"
    KEY: ClassVar[tuple[str, ...]] = ("batch_id",)

    batch_id: Of[str, "hash of model, source and content; the same bytes are the same batch"]
    model: Of[str, "the monitor it belongs to; empty for telemetry, which belongs to the workspace"]
    source: Of[str, "events, labels or telemetry"]
    name: Of[str, "file name or query, as offered"]
    path: Of[str, "where the file was, empty for a stream"] = ""
    size_bytes: Of[int | None, "size of the file, by which it is known again unread"] = None
    modified_at: Of[datetime | None, "when the file was last written; null when that could not be relied on"] = None
    status: Of[str, "landed, empty, quarantined (nothing landed) or partial (some rows quarantined)"]
    reason: Of[str, "why it did not land whole; empty when it did"] = ""
    rows_read: Of[int, "rows in the file"] = 0
    rows_landed: Of[int, "rows that were accepted"] = 0
    rows_quarantined: Of[int, "rows that were set aside"] = 0
    rows_duplicate: Of[int, "rows whose id and content had landed before"] = 0
    starts_at: Of[datetime | None, "earliest event time landed"] = None
    ends_at: Of[datetime | None, "latest event time landed"] = None
    suite_hash: Of[str, "hash of the expectation suite it was checked with"] = ""
    landed_at: Of[datetime, "the `now` of the run that took it in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far a query was read: the next run asks for what is newer, and for some of what is older again."""

    TABLE: ClassVar[str] = "watermarks"
    KEY: ClassVar[tuple[str, ...]] = ("model", "source", "query")

    model: Of[str, "the monitor"]
    source: Of[str, "events or labels"]
    query: Of[str, "hash of connection, query and watermark column; another query begins anew"]
    connection: Of[str, "name of the connection that was asked"]
    column: Of[str, "column of the result that says when a row was written or changed last"]
    value: Of[str, "its greatest value among rows that have landed or were set aside, ISO"]
    batch_id: Of[str, "last batch that was made on the way there, empty when no row was new"] = ""
    at: Of[datetime, "the `now` of the run that came so far"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One expectation checked on one batch."""

    TABLE: ClassVar[str] = "validations"
    KEY: ClassVar[tuple[str, ...]] = ("batch_id", "expectation_id")

    batch_id: Of[str, "the batch checked"]
    expectation_id: Of[str, "stable id of the expectation inside its suite"]
    model: Of[str, "the monitor"]
    source: Of[str, "events or labels"]
    suite: Of[str, "suite name"]
    suite_hash: Of[str, "hash of the suite's content"]
    expectation: Of[str, "expectation type in the words of Great Expectations"]
    column: Of[str, "column it looks at; empty for the whole table"] = ""
    arguments: Of[str, "its arguments, JSON"] = "{}"
    severity: Of[str, "critical, warning or info"]
    outcome: Of[str, "pass, fail, or error when it could not be evaluated"]
    unexpected_count: Of[int | None, "rows that break it, where rows are checked"] = None
    element_count: Of[int | None, "rows looked at"] = None
    observed: Of[str, "what was seen, for table-level expectations; never row values"] = ""
    owner: Of[str, "who answers for it"] = ""
    why: Of[str, "why it is expected"] = ""
    error: Of[str, "the error, when outcome is error"] = ""
    validated_at: Of[datetime, "the `now` of the run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One row, or one whole file (row_number -1), set aside with its reasons; later decisions are later revisions."""

    TABLE: ClassVar[str] = "quarantine"
    KEY: ClassVar[tuple[str, ...]] = ("quarantine_id",)

    quarantine_id: Of[str, "hash of batch and row number; of telemetry, of file, line and reason"]
    batch_id: Of[str, "the batch it came in"]
    source: Of[str, "events, labels or telemetry"]
    name: Of[str, "file name"]
    row_number: Of[int, "row in the file, from 0; -1 for the whole file"]
    reasons: Of[list[str], "why, one sentence each"]
    row: Of[str | None, "the row as it came, JSON; for a whole file the path it was read from"] = None
    state: Of[str, "held, released, discarded or superseded (the id landed with a later file)"] = "held"
    who: Of[str, "who decided"] = ""
    why: Of[str, "why it was decided so"] = ""
    at: Of[datetime, "when this state began"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something people did to a model or its surroundings, kept so that causes can be joined to it."""

    TABLE: ClassVar[str] = "changes"
    KEY: ClassVar[tuple[str, ...]] = ("change_id",)

    change_id: Of[str, "hash of model, kind, time, version and note"]
    model: Of[str, "the model changed"]
    kind: Of[str, "release, config, price or data"]
    at: Of[datetime, "when it took effect"]
    version: Of[str, "version it brought, if any"] = ""
    note: Of[str, "what was done, in words"] = ""
    who: Of[str, "who recorded it"] = ""
    parameters: Of[str, "JSON: what the version was made with, name by name"] = ""
    recorded_at: Of[datetime, "the `now` of the recording"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """The bins of one feature, fitted once on the reference and versioned by content."""

    TABLE: ClassVar[str] = "bins"
    KEY: ClassVar[tuple[str, ...]] = ("model", "bins", "feature")

    model: Of[str, "the monitor"]
    bins: Of[str, "hash of all features' bins: the version"]
    feature: Of[str, "column; `@score` and `@prediction` are the model's outputs"]
    kind: Of[str, "numeric or category; `pairs` where `categories` and `others` name the features of related pairs"]
    edges: Of[list[float], "inner edges, ascending; bin i holds edges[i-1] < x <= edges[i]; ends are open"] = field(default_factory=list)
    categories: Of[list[str], "categories kept whole; the next two cells are `other` and `unseen`"] = field(default_factory=list)
    others: Of[list[str], "reference categories folded into `other`"] = field(default_factory=list)
    coarse: Of[list[int], "fine cell -> coarse cell, used for segments"] = field(default_factory=list)
    normal_scores: Of[list[float], "of numbers, the normal quantile at the middle of each bin's ranks in the reference"] = field(default_factory=list)
    unit: Of[float, "of numbers, what sums per bin are multiples of; 0 where they are rounded to seven digits"] = 0.0
    novelty: Of[float, "of categories, the share of rows to come whose name is new, by the reference's names that came once"] = 0.0
    grain: Of[str, "hour or day: what a part spans in time, by the traffic of the reference"] = "day"
    computed_at: Of[datetime, "the `now` of the fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDelay:
    """How long the labels of a reference took to come, learned once when its bins were fitted; again each day while they still come."""

    TABLE: ClassVar[str] = "label_delays"
    KEY: ClassVar[tuple[str, ...]] = ("model", "bins", "clock")

    model: Of[str, "the monitor"]
    bins: Of[str, "version of the bins it was learned with"]
    clock: Of[str, "column that says when the truth became known; empty where the monitor names none"]
    state: Of[str, "learned, assumed (loaded at once, labels say nothing of how they come), or unknown (they still come)"]
    mature_after_hours: Of[float, "a window's labels are due this long after its end; 0 while unknown"]
    delay_hours: Of[float | None, "the 99th percentile of the delays, from the prediction's time; while unknown it is at least this"] = None
    labels: Of[int, "labels it rests on"] = 0
    predictions: Of[int, "predictions looked at, those without a label included"] = 0
    reason: Of[str, "in words"] = ""
    computed_at: Of[datetime, "the `now` of the learning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One additive part: the counts and sums of one quantity in one window, segment and batch."""

    TABLE: ClassVar[str] = "profiles"
    KEY: ClassVar[tuple[str, ...]] = (
        "model",
        "version",
        "environment",
        "batch_id",
        "bins",
        "grain",
        "window_start",
        "segment",
        "kind",
        "feature",
        "outcome",
    )

    model: Of[str, "the monitor"]
    version: Of[str, "model version, empty when not logged"]
    environment: Of[str, "production, staging, ..."]
    batch_id: Of[str, "the batch scanned; `labels` for label profiles, which are replaced whole"]
    bins: Of[str, "version of the bins"]
    grain: Of[str, "hour or day"]
    window_start: Of[datetime, "start of the grain's window"]
    segment: Of[str, "canonical segment, empty for the whole"]
    kind: Of[str, "feature, label, group (a label part of a value of a sensitive column), loss, service, pair or mark"]
    feature: Of[
        str,
        "column or row function; `@label` for the labels of a binary model by their texts; `@class=fraud` and `@decided=fraud` for the probability of a class where rows were decided otherwise, and so; `entity:mae` for what the entities of rows add up to in a KPI",
    ]
    outcome: Of[
        str,
        "for label parts: the true class, of `@label` the text, of one class against all others 1 or 0; `every` of all rows; empty while there is no label, and for other parts",
    ] = ""
    n: Of[int, "rows"]
    nulls: Of[int, "null values"] = 0
    nans: Of[int, "NaN values"] = 0
    pos_infs: Of[int, "+infinity values"] = 0
    neg_infs: Of[int, "-infinity values"] = 0
    low: Of[float | None, "smallest finite value"] = None
    high: Of[float | None, "largest finite value"] = None
    sum: Of[float, "sum of finite values"] = 0.0
    sum2: Of[float, "sum of squares of finite values"] = 0.0
    cells: Of[list[int], "the first non-empty cell, then how far each next one lies from the one before"] = field(default_factory=list)
    counts: Of[list[int], "rows per cell"] = field(default_factory=list)
    sums: Of[
        list[float],
        "sum of values per cell; empty for categories; of pair p the cells 5p to 5p+4 are those of ab, a, b, aa, bb; of losses by coarse cell the losses, then the scores",
    ] = field(default_factory=list)
    revision: Of[int, "rises with every scan of the model; of a window's label parts the highest counts"] = 0
    computed_at: Of[datetime, "the `now` of the scan"]


ATTRIBUTION = "@attribution="
"""What the name of an input's attribution begins with where outputs of a model are counted: by how much it moved the score."""
CLASS = "@class="
"""What the `feature` of a number about one class of several begins with: `@class=fraud`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number about one model in one window, or the reason why there is none."""

    TABLE: ClassVar[str] = "scores"
    KEY: ClassVar[tuple[str, ...]] = ("model", "version", "environment", "metric", "method", "feature", "segment", "window_start", "grain")

    model: Of[str, "the monitor"]
    version: Of[
        str, "model version, where it is measured apart; `(null)` for rows that name none, `(other)` for those with few rows; empty for all together"
    ] = ""
    environment: Of[str, "production, staging, ..."] = "production"
    metric: Of[str, "name in the catalogue"]
    method: Of[
        str,
        "how it was computed; `10 reference bins` are the coarse cells, `all reference bins` the fine ones (docs/profiles.md); `clustered by` the column that says whom rows are about",
    ]
    unit: Of[str, "ratio, nats, probability, ms, usd, ..."]
    direction: Of[str, "higher_is_better, lower_is_better, closer_to_zero or none"]
    feature: Of[str, "feature it is about, empty for the model; `@class=fraud` for one class of several against all others"] = ""
    segment: Of[str, "canonical segment such as carrier=VX&origin=EWR, empty for the whole"] = ""
    window_start: Of[datetime, "start of the window"]
    window_end: Of[datetime, "end of the window, exclusive"]
    grain: Of[str, "hour, day, week or month"]
    value: Of[float | None, "the number; null when state says why"] = None
    se: Of[float | None, "standard error of the sampling of rows; of entities or days where method or reason name them"] = None
    low: Of[float | None, "lower end of the 95 % interval"] = None
    high: Of[float | None, "upper end of the 95 % interval"] = None
    bound_low: Of[float | None, "worst case over the labels still missing, lower; of a cost that is not known as a whole, what is known of it"] = None
    bound_high: Of[float | None, "worst case over the labels still missing, upper"] = None
    n: Of[int, "rows it rests on"] = 0
    reference: Of[str, "id of the reference profile, of a version its own; empty for what is compared with none"] = ""
    reference_value: Of[float | None, "the same number on the reference"] = None
    bins: Of[str, "version of the bins"] = ""
    coverage: Of[float | None, "share of the window's predictions with a label"] = None
    state: Of[str, "done, provisional, mature, insufficient or not_evaluated"]
    reason: Of[str, "why there is no number, or what limits it"] = ""
    revision: Of[int, "0 at first, +1 when restated"] = 0
    computed_at: Of[datetime, "the `now` of the run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceScore(Score):
    """One number about a window of a new normal, beside the sum of that: from these what is usual of numbers that compare is learned."""

    TABLE: ClassVar[str] = "reference_scores"
    KEY: ClassVar[tuple[str, ...]] = ("baseline_id", *Score.KEY)

    baseline_id: Of[str, "the new normal or the step, in `baselines`"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One score found out of line: a page (wakes somebody) or a notice (goes into the digest)."""

    TABLE: ClassVar[str] = "signals"
    KEY: ClassVar[tuple[str, ...]] = ("signal_id",)

    signal_id: Of[str, "hash of model, environment, rule, metric, feature, segment and window; of a promise also of what it is per"]
    model: Of[str, "the monitor"]
    environment: Of[str, "production, staging, ..."]
    family: Of[str, "kpi, segment, data, target, service, cost or covariate"]
    level: Of[str, "page or notice"]
    rule: Of[
        str,
        "sudden, slow, target, shortfall, suite, budget (a forecast: the value is of the whole month), or newest: the newest rows of a window that had not ended",
    ]
    metric: Of[str, "the score's metric; of broken expectations, which have no score, unexpected_ratio"]
    feature: Of[str, "the score's feature; of broken expectations the column"] = ""
    segment: Of[str, "the score's segment"] = ""
    window_start: Of[datetime, "the score's window"]
    window_end: Of[datetime, "the score's window, exclusive"]
    value: Of[float, "the score's value; for provisional ones its favourable bound"]
    low: Of[float | None, "lower end of the score's interval"] = None
    high: Of[float | None, "upper end of the score's interval"] = None
    expected: Of[float, "what is usual"]
    normal_low: Of[float | None, "95 % of reference windows lie above this; where hours or weekdays differ, those like it"] = None
    normal_high: Of[float | None, "95 % of reference windows lie below this; where hours or weekdays differ, those like it"] = None
    p: Of[float, "chance of something this far out in a normal window; 0 for a broken target"]
    n: Of[int, "rows it rests on"] = 0
    expects: Of[str, "what the suite expects, in words; of a private column without values"] = ""
    reason: Of[str, "what the score says of itself, such as the segment in which a feature moved most"] = ""
    state: Of[str, "provisional or mature, as the score was; withdrawn when restated to normal"]
    revision: Of[int, "0 at first, +1 when it became mature, was withdrawn or came back"] = 0
    rows_from: Of[datetime | None, "of the rule newest: when the first of the rows was that the number rests on; else null"] = None
    rows_to: Of[datetime | None, "of the rule newest: when the last of them was"] = None
    computed_at: Of[datetime, "the `now` of the judgement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One number of the newest rows of a window that had not ended, held against what is usual; service always, data where out of line."""

    TABLE: ClassVar[str] = "looks"
    KEY: ClassVar[tuple[str, ...]] = ("model", "environment", "bins", "metric", "feature", "segment", "window_start", "rows_from", "reached")

    model: Of[str, "the monitor"]
    environment: Of[str, "production, staging, ..."]
    family: Of[str, "data or service; empty for `rows`, which each look has"] = ""
    metric: Of[str, "name in the catalogue; `rows` says how many rows were looked at"]
    feature: Of[str, "feature it is about, empty for the model"] = ""
    segment: Of[str, "segment it is about, empty for the whole"] = ""
    window_start: Of[datetime, "the monitor's window in which these rows lie"]
    window_end: Of[datetime, "that window, exclusive"]
    rows_from: Of[datetime, "when the first of the rows was"]
    rows_to: Of[datetime, "when the last of them was"]
    value: Of[float, "the number"]
    low: Of[float | None, "lower end of its 95 % interval"] = None
    high: Of[float | None, "upper end of its 95 % interval"] = None
    expected: Of[float, "what is usual in such an hour"] = 0.0
    normal_low: Of[float | None, "95 % of the reference's hours lie above this; where hours differ, those like it"] = None
    normal_high: Of[float | None, "95 % of the reference's hours lie below this; where hours differ, those like it"] = None
    p: Of[float, "chance of something this far out when nothing is wrong"] = 1.0
    n: Of[int, "rows it rests on"] = 0
    is_out: Of[bool, "whether it is out of line within the budget of such looks"] = False
    reached: Of[int, "up to which revision of the model's profile parts this number was looked at in that hour"]
    bins: Of[str, "version of the bins"]
    computed_at: Of[datetime, "the `now` of the look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One thing that happened to an incident; an incident is the fold of its events."""

    TABLE: ClassVar[str] = "incidents"
    KEY: ClassVar[tuple[str, ...]] = ("event_id",)

    event_id: Of[str, "hash of incident, event and what it is about"]
    incident_id: Of[str, "hash of model, subject and opening window"]
    model: Of[str, "the monitor"]
    environment: Of[str, "production, staging, ..."] = "production"
    event: Of[str, "opened, joined, updated, acknowledged or resolved; silences are in `silences`"]
    family: Of[str, "family of its first signal"]
    subject: Of[str, "what it is about: kpi, a segment, a feature, a source"]
    severity: Of[str, "notice, warning, high or critical after this event"]
    window_start: Of[datetime, "first window this event is about"]
    window_end: Of[datetime, "last window this event is about, exclusive"]
    rows_from: Of[datetime | None, "where the newest rows alone told of its first window: when the first of those that were bad was; else null"] = (
        None
    )
    signals: Of[list[str], "signal ids it brings"] = field(default_factory=list)
    story: Of[str, "headline, causes, ruled_out, not_measured, next_steps as measured then, JSON"] = "{}"
    who: Of[str, "person or `watchkeeper`"] = "watchkeeper"
    why: Of[str, "reason given"] = ""
    faults: Of[list[str], "on opening: what it is about that lies outside the model, such as a source or a host, and may hit others too"] = field(
        default_factory=list
    )
    part_of: Of[
        str,
        "on opening: the incident that leads and tells of the same fault, in another model, in its data or in a segment; empty where it stands alone or leads",
    ] = ""
    split_from: Of[str, "on opening: the incident that it goes on from, whose cause changed; else empty"] = ""
    at: Of[datetime, "the `now` of the decision"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody asked not to be told of something until a moment; one that is ended early has a second row."""

    TABLE: ClassVar[str] = "silences"
    KEY: ClassVar[tuple[str, ...]] = ("silence_id", "event")

    silence_id: Of[str, "hash of what it is about, until when, by whom, why and the moment"]
    event: Of[str, "begun, or ended before its time"] = "begun"
    model: Of[str, "the monitor"]
    incident_id: Of[str, "the one incident it is about; empty where it is about all that open while it lasts"] = ""
    metric: Of[str, "only incidents of which every signal is of this metric; empty for any"] = ""
    segment: Of[str, "only incidents of which every signal is of this segment or a part of it; empty for any"] = ""
    until: Of[datetime, "when it ends: that moment is told of again"]
    who: Of[str, "who began it, or ended it"]
    why: Of[str, "reason given"] = ""
    at: Of[datetime, "the `now` of the beginning, or of the end before its time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Days that somebody declared the new normal of a model since a moment, or that its inputs rolled on to; one taken back has a second row."""

    TABLE: ClassVar[str] = "baselines"
    KEY: ClassVar[tuple[str, ...]] = ("baseline_id", "event")

    baseline_id: Of[str, "hash of what it is about, by whom, why and the moment"]
    event: Of[str, "begun, ended: taken back, or skipped: a step of the rolling reference that was not taken"] = "begun"
    model: Of[str, "the monitor"]
    environment: Of[str, "production, staging, ..."]
    since: Of[datetime, "windows that start then or later are compared with these days, until the next new normal"]
    starts_at: Of[datetime, "start of the first of its days"]
    ends_at: Of[datetime, "end of the last of its days, exclusive"]
    who: Of[str, "who declared it, or took it back; rolling for a step of the rolling reference"]
    why: Of[str, "reason given; of a step how many windows it has, and which were left out, each with the reason"] = ""
    at: Of[datetime, "the `now` of the declaration, of the step, or of the taking back"]
    kind: Of[str, "declared: all is compared with it and judged by it; rolling: inputs alone, what pages is not"] = "declared"
    left_out: Of[list[datetime], "starts of the windows within these days that are no part of it"] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One entry of the outbox: something to do, and later that it was done."""

    TABLE: ClassVar[str] = "actions"
    KEY: ClassVar[tuple[str, ...]] = ("action_id", "state", "attempt")

    action_id: Of[str, "idempotency key: hash of what it is for, where it goes and why"]
    incident_id: Of[str, "incident it answers, or the digest's id"]
    model: Of[str, "the monitor"]
    kind: Of[str, "open, update, resolve, digest, retrain or rollback"]
    target: Of[str, "slack, webhook, event, file, training"]
    state: Of[str, "planned, held (until quiet hours are over), sent, failed or skipped"]
    attempt: Of[int, "0 when planned, then 1, 2, ..."] = 0
    payload: Of[str, "what is to be sent, JSON; no secrets"] = "{}"
    reason: Of[str, "why held, skipped or failed"] = ""
    receipt: Of[str, "what the receiver answered: message ts, run id"] = ""
    at: Of[datetime, "the `now` of this state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a stakeholder reads in a minute."""

    TABLE: ClassVar[str] = "digests"
    KEY: ClassVar[tuple[str, ...]] = ("digest_id",)

    digest_id: Of[str, "hash of model, period and window"]
    model: Of[str, "the monitor; empty for the workspace"]
    period: Of[str, "day or week"]
    window_start: Of[datetime, "start of the period"]
    window_end: Of[datetime, "end of the period, exclusive"]
    headline: Of[str, "one line"]
    text: Of[str, "the whole digest, markdown"]
    facts: Of[str, "the numbers it is made of, JSON; `revision` counts how often what was said had to be corrected"] = "{}"
    bins: Of[str, "the bins that its figures rest on; empty before there were any"] = ""
    figures: Of[int, "how many scores of the period had been written by then: more of them and it is written anew"] = 0
    revision: Of[int, "0 at first; one more each time it was written anew"] = 0
    computed_at: Of[datetime, "the `now` of the run"]

    @property
    def corrections(self) -> int:
        """How often what was said had to be corrected."""
        return int(json.loads(self.facts or "{}").get("revision", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of one operation on one window; no window is without one."""

    TABLE: ClassVar[str] = "runs"
    KEY: ClassVar[tuple[str, ...]] = ("model", "operation", "window_start", "window_end")

    model: Of[str, "the monitor"]
    operation: Of[str, "ingest, profile, measure, judge, act or report; `measure` and an id for the windows of a new normal beside itself"]
    window_start: Of[datetime, "the window"]
    window_end: Of[datetime, "the window, exclusive"]
    outcome: Of[str, "done, empty (no rows, though later ones came), insufficient, late (no rows yet), failed or missed (no rows since before it)"]
    reason: Of[str, "why, unless done"] = ""
    rows: Of[int, "rows or scores it produced"] = 0
    inputs: Of[str, "what it rested on; the same inputs are not computed again"] = ""
    revision: Of[int, "0 at first, +1 when the same window was done again at the same `now`"] = 0
    computed_at: Of[datetime, "the `now` of the run"]


RECORDS = (
    Batch,
    Watermark,
    Validation,
    Quarantined,
    Change,
    Bins,
    LabelDelay,
    Profile,
    Score,
    ReferenceScore,
    Signal,
    Look,
    IncidentEvent,
    Silence,
    Baseline,
    Action,
    Digest,
    Run,
    GpuSample,
    GpuProcess,
    HostSample,
    Span,
    MetricSample,
)
