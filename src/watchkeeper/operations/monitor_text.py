"""A drafted monitor written down as YAML: in the order people read it, each guess with its reason beside it.

Belongs here: the form of a drafted file. Does not: what it says (draft.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from watchkeeper.operations.draft import SAID, Answer

_ORDER = (
    "model",
    "owner",
    "task",
    "positive",
    "timezone",
    "events",
    "labels",
    "columns",
    "features",
    "reference",
    "window",
    "segments",
    "private",
    "wording",
)
_COMMENT_AT = 44


def monitor_text(answers: Sequence[Answer], source: str) -> str:
    """Return the text of a monitor file; `source` says what it was drafted from."""
    ranked = sorted(answers, key=lambda a: _ORDER.index(a.key.partition(".")[0]))
    head = f"# Drafted by `watchkeeper add` from {source}. Beside each guess stands its reason: correct what is wrong.\n"
    return head + "\n".join(_lines(ranked)) + "\n"


def _lines(answers: Sequence[Answer]) -> Iterator[str]:
    section = ""
    for answer in answers:
        above, _, below = answer.key.rpartition(".")
        if above and above != section:
            yield f"{above}:"
        section = above
        yield _line(f"{'  ' if above else ''}{below}", answer)


def _line(key: str, answer: Answer) -> str:
    said = f"{key}: {_scalar(answer.value)}"
    if answer.why == SAID:
        return said
    why = answer.why.replace("\n", " ")
    return f"{said:<{_COMMENT_AT}}# {why}" if len(said) < _COMMENT_AT else f"{said}  # {why}"


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(k))}: {_scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(v) for v in value) + "]"
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    return f'"{text}"' if isinstance(value, str) and text == value and set(text) & set("*{}[],&!|>#") else text
