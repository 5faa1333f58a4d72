"""What people who know an incident are told of it: its news in a line or two, in one line that it goes on, and at its end what it was, also in the message that opened it.

Belongs here: these words. Does not: what is news, and who hears when (judgement/news.py), the whole message (message.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.incidents import CAUSE_CHANGED, LASTED, RESTATED, Incident, is_by_hand
from watchkeeper.judgement.news import News, day_of, next_day
from watchkeeper.judgement.other_windows import UNJUDGED
from watchkeeper.judgement.together import Together
from watchkeeper.records import IncidentEvent
from watchkeeper.site.message import ICONS, UNKNOWN, Line, Message, footer, sentence, share_text, titled
from watchkeeper.site.together import too
from watchkeeper.story import Cause, Story
from watchkeeper.words import counted, hours_text, listed, window_text

_PAGE = "Incident"
_ALONE = Together()


def update_message(
    story: Story,
    event: IncidentEvent,
    news: Sequence[News],
    *,
    day: int,
    began_at: datetime,
    severity: str,
    channel: str,
    links: Sequence[Line] = (),
    cared: Sequence[Line] = (),
    together: Together = _ALONE,
) -> Message:
    """Return the message to those who know an incident: its news, or without any that it goes on; the page has the rest.

    `day` counts from when it opened, and says when the next line comes; since it `began_at` is what its numbers are of. `cared` is what people did with it, `together` what is one with it.
    """
    stands = f"{story.headline.rstrip('.')}{too(together, event.model, story.headline)}"
    page = [link for link in links if link[0] == _PAGE]
    rest = "" if page else f" All of it: `watchkeeper incidents show {event.incident_id}`."
    if news:
        names_nothing = news[0].kind == "severity"
        title, rhythm = titled(event.model, f"{news[0].text}: {stands.removeprefix(f'{event.model}: ')}" if names_nothing else news[0].text), ""
        facts: list[Line] = [("Also", sentence("; ".join(n.text for n in news[1:])))] if news[1:] else []
        facts += [] if names_nothing or any(story.headline in n.text for n in news) else [("As it stands", sentence(stands))]
    else:
        title, facts, rhythm = (
            f"{event.model} goes on, {counted(day_of(began_at, event.at), 'day')} since it began: {stands.removeprefix(f'{event.model}: ')}",
            [],
            f" Next in {counted(next_day(day) - day, 'day')}, or with news.",
        )
    return Message(
        icon=ICONS[severity],
        title=title,
        stands=titled(event.model, stands),
        facts=[*facts, *((label, sentence(said)) for label, said in cared)],
        footer=f"{footer(event.incident_id, severity, channel)}{rhythm}{rest}",
        links=page,
    )


def end_lines(incident: Incident, timezone: str) -> list[Line]:
    """Return (label, text) of what an incident was that is over: how long, how bad at worst, and what the cause was in the end.

    What was taken back never was, and of what is judged no more nobody knows.
    """
    if incident.is_withdrawn or incident.is_unjudged:
        return []
    story = incident.story
    span = f"{_length(incident.window_end - incident.onset_at)}, {window_text(incident.onset_at, incident.window_end, timezone)}"
    lines: list[Line] = [("So far" if incident.state == "lasting" else "Lasted", span)]
    lines += [("At worst", story.size.said)] if story is not None and story.size is not None else []
    return [*lines, ("Cause in the end", _cause(story.causes))] if story is not None else lines


def closed_message(end: Message, event: IncidentEvent) -> Message:
    """Return what the message that opened a thread says from its end on, for those who never open threads; `end` is the message about that end, `event` what ended it."""
    was = next((said for label, said in end.facts if label == "It was"), end.title)
    why = end.title.removeprefix(f"{event.model}: ").partition(": ")[2]
    word, is_over = _end_word(event)
    return replace(
        end,
        icon=ICONS["resolved" if is_over else "notice"],
        title=f"{word}: {titled(event.model, was.rstrip('.'))}",
        facts=[*([("Ended", sentence(why))] if why else []), *(line for line in end.facts if line[0] != "It was")],
    )


def _end_word(event: IncidentEvent) -> tuple[str, bool]:
    """Return what an end is called, and whether it says that nothing is wrong any more."""
    if is_by_hand(event):
        return f"Resolved by {event.who}", True
    words = {RESTATED: "Taken back", LASTED: "Lasts", CAUSE_CHANGED: "Closed", UNJUDGED: "No longer judged"}
    word = next((said for why, said in words.items() if event.why.startswith(why)), "Resolved")
    return word, word in ("Resolved", "Taken back")


def _length(time: timedelta) -> str:
    """Return a length of time, whole days as such, also where the clock was set in them."""
    days = round(time / timedelta(days=1))
    return counted(days, "day") if days and abs(time - days * timedelta(days=1)) <= timedelta(hours=1) else hours_text(time / timedelta(hours=1))


def _cause(causes: Sequence[Cause]) -> str:
    """Return the likely cause of all of it, those that came later beside it."""
    named = [c for c in causes if c.kind != "unknown"]
    if not named:
        return UNKNOWN
    level = undecided(named)
    likely = [f"{c.subject or c.kind}{share_text(c)}" for c in level]
    later = [f"later also {c.subject}{share_text(c)}" for c in named if c.is_later and c not in level]
    return "; ".join([f"undecided between {listed(likely)}" if len(level) > 1 else likely[0], *later])
