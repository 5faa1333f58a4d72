"""Expectation suites as files: the JSON of Great Expectations, written and reviewed by data teams.

Belongs here: reading a suite whole, its hash, and stable ids for its expectations. Does not: what is missing in it
(suite_lint.py), running it (expectations.py), or drafting one (suite_drafts.py).
"""

import difflib
import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from typing import Any

from watchkeeper.adapters.settings import without_telemetry
from watchkeeper.errors import ConfigurationError

QUERY = "unexpected_rows_expectation"
_LOOK_AT_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")  # row-level for GX in pandas alone
_LOOK_AT_COLUMNS = ("expect_table_column", "expect_column_to_exist")
_WRITTEN = ("type", "kwargs", "meta", "description", "notes", "severity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation of a suite, in plain values; `says` is the expectation in words."""

    expectation_id: str
    type: str
    column: str
    arguments: dict[str, Any]
    severity: str
    owner: str
    why: str
    is_row_level: bool
    is_plain: bool
    """Whether each row keeps it or breaks it by one column, and none may: when it is kept there is nothing to count."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite that was read whole; `gx_plain`, `gx_rows` and `gx_columns` are its parts for Great Expectations.

    What is plain stands apart, since asking whether it is kept costs half of asking for counts; and what looks at the table's
    set of columns does, since there our own row number must not be seen.
    """

    name: str
    digest: str
    expectations: tuple[Expectation, ...]
    gx_plain: Any
    gx_rows: Any
    gx_columns: Any


def load(path: Path) -> Suite | None:
    """Return the suite in a file, None when there is no such file.

    Raises:
        ConfigurationError: the file is no suite; all its mistakes are named at once.

    """
    if not path.exists():
        return None
    return _load(path, path.read_text("utf-8"))


@cache
def quiet_gx() -> Any:
    """Return Great Expectations, imported once, without telemetry and without a word on stderr."""
    without_telemetry()
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return gx


@lru_cache(maxsize=64)
def _load(path: Path, text: str) -> Suite:
    gx = quiet_gx()
    written = parse(path, text)
    entries = [_named(entry) for entry in written["expectations"]]
    ids = _ids(entries)
    mistakes, configurations, read = [], [], []
    for index, (entry, expectation_id) in enumerate(zip(entries, ids, strict=True)):
        try:
            configuration, expectation = _read(entry, expectation_id)
            configurations.append(configuration)
            read.append(expectation)
        except ValueError as error:
            mistakes.append(f"expectations[{index}]: {error}.")
    if mistakes:
        raise ConfigurationError(" ".join(mistakes), where=str(path), then="Correct the file; `watchkeeper check` reads it again.")
    parts: dict[str, list[Any]] = {"gx_plain": [], "gx_rows": [], "gx_columns": []}
    for configuration, expectation in zip(configurations, read, strict=True):
        looks_at_columns = expectation.type.startswith(_LOOK_AT_COLUMNS)
        parts["gx_columns" if looks_at_columns else "gx_plain" if expectation.is_plain else "gx_rows"].append(configuration)
    suites = {name: gx.ExpectationSuite(name=path.stem, expectations=part) for name, part in parts.items()}
    return Suite(name=path.stem, digest=_digest(written), expectations=tuple(read), **suites)


def parse(path: Path, text: str) -> dict[str, Any]:
    """Return what a suite file says, as written.

    Raises:
        ConfigurationError: it is no JSON, or not the JSON of a suite.

    """
    try:
        written = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"line {error.lineno}, column {error.colno}: not JSON, {error.msg}.",
            where=str(path),
            then="Correct the file; `watchkeeper check` reads it again.",
        ) from error
    entries = written.get("expectations") if isinstance(written, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError(
            'a suite is an object with a list "expectations" of objects.', where=str(path), then="See the suites that `watchkeeper add` drafts."
        )
    return dict(written)


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {word: entry[word] for word in _WRITTEN if entry.get(word) is not None}
    return {"kwargs": {}, "type": "", **kept}


def _ids(entries: list[dict[str, Any]]) -> list[str]:
    """Return ids that survive a changed limit: the type and what it looks at, numbered where that is not enough."""
    seen: Counter[str] = Counter()
    ids = []
    for entry in entries:
        stem = "/".join(part for part in (str(entry["type"]), _subject(entry["kwargs"])) if part)
        seen[stem] += 1
        ids.append(stem if seen[stem] == 1 else f"{stem}#{seen[stem]}")
    return ids


def _subject(kwargs: dict[str, Any]) -> str:
    if "unexpected_rows_query" in kwargs:
        return hashlib.sha256(str(kwargs["unexpected_rows_query"]).encode()).hexdigest()[:8]
    columns = kwargs.get("column_list") or [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
    return "&".join(map(str, columns))


def _read(entry: dict[str, Any], expectation_id: str) -> tuple[Any, Expectation]:
    from great_expectations.exceptions import ExpectationNotFoundError, GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    if not entry["type"]:
        message = "it has no type"
        raise ValueError(message)
    if entry["type"] == QUERY and "{batch}" not in str(entry["kwargs"].get("unexpected_rows_query", "{batch}")):
        message = f"{QUERY}: the query does not read from {{batch}}, so it never looks at the rows checked"
        raise ValueError(message)
    try:
        configuration = ExpectationConfiguration(id=expectation_id, **entry)
        expectation = configuration.to_domain_obj()
    except ExpectationNotFoundError as error:
        raise ValueError(_unknown(str(entry["type"]))) from error
    except (GreatExpectationsError, ValueError, TypeError) as error:
        raise ValueError(f"{entry['type']}: {_pydantic(error)}") from error
    return configuration, _plain(entry, expectation_id, expectation)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, _types(), n=1)
    return f"{name!r} is no expectation type" + (f"; the nearest is {near[0]!r}" if near else "")


@cache
def _types() -> tuple[str, ...]:
    import great_expectations.expectations.core  # noqa: F401 - fills the registry
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    return tuple(list_registered_expectation_implementations())


def _pydantic(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if details is None:
        return str(error)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'] if part != '__root__') or 'arguments'}: {one['msg']}" for one in details())


def _plain(entry: dict[str, Any], expectation_id: str, expectation: Any) -> Expectation:
    meta = entry.get("meta") or {}
    return Expectation(
        expectation_id=expectation_id,
        type=entry["type"],
        column=str(entry["kwargs"].get("column", "")),
        arguments={name: value for name, value in entry["kwargs"].items() if name != "column"},
        severity=expectation.severity.value,
        owner=str(meta.get("owner", "")),
        why=str(meta.get("why", "")),
        is_row_level=_is_row_level(entry["type"], expectation),
        is_plain=_is_plain(entry, expectation),
        says=_sentence(expectation),
    )


def _is_row_level(name: str, expectation: Any) -> bool:
    from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation

    is_map = isinstance(expectation, ColumnMapExpectation | ColumnPairMapExpectation | MulticolumnMapExpectation)
    return (is_map and name not in _LOOK_AT_TYPES) or name == QUERY


def _is_plain(entry: dict[str, Any], expectation: Any) -> bool:
    from great_expectations.expectations.expectation import ColumnMapExpectation

    may_be_broken = entry["kwargs"].get("mostly", 1) != 1 or "row_condition" in entry["kwargs"]
    return isinstance(expectation, ColumnMapExpectation) and _is_row_level(entry["type"], expectation) and not may_be_broken


def _sentence(expectation: Any) -> str:
    """Return the expectation in words, as the validation docs have it."""
    expectation.render()
    value = expectation.rendered_content[0].to_json_dict()["value"]
    parts = {name: _short(part["value"]) for name, part in value.get("params", {}).items()}
    words = Template(value.get("template") or "").safe_substitute(parts).strip().rstrip(".")
    return words or f"no row may come from {parts.get('unexpected_rows_query', 'the query')}"


def _short(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _digest(written: dict[str, Any]) -> str:
    """Return the sha256 of what people wrote: without the ids and the version that Great Expectations adds."""
    meta = {name: value for name, value in (written.get("meta") or {}).items() if name != "great_expectations_version"}
    content = {
        "name": written.get("name"),
        "meta": meta,
        "notes": written.get("notes"),
        "expectations": [_named(entry) for entry in written["expectations"]],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
