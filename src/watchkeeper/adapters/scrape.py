"""Asking a metrics endpoint: one GET, bounded in time and bytes, and what Prometheus' text format says in the answer.

Belongs here: the request, its bounds, and what of an answer is no metrics. Does not: what the metrics mean (dcgm.py and others
that know their names). Addresses are shown without user, password and query, which may hold secrets.
"""

import base64
import contextlib
import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from watchkeeper.errors import UnreachableError, UnreadableError, UsageError

TIMEOUT_S = 5.0
"""From the connection to the last byte; looking up the name of the host is not bounded."""

AT_MOST = 4 * 2**20
"""Bytes of one answer; a DCGM exporter's page of 8 GPUs has some 50 kB."""

ACCEPT = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
_OPEN_METRICS = "application/openmetrics-text"
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: its content type, in lower case and without parameters, and its bytes."""

    content_type: str
    content: bytes


def scrape(url: str, *, timeout_s: float = TIMEOUT_S, at_most: int = AT_MOST) -> dict[str, Metric]:
    """Return the metric families of an endpoint, by name; a counter's name has no `_total`, its samples' names have.

    Raises:
        UsageError: the address is none.
        UnreachableError: nobody answers, or not in time, or with an error.
        UnreadableError: the answer is too long, or no metrics.

    """
    answer = fetch(url, accept=ACCEPT, timeout_s=timeout_s, at_most=at_most)
    return families(answer, where=place(url))


def families(answer: Answer, *, where: str) -> dict[str, Metric]:
    """Return the metric families of an answer, by name.

    Raises:
        UnreadableError: it is no metrics.

    """
    text = answer.content.decode("utf-8", errors="replace")
    then = "Name the address of a metrics page, such as http://localhost:9400/metrics."
    if answer.content_type == "text/html" or text.lstrip()[:1] == "<":
        raise UnreadableError("answers a web page, and no metrics", where=where, then=then)
    try:
        parse = openmetrics.text_string_to_metric_families if answer.content_type == _OPEN_METRICS else text_string_to_metric_families
        found: dict[str, Metric] = {}
        for family in parse(text):
            known = found.setdefault(family.name, family)
            if known is not family:  # without a line of its type each series comes as a family of its own
                known.samples += family.samples
    except (ValueError, IndexError, KeyError) as error:  # their text would be Python's, with what stands there
        raise UnreadableError(
            "answers what is no metrics: a line of it is neither a comment nor a name with a number", where=where, then=then
        ) from error
    return found


def fetch(url: str, *, accept: str = "*/*", headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S, at_most: int = AT_MOST) -> Answer:
    """GET an address; user and password in it are sent as Basic authentication.

    Raises:
        UsageError: the address is none.
        UnreachableError: nobody answers, or not in time, or with anything but 200.
        UnreadableError: the answer is longer than `at_most` bytes.

    """
    where, parts = place(url), urllib.parse.urlsplit(url)
    sent = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "watchkeeper", **_credentials(parts), **(headers or {})}
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    then = "Look whether it runs and can be reached from here."
    is_over, began = threading.Event(), time.monotonic()
    with contextlib.closing(connection):
        try:
            connection.connect()
            with _cut_after(timeout_s - (time.monotonic() - began), connection.sock, is_over):
                connection.request("GET", target, headers=sent)
                answer = connection.getresponse()
                if answer.status != http.client.OK:
                    raise UnreachableError(f"answers {answer.status} {answer.reason}".rstrip(), where=where, then=then)
                content = _read(answer, where, at_most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"no answer within {timeout_s:g} s" if is_over.is_set() or isinstance(error, TimeoutError) else _reason(error)
            raise UnreachableError(f"cannot be read ({why})", where=where, then=then) from error
    if is_over.is_set():
        raise UnreachableError(f"cannot be read (no whole answer within {timeout_s:g} s)", where=where, then=then)
    return Answer((answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower(), content)


def place(url: str) -> str:
    """Return an address as it may be shown.

    >>> place("http://me:secret@gpu-1:9400/metrics?token=secret")
    'http://gpu-1:9400/metrics'

    Raises:
        UsageError: it is no http or https address.

    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urllib.parse.SplitResult("", "", "", "", ""), None, None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise UsageError(
            "is no http or https address", where=url.partition("?")[0].rpartition("@")[2], then="Write for example http://localhost:9400/metrics."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path}"


@contextlib.contextmanager
def _cut_after(seconds: float, connected: socket.socket, is_over: threading.Event) -> Iterator[None]:
    """Cut a connection when its time is over, however slowly bytes trickle in; `is_over` says whether it was."""

    def cut() -> None:
        is_over.set()
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(seconds, 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(answer: http.client.HTTPResponse, where: str, at_most: int) -> bytes:
    content = bytearray()
    while piece := answer.read1(_PIECE):
        content += piece
        if len(content) > at_most:
            raise UnreadableError(
                f"answers more than {at_most / 2**20:g} MB", where=where, then="Have it tell less: fewer metrics, or those of one host."
            )
    if answer.length:
        raise http.client.IncompleteRead(bytes(content), answer.length)
    return bytes(content)


def _credentials(parts: urllib.parse.SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the answer ends too early"
    said = getattr(error, "strerror", None) or " ".join(str(error).split())
    return str(said or type(error).__name__)
