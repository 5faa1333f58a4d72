"""The first page: the overview, what is open, what was resolved lately, the digests.

Belongs here: what the first page says. Does not: how it is found out (operations/status.py) or written (operations/pages.py).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from watchkeeper.judgement.incidents import Incident
from watchkeeper.records import SEVERITIES, Digest, Severity
from watchkeeper.site.overview import COLUMNS, OverviewRow, overview_cells, worst_first
from watchkeeper.site.render import page

_RESOLVED_SHOWN, _DIGESTS_SHOWN = 12, 12


def index_page(
    rows: Sequence[OverviewRow],
    incidents: Sequence[Incident],
    digests: Sequence[Digest],
    *,
    workspace: str,
    as_of: str,
    timezones: Mapping[str, str],
    links: Sequence[tuple[str, str]] = (),
    standing: str = "",
    earlier: Collection[str] = (),
) -> str:
    """Return the first page; `links` are (text, address relative to it), `standing` says that the clock stands still.

    `earlier` are the ids of digests whose figures are of an earlier monitor.
    """
    still_open = sorted((i for i in incidents if i.is_open), key=lambda i: (-SEVERITIES.index(cast("Severity", i.severity)), i.opened_at))
    closed = sorted((i for i in incidents if not i.is_open), key=lambda i: i.resolved_at or i.opened_at, reverse=True)
    return page(
        "index.html",
        workspace=workspace,
        as_of=as_of,
        headline=_headline(rows),
        counted=f"{len(rows)} model{'s' * (len(rows) != 1)} under watch, {len(still_open)} open incident{'s' * (len(still_open) != 1)}.",
        columns=COLUMNS,
        rows=[(r, overview_cells(r)) for r in worst_first(rows)],
        still_open=still_open,
        closed=closed[:_RESOLVED_SHOWN],
        digests=sorted(digests, key=lambda d: d.window_end, reverse=True)[:_DIGESTS_SHOWN],
        links=links,
        standing=standing,
        earlier=earlier,
        timezone=lambda model: timezones.get(model, "UTC"),
    )


def _headline(rows: Sequence[OverviewRow]) -> str:
    """Return the one thing a visitor wants to know.

    >>> _headline([OverviewRow(model="a", state="fine"), OverviewRow(model="b", state="high")])
    'b needs somebody'
    """
    if not rows:
        return "No model is watched yet"
    needing = [r.model for r in rows if r.needs_somebody]
    if len(needing) == 1:
        return f"{needing[0]} needs somebody"
    return f"{len(needing)} of {len(rows)} models need somebody" if needing else "Nothing needs you"
