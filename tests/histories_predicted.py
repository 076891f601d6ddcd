"""Histories of customers of whom something is predicted, by the model of lifetimes of the CDNOW sample."""

from __future__ import annotations

from stream.features.propensity import Propensity
from stream.predict.lifetime_model import LifetimeModel
from stream.predict.propensity import PropensityModel
from tests.histories import BEGINS_MS, DAY_MS, did, ordered, told
from tests.histories_behaviour import CUTS_FROM

MODEL = LifetimeModel(
    1, BEGINS_MS + round(CUTS_FROM * DAY_MS), 0.243, 4.414 * 7 * DAY_MS, 0.793, 2.426, 6.25, 3.74, 15.44e6
)
#: As :data:`tests.histories_behaviour.CUTS` has them.
PREDICTED_CUTS: dict[str, dict[str, dict[float, float]]] = {
    "predicted-value": {"clv": {0.95: 400, 0.92: 350, 0.75: 150, 0.7: 130, 0.4: 50, 0.35: 45}},
    "win-back-worth": {"order_value": {0.7: 60}},
}

#: Input -> scale and weight, as learned here of the one prediction that ships: who has ordered more is likelier to
#: order again, who is silent for longer is not.
WILL_BUY = {"orders": (1.0, 1.0), "since_order": (10.0 * DAY_MS, -0.2)}
#: When it was learned.
WILL_BUY_FROM = 30


def will_buy(prediction: Propensity) -> PropensityModel:
    """A version that goes by these two alone."""
    parts, d = prediction.parts, len(prediction.parts)
    learned = [WILL_BUY.get(name, (1.0, 0.0)) for name in parts]
    return PropensityModel(
        1,
        BEGINS_MS + WILL_BUY_FROM * DAY_MS,
        prediction.within,
        parts,
        (0.0,) * d,
        (0.0,) * (2 * d),
        (*(scale for scale, _ in learned), *(1.0 for _ in parts)),
        (*(weight for _, weight in learned), *(0.0 for _ in parts)),
        -1.8,
        name=prediction.kind,
    )


OFTEN = (1, 11, 21, 31, 41, 51)

PREDICTED = [
    told("likely-to-churn", did("Page Viewed", 1), day_2="not-judged"),
    told("likely-to-churn", ordered(1), day_2="bought-once", day_300="bought-once"),
    told(
        "likely-to-churn",
        ordered(*OFTEN),
        day_52="likely-to-return",
        day_110="unlikely-to-return",
        day_300="probably-gone",
    ),
    told("likely-to-buy", did("Page Viewed", 1), day_2="not-asked-about", day_60="not-about-to-buy"),
    told(
        "likely-to-buy",
        ordered(25, 60, 62),
        day_29="not-asked-about",
        day_31="might-buy",
        day_63="about-to-buy",
        day_160="might-buy",
    ),
    told("predicted-value", did("Page Viewed", 1), day_2="not-predicted"),
    told("predicted-value", ordered(1), day_2="will-bring-little"),
    told(
        "predicted-value",
        ordered(*OFTEN, total=100),
        day_52="will-be-precious",
        day_110="will-be-valuable",
        day_140="will-be-ordinary",
        day_300="will-bring-little",
    ),
    told("win-back-worth", ordered(1), day_2="no-need"),
    told("win-back-worth", ordered(*OFTEN, total=100), day_52="no-need", day_120="worth-it", day_500="too-late"),
    told("win-back-worth", ordered(*OFTEN, total=20), day_120="not-worth-it"),
]
