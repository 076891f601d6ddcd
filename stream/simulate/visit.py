"""What shoppers do: a visit becomes events, from the first page to the order. Errands (refund, review) follow later."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import orjson

from stream.events.instant import iso
from stream.events.names import PRODUCT_UPDATED
from stream.events.routing import Topic, topic_of
from stream.simulate.catalogue import Catalogue, Product
from stream.simulate.event import SimulatedEvent
from stream.simulate.personas import DAY_MS
from stream.simulate.shopper import MOST_IN_CART, MOST_WISHES, Shopper

_COUNTRIES = ("DE", "FR", "AT", "NL", "IT", "ES", "PL", "SE")
_PLANS = ("basic", "basic", "basic", "plus", "premium")
_PAGES = ("/", "/", "/sale", "/new", "/stories")

#: Later work of a visit: at this instant, do that.
Errand = Callable[[int], None]


class Storefront:
    """Writes the events of visits into ``out``; asks ``later`` to run errands and ``wished`` to note a new wish."""

    def __init__(
        self,
        catalogue: Catalogue,
        random: Random,
        id_prefix: str,
        later: Callable[[int, Errand], None],
        wished: Callable[[Shopper, Product], None],
    ) -> None:
        self.out: list[SimulatedEvent] = []
        self._catalogue = catalogue
        self._random = random
        self._id_prefix = id_prefix
        self._count = 0
        self._order_count = 0
        self._later = later
        self._wished = wished
        self._topics: dict[str, Topic] = {}

    def tell(self, at: int, shopper: Shopper, event: str, properties: dict[str, Any]) -> None:
        """One track event of a shopper."""
        topic = self._topics.get(event) or self._topics.setdefault(event, topic_of(event))
        wire = {
            "messageId": self._next_id(),
            "type": "track",
            shopper.id_field: shopper.id,
            "event": event,
            "timestamp": iso(at),
            "properties": properties,
        }
        self.out.append(SimulatedEvent(at, topic, shopper.key, orjson.dumps(wire)))

    def tell_product(self, at: int, product: Product) -> None:
        """Product Updated: the price, offer and stock of a product as they are now."""
        wire = {
            "messageId": self._next_id(),
            "type": "track",
            "event": PRODUCT_UPDATED,
            "timestamp": iso(at),
            "properties": product.update(),
        }
        self.out.append(SimulatedEvent(at, "products", product.id.encode(), orjson.dumps(wire)))

    def look(self, at: int, shopper: Shopper) -> int:
        """A visit that plans no order; the instant of its end."""
        at = self._enter(at, shopper)
        at = self._browse(at, shopper)
        if shopper.cart and self._random.random() < 0.5:
            at = self._review_cart(at, shopper)
            if shopper.cart and self._random.random() < shopper.persona.checkout_left_per_visit:
                self.tell(at, shopper, "Checkout Started", {"value": _total(shopper.cart) / 100, **self._money})
        return at

    def buy(self, at: int, shopper: Shopper) -> int:
        """A visit that ends with an order, unless all that is wanted is sold out; the instant of its end."""
        at = self._enter(at, shopper)
        at = self._browse(at, shopper)
        wanted = min(MOST_IN_CART, 1 + int(self._random.expovariate(1 / max(shopper.persona.basket - 1, 0.01)) + 0.3))
        for _ in range(wanted - len(shopper.cart)):
            product = self._catalogue.pick(shopper.tastes, self._random)
            self.tell(at, shopper, "Product Viewed", product.card)
            at = self._add_to_cart(at + self._pause(), shopper, product)
        return self._check_out(at, shopper)

    def answer_drop(self, at: int, shopper: Shopper, product: Product) -> int:
        """A visit because a wished product became cheaper: it is bought if it still is; the instant of its end."""
        self.tell(at, shopper, "Email Opened", {"campaign": "price-drop"})
        self.tell(at + 1500, shopper, "Email Link Clicked", {"campaign": "price-drop"})
        at += 1500 + self._pause()
        self.tell(at, shopper, "Product Viewed", product.card)
        at += self._pause()
        if product.cents >= product.base_cents or not product.in_stock or product not in shopper.wishes:
            return at
        at = self._add_to_cart(at, shopper, product)
        return self._check_out(at, shopper)

    @property
    def _money(self) -> dict[str, Any]:
        return {"currency": self._catalogue.products[0].currency}

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._id_prefix}{self._count}"

    def _pause(self) -> int:
        """Time between two steps: seconds, at times a minute."""
        draw = self._random.random()
        return 1500 + int(60_000 * draw * draw * draw)

    def _enter(self, at: int, shopper: Shopper) -> int:
        random = self._random
        if not shopper.introduced:
            shopper.introduced = True
            self._introduce(at, shopper)
            at += self._pause()
        if random.random() < shopper.persona.email_before_visit:
            self.tell(at, shopper, "Email Opened", {"campaign": "news"})
            at += 2000
            if random.random() < 0.6:
                self.tell(at, shopper, "Email Link Clicked", {"campaign": "news"})
                at += 1000
        self._page(at, shopper, _PAGES[int(random.random() * len(_PAGES))])
        at += self._pause()
        if random.random() < shopper.persona.searches:
            self.tell(at, shopper, "Products Searched", {"query": shopper.tastes[0]})
            at += self._pause()
        return at

    def _introduce(self, at: int, shopper: Shopper) -> None:
        random = self._random
        year, month, day = (int(random.random() * count) for count in (60, 12, 28))
        traits = {
            "country": random.choice(_COUNTRIES),
            "birthday": f"{1945 + year}-{month + 1:02d}-{day + 1:02d}",
            "plan": random.choice(_PLANS),
            "interests": list(shopper.tastes),
        }
        wire = {
            "messageId": self._next_id(),
            "type": "identify",
            shopper.id_field: shopper.id,
            "timestamp": iso(at),
            "traits": traits,
        }
        self.out.append(SimulatedEvent(at, "profiles", shopper.key, orjson.dumps(wire)))

    def _page(self, at: int, shopper: Shopper, path: str) -> None:
        wire = {
            "messageId": self._next_id(),
            "type": "page",
            shopper.id_field: shopper.id,
            "timestamp": iso(at),
            "properties": {"path": path},
        }
        self.out.append(SimulatedEvent(at, "clickstream", shopper.key, orjson.dumps(wire)))

    def _browse(self, at: int, shopper: Shopper) -> int:
        random, persona = self._random.random, shopper.persona
        for _ in range(int(self._random.expovariate(1 / persona.views) + 0.5)):
            wishes = shopper.wishes
            if wishes and random() < persona.look_at_wish_per_view:
                product = wishes[int(random() * len(wishes))]
            else:
                product = self._catalogue.pick(shopper.tastes, self._random)
            self.tell(at, shopper, "Product Viewed", product.card)
            at += self._pause()
            draw = random()
            if draw < persona.wish_per_view:
                at = self._wish(at, shopper, product)
            elif draw < persona.wish_per_view + persona.cart_per_view:
                at = self._add_to_cart(at, shopper, product)
            elif draw > 1 - persona.share_per_view:
                self.tell(at, shopper, "Product Shared", {"product_id": product.id})
                at += self._pause()
        return at

    def _wish(self, at: int, shopper: Shopper, product: Product) -> int:
        if product in shopper.wishes:
            return at
        if len(shopper.wishes) >= MOST_WISHES:
            at = self._unwish(at, shopper, shopper.wishes[0])
        shopper.wishes.append(product)
        self._wished(shopper, product)
        self.tell(at, shopper, "Product Added to Wishlist", product.card)
        return at + self._pause()

    def _unwish(self, at: int, shopper: Shopper, product: Product) -> int:
        shopper.wishes.remove(product)
        self.tell(at, shopper, "Product Removed from Wishlist", {"product_id": product.id})
        return at + self._pause()

    def _add_to_cart(self, at: int, shopper: Shopper, product: Product) -> int:
        if not product.in_stock or product in shopper.cart or len(shopper.cart) >= MOST_IN_CART:
            return at
        shopper.cart.append(product)
        self.tell(at, shopper, "Product Added", {**product.card, "quantity": 1})
        return at + self._pause()

    def _review_cart(self, at: int, shopper: Shopper) -> int:
        """Looks into the cart; what is sold out goes, and at times something else does."""
        self.tell(at, shopper, "Cart Viewed", {"items": len(shopper.cart)})
        at += self._pause()
        keep: list[Product] = []
        for product in shopper.cart:
            if product.in_stock and (not keep or self._random.random() > 0.1):
                keep.append(product)
            else:
                self.tell(at, shopper, "Product Removed", {**product.card, "quantity": 1})
                at += self._pause()
        shopper.cart = keep
        return at

    def _check_out(self, at: int, shopper: Shopper) -> int:
        at = self._review_cart(at, shopper)
        bought = shopper.cart
        if not bought:
            return at
        self.tell(at, shopper, "Checkout Started", {"value": _total(bought) / 100, **self._money})
        at += self._pause()
        shopper.cart = []
        shopper.orders += 1
        self._order_count += 1
        order = {
            "order_id": f"o{self._order_count}",
            "total": _total(bought) / 100,
            **self._money,
            "discount": sum(product.base_cents - product.cents for product in bought) / 100,
            "products": [{**product.card, "quantity": 1} for product in bought],
        }
        self.tell(at, shopper, "Order Completed", order)
        self._plan_errands(at, shopper, order)
        at += self._pause()
        for product in bought:
            if product in shopper.wishes:
                at = self._unwish(at, shopper, product)
        return at

    def _plan_errands(self, at: int, shopper: Shopper, order: dict[str, Any]) -> None:
        random, persona = self._random.random, shopper.persona
        if random() < persona.refund_per_order:
            refund = {"order_id": order["order_id"], "total": order["total"], **self._money}
            when = at + int((3 + 12 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "Order Refunded", refund))
        elif random() < persona.review_per_order:
            review = {"product_id": order["products"][0]["product_id"], "rating": 3 + int(random() * 3)}
            when = at + int((4 + 6 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "Product Reviewed", review))


def _total(products: list[Product]) -> int:
    """What the products cost together, in cents."""
    return sum(product.cents for product in products)
