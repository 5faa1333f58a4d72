"""Pages: bring the static site up to date; a page is drawn again only when what it is made of has changed.

Belongs here: which pages there are, and writing each in one step. Does not: what they are made of (shown.py), what they
say (site/), or how models stand (status.py).
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.swap import write_whole
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident, alongside
from watchkeeper.judgement.silences import during
from watchkeeper.judgement.together import as_one, leading, together_of, whole_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import stored_bins
from watchkeeper.operations.fairness import AUDITS, audits
from watchkeeper.operations.look import FOLDER
from watchkeeper.operations.shown import Shared, around, frame_of, model_facts, shared, split_of, stretch
from watchkeeper.operations.status import overview_rows
from watchkeeper.records import Digest
from watchkeeper.site.care import silences_told
from watchkeeper.site.digest_page import digest_page
from watchkeeper.site.figures import Frame
from watchkeeper.site.incident_page import incident_page, worst_signal
from watchkeeper.site.index_page import index_page
from watchkeeper.site.model_page import model_page
from watchkeeper.site.overview import OverviewRow
from watchkeeper.site.published import signals_of
from watchkeeper.site.segments import split_lines
from watchkeeper.words import moment_text

_MANIFEST = ".pages.json"


@dataclass
class Site:
    """The pages on disk, and a print of what each was made from."""

    folder: Path
    workspace: str
    prints: dict[str, str]
    written: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """See whether all pages are still there."""
        self.is_whole = all((self.folder / name).is_file() for name in self.prints if not name.startswith("@"))

    def stands(self, what: str, made_from: str, *more: object) -> bool:
        """Tell whether a group of pages, such as those of one model, would be made from the same as the last time; note it if not."""
        made = hashlib.sha256(f"{_look_of_pages()}{self.workspace}{made_from}{more!r}".encode()).hexdigest()
        if made_from and self.is_whole and self.prints.get(what) == made:
            return True
        self.prints[what] = made
        return False

    def page(self, name: str, made_from: object, render: Callable[[], str]) -> None:
        """Write one page unless it is there and was made from the same."""
        made = hashlib.sha256(f"{_look_of_pages()}{self.workspace}{made_from!r}".encode()).hexdigest()
        path = self.folder / name
        if self.prints.get(name) == made and path.is_file():
            return
        if write_whole(path, render()):
            self.written.append(path)
        self.prints[name] = made


def pages(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, problems: Sequence[Problem] = (), made_from: str = "") -> list[Path]:
    """Bring the site up to date as of `now` and return the pages that changed.

    `made_from` is a print of all that can be seen (freshness.py): where it is the same as before, only the first page is made.
    """
    manifest = home.site_dir / _MANIFEST
    site = Site(home.site_dir, home.workspace.name, json.loads(manifest.read_text()) if manifest.is_file() else {})
    found = shared(home, now=now)
    rows = overview_rows(home, monitors, now=now, problems=problems)
    for row in rows:
        if row.model in monitors and not site.stands(f"@{row.model}", made_from, row, [(i.id, i.state) for i in found.incidents_of(row.model)]):
            _write_model(site, home, monitors[row.model], row, found)
    zones = {m.model: m.timezone for m in monitors.values()}
    earlier = _earlier(home, found, monitors)
    if not site.stands("@digests", made_from):
        _write_digests(site, home, found, monitors, earlier)
    _write_index(site, home, rows, found, zones, earlier)
    write_whole(manifest, json.dumps(site.prints, indent=0, sort_keys=True))
    return site.written


def _write_model(site: Site, home: Home, monitor: Monitor, row: OverviewRow, found: Shared) -> None:
    frame = frame_of(home, monitor, found)
    facts = model_facts(home, monitor, row, found, _looks(home, monitor.model, "../", found.incidents_of(monitor.model)))
    site.page(f"models/{monitor.model}.html", facts, lambda: model_page(facts, frame=frame, workspace=site.workspace))
    for incident in facts.incidents:
        _write_incident(site, home, monitor, incident, frame, found)


def _write_incident(site: Site, home: Home, monitor: Monitor, incident: Incident, frame: Frame, found: Shared) -> None:
    signals = signals_of(incident, found.signals)
    events, links = found.events[incident.id], _looks(home, incident.model, "../", [incident])
    beside, together = alongside(incident.id, found.incidents), together_of(incident, found.incidents)
    whole = whole_of(incident, found.incidents)
    scores = around(home, monitor, worst_signal(signals), incident, found.now)
    split = split_of(home, monitor, worst_signal(signals), incident, found.now)
    told = split_lines(monitor, split) if split else []
    shown = stretch(incident)
    silences = silences_told(during(found.silences.get(incident.id, ()), incident), monitor.timezone, found.now)

    def render() -> str:
        return incident_page(
            incident,
            events,
            signals,
            scores,
            frame=frame,
            workspace=site.workspace,
            shown=shown,
            links=links,
            beside=beside,
            together=together,
            whole=whole,
            splits=told,
            silences=silences,
        )

    site.page(
        f"incidents/{incident.id}.html",
        (incident, events, signals, scores, links, beside, *([together] if together.others else []), told, silences),
        render,
    )


def _earlier(home: Home, found: Shared, monitors: Mapping[str, Monitor]) -> set[str]:
    """Return the digests whose figures are of an earlier monitor: what it counts was changed since."""
    bins = {m.model: there.version for m in monitors.values() if (there := stored_bins(home, m, now=found.now))}
    return {d.digest_id for d in found.digests if d.bins and bins.get(d.model, d.bins) != d.bins}


def _write_digests(site: Site, home: Home, found: Shared, monitors: Mapping[str, Monitor], earlier: set[str]) -> None:
    for digest in found.digests:
        zone = monitors[digest.model].timezone if digest.model in monitors else home.workspace.timezone
        is_earlier = digest.digest_id in earlier

        def render(digest: Digest = digest, zone: str = zone, is_earlier: bool = is_earlier) -> str:  # noqa: FBT001 - binds the values of this turn
            return digest_page(digest, workspace=site.workspace, timezone=zone, is_earlier=is_earlier)

        site.page(f"digests/{digest.digest_id}.html", (digest, zone, is_earlier), render)


def _write_index(site: Site, home: Home, rows: Sequence[OverviewRow], found: Shared, zones: Mapping[str, str], earlier: set[str]) -> None:
    incidents = [as_one(i) for i in leading([i for i in found.incidents if i.model in zones])]
    links = [*_validation_docs(home), *(link for row in rows for link in _looks(home, row.model, "", found.incidents_of(row.model)))]
    as_of = moment_text(found.now, home.workspace.timezone)
    standing = home.standing if found.now == home.workspace.now else ""

    def render() -> str:
        return index_page(
            rows, incidents, found.digests, workspace=site.workspace, as_of=as_of, timezones=zones, links=links, standing=standing, earlier=earlier
        )

    site.page("index.html", (rows, incidents, found.digests, sorted(earlier), links, as_of, standing), render)


def _looks(home: Home, model: str, root: str, incidents: Sequence[Incident]) -> list[tuple[str, str]]:
    """Return (text, address) of the Evidently reports there are about a model and about some of its incidents."""
    folder = home.site_dir / FOLDER
    about = [(i.headline, folder / f"{i.id}.html") for i in incidents]
    about += [(f"{model}, {_span_text(f.stem)}", f) for f in sorted(folder.glob(f"{model}_??????????_??????????.html"))]
    found = [(f"Evidently report on a sample: {text}", f"{root}{FOLDER}/{file.name}") for text, file in about if file.is_file()]
    return found + [(f"Fairness audit of {model}, {text}", f"{root}{AUDITS}/{name}") for text, name in audits(home, model)]


def _span_text(stem: str) -> str:
    start, end = stem.split("_")[-2:]
    return f"{start[:4]}-{start[4:6]}-{start[6:8]} to {end[:4]}-{end[4:6]}-{end[6:8]} (UTC)"


def _validation_docs(home: Home) -> list[tuple[str, str]]:
    return [("Validation docs", "validation/index.html")] if (home.site_dir / "validation" / "index.html").is_file() else []


@cache
def _look_of_pages() -> str:
    """Return a print of the templates, so that pages follow when these change."""
    folder = files("watchkeeper.site").joinpath("templates")
    texts = sorted(t.read_text(encoding="utf-8") for t in folder.iterdir() if t.name.endswith((".html", ".css")))
    return hashlib.sha256("".join(texts).encode()).hexdigest()
