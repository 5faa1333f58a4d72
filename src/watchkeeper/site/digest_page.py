"""One digest as a page.

Belongs here: what the page adds to the digest's own text. Does not: that text (judgement/, operations/report.py).
"""

import json

from watchkeeper.records import Digest
from watchkeeper.site.render import markdown, page


def digest_page(digest: Digest, *, workspace: str, timezone: str) -> str:
    """Return the page of a digest."""
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
        body=markdown(digest.text.removeprefix(f"**{digest.headline}**")),
        facts=facts,
    )
