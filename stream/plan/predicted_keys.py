"""From the YAML of a feature that predicts to its accumulator."""

from __future__ import annotations

from collections.abc import Callable

from stream.events.names import MONEY_PROPERTIES
from stream.features.base import Accumulator
from stream.features.history import History, OrderHistory
from stream.features.predicted import Alive, Buys, LifetimeValue, OrderValue
from stream.plan.feature_keys import Keys
from stream.plan.learning import PERCENT

DAY = 86_400_000
#: The horizon of what customers spend, and what money loses in a year, where nobody says otherwise.
HORIZON, DISCOUNT = 365 * DAY, 0.1


def _history(keys: Keys, key: str, path: str | None = None) -> History | OrderHistory:
    """What the feature goes by: the purchases named under a key."""
    merge, orders = keys.longer("merge", DAY), keys.matched(key)
    if orders is None:
        return History(keys.names(key), merge, path)
    return OrderHistory(orders, merge, path)


def _only(keys: Keys, *own: str) -> None:
    """Beside the keys of the feature those of all of them are allowed, and no others."""
    keys.mapping.only(*own, "less", "by", "merge", *(("last",) if keys.has("less") else ()))


def _alive(keys: Keys) -> Accumulator:
    _only(keys, "alive")
    return Alive(_history(keys, "alive"))


def _buys(word: str) -> Callable[[Keys], Accumulator]:
    """The reader of ``buys`` or ``expected``."""

    def read(keys: Keys) -> Accumulator:
        _only(keys, word, "within")
        keys.mapping.require("within")
        return Buys(_history(keys, word), keys.longer("within", HORIZON), often=word == "expected")

    return read


def _order_value(keys: Keys) -> Accumulator:
    _only(keys, "order_value", "of")
    return OrderValue(_valued(keys, "order_value"))


def _clv(keys: Keys) -> Accumulator:
    _only(keys, "clv", "of", "within", "discount")
    return LifetimeValue(_valued(keys, "clv"), keys.longer("within", HORIZON), _discount(keys))


def _valued(keys: Keys, word: str) -> History | OrderHistory:
    """Purchases and the property that says what they are worth, which is money."""
    keys.mapping.require("of")
    path = keys.number(word)
    if path not in MONEY_PROPERTIES:
        keys.wrong(word, f"{path!r} is no amount of money; say what an order is worth, such as total")
    return _history(keys, "of", path)


def _discount(keys: Keys) -> float:
    if not keys.has("discount"):
        return DISCOUNT
    text = keys.mapping.entries["discount"].text()
    if PERCENT.fullmatch(text):
        return round(float(text[:-1]) / 100, 12)
    keys.wrong("discount", "'discount' is what money loses in a year, from 0% to below 1000%, such as 10%")
    return DISCOUNT


PREDICTED: dict[str, Callable[[Keys], Accumulator]] = {
    "alive": _alive,
    "buys": _buys("buys"),
    "clv": _clv,
    "expected": _buys("expected"),
    "order_value": _order_value,
}
