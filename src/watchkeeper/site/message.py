"""What people are told, said once: a Story or a Digest becomes one neutral Message, and that becomes text.

Belongs here: the order and the words of a message, and its plain (markdown) form. Does not: updates to those who know it (updates.py), Slack's form (block_kit.py),
where it is sent (adapters/), or what was measured (judgement/).
"""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.incidents import LASTED, OURSELVES, Incident
from watchkeeper.judgement.other_windows import UNJUDGED
from watchkeeper.judgement.together import Together
from watchkeeper.records import Digest, IncidentEvent
from watchkeeper.site.together import together_lines, too
from watchkeeper.story import Cause, Story
from watchkeeper.words import moment_text, one_line, percent, percent_interval

Line = tuple[str, str]
ICONS = {"notice": "🔵", "warning": "🟠", "high": "🔴", "critical": "🚨", "resolved": "✅", "digest": "📊"}
_BESIDE = 3
_ALONE = Together()
UNKNOWN = "unknown; nothing that was tested explains it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message for any channel; lines are (label, text), a line without a label stands for itself.

    `stands` says in a line how the incident stands, where the title tells its news.
    """

    icon: str
    title: str
    stands: str = ""
    lead: str = ""
    facts: list[Line] = field(default_factory=list)
    verdict: list[Line] = field(default_factory=list)
    footer: str = ""
    links: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Spell what would break a line: values of rows are told, and may hold anything."""
        for name in ("title", "stands", "lead"):
            object.__setattr__(self, name, one_line(getattr(self, name)))
        for name in ("facts", "verdict"):
            object.__setattr__(self, name, [(label, one_line(said.strip())) for label, said in getattr(self, name)])

    @property
    def headline(self) -> str:
        """The one line that a phone shows."""
        return f"{self.icon} {self.title}"

    @property
    def state_line(self) -> str:
        """How the incident stands, in a line."""
        return self.stands or self.title

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Message":
        """Return the message that `dataclasses.asdict` and JSON made of one."""
        pairs = {k: [(a, b) for a, b in found[k]] for k in ("facts", "verdict", "links")}
        return cls(**{**found, **pairs})


def ending(event: IncidentEvent, last: Story) -> Story:
    """Return the story of a resolution, which says why it is over and what it was."""
    own = Story.from_json(event.story)
    if own is not None:
        return own
    by = "" if event.who == OURSELVES else f" by {event.who}"
    says_itself = not by and event.why.startswith(("lasts", UNJUDGED))
    return Story(
        headline=event.why if says_itself else f"resolved{by}: {event.why or 'nothing is out of line any more'}",
        when="",
        facts=[("It was", last.headline)],
    )


def incident_message(
    story: Story,
    event: IncidentEvent,
    *,
    severity: str,
    channel: str,
    links: Sequence[Line] = (),
    beside: Sequence[Incident] = (),
    cared: Sequence[Line] = (),
    together: Together = _ALONE,
) -> Message:
    """Return the message about an incident as `story` tells it.

    `beside` holds the model's others at that time, the gravest first; `cared` what people did with it; `together` what is one with it.
    """
    is_over = event.event == "resolved"
    first = _first(event, beside)
    return Message(
        icon=ICONS["notice" if event.why.startswith((UNJUDGED, LASTED)) else "resolved" if is_over else severity],
        title=titled(event.model, story.headline) + too(together, event.model, story.headline, is_over=is_over),
        lead=story.when,
        facts=[
            *together_lines(together, event.model),
            *([] if is_over else [("Look first at", f"`{i.id}` ({i.severity}{_over(i)}): {i.headline}.") for i in first if i.id not in story.when]),
            *((label, sentence(said)) for label, said in cared),
            *story.facts,
        ],
        verdict=_closing(story) if is_over else [*_verdict(story), *_beside([i for i in beside if i not in first and i.id not in story.when])],
        footer=footer(event.incident_id, severity, channel),
        links=list(links),
    )


def belated_message(
    opening: Story,
    end: Story,
    event: IncidentEvent,
    *,
    severity: str,
    channel: str,
    links: Sequence[Line] = (),
    together: Together = _ALONE,
) -> Message:
    """Return the only message about an incident that was over before anything could be sent."""
    told = incident_message(opening, event, severity=severity, channel=channel, links=links, together=together)
    over: Line = ("Opened and resolved", f"{sentence(end.headline.removeprefix('resolved: '))} This is the only message about it.")
    return dataclasses.replace(told, facts=[over, *told.facts], verdict=_verdict(opening))


def brief_message(
    opening: Story,
    end: Story,
    event: IncidentEvent,
    *,
    opened_at: datetime,
    severity: str,
    channel: str,
    timezone: str,
    links: Sequence[Line] = (),
    together: Together = _ALONE,
) -> Message:
    """Return the only message about an incident that came and went while messages waited: what it was, and that it is over."""
    since, until = moment_text(opened_at, timezone), moment_text(event.at, timezone)
    over = f"over ({end.headline.removeprefix('resolved: ').rstrip('.')}); opened {since}, resolved {until}"
    return Message(
        icon=ICONS["resolved"],
        title=f"{titled(event.model, opening.headline.rstrip('.'))}{too(together, event.model, opening.headline, is_over=True)}: {over}",
        footer=footer(event.incident_id, severity, channel),
        links=list(links),
    )


def digest_message(digest: Digest, *, channel: str, links: Sequence[Line] = ()) -> Message:
    """Return the message of a digest; its markdown lines become labelled lines."""
    title = _plain(digest.headline)
    lines = [_labelled(line) for line in digest.text.splitlines() if line.strip()]
    facts = [line for line in lines if line[1] != title]
    return Message(
        icon=ICONS["digest"], title=title, facts=facts, footer=footer(digest.digest_id, f"digest of the {digest.period}", channel), links=list(links)
    )


def text(message: Message) -> str:
    """Return a message as markdown that also reads well as it is."""
    lines = [f"{message.icon} **{message.title}**"]
    lines += [message.lead] if message.lead else []
    lines += [f"*{label}:* {said}" if label else said for label, said in (*message.facts, *message.verdict)]
    links = ", ".join(f"[{label}]({address})" for label, address in message.links)
    lines += [f"{message.footer}{f' Links: {links}' if links else ''}"]
    return "\n".join(lines) + "\n"


def titled(model: str, headline: str) -> str:
    """Return a headline that names its model."""
    return headline if headline.startswith(model) else f"{model}: {headline}"


def footer(identifier: str, kind: str, channel: str) -> str:
    """Return what a message ends with: what it is about, how grave, and where it goes."""
    return ", ".join(part for part in (f"`{identifier}`", kind, channel) if part) + "."


def _verdict(story: Story) -> list[Line]:
    return [*_causes(story), *_closing(story)]


def _causes(story: Story) -> list[Line]:
    named = [c for c in story.causes if c.kind != "unknown"]
    if not named:
        return [("Likely cause", UNKNOWN), *_list("Ruled out", story.ruled_out)]
    level = undecided(named)
    labels = ["Likely cause"] if len(level) == 1 else ["Undecided between", *["and"] * (len(level) - 1)]
    others = [("Later also" if c.is_later else "Also possible", cause_text(c)) for c in named if c not in level]
    return [*zip(labels, map(cause_text, level), strict=True), *others, *_list("Ruled out", story.ruled_out)]


def _first(event: IncidentEvent, others: Sequence[Incident]) -> list[Incident]:
    """Return where to look first: a broken promise is most often what an incident about the same time's numbers did to it."""
    return [i for i in others if i.family in ("kpi", "segment", "service")][:1] if event.family == "target" else []


def _beside(others: Sequence[Incident]) -> list[Line]:
    rest = f"; and {len(others) - _BESIDE} more" if len(others) > _BESIDE else ""
    return [("At the same time", "; ".join(f"`{i.id}` {i.headline}{_over(i)}" for i in others[:_BESIDE]) + rest)] if others else []


def _over(incident: Incident) -> str:
    return ", resolved" if incident.state == "resolved" else ""


def _closing(story: Story) -> list[Line]:
    steps: list[Line] = [("Do", " ".join(sentence(step) for step in story.next_steps))] if story.next_steps else []
    return [*_list("Not measured", story.not_measured), *steps]


def _list(label: str, items: Sequence[str]) -> list[Line]:
    return [(label, sentence(", ".join(item.rstrip(".") for item in items)))] if items else []


def cause_text(cause: Cause) -> str:
    """Return a cause in words, with the share of the change it accounts for and what speaks for and against it."""
    parts = [f"{cause.subject or cause.kind}{share_text(cause)}", *cause.evidence_for, *(f"against it: {e}" for e in cause.evidence_against)]
    return sentence("; ".join(part.rstrip(".") for part in parts))


def share_text(cause: Cause) -> str:
    """Return after a cause the share of the change that it accounts for; empty where that is not known."""
    if cause.share is None:
        return ""
    return f" ({' '.join(filter(None, (percent(cause.share), percent_interval(cause.low, cause.high))))} of the change)"


def sentence(words: str) -> str:
    """Return words that end as a sentence does."""
    words = words.strip()
    return words if not words or words[-1] in ".!?" else f"{words}."


def _labelled(line: str) -> Line:
    found = re.match(r"\s*(?:[-*] +)?(?:\*\*|\*|_)([^*_:]+):(?:\*\*|\*|_)\s*(.*)", line)
    return (found[1], _plain(found[2])) if found else ("", _plain(line))


def _plain(line: str) -> str:
    return re.sub(r"^(?:#+|>)\s*", "", line.strip()).replace("**", "")
