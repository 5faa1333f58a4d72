"""What was shown of private columns, to whom and why: kept in `runs`.

Belongs here: the entry. Does not: showing (query.py, explain.py, quarantine.py).
"""

import getpass
from datetime import datetime

from watchkeeper.records import Run


def private_shown(model: str, operation: str, asked: str, reason: str, *, rows: int, now: datetime) -> Run:
    """Return the entry that says that private columns were shown."""
    text = f"private columns shown to {getpass.getuser()}: {reason}; {' '.join(asked.split())}"
    return Run(model=model, operation=operation, window_start=now, window_end=now, outcome="done", reason=text, rows=rows, computed_at=now)
