"""A shop and its shoppers: one time-ordered stream of events, the same to the byte for the same options.

An agenda (a heap) holds what happens next: visits, orders, errands, price drops, empty shelves. Each entry writes
events at or after its own instant, so all events before the next entry are final. Memory grows with customers and
products, not with events. Who is which persona is told by `personas` alone; no event says so.
"""

from __future__ import annotations

import heapq
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from operator import itemgetter
from random import Random

from stream.errors import UserError
from stream.events.instant import LATEST_MS
from stream.simulate.catalogue import DROPS, STOCK_OUT_LASTS, STOCK_OUTS, Catalogue, Product
from stream.simulate.event import SimulatedEvent
from stream.simulate.personas import DAY_MS, PERSONAS, REORDERER, Gaps
from stream.simulate.shopper import NEVER, Shopper
from stream.simulate.teller import Teller
from stream.simulate.visit import Errand, Storefront

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

#: Events are handed on about this often (in simulated time): one sort of many instead of a heap of all.
SLICE_MS = 10 * MINUTE_MS

#: Nobody shops between midnight and this hour (UTC).
WAKING_HOUR = 6

#: From one newsletter to the next.
NEWS_MS = 10 * DAY_MS

#: Whom a drift brings, come for the first time within so long.
DRIFT_MS = 3 * DAY_MS

#: How long after a price drop the ones it moves come, on average.
REACTION = Gaps(0.4, 0.8)


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What is simulated. ``start_ms`` and ``days`` bound the events; ``events``, where given, ends them sooner.

    ``drift_day``, where given, is the day on which the world changes: ``drift_share`` of the customers are of a persona
    that nobody has until then (`REORDERER`), and come from then on. ``pace`` is how many times as long all gaps are as
    the personas say; with ``pages``, every product, search, cart and checkout is a page (a screen) viewed as well: what
    a web site tells whose every page load is tracked.
    """

    customers: int = 1000
    days: float = 90.0
    seed: int = 1
    start_ms: int = 1_735_689_600_000  # 2025-01-01
    events: int | None = None
    products: int = 500
    anonymous_share: float = 0.1
    currency: str = "EUR"
    drift_day: float | None = None
    drift_share: float = 0.2
    pace: float = 1.0
    pages: bool = False

    def __post_init__(self) -> None:
        """UserError where an option makes no sense."""
        if self.customers < 1 or self.products < 1 or self.days <= 0 or (self.events is not None and self.events < 0):
            raise UserError("a simulation needs at least one customer, one product and some time: check the numbers")
        if not 0 <= self.anonymous_share <= 1:
            raise UserError(f"the anonymous share is {self.anonymous_share} and must lie between 0 and 1")
        if self.drift_day is not None and not 0 <= self.drift_day < self.days:
            raise UserError(f"the drift on day {self.drift_day} is not within the {self.days} days of the simulation")
        if not 0 < self.drift_share < 1:
            raise UserError(f"the share of the drift is {self.drift_share} and must lie between 0 and 1")
        if not 0 < self.pace <= 100:
            raise UserError(
                f"the pace is {self.pace} and must lie between 0 and 100, in times of what the personas have"
            )
        if self.end_ms > LATEST_MS:
            raise UserError(f"{self.days} days from the start lie beyond the year 9999: ask for fewer")

    @property
    def end_ms(self) -> int:
        """The first instant that is no longer simulated."""
        return self.start_ms + int(self.days * DAY_MS)

    @property
    def drift_ms(self) -> int:
        """The instant from which the new persona comes; NEVER where there is none."""
        return NEVER if self.drift_day is None else self.start_ms + int(self.drift_day * DAY_MS)


def simulate(options: SimulationOptions) -> Iterator[SimulatedEvent]:
    """All events in the order of their instants."""
    return islice(_Simulation(options).events(), options.events)


def personas(options: SimulationOptions) -> Iterator[tuple[str, str]]:
    """The truth that no event tells: (customer id, persona name), customer by customer."""
    return ((shopper.id, shopper.persona.name) for shopper in _population(options))


def _population(options: SimulationOptions) -> Iterator[Shopper]:
    random = Random(f"{options.seed}:population")  # noqa: S311 - a simulation has to be repeatable
    drift = Random(f"{options.seed}:drift")  # noqa: S311 - the others are who they would be without it
    upper = list(accumulate(persona.share for persona in PERSONAS))
    for number in range(options.customers):
        persona = PERSONAS[min(bisect(upper, random.random() * upper[-1]), len(PERSONAS) - 1)]
        if options.drift_day is not None and drift.random() < options.drift_share:
            persona = REORDERER
        yield Shopper(number, persona, random.random() < options.anonymous_share)


class _Simulation:
    def __init__(self, options: SimulationOptions) -> None:
        self._options = options
        self._random = Random(f"{options.seed}:events")  # noqa: S311 - a simulation has to be repeatable
        self._catalogue = Catalogue(options.products, options.currency, self._random)
        self._agenda: list[tuple[int, int, Errand]] = []
        self._entries = 0
        self._wishers: dict[str, dict[int, Shopper]] = {product.id: {} for product in self._catalogue.products}
        self._teller = Teller(f"s{options.seed}-")
        self._store = Storefront(
            self._catalogue, self._random, self._teller, self._at, self._note_wish, pages=options.pages
        )

    def events(self) -> Iterator[SimulatedEvent]:
        self._open_shop()
        agenda, end = self._agenda, self._options.end_ms
        while agenda:
            until = agenda[0][0] + SLICE_MS
            while agenda and agenda[0][0] < until:
                at, _, act = heapq.heappop(agenda)
                act(at)
            yield from self._take_before(agenda[0][0] if agenda else end)

    def _open_shop(self) -> None:
        """Puts the first price drop of every product and the first visits of every shopper on the agenda."""
        options, random = self._options, self._random
        for product in self._catalogue.products:
            self._teller.tell_product(options.start_ms, product)
            self._at(options.start_ms + DROPS.draw_ms(random), partial(self._drop, product))
            self._at(options.start_ms + STOCK_OUTS.draw_ms(random), partial(self._sell_out, product))
        for shopper in _population(options):
            joins = options.start_ms
            if shopper.persona.joins_late:
                joins += int(random.random() * (options.end_ms - options.start_ms))
            elif shopper.persona is REORDERER:
                joins = options.drift_ms + int(random.random() * DRIFT_MS)
            shopper.settle(joins, self._catalogue.categories, options.pace, random)
            # Somewhere within the first gap: the others are customers already when the simulation begins.
            first_look = joins + int(random.random() * shopper.persona.visits.draw_ms(random, shopper.pace))
            self._at(first_look, partial(self._look, shopper))
            gap = shopper.gap_to_next_order(random)
            if gap < NEVER:
                first_order = joins + int(random.random() * gap)
                self._at(first_order, partial(self._order, shopper, first_order))
            if shopper.gets_mail:
                self._at(joins + int(random.random() * NEWS_MS), partial(self._mail, shopper))

    def _take_before(self, instant: int) -> list[SimulatedEvent]:
        """Removes the events before an instant, in order; those of one instant in the order they were written."""
        written = self._teller.out
        written.sort(key=itemgetter(0))
        at = bisect(written, instant - 1, key=itemgetter(0))
        ready = written[:at]
        del written[:at]
        return ready

    def _at(self, instant: int, act: Errand) -> None:
        """Puts something on the agenda, unless the simulation is over by then."""
        if instant < self._options.end_ms:
            self._entries += 1
            heapq.heappush(self._agenda, (instant, self._entries, act))

    def _note_wish(self, shopper: Shopper, product: Product) -> None:
        self._wishers[product.id][shopper.number] = shopper

    def _look(self, shopper: Shopper, at: int) -> None:
        if not self._can_come(shopper, at, partial(self._look, shopper)):
            return
        shopper.busy_until = self._store.look(at, shopper) + MINUTE_MS
        gap = HOUR_MS + shopper.persona.visits.draw_ms(self._random, shopper.pace)
        self._at(shopper.by_habit(at + gap, self._random), partial(self._look, shopper))

    def _order(self, shopper: Shopper, due: int, at: int) -> None:
        if not self._can_come(shopper, at, partial(self._order, shopper, due)):
            return
        shopper.busy_until = self._store.buy(at, shopper) + MINUTE_MS
        gap = shopper.gap_to_next_order(self._random)
        if gap < NEVER:
            # Counted from when it was due, so that sleeping does not stretch the cadence; an absence does.
            following = max((due if at - due < DAY_MS else at) + gap, at + HOUR_MS)
            self._at(following, partial(self._order, shopper, following))

    def _mail(self, shopper: Shopper, at: int) -> None:
        """The next newsletter, also to those who no longer come; none before the shop knows them."""
        if shopper.introduced:
            self._store.send_news(at, shopper)
        if shopper.gets_mail:
            self._at(at + NEWS_MS, partial(self._mail, shopper))

    def _answer(self, shopper: Shopper, product: Product, at: int) -> None:
        if self._can_come(shopper, at, partial(self._answer, shopper, product)) and product in shopper.wishes:
            shopper.busy_until = self._store.answer_drop(at, shopper, product) + MINUTE_MS

    def _can_come(self, shopper: Shopper, at: int, again: Errand) -> bool:
        """Whether the shopper is there, awake and not in the middle of a visit; else ``again`` waits for that."""
        when = max(shopper.next_instant_here(at, self._random), shopper.busy_until)
        hour = when // HOUR_MS % 24
        if hour < WAKING_HOUR:
            when += int((WAKING_HOUR - hour + 2 * self._random.random()) * HOUR_MS)
        if when > at:
            self._at(when, again)
        return when <= at

    def _drop(self, product: Product, at: int) -> None:
        over = self._catalogue.drop(product, at, self._random)
        self._teller.tell_product(at, product)
        self._at(over, partial(self._raise, product))
        wishers = self._wishers[product.id]
        for number, shopper in list(wishers.items()):
            if product not in shopper.wishes:
                del wishers[number]
            elif self._random.random() < shopper.persona.reacts_to_drop:
                self._at(at + REACTION.draw_ms(self._random), partial(self._answer, shopper, product))

    def _raise(self, product: Product, at: int) -> None:
        """The price is what it was before the drop."""
        product.price_at(product.base_cents)
        product.offer_ends = None
        self._teller.tell_product(at, product)
        self._at(at + DROPS.draw_ms(self._random), partial(self._drop, product))

    def _sell_out(self, product: Product, at: int) -> None:
        product.in_stock = False
        self._teller.tell_product(at, product)
        self._at(at + STOCK_OUT_LASTS.draw_ms(self._random), partial(self._restock, product))

    def _restock(self, product: Product, at: int) -> None:
        product.in_stock = True
        self._teller.tell_product(at, product)
        self._at(at + STOCK_OUTS.draw_ms(self._random), partial(self._sell_out, product))
