"""Our own numbers as metrics, and the text in which Prometheus reads them.

Belongs here: what a metric is, names by Prometheus' conventions, escapes. Does not: which metrics there are
(operations/export.py), or OpenTelemetry (otlp_out.py).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SUFFIXES = {"s": "_seconds"}


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric as it stands: its name with dots, its unit (s, 1, {incident}), and a value for each set of labels."""

    name: str
    unit: str
    about: str
    points: Sequence[tuple[Mapping[str, str], float]] = field(default_factory=list)


def prometheus_name(gauge: Gauge) -> str:
    """Return the name that Prometheus has for a metric, its unit at the end.

    >>> prometheus_name(Gauge("watchkeeper.run.timestamp", "s", "")), prometheus_name(Gauge("watchkeeper.score", "1", ""))
    ('watchkeeper_run_timestamp_seconds', 'watchkeeper_score')
    """
    return re.sub(r"\W", "_", gauge.name) + _SUFFIXES.get(gauge.unit, "")


def prometheus_text(gauges: Sequence[Gauge]) -> str:
    r"""Return metrics as Prometheus reads them; a metric without values is left out.

    >>> print(prometheus_text([Gauge("a.b", "1", "One\nline.", [({"shop": 'H"M'}, 0.5)])]), end="")
    # HELP a_b One\nline.
    # TYPE a_b gauge
    a_b{shop="H\"M"} 0.5
    """
    lines: list[str] = []
    for gauge in gauges:
        if not gauge.points:
            continue
        name, about = prometheus_name(gauge), gauge.about.replace("\\", r"\\").replace("\n", r"\n")
        lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in gauge.points]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items() if value)
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value)).removesuffix(".0")
