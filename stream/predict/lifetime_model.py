"""What is published of the lifetimes of customers: BG/NBD and Gamma-Gamma, fitted to all of them at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from stream.engine.versions import PredictionVersion
from stream.features.predicted import LIFETIME as LIFETIME
from stream.features.predicted import PURCHASES, SPEND

if TYPE_CHECKING:  # with them comes scipy, which every command would wait for
    from stream.predict.alive import BgNbd
    from stream.predict.spend import GammaGamma


#: What r, a and b can be, and alpha (ms): wider than whatever a fit finds, and such that no kernel's whole numbers or
#: logarithms overflow, nor a sum has more terms than anybody waits for.
SHAPES, ALPHAS = (1e-6, 1e6), (1e-3, 1e18)


class LifetimeModel(PredictionVersion, frozen=True, dict=True, tag="lifetime", tag_field="type"):
    """One version; broken ones cannot be made (ValueError, one sentence).  Unknown fields are ignored.

    Parameters
    ----------
    version, effective
        See :class:`stream.engine.versions.PredictionVersion`.
    r, alpha, a, b
        The population of BG/NBD (:class:`stream.predict.alive.BgNbd`); ``alpha`` in ms.
    p, q, gamma
        That of Gamma-Gamma (:class:`stream.predict.spend.GammaGamma`); ``gamma`` in micros.  All None where no orders
        of any value were seen, or too few: then there is no value of an order, and no lifetime value.
    learned_from
        Which purchases, as the features say that go by it (:attr:`stream.features.base.ModelNumbers.of`); empty: that
        is not known, and features of any purchases go by it.
    learned_at
        Event time in ms as of which the histories were taken.
    customers, repeat_buyers
        How many histories it was learned from; how many of them bought more than once.
    spenders
        How many mean order values Gamma-Gamma was learned from.
    log_likelihood, spend_log_likelihood
        Of these, under the model.
    correlation
        Between how often customers buy and what their orders are worth, -1 to 1; Gamma-Gamma takes it for 0.
    unknown
        Parameters that ran to a bound of the search: the data do not tell them.
    trainer
        The trainer's own state as JSON, read by the trainer only.
    """

    r: float
    alpha: float
    a: float
    b: float
    p: float | None = None
    q: float | None = None
    gamma: float | None = None
    learned_from: str = ""
    learned_at: int = 0
    customers: float = 0.0
    repeat_buyers: float = 0.0
    spenders: float = 0.0
    log_likelihood: float = 0.0
    spend_log_likelihood: float = 0.0
    correlation: float = 0.0
    unknown: tuple[str, ...] = ()
    trainer: msgspec.Raw = msgspec.Raw(b"null")

    def __post_init__(self) -> None:
        if self.version < 1:
            raise ValueError("broken lifetime model: 'version' must be at least 1")
        reported = (self.customers, self.repeat_buyers, self.spenders, self.log_likelihood, self.spend_log_likelihood)
        if not all(map(isfinite, (*reported, self.correlation))):
            raise ValueError("broken lifetime model: what it reports must be finite")
        if not all(SHAPES[0] <= x <= SHAPES[1] for x in (self.r, self.a, self.b)):
            raise ValueError(f"broken lifetime model: r, a and b must lie between {SHAPES[0]:g} and {SHAPES[1]:g}")
        if not ALPHAS[0] <= self.alpha <= ALPHAS[1]:
            raise ValueError(f"broken lifetime model: alpha (ms) must lie between {ALPHAS[0]:g} and {ALPHAS[1]:g}")
        spend = [x for x in (self.p, self.q, self.gamma) if x is not None]
        if len(spend) not in (0, len(SPEND)):
            raise ValueError("broken lifetime model: p, q and gamma are all known, or none of them")
        if spend and not (all(isfinite(x) and x > 0 for x in spend) and (self.q or 0.0) > 1):
            raise ValueError("broken lifetime model: p and gamma must be finite and above 0, q above 1")

    @property
    def kind(self) -> str:
        return LIFETIME

    @property
    def of(self) -> str:
        return self.learned_from

    @property
    def purchases(self) -> BgNbd:
        """The population's way of buying and leaving."""
        from stream.predict.alive import BgNbd

        return BgNbd(self.r, self.alpha, self.a, self.b)

    @property
    def spend(self) -> GammaGamma | None:
        """What the population's orders are worth; None where that is not known."""
        from stream.predict.spend import GammaGamma

        if self.p is None or self.q is None or self.gamma is None:
            return None
        return GammaGamma(self.p, self.q, self.gamma)

    def numbers(self, names: Sequence[str]) -> Sequence[float] | None:
        known = {name: getattr(self, name) for name in (*PURCHASES, *SPEND)}
        found = [known.get(name) for name in names]
        return None if None in found else [float(x) for x in found if x is not None]

    @classmethod
    def from_json(cls, data: bytes) -> LifetimeModel:
        """Read one version; ValueError says in one sentence what is wrong with it."""
        try:
            model = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"broken lifetime model: {error}") from error
        return msgspec.structs.replace(model, trainer=model.trainer.copy())
