"""The forms in which people write values in files and options: durations, sizes, moments, time zones, names, labels.

Belongs here: text -> value, with a sentence for what is none, how segments are spelled, and that an unknown key is a mistake. Does not: which
keys take them (monitor.py, alerts.py).
"""

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from watchkeeper.windows import in_reckoning

_LONGEST = timedelta(days=36_525)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_BYTES = {"MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}
_LEAST_BYTES = 256_000_000


class Words(BaseModel):
    """Base of every part of a file that people write: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def parse_duration(text: Any) -> timedelta:
    """Return the time that a text such as 90s, 15m, 36h, 7d or 2w names.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", str(text))
    if match is None:
        message = f"{text!r} is not a duration; write a number and s, m, h, d or w, such as 36h"
        raise ValueError(message)
    try:
        length = timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        message = f"{text!r} is longer than 100 years"
        raise ValueError(message)
    return length


def parse_budget(text: Any) -> float:
    """Return the amount of money a month that a text such as `500 per month` names, or a number alone.

    >>> parse_budget("1,500 per month"), parse_budget(500)
    (1500.0, 500.0)
    """
    match = None if isinstance(text, bool) else re.fullmatch(r"\s*(\d+(?:,\d{3})*(?:\.\d+)?)(?:\s+per\s+month)?\s*", str(text))
    amount = float(match[1].replace(",", "")) if match else 0.0
    if match is None or not 0 < amount < math.inf:
        message = f"{text!r} is no budget; write an amount above 0, such as `500 per month`; its currency is that of `cost.currency`"
        raise ValueError(message)
    return amount


def parse_size(text: Any) -> int:
    """Return the bytes that a text such as 500MB, 4GB or 1.5TB names; fewer than 256 MB are too few to work with.

    >>> parse_size("1.5 GB")
    1500000000
    """
    if isinstance(text, int) and not isinstance(text, bool):
        size = text
    elif match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT]B)\s*", str(text), re.IGNORECASE):
        size = round(float(match[1]) * _BYTES[match[2].upper()])
    else:
        message = f"{text!r} is not a size; write a number and MB, GB or TB, such as 4GB"
        raise ValueError(message)
    if size < _LEAST_BYTES:
        message = f"{text!r} is too little to work with; write 256MB or more"
        raise ValueError(message)
    return size


def lasting(length: timedelta) -> timedelta:
    """Return a time that is longer than nothing."""
    if length <= timedelta(0):
        message = "must be longer than nothing; write for example 6h"
        raise ValueError(message)
    return length


def web_address(text: str) -> str:
    """Return an address that something can be posted to."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        message = f"{text!r} is no web address; write for example https://train.example/start"
        raise ValueError(message)
    return text


def known_zone(name: str) -> str:
    """Return the name of a time zone that exists."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        message = f"{name!r} is not a time zone; write for example Europe/Berlin"
        raise ValueError(message) from error
    return name


def parse_moment(text: Any) -> datetime:
    """Return the moment that a text such as 2014-01-02T18:00Z names, in UTC.

    >>> parse_moment("2014-01-02T18:00Z")
    datetime.datetime(2014, 1, 2, 18, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return utc(datetime.fromisoformat(str(text)))
    except ValueError as error:
        message = f"{str(text)!r} is not a moment; write for example 2014-01-02T18:00Z"
        raise ValueError(message) from error


def parse_clock(said: Any) -> time:
    """Return the time of day that a text such as 22:00 names; 24:00 is the midnight that ends a day.

    >>> parse_clock("07:30"), parse_clock("24:00")
    (datetime.time(7, 30), datetime.time(0, 0))
    """
    if isinstance(said, time):
        return said
    match = re.fullmatch(r"\s*(\d{1,2}):([0-5]\d)\s*", str(said))
    if match is None or (int(match[1]), match[2]) > (24, "00"):
        message = f"{str(said)!r} is not a time of day; write hours and minutes, such as 22:00"
        raise ValueError(message)
    return time(int(match[1]) % 24, int(match[2]))


def known_name(name: str) -> str:
    """Return a name that can be part of a path, a table and an address."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_\-]*", name) is None:
        proposed = re.sub(r"^[^A-Za-z]+|[^A-Za-z0-9]+$", "", re.sub(r"[^A-Za-z0-9_\-]+", "_", name)) or "my_model"
        message = f"{name!r} is no name: it begins with a letter and holds letters, digits, `_` and `-` only; write for example {proposed}"
        raise ValueError(message)
    return name


def segment_of(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the name of a segment from its columns, each with its value as it is in the rows; of none it is the whole, and empty.

    A `&` begins the next column, so that of a value is written `%26`, and a `%26` or `%25` of a value `%2526` or `%2525`.

    >>> segment_of([("carrier", "VX"), ("origin", "EWR")]), segment_of([("shop", "H&M")]), segment_of([("shop", "%26")]), segment_of([])
    ('carrier=VX&origin=EWR', 'shop=H%26M', 'shop=%2526', '')
    """
    return "&".join(f"{column}={re.sub('%(?=2[56])', '%25', value).replace('&', '%26')}" for column, value in pairs)


def is_segment(text: str) -> bool:
    """Tell whether a text says of each column which value it has.

    >>> is_segment("carrier=VX&origin=EWR"), is_segment("carrier"), is_segment("")
    (True, False, False)
    """
    return all("=" in side for side in text.split("&"))


def segment_pairs(name: str) -> list[tuple[str, str]]:
    """Return the columns of a segment, each with its value as it is in the rows.

    >>> segment_pairs("shop=H%26M&size=a=b")
    [('shop', 'H&M'), ('size', 'a=b')]
    """
    sides = (pair.partition("=") for pair in name.split("&")) if name else ()
    return [(column, re.sub("%2([56])", lambda m: "%" if m[1] == "5" else "&", value)) for column, _, value in sides]


def segment_name(said: str, declared: Sequence[str]) -> str:
    """Return the name of a segment that people, or an earlier release, have spelled with a `&` in a value; else what was said.

    Where each side of a `&` begins with a column that is declared, it parts them; of a value that holds even that, people write `%26`.

    >>> segment_name("shop=H&M", ["shop", "shop&size"]), segment_name("shop=H&M&size=3", ["shop", "shop&size"]), segment_name("x", ["shop"])
    ('shop=H%26M', 'shop=H%26M&size=3', 'x')
    """
    known = {column for each in declared for column in each.split("&")}
    if "&" not in said or (is_segment(said) and all(column in known for column, _ in segment_pairs(said))):
        return said
    for columns in sorted((each.split("&") for each in declared), key=len, reverse=True):
        found = re.fullmatch("&".join(f"{re.escape(column)}=(.*)" for column in columns), said, re.DOTALL)
        if found:
            return segment_of(zip(columns, found.groups(), strict=True))
    return said


def dimension_of(segment: str, dimensions: Sequence[str]) -> str:
    """Return which dimension a segment is of, such as `carrier&origin` for `carrier=VX&origin=EWR`; empty for none of them.

    Those of most columns are tried first: a value that an earlier release, or a person, wrote may hold anything.

    >>> dimension_of("carrier=VX&origin=EWR", ["carrier", "origin", "carrier&origin"]), dimension_of("tail=N1", ["carrier"])
    ('carrier&origin', '')
    """
    return next((name for name, form in _forms_of(tuple(dimensions)) if form.fullmatch(segment)), "")


@cache
def _forms_of(dimensions: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """Return how a segment of each dimension is written, those of most columns first."""
    forms = {name: "&".join(f"{re.escape(column)}=.*" for column in name.split("&")) for name in dimensions}
    return [(name, re.compile(forms[name], re.DOTALL)) for name in sorted(forms, key=lambda name: -name.count("&"))]


def one_label(value: Any) -> Any:
    """Return what can be a label: a text, a number, true or false."""
    if not isinstance(value, str | int | float) or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        message = "must be one label: a text, a number, true or false"
        raise ValueError(message)
    return value


def named_by_text(said: Any) -> Any:
    """Return a mapping with its whole-numbered keys as text; of a number such as 1.10 the last digit is lost, so it must be quoted.

    >>> named_by_text({3: "a", "v4": "b"})
    {'3': 'a', 'v4': 'b'}
    """
    if not isinstance(said, dict):
        return said
    for name in said:
        if not isinstance(name, str) and type(name) is not int:
            message = f"{name} is not read as text; write it in quotes"
            raise ValueError(message)
    return {str(name): value for name, value in said.items()}


def utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone is taken to be UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Budget = Annotated[float, BeforeValidator(parse_budget)]
Clock = Annotated[time, BeforeValidator(parse_clock)]
Day = Annotated[date, AfterValidator(in_reckoning)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Lasting = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(lasting)]
Moment = Annotated[datetime, BeforeValidator(parse_moment)]
Name = Annotated[str, AfterValidator(known_name)]
Size = Annotated[int, BeforeValidator(parse_size)]
WebAddress = Annotated[str, AfterValidator(web_address)]
Zone = Annotated[str, AfterValidator(known_zone)]


def is_remote(address: str) -> bool:
    """Tell whether an address is one of an object store, not of this disk.

    >>> is_remote("s3://bucket/lake"), is_remote("warehouse/lake")
    (True, False)
    """
    return "://" in address
