"""Critical expectations that could not be evaluated: rows have landed past them, and somebody must know.

Belongs here: finding them in what was kept of batches, and the sentence that says so. Does not: evaluating
(adapters/expectations.py), or what follows from a failure (verdict.py).
"""

from collections import defaultdict
from collections.abc import Sequence

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.records import Batch, Validation


def unevaluated(home: Home, batches: Sequence[Batch]) -> list[str]:
    """Return a sentence for each set of critical expectations that could not be evaluated, where rows of batches landed past it."""
    mine = {b.batch_id: b for b in batches if b.rows_landed}
    if not mine:
        return []
    found: list[Validation] = home.lake.newest(Validation, where=among("batch_id", mine))
    by_batch: dict[str, list[Validation]] = defaultdict(list)
    for validation in sorted(found, key=lambda v: v.expectation_id):
        if validation.outcome == "error" and validation.severity == "critical":
            by_batch[validation.batch_id].append(validation)
    alike: dict[tuple[str, ...], list[Batch]] = defaultdict(list)
    for batch_id, blind in by_batch.items():
        alike[blind[0].suite, blind[0].error, *(v.expectation_id for v in blind)].append(mine[batch_id])
    return [_sentence(group, suite, error, names) for (suite, error, *names), group in alike.items()]


def newest_of(batches: Sequence[Batch]) -> list[Batch]:
    """Return, for each source, the batches that landed last: what they could not be checked for is still to be mended."""
    last: dict[str, list[Batch]] = {}
    for batch in sorted((b for b in batches if b.rows_landed), key=lambda b: b.landed_at):
        others = last.get(batch.source, [])
        last[batch.source] = [*(b for b in others if b.landed_at == batch.landed_at), batch]
    return [b for group in last.values() for b in group]


def _sentence(group: Sequence[Batch], suite: str, error: str, names: Sequence[str]) -> str:
    files = min(b.name for b in group) + (f" and {len(group) - 1} more" if len(group) > 1 else "")
    count = "1 critical expectation" if len(names) == 1 else f"{len(names)} critical expectations"
    return (
        f"{files}: {count} could not be evaluated ({', '.join(names)}), so rows landed unchecked: {error.rstrip('.')}. "
        f"Correct the suite {suite}, or send what it names."
    )
