"""How windows, moments and numbers are said to people, the same on every page and in every table.

Belongs here: formatting of single values. Does not: sentences about incidents (message.py) or tables (overview.py).
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.records import ATTRIBUTION, CLASS, Score
from watchkeeper.spelling import segment_pairs

COUNTS = ("count", "rows", "categories")
_UNITS = ("ms", "hours", "kWh", "kg", "rows/s", "requests", "tokens", "tokens/s", "times")
_SILENT = ("", "ratio", "probability", "index", "distance", "feature", "truth", "nats")  # of these a reader learns nothing from the name
_BREAKING = ("Cc", "Zl", "Zp")  # control characters, and what Unicode parts lines and paragraphs by
_NAMED = 5  # values of a set
_LEAST, _MOST = 1e-4, 1e15
_METRICS = {
    "roc_auc": "AUC",
    "psi": "PSI",
    "ks": "KS",
    "mae": "MAE",
    "mae_gap": "MAE gap",
    "rmse": "RMSE",
    "mape": "MAPE",
    "r2": "R²",
    "f1": "F1",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "macro_roc_auc": "macro AUC",
    "weighted_roc_auc": "weighted AUC",
    "calibration_gap_to_rest": "calibration gap to the rest",
    "latency_to_rest": "latency beside the rest",
    "errors_to_rest": "errors beside the rest",
    "unexpected_ratio": "share of unexpected values",
    "null_ratio": "share of missing values",
    "unseen_ratio": "share of unknown categories",
    "exchanged_ratio": "share of exchanged codes",
    "gpu_hours": "GPU-hours",
    "gpu_cost": "GPU cost",
    "gpu_busy_ratio": "GPU busy ratio",
    "gpu_energy_kwh": "GPU energy",
    "gpu_wasted_ratio": "GPU wasted ratio",
    "gpu_co2_kg": "CO2 of the GPUs",
    "gpu_training_hours": "GPU-hours of training",
    "gpu_training_cost": "GPU cost of training",
}


def counted(count: int, thing: str) -> str:
    """Return how many there are of a thing, whose last word takes the plural.

    >>> counted(1, "open incident"), counted(4708, "window"), counted(0, "batch"), counted(3, "class")
    ('1 open incident', '4,708 windows', '0 batches', '3 classes')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}{'es' if thing.endswith(('ch', 's')) else 's'}"


def one_line(text: str) -> str:
    r"""Return a text in which what would break a line, or end a cell of a table, is spelled, as a value of a column may hold anything.

    >>> print(one_line("north\n\tgate"), one_line("plain, ° and é"))
    north\n\tgate plain, ° and é
    """
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _BREAKING else c for c in text)


def listed(texts: Sequence[str]) -> str:
    """Return several things in one breath.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def moment_text(moment: datetime | None, timezone: str) -> str:
    """Return a moment in local words.

    >>> from datetime import UTC
    >>> moment_text(datetime(2013, 4, 23, 6, tzinfo=UTC), "America/New_York")
    'Tue 23 Apr 2013, 02:00'
    """
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{_day(local)} {local:%b %Y, %H:%M}"


def standing_text(moment: datetime, timezone: str) -> str:
    """Return what is said of a workspace whose clock stands still.

    >>> from datetime import UTC
    >>> standing_text(datetime(2014, 1, 2, 18, tzinfo=UTC), "America/New_York")
    'The clock of this workspace stands at Thu 2 Jan 2014, 13:00 (`now` in watchkeeper.yaml).'
    """
    return f"The clock of this workspace stands at {moment_text(moment, timezone)} (`now` in watchkeeper.yaml)."


def not_over(grain: str) -> str:
    """Return why numbers of a window are not final that has not ended.

    >>> not_over("week")
    'the week is not over'
    """
    return f"the {grain} is not over"


def missing_labels_text(low: float | None, high: float | None, unit: str) -> str:
    """Return between what a number lies whatever the labels that are missing say; empty where nothing limits it.

    >>> missing_labels_text(0.61234, 0.75, "ratio"), missing_labels_text(None, None, "ratio")
    ('between 0.612 and 0.750 whatever the missing labels say', '')
    """
    if low is None or high is None:
        return ""
    return f"between {number_text(low, unit, beside=[high])} and {number_text(high, unit, beside=[low])} whatever the missing labels say"


def note_text(score: Score) -> str:
    """Return what is to be said beside a score: why there is no number or what limits it, and its worst case."""
    return "; ".join(filter(None, (score.reason, missing_labels_text(score.bound_low, score.bound_high, score.unit))))


def hours_text(hours: float) -> str:
    """Return a length of time that is given in hours: below one in minutes, from two days on in days.

    >>> hours_text(0.4), hours_text(5.5), hours_text(36), hours_text(58.1)
    ('24 min', '5.5 h', '36 h', '2.4 days')
    """
    if round(hours * 60) < 60:  # noqa: PLR2004 - an hour
        return f"{hours * 60:.0f} min"
    value, unit = (hours, "h") if hours < 48 else (hours / 24, "days")  # noqa: PLR2004 - two days
    return f"{value:.1f} {unit}".replace(".0 ", " ")


def weeks_text(length: timedelta) -> str:
    """Return a length of time in weeks, one below two weeks in days.

    >>> weeks_text(timedelta(days=56)), weeks_text(timedelta(days=52)), weeks_text(timedelta(days=9))
    ('8 weeks', '7.4 weeks', '9 days')
    """
    days = length / timedelta(days=1)
    return f"{days:.0f} days" if days < 14 else f"{days / 7:.1f} weeks".replace(".0 ", " ")  # noqa: PLR2004 - two weeks


def window_text(start: datetime | None, end: datetime | None, timezone: str) -> str:
    """Return a half-open window in local words; whole days are named by their days.

    >>> from datetime import UTC
    >>> window_text(datetime(2013, 4, 22, 4, tzinfo=UTC), datetime(2013, 4, 27, 4, tzinfo=UTC), "America/New_York")
    '22 to 26 Apr 2013'
    """
    if start is None or end is None:
        return ""
    first, after = start.astimezone(ZoneInfo(timezone)), end.astimezone(ZoneInfo(timezone))
    if not _is_midnight(first) or not _is_midnight(after):
        last = f"{after:%H:%M}" if after.date() == first.date() else moment_text(end, timezone)
        return f"{moment_text(start, timezone)} to {last}"
    return _days_text(first, after - timedelta(hours=12))


def _days_text(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        return f"{_day(first)} {first:%b %Y}"
    if first.year != last.year:
        return f"{first.day} {first:%b %Y} to {last.day} {last:%b %Y}"
    if first.month != last.month:
        return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"
    return f"{first.day} to {last.day} {last:%b %Y}"


def _day(local: datetime) -> str:
    return f"{local:%a} {local.day}"


def _is_midnight(local: datetime) -> bool:
    return (local.hour, local.minute, local.second) == (0, 0, 0)


def number_text(value: float | None, unit: str = "", beside: Iterable[float | None] = (), *, truth: str = "") -> str:
    """Return a number as people read it: about three digits, grouped, with the unit where it is one; counts whole, money with cents.

    Numbers said together are rounded alike, by the largest of them: `beside` holds the others, such as the ends of an interval.
    A number in the unit of what is predicted has the unit `truth`; the monitor says what that is called.

    >>> number_text(0.12749), number_text(58331.63), number_text(-44761, "truth"), number_text(58331, "rows"), number_text(None)
    ('0.127', '58,300', '-44,800', '58,331', '')
    >>> number_text(10683.2, "usd"), number_text(0.04321, "usd"), number_text(35.21, "ms"), number_text(0.0051, beside=[1.2])
    ('10,683.20 USD', '0.0432 USD', '35.2 ms', '0.01')
    >>> number_text(58331.63, "truth", truth="EUR")
    '58,300 EUR'
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    size = max((abs(v) for v in (value, *beside) if v is not None and math.isfinite(v)), default=0.0)
    if unit in COUNTS:
        return f"{value:,.0f}"
    is_money = unit not in _SILENT and unit not in _UNITS
    text = f"{value:,.2f}" if is_money and size >= 1 else _rounded(value, size)
    shown = truth if unit == "truth" else "" if unit in _SILENT else unit.upper() if is_money else unit
    return f"{text} {shown}".rstrip()


def _rounded(value: float, size: float) -> str:
    if size == 0:
        return "0"
    if not _LEAST <= size < _MOST:
        return f"{value:.2e}"
    decimals = 2 - math.floor(math.log10(size))
    return f"{round(value, decimals) + 0.0:,.{max(decimals, 0)}f}"


def limit_text(limit: float) -> str:
    """Return a number that somebody wrote down, with all its digits.

    >>> limit_text(0.35), limit_text(25000.0), limit_text(1234567.5)
    ('0.35', '25,000', '1,234,567.5')
    """
    return f"{limit:,.12g}"


def interval_text(low: float | None, high: float | None, unit: str = "", beside: Iterable[float | None] = ()) -> str:
    """Return an interval, rounded like what is said with it.

    >>> interval_text(.49, .64), interval_text(54212.75, 62450.51, beside=[58331.63])
    ('[0.490, 0.640]', '[54,200, 62,500]')
    """
    others = (low, high, *beside)
    return "" if low is None or high is None else f"[{number_text(low, unit, others)}, {number_text(high, unit, others)}]"


def measured_text(value: float | None, low: float | None = None, high: float | None = None, unit: str = "", *, truth: str = "") -> str:
    """Return a number with its interval, where it has one, both rounded alike.

    >>> measured_text(58331.63, 54212.75, 62450.51), measured_text(0.5), measured_text(12.0, -4910.0, 5200.0)
    ('58,300 [54,200, 62,500]', '0.500', '10 [-4,910, 5,200]')
    """
    ends = (low, high) if low is not None and high is not None else ()
    return f"{number_text(value, unit, ends, truth=truth)} {interval_text(low, high, beside=[value])}".strip()


def percent(share: float | None, *, digits: int = 0) -> str:
    """Return a share in percent; what whole percents would call none, or all, keeps a decimal.

    >>> percent(.487), percent(.975, digits=1), percent(0.0), percent(.005), percent(.0004)
    ('49 %', '97.5 %', '0 %', '0.5 %', '< 0.1 %')
    >>> percent(.996), percent(.99996), percent(1.0), percent(1.004)
    ('99.6 %', '> 99.9 %', '100 %', '100 %')
    """
    if share is None:
        return ""
    least = 0.5 * 10.0 ** -(digits + 2)
    if 0 < share <= least and digits == 0:
        return percent(share, digits=1)
    if 1 - least < share < 1:
        return percent(share, digits=1) if digits == 0 else f"> {100 * (1 - 2 * least):.{digits}f} %"
    return f"< {2 * least * 100:.{digits}f} %" if 0 < share < least else f"{share * 100:.{digits}f} %"


def share_text(share: float) -> str:
    """Return a share in percent as a sentence has it, in which no sign stands beside "than".

    >>> share_text(.487), share_text(.0004), share_text(.99996)
    ('49 %', 'under 0.1 %', 'over 99.9 %')
    """
    return percent(share).replace("< ", "under ").replace("> ", "over ")


def percent_interval(low: float | None, high: float | None) -> str:
    """Return the interval of a share whose unit has just been said.

    >>> percent_interval(.49, .64), percent_interval(None, None)
    ('[49, 64]', '')
    """
    return "" if low is None or high is None else f"[{low * 100:.0f}, {high * 100:.0f}]"


def points(change: float) -> str:
    """Return a change of a share in percentage points.

    >>> points(.41), points(-.009), points(.001)
    ('+41 points', '-1 point', '+0 points')
    """
    rounded = round(change * 100)
    return f"{rounded:+d} point{'' if abs(rounded) == 1 else 's'}"


def version_text(version: str) -> str:
    """Return what rows of one version are called; an empty version is that of rows that name none.

    >>> version_text("5"), version_text("version-5"), version_text("")
    ('version 5', 'version-5', 'rows without a version')
    """
    if not version:
        return "rows without a version"
    return version if version.lower().startswith("version") else f"version {version}"


def expectation_text(name: str) -> str:
    """Return an expectation's type in words.

    >>> expectation_text("expect_column_values_to_be_between")
    'values to be between'
    """
    return name.removeprefix("expect_").removeprefix("column_").replace("_", " ")


def expected_text(name: str, arguments: Mapping[str, Any]) -> str:
    """Return what is expected of a column's values, with the values that the arguments name; without any where they are private.

    >>> expected_text("expect_column_values_to_be_between", {"max_value": 500}), expected_text("expect_column_values_to_be_between", {})
    ('at most 500', 'between limits')
    >>> expected_text("expect_column_values_to_be_between", {"min_value": 0, "max_value": 2.5, "strict_min": True})
    'above 0 and at most 2.5'
    >>> expected_text("expect_column_values_to_be_in_set", {"value_set": ["a", "b"]}), expected_text("expect_column_values_to_not_be_null", {})
    ('one of a and b', 'not be null')
    """
    if name == "expect_column_values_to_be_between":
        least, most = arguments.get("min_value"), arguments.get("max_value")
        ends = [f"{'above' if arguments.get('strict_min') else 'at least'} {_limit(least)}"] if least is not None else []
        ends += [f"{'below' if arguments.get('strict_max') else 'at most'} {_limit(most)}"] if most is not None else []
        return " and ".join(ends) or "between limits"
    if name == "expect_column_values_to_be_in_set":
        values = [_limit(v) for v in arguments.get("value_set") or []]
        more = len(values) - _NAMED
        return f"one of {listed([*values[:_NAMED], *([f'{more} more'] if more > 0 else [])])}" if values else "one of a set"
    return expectation_text(name).removeprefix("values to ")


def _limit(value: Any) -> str:
    return limit_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def metric_text(metric: str, feature: str = "", segment: str = "") -> str:
    """Return what a score is about.

    >>> metric_text("calibration_gap", segment="carrier=VX&origin=EWR")
    'calibration gap, carrier VX and origin EWR'
    >>> metric_text("recall", segment="shop=H%26M")
    'recall, shop H&M'
    >>> metric_text("psi", "dest"), metric_text("roc_auc"), metric_text("estimated_mae")
    ('PSI of dest', 'AUC', 'estimated MAE')
    >>> metric_text("recall", "@class=fraud")
    'recall of class fraud'
    >>> metric_text("psi", "@attribution=weight_kg")
    'PSI of attribution of weight_kg'
    """
    is_estimate, plain = metric.startswith("estimated_"), metric.removeprefix("estimated_")
    named = ("estimated " if is_estimate else "") + _METRICS.get(plain, plain.replace("_", " "))
    about = feature.removeprefix("@")
    about = about.replace("=", " " if feature.startswith(CLASS) else " of ", 1) if feature.startswith((CLASS, ATTRIBUTION)) else about
    parts = [named, about]
    where = " and ".join(f"{column} {value}" for column, value in segment_pairs(segment))
    return one_line(" of ".join(p for p in parts if p) + (f", {where}" if where else ""))
