"""The kinds of shoppers there are, each with a cadence and habits of its own. All figures are means over customers."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import Literal

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Gaps:
    """How long until the next time: a law with a mean in days and a spread (standard deviation / mean).

    ``gamma`` with a small spread is a habit, with spread 1 pure chance; ``lognormal`` now and then waits very long.
    """

    mean_days: float
    spread: float
    law: Literal["gamma", "lognormal"] = "gamma"

    def draw_ms(self, random: Random, pace: float = 1.0) -> int:
        """One gap in milliseconds, ``pace`` times as long as the mean customer's."""
        if self.law == "gamma":
            shape = 1 / (self.spread * self.spread)
            days = random.gammavariate(shape, self.mean_days / shape)
        else:
            variance = log(1 + self.spread * self.spread)
            days = random.lognormvariate(log(self.mean_days) - variance / 2, sqrt(variance))
        return int(days * pace * DAY_MS)


@dataclass(frozen=True, slots=True)
class Bursts:
    """Orders in bursts: so many on average, then a long quiet time."""

    orders: float
    quiet: Gaps


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a customer stays before leaving, whether the customer comes back, and after how long."""

    length: Gaps
    returns: float = 0.0
    away: Gaps | None = None


@dataclass(frozen=True, slots=True)
class Persona:
    """Habits. Everything without a unit is a probability, per product view, visit or order as its name says."""

    name: str
    share: float
    #: Between visits that only look.
    visits: Gaps
    #: Between orders; None: buys at most when a wished product becomes cheaper.
    orders: Gaps | None = None
    bursts: Bursts | None = None
    stay: Stay | None = None
    #: The customer buys no more after so many orders.
    most_orders: int | None = None
    #: Joins at any time of the simulation instead of being there from its beginning.
    joins_late: bool = False
    #: Mean number of products looked at in a visit, and of products in an order.
    views: float = 4.0
    basket: float = 1.6
    searches: float = 0.3
    email_before_visit: float = 0.1
    wish_per_view: float = 0.02
    look_at_wish_per_view: float = 0.05
    cart_per_view: float = 0.03
    checkout_left_per_visit: float = 0.0
    share_per_view: float = 0.005
    #: Comes when a wished product becomes cheaper, and then buys it.
    reacts_to_drop: float = 0.0
    refund_per_order: float = 0.05
    review_per_order: float = 0.1
    #: What most of these shoppers seek (see BENEFITS), and how content they are: 0 not at all, 1 entirely.
    seeks: str = "quality"
    #: How many of the products that they buy have the brand of their first order.
    faithful: float = 0.0
    content: float = 0.7
    #: How many of these shoppers use the app, and how many watch the shop's films.
    in_app: float = 0.15
    watches: float = 0.08
    social_before_visit: float = 0.03
    unsubscribes_per_mail: float = 0.004
    invites_per_order: float = 0.02
    #: How many visits are at the shopper's own hour; ``weekly``: and on their own day of the week.
    habit: float = 0.2
    weekly: bool = False


PERSONAS: tuple[Persona, ...] = (
    Persona(
        "loyal-regular",
        0.10,
        Gaps(6, 0.6),
        Gaps(21, 0.3),
        basket=2.2,
        review_per_order=0.3,
        refund_per_order=0.03,
        faithful=0.9,
        seeks="convenience",
        content=0.9,
        in_app=0.3,
        habit=0.8,
        weekly=True,
        invites_per_order=0.1,
    ),
    Persona(
        "bargain-hunter",
        0.12,
        Gaps(4, 0.9),
        views=6,
        searches=0.6,
        email_before_visit=0.4,
        wish_per_view=0.12,
        look_at_wish_per_view=0.25,
        cart_per_view=0.0,
        reacts_to_drop=0.7,
        seeks="price",
        content=0.6,
        social_before_visit=0.08,
    ),
    Persona(
        "window-shopper",
        0.18,
        Gaps(2.5, 1.0),
        Gaps(400, 1.0),
        views=8,
        cart_per_view=0.01,
        share_per_view=0.01,
        seeks="novelty",
        watches=0.25,
        social_before_visit=0.15,
    ),
    Persona(
        "wishlist-dreamer",
        0.10,
        Gaps(3, 0.8),
        Gaps(150, 0.8),
        views=5,
        wish_per_view=0.2,
        look_at_wish_per_view=0.5,
        reacts_to_drop=0.1,
        seeks="novelty",
        social_before_visit=0.1,
    ),
    Persona(
        "one-time-buyer",
        0.14,
        Gaps(3, 0.8),
        Gaps(4, 0.8),
        stay=Stay(Gaps(12, 0.5)),
        most_orders=1,
        seeks="price",
        content=0.4,
        unsubscribes_per_mail=0.05,
    ),
    Persona(
        "seasonal-binger",
        0.08,
        Gaps(12, 0.8),
        Gaps(3, 0.6),
        bursts=Bursts(4, Gaps(75, 0.15)),
        basket=3.0,
        views=7,
        refund_per_order=0.15,
        faithful=0.3,
        seeks="novelty",
        content=0.65,
        watches=0.2,
    ),
    Persona(
        "churner",
        0.10,
        Gaps(5, 0.8),
        Gaps(12, 0.4),
        stay=Stay(Gaps(55, 0.4), returns=0.4, away=Gaps(80, 0.3)),
        faithful=0.4,
        seeks="service",
        content=0.25,
        in_app=0.0,
        unsubscribes_per_mail=0.02,
    ),
    Persona(
        "heavy-user",
        0.05,
        Gaps(0.8, 0.5),
        Gaps(7, 0.5),
        views=9,
        basket=2.5,
        searches=0.7,
        wish_per_view=0.05,
        share_per_view=0.03,
        review_per_order=0.5,
        content=0.85,
        in_app=0.6,
        watches=0.3,
        habit=0.6,
        invites_per_order=0.1,
    ),
    Persona(
        "newcomer",
        0.07,
        Gaps(4, 0.8),
        Gaps(35, 1.2, "lognormal"),
        joins_late=True,
        searches=0.6,
        seeks="service",
        in_app=0.4,
        social_before_visit=0.2,
    ),
    Persona(
        "cart-abandoner",
        0.06,
        Gaps(4, 0.7),
        Gaps(90, 0.7),
        cart_per_view=0.35,
        checkout_left_per_visit=0.4,
        reacts_to_drop=0.2,
        seeks="price",
        content=0.5,
    ),
)

#: Who comes where a simulation drifts (`SimulationOptions.drift_day`), and nobody is before: reorders one thing at a
#: time, often, in the app, without looking around. No other persona is near.
REORDERER = Persona(
    "reorderer",
    0.0,
    Gaps(30, 0.5),
    Gaps(2, 0.4),
    views=0.2,
    basket=1.0,
    searches=0.0,
    email_before_visit=0.02,
    cart_per_view=0.0,
    wish_per_view=0.0,
    refund_per_order=0.01,
    review_per_order=0.02,
    faithful=0.9,
    seeks="convenience",
    content=0.85,
    in_app=0.9,
    social_before_visit=0.0,
)
