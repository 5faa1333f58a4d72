"""Worlds with a planted incident: ten weeks of a small model, what goes wrong in them, and when.

Belongs here: which faults make a world, alone, together, beside a decoy or without a trace. Does not: the faults (faults.py), landing the rows, judging
them, and the score (causes.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from zlib import crc32

import numpy as np

from benchmarks.days import MOST_DAYS, QUIET, REFERENCE, ROWS, Day, Fault, give_labels, give_outcome, give_score, inputs_of
from benchmarks.faults import (
    codes_exchanged,
    concept_everywhere,
    concept_in_region,
    concept_in_segment,
    covariate_shift,
    default_value,
    fails_everywhere,
    harmless_config,
    harmless_drift,
    harmless_release,
    label_fault,
    labels_missing,
    labels_turned,
    new_client,
    noisy_scores,
    null_burst,
    pipeline_change,
    release_beside,
    release_in_place,
    release_of_the_same,
    release_recorded,
    repeated_rows,
    rows_missing,
    scaling_change,
    segment_mix,
    slow_everywhere,
    stale,
    traffic_of_client,
    traffic_volume,
    unit_change,
    unseen_categories,
)
from benchmarks.hardware import (
    fallback_on_host,
    gpu_errors_on_host,
    gpu_full,
    gpu_full_on_host,
    gpu_throttled,
    gpu_throttled_on_hosts,
    memory_pressure,
    network_contention,
    release_slower,
    slow_host,
    storage_contention,
    throttle_as_ever,
    throttle_beside,
    throttle_elsewhere,
    throttle_later,
)


@dataclass(frozen=True)
class Plan:
    """A world: its faults, which of them are harmless decoys, when they begin and how many days they last."""

    name: str
    faults: tuple[Fault, ...]
    decoys: tuple[Fault, ...]
    onset: int
    lasts: int
    seed: int
    task: str = "binary"

    @property
    def end(self) -> int:
        """The first day without them."""
        return self.onset + self.lasts

    def day(self, number: int) -> Day:
        """Return one day."""
        rng = np.random.default_rng([self.seed, number])
        faults = (*self.faults, *self.decoys) if self.onset <= number < self.end else ()
        day = Day(rng, inputs_of(rng, int(rng.normal(ROWS, 25)) - 120 * (number % 7 >= 5)), task=self.task)
        for step, usual in (("inputs", None), ("outcome", give_outcome), ("sent", None), ("served", give_score), ("labels", give_labels)):
            if usual is not None:
                usual(day)
            for fault in faults:
                if (change := getattr(fault, step)) is not None:
                    change(day)
        return day


Kind = Callable[[np.random.Generator], Fault]
ALONE: tuple[Kind, ...] = (
    null_burst, unit_change, unseen_categories, stale, default_value, codes_exchanged, repeated_rows, rows_missing, labels_missing,
    covariate_shift, segment_mix, new_client,
    concept_everywhere, concept_in_region, concept_in_segment, label_fault, labels_turned,
    release_recorded, release_beside, release_in_place, pipeline_change, scaling_change,
    slow_host, gpu_throttled, gpu_full, traffic_volume, traffic_of_client,
    gpu_throttled_on_hosts, gpu_full_on_host, gpu_errors_on_host, fallback_on_host, memory_pressure, network_contention, storage_contention, release_slower,
)  # fmt: skip
TOGETHER: dict[str, tuple[Kind, Kind]] = {
    "nulls and concept": (null_burst, concept_everywhere),
    "release and unit": (release_beside, unit_change),
    "mix and concept": (segment_mix, concept_in_region),
}
DECOYS: dict[str, tuple[Kind, Kind]] = {
    "concept beside a drift": (concept_everywhere, harmless_drift),
    "segment beside a drift": (concept_in_segment, harmless_drift),
    "concept beside a release": (concept_in_region, harmless_release),
    "concept beside a whole release": (concept_everywhere, release_of_the_same),
    "concept beside a config": (concept_in_segment, harmless_config),
    "nulls beside a release": (null_burst, harmless_release),
    "unit beside a drift": (unit_change, harmless_drift),
    "storm beside a release": (covariate_shift, harmless_release),
    "mix beside a whole release": (segment_mix, release_of_the_same),
    "release beside a drift": (release_beside, harmless_drift),
    "slow host beside a release": (slow_host, harmless_release),
}
_OF_QUALITY: tuple[Kind, ...] = (concept_everywhere, concept_in_region, concept_in_segment, covariate_shift, label_fault)
_OF_SERVICE: tuple[Kind, ...] = (release_slower, slow_host, traffic_volume, slow_everywhere)


def _one_of(kinds: tuple[Kind, ...], rng: np.random.Generator) -> Fault:
    return kinds[rng.integers(len(kinds))](rng)


HARMLESS_THROTTLES: dict[str, tuple[Kind, Kind]] = {
    "throttle beside bad quality": (partial(_one_of, _OF_QUALITY), throttle_beside),
    "throttle beside a bad service": (partial(_one_of, _OF_SERVICE), throttle_beside),
    "throttle as ever": (partial(_one_of, _OF_SERVICE), throttle_as_ever),
    "throttle elsewhere": (partial(_one_of, _OF_SERVICE), throttle_elsewhere),
    "throttle after the onset": (partial(_one_of, _OF_SERVICE), throttle_later),
}
"""Incidents of another cause, or of none that leaves a trace, while GPUs throttle and do no harm."""
INFRASTRUCTURE: tuple[str, ...] = (
    "slow_host", "gpu_throttled", "gpu_throttled_on_hosts", "gpu_full", "gpu_full_on_host", "gpu_errors_on_host", "fallback_on_host", "memory_pressure",
    "network_contention", "storage_contention", "release_slower", *HARMLESS_THROTTLES,
)  # fmt: skip
"""Kinds that are about GPUs, hosts and a release that is slow."""
WITHOUT_A_TRACE: tuple[Kind, ...] = (slow_everywhere, fails_everywhere, noisy_scores)
TASKS = ("regression", "multiclass")
_OF_A_TASK: dict[str, tuple[Kind, ...]] = {
    "storm": (covariate_shift,),
    "mix": (segment_mix,),
    "concept in a range": (concept_in_region,),
    "concept in a segment": (concept_in_segment,),
    "noise": (noisy_scores,),
    "storm beside a drift": (covariate_shift, harmless_drift),
    "concept in a range beside a drift": (concept_in_region, harmless_drift),
}
OF_TASKS: dict[str, tuple[str, tuple[Kind, ...]]] = {f"{task}: {name}": (task, kinds) for task in TASKS for name, kinds in _OF_A_TASK.items()}
"""Worlds of models that say a number or a class: what goes wrong, and after it what is harmless."""
WITH_A_DECOY: tuple[str, ...] = (*DECOYS, *(name for name, (_, kinds) in OF_TASKS.items() if len(kinds) > 1))
NAMES: tuple[str, ...] = (
    *(k.__name__ for k in ALONE), *TOGETHER, *DECOYS, *HARMLESS_THROTTLES, *(k.__name__ for k in WITHOUT_A_TRACE), *OF_TASKS,
)  # fmt: skip


def plan(name: str, seed: int) -> Plan:
    """Return a world by its name and seed."""
    place = crc32(name.encode())
    rng = np.random.default_rng([seed, place])
    single = {k.__name__: k for k in (*ALONE, *WITHOUT_A_TRACE)}
    beside = DECOYS | HARMLESS_THROTTLES
    task, of_task = OF_TASKS.get(name, ("binary", ()))
    kinds = of_task or TOGETHER.get(name) or beside.get(name) or (single[name],)
    made = tuple(kind(rng) for kind in kinds)
    faults, decoys = (made[:1], made[1:]) if name in beside or of_task else (made, ())
    lasts = int(rng.integers(4, 8))
    return Plan(name, faults, decoys, int(rng.integers(REFERENCE + QUIET, MOST_DAYS - lasts - 3)), lasts, seed * 2**32 + place, task)
