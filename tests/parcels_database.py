"""A shop's database: two hundred parcels and what became of them, as a query finds them.

Belongs here: its tables. Does not: the server (postgres.py).
"""

from datetime import UTC, datetime
from typing import Any

from conftest import parcels_world
from postgres import Database

_TABLES = (
    "create table parcels (parcel text, sent_at timestamptz, p_late float8, is_late boolean, version text, weight_kg float8, depot text, updated_at timestamptz)",
    "create table delivered (parcel text, was_late boolean, delivered_at timestamptz)",
)


def a_shop_of_parcels(database: Database) -> str:
    """Make the tables, and return the address of the database."""
    events, labels = parcels_world(datetime(2025, 1, 1, tzinfo=UTC))
    parcels = [[*row.values(), row["sent_at"]] for row in events.to_pylist()]
    database.do(*_TABLES, _inserted("parcels", parcels), _inserted("delivered", [list(row.values()) for row in labels.to_pylist()]))
    return database.url


def _inserted(table: str, rows: list[list[Any]]) -> str:
    return f"insert into {table} values " + ", ".join("(" + ", ".join(f"'{value}'" for value in row) + ")" for row in rows)
