"""What shoppers do: a visit becomes events, from the first page to the order. Errands (refund, review) follow later."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from stream.simulate.catalogue import Catalogue, Product
from stream.simulate.personas import DAY_MS
from stream.simulate.profile import TIERS, traits
from stream.simulate.shopper import MOST_IN_CART, MOST_WISHES, Shopper
from stream.simulate.teller import Teller
from stream.simulate.watching import Screening

_PAGES = ("/", "/", "/sale", "/new", "/stories")
#: Where shoppers who seek something begin, and what they sort and filter by.
_PAGE_OF = {"price": "/sale", "novelty": "/new", "service": "/help"}
_SORTED_BY = {"price": "price", "quality": "rating", "novelty": "newest"}
_FILTERED_BY = {"quality": "premium", "convenience": "fast-delivery"}
#: The pages on which events happen, for shoppers whose every page is told.
_PATHS = {
    "Product Viewed": "/products/{product_id}",
    "Products Searched": "/search",
    "Product List Filtered": "/categories/{category}",
    "Cart Viewed": "/cart",
    "Checkout Started": "/checkout",
    "Order Completed": "/orders/{order_id}",
}
_NETWORKS = ("instagram", "tiktok", "pinterest")
#: What taking a return back costs the shop, in cents.
_RETURN_CENTS = 600

#: Later work of a visit: at this instant, do that.
Errand = Callable[[int], None]


class Storefront:
    """Has the events of visits told; asks ``later`` to run errands and ``wished`` to note a new wish."""

    def __init__(
        self,
        catalogue: Catalogue,
        random: Random,
        teller: Teller,
        later: Callable[[int, Errand], None],
        wished: Callable[[Shopper, Product], None],
        *,
        pages: bool = False,
    ) -> None:
        self._catalogue = catalogue
        self._random = random
        self._teller = teller
        self.tell = self._tell_with_page if pages else teller.tell
        self._screening = Screening(teller, random)
        self._order_count = 0
        self._later = later
        self._wished = wished

    def _tell_with_page(self, at: int, shopper: Shopper, event: str, properties: dict[str, Any]) -> None:
        """The event, and before it the page on which it happens."""
        if path := _PATHS.get(event):
            self._teller.tell_page(at, shopper, path.format_map(properties))
        self._teller.tell(at, shopper, event, properties)

    def look(self, at: int, shopper: Shopper) -> int:
        """A visit that plans no order; the instant of its end."""
        at = self._enter(at, shopper)
        at = self._browse(at, shopper)
        if shopper.cart and self._random.random() < 0.5:
            at = self._review_cart(at, shopper)
            if shopper.cart and self._random.random() < shopper.persona.checkout_left_per_visit:
                self.tell(at, shopper, "Checkout Started", {"value": _total(shopper.cart) / 100, **self._money})
        if shopper.watches and self._random.random() < 0.4:
            at = self._screening.sit(at + self._pause(), shopper)
        return at

    def buy(self, at: int, shopper: Shopper) -> int:
        """A visit that ends with an order, unless all that is wanted is sold out; the instant of its end."""
        at = self._enter(at, shopper)
        at = self._browse(at, shopper)
        wanted = min(MOST_IN_CART, 1 + int(self._random.expovariate(1 / max(shopper.persona.basket - 1, 0.01)) + 0.3))
        for _ in range(wanted - len(shopper.cart)):
            product = self._choose(shopper)
            self.tell(at, shopper, "Product Viewed", product.card)
            at = self._add_to_cart(at + self._pause(), shopper, product)
        return self._check_out(at, shopper)

    def _choose(self, shopper: Shopper) -> Product:
        """A product to buy: of the faithful mostly one of their brand, if one comes to hand."""
        product = self._catalogue.pick(shopper.tastes, self._random)
        if shopper.brand and self._random.random() < shopper.persona.faithful:
            for _ in range(12):
                if product.brand == shopper.brand:
                    break
                product = self._catalogue.pick(shopper.tastes, self._random)
        return product

    def answer_drop(self, at: int, shopper: Shopper, product: Product) -> int:
        """A visit because a wished product became cheaper: it is bought if it still is; the instant of its end."""
        if shopper.gets_mail:
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

    def _pause(self) -> int:
        """Time between two steps: seconds, at times a minute."""
        draw = self._random.random()
        return 1500 + int(60_000 * draw * draw * draw)

    def _enter(self, at: int, shopper: Shopper) -> int:
        random = self._random
        if not shopper.introduced:
            shopper.introduced = True
            self._teller.tell_traits(at, shopper, traits(at, shopper, random))
            at += self._pause()
        at = self._arrive(at, shopper)
        draw = random.random()
        page = _PAGE_OF.get(shopper.seeks) if draw < 0.4 else None
        self._teller.tell_page(at, shopper, page or _PAGES[int(random.random() * len(_PAGES))])
        at += self._pause()
        if draw < 0.03 and shopper.seeks == "service":
            self.tell(at, shopper, "Live Chat Conversation Started", {"conversation_id": f"{shopper.id}-{at}"})
            at += self._pause()
        if random.random() < shopper.persona.searches:
            at = self._search(at, shopper)
        return at

    def _arrive(self, at: int, shopper: Shopper) -> int:
        """What brought the shopper here, where something did: a mail, a push, a post of a friend."""
        random = self._random.random
        if shopper.gets_mail and random() < shopper.persona.email_before_visit:
            self.tell(at, shopper, "Email Opened", {"campaign": "news"})
            at += 2000
            if random() < 0.6:
                self.tell(at, shopper, "Email Link Clicked", {"campaign": "news"})
                at += 1000
        if random() < shopper.persona.social_before_visit:
            network = _NETWORKS[int(random() * len(_NETWORKS))]
            self.tell(at, shopper, "Social Link Clicked", {"network": network})
            at += 1000
        elif shopper.in_app and random() < 0.3:
            self.tell(at, shopper, "Push Notification Tapped", {"campaign": "news"})
            at += 1000
        return at

    def _search(self, at: int, shopper: Shopper) -> int:
        self.tell(at, shopper, "Products Searched", {"query": shopper.tastes[0]})
        at += self._pause()
        if self._random.random() < 0.3:
            found: dict[str, Any] = {"category": shopper.tastes[0]}
            if shopper.seeks in _SORTED_BY:
                found["sorted_by"] = _SORTED_BY[shopper.seeks]
            if shopper.seeks in _FILTERED_BY:
                found["filtered_by"] = _FILTERED_BY[shopper.seeks]
            self.tell(at, shopper, "Product List Filtered", found)
            at += self._pause()
        return at

    def send_news(self, at: int, shopper: Shopper) -> None:
        """The newsletter; at times somebody has had enough of it."""
        self.tell(at, shopper, "Email Delivered", {"campaign": "news"})
        if self._random.random() < shopper.persona.unsubscribes_per_mail:
            self.tell(at + 3_600_000, shopper, "Unsubscribed", {"campaign": "news"})
            shopper.gets_mail = False

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
        shopper.brand = shopper.brand or bought[0].brand
        shopper.orders += 1
        self._order_count += 1
        order = self._order(shopper, bought)
        if shopper.seeks == "price" and self._random.random() < 0.5:
            order["coupon"] = "FREESHIP"
            self.tell(at, shopper, "Coupon Applied", {"coupon_id": "FREESHIP", "order_id": order["order_id"]})
            at += 1000
        self.tell(at, shopper, "Order Completed", order)
        if shopper.orders in TIERS and shopper.id_field == "userId":
            self._teller.tell_traits(at + 500, shopper, {"tier": TIERS[shopper.orders]})
        self._plan_errands(at, shopper, order)
        at += self._pause()
        for product in bought:
            if product in shopper.wishes:
                at = self._unwish(at, shopper, product)
        return at

    def _order(self, shopper: Shopper, bought: list[Product]) -> dict[str, Any]:
        """The properties of Order Completed."""
        total, costs = _total(bought), sum(product.cost_cents for product in bought)
        fast = shopper.seeks == "convenience" and self._random.random() < 0.8
        return {
            "order_id": f"o{self._order_count}",
            "total": total / 100,
            **self._money,
            "discount": sum(product.base_cents - product.cents for product in bought) / 100,
            "margin": (total - costs) / 100,
            "payment_method": shopper.pays,
            "shipping_method": "express" if fast else "standard",
            "products": [{**product.card, "quantity": 1} for product in bought],
        }

    def _plan_errands(self, at: int, shopper: Shopper, order: dict[str, Any]) -> None:
        """What comes of an order days later: a return or a review, an answer to a survey, a friend invited."""
        random, persona = self._random.random, shopper.persona
        if random() < persona.refund_per_order:
            refund = {
                "order_id": order["order_id"],
                "total": order["total"],
                "margin": round(order["margin"] + _RETURN_CENTS / 100, 2),
                **self._money,
            }
            when = at + int((3 + 12 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "Order Refunded", refund))
        elif random() < persona.review_per_order:
            rating = max(1, min(5, round(1 + 4 * persona.content + 1.6 * (random() - 0.5))))
            review = {"product_id": order["products"][0]["product_id"], "rating": rating}
            when = at + int((4 + 6 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "Product Reviewed", review))
        if random() < 0.08:
            score = {"score": max(0, min(10, round(11 * persona.content + 5 * (random() - 0.5))))}
            when = at + int((10 + 4 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "NPS Survey Answered", score))
        if random() < persona.invites_per_order:
            when = at + int((1 + 9 * random()) * DAY_MS)
            self._later(when, lambda now: self.tell(now, shopper, "Invite Sent", {"invitee": f"friend-{now}"}))


def _total(products: list[Product]) -> int:
    """What the products cost together, in cents."""
    return sum(product.cents for product in products)
