"""A segment's value may hold line breaks, tabs and pipes: what people read keeps a row on a line, and a cell a cell."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home
from watchkeeper.flows.artifacts import table
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action
from watchkeeper.site.block_kit import blocks
from watchkeeper.site.message import Message
from watchkeeper.words import one_line
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 28
NOW = BEGIN + (DAYS + 2) * DAY
ODD = "no\nr\tth|\u2028gate"
SPELLED = r"no\nr\tth|\u2028gate"


def _odd(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    depots = [ODD if depot == "north" else depot for depot in events["depot"].to_pylist()]
    return events.set_column(events.column_names.index("depot"), "depot", pa.array(depots)), labels


def _bad(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Nearly all parcels of the odd depot are late."""
    events, labels = _odd(events, labels)
    late = [was or depot == ODD for was, depot in zip(labels["was_late"].to_pylist(), events["depot"].to_pylist(), strict=True)]
    return events, labels.set_column(labels.column_names.index("was_late"), "was_late", pa.array(late))


@pytest.fixture(scope="module")
def odd_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home(tmp_path_factory.mktemp("odd") / "home", PARCELS)
    parcels_days(home.root, BEGIN.date(), DAYS, change={d: _bad if d >= DAYS - 5 else _odd for d in range(DAYS)})
    watch(home, now=NOW)
    return home


@pytest.mark.parametrize(
    "asked",
    [
        ("scores", "parcels", "--metric", "recall", "--segment", "all", "--from", "2025-01-27"),
        ("segments", "parcels", "--window", "2025-01-25..2025-01-28"),
        ("slices", "parcels", "--window", "2025-01-25..2025-01-28"),
        ("sql", "SELECT DISTINCT segment FROM scores ORDER BY 1"),
        ("incidents", "--all"),
        ("digest", "parcels", "--of", "2025-01-20"),
    ],
    ids=lambda asked: asked[0],
)
def test_tables_and_sentences_spell_what_would_break_them(odd_home, watchkeeper: Callable, asked):
    printed = watchkeeper(*asked, *(() if asked[0] == "sql" else ("--now", NOW.isoformat())), at=odd_home).stdout
    assert SPELLED in printed
    assert not {"\t", "\u2028"} & set(printed)
    assert not any(line.lstrip().startswith((r"r\tth", "r\tth", "gate")) for line in printed.split("\n"))


def test_an_incident_and_its_messages_spell_them_too(odd_home, watchkeeper: Callable):
    told = [
        i for i in known_incidents(odd_home, now=NOW) if SPELLED in json.dumps(i.story.facts if i.story else []).replace("\\\\", "\\") + i.headline
    ]
    assert told
    for incident in told:
        shown = watchkeeper("incidents", "show", incident.id, "--now", NOW.isoformat(), at=odd_home).stdout
        assert SPELLED in shown
        assert ODD not in shown
    sent = [json.loads(a.payload) for a in odd_home.lake.newest(Action) if a.payload]
    texts = [str(p["text"]) for p in sent if "text" in p]
    assert any(SPELLED in text for text in texts)
    assert not any(ODD in text for text in texts)


def test_a_message_for_slack_keeps_each_fact_on_its_line():
    message = Message(icon="!", title=f"parcels: {ODD}", facts=[("Worst", f"depot {ODD}, 70 %\n")], verdict=[("Do", "look")])
    header, facts, *_ = blocks(message)
    assert header["text"]["text"] == f"! parcels: {SPELLED}"
    assert facts["text"]["text"] == f"*Worst:* depot {SPELLED}, 70 %"


def test_a_table_in_markdown_has_a_line_a_row_and_a_cell_a_column():
    lines = table(["segment", "n"], [{"segment": ODD, "n": 1}]).split("\n")
    assert lines[2] == r"| no\nr\tth\|\u2028gate | 1 |"
    assert len(lines) == 3


def test_what_breaks_nothing_stays_as_it_is():
    assert one_line("Größe é|ü 5 € 日本 😀") == "Größe é|ü 5 € 日本 😀"
