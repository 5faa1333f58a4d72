"""The digest: what a stakeholder reads in a minute about one model and one period.

Belongs here: numbers -> lines of plain words. Does not: gathering the numbers (operations/report.py), message forms (site/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.judgement.budget import outlook_text
from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.evidence import Broken
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.promises import Promise, when_text
from watchkeeper.judgement.settling import SETTLED
from watchkeeper.judgement.spans import span_text
from watchkeeper.judgement.spending import Spending, behind_text, cost_text
from watchkeeper.judgement.standing import Succession, succession_text
from watchkeeper.judgement.times import Medians
from watchkeeper.judgement.verdict import Reason, reason_text
from watchkeeper.monitor import Monitor
from watchkeeper.profiles.pairs import parts_of
from watchkeeper.records import SEVERITIES, Score, Signal
from watchkeeper.windows import grain_of
from watchkeeper.words import counted, listed, measured_text, metric_text, number_text, one_line, percent, percent_interval

RESTATED = ", restated"
_ROUNDING = 1e-6
_NAMED = 4  # features that fit a line
_OF_SHAPE = ("psi", "loc", "spread", "share_shift")
_MAIN = {"binary": "log_loss", "regression": "mae", "multiclass": "accuracy"}


@dataclass(frozen=True, kw_only=True)
class DigestFacts:
    """All that a digest may tell; scores are of the whole period, by metric.

    Incidents are as grave as they were in the period; `reason` is what makes it as bad as it was; `later` counts the open incidents that began after it; `is_correction` when words told before no longer hold; `failed` names the steps that could not be done.
    `compared_with` names the new normal that is the reference of the period, empty where that is the monitor file's; `moved` says how far a rolling reference is from it.
    `blind` says why no label tells how good the model was, `is_mostly_aside` that more events are in quarantine (`events_aside`) than landed.
    """

    start: datetime
    end: datetime
    scores: Mapping[str, Score]
    usual: Mapping[str, tuple[float, float]]
    incidents: Sequence[Incident]
    segments: Sequence[Incident]
    notices: Sequence[Signal]
    promises: Sequence[Promise]
    quarantined: int
    quarantine_reasons: Sequence[tuple[str, int]]
    is_final: bool
    labels_aside: int = 0
    label_classes: Sequence[str] = ()
    is_judged: bool = True
    blind: str = ""
    is_mostly_aside: bool = False
    events_aside: int = 0
    broken: Sequence[Broken] = ()
    cost: Spending | None = None
    files_refused: int = 0
    restated: int = 0
    is_correction: bool = False
    failed: str = ""
    not_known: Sequence[str] = ()
    told_at: datetime | None = None
    reason: Reason | None = None
    later: int = 0
    times: Medians = field(default_factory=Medians)
    succession: Succession | None = None
    compared_with: str = ""
    moved: str = ""

    @property
    def scores_moved(self) -> bool:
        """Tell whether the model's own scores differ from the reference's."""
        return any(s.metric == "psi" and s.feature == "@score" for s in self.notices)


def headline(monitor: Monitor, facts: DigestFacts) -> str:
    """Return the one line that must be read."""
    return one_line(_headline(monitor, facts))


def _headline(monitor: Monitor, facts: DigestFacts) -> str:
    period = span_text(monitor, facts.start, facts.end, facts.told_at)
    so_far = "" if facts.is_final or not facts.scores else " (provisional)"
    start = f"{monitor.model}, {period}{RESTATED if facts.is_correction else ''}: {mood(facts)}{so_far}."
    if facts.reason is not None and (reason := reason_text(monitor, facts.scores, facts.reason, facts.told_at)):
        return f"{start} {reason}"
    gravest = max(facts.incidents, key=lambda i: SEVERITIES.index(i.severity), default=None)
    if facts.reason is None and gravest is not None and gravest.family != "kpi" and gravest.severity in SEVERITIES[2:]:
        return f"{start} {gravest.headline}"
    if gravest is None and (facts.is_mostly_aside or facts.blind):
        landed = round(_value(facts, "rows") or 0.0)
        aside = f"{facts.events_aside:,} of {facts.events_aside + landed:,} {monitor.wording.rows} are in quarantine, and in no figure"
        return f"{start} {aside if facts.is_mostly_aside else _capital(facts.blind)}"
    rate, said = _value(facts, "positive_rate"), _value(facts, "score_mean")
    if monitor.task == "binary" and rate is not None and said is not None:
        gap = _value(facts, "calibration_gap")
        expected = rate - gap if gap is not None else said
        return f"{start} {percent(rate)} of {monitor.wording.rows} were {monitor.wording.positive} {_percents(facts, 'positive_rate')}; the model expected {percent(expected)}"
    main = _main(monitor)
    return f"{start} {metric_text(main)} {_number(monitor, facts, main)}" if main in facts.scores else start


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _main(monitor: Monitor) -> str:
    """Return the KPI that a digest leads with: of a model that logs no probabilities one of its decisions."""
    return "accuracy" if monitor.decides_alone else _MAIN.get(monitor.task, "")


def mood(facts: DigestFacts) -> str:
    """Return what kind of period it was: by the gravest incident about the whole model."""
    if facts.failed:
        return "not all measured"
    if not facts.scores:
        return "nothing to measure"
    if not facts.is_judged:
        return "not judged"
    worst = max((SEVERITIES.index(i.severity) for i in facts.incidents), default=0)
    if worst == 0 and (facts.is_mostly_aside or facts.blind):
        return "most rows set aside" if facts.is_mostly_aside else "not judged"
    if worst == 0 and facts.scores_moved and "label_coverage" not in facts.scores:
        return "its scores moved, and no label tells whether that is harm"
    return ("quiet", "some trouble", "bad", "very bad")[worst]


def lines(monitor: Monitor, facts: DigestFacts) -> list[tuple[str, str]]:
    """Return (label, text) lines in reading order; what is not known is said, what is empty is left out."""
    made = [
        ("", _opening(facts)),
        ("Quality", _quality(monitor, facts)),
        ("Compared with", f"{facts.compared_with}." if facts.compared_with else ""),
        ("Normal has moved", f"{facts.moved}." if facts.moved else ""),
        ("Versions", f"{succession_text(monitor, facts.succession, facts.told_at)}." if facts.succession else ""),
        ("Own numbers", _own_numbers(monitor, facts)),
        ("Promises", _promises(monitor, facts)),
        ("Why", _why(monitor, facts)),
        ("Quiet trouble", _quiet(facts)),
        ("Times", f"{facts.times.text}." if facts.times.text else ""),
        ("Data", _data(facts)),
        ("Labels", _labels(facts)),
        (f"Cost{' (synthetic trace, not a bill)' if facts.cost and facts.cost.is_synthetic else ''}", cost_text(facts.cost) if facts.cost else ""),
        ("Behind the cost", behind_text(facts.cost) if facts.cost else ""),
        ("Budget", outlook_text(facts.cost.outlook) if facts.cost and facts.cost.outlook else ""),
        ("Could be saved", facts.cost.advice if facts.cost else ""),
        ("Not known", "; ".join(facts.not_known)),
        ("Next", _next(facts)),
    ]
    return [(label, one_line(said)) for label, said in made if said]


def _opening(facts: DigestFacts) -> str:
    still = [i for i in (*facts.incidents, *facts.segments) if i.is_open]
    over = ": what was wrong is over" if facts.incidents else ""
    which = f" of this {grain_of(facts.end - facts.start)}" if facts.later else ""
    needs = f"{counted(len(still), 'open incident')} need{'' if len(still) > 1 else 's'} you." if still else f"Nothing{which} needs you now{over}."
    if not still and (facts.is_mostly_aside or facts.blind or not facts.is_judged):
        needs = f"No incident{which} is open, which is no sign of health: {'most rows were not seen' if facts.is_mostly_aside else 'nobody can judge the model'}."
    if facts.later:
        needs += f" {counted(facts.later, 'open incident')} began later."
    said = ["This replaces what was said before."] if facts.is_correction else []
    if facts.failed:
        return " ".join([*said, *([needs] if still else []), f"Figures are not final: {facts.failed}."])
    final = "All figures are final." if facts.is_final else "Figures are provisional: labels are still missing."
    said += [needs, final if facts.scores else "There are no figures."]
    if facts.restated:
        said.append(f"{counted(facts.restated, 'figure')} of this period {'was' if facts.restated == 1 else 'were'} restated.")
    return " ".join(said)


def _quality(monitor: Monitor, facts: DigestFacts) -> str:
    main = _main(monitor)
    if not facts.scores:
        return f"not measured: no {monitor.wording.rows} landed"
    if main not in facts.scores:
        foreseen = _foreseen(monitor, facts, main)
        return "not measured: no labels" if monitor.labels is None else f"not measured: too few labels{f'.{foreseen}' if foreseen else ''}"
    usual = facts.usual.get(main)
    said = (
        f"{metric_text(main)} {_number(monitor, facts, main)}"
        + (f", reference {grain_of(facts.end - facts.start)}s {_range(*usual)} (least and greatest)" if usual else "")
        + "."
    )
    recall = facts.scores.get("recall")
    if recall is not None and recall.value is not None:
        reference = f"; over the whole reference {percent(recall.reference_value)}" if recall.reference_value is not None else ""
        words = monitor.wording  # "fraudulent predictions" would be those that said so, and not those that were
        sought = f"{words.positive} {words.rows}" if "rows" in words.model_fields_set else f"that were {words.positive}"
        said += f" Found {round(recall.value * recall.n):,} of {recall.n:,} {sought} ({percent(recall.value)}{reference})."
    auc = facts.scores.get("roc_auc")
    if auc is not None and auc.value is not None:
        said += f" Ranking (AUC) {_number(monitor, facts, 'roc_auc')}" + (
            f", over the whole reference {number_text(auc.reference_value)}." if auc.reference_value is not None else "."
        )
    return said + _foreseen(monitor, facts, main)


def _own_numbers(monitor: Monitor, facts: DigestFacts) -> str:
    """Tell the KPIs of the monitor's own, with what they were in the reference."""
    found = [facts.scores[kpi.name] for kpi in monitor.kpis if kpi.name in facts.scores]
    return "; ".join(_own_number(s, facts.usual.get(s.metric)) for s in found)


def _own_number(score: Score, usual: tuple[float, float] | None) -> str:
    said = f"{metric_text(score.metric)} {measured_text(score.value, score.low, score.high, score.unit)} over {counted(score.n, 'label')}"
    return f"{said}, usual {number_text(usual[0], beside=usual)} to {number_text(usual[1], beside=usual)}" if usual else said


def _foreseen(monitor: Monitor, facts: DigestFacts, main: str) -> str:
    """Return what scores alone foretell of the main KPI: while labels are missing, and afterwards where it came out otherwise."""
    foreseen, realised = facts.scores.get(f"estimated_{main}"), facts.scores.get(main)
    if not facts.is_judged or foreseen is None or foreseen.low is None or foreseen.high is None:
        return ""  # by a reference that is not believed nothing can be foretold
    said = f"{metric_text(foreseen.metric)} {_number(monitor, facts, foreseen.metric)}"
    if not facts.is_final or realised is None or realised.value is None:
        return f" From the scores alone, {said}: an estimate, blind to a change of what the inputs mean."
    low, high = realised.value if realised.low is None else realised.low, realised.value if realised.high is None else realised.high
    if low - _ROUNDING <= foreseen.high and foreseen.low <= high + _ROUNDING:  # either may be the other
        return ""
    worse = realised.value > foreseen.high if realised.direction == "lower_is_better" else realised.value < foreseen.low
    return f" The scores alone had promised {_number(monitor, facts, foreseen.metric)}: what came is {'worse' if worse else 'better'} than inputs explain."


def _promises(monitor: Monitor, facts: DigestFacts) -> str:
    return "; ".join(_promise(monitor, facts, found) for found in facts.promises)


def _promise(monitor: Monitor, facts: DigestFacts, found: Promise) -> str:
    """Tell of a promise: the window that decided, unless it is the digest's own, and how a longer one that runs goes so far."""
    running = "" if found.so_far is None else f"{number_text(found.so_far)} so far {_running(monitor, facts, found)}"
    if found.value is None:
        return f"{found.text}: {f'{running}, not decided' if running else 'not known'}"
    is_own = (found.window_start, found.window_end) == (facts.start, facts.end)
    when = "" if is_own else f" {when_text(found.per, found.window_start, found.window_end, monitor.timezone)}"
    said = f"{found.text}: {'kept' if found.is_kept else 'broken'}{when} ({number_text(found.value)})"
    return f"{said}, {running}" if running else said


def _running(monitor: Monitor, facts: DigestFacts, found: Promise) -> str:
    last = (facts.end - timedelta(microseconds=1)).astimezone(ZoneInfo(monitor.timezone))
    return f"in {last:%B}" if found.per == "month" else f"this {found.per}"


def _why(monitor: Monitor, facts: DigestFacts) -> str:
    told = sorted((i for i in facts.incidents if i.family != "target"), key=lambda i: -SEVERITIES.index(i.severity))
    return " ".join(_because(monitor, facts, i) for i in told[:3])


def _because(monitor: Monitor, facts: DigestFacts, incident: Incident) -> str:
    level = [c.subject for c in undecided(incident.story.causes)] if incident.story else []
    cause = f"undecided between: {listed(level)}" if len(level) > 1 else f"likely cause: {level[0]}" if level else ""
    reason = cause or ("cause unknown; reply if you know" if incident.family != "data" else "see the validation docs")
    longer = incident.window_start < facts.start or incident.window_end > facts.end
    whole = f" (one incident, told as a whole: {span_text(monitor, incident.window_start, incident.window_end, facts.told_at)})" if longer else ""
    return f"{incident.headline}; {reason}{whole}."


def _quiet(facts: DigestFacts) -> str:
    return " ".join(f"{i.headline}{' (known, lasts)' if i.state == 'lasting' else ''}." for i in facts.segments[:3])


def _data(facts: DigestFacts) -> str:
    reasons = "; ".join(f"{n:,} {reason}" for reason, n in facts.quarantine_reasons[:2])
    of_labels = f", {facts.labels_aside:,} of them labels" if facts.labels_aside else ""
    said = f"{counted(facts.quarantined, 'row')} quarantined{of_labels}{f' ({reasons})' if reasons else ''}."
    said += f" {counted(facts.files_refused, 'file')} refused whole: `watchkeeper quarantine list` says why." if facts.files_refused else ""
    if facts.broken:
        many = [f"{percent(b.share)} of {b.column} (usually {percent(b.usual)})" for b in facts.broken[:3]]
        said += f" Landed, but not as the suite expects: {', '.join(many)}."
    moved = sorted({s.feature for s in facts.notices if s.metric in _OF_SHAPE and not s.feature.startswith("@")})
    if moved:
        said += f" Inputs differ from the reference ({_some(moved)}): a notice, no alarm."
    if lasting := sorted({_about(s) for s in facts.notices if s.reason.endswith(SETTLED)}):
        it, is_, was = ("it", "is", "has been") if len(lasting) == 1 else ("they", "are", "have been")
        said += f" That of {_some(lasting)} lasts and did no harm: from here on {it} {is_} compared with how {it} {was} since."
    said += _hidden(facts)
    if facts.scores_moved:
        worst = max((s for s in facts.notices if s.metric == "psi" and s.feature == "@score"), key=lambda s: s.value)
        said += f" The model's own scores differ from the reference (PSI up to {number_text(worst.value)}, usually {number_text(worst.expected)}): a notice."
    return said + _risen(facts)


def _about(signal: Signal) -> str:
    """Return in words which input, pair of inputs or number of the model's scores a notice is about."""
    if not signal.feature:
        return f"the {metric_text(signal.metric)}"
    if signal.feature == "@score":
        return "the model's own scores"
    return listed(parts_of(signal.feature)) if signal.metric == "correlation" else metric_text("", signal.feature)


def _risen(facts: DigestFacts) -> str:
    """Say of numbers of the whole that rose without harm: how unsure the model was, how long requests waited."""
    unsure, waits = ([(s.value, s.expected) for s in _worst(facts, metric)] for metric in ("low_confidence_ratio", "queue_time_p95"))
    said = [f" Up to {percent(now)} of scores lie near the threshold, usually {percent(usual)}: a notice." for now, usual in unsure]
    said += [f" Requests wait longer (p95 up to {number_text(now, 'ms')}, usually {number_text(usual, 'ms')}): a notice." for now, usual in waits]
    return "".join(said)


def _hidden(facts: DigestFacts) -> str:
    """Say of inputs what the whole of each does not show: a shift in one segment alone, and pairs that no longer go together."""
    apart = [f"{s.feature} ({s.reason})" for s in _worst(facts, "segment_shift")]
    pairs = [
        f"{' and '.join(parts_of(s.feature))} (correlation {number_text(s.value)}, usually {number_text(s.expected)})"
        for s in _worst(facts, "correlation")
    ]
    said = f" Moved in one segment and not in the rest: {_some(apart)}: a notice." if apart else ""
    return said + (f" Go together otherwise than in the reference: {_some(pairs)}: a notice." if pairs else "")


def _worst(facts: DigestFacts, metric: str) -> list[Signal]:
    """Return the notice of each feature, by name, that lies farthest from what is usual."""
    mine = sorted((s for s in facts.notices if s.metric == metric), key=lambda s: (s.feature, abs(s.value - s.expected)))
    return list({s.feature: s for s in mine}.values())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _labels(facts: DigestFacts) -> str:
    coverage = facts.scores.get("label_coverage")
    if coverage is None or coverage.value is None:
        return ""
    known = round(coverage.value * coverage.n)
    aside = min(facts.labels_aside, coverage.n - known)
    rest = coverage.n - known - aside
    held = f"; {aside:,} came and {'was' if aside == 1 else 'were'} set aside" if aside else ""
    tail = f"; {rest:,} {'never came' if facts.is_final and not facts.failed else 'not here yet'}" if rest else ""
    return f"{known:,} of {coverage.n:,} ({percent(coverage.value, digits=1)}){held}{tail}.{''.join(f' {_capital(said)}.' for said in facts.label_classes)}"


def _next(facts: DigestFacts) -> str:
    told = sorted(facts.incidents, key=lambda i: (i.family == "target", not i.is_open, -SEVERITIES.index(i.severity)))
    steps = [step for i in told[:1] if i.story for step in i.story.next_steps]
    if steps:
        return " ".join(steps)
    if facts.is_mostly_aside:
        return "`watchkeeper quarantine list` says why rows are set aside: mend them at their source, or correct the suite or the monitor, then `watchkeeper quarantine release`."
    return "see that labels are delivered; `watchkeeper check` says what is known of them." if facts.blind else "nothing to do."


def _value(facts: DigestFacts, metric: str) -> float | None:
    score = facts.scores.get(metric)
    return None if score is None else score.value


def _number(monitor: Monitor, facts: DigestFacts, metric: str) -> str:
    score = facts.scores.get(metric)
    if score is None or score.value is None:
        return "not known"
    return measured_text(score.value, score.low, score.high, score.unit, truth=monitor.wording.unit)


def _range(low: float, high: float) -> str:
    return f"{number_text(low, beside=[high])} to {number_text(high, beside=[low])}"


def _percents(facts: DigestFacts, metric: str) -> str:
    return percent_interval(facts.scores[metric].low, facts.scores[metric].high)
