"""One digest as a page.

Belongs here: what the page adds to the digest's own text. Does not: that text (judgement/, operations/report.py).
"""

import json
from zoneinfo import ZoneInfo

from watchkeeper.records import Digest
from watchkeeper.site.render import markdown, page


def digest_page(digest: Digest, *, workspace: str, timezone: str, is_earlier: bool = False) -> str:
    """Return the page of a digest; `is_earlier` when what is counted has changed since, so that newer figures are not like these."""
    found = json.loads(digest.facts or "{}")
    facts = [(str(k).replace("_", " "), v if isinstance(v, str | int | float) else json.dumps(v, ensure_ascii=False)) for k, v in found.items()]
    as_of = f"{digest.computed_at:%d %b %Y, %H:%M} UTC"
    return page(
        "digest.html",
        root="../",
        workspace=workspace,
        as_of=as_of,
        digest=digest,
        timezone=timezone,
        is_earlier=is_earlier,
        day=f"{digest.window_start.astimezone(ZoneInfo(timezone)):%Y-%m-%d}",
        body=markdown(digest.text.removeprefix(f"**{digest.headline}**")),
        facts=facts,
    )
