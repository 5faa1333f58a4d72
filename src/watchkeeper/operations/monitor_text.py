"""A drafted monitor written down as YAML: in the order people read it, each guess with its reason beside it.

Belongs here: the form of a drafted file. Does not: what it says (draft.py).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from watchkeeper.adapters.yaml_lines import parse_yaml
from watchkeeper.operations.drafting import SAID, Answer

_ORDER = (
    "model",
    "owner",
    "task",
    "positive",
    "threshold",
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
    head = f"# Drafted by `watchkeeper add` from {_one_line(source)}. Beside each guess stands its reason: correct what is wrong.\n"
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
    why = _one_line(answer.why)
    return f"{said:<{_COMMENT_AT}}# {why}" if len(said) < _COMMENT_AT else f"{said}  # {why}"


def _scalar(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(k))}: {_scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(v) for v in value) + "]"
    if isinstance(value, str):
        return value if _says_itself(value) else yaml.safe_dump(value, default_style='"', width=math.inf, allow_unicode=True).removesuffix("\n")
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def _says_itself(text: str) -> bool:
    """Tell whether YAML reads a text that stands there without quotes as that very text, wherever a draft may put it."""
    places = f"alone: {text}\nfirst: {text}  # why\nlisted: [{text}, {text}]\nnamed: {{{text}: {text}}}\n"
    meant = {"alone": text, "first": text, "listed": [text, text], "named": {text: text}}
    try:
        return bool(yaml.safe_load(places) == meant and parse_yaml(places, "").data == meant)
    except (yaml.YAMLError, ValueError):
        return False


def _one_line(text: str) -> str:
    """Return a text as a comment can hold it: whatever would end the line is a space."""
    return "".join(c if c.isprintable() else " " for c in text)
