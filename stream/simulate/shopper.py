"""One customer of the simulation: who they are and what they have on their lists."""

from __future__ import annotations

from random import Random

from stream.simulate.catalogue import Product
from stream.simulate.personas import DAY_MS, Persona

#: A wishlist and a cart hold no more than this.
MOST_WISHES = 20
MOST_IN_CART = 6

NEVER = 1 << 62

#: What a shopper may seek most, and the ways to pay, the usual ones more often.
BENEFITS = ("price", "quality", "convenience", "novelty", "service")
PAYMENTS = ("credit_card", "credit_card", "credit_card", "paypal", "paypal", "invoice", "direct_debit", "gift_card")


class Shopper:
    """The state of one shopper; small, since there may be millions."""

    __slots__ = (
        "brand",
        "busy_until",
        "cart",
        "gets_mail",
        "hour",
        "id",
        "id_field",
        "in_app",
        "introduced",
        "key",
        "leaves_at",
        "left_in_burst",
        "number",
        "orders",
        "pace",
        "pays",
        "persona",
        "returns_at",
        "seeks",
        "tastes",
        "watches",
        "weekday",
        "wishes",
    )

    def __init__(self, number: int, persona: Persona, anonymous: bool) -> None:
        self.number = number
        self.persona = persona
        self.id_field = "anonymousId" if anonymous else "userId"
        self.id = f"{'a' if anonymous else 'c'}{number}"
        self.key = self.id.encode()
        self.introduced = anonymous
        self.orders = 0
        self.busy_until = 0
        self.left_in_burst = 0
        self.cart: list[Product] = []
        self.wishes: list[Product] = []
        self.pace = 1.0
        self.tastes: tuple[str, ...] = ()
        self.in_app = False
        self.gets_mail = not anonymous
        self.seeks = ""
        self.brand = ""
        self.pays = ""
        self.watches = False
        self.hour = 0
        self.weekday = 0
        self.leaves_at = NEVER
        self.returns_at = NEVER

    def settle(self, joins_at: int, categories: list[str], pace: float, random: Random) -> None:
        """Draws what makes this customer differ from others of the same persona; ``pace`` is that of all."""
        self.pace = pace * random.lognormvariate(0, 0.15)
        self.tastes = tuple(random.sample(categories, min(3, len(categories))))
        self.in_app = random.random() < self.persona.in_app
        self.seeks = self.persona.seeks if random.random() < 0.7 else random.choice(BENEFITS)
        self.pays = random.choice(PAYMENTS)
        self.watches = random.random() < self.persona.watches
        self.hour = 7 + int(random.random() * 15)
        self.weekday = int(random.random() * 7)
        self._plan_stay(joins_at, random)

    def by_habit(self, at: int, random: Random) -> int:
        """An instant not before ``at``: mostly at the shopper's hour (UTC) of the next day that is theirs."""
        if random.random() >= self.persona.habit:
            return at
        days, minute = at // DAY_MS, int(random.random() * 3_600_000)
        if self.persona.weekly:
            days += (self.weekday - days) % 7
        at_hour = days * DAY_MS + self.hour * 3_600_000 + minute
        return at_hour if at_hour >= at else at_hour + (7 if self.persona.weekly else 1) * DAY_MS

    def next_instant_here(self, at: int, random: Random) -> int:
        """``at`` where the customer is there then, else an instant after the return, NEVER if there is none."""
        while at >= self.returns_at:
            self._plan_stay(self.returns_at, random)
        if at < self.leaves_at:
            return at
        return NEVER if self.returns_at == NEVER else self.returns_at + int(random.random() * DAY_MS)

    def _plan_stay(self, begins: int, random: Random) -> None:
        stay = self.persona.stay
        if stay is None:
            self.leaves_at, self.returns_at = NEVER, NEVER
            return
        self.leaves_at = begins + stay.length.draw_ms(random, self.pace)
        comes_back = stay.away is not None and random.random() < stay.returns
        self.returns_at = self.leaves_at + stay.away.draw_ms(random, self.pace) if comes_back and stay.away else NEVER

    def gap_to_next_order(self, random: Random) -> int:
        """Milliseconds to the next order, NEVER where this customer plans none."""
        persona = self.persona
        if persona.orders is None or (persona.most_orders is not None and self.orders >= persona.most_orders):
            return NEVER
        if persona.bursts is not None:
            if self.left_in_burst <= 0:
                self.left_in_burst = 1 + int(random.expovariate(1 / max(persona.bursts.orders - 1, 0.01)) + 0.5)
                return persona.bursts.quiet.draw_ms(random, self.pace)
            self.left_in_burst -= 1
        return persona.orders.draw_ms(random, self.pace)
