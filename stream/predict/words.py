"""What the model of lifetimes says of a population, in words that need no statistics."""

from __future__ import annotations

from stream.durations import UNITS
from stream.features.fading import alive_until, buys, expected
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.spends import CORRELATED

DAY = UNITS["d"]
YEAR = 365 * DAY
#: The customer that is told of as an example: so many orders, so many days apart.
ORDERS, APART = 5, 30


def sentences(model: LifetimeModel, currency: str) -> list[str]:
    """What its parameters mean; ``currency`` is that of its order values."""
    population = (model.r, model.alpha, model.a, model.b)
    again, often = buys(1, 0, 0, 0, float(YEAR), *population), expected(1, 0, 0, 0, float(YEAR), *population)
    found = [
        f"While they are customers they buy {model.r / model.alpha * YEAR:.3g} times a year on average, and differ "
        f"{_much(model.r)} in that (r {model.r:.3g}, alpha {model.alpha / DAY:.3g} days).",
        f"After a further order {model.a / (model.a + model.b):.1%} leave for good on average, and differ "
        f"{_much(model.a + model.b)} in that (a {model.a:.3g}, b {model.b:.3g}).",
        f"Who has just bought for the first time buys again within a year with a probability of {again:.0%}, and "
        f"{often:.2g} times on average.",
        _gone(model),
    ]
    spend = model.spend
    if spend is not None:
        found.append(
            f"An order is worth {spend.population_mean / 1e6:,.2f} {currency} on average "
            f"(p {spend.p:.3g}, q {spend.q:.3g}, gamma {spend.gamma / 1e6:.4g})."
        )
    return found


def _gone(model: LifetimeModel) -> str:
    """When a customer of a known rhythm is more likely gone than not."""
    first, last = 0, (ORDERS - 1) * APART * DAY
    who = f"Who has bought {ORDERS} times, {APART} days apart, is more likely gone than not"
    at = alive_until(ORDERS, first, last, last, 0.5, model.r, model.alpha, model.a, model.b)
    days = (at - last) / DAY
    if days <= 0 or days > 100 * 365:
        return f"{who} {'at once' if days <= 0 else 'never'}."
    return f"{who} after {days:.0f} days without an order."


def _much(shape: float) -> str:
    """How much customers differ, by the shape of a distribution over them."""
    return "very much" if shape < 1 else "much" if shape < 4 else "little"


def warnings(model: LifetimeModel) -> list[str]:
    """What to mind when going by it, a sentence each."""
    found = []
    if abs(model.correlation) > CORRELATED:
        wrong = "high" if model.correlation > 0 else "low"
        found.append(
            f"how often customers buy and what their orders are worth go together (correlation "
            f"{model.correlation:+.2f}, beyond {CORRELATED:g}), which the model takes for independent: what is said of "
            f"the orders of who has few is too {wrong}"
        )
    if model.unknown:
        names = ", ".join(model.unknown)
        found.append(
            f"the data do not tell {names} (at a bound of the search): predictions may be fair, the parameters are not"
        )
    return found
