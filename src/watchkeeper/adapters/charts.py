"""Vega-Lite specifications made into SVG and PNG, without a browser and without the network.

Belongs here: the call of the renderer. Does not: what is drawn (site/charts.py).
"""

import re
from typing import Any


def svg(chart: dict[str, Any]) -> str:
    """Return a chart as inline SVG: no fixed size, so that the page decides; no script, no link."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(chart)
    return re.sub(r'^(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r'\1 focusable="false"', drawn)


def png(chart: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """Return a chart as a PNG, `scale` pixels to the point."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(chart, scale=scale)
    return drawn
