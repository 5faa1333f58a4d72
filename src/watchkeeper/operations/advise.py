"""Advise: what the last four weeks tell about a model's serving, put to the rules of advice. Nothing is written, nothing is done.

Belongs here: reading GPU time, memory, arrivals, latency and versions. Does not: the rules (judgement/advice.py), printing (cli/advise.py).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.gpu_hours import gpu_uses
from watchkeeper.adapters.requests import Asked, predictions_by_hour
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.advice import Advice, Alone, Facts, Held, OfDay, OfVersion, in_order
from watchkeeper.judgement.gpu_advice import gpu_advice
from watchkeeper.judgement.version_advice import version_advice
from watchkeeper.measures.gpu_use import BY_REQUESTS, TRAINING, Use, priced
from watchkeeper.measures.gpus_alone import costs_beyond, uses_alone
from watchkeeper.measures.prices import Price
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bill import billed
from watchkeeper.operations.bill_parts import Part
from watchkeeper.operations.spending import Books, asked_of, claims_of, spent_by
from watchkeeper.operations.version_list import known_rows, listed_versions
from watchkeeper.records import Score
from watchkeeper.samples import GpuSample
from watchkeeper.windows import Grid, Window

LOOKED_AT = timedelta(days=28)
_HOUR = timedelta(hours=1)
_HOUR_US = 3_600_000_000
_BUSY_HOURS = 95


def advise(monitor: Monitor, facts: Facts) -> list[Advice]:
    """Return what could be saved on a model by what is known of it."""
    return in_order([*gpu_advice(monitor, facts), version_advice(monitor, facts)])


def facts_of(home: Home, monitor: Monitor, monitors: Mapping[str, Monitor], books: Books, *, now: datetime, at: datetime | None = None) -> Facts:
    """Return what is known of a model's serving in its last four weeks, up to the last day that is over at `at` (else `now`).

    Of GPU time what was measured, or where there is none a made-up trace; `monitors` are all of the workspace.
    """
    end = Grid("day", monitor.timezone).at(min(at or now, now)).start
    span, claims = Window(end - LOOKED_AT, end), claims_of(monitors)
    hours = list(Grid("hour", monitor.timezone).between(span.start, span.end))
    every = gpu_uses(home.lake, books.spans(hours), claims, now=now)
    serving = [u for u in every if u.model == monitor.model and u.purpose != TRAINING]
    uses = [u for u in serving if not u.is_synthetic] or serving
    began = min((u.window_start for u in uses), default=span.end)
    read = _days_read(monitor, every, uses)
    asked = _arrivals(home, monitor, span, now)[(max(began, span.start) - span.start) // _HOUR :]
    charged = priced(uses, books.quotes(monitor.cost.currency))
    memory, cut = _memory(home, span, now)
    return Facts(
        days=float(len(read)),
        days_unread=_days_since(monitor, began, span) - len(read) if uses else 0.0,
        currency=monitor.cost.currency,
        is_synthetic=any(u.is_synthetic for u in uses),
        cost=None if charged.whole is None or not uses else float(charged.whole),
        whole_cost=_whole_cost(home, monitor, [u for u in every if u.is_synthetic == uses[0].is_synthetic], books, read, now) if uses else None,
        pricing=charged.missing,
        is_bound=_is_bound(monitor, uses, books),
        predictions=int(asked.sum()),
        hours_asked=float((asked > 0).mean()) if asked.size else 0.0,
        peak_to_mean=float(np.percentile(asked, _BUSY_HOURS) / asked.mean()) if asked.any() else None,
        latency_p95=_latency(home, monitor, span, now),
        latency_limit=monitor.service.latency_limit,
        held=list(_held(monitor, uses, books, memory, cut)),
        alone=_alone(monitor, uses, every, books, cut),
        offers=_offers(monitor, books, span.end),
        versions=_versions(home, monitor, monitors, books, span, now) if monitor.columns.version else (),
        names_versions=bool(monitor.columns.version),
        answered=_answered(home, monitor, span, now),
        **_busy(uses),
    )


def _days_read(monitor: Monitor, every: Sequence[Use], uses: Sequence[Use]) -> list[Window]:
    """Return the days, from that of the first of a model's uses on, on which any GPU of the hosts that it used was read, whoever held that then."""
    grid, hosts, began = Grid("day", monitor.timezone), {(u.host, u.is_synthetic) for u in uses}, min((u.window_start for u in uses), default=None)
    days = {grid.at(u.window_start) for u in every if (u.host, u.is_synthetic) in hosts and began is not None and u.window_start >= began}
    return sorted(days, key=lambda day: day.start)


def _whole_cost(home: Home, monitor: Monitor, every: Sequence[Use], books: Books, days: Sequence[Window], now: datetime) -> float | None:
    """Return what a model cost on some days, on GPUs, of which these are all uses, and by its tokens; None while a part has no price."""
    grid, by_day = Grid("day", monitor.timezone), dict[datetime, list[Use]]()
    for use in (u for u in every if u.model == monitor.model):
        by_day.setdefault(grid.at(use.window_start).start, []).append(use)
    asked = asked_of(home, {monitor.model: monitor}, books, days, (), now=now)[monitor.model] if monitor.cost.llm else {}
    spent = (spent_by(monitor, by_day.get(d.start, []), d, books, asked.get(d.start, Asked()), None, was_sampled=True) for d in days)
    totals = [each.total for each in spent]
    return None if any(t is None for t in totals) else float(sum((t for t in totals if t is not None), Fraction(0)))


def _days_since(monitor: Monitor, began: datetime, span: Window) -> float:
    """Return the days of a span from that of a moment on."""
    return (span.end - Grid("day", monitor.timezone).at(began).start) / timedelta(days=1)


def _busy(uses: Sequence[Use]) -> dict[str, Any]:
    """Return how many GPUs were held and busy, over the hours with readings."""
    held: dict[datetime, list[int]] = {}
    for use in uses:
        sums = held.setdefault(use.window_start, [0, 0, 0])
        for place, amount in enumerate((use.sampled_us, use.busy_known_us, use.busy_us)):
            sums[place] += amount
    hours = np.array(list(held.values()), float).reshape(-1, 3)
    sampled, known = hours[:, 0].sum(), hours[hours[:, 1] > 0]
    made: dict[str, Any] = {
        "gpu_hours": sampled / _HOUR_US,
        "devices": sampled / _HOUR_US / len(hours) if len(hours) else 0.0,
        "estimated_ratio": float(sum(u.sampled_us for u in uses if u.how == BY_REQUESTS) / sampled) if sampled else 0.0,
    }
    if not len(known):
        return made
    share = known[:, 2] / known[:, 1]
    gpus = share * known[:, 0] / _HOUR_US
    return made | {
        "busy": float(gpus.mean()),
        "busy_peak": float(np.percentile(gpus, _BUSY_HOURS)),
        "busy_share_peak": float(np.percentile(share, _BUSY_HOURS)),
    }


def _is_bound(monitor: Monitor, uses: Sequence[Use], books: Books) -> bool:
    """Tell whether some of the GPUs have a price that goes on when nobody uses them."""
    quote = books.quotes(monitor.cost.currency)
    found = (quote(name, host, day) for name, host, day in {(u.device_name, u.host, u.priced_on) for u in uses})
    return any(isinstance(price, Price) and price.kind in ("reserved", "own") for price in found)


def _arrivals(home: Home, monitor: Monitor, span: Window, now: datetime) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the predictions of each hour of a span."""
    first, last = int(span.start.timestamp() // 3600), int(span.end.timestamp() // 3600)
    counts = predictions_by_hour(home.lake, monitor, span.start, span.end, now=now)
    return np.array([counts.get(hour, 0) for hour in range(first, last)], float)


def _latency(home: Home, monitor: Monitor, span: Window, now: datetime) -> float | None:
    """Return the p95 of the slow windows: the 95th percentile of the windows' own."""
    time = pc.field("window_start")
    where = (pc.field("model") == monitor.model) & (pc.field("metric") == "latency_p95") & (pc.field("grain") == monitor.window)
    where &= (pc.field("version") == "") & (pc.field("segment") == "") & (pc.field("environment") == monitor.environment)
    where &= (time >= pa.scalar(span.start, TIMESTAMP)) & (time < pa.scalar(span.end, TIMESTAMP))
    found = [s.value for s in home.lake.newest(Score, as_of=now, where=where) if s.value is not None]
    return float(np.percentile(found, _BUSY_HOURS)) if found else None


def _alone(monitor: Monitor, uses: Sequence[Use], every: Sequence[Use], books: Books, cut: Collection[str]) -> Alone:
    mine = uses_alone(monitor.model, uses, every, cut)
    told = {name: value for name, value in _busy(mine).items() if name in ("devices", "busy", "busy_peak")}
    return Alone(**told, costs_beyond=costs_beyond(mine, books.quotes(monitor.cost.currency)))


def _held(monitor: Monitor, uses: Sequence[Use], books: Books, memory: Mapping[str, int], cut: Collection[str]) -> Iterator[Held]:
    for name in sorted({u.device_name for u in uses}):
        mine = [u for u in uses if u.device_name == name]
        us, cost = sum(u.sampled_us for u in mine), priced(mine, books.quotes(monitor.cost.currency)).whole
        whole = sum({(u.window_start, u.device_uuid, u.is_synthetic): u.device_us for u in mine}.values())
        most = [memory[u.device_uuid] for u in mine if u.device_uuid in memory]
        yield Held(
            name=name,
            gpu_hours=us / _HOUR_US,
            price=None if cost is None or not us else float(cost / Fraction(us, _HOUR_US)),
            memory_gb=max(most) / 1e9 if most else None,
            alone_ratio=us / whole if whole else 1.0,
            is_cut=any(u.device_uuid in cut for u in mine),
        )


def _memory(home: Home, span: Window, now: datetime) -> tuple[dict[str, int], set[str]]:
    """Return device -> the most memory it had in use, in bytes, and the GPUs that are cut into slices."""
    time = pc.field("sampled_at")
    where = (time > pa.scalar(span.start, TIMESTAMP)) & (time <= pa.scalar(min(span.end, now), TIMESTAMP))
    rows = home.lake.read(GpuSample.TABLE, columns=["device_uuid", "parent_uuid", "memory_used_bytes"], where=where)
    if rows is None:
        return {}, set()
    found = rows.group_by(["device_uuid", "parent_uuid"]).aggregate([("memory_used_bytes", "max")]).to_pylist()
    most = {row["device_uuid"]: row["memory_used_bytes_max"] for row in found if row["memory_used_bytes_max"] is not None}
    return most, {row["parent_uuid"] for row in found if row["parent_uuid"]}


def _offers(monitor: Monitor, books: Books, at: datetime) -> list[tuple[str, float]]:
    """Return the cards that anybody may hold at the prices of a moment's day: lines for some hosts alone, or of own hardware, are no offer."""
    quote, day = books.quotes(monitor.cost.currency), books.day_of(at)
    names = sorted({p.gpu for p in books.gpus if not p.hosts and p.kind != "own"})
    found = ((name, quote(name, "", day)) for name in names)
    return [(name, float(price.price)) for name, price in found if isinstance(price, Price) and price.kind != "own"]


def _versions(home: Home, monitor: Monitor, monitors: Mapping[str, Monitor], books: Books, span: Window, now: datetime) -> list[OfVersion]:
    """Return what predictions of each version cost each day and how good they were over the last four weeks with labels."""
    grid = Grid("day", monitor.timezone)
    rows = billed(home, monitors, books, grid, {day: day for day in grid.between(span.start, span.end)}, now=now, alone=monitor.model)
    mine = [row for row in rows if row.model == monitor.model]
    found: dict[str, dict[date, Part]] = {}
    for row in [row for row in mine if not row.is_synthetic] or mine:
        day = row.window_start.astimezone(ZoneInfo(monitor.timezone)).date()
        for part in row.parts:
            if part.per == "version":
                found.setdefault(part.of, {})[day] = part
    told = {line.version: line.score for line in listed_versions(home, monitor, now=now).lines if line.environment == monitor.environment}
    return [_version(name, parts, told.get(name)) for name, parts in found.items()]


def _version(name: str, parts: Mapping[date, Part], score: Score | None) -> OfVersion:
    hours = sum(part.gpu_hours for part in parts.values())
    return OfVersion(
        version=name,
        days={day: OfDay(part.predictions or 0, part.cost_per_1000_predictions) for day, part in parts.items()},
        estimated_ratio=sum(part.gpu_hours * part.estimated_ratio for part in parts.values()) / hours if hours else 0.0,
        **({} if score is None else {of: getattr(score, of) for of in ("metric", "direction", "value", "low", "high")}),
    )


def _answered(home: Home, monitor: Monitor, span: Window, now: datetime) -> dict[str, int]:
    """Return the rows of each version in a span; none where rows name no version, or nothing is counted yet."""
    rows = known_rows(home, monitor, now=now)
    mine = {version: starts for (environment, version), starts in rows.items() if environment == monitor.environment}
    return {version: sum(n for start, n in starts.items() if span.start <= start < span.end) for version, starts in mine.items()}
