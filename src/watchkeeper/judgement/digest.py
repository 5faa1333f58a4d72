"""The digest: what a stakeholder reads in a minute about one model and one period.

Belongs here: numbers -> lines of plain words. Does not: what numbers there are (digest_facts.py), the word for a period (digest_mood.py), the line about data and inputs (digest_data.py), gathering the numbers (operations/report.py),
message forms (site/).
"""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from watchkeeper.judgement.budget import outlook_text
from watchkeeper.judgement.burden import burden_text, is_heavier
from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.digest_data import data_text
from watchkeeper.judgement.digest_facts import DigestFacts
from watchkeeper.judgement.digest_mood import is_out_of_range, is_worse_within_interval, main_of, mood, segments_in_trouble
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.later_causes import also_text
from watchkeeper.judgement.promises import Promise, when_text
from watchkeeper.judgement.spans import span_text
from watchkeeper.judgement.spending import behind_text, cost_text
from watchkeeper.judgement.succession import succession_text
from watchkeeper.judgement.verdict import reason_text
from watchkeeper.monitor import Monitor
from watchkeeper.records import SEVERITIES, Score
from watchkeeper.windows import grain_of
from watchkeeper.words import counted, listed, measured_text, metric_text, number_text, one_line, percent, percent_interval

RESTATED, OPEN = ", restated", " (open)"
_ROUNDING = 1e-6
_FEW = 3
_OF_RECALL = f"{metric_text('recall')} at least "  # of the whole model


def headline(monitor: Monitor, facts: DigestFacts) -> str:
    """Return the one line that must be read."""
    return one_line(_headline(monitor, facts))


def _headline(monitor: Monitor, facts: DigestFacts) -> str:
    period = span_text(monitor, facts.start, facts.end, facts.told_at)
    so_far = "" if facts.is_final or not facts.scores else " (provisional)"
    start = f"{monitor.model}, {period}{RESTATED if facts.is_correction else ''}: {mood(monitor, facts)}{so_far}."
    if facts.reason is not None and (reason := reason_text(monitor, facts.scores, facts.reason, facts.told_at)):
        return f"{start} {reason}"
    gravest = max(facts.incidents, key=lambda i: SEVERITIES.index(i.severity), default=None)
    if facts.reason is None and gravest is not None:
        return f"{start} {gravest.headline}"
    if gravest is None and (facts.is_mostly_aside or facts.blind):
        landed = round(_value(facts, "rows") or 0.0)
        aside = f"{facts.events_aside:,} of {facts.events_aside + landed:,} {monitor.wording.rows} are in quarantine, and in no figure"
        return f"{start} {aside if facts.is_mostly_aside else _capital(facts.blind)}"
    why = _unquiet(monitor, facts) if gravest is None else []
    return f"{start} {'; '.join([*why, *_figure(monitor, facts, why)])}".rstrip()


def _figure(monitor: Monitor, facts: DigestFacts, said_already: Sequence[str]) -> list[str]:
    """Return the figure that tells a period at a glance: how often the outcome came and was expected, or the main number unless that is said."""
    rate, said = _value(facts, "positive_rate"), _value(facts, "score_mean")
    if monitor.task == "binary" and rate is not None and said is not None:
        gap = _value(facts, "calibration_gap")
        expected = rate - gap if gap is not None else said
        return [
            f"{percent(rate)} of {monitor.wording.rows} were {monitor.wording.positive} {_percents(facts, 'positive_rate')}; the model expected {percent(expected)}"
        ]
    main = main_of(monitor)
    number = f"{metric_text(main)} {_number(monitor, facts, main)}"
    return [number] if main in facts.scores and not any(each.startswith(number) for each in said_already) else []


def _unquiet(monitor: Monitor, facts: DigestFacts) -> list[str]:
    """Return what makes a period without an incident about the whole model no quiet one."""
    main, period = main_of(monitor), grain_of(facts.end - facts.start)
    out = [f"{metric_text(main)} {_number(monitor, facts, main)}, worse than in any reference {period}"] if is_out_of_range(monitor, facts) else []
    return [*out, *(i.headline for i in segments_in_trouble(facts)[:1])]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def lines(monitor: Monitor, facts: DigestFacts) -> list[tuple[str, str]]:
    """Return (label, text) lines in reading order; what is not known is said, what is empty is left out."""
    made = [
        ("", _opening(monitor, facts)),
        ("Quality", _quality(monitor, facts)),
        ("Compared with", f"{facts.compared_with}." if facts.compared_with else ""),
        ("Normal has moved", f"{facts.moved}." if facts.moved else ""),
        ("Versions", f"{succession_text(monitor, facts.succession, facts.told_at)}." if facts.succession else ""),
        ("Own numbers", _own_numbers(monitor, facts)),
        ("Promises", _promises(monitor, facts)),
        ("Why", _why(monitor, facts)),
        ("In segments", _in_segments(monitor, facts)),
        ("Times", f"{facts.times.text}." if facts.times.text else ""),
        ("Data", data_text(facts)),
        ("Labels", _labels(facts)),
        (f"Cost{' (synthetic trace, not a bill)' if facts.cost and facts.cost.is_synthetic else ''}", cost_text(facts.cost) if facts.cost else ""),
        ("Behind the cost", behind_text(facts.cost) if facts.cost else ""),
        ("Budget", outlook_text(facts.cost.outlook) if facts.cost and facts.cost.outlook else ""),
        ("Could be saved", facts.cost.advice if facts.cost else ""),
        ("Not known", "; ".join(facts.not_known)),
        ("Next", _next(monitor, facts)),
    ]
    return [(label, one_line(said)) for label, said in made if said]


def _open(facts: DigestFacts) -> list[Incident]:
    """Return the open incidents that a digest tells of."""
    return _once([i for i in (*facts.incidents, *facts.segments) if i.is_open])


def _once(incidents: Sequence[Incident]) -> list[Incident]:
    """Return incidents, the gravest first, promises last; of what is told as one the KPI where there is one."""
    told = {i.leader: i for i in sorted(incidents, key=lambda i: (i.family == "kpi", i.family == "segment"))}
    return sorted(told.values(), key=lambda i: (i.family == "target", -SEVERITIES.index(i.severity), i.family == "segment"))


def _began_later(later: Sequence[Incident]) -> str:
    """Return which open incidents began after the period; empty without any."""
    every = _once(later)
    more = [f"and {len(every) - _FEW} more"] if len(every) > _FEW else []
    named = "; ".join([*(f"{i.headline} ({i.id})" for i in every[:_FEW]), *more])
    return f" {counted(len(every), 'open incident')} began later: {named}." if every else ""


def _opening(monitor: Monitor, facts: DigestFacts) -> str:
    still = _open(facts)
    over = f": what was wrong is {', or '.join(_ends(facts.incidents))}" if facts.incidents else ""
    which = f" of this {grain_of(facts.end - facts.start)}" if facts.later else ""
    needs = f"{counted(len(still), 'open incident')} need{'' if len(still) > 1 else 's'} you." if still else f"Nothing{which} needs you now{over}."
    if not still and (facts.is_mostly_aside or facts.blind or not facts.is_judged):
        needs = f"No incident{which} is open, which is no sign of health: {'most rows were not seen' if facts.is_mostly_aside else 'nobody can judge the model'}."
    elif not still and not facts.incidents and is_out_of_range(monitor, facts):
        needs = f"No incident{which} is open, but the main number is worse than in any reference {grain_of(facts.end - facts.start)}."
    needs += _began_later(facts.later)
    said = ["This replaces what was said before."] if facts.is_correction else []
    if facts.failed:
        return " ".join([*said, *([needs] if still else []), f"Figures are not final: {facts.failed}."])
    said += [needs, _finality(monitor, facts)]
    if facts.restated:
        said.append(f"{counted(facts.restated, 'figure')} of this period {'was' if facts.restated == 1 else 'were'} restated.")
    return " ".join(said)


def _ends(incidents: Sequence[Incident]) -> list[str]:
    """Return what became of incidents that need nobody now."""
    lasting = [i for i in incidents if i.state == "lasting"]
    over = ["over"] if len(lasting) < len(incidents) else []
    unjudged = ["no longer judged"] if any(i.is_unjudged for i in incidents) else []
    return [*over, *unjudged, *(["known and lasts"] if lasting else [])]


def _finality(monitor: Monitor, facts: DigestFacts) -> str:
    """Return whether figures may still change: those of an incident that goes on after the period may where the period's own may not."""
    if not facts.scores:
        return "There are no figures."
    if not facts.is_final:
        return "Figures are provisional: labels are still missing."
    if not facts.not_due:
        return "All figures are final."
    goes, its = ("goes", "its") if facts.not_due == 1 else ("go", "their")
    still = f"{counted(facts.not_due, 'open incident')} {goes} on after it: labels of {its} newest {monitor.window}s are not due."
    return f"All figures of this {grain_of(facts.end - facts.start)} are final. {still}"


def _quality(monitor: Monitor, facts: DigestFacts) -> str:
    main = main_of(monitor)
    if not facts.scores:
        return f"not measured: no {monitor.wording.rows} landed"
    if main not in facts.scores:
        foreseen = _foreseen(monitor, facts, main)
        return "not measured: no labels" if monitor.labels is None else f"not measured: too few labels{f'.{foreseen}' if foreseen else ''}"
    usual, but = facts.usual.get(main), "; worse than all of them, within its interval" if is_worse_within_interval(monitor, facts) else ""
    said = (
        f"{metric_text(main)} {_number(monitor, facts, main)}"
        + (f", reference {grain_of(facts.end - facts.start)}s {_range(*usual)} (least and greatest){but}" if usual else "")
        + "."
    )
    recall = facts.scores.get("recall")
    if recall is not None and recall.value is not None:
        reference = f"; over the whole reference {percent(recall.reference_value)}" if recall.reference_value is not None else ""
        words = monitor.wording  # "fraudulent predictions" would be those that said so, and not those that were
        sought = f"{words.positive} {words.rows}" if "rows" in words.model_fields_set else f"that were {words.positive}"
        said += f" Found {round(recall.value * recall.n):,} of {recall.n:,} {sought} ({percent(recall.value)}{reference})."
        burden = burden_text(monitor, facts.scores.get("flagged_ratio"), facts.scores.get("precision"))
        said += f" But {burden}." if burden else ""
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
    flagged = facts.scores.get("flagged_ratio") if is_own and found.is_kept and found.text.startswith(_OF_RECALL) else None
    by = f", with {percent(flagged.value)} of {monitor.wording.rows} flagged" if flagged is not None and is_heavier(flagged) else ""
    said = f"{found.text}: {'kept' if found.is_kept else 'broken'}{when} ({number_text(found.value)}{by})"
    return f"{said}, {running}" if running else said


def _running(monitor: Monitor, facts: DigestFacts, found: Promise) -> str:
    last = (facts.end - timedelta(microseconds=1)).astimezone(ZoneInfo(monitor.timezone))
    return f"in {last:%B}" if found.per == "month" else f"this {found.per}"


def _why(monitor: Monitor, facts: DigestFacts) -> str:
    harm = {i.leader for i in facts.incidents if i.family == "kpi"}
    found = (
        i for i in facts.incidents if i.family != "target" and not (i.family == "data" and i.leader in harm)
    )  # the KPI's cause tells of that fault
    told = sorted(found, key=lambda i: -SEVERITIES.index(i.severity))
    return " ".join(_because(monitor, facts, i) for i in told[:_FEW])


def _cause(monitor: Monitor, incident: Incident) -> str:
    """Return the cause of an incident, or those between which it is undecided; empty where it is unknown."""
    found = incident.story.causes if incident.story else []
    level = [c.subject for c in undecided(found) if c.subject]
    first = f"undecided between: {listed(level)}" if len(level) > 1 else f"likely cause: {level[0]}" if level else ""
    return f"{first}{also_text(found, monitor.timezone)}" if first else ""


def _because(monitor: Monitor, facts: DigestFacts, incident: Incident) -> str:
    reason = _cause(monitor, incident) or ("cause unknown; reply if you know" if incident.family != "data" else "see the validation docs")
    return f"{incident.headline}; {reason}{_all_of_it(monitor, facts, incident)}."


def _all_of_it(monitor: Monitor, facts: DigestFacts, incident: Incident) -> str:
    """Return the days of an incident that reaches beyond the period, or is told by one part; empty where its headline names them, as a budget's does."""
    whole = facts.wholes.get(incident.leader, incident)
    is_part = (whole.window_start, whole.window_end) != (incident.window_start, incident.window_end)
    is_longer = whole.window_start < facts.start or whole.window_end > facts.end
    if incident.family == "cost" or not (is_part or is_longer):
        return ""
    span = span_text(monitor, whole.window_start, whole.window_end, facts.told_at)
    return f" (all of it: {span})" if is_part else f" (one incident, told as a whole: {span})"


def _in_segments(monitor: Monitor, facts: DigestFacts) -> str:
    return " ".join(_in_segment(monitor, i) for i in facts.segments[:_FEW])


def _in_segment(monitor: Monitor, incident: Incident) -> str:
    """Tell of a segment's incident with its cause; what is known and lasts without."""
    if incident.state == "lasting":
        return f"{incident.headline} (known, lasts)."
    return f"{incident.headline}{OPEN if incident.is_open else ''}; {_cause(monitor, incident) or 'cause unknown'}."


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


def _next(monitor: Monitor, facts: DigestFacts) -> str:
    steps = _steps(monitor, facts)
    return " ".join([*steps[:1], *map(_capital, steps[1:])]) or "nothing to do."


def _steps(monitor: Monitor, facts: DigestFacts) -> list[str]:
    """Return what to do: about each open incident, of the period or later, about a main number that makes it no quiet one, or what hides it; of what is over nothing."""
    still, later = _open(facts), {i.id for i in facts.later}
    told = _once([*still, *facts.later])
    number = (
        f"find the days and segments behind the {metric_text(main_of(monitor))}, worse than in any reference {grain_of(facts.end - facts.start)}."
    )
    out = [number] if not facts.incidents and is_out_of_range(monitor, facts) else []
    if not out and not still:
        out += filter(None, [_to_see(facts)])
    out += [_look_at(i, is_named=len(told) > 1 or i.family == "segment", is_later=i.id in later) for i in told[:_FEW]]
    more = len(told) - _FEW
    return [*out, f"{more} more {'is' if more == 1 else 'are'} open: `watchkeeper incidents` lists them."] if more > 0 else out


def _to_see(facts: DigestFacts) -> str:
    """Return what to do where a period is not seen, or not judged; empty where it is."""
    if facts.is_mostly_aside:
        return "`watchkeeper quarantine list` says why rows are set aside: mend them at their source, or correct the suite or the monitor, then `watchkeeper quarantine release`."
    if facts.blind:
        return "see that labels are delivered; `watchkeeper check` says what is known of them."
    return "" if facts.is_judged else facts.to_be_judged or "`watchkeeper check` says what the reference lacks."


def _look_at(incident: Incident, *, is_named: bool, is_later: bool = False) -> str:
    """Return the steps that an incident's story names; one without any, of a segment, or that began after the period is named itself."""
    steps = " ".join(incident.story.next_steps) if incident.story else ""
    if steps and not is_named and not is_later:
        return steps
    began = ", which began later" if is_later else ""
    return f"look at incident {incident.id}{began} (`watchkeeper incidents show {incident.id}`){f': {steps}' if steps else '.'}"


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
