"""What a monitor file says of its reference: what is usual, whether it goes along with time, and what versions are compared with.

Belongs here: these words and what they refuse. Does not: the other words of a monitor file (monitor.py), which windows a reference has
(judgement/eras.py).
"""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from watchkeeper.spelling import Day, Lasting, Words, named_by_text
from watchkeeper.windows import Grain

LEAST_TO_LEARN = 8
"""Windows that it takes to learn what is usual."""
_LONGEST_WINDOW: dict[Grain, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}


class Rolling(Words):
    """How inputs are compared with newer days as time goes on; what pages is judged by the reference as it was declared."""

    every: Lasting = Field(timedelta(weeks=4), description="how often inputs get newer days to be compared with")
    last: Lasting = Field(timedelta(weeks=12), description="how many days these are, counted back from the newest whose labels are due")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Rolling":
        for name in ("every", "last"):
            if getattr(self, name) % timedelta(days=1):
                message = f"`{name}` is whole days; write for example 4w"
                raise ValueError(message)
        if self.last < self.every:
            message = f"`last` ({_days_text(self.last)}) is shorter than `every` ({_days_text(self.every)}): days between two steps would never be compared with"
            raise ValueError(message)
        return self


def _days_text(length: timedelta) -> str:
    return f"{length.days // 7}w" if length.days % 7 == 0 else f"{length.days}d"


class Reference(Words):
    """What is usual: windows of the lake, or files of its own (say a validation set with out-of-fold scores)."""

    from_: Day | None = Field(None, alias="from")
    to: Day | None = Field(None, description="exclusive")
    files: str | None = None
    rolling: Rolling | None = Field(None, description="what inputs are compared with goes along with time; default: it stays")

    @model_validator(mode="after")
    def _one_form(self) -> "Reference":
        if (self.files is None) == (self.from_ is None or self.to is None):
            message = "give either `from` and `to`, or `files`"
            raise ValueError(message)
        if self.from_ and self.to and self.to <= self.from_:
            message = f"`to` ({self.to}) must come after `from` ({self.from_})"
            raise ValueError(message)
        return self

    def require_room(self, window: Grain) -> None:
        """Refuse steps that windows of such a length leave no room for.

        Raises:
            ValueError: steps are shorter than a window, or hold too few windows to learn what is usual.

        """
        rolling, length = self.rolling, _LONGEST_WINDOW[window]
        if rolling is None:
            return
        if rolling.every < length:
            message = f"`reference.rolling.every` ({_days_text(rolling.every)}) is shorter than a {window}; write {_days_text(length)} or more"
            raise ValueError(message)
        if rolling.last < LEAST_TO_LEARN * length:
            message = (
                f"`reference.rolling.last` ({_days_text(rolling.last)}) has fewer than {LEAST_TO_LEARN} {window}s, and what is usual "
                f"takes as many to learn; write {_days_text(LEAST_TO_LEARN * length)} or more"
            )
            raise ValueError(message)


class NewNormal(Reference):
    """Days that are the new normal of a model, in place of the reference that its monitor file names; no row of them is read.

    `left_out` are the starts of the windows among them that are no part of it.
    """

    left_out: tuple[datetime, ...] = ()


class Days(Words):
    """Whole days of the lake, in the monitor's time zone."""

    from_: Day = Field(alias="from")
    to: Day = Field(description="exclusive")

    @model_validator(mode="after")
    def _in_order(self) -> "Days":
        if self.to <= self.from_:
            message = f"`to` ({self.to}) must come after `from` ({self.from_})"
            raise ValueError(message)
        return self


class Versions(Words):
    """What the numbers of one version of the model are compared with; they come with deploys and need not be named."""

    calibrated_after: int | None = Field(
        None, ge=1, le=10_000, description="so many first windows of a new version are its reference; default: 168 hours, 14 days, 8 weeks or months"
    )
    references: Annotated[dict[str, Days], BeforeValidator(named_by_text)] = Field(
        default_factory=dict, description="version -> days that are its reference instead"
    )
