"""The commands ack, silence and resolve, as a person calls them."""

import getpass
import json
from datetime import timedelta

import pytest
from typer.testing import Result

from incident_world import DAY, MONDAY, event, happen
from watchkeeper.adapters.workspace import Home
from watchkeeper.records import IncidentEvent, Silence

NOW = ("--now", "2025-03-04T07:00Z")


@pytest.fixture(autouse=True)
def _one(home: Home) -> None:
    happen(home, event(incident="eaad4169"))


def printed(done: Result) -> str:
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def refused(done: Result) -> str:
    assert done.exit_code == 2, done.output
    return done.stderr.strip()


def test_ack_is_by_the_login_name_unless_somebody_is_named(home: Home, watchkeeper):
    assert printed(watchkeeper("ack", "ea", *NOW)) == f"eaad4169 of parcels is acknowledged by {getpass.getuser()}: opened on day 0"
    assert printed(watchkeeper("ack", "ea", "--who", "ann", "--reason", "on it", "--now", "2025-03-04T08:00Z")).startswith(
        "eaad4169 of parcels is acknowledged by ann"
    )
    kept = {(e.who, e.why) for e in home.lake.newest(IncidentEvent) if e.event == "acknowledged"}
    assert kept == {(getpass.getuser(), ""), ("ann", "on it")}


def test_each_verb_as_json_is_the_incident_or_the_silence(watchkeeper):
    seen = json.loads(printed(watchkeeper("ack", "ea", "--who", "ann", *NOW, "--json")))
    assert (seen["id"], seen["state"], seen["who"], seen["acknowledged_by"]) == ("eaad4169", "acknowledged", "ann", "ann")
    hush = json.loads(printed(watchkeeper("silence", "ea", "--until", "6h", "--reason", "known", "--who", "ann", *NOW, "--json")))
    assert (hush["incident_id"], hush["until"], hush["why"]) == ("eaad4169", "2025-03-04T13:00:00Z", "known")
    [listed] = json.loads(printed(watchkeeper("silence", "--list", *NOW, "--json")))
    assert listed == hush
    over = json.loads(printed(watchkeeper("resolve", "ea", "--reason", "mended", "--who", "bob", *NOW, "--json")))
    assert (over["state"], over["who"], over["why"], over["links"]) == ("resolved", "bob", "mended", {})


@pytest.mark.parametrize(
    ("until", "end"),
    [("2d", "2025-03-06T07:00:00Z"), ("2025-03-06", "2025-03-05T23:00:00Z"), ("2025-03-06T12:00", "2025-03-06T12:00:00Z")],
)
def test_until_is_how_long_or_a_day_where_the_model_lives_or_a_moment(make_home, watchkeeper, until: str, end: str):
    berlin = make_home({**_parcels(), "timezone": "Europe/Berlin"}, name="berlin")
    happen(berlin, event())
    for about in (("i1",), ("--model", "parcels")):
        made = json.loads(printed(watchkeeper("silence", *about, "--until", until, "--reason", "known", *NOW, "--json", at=berlin)))
        assert made["until"] == end


def _parcels() -> dict:
    from conftest import PARCELS

    return PARCELS


def test_incidents_and_status_show_who_silenced_it_until_when_and_why(watchkeeper):
    watchkeeper("ack", "ea", "--who", "ann", *NOW)
    printed(watchkeeper("silence", "ea", "--until", "2d", "--reason", "known", "--who", "bob", *NOW))
    shown = printed(watchkeeper("incidents", *NOW))
    assert "bob until Thu 6 Mar 2025, 07:00: known; acknowledged by ann" in shown
    assert "high eaad4169 (silenced): opened on day 0" in printed(watchkeeper("status", *NOW))
    after = printed(watchkeeper("incidents", "--now", "2025-03-06T07:00Z"))
    assert "ann" in after
    assert "bob" not in after


def test_a_silence_is_listed_and_ended_by_its_id(home: Home, watchkeeper):
    assert printed(watchkeeper("silence", "--list", *NOW)) == "Nothing is silenced."
    printed(watchkeeper("silence", "--model", "parcels", "--segment", "depot=north", "--until", "1w", "--reason", "known", *NOW))
    [made] = home.lake.newest(Silence)
    assert "depot=north, of parcels" in printed(watchkeeper("silence", "--list", *NOW))
    said = printed(watchkeeper("silence", "--end", made.silence_id[:6], "--reason", "mended", "--who", "ann", *NOW))
    assert said == f"{made.silence_id} is over: of depot=north, of parcels people are told again, at the next news."
    assert printed(watchkeeper("silence", "--list", "--now", "2025-03-04T07:01Z")) == "Nothing is silenced."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("silence", "ea", "--reason", "x"), "--until: a silence must end. Say how long, for example --until 2d, or name a day or a moment."),
        (
            ("silence", "ea", "--until", "soon", "--reason", "x"),
            "--until: 'soon' is neither a time nor how long. Write how long, for example 2d or 6h",
        ),
        (("silence", "ea", "--until", "2025-03-01", "--reason", "x"), "until: Sat 1 Mar 2025, 00:00 UTC is not in the future. It is Tue 4 Mar 2025"),
        (("silence", "ea", "--until", "2d"), "reason: a silence needs a reason. Say why"),
        (("silence", "--list", "--end", "abc"), "silence: --list and --end stand alone."),
        (("silence", "ea", "--list"), "silence: --list and --end stand alone."),
        (("resolve", "ea"), "reason: closing an incident needs a reason. Say why"),
        (("ack", "beef"), "incident: no incident has an id that begins with 'beef'. `watchkeeper incidents --all` lists them."),
        (("incidents", "show", "eaae"), "incident: no incident has an id that begins with 'eaae'. Did you mean eaad4169?"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_that_says_what_to_do(watchkeeper, arguments: tuple[str, ...], said: str):
    assert refused(watchkeeper(*arguments, *NOW)).startswith(said)


def test_resolving_what_is_silenced_says_when_people_are_told(watchkeeper):
    watchkeeper("silence", "ea", "--until", "2d", "--reason", "known", *NOW)
    said = printed(watchkeeper("resolve", "ea", "--reason", "mended", "--who", "bob", *NOW))
    assert said.splitlines()[1] == "It is silenced until Thu 6 Mar 2025, 07:00 (UTC); then those who know of it are told that it is over."
    assert "bob: mended" in printed(watchkeeper("incidents", "--all", "--now", (MONDAY + 2 * DAY + timedelta(hours=1)).isoformat()))
