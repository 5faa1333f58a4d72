"""Templates filled in: every value is escaped, and a page loads nothing from anywhere.

Belongs here: the template environment and what all pages share. Does not: what a page says (the *_page.py modules).
"""

from functools import cache
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from watchkeeper import words
from watchkeeper.judgement.promises import when_text
from watchkeeper.records import Severity

SEVERITY_SIGNS: dict[Severity, str] = {"notice": "i", "warning": "!", "high": "!!", "critical": "!!!"}


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("watchkeeper.site", "templates")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"number": words.number_text, "share": words.percent}
    made.globals |= {"moment_text": words.moment_text, "window_text": words.window_text, "interval_text": words.interval_text}
    made.globals |= {
        "metric_text": words.metric_text,
        "counted": words.counted,
        "note_text": words.note_text,
        "when_text": when_text,
        "signs": SEVERITY_SIGNS,
    }
    return made


def page(template: str, *, root: str = "", **view: Any) -> str:
    """Return a page; `root` leads from it to the site's first page, such as `../`."""
    return _environment().get_template(template).render(root=root, **view)


def markdown(text: str) -> Markup:
    """Return markdown as HTML; HTML inside it is shown as text, and only links that a browser may follow safely are links."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return Markup(made)  # noqa: S704 - made by the renderer above, which escapes what it is given
