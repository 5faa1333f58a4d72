"""Advice about GPUs: fewer of them, runs in the place of single answers, or a smaller card.

Belongs here: these three rules and their words. Does not: versions (version_advice.py), what cards can do (measures/gpu_cards.py).
"""

import math

from watchkeeper.judgement.advice import LEAST_DAYS, MOSTLY, Advice, Facts, Held, Rule
from watchkeeper.judgement.budget import money
from watchkeeper.measures.gpu_cards import Card, card_of, slower_by
from watchkeeper.monitor import Monitor
from watchkeeper.words import number_text, percent

MOST_BUSY, MOST_OF_LIMIT, MOST_OF_MEMORY = 0.7, 0.7, 0.8
_ALONE = 0.95
"""Share of its GPUs' time that a model has at least where another card, which it would hold whole, can be compared with them."""


def gpu_advice(monitor: Monitor, facts: Facts) -> list[Advice]:
    """Return what the rules about GPUs say."""
    return [_scale_down(monitor, facts), _batch(monitor, facts), _smaller_card(monitor, facts)]


def _of_gpus(facts: Facts) -> str:
    """Say what is missing for any advice about GPUs; empty where nothing is."""
    if not facts.gpu_hours:
        return "no reading of a GPU that served this model: `watchkeeper sample-gpus` takes them"
    if facts.days < LEAST_DAYS:
        return f"{LEAST_DAYS} days of GPU readings are needed, {facts.days:.0f} {'is' if round(facts.days) == 1 else 'are'} there"
    if facts.busy is None or facts.busy_peak is None or facts.busy_share_peak is None:
        return "no reading of how busy its GPUs were"
    if facts.estimated_ratio > MOSTLY:
        return f"{percent(facts.estimated_ratio)} of its GPU time is an estimate, shared out by predictions: sample by process"
    return "" if facts.cost is not None else facts.pricing or "no price"


def _latency(facts: Facts) -> str:
    """Say what is missing to know how much slower answers may become; empty where nothing is."""
    if facts.latency_p95 is None:
        return "how long answers take is not measured: it needs `columns.latency`"
    return "" if facts.latency_limit is not None else "how long answers may take is not said: it needs `service.latency_limit`"


def _has_room(facts: Facts, slower: float = 1.0) -> bool:
    return facts.latency_p95 is not None and facts.latency_limit is not None and facts.latency_p95 * slower <= MOST_OF_LIMIT * facts.latency_limit


def _of_limit(facts: Facts) -> str:
    return f"latency p95 is {number_text(facts.latency_p95, 'ms')} of {number_text(facts.latency_limit, 'ms')}"


def _scale_down(monitor: Monitor, facts: Facts) -> Advice:
    alone = facts.alone
    rule = Rule(
        monitor,
        facts,
        "scale_down",
        {
            "gpus_held": facts.devices,
            "gpus_held_alone": alone.devices,
            "gpus_alone_busy": alone.busy,
            "gpus_alone_busy_peak": alone.busy_peak,
            "latency_p95_ms": facts.latency_p95,
            "latency_limit_ms": facts.latency_limit,
            "cost": facts.cost,
        },
    )
    unread = "no reading of how busy the GPUs were that it has for itself" if alone.devices and alone.busy_peak is None else ""
    if missing := _of_gpus(facts) or unread:
        return rule.unknown(missing)
    held = round(alone.devices)
    if held < 2 or alone.busy_peak is None:  # noqa: PLR2004 - one GPU cannot become fewer
        return rule.no(_none_to_spare(facts))
    needed = max(1, math.ceil(alone.busy_peak / MOST_BUSY - 1e-9))
    if needed >= held:
        return rule.no(f"in the busiest hours {number_text(alone.busy_peak)} of {held} GPUs are busy")
    if missing := _latency(facts):
        return rule.unknown(f"{missing}. By how busy they are {needed} of {held} GPUs would do")
    if not _has_room(facts):
        return rule.no(f"{_of_limit(facts)}: there is no room for queues")
    kept = f"{needed} of {held} GPUs" if _has_all_alone(facts) else f"{needed} of the {held} GPUs that it has for itself"
    text = f"hold {kept}: in the busiest hours {number_text(alone.busy_peak)} are busy, and {_of_limit(facts)}."
    risk = f"the busiest hours load {percent(alone.busy_peak / needed)} of what is left: a burst beyond them queues, and one GPU that fails takes more with it."
    saved = alone.costs_beyond[needed] if needed < len(alone.costs_beyond) else 0.0
    return rule.yes(text, saved, facts.whole_cost, facts.days, risk)


def _none_to_spare(facts: Facts) -> str:
    """Say why there is no GPU to do without."""
    held = f"{number_text(facts.devices)} GPUs are held in the mean"
    if _has_all_alone(facts):
        return f"{held}: there is none to do without"
    return f"{held}, {number_text(facts.alone.devices)} of them whole and by it alone: of those that others or its training use too, and of slices, none can be given up"


def _has_all_alone(facts: Facts) -> bool:
    return facts.devices - facts.alone.devices < 0.005  # noqa: PLR2004 - less than is told


def _batch(monitor: Monitor, facts: Facts) -> Advice:
    rule = Rule(
        monitor,
        facts,
        "batch",
        {
            "gpus_held": facts.devices,
            "gpus_busy": facts.busy,
            "hours_with_requests_ratio": facts.hours_asked,
            "peak_to_mean_predictions": facts.peak_to_mean,
            "latency_limit_ms": facts.latency_limit,
            "cost": facts.cost,
        },
    )
    if missing := _of_gpus(facts):
        return rule.unknown(missing)
    if not facts.predictions or facts.peak_to_mean is None:
        return rule.unknown("when requests arrive: no predictions have landed")
    if facts.latency_limit is not None:
        return rule.no(
            f"answers are promised within {number_text(facts.latency_limit, 'ms')} (`service.latency_limit`), so requests cannot wait for a run"
        )
    share = (facts.busy or 0.0) / facts.devices / MOST_BUSY
    if share >= MOSTLY:
        return rule.no(
            f"GPUs are busy for {percent((facts.busy or 0.0) / facts.devices)} of the time they are held: runs would hold them nearly as long"
        )
    a_day = facts.gpu_hours / facts.days
    text = (
        f"answer requests in runs, once a day say: {number_text(a_day * share)} GPU-hours a day would do, {number_text(a_day)} are held. Requests come in "
        f"{percent(facts.hours_asked)} of the hours, in the busiest {number_text(facts.peak_to_mean)} times as many as in the mean."
    )
    risk = "each answer waits for the next run; whether anybody waits for it is measured nowhere."
    return rule.yes(text, (facts.cost or 0.0) * (1 - share), facts.whole_cost, facts.days, risk)


def _smaller_card(monitor: Monitor, facts: Facts) -> Advice:
    main = max(facts.held, key=lambda h: h.gpu_hours, default=None)
    card = card_of(main.name) if main else None
    known: dict[str, float | str | None] = {
        "card": main.name if main else None,
        "price": main.price if main else None,
        "memory_used_gb": main.memory_gb if main else None,
        "busy_ratio_peak": facts.busy_share_peak,
        "latency_p95_ms": facts.latency_p95,
        "latency_limit_ms": facts.latency_limit,
        "share_of_its_gpus": main.alone_ratio if main else None,
    }
    rule = Rule(monitor, facts, "smaller_card", known)
    if missing := _of_gpus(facts):
        return rule.unknown(missing)
    if main is None or card is None:
        return rule.unknown(f"what {main.name if main else 'its card'} can do is not in the table of cards")
    if main.is_cut or main.alone_ratio < _ALONE:
        had = "its GPUs are cut into slices" if main.is_cut else f"it has {percent(main.alone_ratio)} of the time of its GPUs, which others use too"
        return rule.unknown(f"what another card would save, which it would hold whole: {had}")
    if main.memory_gb is None or main.price is None:
        return rule.unknown("no reading of the memory in use" if main.memory_gb is None else "its card has no price")
    cheaper = sorted((price, name, there) for name, price in facts.offers if price < main.price and (there := card_of(name)) is not None)
    fitting = [(price, name, slower_by(card, there)) for price, name, there in cheaper if _fits(facts, main, card, there)]
    if not fitting:
        return rule.no(
            f"{_none_of(len(cheaper))} hold {main.memory_gb:.1f} GB and its load ({percent(facts.busy_share_peak)} busy in the busiest hours)"
        )
    price, name, slower = fitting[0]
    told = Rule(monitor, facts, "smaller_card", {**known, "to_card": name, "to_price": price, "slower_by_at_most": slower})
    text = (
        f"serve on {name} at {money(price)} {facts.currency} an hour in the place of {main.name} at {money(main.price)}: at most {main.memory_gb:.1f} GB of memory "
        f"were in use, and in the busiest hours it would be busy for {percent((facts.busy_share_peak or 0.0) * slower)} of the time at most."
    )
    by_latency = f"{_of_limit(facts)} now" if not _latency(facts) else "nothing tells how much slower answers may be"
    risk = f"by the data sheets the same work takes up to {number_text(slower)} times as long; {by_latency}. Try it on a part of the traffic first."
    return told.yes(text, main.gpu_hours * (main.price - price), facts.whole_cost, facts.days, risk)


def _none_of(cheaper: int) -> str:
    """Return the words before what so many cheaper cards would not do."""
    if not cheaper:
        return "no card of the price book is cheaper and known, so none would"
    return "the one cheaper card of the price book would not" if cheaper == 1 else f"none of the {cheaper} cheaper cards of the price book would"


def _fits(facts: Facts, main: Held, card: Card, other: Card) -> bool:
    """Tell whether another card has the memory, the speed and, where a limit says so, the latency."""
    slower = slower_by(card, other)
    has_room = facts.latency_limit is None or facts.latency_p95 is None or facts.latency_p95 * slower <= facts.latency_limit
    return (main.memory_gb or 0.0) <= MOST_OF_MEMORY * other.memory_gb and (facts.busy_share_peak or 0.0) * slower <= MOST_BUSY and has_room
