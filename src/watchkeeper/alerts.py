"""The words of `alerts`: which false alarms are accepted, where messages go, and when they wait.

Belongs here: what may be said and what it means: which route takes an incident, until when quiet hours last. Does not: what is told
of an incident (judgement/notices.py), or the rest of a monitor file (monitor.py).
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from watchkeeper.records import SEVERITIES
from watchkeeper.spelling import Clock, Lasting, Words

Told = Literal["warning", "high", "critical"]
"""Severities of which people are told by message; notices wait for the digest."""
Subject = Literal["kpi", "segment", "data", "target", "service", "cost"]
"""Families that pages are of; covariate, the last of all families, is one of notices."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: tuple[Weekday, ...] = get_args(Weekday)


class Route(Words):
    """One channel, and which incidents are told there."""

    severity: Told | None = Field(None, description="incidents as grave as this, and graver; else of any severity")
    families: list[Subject] = Field(default_factory=list, description="incidents of these families; else of all")
    channel: str = Field(description="where they are told")

    @model_validator(mode="after")
    def _says_something(self) -> "Route":
        if not self.channel.strip():
            message = "`channel` is empty"
            raise ValueError(message)
        if self.severity is None and not self.families:
            message = "give `severity`, `families` or both; where all others go is `alerts.channel`"
            raise ValueError(message)
        return self

    def takes(self, severity: str, family: str) -> bool:
        """Tell whether incidents as grave as that, of such a family, are told here."""
        return (self.severity is None or _rank(severity) >= _rank(self.severity)) and (not self.families or family in self.families)

    def takes_all_of(self, other: "Route") -> bool:
        """Tell whether this route leaves nothing to another one."""
        return all(self.takes(other.severity or "warning", family) for family in other.families or get_args(Subject))


class QuietHours(Words):
    """A stretch of every day, or of some, in which only grave messages are sent; in the monitor's time zone."""

    from_: Clock = Field(alias="from", description="when they begin, such as 22:00")
    to: Clock = Field(description="when they end; at or before `from` it is of the next day")
    days: list[Weekday] = Field(default_factory=lambda: list(_WEEK), description="days on which they begin")
    except_: Literal["high", "critical", "none"] = Field("critical", alias="except", description="messages as grave as this do not wait")

    @model_validator(mode="after")
    def _ends(self) -> "QuietHours":
        if not self.days:
            message = "`days` names no day"
            raise ValueError(message)
        if self.from_ == self.to and set(self.days) == set(_WEEK):
            message = "they never end; let `to` differ from `from`, or name some `days`"
            raise ValueError(message)
        return self

    def lets_through(self, severity: str) -> bool:
        """Tell whether a message so grave is sent at any time."""
        return self.except_ != "none" and _rank(severity) >= _rank(self.except_)

    def until(self, now: datetime, timezone: str) -> datetime | None:
        """Return when the quiet hours are over that last at a moment (UTC), None where none do.

        Local times are those of the clock on the wall, so that a night in which it is put back lasts an hour longer.

        >>> night = QuietHours.model_validate({"from": "22:00", "to": "07:00"})
        >>> night.until(datetime(2025, 3, 30, 0, 30, tzinfo=UTC), "Europe/Berlin")  # the clock goes forward at 01:00 UTC
        datetime.datetime(2025, 3, 30, 5, 0, tzinfo=datetime.timezone.utc)
        >>> night.until(datetime(2025, 3, 30, 5, 0, tzinfo=UTC), "Europe/Berlin") is None
        True
        """
        end = self._end_of(now, timezone)
        while end is not None and (later := self._end_of(end, timezone)) is not None:
            end = later
        return end

    def _end_of(self, moment: datetime, timezone: str) -> datetime | None:
        today = moment.astimezone(ZoneInfo(timezone)).date()
        for day in (today, today - timedelta(days=1)):
            last = day if self.to > self.from_ else day + timedelta(days=1)
            start, end = _moment(day, self.from_, timezone), _moment(last, self.to, timezone)
            if _WEEK[day.weekday()] in self.days and start <= moment < end:
                return end
        return None


class Routing(Words):
    """What the whole workspace may say of messages: where they go, and when they wait."""

    routes: list[Route] = Field(default_factory=list, description="the first that takes an incident says where it is told")
    quiet_hours: QuietHours | None = Field(None, description="when messages wait")

    @field_validator("routes", mode="after")
    @classmethod
    def _all_reached(cls, routes: Sequence[Route]) -> Sequence[Route]:
        for number, route in enumerate(routes, 1):
            before = next((n for n, other in enumerate(routes[: number - 1], 1) if other.takes_all_of(route)), None)
            if before is not None:
                message = f"nothing reaches route {number}, as route {before} takes all of it; name the narrower one first"
                raise ValueError(message)
        return routes

    def route_of(self, severity: str, family: str) -> str | None:
        """Return the channel of the first route that takes such an incident, None where none does."""
        return next((route.channel for route in self.routes if route.takes(severity, family)), None)


class Alerts(Routing):
    """How many false alarms are accepted, where pages go, and when they wait."""

    false_alarms: str = Field("1 per month", description="pages without cause that are accepted: `N per week|month`")
    channel: str | None = Field(None, description="where messages go that no route takes; else the owner")
    cooldown: Lasting = Field(timedelta(hours=6), description="least time between two updates of one incident")

    @field_validator("false_alarms")
    @classmethod
    def _readable(cls, text: str) -> str:
        if re.fullmatch(r"\d+(\.\d+)? per (day|week|month|year)", text) is None:
            message = f"{text!r} is not a budget; write for example `1 per month`"
            raise ValueError(message)
        return text

    @property
    def false_alarms_per_day(self) -> float:
        """The budget as a rate."""
        number, _, unit = self.false_alarms.split()
        return float(number) / {"day": 1.0, "week": 7.0, "month": 30.4, "year": 365.0}[unit]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def _moment(day: date, clock: time, timezone: str) -> datetime:
    return datetime.combine(day, clock, ZoneInfo(timezone)).astimezone(UTC)
