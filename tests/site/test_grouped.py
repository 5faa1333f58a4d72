"""One message about several incidents: its headline, its lines and its links."""

import pytest

from watchkeeper.site.grouped import Opened, grouped_message
from watchkeeper.site.message import Message, text


def opened(number: int, model: str = "eta", severity: str = "high") -> Opened:
    name = f"i{number}"
    links = [("Incident", f"https://docs.example/incidents/{name}.html"), ("Look", "https://docs.example/look"), ("Rerun", "https://prefect.example")]
    return Opened(name, model, severity, Message(icon="🔴", title=f"{model}: trouble {number}.", footer="", links=links))


def ended(number: int, word: str = "Resolved", icon: str = "✅") -> Message:
    facts = [("Ended", "3 days clear."), ("Lasted", "2 days, 3 to 4 Mar 2025."), ("At worst", "MAE 9."), ("Cause in the end", "faulty data: wind.")]
    return Message(icon=icon, title=f"{word}: eta: trouble {number}, worse", facts=facts, footer="")


def test_it_reads_as_a_list_with_the_pages_of_each():
    said = text(grouped_message([opened(1, severity="critical"), opened(2), opened(3)], channel="#eta", over={"i2": ended(2)}))
    assert said == (
        "🚨 **eta: 3 incidents opened**\n"
        "🚨 trouble 1 (`i1`, critical)\n"
        "✅ trouble 2, worse (`i2`, resolved; lasted: 2 days, 3 to 4 Mar 2025; at worst: MAE 9; cause in the end: faulty data: wind)\n"
        "🔴 trouble 3 (`i3`, high)\n"
        "*Do:* look first at `i1`; `watchkeeper incidents show i1` tells all of it.\n"
        "critical, #eta. Links: [Incident i1](https://docs.example/incidents/i1.html), [Incident i2](https://docs.example/incidents/i2.html), "
        "[Incident i3](https://docs.example/incidents/i3.html), [Rerun](https://prefect.example)\n"
    )


@pytest.mark.parametrize(
    ("models", "title"),
    [
        (["a", "b", "a"], "3 incidents opened: a 2, b 1"),
        (["a", "b", "c", "d", "e", "b"], "6 incidents opened: b 2, a 1, c 1 and 2 more"),
    ],
)
def test_the_headline_names_the_models_with_most_of_them(models: list[str], title: str):
    assert grouped_message([opened(n, model) for n, model in enumerate(models)], channel="").title == title


def test_where_the_gravest_is_over_people_look_at_the_gravest_that_goes_on():
    said = text(grouped_message([opened(1, severity="critical"), opened(2), opened(3)], channel="#eta", over={"i1": ended(1)}))
    assert said.startswith("🔴 **eta: 3 incidents opened**")
    assert "*Do:* look first at `i2`" in said


def test_when_all_are_over_the_headline_says_so_and_nothing_is_to_be_done():
    found = grouped_message([opened(1), opened(2)], channel="#eta", over={"i1": ended(1), "i2": ended(2)})
    assert (found.headline, found.verdict) == ("✅ Resolved: eta: 2 incidents opened", [])
    lasting = grouped_message([opened(1), opened(2)], channel="#eta", over={"i1": ended(1), "i2": ended(2, "Lasts", "🔵")})
    assert lasting.headline == "🔵 Closed: eta: 2 incidents opened"
    assert lasting.facts[1][1].startswith("🔵 trouble 2, worse (`i2`, lasts; ")


def test_what_came_again_is_named_in_the_headline_and_in_its_line():
    openings = [opened(1, "a"), opened(2, "b"), opened(3, "b")]
    found = grouped_message(openings, channel="#eta", over={"i1": ended(1), "i2": ended(2)}, again={"i3"})
    assert found.headline == "🔴 1 of 3 incidents open again: b 1"
    assert found.facts[2][1] == "🔴 Open again: b: trouble 3 (`i3`, high)"
    assert found.verdict[0][1].startswith("look first at `i3`")
