"""Structured logs as JSON lines: what lies inside objects is a column where the monitor names its path."""

import json
from datetime import UTC, datetime

from intake_world import LOANS, landed, loans, put, take
from watchkeeper.operations.profile import profile
from watchkeeper.records import Profile

NESTED = {
    "time": "2025-02-01T10:00:00Z",
    "level": "info",
    "request": {"id": "a", "user": {"name": "me", "age": 30}, "trace.id": "0af7651916cd43dd8448eb211c80319c"},
    "response": {"risk": 0.1, "status": "ok", "took_ms": 12},
}


def log_lines(*lines):
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n"


def nested_loans(**changes):
    columns = {"id": "request.id", "time": "time", "score": "response.risk", "status": "response.status", "latency": "response.took_ms"}
    return loans(columns={**columns, "trace_id": "request.trace.id"}, features=["request.user.age"], private=[], labels=None, **changes)


def test_fields_of_an_object_are_columns_where_the_monitor_names_them_by_their_path(home):
    second = {**NESTED, "request": {"id": "b", "user": None}, "response": {"risk": 0.9, "status": "ok"}}
    put(home, "loans-1.jsonl", log_lines(NESTED, second))
    (batch,) = take(home, nested_loans())
    assert (batch.status, batch.rows_landed) == ("landed", 2)
    assert landed(home, "request.id", "response.risk", "response.took_ms", "request.user.age", "request.trace.id", by="request.id") == [
        {
            "request.id": "a",
            "response.risk": 0.1,
            "response.took_ms": 12,
            "request.user.age": 30,
            "request.trace.id": "0af7651916cd43dd8448eb211c80319c",
        },
        {"request.id": "b", "response.risk": 0.9, "response.took_ms": None, "request.user.age": None, "request.trace.id": None},
    ]
    assert "request.user.name" not in home.lake.read("events/loans").column_names


def test_a_line_whose_object_is_none_or_lacks_the_id_is_set_aside_alone(home):
    put(home, "loans-1.jsonl", log_lines(NESTED, {**NESTED, "request": {"user": {"age": 3}}}, "not json"))
    (batch,) = take(home, nested_loans())
    assert (batch.status, batch.rows_landed, batch.rows_quarantined) == ("partial", 1, 2)


def test_odd_values_inside_objects_take_no_other_line_along(home):
    """One time that is no number, one status of another kind, and one line in which a word stands for the object."""
    odd = [{"took_ms": float("nan")}, {"took_ms": True, "status": 503}]
    lines = [{**NESTED, "request": {"id": str(i)}, "response": NESTED["response"] | change} for i, change in enumerate([{}, *odd])]
    put(home, "loans-1.jsonl", log_lines(*lines, {**NESTED, "response": "gone"}))
    (batch,) = take(home, nested_loans())
    assert (batch.status, batch.rows_landed + batch.rows_quarantined) == ("partial", 4)
    assert landed(home, "request.id", "response.risk", by="request.id")[:2] == [{"request.id": str(i), "response.risk": 0.1} for i in range(2)]


def test_a_path_that_no_line_has_is_named_as_any_missing_column(home):
    put(home, "loans-1.jsonl", log_lines({**NESTED, "response": {"status": "ok"}}))
    (batch,) = take(home, nested_loans())
    assert "has no column 'response.risk' (score)" in batch.reason


def test_numbers_inside_objects_are_measured_as_others(home):
    lines = [
        {**NESTED, "time": f"2025-01-{day:02}T{hour:02}:00:00Z", "request": {"id": f"{day}-{hour}", "user": {"age": 20 + hour}}}
        for day in range(1, 32)
        for hour in range(24)
    ]
    put(home, "loans-1.jsonl", log_lines(*lines))
    take(home, nested_loans())
    profile(home, nested_loans(), now=datetime(2025, 3, 1, tzinfo=UTC))
    found = [p for p in home.lake.newest(Profile) if p.feature == "request.user.age" and not p.segment]
    assert sum(p.n for p in found) == 31 * 24


def test_check_finds_columns_by_their_path_and_names_those_that_are_not_there(make_home, watchkeeper):
    columns = {"id": "request.id", "time": "time", "score": "response.risk", "status": "response.state"}
    watched = {**LOANS, "columns": columns, "private": [], "features": ["request.user.age"]}
    home = make_home({k: v for k, v in watched.items() if k != "labels"}, name="logs")
    put(home, "loans-1.jsonl", log_lines(NESTED))
    said = watchkeeper("check", at=home)
    assert "has no column 'response.state'" in said.output
    assert said.output.count("has no column") == 1


def test_an_object_of_which_nothing_is_named_says_how_to_name_it(home):
    put(home, "loans-1.jsonl", log_lines({"loan": "a", "asked_at": "2025-02-01T10:00:00Z", "risk": 0.1, "client": {"region": "x"}}))
    (batch,) = take(home, loans(labels=None, private=[]))
    assert "column 'client' is left out: it holds objects, whose fields are taken where the monitor names them, as client.region" in batch.reason
