"""Where messages and pages point: addresses below the configured bases.

Belongs here: the addresses of our own pages. Does not: the pages. A base that is not configured gives no link; messages
leave the machine, where a loopback address means somebody else's.
"""

from pathlib import Path

from watchkeeper.site.message import Line
from watchkeeper.workspace import Links

VERBS = ("ack", "silence", "resolve")


def incident_links(bases: Links, site: Path, *, incident_id: str, is_over: bool = False) -> list[Line]:
    """Return (label, address) of everything to look at, and while it is not over to do, about an incident; pages that may not exist are checked in `site`."""
    return [
        *_page(bases, "Incident", f"incidents/{incident_id}.html"),
        *(_page(bases, "Look", f"looks/{incident_id}.html") if (site / "looks" / f"{incident_id}.html").exists() else []),
        *_validation(bases, site),
        *([("Rerun", f"{bases.prefect.rstrip('/')}/deployments")] if bases.prefect else []),
        *([] if is_over else _verbs(bases)),
    ]


def _verbs(bases: Links) -> list[Line]:
    """Return where people act on an incident: the list of deployments, with those of the verb's name; each of Prefect's two UIs reads its own key."""
    base = f"{bases.prefect.rstrip('/')}/deployments" if bases.prefect else ""
    return [(verb.capitalize(), f"{base}?deployments.flowOrDeploymentNameLike={verb}&flowOrDeploymentName={verb}") for verb in VERBS if base]


def digest_links(bases: Links, *, digest_id: str) -> list[Line]:
    """Return (label, address) of the pages behind a digest."""
    return [*_page(bases, "Digest", f"digests/{digest_id}.html"), *_page(bases, "Overview", "index.html")]


def _validation(bases: Links, site: Path) -> list[Line]:
    return _page(bases, "Validation docs", "validation/index.html") if (site / "validation" / "index.html").exists() else []


def _page(bases: Links, label: str, path: str) -> list[Line]:
    return [(label, f"{bases.docs.rstrip('/')}/{path}")] if bases.docs else []
