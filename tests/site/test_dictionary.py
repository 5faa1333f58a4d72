"""The data dictionary says what is there: every column of every table, both ways."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import worlds_site as world
from watchkeeper.adapters.arrow_records import to_arrow
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.publish import publish
from watchkeeper.records import RECORDS
from watchkeeper.site.dictionary import PUBLISHED, columns, dictionary

README = Path(__file__).parents[2] / "warehouse" / "README.md"
IN_DUCKDB = {
    "text": "VARCHAR",
    "whole number": "BIGINT",
    "number": "DOUBLE",
    "moment": "TIMESTAMP",
    "yes or no": "BOOLEAN",
    "list of text": "VARCHAR[]",
}
IN_DELTA = {"text": "string", "whole number": "long", "number": "double", "moment": "timestamp", "yes or no": "boolean"}


def written(heading, text=None):
    """Return column -> type of one table as the page states it."""
    part = (text or README.read_text()).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = {}
    for section in part.split("\n### ")[1:]:
        name = section.splitlines()[0].strip("`")
        tables[name] = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE))
    return tables


def test_the_page_is_the_one_the_records_give():
    assert README.read_text() == dictionary(), "run `python -m watchkeeper.site.dictionary > warehouse/README.md`"


def test_the_published_file_has_exactly_the_columns_on_the_page(tmp_path):
    home = Home(tmp_path)
    publish(home, {}, now=world.NOW)
    with duckdb.connect(str(home.published), read_only=True) as connection:
        rows = connection.execute("SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal").fetchall()
    real = {table: {c: kind for t, c, kind in rows if t == table} for table, _, _ in rows}
    stated = {t: {c: IN_DUCKDB[kind.removesuffix(" or null")] for c, kind in cs.items()} for t, cs in written("The published file").items()}
    assert stated == real


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r.TABLE)
def test_a_lake_table_has_exactly_the_columns_on_the_page(record, tmp_path):
    lake = Lake(tmp_path)
    lake.append("t", to_arrow(record, []), guard=("first", 0))
    real = {f.name: f.type.type if hasattr(f.type, "type") else f.type for f in lake.table("t").schema().fields}
    name = "quarantine/<model>" if record.TABLE == "quarantine" else record.TABLE
    stated = written("The lake")[name]
    assert set(stated) == set(real)
    plain = {c: kind.removesuffix(" or null") for c, kind in stated.items()}
    assert {c: IN_DELTA[k] for c, k in plain.items() if not k.startswith("list")} == {
        c: real[c] for c, k in plain.items() if not k.startswith("list")
    }


def test_every_record_is_on_the_page():
    names = set(written("The lake"))
    assert names == {"quarantine/<model>" if r.TABLE == "quarantine" else r.TABLE for r in RECORDS} | {"events/<model>", "labels/<model>"}
    assert set(written("The published file")) == {r.TABLE for r in PUBLISHED}


def test_every_column_has_a_meaning():
    assert all(meaning for record in (*RECORDS, *PUBLISHED) for _, meaning in columns(record).values())


def test_events_and_labels_have_the_columns_on_the_page(home, parcels, parcels_of_day):
    events, _ = parcels_of_day(date(2025, 1, 1), rows=20)
    ingest(home, parcels, now=datetime(2025, 1, 3, tzinfo=UTC))
    own = {"events/<model>": set(pq.read_schema(events).names), "labels/<model>": set()}
    for name, columns_of_files in own.items():
        real = set(home.lake.dataset(name.replace("<model>", parcels.model)).schema.names)
        assert real == columns_of_files | set(written("The lake")[name])
