"""What is kept of the texts of others' programs: which names may stand, and texts without what looks like a secret.

Belongs here: names and patterns. Does not: which field they stand in (adapters/otlp*.py, adapters/prometheus.py). Attributes of
spans are kept by a list of names that hold no contents; labels of metrics, which tell one series from another, unless their names
say contents, persons or secrets. Whatever is kept loses what looks like a secret.
"""

import re
from functools import lru_cache

REMOVED = "(removed)"
_READ = 1024
"""Characters of a text that are looked through; what is kept of one is shorter by far."""

_ATTRIBUTES = re.compile(
    r"""http\.(route|method|status_code|flavor|scheme) | http\.request\.(method|body\.size|resend_count) | http\.response\.(status_code|body\.size)
    | url\.(scheme|template) | server\.(address|port) | network\.(protocol\.(name|version)|transport|type) | peer\.service
    | rpc\.(system|system\.name|service|method|grpc\.status_code|response\.status_code)
    | db\.(system|system\.name|operation|operation\.name|operation\.batch\.size|collection\.name|namespace|name|sql\.table)
    | db\.response\.(status_code|returned_rows)
    | messaging\.(system|operation|operation\.(name|type)|destination\.name|batch\.message_count)
    | error\.type | exception\.type | otel\.(status_code|scope\.name|library\.name)
    | gen_ai\.(system|provider\.name|operation\.name|output\.type|token\.type|agent\.name|tool\.(name|type)|embeddings\.dimension\.count)
    | gen_ai\.request\.(model|temperature|top_p|top_k|max_tokens|frequency_penalty|presence_penalty|seed|choice\.count|stream|encoding_formats)
    | gen_ai\.response\.(model|finish_reasons|time_to_first_chunk) | gen_ai\.(usage|server)\.[\w.]+
    | llm\.(model_name|provider|system|request\.type|usage\.[\w.]+|token_count\.[\w.]+) | (openinference|traceloop)\.span\.kind
    | service\.(name|version|namespace|instance\.id) | deployment\.environment(\.name)? | watchkeeper\.model
    | k8s\.(cluster|namespace|node|pod|container|deployment|replicaset|statefulset|daemonset|job|cronjob)\.name | k8s\.container\.restart_count
    | container\.(name|image\.(name|tag|tags)) | host\.(name|arch|type) | cloud\.(provider|platform|region|availability_zone)
    | faas\.(name|version|trigger|coldstart) | os\.(type|version) | process\.(pid|runtime\.(name|version)) | telemetry\.sdk\.(name|language|version)
    | thread\.(id|name) | code\.(function(\.name)?|namespace)""",
    re.VERBOSE,
)
"""Attributes of the semantic conventions of OpenTelemetry, OpenLLMetry and OpenInference that hold no contents."""

_CONTENTS = re.compile(
    r"""prompts? | completions? | inputs? | outputs? | messages? | instructions | contents? | documents? | arguments | args | parameters? | payload | text
    | body | headers? | metadata | statement | sql | query | url | uri | stacktrace | command(_line|_args)? | e?mail(_address)? | phone | address | ip | peer
    | users? | user_?(name|id|agent) | enduser | owner | customers? | clients? | person | sessions? | accounts? | iban | ssn | cards? | credit
    | passw(or)?ds? | pwd | secrets? | tokens? | jwt | bearer | dsn | connection(_string)? | credentials? | cookies? | authorization | auth | signature
    | ([a-z]+_)*(api|access|private|secret|signing|encryption|account)_?keys?(_id)?""",
    re.VERBOSE,
)
_PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_HARMLESS_LABELS = frozenset({"query_type", "token_type", "input_type", "output_type", "message_type", "user_agent_name"})

_AFTER_NAME = re.compile(
    r"""(?P<name>(?:authorization|passw(?:or)?d|passphrase|pwd|secret|token(?!s)|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|credentials?|cookie|session[-_]?id
    |signature|dsn|jwt|connection[-_ ]?string)[\w.-]*["']?\s*[:=]).*""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN.*", re.DOTALL), REMOVED),
    (re.compile(r"(://)[^\s\"'<>]*@"), rf"\1{REMOVED}@"),
    (re.compile(r"(/[^\s?#]*)[?#]\S+"), r"\1"),
    (re.compile(r"\?[^\s=]+=\S*"), ""),
    (_AFTER_NAME, rf"\g<name> {REMOVED}"),
    (re.compile(r"\b(bearer)\s+\S+", re.IGNORECASE), rf"\1 {REMOVED}"),
    (re.compile(r"\b([Bb]asic|BASIC|[Nn]egotiate)\s+(?=\S*[0-9=]|[a-z]+[A-Z])[A-Za-z0-9+/=]{4,}"), rf"\1 {REMOVED}"),
    (re.compile(r"[^\s@<>\"',;:=]+@[^\s@<>\"',;:=]+\.\w+"), REMOVED),
    (re.compile(r"\beyJ[\w-]{5,}(\.[\w-]*)*"), REMOVED),
    (
        re.compile(
            r"(?<![A-Za-z0-9])(sk[-_](?!learn)[\w-]{6,}|(pk|rk)_(live|test)_\w+|gh[pousr]_\w{6,}|github_pat_\w+|glpat-[\w-]+|xox[a-z]-[\w-]+|(AKIA|ASIA)[A-Z0-9]{8,}"
            r"|AIza[\w-]{8,}|ya29\.[\w-]+|hf_\w{8,}|gsk_\w{8,}|npm_\w{8,}|pypi-[\w-]{8,}|SG\.[\w.-]{8,}|lsv2_\w+|dop_v1_\w+)"
        ),
        REMOVED,
    ),
    (re.compile(r"(?<![\w.])[3-6](?:[ -]?\d){12,18}(?!\w|\.\d)"), REMOVED),
)
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_LONG_HEX, _LONG_PLAIN, _LONG_MIXED = 32, 24, 16


def is_plain(name: str) -> bool:
    """Tell whether an attribute holds no contents, persons or secrets, by its name: only what is known is.

    >>> is_plain("http.route"), is_plain("gen_ai.usage.input_tokens"), is_plain("gen_ai.input.messages"), is_plain("customer_email")
    (True, True, False, False)
    """
    return _ATTRIBUTES.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def is_telling(name: str) -> bool:
    """Tell whether a name says contents, persons or secrets; it is spelled in any of the usual ways.

    >>> is_telling("ai.prompt"), is_telling("x-api-key"), is_telling("awsSecretAccessKey"), is_telling("lane"), is_telling("server.address")
    (True, True, True, False, False)
    """
    if is_plain(name):
        return False
    parts = [p.lower() for p in _PARTS.split(name) if p]
    if "_".join(parts) in _HARMLESS_LABELS:
        return False
    return any(_CONTENTS.fullmatch("_".join(parts[i:j])) for i in range(len(parts)) for j in range(i + 1, min(len(parts), i + 4) + 1))


@lru_cache(maxsize=4096)
def without_secrets(text: str) -> str:
    """Return a text without what looks like a secret: queries of addresses, passwords, tokens, keys, mail addresses, numbers of cards.

    What stands after a name such as `password` goes to the end, since nobody knows where a password ends.

    >>> without_secrets("GET /x?token=hunter2"), without_secrets("cannot reach postgres://u:hunter2@db/main"), without_secrets("context window is full")
    ('GET /x', 'cannot reach postgres://(removed)@db/main', 'context window is full')
    """
    if len(text) > _READ:
        text = text[:_READ].rpartition(" ")[0] or text[:_READ]  # half a secret may look like none
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return _RUN.sub(lambda run: REMOVED if _is_random(run[0]) else run[0], text)


def looks_secret(text: str) -> bool:
    """Tell whether a text looks like a secret by itself.

    >>> looks_secret("ghp_16C7e42F292c6912E7710c838347Ae178B4a"), looks_secret("prom")
    (True, False)
    """
    return without_secrets(text) != text


def _is_random(run: str) -> bool:
    """Tell whether a run of letters and digits is none that a person would write: long, and digits among the letters."""
    for piece in _PIECE.findall(run):
        digits = sum(c.isdigit() for c in piece)
        if len(piece) >= _LONG_HEX and re.fullmatch("[0-9a-fA-F]+", piece):
            return True
        is_mixed = any(c.isupper() for c in piece) and any(c.islower() for c in piece)
        if len(piece) >= (_LONG_MIXED if is_mixed else _LONG_PLAIN) and 2 <= digits < len(piece):  # noqa: PLR2004 - one stands in many a name
            return True
    return False
