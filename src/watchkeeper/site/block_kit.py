"""A Message in Slack's form, within Slack's limits: 50 blocks, 150 characters a header, 3,000 a section.

Belongs here: Block Kit and mrkdwn. Does not: the words (message.py) or the sending (adapters/slack.py).
What does not fit is left out from the facts first, and the message says how much and where the rest is.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from watchkeeper.site.message import Line, Message
from watchkeeper.words import counted

Block = dict[str, Any]
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
LINE_LIMIT = 1000
BUDGET = 6000  # characters of facts, and of the verdict; Slack refuses messages somewhat above 12,000 in all
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(words: str) -> str:
    """Return text in which Slack sees no link, mention or entity.

    >>> escape("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return "".join(_ESCAPES.get(c, c) for c in words)


def fallback(message: Message) -> str:
    """Return the text that notifications and screen readers use."""
    return clip(message.headline, LINE_LIMIT)


def brief(message: Message) -> str:
    """Return a message without blocks: headline, what to do, footer and page; for when Slack refuses the blocks."""
    steps = [_said(line) for line in message.verdict[-1:]]
    return "\n".join([fallback(message), *steps, _footer(message)])


def blocks(message: Message) -> list[Block]:
    """Return the blocks of a message."""
    rest = f"; the rest is on {_page(message)}"
    lead: list[Line] = [("", message.lead)] if message.lead else []
    head, tail = _parted(message.headline)
    if tail:
        lead.insert(0, ("", f"… {tail.lstrip()}"))
    facts = _within(_said_all([*lead, *message.facts], rest), rest)
    verdict = _within(_said_all(message.verdict, rest), rest)
    sections = [_section(chunk) for part in (facts, verdict) for chunk in _chunks(part)]
    return [_header(f"{head}…" if tail else head), *sections, {"type": "context", "elements": [_mrkdwn(_footer(message))]}]


def clip(words: str, limit: int, ending: str = "…") -> str:
    """Return escaped text of at most `limit` characters plus `ending`; nothing is cut inside an entity."""
    used = 0
    for position, character in enumerate(words):
        used += len(_ESCAPES.get(character, character))
        if used > limit:
            return escape(words[:position].rstrip()) + ending.replace("{n}", f"{len(words) - position:,}")
    return escape(words)


def _said_all(lines: Iterable[Line], rest: str) -> list[str]:
    return [_said(line, f"… ({{n}} characters left out{rest})") for line in lines]


def _said(line: Line, ending: str = "…") -> str:
    label, words = line
    return f"*{clip(label, HEADER_LIMIT)}:* {clip(words, LINE_LIMIT, ending)}" if label else clip(words, LINE_LIMIT, ending)


def _within(lines: Sequence[str], rest: str) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > BUDGET:
            return [*kept, f"… {counted(len(lines) - len(kept), 'more line')} left out{rest}"]
        kept.append(line)
    return kept


def _chunks(lines: Iterable[str]) -> list[str]:
    chunks: list[str] = []
    for line in lines:
        if chunks and len(chunks[-1]) + 1 + len(line) <= SECTION_LIMIT:
            chunks[-1] += f"\n{line}"
        else:
            chunks.append(line[:SECTION_LIMIT])
    return chunks


def _page(message: Message) -> str:
    return next((f"<{_address(url)}|{escape(label)}>" for label, url in message.links), "the incident's page (watchkeeper incidents)")


def _footer(message: Message) -> str:
    links = ", ".join(f"<{_address(url)}|{escape(label)}>" for label, url in message.links)
    return clip(message.footer, LINE_LIMIT) + (f" Links: {links}" if links else "")


def _address(url: str) -> str:
    return escape(url).replace("|", "%7C")


def _parted(headline: str) -> tuple[str, str]:
    """Return what a header has room for, up to the end of a word, and the rest."""
    if len(headline) <= HEADER_LIMIT:
        return headline, ""
    end = headline.rfind(" ", 0, HEADER_LIMIT)
    end = end if end > HEADER_LIMIT // 2 else HEADER_LIMIT - 1
    return headline[:end], headline[end:]


def _header(words: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": words, "emoji": True}}


def _section(words: str) -> Block:
    return {"type": "section", "text": _mrkdwn(words)}


def _mrkdwn(words: str) -> Block:
    return {"type": "mrkdwn", "text": words}
