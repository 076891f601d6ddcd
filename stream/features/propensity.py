"""How likely it is that a customer does something within a horizon: learned online from other features, published in
versions (:mod:`stream.predict.propensity`).

Every customer is asked about once a horizon, at instants of their own that do not hang on what they do.  What is known
of them then is a question for the trainer; whether it came, a horizon later, is the answer.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from stream.features.base import NEVER, Accumulator, Column, Kind, ModelNumbers, Reaction, Shape, View
from stream.features.since import Since

#: What its versions are called, before its own name.
PROPENSITY = "propensity:"
#: Scaled inputs beyond this are cut to it: no single value decides alone, however rare.
FARTHEST = 10.0
#: Points of the curve from log odds to probabilities, at most.
KNOTS = 20
#: Beside what it is learned from a question has so many values: what was said of it, P(alive) and P(buys) by the model
#: of lifetimes (NaN where there is none), and how long ago (ms) what it predicts came last.
BESIDE = 4
#: Features that are probabilities go in as log odds, which are cut at those of this.
PROBABILITIES = ("alive", "buys")
CERTAIN = 1e-9
#: Where the numbers of a model of d inputs lie: the intercept, how many knots there are, then d units, 2 d means, 2 d
#: scales and 2 d weights (of the inputs, then of whether they are missing), knots and chances.
INTERCEPT, CURVE, UNITS = 0, 1, 2


def names_of(d: int) -> tuple[str, ...]:
    """The names of the numbers of a model of so many inputs, in their order."""
    blocks = (("unit", d), ("mean", 2 * d), ("scale", 2 * d), ("weight", 2 * d), ("knot", KNOTS), ("chance", KNOTS))
    return ("intercept", "knots", *(f"{name} {k}" for name, count in blocks for k in range(count)))


def log_odds(chance: float) -> float:
    """The log odds of a probability; missing where it is."""
    least = CERTAIN if chance < CERTAIN else 1.0 - CERTAIN if chance > 1.0 - CERTAIN else chance
    return math.log(least / (1.0 - least))


def weighed(x: float, k: int, d: int, numbers: Any) -> float:
    """What the k-th of d inputs adds to the log odds; nothing where it is missing."""
    if x - x != 0.0:
        return 0.0
    unit = numbers[2 + k]
    taken = x if unit == 0.0 else math.copysign(math.log1p(abs(x) / unit), x)
    y = (taken - numbers[2 + d + k]) / numbers[2 + 3 * d + k]
    return float(numbers[2 + 5 * d + k] * (FARTHEST if y > FARTHEST else -FARTHEST if y < -FARTHEST else y))


def lacking(x: float, k: int, d: int, numbers: Any) -> float:
    """What it adds that the k-th of d inputs is missing, or is there."""
    y = ((0.0 if x - x == 0.0 else 1.0) - numbers[2 + 2 * d + k]) / numbers[2 + 4 * d + k]
    return float(numbers[2 + 6 * d + k] * (FARTHEST if y > FARTHEST else -FARTHEST if y < -FARTHEST else y))


def chance(odds: float, d: int, numbers: Any) -> float:
    """The probability that log odds mean, along the model's curve; missing where there is no model."""
    count = numbers[1]
    if not count >= 1.0 or odds != odds:
        return 1.0 / (1.0 + math.exp(-odds)) if odds > -700.0 else 0.0 if odds == odds else math.nan
    first = 2 + 7 * d
    last = first + int(count) - 1
    if odds <= numbers[first]:
        return float(numbers[first + KNOTS])
    if odds >= numbers[last]:
        return float(numbers[last + KNOTS])
    k = first
    while numbers[k + 1] < odds:
        k += 1
    share = (odds - numbers[k]) / (numbers[k + 1] - numbers[k])
    return float(numbers[k + KNOTS] + share * (numbers[k + 1 + KNOTS] - numbers[k + KNOTS]))


def next_turn(customer: int, now: int, asked: int, within: int) -> int:
    """When a customer (64-bit hash) is asked about next, later than ``now`` and than they last were."""
    after = now if now > asked else asked
    phase = customer % within
    return (after - phase) // within * within + phase + within


@dataclass(frozen=True)
class Input:
    """A value that is learned from: its name, the feature that has it, and which view of it."""

    name: str
    feature: Accumulator
    view: str

    @property
    def odds(self) -> bool:
        """Whether it goes in as log odds."""
        return self.feature.word in PROBABILITIES and self.view == ""


@dataclass(frozen=True, repr=False)
class Propensity(Accumulator):
    """``{predict: Order Completed, within: 14d, from: [since_order, orders]}``: the probability that one comes within
    14 days, learned from these features; missing until it is learned.

    ``parts`` are their names as written; ``name`` is its own, and ``inputs`` are the features themselves: both are
    known when all of a dimension is read.
    """

    word: ClassVar[str] = "predict"
    of: tuple[str, ...]
    within: int
    parts: tuple[str, ...]
    name: str = ""
    inputs: tuple[Input, ...] = ()

    def __repr__(self) -> str:
        return f"Propensity({self.kind!r})"

    @property
    def kind(self) -> str:
        """What its versions are called: its name, and a hash of what it means."""
        meaning = repr((self.of, self.within, self.parts, [(i.name, repr(i.feature), i.view) for i in self.inputs]))
        return f"{PROPENSITY}{self.name}@{hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()}"

    @property
    def function(self) -> str:
        """The name, in a generated module, of the function that answers with it."""
        return f"chance_{self.kind.removeprefix(PROPENSITY).replace('@', '_')}"

    @property
    def since(self) -> Since:
        """Tells when it came last: whether it came within the horizon, and what recency alone would say."""
        return Since(self.of)

    def columns(self) -> tuple[Column, ...]:
        return (Column("asked", NEVER),)

    def reactions(self) -> dict[str, Reaction]:
        return {}

    def views(self) -> dict[str, View]:
        return {"": View(Kind.NUMBER, Shape.LOOKED, chance)}

    def constants(self) -> tuple[ModelNumbers, ...]:
        return (ModelNumbers(self.kind, names_of(len(self.parts))),)


def chance_of(values: list[float], numbers: Any) -> float:
    """The probability that these inputs mean: what the generated function of a prediction does, for one customer."""
    d = len(values)
    odds = float(numbers[INTERCEPT])
    for k, x in enumerate(values):
        odds += weighed(x, k, d, numbers)
    for k, x in enumerate(values):
        odds += lacking(x, k, d, numbers)
    return chance(odds, d, numbers)
