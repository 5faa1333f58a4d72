"""One message about several incidents: its headline, its lines and its links."""

import pytest

from watchkeeper.site.grouped import Opened, grouped_message
from watchkeeper.site.message import Message, text


def opened(number: int, model: str = "eta", severity: str = "high") -> Opened:
    name = f"i{number}"
    links = [("Incident", f"https://docs.example/incidents/{name}.html"), ("Look", "https://docs.example/look"), ("Rerun", "https://prefect.example")]
    return Opened(name, model, severity, Message(icon="🔴", title=f"{model}: trouble {number}.", footer="", links=links))


def test_it_reads_as_a_list_with_the_pages_of_each():
    said = text(grouped_message([opened(1, severity="critical"), opened(2), opened(3)], channel="#eta", over={"i2"}))
    assert said == (
        "🚨 **eta: 3 incidents opened**\n"
        "🚨 trouble 1 (`i1`, critical)\n"
        "✅ trouble 2 (`i2`, resolved)\n"
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


def test_when_all_are_over_the_headline_says_so():
    found = grouped_message([opened(1), opened(2)], channel="#eta", over={"i1", "i2"})
    assert found.headline == "✅ Resolved: eta: 2 incidents opened"
