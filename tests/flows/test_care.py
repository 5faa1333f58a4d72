"""The forms that people fill in about an incident, run as Prefect runs them but without a server."""

from datetime import UTC, datetime

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from incident_world import event, happen
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.flows.care import ack, resolve, silence
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.site.links import VERBS

NOW = datetime(2025, 3, 4, 7, tzinfo=UTC)


@pytest.fixture
def watched(make_home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A workspace whose clock stands still, with one open incident."""
    from conftest import PARCELS

    home = make_home(PARCELS, now=NOW.isoformat())
    happen(home, event(incident="eaad4169"))
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    return home


def test_the_forms_do_what_the_commands_do(watched: Home):
    assert ack.fn(incident="eaad", who="ann").message == "eaad4169 of parcels is acknowledged by ann"
    said = silence.fn(until=datetime(2025, 3, 6), reason="known", who="ann", incident="eaad").message  # noqa: DTZ001 - a form may give no zone
    assert said.endswith(": incident eaad4169 of parcels, until 2025-03-06 00:00 UTC")
    assert [i.state for i in known_incidents(watched, now=NOW)] == ["silenced"]
    assert resolve.fn(incident="eaad", reason="mended", who="bob").message == "eaad4169 of parcels is resolved by bob"
    [one] = known_incidents(watched, now=NOW)
    assert (one.state, one.closed_by, one.why) == ("resolved", "bob", "mended")


def test_a_form_about_a_model_may_name_a_metric_and_a_segment(watched: Home):
    until = datetime(2025, 3, 6, tzinfo=UTC)
    said = silence.fn(until=until, reason="known", who="ann", model="parcels", metric="log_loss", segment="depot=north").message
    assert said.endswith(": log loss, depot=north, of parcels, until 2025-03-06 00:00 UTC")


def test_a_form_that_names_nothing_fails_with_the_sentence(watched: Home):
    with pytest.raises(UsageError, match="no incident has an id that begins with 'beef'"):
        ack.fn(incident="beef", who="ann")
    with pytest.raises(UsageError, match="it is not plain what is to be silent"):
        silence.fn(until=datetime(2025, 3, 6, tzinfo=UTC), reason="known", who="ann")


@pytest.mark.parametrize(
    ("verb", "needed"), [("ack", {"incident", "who"}), ("silence", {"until", "reason", "who"}), ("resolve", {"incident", "reason", "who"})]
)
def test_a_form_asks_for_who_and_for_what_must_be_said(verb: str, needed: set[str]):
    form = parameter_schema(load_flow_from_entrypoint(f"watchkeeper.flows.care.{verb}", use_placeholder_flow=False))
    assert verb in VERBS
    assert set(form.required) == needed
    kinds = {name: (p["type"], p.get("format")) for name, p in form.properties.items()}
    assert all(kind == (("string", "date-time") if name == "until" else ("string", None)) for name, kind in kinds.items())
