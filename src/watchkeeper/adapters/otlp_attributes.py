"""Attributes of OpenTelemetry as JSON: bounded, and without what people asked, were answered, or are.

Belongs here: which attributes and labels are kept, and how. Does not: what looks like a secret (redaction.py), or which of them
have columns of their own (otlp_spans.py, otlp_metrics.py).
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from watchkeeper.adapters.series import Labels
from watchkeeper.redaction import is_plain, is_telling, without_secrets

MOST, LONGEST = 64, 256
"""Attributes of one span or series, and characters of one value."""


def values(attributes: Iterable[Any]) -> dict[str, Any]:
    """Return KeyValue messages as a dictionary; of a name that comes twice the last one counts, and bytes are none."""
    return {pair.key: _value(pair.value) for pair in attributes}


def attributes_text(found: Mapping[str, Any], *, also: Collection[str] = (), private: Collection[str] = ()) -> str:
    """Return attributes of a span as JSON: those that are known to hold no contents, and those that are named besides.

    >>> attributes_text({"http.route": "/predict", "lane": "fast", "ai.prompt": "my letter"}, also=["lane"])
    '{"http.route": "/predict", "lane": "fast"}'
    """
    return _text(_canonical({n: v for n, v in found.items() if (is_plain(n) or n in also) and n not in private}))


def labels_of(found: Mapping[str, Any], *, also: Collection[str] = (), private: Collection[str] = ()) -> tuple[str, Labels]:
    """Return labels of a series as JSON: all of them, since they tell series apart, but those whose names say contents, persons or secrets; and what they lost.

    >>> text, lost = labels_of({"lane": "fast", "customer_email": "ann@example.org", "http.route": "/predict?token=hunter2"})
    >>> text, sorted(name for name, _ in lost)
    ('{"http.route": "/predict", "lane": "fast"}', ['customer_email', 'http.route'])
    """
    kept = _canonical({n: v for n, v in found.items() if (n in also or not is_telling(n)) and n not in private})
    return _text(kept), frozenset((n, repr(v)) for n, v in found.items() if n not in kept or kept[n] != v)


def _text(kept: Mapping[str, Any]) -> str:
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _canonical(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept in the order of its names: at most 64, texts of at most 256 characters without secrets, and nothing that is made of parts but lists."""
    kept = {without_secrets(name)[:LONGEST]: _bounded(value) for name, value in sorted(found.items()) if _is_simple(value)}
    return dict(list(kept.items())[:MOST])


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value":
        return None
    if kind == "array_value":
        return [_value(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return values(value.kvlist_value.values)
    found = getattr(value, kind)
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found


def _is_simple(value: Any) -> bool:
    """Tell whether a value is a text, a number, or a list of those: in what is nested nobody knows the names."""
    return all(isinstance(part, str | int | float) for part in (value if isinstance(value, list) else [value]))


def _bounded(value: Any) -> Any:
    """Return a value that is no longer than allowed; a list is text when it is."""
    if isinstance(value, str):
        return without_secrets(value)[:LONGEST]
    if isinstance(value, list):
        value = [_bounded(part) for part in value]
        text = json.dumps(value, ensure_ascii=False)
        return value if len(text) <= LONGEST else text[:LONGEST]
    return value
