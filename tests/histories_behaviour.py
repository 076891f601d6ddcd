"""Histories by what customers do: purchases, usage, engagement, benefits sought, journeys.

Small ones, to be read like a story; `CUTS` says where customers are divided by share, from the course of day 0 on.
"""

from __future__ import annotations

from tests.histories import HOUR, bought, did, ordered, played, told, viewed

#: Where customers are divided, by dimension and by what is measured: days for durations, whole units for money.
CUTS: dict[str, dict[str, dict[float, float]]] = {
    "rfm": {
        "since_order": {0.2: 10, 0.4: 20, 0.6: 30, 0.8: 40},
        "orders": {0.2: 1, 0.4: 2, 0.6: 3, 0.8: 4},
        "spend": {0.2: 100, 0.4: 200, 0.6: 300, 0.8: 400},
    },
    "basket": {"spend.mean": {0.8: 200}},
    "buying-style": {"spend.mean": {0.8: 200}, "views / orders": {0.7: 14}},
    "value": {"spend": {0.5: 100, 0.8: 400, 0.99: 1000}, "margin - lost": {0.8: 200, 0.99: 500}},
}
#: The day from which they hold.
CUTS_FROM = 0.5


SIX = (1, 11, 21, 31, 41, 51)

PURCHASES = [
    # Recency 10, 20, 30, 40 days; orders 1, 2, 3, 4; spend 100, 200, 300, 400 divide the fifths: see CUTS.
    told("rfm", did("Page Viewed", 1), day_2="no-orders"),
    told("rfm", ordered(0.1), day_0_2="unscored"),
    told(
        "rfm",
        ordered(1, 5, 10, 15, total=150),
        day_16="champions",
        day_40="loyal-customers",
        day_50="at-risk",
        day_60="cant-lose-them",
    ),
    told(
        "rfm",
        ordered(1, total=50),
        day_5="new-customers",
        day_15="promising",
        day_25="about-to-sleep",
        day_35="hibernating",
        day_45="lost",
    ),
    told("rfm", ordered(1, total=350), day_25="need-attention"),
    told("rfm", ordered(1, 3, total=50), day_5="potential-loyalists", day_25="about-to-sleep"),
    told("frequency", did("Page Viewed", 1), day_2="not-buying"),
    told("frequency", ordered(1), day_2="occasional", day_300="occasional"),
    told("frequency", ordered(1, 40), day_2="occasional", day_41="regular", day_92="occasional"),
    told("frequency", ordered(*SIX), day_45="regular", day_52="frequent", day_91="regular"),
    told("basket", did("Page Viewed", 1), day_2="no-basket"),
    told("basket", bought(1, "a"), day_2="single-item"),
    told("basket", bought(1, "a", "b"), day_2="small-basket"),
    told("basket", bought(1, "a", "b", "c"), bought(9, "d"), day_2="full-basket", day_10="small-basket"),
    told("basket", bought(1, "a", total=900), day_2="precious-basket"),
    told("discounts", ordered(1, 2, discount=5), day_3="too-few-orders"),
    told("discounts", ordered(1, 2, discount=5), ordered(3, coupon="SPRING"), day_4="discount-only"),
    told("discounts", ordered(1, 2, discount=5), ordered(3, discount=0), day_4="discount-leaning"),
    told("discounts", ordered(1, 2, 3), day_4="full-price"),
    told("returns", ordered(1), day_2="too-few-orders"),
    told("returns", ordered(1, 2), did("Order Refunded", 9, total=50), day_10="occasional-returner"),
    told(
        "returns", ordered(1, 2, 3, 4), did("Order Refunded", 9, total=50), day_5="keeper", day_10="frequent-returner"
    ),
    told("returns", ordered(1, 2, 3, 4), did("Order Refunded", 9, 10, total=50), day_11="serial-returner"),
    told("payment", ordered(1), day_2="no-payment"),
    told("payment", ordered(1, 2, payment_method="invoice"), ordered(3, payment_method="paypal"), day_4="pays-later"),
    told("payment", ordered(1, payment_method="paypal"), day_2="pays-by-wallet"),
    told("payment", did("Payment Info Entered", 1, payment_method="credit_card"), day_2="pays-by-card"),
    told("payment", ordered(1, payment_method="direct_debit"), day_2="pays-by-bank"),
    told("payment", ordered(1, payment_method="gift_card"), day_2="pays-otherwise"),
]

USAGE = [
    told("usage", viewed(1), day_1_5="light", day_8="light", day_9="idle"),
    # every page of one visit
    told("usage", viewed(1), did("Page Viewed", *(1 + k / 1000 for k in range(40))), day_1_5="light", day_9="idle"),
    told("usage", viewed(*(1 + k * HOUR for k in range(8))), day_2="moderate", day_20="light"),
    told("usage", viewed(*(1 + k * HOUR / 4 for k in range(40))), day_2="heavy", day_14="heavy", day_20="moderate"),
    told("features-used", viewed(1), day_2="basics-only"),
    told("features-used", did("Products Searched", 1, 2, 3), day_4="one-function", day_94="basics-only"),
    told("features-used", did("Products Searched", 1), did("Coupon Applied", 2), day_3="several-functions"),
    told(
        "features-used",
        did("Products Searched", 1),
        did("Coupon Applied", 2),
        did("Product List Filtered", 3),
        did("Cart Shared", 4),
        day_5="power-user",
        day_92="several-functions",
    ),
    told("active-days", did("Page Viewed", 1, 1.2, 1.4, 1.6), day_2="monthly", day_30="inactive"),
    told("active-days", did("Page Viewed", 1, 8, 15, 22), day_20="monthly", day_23="weekly"),
    told(
        "active-days",
        did("Screen Viewed", *range(1, 9)),
        day_8_5="several-days-a-week",
        day_30_5="several-days-a-week",
        day_31_5="weekly",
        day_33_5="weekly",
        day_34_5="monthly",
    ),
    told("streaming", viewed(1), day_2="not-watching"),
    told("streaming", played(1, "pilot"), day_2="viewer", day_32="stopped-watching"),
    told(
        "streaming",
        *(played(1 + k * HOUR, f"episode-{k}") for k in range(3)),
        day_1_5="binge-watcher",
        day_5="binge-watcher",
        day_9="completer",
    ),
    told("streaming", *(played(k, "lullaby") for k in range(1, 6)), day_6="repeater"),
    told("streaming", *(played(k, f"song-{k}", skips=1) for k in range(1, 4)), day_4="skipper"),
    told("streaming", *(played(k, f"film-{k}", pauses=2) for k in range(1, 4)), day_4="pauser"),
    told("streaming", *(played(k, f"film-{k}") for k in range(1, 4)), day_4="completer"),
    told("streaming", *(played(k, f"film-{k}", ends=False) for k in range(1, 4)), day_4="sampler"),
]

ENGAGEMENT = [
    told("engagement", did("Email Opened", 1), day_2="never-engaged"),
    told("engagement", did("Page Viewed", 1), day_2="cooling", day_62="dormant"),
    # every page of one visit
    told("engagement", did("Page Viewed", *(1 + k / 1000 for k in range(40))), viewed(1.02), day_2="cooling"),
    told("engagement", did("Email Link Clicked", 1, 2, 3), day_4="engaged", day_30="engaged", day_32="cooling"),
    told("engagement", did("Screen Viewed", *range(1, 13)), day_12_5="highly-engaged", day_36="engaged"),
    told("channel", ordered(1), day_2="no-channel"),
    told("channel", did("Page Viewed", 1, 2), did("Email Link Clicked", 3), day_4="prefers-web"),
    told("channel", did("Screen Viewed", 1, 2), did("Push Notification Tapped", 3), day_4="prefers-app"),
    told("channel", did("Email Link Clicked", 1, 2), did("Page Viewed", 3), day_4="prefers-email"),
    told("channel", did("Social Link Clicked", 1), did("Product Shared", 2), day_4="prefers-social"),
    told(
        "channel",
        did("Page Viewed", 1, 2),
        did("Screen Viewed", 3, 4),
        day_2_5="prefers-web",
        day_5="omnichannel",
    ),
    told("email", did("Email Delivered", 1), day_2="little-mail"),
    told("email", did("Email Opened", 1), day_2="opens-mail", day_62="little-mail"),
    told("email", did("Email Link Clicked", 1), day_2="clicks-mail", day_62="little-mail"),
    told("email", did("Email Link Clicked", 1), ordered(3), day_4="buys-from-mail", day_94="little-mail"),
    told("email", did("Email Link Clicked", 1), ordered(5), day_6="clicks-mail"),
    told(
        "email",
        did("Email Opened", 1),
        did("Email Delivered", 10, 20, 30, 40, 50, 60),
        day_62="sleeps-on-mail",
    ),
    told("email", did("Email Link Clicked", 1), did("Unsubscribed", 2), day_1_5="clicks-mail", day_3="unsubscribed"),
]

BENEFITS = [
    told("benefits", did("Page Viewed", 1, 2, path="/sale"), day_3="benefit-unknown"),
    told(
        "benefits", did("Page Viewed", 1, 2, path="/sale"), did("Coupon Applied", 3, coupon_id="x"), day_4="seeks-price"
    ),
    told("benefits", did("Product List Filtered", 1, 2, 3, sorted_by="rating"), day_4="seeks-quality"),
    told("benefits", ordered(1, 2, 3, shipping_method="express"), day_4="seeks-convenience"),
    told("benefits", did("Page Viewed", 1, 2, 3, path="/new"), day_4="seeks-novelty"),
    told(
        "benefits",
        did("Page Viewed", 1, 2, path="/help"),
        did("Live Chat Conversation Started", 3, conversation_id="x"),
        day_4="seeks-service",
    ),
    told(
        "benefits",
        did("Page Viewed", 1, 2, path="/help"),
        did("Page Viewed", 3, 4, path="/new"),
        did("Page Viewed", 5, 6, path="/sale"),
        day_7="seeks-several",
    ),
]

JOURNEYS = [
    told("aida", did("Page Viewed", 1), day_2="awareness"),
    told(
        "aida",
        viewed(1),
        did("Product Added", 3, product_id="p1"),
        day_2="interest",
        day_4="desire",
        day_18="awareness",
    ),
    told("aida", ordered(1), viewed(20), day_2="action", day_32="interest", day_35="awareness"),
    told("journey", did("Page Viewed", 1), day_2="awareness"),
    told("journey", viewed(1), day_2="interest"),
    told("journey", viewed(1, 1.1, 1.2, 1.3), day_1_5="consideration", day_6="consideration", day_9="interest"),
    told("journey", viewed(1), did("Product Added", 2, product_id="p1"), day_3="intent", day_10="interest"),
    told("journey", ordered(1), ordered(5), day_2="purchase", day_6="retention", day_190="awareness"),
    told(
        "journey",
        ordered(1, 5, 9),
        did("Product Reviewed", 12, product_id="p1", rating=5),
        day_10="retention",
        day_13="advocacy",
    ),
    told("journey", ordered(1, 5, 9), did("Product Reviewed", 12, product_id="p1", rating=1), day_13="retention"),
    told("journey", ordered(1, 5, 9), did("Invite Sent", 12), day_13="advocacy"),
]

BEHAVIOUR = [*PURCHASES, *USAGE, *ENGAGEMENT, *BENEFITS, *JOURNEYS]
