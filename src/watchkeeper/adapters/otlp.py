"""Files of OpenTelemetry (OTLP), as collectors and SDKs write them: bytes -> messages, and why some are none.

Belongs here: where each message begins and ends, compressed or not. Does not: JSON (otlp_json.py), or what a message says
(otlp_spans.py, otlp_metrics.py). Fields that are not known are passed over: a newer writer is no error.

JSON is one request a line, or one over many lines. Protobuf is one message, messages each after its length as a varint (the
specification), or after four bytes, the greatest first (the collector's file exporter, which may compress each with zstd).
"""

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from watchkeeper.adapters.otlp_json import Data, NoRequestError, is_cut_off, json_of, requests
from watchkeeper.adapters.packing import unpack
from watchkeeper.errors import UnreadableError

MOST_BYTES = 1_000_000_000
"""What one file may hold once it is unpacked."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_TEXT_LOOKED_AT = 4096
_EXPECTED = "Expected are JSON lines, or protobuf as the collector's file exporter writes it."
_LENGTH = 4
_TRACE_ID, _SPAN_ID = 16, 8
_LONGEST_VARINT = 5


@dataclass(frozen=True, slots=True)
class Broken:
    """A line or message that is not read, and why; what comes after the last whole one is `unfinished`, a writer may be at it."""

    reason: str
    is_unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One line or message of a file: its number, from 0, and what it is."""

    number: int
    content: Data | Broken
    unit: str = "message"

    @property
    def place(self) -> str:
        """Where it is, as people count."""
        return f"{self.unit} {self.number + 1}"


def messages(data: bytes, name: str) -> Iterator[Message]:
    """Yield what a file holds, in order; whatever one message holds, the others are read.

    Raises:
        UnreadableError: nothing in it can be read as OTLP.

    """
    data = unpacked(data, name)
    if not data.strip():
        return  # as a collector leaves one after it has rotated
    yield from _of_lines(data, name) if _is_text(data) else _of_frames(data, name)


def unpacked(data: bytes, name: str, *, most: int = MOST_BYTES) -> bytes:
    """Return bytes as they were before gzip or zstd, which their beginning tells.

    Raises:
        UnreadableError: they are cut off, or hold more than a file may.

    """
    packing = next((how for magic, how in _MAGIC.items() if data.startswith(magic)), None)
    if packing is None:
        return data
    found = unpack(data, packing, name, most=most + 1)
    if len(found) > most:
        raise UnreadableError(f"holds more than {most:,} bytes once it is unpacked", where=name, then="Have the collector rotate its files sooner.")
    return found


def _is_text(data: bytes) -> bool:
    """Tell whether bytes are lines of text and no protobuf, which has control characters from its first bytes on."""
    return not any(byte < ord(" ") and byte not in b"\t\n\r" for byte in data[:_TEXT_LOOKED_AT])


def _of_lines(data: bytes, name: str) -> Iterator[Message]:
    text = data.decode("utf-8-sig", errors="replace")
    lines = [(number, line) for number, line in enumerate(text.split("\n")) if line.strip()]
    if len(lines) > 1 and json_of(lines[0][1]) is None:
        if (whole := json_of(text)) is not None:
            lines = [(0, json.dumps(whole))]  # one request, written over many lines
        elif not any(isinstance(json_of(line), dict) for _, line in lines) and is_cut_off(text):
            yield Message(0, Broken("is not whole yet", is_unfinished=True))
            return
    if not any(line.lstrip()[:1] in ("{", "[") for _, line in lines):
        raise UnreadableError("holds no OTLP messages", where=name, then=_EXPECTED)
    is_ended = text.endswith("\n")
    for place, (number, line) in enumerate(lines):
        is_last = place == len(lines) - 1
        for content in _requests(line):
            if isinstance(content, Broken) and is_last and not is_ended and json_of(line) is None:
                content = Broken("is not whole yet", is_unfinished=True)  # noqa: PLW2901 - the same line, told of otherwise
            yield Message(number, content, "line")


def _requests(text: str) -> Iterator[Data | Broken]:
    """Yield the messages of a line, or why it has none."""
    try:
        yield from requests(text)
    except NoRequestError as error:
        yield Broken(str(error))


def _of_frames(data: bytes, name: str) -> Iterator[Message]:
    """Yield the messages of a binary file, by the framing that fits it."""
    whole = _message(data)
    if not isinstance(whole, Broken):
        yield Message(0, whole)
        return
    if _is_begun(data):
        yield Message(0, Broken("is not whole yet", is_unfinished=True))
        return
    for length_at in (_four_bytes, _varint):
        framed = list(_framed(data, length_at))
        if framed and not isinstance(framed[0].content, Broken):
            yield from framed
            return
    raise UnreadableError("holds no OTLP messages", where=name, then=_EXPECTED)


def _is_begun(data: bytes) -> bool:
    """Tell whether a first message stands after its length in four bytes, and is not whole; it begins with a field that is a message, or is packed."""
    length = int.from_bytes(data[:_LENGTH], "big")
    content = data[_LENGTH:]
    return len(content) < length <= MOST_BYTES and content.startswith((b"\n", *_MAGIC))


def _framed(data: bytes, length_at: Callable[[bytes, int], tuple[int, int] | None]) -> Iterator[Message]:
    at = number = 0
    while at < len(data):
        found = length_at(data, at)
        start, length = found or (len(data), 1)
        if start + length > len(data):
            yield Message(number, Broken("is not whole yet", is_unfinished=True))
            return
        if length:
            content = _message(data[start : start + length])
            yield Message(number, content)
            if number == 0 and isinstance(content, Broken) and length_at is _varint:
                return  # these are no frames
        at, number = start + length, number + 1


def _four_bytes(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where a message begins and how long it is, by the four bytes before it; None where they are not whole."""
    return (at + _LENGTH, struct.unpack_from(">I", data, at)[0]) if at + _LENGTH <= len(data) else None


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where a message begins and how long it is, by the varint before it; None where that is not whole."""
    length = 0
    for place in range(min(_LONGEST_VARINT, len(data) - at)):
        byte = data[at + place]
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return at + place + 1, length
    return None


def _message(data: bytes) -> Data | Broken:
    """Return one message, which may be compressed, or JSON; traces and metrics look alike, and are told apart by what they must have."""
    try:
        data = unpacked(data, "")
    except UnreadableError as error:
        return Broken(error.what)
    if _is_text(data):
        return next(_requests(data.decode(errors="replace")))
    for kind, is_one in ((TracesData, _has_spans), (MetricsData, _has_metrics)):
        try:
            found: Data = kind.FromString(data)
        except DecodeError:
            continue
        if is_one(found):
            return found
    return Broken("is no OTLP message of traces or metrics")


def _has_spans(found: Any) -> bool:
    spans = [s for r in found.resource_spans for scope in r.scope_spans for s in scope.spans]
    return any(len(s.trace_id) == _TRACE_ID and len(s.span_id) == _SPAN_ID and s.start_time_unix_nano for s in spans)


def _has_metrics(found: Any) -> bool:
    return any(m.name and m.WhichOneof("data") for r in found.resource_metrics for scope in r.scope_metrics for m in scope.metrics)
