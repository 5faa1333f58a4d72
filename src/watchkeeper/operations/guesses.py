"""What the columns of events seem to mean, by their names, types and values, each with the reason in words.

Belongs here: one guess about one role of an event's column. Does not: the truth and the task (truths.py), the order of the
questions (draft.py). A guess is (value, why), or None where a person must say it; a wrong guess costs more than a question.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.operations.classes import is_positive
from watchkeeper.operations.convert import as_text
from watchkeeper.operations.times import to_utc
from watchkeeper.operations.traits import distinct, is_number, is_share, is_text
from watchkeeper.words import percent

Guess = tuple[Any, str]

_SAMPLE = 1_000
_MANY_CLASSES = 100
_MANY_VERSIONS = 20
_SEGMENT_VALUES, _SEGMENTS = (2, 20), 3
_FEWEST_OF_A_HOST = 5
_KEY = re.compile(r"(^|_)(id|uuid|guid|key)$|[a-z]I[dD]$", re.IGNORECASE)
_TIMES = [
    re.compile(p, re.IGNORECASE)
    for p in (r"^(event|prediction|request|scored)_?(time|at|ts|timestamp)$", r"^(timestamp|time|ts)$", r"_(at|time|ts|timestamp)$", r"date|time|day")
]
_SCORE = re.compile(r"score|prob|(^|_)p_|_p$|^p$|likelihood|confidence", re.IGNORECASE)
_WORDS = r"(?P<word>probability|proba|prob|score|p)"
_OF_CLASS = [re.compile(p, re.IGNORECASE) for p in (rf"{_WORDS}[ _.-]?(?P<label>.+)", rf"(?P<label>.+?)[ _.-]?{_WORDS}")]
_FEWEST_CLASSES, _NEARLY_ALL, _ROUNDED = 3, 0.99, 0.01
_PREDICTED = re.compile(r"pred|y_?hat|forecast|estimate|decision|decided|classified", re.IGNORECASE)
_DECIDED = re.compile(r"flag|decision|decided|approv|declin|reject|predict|alert|alarm|accept|review|block|offer", re.IGNORECASE)
_FEWEST_DECIDED, _ASTRAY = 5, (0.01, 0.05)
_PERSONAL = re.compile(r"e_?mail|phone|(^|_)ssn$|passport|iban|(first|last|sur|full)_?name|street|birth|(^|_)ip(_address)?$", re.IGNORECASE)
_UNIT = r"_?(ms|millis|milliseconds)|_(s|sec|secs|seconds|us|micros|microseconds)"
_NUMBERS = ("latency", "queue_time", "input_tokens", "output_tokens", "cached_tokens")
_BY_NAME = {
    "version": re.compile(r"^(model_?)?(version|ver|release|revision|build|tag)$", re.IGNORECASE),
    "environment": re.compile(r"^env(ironment)?$", re.IGNORECASE),
    "latency": re.compile(
        rf"^((latency|response_time|inference_time|duration)({_UNIT})?|(took|elapsed|runtime|(processing|request|scoring|serving)_time){_UNIT})$",
        re.IGNORECASE,
    ),
    "queue_time": re.compile(rf"^(queue|queued|queue_time|time_in_queue|queue_wait)({_UNIT})?$", re.IGNORECASE),
    "input_tokens": re.compile(r"^((input|prompt)_tokens|tokens_in)$", re.IGNORECASE),
    "cached_tokens": re.compile(r"^(cached_((input|prompt)_)?tokens|tokens_cached)$", re.IGNORECASE),
    "output_tokens": re.compile(r"^((output|completion|generated)_tokens|tokens_out)$", re.IGNORECASE),
    "status": re.compile(r"^(status|status_code|http_status|http_status_code|error_(class|type))$", re.IGNORECASE),
    "trace_id": re.compile(r"^trace_?id$", re.IGNORECASE),
    "host": re.compile(r"^(host(name)?|pod(_?name)?|replica|instance_?id)$", re.IGNORECASE),
    "region": re.compile(r"^((cloud|aws|gcp|azure|serving|deployment)_region|availability_zone|data_?cent(er|re))$", re.IGNORECASE),
}


def id_column(events: pa.Table, labels: pa.Table | None) -> Guess | None:
    """Return the column that tells events apart: all different, none missing, and shared with the labels or named like an id."""
    shared = set(labels.column_names) if labels is not None else set()
    keys = [n for n in events.column_names if _tells_apart(events[n])]
    ranked = sorted(keys, key=lambda n: (n not in shared, not _KEY.search(n)))
    if not ranked:
        return None
    best = ranked[0]
    if best in shared:
        return best, "all values differ, and the labels have it too"
    if _KEY.search(best):
        return best, "all values differ, and it is named like an id"
    texts = [n for n in keys if is_text(events[n])]
    return (texts[0], "the only text column whose values all differ") if len(texts) == 1 else None


def time_column(rows: pa.Table, timezone: str, taken: Collection[str]) -> Guess | None:
    """Return the column that says when: one that holds times, best one that is named so."""
    times = [n for n in rows.column_names if n not in taken and _holds_times(n, rows[n], timezone)]
    if not times:
        return None
    best = min(times, key=_time_rank)
    others = [n for n in times if n != best]
    return best, "the only column that holds times" if not others else f"holds times and is named best for it (others: {', '.join(others)})"


def score_column(events: pa.Table, task: str, taken: Collection[str]) -> Guess | None:
    """Return the model's number: a probability (binary) or the predicted number (regression), told by its name."""
    numbers = [n for n in events.column_names if n not in taken and is_number(events[n])]
    if task == "regression":
        named = sorted((n for n in numbers if is_named_score(n)), key=lambda n: not _PREDICTED.search(n))
        return (named[0], "numbers, and named like a prediction") if named else None
    shares = [n for n in numbers if is_share(events[n]) and is_named_score(n)]
    shares.sort(key=lambda n: not _SCORE.search(n))
    return (shares[0], "between 0 and 1, and named like a score") if shares else None


def is_named_score(column: str) -> bool:
    """Tell whether a column is named like what a model gives."""
    return bool(_SCORE.search(column) or _PREDICTED.search(column))


def prediction_column(events: pa.Table, task: str, taken: Collection[str], kin: Sequence[str]) -> Guess | None:
    """Return the decision: few values, named like a prediction, or (binary) like `kin`: is_late beside p_late or was_late."""
    allowed = 2 if task == "binary" else _MANY_CLASSES
    for name in events.column_names:
        if name in taken or pa.types.is_floating(events[name].type) or not 1 <= distinct(events[name]) <= allowed:
            continue
        if _PREDICTED.search(name):
            return name, f"{distinct(events[name])} values, and named like a prediction"
        relatives = [k for k in kin if _tokens(k) & _tokens(name)]
        if task == "binary" and relatives and name.lower().startswith(("is_", "will_", "flag")):
            return name, f"two values, and named like `{relatives[0]}`"
    return None


def decision_column(events: pa.Table, score: str | None, taken: Collection[str], positive: object) -> Guess | None:
    """Return the column of two values that follows the score by one threshold, best one that is named like a decision.

    Rows on the wrong side of that threshold are at most 1 % of all and 5 % of those with the rarer value.
    """
    if score is None or not is_number(events[score]):
        return None
    numbers = _numbers(events, [score])[:, 0]
    found: dict[str, tuple[float, float]] = {}
    for name in (n for n in events.column_names if n not in taken and _is_plain(events[n]) and distinct(events[n]) == 2):  # noqa: PLR2004 - yes and no
        split = _split(numbers, is_positive(events[name], positive))
        if split is not None:
            found[name] = split
    if not found:
        return None
    best = min(found, key=lambda n: (not _DECIDED.search(n), found[n][1]))
    least, astray = found[best]
    nearly = "" if astray == 0 else f" but for {percent(astray, digits=1)} of rows"
    return best, f"two values, and positive where `{score}` is {least:.3g} or more{nearly}"


def score_of_decision(events: pa.Table, decision: str, taken: Collection[str], positive: object) -> Guess | None:
    """Return the numbers between 0 and 1 that a decision follows by one threshold, whatever they are called; the closest, where several are."""
    decided = is_positive(events[decision], positive)
    shares = [n for n in events.column_names if n not in taken and n != decision and pa.types.is_floating(events[n].type) and is_share(events[n])]
    found = {name: split for name in shares if (split := _split(_numbers(events, [name])[:, 0], decided)) is not None}
    if not found:
        return None
    best = min(found, key=lambda n: found[n][1])
    return best, f"between 0 and 1, and `{decision}` is positive where it is {found[best][0]:.3g} or more"


def _is_plain(column: pa.ChunkedArray) -> bool:
    return is_text(column) or is_number(column) or bool(pa.types.is_boolean(column.type))


def _split(score: np.ndarray, decided: np.ndarray) -> tuple[float, float] | None:
    """Return the threshold that parts decided (1) from passed (0) rows best, and the share of rows on its wrong side; None where it does not part them."""
    known = np.isfinite(score) & np.isfinite(decided)
    order = np.argsort(score[known])
    ranked, ours = score[known][order], decided[known][order]
    rarer = min(ours.sum(), len(ours) - ours.sum())
    if rarer < _FEWEST_DECIDED:
        return None
    firsts = np.flatnonzero(np.diff(ranked, prepend=-np.inf) > 0)
    below = np.concatenate([[0.0], np.cumsum(ours)])[firsts]
    above = np.concatenate([np.cumsum((1 - ours)[::-1])[::-1], [0.0]])[firsts]
    place = int(np.argmin(below + above))
    wrong, (of_all, of_rarer) = float((below + above)[place]), _ASTRAY
    return (float(ranked[firsts[place]]), wrong / len(ours)) if wrong <= min(of_all * len(ours), of_rarer * rarer) else None


def probabilities(events: pa.Table, classes: Sequence[Any]) -> Guess | None:
    """Return class -> column of its probability, when every class has one."""
    shares = [n for n in events.column_names if is_number(events[n]) and is_share(events[n])]
    found = {str(c): next((n for n in shares if _names_probability(n, str(c))), None) for c in classes}
    return (found, "one probability for each class") if found and all(found.values()) else None


def families(events: pa.Table) -> Mapping[str, str]:
    """Return class -> column of its probability by the names alone: three or more such as `prob 0`, `prob 1`, `prob 2` that add up to 1."""
    shares = [n for n in events.column_names if is_share(events[n])]
    found: dict[str, dict[str, str]] = {}
    for name in shares:
        for pattern in _OF_CLASS:
            if said := pattern.fullmatch(name):
                found.setdefault(f"{pattern.pattern}{said['word'].lower()}", {})[said["label"]] = name
    whole = [each for each in found.values() if len(each) >= _FEWEST_CLASSES and adds_up(events, list(each.values()))]
    return max(whole, key=len, default={})


def most_probable(events: pa.Table, classes: Mapping[str, str], taken: Collection[str]) -> Guess | None:
    """Return the column that names the class of the greatest probability, of `classes` (class -> column of its probability)."""
    if not classes:
        return None
    rows = _numbers(events, list(classes.values()))
    place = {label: i for i, label in enumerate(classes)}
    for name in (n for n in events.column_names if n not in taken and n not in classes.values()):
        if pa.types.is_floating(events[name].type) or not 1 <= distinct(events[name]) <= len(classes):
            continue
        named = np.array([place.get(label, -1) for label in as_text(events[name]).to_pylist()])
        is_best = (named >= 0) & (rows[np.arange(len(rows)), named] >= rows.max(axis=1))
        if len(rows) and is_best.mean() >= _NEARLY_ALL:
            return name, "names the class of the greatest probability"
    return None


def _numbers(events: pa.Table, columns: Sequence[str]) -> np.ndarray:
    return np.column_stack([np.asarray(pc.cast(events[name], pa.float64(), safe=False).fill_null(np.nan), dtype=float) for name in columns])


def adds_up(events: pa.Table, columns: Sequence[str]) -> bool:
    """Tell whether columns add up to 1 in nearly every row that has them all."""
    sums = _numbers(events, columns).sum(axis=1)
    known = sums[np.isfinite(sums)]
    return bool(len(known) and np.mean(np.abs(known - 1) < _ROUNDED) >= _NEARLY_ALL)


def by_name(events: pa.Table, taken: Collection[str]) -> dict[str, Guess]:
    """Return the service columns that are named plainly: version, latency, status and the like."""
    free = [n for n in events.column_names if n not in taken]
    found = {role: next((n for n in free if pattern.search(n) and _suits(role, n, events[n])), None) for role, pattern in _BY_NAME.items()}
    guessed = {role: (name, "by its name") for role, name in found.items() if name}
    host = found["host"]
    if host and not found["region"] and "region" in free and is_text(events["region"]) and _is_where(events["region"], events[host]):
        guessed["region"] = "region", f"by its name, and each {host} is in one"
    return guessed


def _is_where(region: pa.ChunkedArray, host: pa.ChunkedArray) -> bool:
    """Tell whether a region is one of hosts, and not of customers: hosts that answered many times were in one region each, and there are several."""
    pairs = pa.table({"host": host, "region": region}).drop_null().group_by(["host", "region"]).aggregate([([], "count_all")])
    hosts = pairs.group_by("host").aggregate([("count_all", "sum"), ("region", "count")])
    if not hosts.num_rows or distinct(region) < _SEGMENT_VALUES[0]:
        return False
    return bool(pc.max(hosts["region_count"]).as_py() == 1 and pc.min(hosts["count_all_sum"]).as_py() >= _FEWEST_OF_A_HOST)


def _suits(role: str, name: str, column: pa.ChunkedArray) -> bool:
    """Tell whether a column may have a role by its values: a latency and tokens are numbers; versions are few, unless plainly named so."""
    if role == "status":
        return is_number(column) or is_text(column)
    if role != "version":
        return is_number(column) == (role in _NUMBERS)
    is_few = distinct(column) <= _MANY_VERSIONS and (is_text(column) or pa.types.is_integer(column.type))
    return is_few or name.lower().endswith("version")


def segments(events: pa.Table, taken: Collection[str]) -> Guess | None:
    """Return at most three text columns of few values, those with the fewest first."""
    low, high = _SEGMENT_VALUES
    counts = {
        n: distinct(events[n]) for n in events.column_names if n not in taken and is_text(events[n]) and not _PERSONAL.search(n) and "&" not in n
    }
    few = sorted((n for n, count in counts.items() if low <= count <= high), key=lambda n: counts[n])[:_SEGMENTS]
    return (few, f"texts of few values: {', '.join(f'{n} has {counts[n]}' for n in few)}") if few else None


def private(events: pa.Table, taken: Collection[str]) -> Guess | None:
    """Return columns that are named like personal data."""
    named = [n for n in events.column_names if n not in taken and _PERSONAL.search(n)]
    return (named, "named like personal data: they leave the lake only as counts") if named else None


def _tells_apart(column: pa.ChunkedArray) -> bool:
    return bool((is_text(column) or pa.types.is_integer(column.type)) and column.null_count == 0 and len(column) and distinct(column) == len(column))


def _holds_times(name: str, column: pa.ChunkedArray, timezone: str) -> bool:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not (is_text(column) or (is_number(column) and _time_rank(name) < len(_TIMES))):
        return False
    some = pc.drop_null(column).slice(0, _SAMPLE)
    return bool(len(some)) and to_utc(some, timezone).null_count <= len(some) // 100


def _time_rank(name: str) -> int:
    return next((rank for rank, pattern in enumerate(_TIMES) if pattern.search(name)), len(_TIMES))


def _tokens(name: str) -> set[str]:
    return {t for t in re.split(r"[_\W]+", name.lower()) if len(t) > 2} - {"was", "did", "has", "prob", "score", "label"}  # noqa: PLR2004 - short ones say nothing


def _names_probability(column: str, label: str) -> bool:
    words, wanted = _WORDS, re.escape(label)
    return any(re.fullmatch(p, column, re.IGNORECASE) for p in (rf"{words}[ _.-]?{wanted}", rf"{wanted}[ _.-]?{words}"))
