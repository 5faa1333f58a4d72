"""All that a digest may tell of one model and one period.

Belongs here: these numbers. Does not: gathering them (operations/report.py), their words (digest.py, digest_data.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.judgement.evidence import Broken
from watchkeeper.judgement.incidents import Incident
from watchkeeper.judgement.promises import Promise
from watchkeeper.judgement.spending import Spending
from watchkeeper.judgement.succession import Succession
from watchkeeper.judgement.times import Medians
from watchkeeper.judgement.verdict import Reason
from watchkeeper.records import Score, Signal


@dataclass(frozen=True, kw_only=True)
class DigestFacts:
    """All that a digest may tell; scores are of the whole period, by metric.

    Incidents are as grave as they were in the period; `reason` is what makes it as bad as it was; `later` holds the open incidents that began after it, `wholes` by its leading incident all that is told as one, `not_due` those told here that go on after it and whose newest labels are not due; `is_correction` when words told before no longer hold; `failed` names the steps that could not be done.
    `compared_with` names the new normal that is the reference of the period, empty where that is the monitor file's; `moved` says how far a rolling reference is from it.
    `blind` says why no label tells how good the model was, `is_mostly_aside` that more events are in quarantine (`events_aside`) than landed. `to_be_judged` says what to do where the model `is_judged` by nothing usual.
    """

    start: datetime
    end: datetime
    scores: Mapping[str, Score]
    usual: Mapping[str, tuple[float, float]]
    incidents: Sequence[Incident]
    segments: Sequence[Incident]
    notices: Sequence[Signal]
    promises: Sequence[Promise]
    quarantined: int
    quarantine_reasons: Sequence[tuple[str, int]]
    is_final: bool
    labels_aside: int = 0
    label_classes: Sequence[str] = ()
    is_judged: bool = True
    to_be_judged: str = ""
    blind: str = ""
    is_mostly_aside: bool = False
    events_aside: int = 0
    broken: Sequence[Broken] = ()
    cost: Spending | None = None
    files_refused: int = 0
    restated: int = 0
    is_correction: bool = False
    failed: str = ""
    not_known: Sequence[str] = ()
    told_at: datetime | None = None
    reason: Reason | None = None
    later: Sequence[Incident] = ()
    wholes: Mapping[str, Incident] = field(default_factory=dict)
    not_due: int = 0
    times: Medians = field(default_factory=Medians)
    succession: Succession | None = None
    compared_with: str = ""
    moved: str = ""

    @property
    def scores_moved(self) -> bool:
        """Tell whether the model's own scores differ from the reference's."""
        return any(s.metric == "psi" and s.feature == "@score" for s in self.notices)
