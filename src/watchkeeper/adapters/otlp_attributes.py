"""Attributes of OpenTelemetry as JSON: bounded, and without what people asked, were answered, or are.

Belongs here: which attributes are kept, and how. Does not: which of them have columns of their own (otlp_spans.py,
otlp_metrics.py).
"""

import base64
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

MOST, LONGEST = 64, 256
"""Attributes of one span or series, and characters of one value."""

_PRIVATE = re.compile(
    r"""gen_ai\.(input|output)\.messages | gen_ai\.(prompt|completion)(\..*)? | gen_ai\.system_instructions | gen_ai\.tool\.definitions
    | gen_ai\.tool\.call\.(arguments|result) | gen_ai\.(input|output)\..* | gen_ai\.evaluation\.explanation | gen_ai\.retrieval\..*
    | llm\.(input_messages|output_messages|prompts?|completions?|prompt_template|invocation_parameters|tools|function_call)(\..*)?
    | (input|output)\.(value|mime_type) | (input|output) | traceloop\.entity\.(input|output) | retrieval\.documents(\..*)? | (embedding|tool)\..*
    | (user|enduser|client|session)\..* | net\.(peer|sock)\..* | network\.peer\..* | source\..*
    | http\.(request|response)\.(header|body)\..* | rpc\.(grpc\.)?(request|response)\.metadata\..* | http\.(url|target|client_ip|user_agent) | url\.(full|query)
    | user_agent\.original | db\.(statement|user|query\.(text|parameter\..*)|operation\.parameter\..*) | messaging\.message\.body.*
    | process\.(command_args|command_line|command|owner) | exception\.(message|stacktrace) | feature_flag\.context\.id
    | .*(password|passwd|secret|token|api_?key|authorization|cookie|credential)s?""",
    re.VERBOSE | re.IGNORECASE,
)
"""Contents, persons and secrets, by the semantic conventions of OpenTelemetry, OpenLLMetry and OpenInference; counts of tokens are none."""
_COUNTED = re.compile(r"gen_ai\.usage\..*tokens|(gen_ai|llm)\.(request\.max_tokens|token_count\.\w+|token\.type)")


def is_private(name: str, others: Collection[str] = ()) -> bool:
    """Tell whether an attribute is dropped: by its name, or since a monitor names it `private`.

    >>> is_private("gen_ai.input.messages"), is_private("gen_ai.usage.input_tokens"), is_private("http.route"), is_private("income", {"income"})
    (True, False, False, True)
    """
    return name in others or _is_content(name)


@lru_cache(maxsize=4096)
def _is_content(name: str) -> bool:
    return _PRIVATE.fullmatch(name) is not None and _COUNTED.fullmatch(name) is None


def values(attributes: Iterable[Any]) -> dict[str, Any]:
    """Return KeyValue messages as a dictionary; of a name that comes twice the last one counts."""
    return {pair.key: _value(pair.value) for pair in attributes}


def canonical(found: Mapping[str, Any], private: Collection[str] = ()) -> str:
    """Return attributes as JSON with sorted keys: those that are not private, at most 64, texts of at most 256 characters.

    >>> canonical({"b": "x" * 300, "a": 1, "input.value": "my letter"})[:22]
    '{"a": 1, "b": "xxxxxxx'
    """
    kept = {name[:LONGEST]: _bounded(value) for name, value in sorted(found.items()) if not is_private(name, private)}
    return json.dumps(dict(list(kept.items())[:MOST]), ensure_ascii=False, sort_keys=True)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return values(value.kvlist_value.values)
    found = getattr(value, kind)
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found


def _bounded(value: Any) -> Any:
    """Return a value that is no longer than allowed; what is made of parts is text when it is."""
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, Mapping):
        value = {name: part for name, part in value.items() if not is_private(str(name))}
    if isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        return value if len(text) <= LONGEST else text[:LONGEST]
    return value
