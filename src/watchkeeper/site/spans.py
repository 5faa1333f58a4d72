"""The spans of one trace in words: what called what, how long each part took, and which was the slowest.

Belongs here: spans -> lines. Does not: finding them (operations/spans.py), printing (cli/).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from watchkeeper.samples import Span
from watchkeeper.words import counted, number_text, one_line, share_text

MOST = 100
"""Lines that are shown; a trace may have thousands of spans."""


def trace_lines(spans: Sequence[Span]) -> list[str]:
    """Return a headline and a line a span, those it called below it; of many spans the slowest hundred, each with those that lead to it."""
    if not spans:
        return []
    parents = _parents(spans)
    below = _below(spans, parents)
    own = {s.span_id: own_ms(s, below.get(s.span_id, ())) for s in spans}
    slowest = max(spans, key=lambda s: own[s.span_id])
    whole = _whole_ms(spans)
    shown = _shown(spans, parents, slowest)
    rest = [f"  {counted(len(spans) - len(shown), 'other span')} not shown"] if len(spans) > len(shown) else []
    lines = [
        _line(span, depth, whole, is_slowest=span is slowest and len(spans) > 1) for span, depth in _in_order(below, spans) if span.span_id in shown
    ]
    return [_headline(spans, slowest, own[slowest.span_id], whole), *lines, *rest]


def own_ms(span: Span, parts: Sequence[Span]) -> float:
    """Return how long a span took by itself: its time in which none of its parts was under way; parts that overlap count once."""
    start, end = span.started_at, span.started_at + timedelta(milliseconds=span.duration_ms)
    covered, until = 0.0, start
    for part in sorted(parts, key=lambda p: p.started_at):
        first, last = max(part.started_at, until), min(part.started_at + timedelta(milliseconds=part.duration_ms), end)
        if last > first:
            covered += (last - first).total_seconds() * 1000
            until = last
    return max(0.0, span.duration_ms - covered)


def _parents(spans: Sequence[Span]) -> Mapping[str, str]:
    """Return span -> the one it is a part of; empty where that did not come, or is its own part in the end."""
    told = {s.span_id: s.parent_span_id for s in spans}
    found: dict[str, str] = {}
    for first in told:
        path: dict[str, None] = {}
        at = first
        while at in told and at not in found and at not in path:
            path[at] = None
            at = told[at]
        ring_from = list(path).index(at) if at in path else len(path)
        found |= {name: told[name] if place < ring_from and told[name] in told else "" for place, name in enumerate(path)}
    return found


def _below(spans: Sequence[Span], parents: Mapping[str, str]) -> Mapping[str, list[Span]]:
    """Return parent -> its spans, by when they began; those without one stand at the top under no name."""
    found: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda s: s.started_at):
        found.setdefault(parents[span.span_id], []).append(span)
    return found


def _in_order(below: Mapping[str, Sequence[Span]], spans: Sequence[Span]) -> Iterator[tuple[Span, int]]:
    """Yield every span with how deep it lies, each above its parts."""
    waiting = [(s, 0) for s in reversed(below.get("", spans))]
    while waiting:
        span, depth = waiting.pop()
        yield span, depth
        waiting += [(s, depth + 1) for s in reversed(below.get(span.span_id, ()))]


def _shown(spans: Sequence[Span], parents: Mapping[str, str], slowest: Span) -> set[str]:
    """Return the spans that are shown: the slowest part, then the longest, each with all that lead to it, while there is room for these too."""
    shown: set[str] = set()
    for span in (slowest, *sorted(spans, key=lambda s: -s.duration_ms)):
        chain: list[str] = []
        at = span.span_id
        while at and at not in shown and len(shown) + len(chain) <= MOST:
            chain.append(at)
            at = parents[at]
        if len(shown) + len(chain) <= MOST:
            shown.update(chain)
        elif not shown:  # it lies deeper than there is room for
            shown.update(chain[:MOST])
    return shown


def _whole_ms(spans: Sequence[Span]) -> float:
    ends = [s.started_at + timedelta(milliseconds=s.duration_ms) for s in spans]
    return (max(ends) - min(s.started_at for s in spans)).total_seconds() * 1000


def _headline(spans: Sequence[Span], slowest: Span, own: float, whole: float) -> str:
    errors = sum(s.status == "error" for s in spans)
    parts = [f"{counted(len(spans), 'span')} in {number_text(whole, 'ms')}", counted(errors, "error") if errors else ""]
    share = f" ({share_text(min(1.0, own / whole))})" if whole else ""
    parts.append(f"the slowest part is {one_line(slowest.name)}: {number_text(own, 'ms')}{share} by itself" if len(spans) > 1 else "")
    return "; ".join(p for p in parts if p)


def _line(span: Span, depth: int, whole: float, *, is_slowest: bool) -> str:
    notes = [
        ", ".join(dict.fromkeys(n for n in (span.service, span.host) if n)),
        _language_model(span),
        f"error{f': {span.status_message}' if span.status_message else ''}" if span.status == "error" else "",
        "slowest" if is_slowest else "",
    ]
    took = number_text(span.duration_ms, "ms") + (f" ({share_text(min(1.0, span.duration_ms / whole))})" if whole else "")
    return "; ".join([f"{'  ' * (depth + 1)}{one_line(span.name)}: {took}", *(one_line(n) for n in notes if n)])


def _language_model(span: Span) -> str:
    """Return what is known of a call of a language model, empty for what is none."""
    answered = span.response_model or span.request_model
    asked_for = f" ({span.request_model} was asked for)" if span.response_model and span.request_model not in ("", span.response_model) else ""
    tokens = [f"{counted(n, 'token')} {way}" for n, way in ((span.input_tokens, "in"), (span.output_tokens, "out")) if n is not None]
    ended = [f"ended by {', '.join(span.finish_reasons)}"] if span.finish_reasons else []
    return ", ".join([*([f"{answered}{asked_for}"] if answered else []), *tokens, *ended])
