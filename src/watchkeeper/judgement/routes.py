"""Into which threads a message about an incident goes, where a channel has a thread of its own.

Belongs here: the pure rule. Does not: which channel a monitor names for an incident (alerts.py), which events are told (notices.py),
sending (operations/act.py).

Whoever was told of an incident goes on being told, in the same thread. An incident that a route takes only since it got graver
opens in that channel, and the threads that there are get their update.
"""

from collections.abc import Iterable, Sequence

from watchkeeper.judgement.notices import Kind
from watchkeeper.judgement.outbox import Standing


def threads_of(incident_id: str, target: str, standings: Iterable[Standing]) -> list[str]:
    """Return the places of a target in which people were told of an incident, or are about to be, in the order in which they were."""
    mine = [s for s in standings if s.thread[:2] == (incident_id, target) and s.state not in ("skipped", "held")]
    return list(dict.fromkeys(s.thread[2] for s in sorted(mine, key=lambda s: s.action.at)))


def addressed(kind: Kind, channel: str, threads: Sequence[str], *, is_parted: bool) -> list[tuple[Kind, str]]:
    """Return what kind of message goes to which place: the one that was told first, the others, and last the one to open in.

    `channel` is where the incident belongs as it stands; `is_parted` tells whether a target has a place for each channel, or but one.

    >>> addressed("update", "#oncall", ["#parcels"], is_parted=True)
    [('update', '#parcels'), ('open', '#oncall')]
    >>> addressed("update", "#oncall", ["#parcels"], is_parted=False), addressed("open", "#oncall", [], is_parted=True)
    ([('update', '#parcels')], [('open', '#oncall')])
    """
    if not threads:
        return [(kind, channel)]
    told: list[tuple[Kind, str]] = [(kind, thread) for thread in (threads if is_parted else threads[:1])]
    if is_parted and kind == "update" and channel not in threads:
        told.append(("open", channel))
    return told
