"""What a run shows in the Prefect UI: markdown with tables, plots and links.

Belongs here: the form of an artifact. Does not: its texts and charts, which site/ makes for all places alike.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from watchkeeper.adapters.prefect_server import PAGES_VARIABLE
from watchkeeper.adapters.workspace import Home
from watchkeeper.flows.selection import Selection
from watchkeeper.words import one_line


def publish(key: str, markdown: str, description: str) -> None:
    """Show markdown under a lower-case key; the newest of a key is the one people see."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact(key=key.lower().replace("_", "-"), markdown=markdown, description=description)


def dated(selection: Selection) -> str:
    """Return the moment of the run in the workspace's time zone."""
    from watchkeeper.words import moment_text

    zone = selection.home.workspace.timezone
    standing = f" {selection.home.standing}" if selection.now == selection.home.workspace.now else ""
    return f"As of {moment_text(selection.now, zone)} ({zone}).{standing}"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a markdown table.

    >>> print(table(["model", "n"], [{"model": "a", "n": 3}]))
    | model | n |
    | --- | --- |
    | a | 3 |
    """
    lines = [[one_line(str(row.get(c, ""))).replace("|", "\\|") for c in columns] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [list(columns), ["---"] * len(columns), *lines])


def picture(chart: dict[str, Any], text: str) -> str:
    """Return a chart as markdown that needs no server: the SVG itself is the address."""
    from watchkeeper.adapters.charts import svg

    data = base64.b64encode(svg(chart).encode()).decode()
    return f"![{text}](data:image/svg+xml;base64,{data})"


def links(home: Home, *pages: tuple[str, str]) -> str:
    """Return links to (text, path) pages, by default the first page; nothing where no address of the pages is known."""
    address = pages_address(home)
    return " · ".join(f"[{text}]({address}/{path})" for text, path in pages or (("All pages", "index.html"),)) if address else ""


def pages_address(home: Home) -> str:
    """Return where people find the pages: as the workspace says, else where `watchkeeper up` serves them."""
    from prefect.variables import Variable

    return (home.workspace.links.docs or str(Variable.get(PAGES_VARIABLE, default="") or "")).rstrip("/")
