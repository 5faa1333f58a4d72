"""Every kind of incident reads as agreed from its first line to its links: golden texts of what Slack and `incidents show` say.

The texts are in `golden/`, a file each. `python tests/site/test_golden_incidents.py` writes them anew; read what changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from evidence_world import evidence, monitor, score, signal
from strain_world import AS_OTHERS, SLOWER, strain
from watchkeeper.judgement.developments import developments
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence, SegmentShare
from watchkeeper.judgement.incidents import fold
from watchkeeper.judgement.moves import Moved
from watchkeeper.judgement.odd_inputs import Odd
from watchkeeper.judgement.story import story
from watchkeeper.judgement.traces import Mix, Place, Traces
from watchkeeper.judgement.versions import Came, Versions
from watchkeeper.monitor import Monitor
from watchkeeper.records import Change, Signal
from watchkeeper.site.message import incident_message, text
from worlds import DAY, START

GOLDEN = Path(__file__).parent / "golden"
LINKS = [("Incident", "https://docs.example/incidents/4f0c9a.html"), ("Acknowledge", "https://prefect.example/deployments/ack")]
MONDAY = START + 7 * DAY
STEADY = Versions(["4"], [])
"""Every row was of version 4, as before."""


def _gap(*days: int, **more):
    return [signal(day=day, **more) for day in days or (7,)]


LATENCY = signal("latency_p95", 310.0, family="service", expected=150.0, normal_low=140.0, normal_high=165.0)
ERRORS = signal("error_ratio", 0.08, family="service", expected=0.002, normal_low=0.0, normal_high=0.005)


def _service(lead: Signal, **more) -> Evidence:
    return evidence(lead, **{"versions": STEADY, "coverage": None, "missed": None} | more)


def _came() -> Versions:
    ours, theirs = (score("roc_auc", value, se=0.01, reference_value=0.7) for value in (0.55, 0.71))
    return Versions(["4", "5"], [Came(version="5", since=MONDAY, before=["4"], share_before=0.0, share=0.5, ours=ours, theirs=theirs)])


AUC = signal("roc_auc", 0.6, expected=0.7, normal_low=0.66, normal_high=0.74, low=0.57, high=0.63)
LOSS = signal("log_loss", 0.69, expected=0.5, normal_low=0.45, normal_high=0.56, low=0.67, high=0.71)
PIPELINE = Change(change_id="c", model="parcels", kind="config", at=MONDAY - DAY / 4, recorded_at=MONDAY, note="new feature pipeline", who="ann")
NULLS = signal("null_ratio", 0.71, family="data", feature="weight_kg", expected=0.01, low=0.68, high=0.74)
NORTH = SegmentShare("depot=north", gap=0.7, observed=0.8, expected=0.1, share_of_rows=0.3, share_of_excess=0.8)
MAE = signal("mae", 9.5, expected=4.0, normal_low=3.0, normal_high=5.0, low=8.9, high=10.1)
SLOW_NORTH = SegmentShare("depot=north", gap=12.0, observed=16.0, expected=4.0, share_of_rows=0.3, share_of_excess=0.7, metric="mae")
PROMISE = signal("recall", 0.2, family="target", expected=0.35, normal_low=0.35, normal_high=None, low=0.15, high=0.25, days=7)

STORIES: Mapping[str, Callable[[], tuple[Monitor, Evidence]]] = {
    "concept": lambda: (monitor(), evidence(*_gap(7, 8, 9), rate=0.6, versions=STEADY, segments=[NORTH])),
    "concept-in-one-place": lambda: (
        monitor(),
        evidence(
            rate=0.6, versions=STEADY, traces=Traces(place=Place("wind", "feature", "wind > 14", 0.53, 0.0, 0.1, 0.95), outcome=(0.71, 0.18, 0.53))
        ),
    ),
    "mix": lambda: (
        monitor(),
        evidence(rate=0.6, versions=STEADY, traces=Traces(mixes=[Mix("depot", "segment", "depot=north", 0.95, 0.9, 0.4, 0.05)])),
    ),
    "inputs": lambda: (
        monitor(),
        evidence(LOSS, rate=0.5, gap=0.01, versions=STEADY, moved=[Moved("weight_kg", 8.0), Moved("distance_km", 5.0)]),
    ),
    "another-unit": lambda: (
        monitor(),
        evidence(
            *_gap(value=-0.3),
            rate=0.2,
            gap=-0.3,
            usual_rate=0.2,
            versions=STEADY,
            moved=[Moved("weight_kg", 9.0)],
            traces=Traces(odd=[Odd("weight_kg", "factor", "weight_kg comes in another unit: all its values are 2.2 times what they were")]),
        ),
    ),
    "missing-values": lambda: (monitor(), evidence(NULLS, coverage=None, missed=None, faults=[NULLS])),
    "labels": lambda: (monitor(), evidence(rate=1.0, gap=0.8, versions=STEADY, traces=Traces(labels=(1.0, 0.2, 900)))),
    "release": lambda: (monitor(), evidence(AUC, rate=0.2, gap=0.0, versions=_came())),
    "config": lambda: (
        monitor(),
        evidence(*_gap(value=-0.3), rate=0.2, gap=-0.3, usual_rate=0.2, versions=STEADY, moved=[Moved("weight_kg", 9.0)], changes=[PIPELINE]),
    ),
    "gpu": lambda: (monitor(), _service(LATENCY, traces=Traces(strains=[strain(effect=SLOWER)]))),
    "gpu-without-harm": lambda: (monitor(), _service(LATENCY, traces=Traces(strains=[strain(effect=AS_OTHERS)]))),
    "host": lambda: (monitor(), _service(LATENCY, traces=Traces(place=Place("host", "host", "gpu-2", 5.3, 4.4, 0.25, 0.98)))),
    "traffic": lambda: (monitor(), _service(ERRORS, volume=(5_000.0, 1_000.0, 1_200.0))),
    "unknown": lambda: (monitor(), evidence(AUC, rate=0.2, gap=0.0, versions=STEADY, moved=[], compared=5)),
    "provisional": lambda: (
        monitor(),
        evidence(*_gap(state="provisional", value=0.35), rate=0.45, gap=0.35, is_provisional=True, least_observed=0.45, versions=STEADY),
    ),
    "segment": lambda: (
        monitor(),
        evidence(signal("calibration_gap_to_rest", 0.3, family="segment", segment="depot=north"), versions=STEADY),
    ),
    "promise": lambda: (monitor(), evidence(PROMISE, rate=0.2, gap=0.0, versions=STEADY)),
    "regression": lambda: (
        monitor(task="regression", wording={"rows": "parcels", "unit": "hours"}),
        replace(
            evidence(MAE, versions=STEADY, moved=[], coverage=(900, 1000), missed=None, segments=[SLOW_NORTH]),
            observed=None,
            gap=None,
            expected=None,
        ),
    ),
}


def read(name: str) -> str:
    """Return the message of a story, made as judging and telling make it."""
    watched, found = STORIES[name]()
    first = found.signals[0]
    subject = first.segment if first.family == "segment" else "missing values" if first.family == "data" else first.family
    about = Episode(subject, first.family, list(found.signals), is_over=False)
    [opened] = developments("parcels", "production", [], [about], lambda episode, _: story(watched, episode, found), START + 30 * DAY)
    [incident] = fold([opened])
    return text(incident_message(incident.story, opened, severity=incident.severity, channel="#parcels", links=LINKS))


@pytest.mark.parametrize("name", STORIES)
def test_an_incident_reads_as_agreed(name: str):
    assert read(name) == (GOLDEN / f"{name}.md").read_text()


def test_every_golden_text_has_its_story():
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(STORIES)


if __name__ == "__main__":
    for each in STORIES:
        (GOLDEN / f"{each}.md").write_text(read(each))
