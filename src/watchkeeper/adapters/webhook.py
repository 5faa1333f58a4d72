"""Signed POSTs: notices to a pager or gateway, and triggers to whatever trains a model.

Belongs here: one request, its signature and what its answer means. Does not: when to try again (judgement/outbox.py).

A receiver checks `X-Watchkeeper-Signature: sha256=<hex>` as HMAC-SHA256 of `<X-Watchkeeper-Timestamp>.<body>` under the
shared secret, and drops what repeats an `Idempotency-Key`.
"""

import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from email.message import Message as Headers
from typing import Any

from watchkeeper.errors import DeliveryError

TIMEOUT_S = 10.0
_BUSY = 429
_BROKEN = 500


def post(url: str, content: Mapping[str, Any], *, secret: str, key: str, now: datetime, timeout_s: float = TIMEOUT_S) -> str:
    """POST `content` as JSON, signed when there is a secret; return what the receiver answered, at most 200 characters.

    Raises:
        DeliveryError: refused, unreachable, or no answer in time.

    """
    where = _place(url)
    body = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    request = urllib.request.Request(url, data=body, headers=_headers(body, secret, key, now), method="POST")  # noqa: S310 - _place let only http and https pass
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - as above
            return f"{answer.status} {answer.read(200).decode(errors='replace')}".strip()
    except urllib.error.HTTPError as error:
        raise _refused(error, where) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DeliveryError(f"no answer ({reason or type(error).__name__}).", where=where, then="It is tried again at the next run.") from error


def sign(body: bytes, *, secret: str, timestamp: int) -> str:
    """Return the signature of a body sent at `timestamp` (Unix seconds)."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def seconds(headers: Headers | Mapping[str, str] | None) -> float | None:
    """Return the wait that a Retry-After header names in seconds, None when there is none."""
    try:
        return float((headers or {}).get("Retry-After") or (headers or {})["retry-after"])
    except (KeyError, TypeError, ValueError):
        return None


def _headers(body: bytes, secret: str, key: str, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": key,
        "User-Agent": "watchkeeper",
        "X-Watchkeeper-Timestamp": str(timestamp),
    }
    return headers | ({"X-Watchkeeper-Signature": sign(body, secret=secret, timestamp=timestamp)} if secret else {})


def _place(url: str) -> str:
    """Return the host of an address; paths and queries may hold secrets and are never shown."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DeliveryError("the address is not an http or https address.", where="webhook", then="Correct it where it is configured.")
    return f"webhook at {parts.hostname}"


def _refused(error: urllib.error.HTTPError, where: str) -> DeliveryError:
    is_passing = error.code == _BUSY or error.code >= _BROKEN
    then = "It is tried again at the next run." if is_passing else "Check the address and the secret; it is tried again at later runs."
    return DeliveryError(f"answered {error.code} {error.reason}.", where=where, then=then, retry_after_s=seconds(error.headers))
