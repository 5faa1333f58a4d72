"""What graphics cards can do: memory, arithmetic and memory bandwidth, as their makers' data sheets say.

Belongs here: that table, and how much longer the same work takes on another card. Does not: what an hour of one costs (prices.py), advice
(judgement/gpu_advice.py).
"""

from dataclasses import dataclass

from watchkeeper.measures.prices import tokens


@dataclass(frozen=True, slots=True)
class Card:
    """A card: `tflops` of dense 16-bit tensor arithmetic, `bandwidth` in GB/s, memory in GB."""

    name: str
    memory_gb: float
    tflops: float
    bandwidth: float


CARDS = (
    Card("T4", 16, 65, 320),
    Card("V100 16GB", 16, 125, 900),
    Card("V100 32GB", 32, 125, 900),
    Card("A10", 24, 125, 600),
    Card("A10G", 24, 70, 600),
    Card("L4", 24, 121, 300),
    Card("L40S", 48, 362, 864),
    Card("A100 40GB", 40, 312, 1555),
    Card("A100 80GB", 80, 312, 1935),
    Card("H100", 80, 756, 2000),
    Card("H100 NVL", 94, 835, 3938),
    Card("H200", 141, 989, 4800),
)
"""Of a card in several forms the slowest counts, so that a move to it is not promised too much."""


def card_of(name: str) -> Card | None:
    """Return the card that a device's name, or that of a line of the price book, is of; None for one that is not known, or a part of one.

    >>> card_of("NVIDIA A100-SXM4-40GB").name, card_of("NVIDIA L40S").name, card_of("NVIDIA A100-SXM4-40GB MIG 3g.20gb"), card_of("Z9")
    ('A100 40GB', 'L40S', None, None)
    """
    words = tokens(name)
    fitting = [c for c in CARDS if tokens(c.name) <= words]
    return None if "mig" in words else max(fitting, key=lambda c: len(tokens(c.name)), default=None)


def slower_by(before: Card, after: Card) -> float:
    """Return how many times as long the same work takes on another card at most, by arithmetic or by bandwidth; never less than 1.

    >>> round(slower_by(card_of("A100 40GB"), card_of("L4")), 2), slower_by(card_of("T4"), card_of("L40S"))
    (5.18, 1.0)
    """
    return max(1.0, before.tflops / after.tflops, before.bandwidth / after.bandwidth)
