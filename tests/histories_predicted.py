"""Histories of customers of whom something is predicted, by the model of lifetimes of the CDNOW sample."""

from __future__ import annotations

from stream.predict.lifetime_model import LifetimeModel
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
