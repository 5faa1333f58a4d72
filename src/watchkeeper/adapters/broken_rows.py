"""Which rows break a critical expectation, by their numbers in `wk_row`.

Belongs here: asking Great Expectations and DuckDB for row numbers, exactly or not at all. Does not: whether an expectation
failed (expectations.py). Only numbers are fetched, never values.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

from watchkeeper.adapters.suites import QUERY, Expectation

ROW = "wk_row"
ON_ROWS = {
    "result_format": "BASIC",  # counts without lists; SUMMARY would add a query for each expectation
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "unexpected_index_column_names": [ROW],
    "return_unexpected_index_query": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Where to look again: the connection, GX's batch over its `table` of so many `rows`, and GX's expectations by id."""

    connection: duckdb.DuckDBPyConnection
    batch: Any
    table: str
    rows: int
    gx: dict[str, Any]

    def numbers(self, expectation: Expectation, result: Any) -> list[int] | None:
        """Return the numbers of the rows that break it, ascending; None when they cannot be told exactly.

        The query that GX gives leaves out row conditions and misspells times, so it counts only when it finds as many
        rows as GX counted; else GX is asked for the list, which takes a second pass.
        """
        if expectation.type == QUERY:
            rows = self._select(str(expectation.arguments["unexpected_rows_query"]).format(batch=self.table))
            return rows if rows and len(rows) <= result.result["observed_value"] else None
        expected = result.result["unexpected_count"]
        rows = self._select(self._mended(result.result.get("unexpected_index_query")))
        if rows is None or len(rows) != expected:
            rows = self._listed(expectation)
        return rows if rows is not None and len(rows) == expected else None

    def _mended(self, query: str | None) -> str | None:
        """Mend the one query that joins the batch to itself without a condition, that of compound uniqueness."""
        return query and query.replace(f"\nFROM {self.table}, (SELECT", "\nFROM (SELECT", 1)

    def _select(self, query: str | None) -> list[int] | None:
        if not query:
            return None
        try:
            found = self.connection.execute(f"select distinct {ROW} from ({query.rstrip('; ')}) order by all").fetchall()
        except duckdb.Error:
            return None
        return [row[0] for row in found]

    def _listed(self, expectation: Expectation) -> list[int] | None:
        form = {**ON_ROWS, "result_format": "COMPLETE", "partial_unexpected_count": self.rows}
        listed = self.batch.validate(self.gx[expectation.expectation_id], result_format=form).result.get("unexpected_index_list")
        return sorted({row for part in listed for row in part[ROW]}) if listed else None
