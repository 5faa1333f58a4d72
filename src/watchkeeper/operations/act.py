"""From incident events and digests to messages and triggers, at least once, through an outbox.

Belongs here: reading what is to be told, writing the plan, sending it and writing down what became of it. Does not: which
events are told (judgement/notices.py), retries (judgement/outbox.py), words (site/message.py), the wires (adapters/).

Everything planned is committed before anything is sent, and each outcome before the next is sent. So after a kill only
the one in flight may be sent twice, with the same key. The outbox itself is read whole and not as of `now`: what was sent
was sent, also by a run whose clock was ahead.
"""

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watchkeeper.adapters.delivery import Post, Posting, courier, has_channels, targets
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.alerts import Alerts
from watchkeeper.errors import DeliveryError
from watchkeeper.judgement import outbox
from watchkeeper.judgement.incidents import fold, in_order
from watchkeeper.judgement.outbox import Standing
from watchkeeper.monitor import Monitor
from watchkeeper.operations.grouping import as_one, opener_says, outcome_payloads
from watchkeeper.operations.incident_book import covering, known_silences
from watchkeeper.operations.known import KINDS, Known
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.plan import plan
from watchkeeper.records import Action, Digest, IncidentEvent

LONGEST_WAIT_S = 300.0
STRIKES = 3
_DEFAULT_COOLDOWN = Alerts().cooldown


def act(home: Home, monitors: Mapping[str, Monitor], *, now: datetime, settings: Settings | None = None, post: Post | None = None) -> list[Action]:
    """Plan and send everything that is to be told or triggered as of `now`; return what became of it, one row per outcome.

    `post` delivers one posting and returns its receipt; by default the configured channels do.
    """
    settings = settings or Settings.from_environment()
    ledger = Ledger(home.lake)
    known = _known(home, monitors, settings, ledger.standings, now)
    planned = plan(known)
    if not planned and not any(_is_due(s, ledger, known) for s in ledger.standings.values()):
        return []
    with lease(home.lake, "act", wait_s=LONGEST_WAIT_S):
        if not ledger.is_current():
            ledger = Ledger(home.lake)
            known = _known(home, monitors, settings, ledger.standings, now)
            planned = plan(known)
        ledger.write(planned)
        settled = [row for row in planned if row.state in ("skipped", "held")]
        return settled + _send(ledger, known, post=post or courier(settings, home.outbox_dir))


class Ledger:
    """The outbox table as this run sees it; every write is refused once another run has written."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seen = lake.version(Action.TABLE, "act")
        self._rows: list[Action] = lake.newest(Action)
        self.standings = outbox.fold(self._rows)

    def is_current(self) -> bool:
        """Tell whether no other run has written since this one read."""
        return self._lake.version(Action.TABLE, "act") == self._seen

    def write(self, rows: list[Action]) -> None:
        """Commit rows.

        Raises:
            ConflictError: another run took over, because this one held the lease for too long.

        """
        if not rows:
            return
        self._lake.append_records(Action, rows, guard=("act", self._seen))
        self._seen += 1
        self._rows += rows
        self.standings = outbox.fold(self._rows)


def _is_due(standing: Standing, ledger: Ledger, known: Known) -> bool:
    """Tell whether an action may be tried now; a message about what is silenced waits, and one that quiet hours hold back."""
    incident = standing.action.incident_id
    if not outbox.is_due(standing, ledger.standings, now=known.now, cooldown=_cooldown(known.monitor_of(standing.action.model))):
        return False
    return standing.action.kind not in KINDS or not (known.silence_of(incident) or known.quiet_until(incident))


def _known(home: Home, monitors: Mapping[str, Monitor], settings: Settings, standings: dict[str, Standing], now: datetime) -> Known:
    histories: dict[str, list[IncidentEvent]] = defaultdict(list)
    for event in in_order(home.lake.newest(IncidentEvent, as_of=now)):
        histories[event.incident_id].append(event)
    digests = home.lake.newest(Digest, as_of=now)
    beside = _beside(home, histories, monitors)
    waits = {name: maturity_of(home, monitor, now=now).wait for name, monitor in {**beside, **monitors}.items()}
    silences = known_silences(home, now=now)
    incidents = fold(event for history in histories.values() for event in history) if silences else []
    covered = covering(home, incidents, silences, now=now)
    return Known(
        home, monitors, histories, digests, standings, targets(settings), waits, now, covered, is_parted=has_channels(settings), beside=beside
    )


def _beside(home: Home, histories: Mapping[str, list[IncidentEvent]], monitors: Mapping[str, Monitor]) -> dict[str, Monitor]:
    """Return the monitors of other models whose incidents are one with some of these models: what is told of one is told of all of it."""
    together: dict[str, set[str]] = defaultdict(set)
    for history in histories.values():
        if history[0].part_of in histories:
            together[history[0].part_of] |= {histories[history[0].part_of][0].model, history[0].model}
    missing = {model for models in together.values() if models & monitors.keys() for model in models} - monitors.keys()
    every = load_monitors(home)[0] if missing else {}
    return {model: every[model] for model in sorted(missing) if model in every}


def _send(ledger: Ledger, known: Known, *, post: Post) -> list[Action]:
    """Send what is due in the order it was planned; a target that fails thrice, or asks for a wait, is left to the next run."""
    outcomes: list[Action] = []
    strikes: Counter[str] = Counter()
    tried: set[str] = set()
    for action_id in list(ledger.standings):
        standing = ledger.standings[action_id]
        if strikes[standing.action.target] >= STRIKES or action_id in tried or not _is_due(standing, ledger, known):
            continue
        together = [s for s in ledger.standings.values() if s.group == standing.group and _is_due(s, ledger, known)] if standing.group else [standing]
        rows, weight = _attempt(together, ledger, known.monitor_of(standing.action.model), now=known.now, post=post)
        strikes[standing.action.target] = strikes[standing.action.target] + weight if weight else 0
        ledger.write(rows)
        outcomes += rows
        tried |= {row.action_id for row in rows}
    return outcomes


def _attempt(together: Sequence[Standing], ledger: Ledger, monitor: Monitor | None, *, now: datetime, post: Post) -> tuple[list[Action], int]:
    """Deliver one action, or the openings of a group as one message; return the outcome of each and how much that counts against their target."""
    standing, sent = together[0], as_one(together)
    opener = outbox.opener(standing, ledger.standings)
    posting = Posting(
        action=sent,
        now=now,
        opener=None if opener is None else dataclasses.replace(opener.action, receipt=opener.receipt),
        reworded=opener_says(standing, opener, ledger.standings.values()) if opener and standing.action.kind in KINDS else None,
        retraining=monitor.retraining if monitor else None,
    )
    tried = [dataclasses.replace(s.action, attempt=s.attempts + 1, at=now) for s in together]
    try:
        receipt, kept = post(posting), outcome_payloads(together, sent)
    except DeliveryError as error:
        wait = {} if error.retry_after_s is None else {"retry_after_s": error.retry_after_s}
        return [dataclasses.replace(row, state="failed", reason=str(error), payload=json.dumps(wait)) for row in tried], STRIKES if wait else 1
    return [dataclasses.replace(row, state="sent", receipt=receipt, payload=payload) for row, payload in zip(tried, kept, strict=True)], 0


def _cooldown(monitor: Monitor | None) -> timedelta:
    return _DEFAULT_COOLDOWN if monitor is None else monitor.alerts.cooldown
