"""Statuses of any service fall in a few classes, however many texts there are."""

import time

import pytest

from watchkeeper.profiles.statuses import CLASSES, class_cells, class_of

SAID = {
    "ok": ["", "OK", " ok ", "200", "204", "301", "200.0", "HTTP 200", "success", "true", "0", "nan", "None"],
    "timeout": [
        "timeout",
        "504",
        "408",
        "HTTP/1.1 504 Gateway Timeout",
        "DEADLINE_EXCEEDED",
        "ReadTimeout",
        "timed out",
        "timed_out",
        "TimeoutError",
    ],
    "client_error": ["400", "404 Not Found", "422", "4xx", "INVALID_ARGUMENT", "NOT_FOUND", "ValidationError", "PERMISSION_DENIED"],
    "rate_limited": ["429", "RESOURCE_EXHAUSTED", "RateLimitError", "too many requests"],
    "server_error": ["500", "503 Service Unavailable", "5xx", "UNAVAILABLE", "INTERNAL", "ConnectionError", "bad gateway"],
    "exception": ["ValueError", "KeyError", "my.module.OddException"],
    "out_of_memory": ["CudaOutOfMemoryError", "torch.cuda.OutOfMemoryError", "oom", "OOM killed", "MemoryError"],
    "cancelled": ["499", "CANCELLED", "canceled by the caller"],
    "other": ["error", "failed", "E17", "room", "2000", "12", "false"],
}


@pytest.mark.parametrize(("name", "status"), [(name, status) for name, statuses in SAID.items() for status in statuses])
def test_a_status_is_of_its_class(name: str, status: str) -> None:
    assert class_of(status) == name


def test_every_class_is_tried() -> None:
    assert set(SAID) == set(CLASSES)


def test_a_million_different_statuses_are_one_class_in_seconds() -> None:
    statuses = [f"request {i} went astray" for i in range(1_000_000)]
    begun = time.process_time()
    cells = class_cells(statuses)
    assert set(cells.tolist()) == {CLASSES.index("other")}
    assert time.process_time() - begun < 30
