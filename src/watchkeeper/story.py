"""What an incident's message says, and why it happened: kept as JSON with the incident's events.

Belongs here: these nouns and their JSON. Does not: how they are found (judgement/causes.py, judgement/story.py) or shown (site/).
"""

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One tested explanation of an incident; `share` is the part of the change it accounts for, `is_later` that it began while the incident went on.

    `columns` are those whose values are at fault, where that is what it says.
    """

    kind: str
    subject: str
    share: float | None = None
    low: float | None = None
    high: float | None = None
    onset: datetime | None = None
    is_later: bool = False
    evidence_for: list[str] = field(default_factory=list)
    evidence_against: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How bad an incident is in its worst window: the number `about` something, what is expected of it, and both in words; `is_final` once its labels are in."""

    about: str
    value: float
    expected: float
    low: float | None = None
    high: float | None = None
    is_final: bool = True
    said: str

    @property
    def miss(self) -> float:
        """How far it lies from what is expected, in the unit of the number."""
        return abs(self.value - self.expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What an incident's message says; the JSON in IncidentEvent.story, the same for Slack, files, pages and the CLI.

    `facts` are (label, text) pairs in reading order, such as ("Labels", "907 of 985 (92 %)").
    """

    headline: str
    when: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    ruled_out: list[str] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """Segments that carry more of it than of the rows."""
    carrier: str = ""
    """The segment that most of it comes from, where one does."""
    size: Size | None = None
    """None where no one number leads, and in stories that are older than this."""

    def to_json(self) -> str:
        """Return the text kept in IncidentEvent.story."""
        return json.dumps(dataclasses.asdict(self), default=lambda moment: moment.isoformat(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Story | None":
        """Return the story in such a text, None when the event brings none."""
        found = json.loads(text or "{}")
        if not found.get("headline"):
            return None
        causes = [Cause(**{**c, "onset": datetime.fromisoformat(c["onset"]) if c.get("onset") else None}) for c in found.get("causes", [])]
        size = Size(**found["size"]) if found.get("size") else None
        facts = [(str(label), str(said)) for label, said in found.get("facts", [])]
        return cls(**{**found, "facts": facts, "causes": causes, "size": size})
