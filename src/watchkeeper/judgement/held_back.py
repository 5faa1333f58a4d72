"""Held back: rows or labels that came and did not land, as a cause of what is missing, and in words.

Belongs here: quarantined rows and refused files as evidence. Does not: what is in quarantine (operations/faults.py), what is missing (shortfall.py).
"""

from collections.abc import Sequence
from datetime import datetime

from watchkeeper.judgement.evidence import Refused
from watchkeeper.story import Cause
from watchkeeper.words import counted

_HALF = 0.5


def set_aside_text(count: int, what: str, reason: str) -> list[tuple[str, str]]:
    """Tell how many rows or labels of the time are held, and why most of them."""
    most = f", most often because: {reason}" if reason else ""
    return [("Set aside", f"{counted(count, what)} of that time in quarantine{most}")] if count else []


def of_set_aside(what: str, set_aside: tuple[int, str], short: float, onset: datetime) -> Cause | None:
    """Return quarantine as the cause of `short` rows or labels that are missing, where at least half as many are held; None where fewer are."""
    count, reason = set_aside
    if count < _HALF * short:
        return None
    support = [f"{count:,} {what} of that time are in quarantine"]
    return Cause(kind="data", subject=f"{what} were set aside: {reason}", share=min(1.0, count / short), onset=onset, evidence_for=support)


def of_refused(what: str, refused: Sequence[Refused], onset: datetime) -> Cause | None:
    """Return files that were refused whole as the cause of rows or labels that are missing; None without any."""
    if not refused:
        return None
    more = f", and {counted(len(refused) - 1, 'more file')}" if len(refused) > 1 else ""
    support = [f"nothing of {'it' if len(refused) == 1 else 'them'} landed; which {what} were inside cannot be told"]
    return Cause(kind="data", subject=f"{refused[0].name} was refused whole ({refused[0].reason}){more}", onset=onset, evidence_for=support)
