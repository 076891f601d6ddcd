"""Histories by who customers are to the shop: occasions, loyalty, styles, value, lifecycle, lists, traits, affinity.

Small ones, to be read like a story.
"""

from __future__ import annotations

from tests.histories import MINUTE, bought, did, identified, ordered, played, told, updated, viewed, wished

OCCASIONS = [
    # In Germany: Good Friday is 3 April 2026 (day 92), Easter Monday 6 April; 1 May is day 120.
    told(
        "holidays",
        identified(30, country="DE"),
        day_31="no-holiday-near",
        day_82="holiday-ahead",
        day_89="holiday-last-chance",
        day_92_5="holiday-today",
        day_96="no-holiday-near",
        day_120_5="holiday-today",
    ),
    told("holidays", did("Page Viewed", 1), day_2="no-holiday-near"),
    # 1 March is day 59.
    told(
        "personal-dates",
        identified(1, birthday="1984-03-01"),
        day_2="no-date-near",
        day_53="birthday-soon",
        day_59_5="birthday",
        day_61="no-date-near",
    ),
    told(
        "personal-dates", identified(1, createdAt="2024-03-01T09:00:00Z"), day_58="no-date-near", day_59_5="joining-day"
    ),
    told("personal-dates", identified(1, createdAt="2026-01-02T09:00:00Z"), day_1_5="no-date-near"),
    told("personal-dates", ordered(1), day_2="no-date-near", day_340="no-date-near", day_355="bought-a-year-ago"),
    # Six visits on Fridays (day 1 is one) at 18 h.
    told(
        "rhythm",
        did("Page Viewed", *(1.76 + 7 * k for k in range(6))),
        day_37="no-usual-time-near",
        day_42="usual-day-tomorrow",
        day_43_2="usual-day",
        day_43_72="usual-hour-soon",
        day_43_76="usual-hour",
    ),
    told("rhythm", did("Page Viewed", 1.76, 8.76), day_15_76="no-usual-time-near"),
    # Every day at 18 h: told once a week, and no more when nobody has come for four.
    told(
        "rhythm",
        did("Page Viewed", *(1.76 + k for k in range(6))),
        day_7_72="usual-hour-soon",
        day_7_76="usual-hour",
        day_8_72="no-usual-time-near",
        day_13_72="no-usual-time-near",
        day_14_72="usual-hour-soon",
        day_14_76="usual-hour",
        day_41_76="no-usual-time-near",
    ),
    # Orders in March only, over two years: 1 March 2026 is day 59, 1 March 2027 day 424.
    told(
        "season",
        ordered(60, 70, 430),
        day_431="in-season",
        day_500="out-of-season",
        day_760="season-ahead",
    ),
    told("season", ordered(1, 100, 200, 310), day_320="all-year"),
    told("season", ordered(1), day_400="season-unknown"),
]

LOYALTY = [
    told("loyalty", ordered(1), day_2="attitude-unknown"),
    told(
        "loyalty", ordered(1, 11), did("NPS Survey Answered", 12, score=9), day_13="truly-loyal", day_103="accessible"
    ),
    told("loyalty", ordered(1, 11), did("NPS Survey Answered", 12, score=3), day_13="trapped", day_103="high-risk"),
    told("loyalty", ordered(1, 11), did("Product Reviewed", 12, rating=5, product_id="p1"), day_13="truly-loyal"),
    told(
        "loyalty",
        ordered(1, 11),
        did("Product Reviewed", 12, rating=5, product_id="p1"),
        did("NPS Survey Answered", 14, score=2),
        day_13="truly-loyal",
        day_15="trapped",
    ),
    told("nps", ordered(1), day_2="no-answer"),
    told("nps", did("NPS Survey Answered", 1, score=10), day_2="promoter", day_367="ask-again"),
    told(
        "nps",
        did("NPS Survey Answered", 1, score=7),
        did("NPS Survey Answered", 9, score=6),
        day_2="passive",
        day_10="detractor",
    ),
    told("nps", did("NPS Survey Answered", 1, score=0), day_2="detractor"),
    told("tier", identified(1, country="DE"), day_2="not-a-member"),
    told(
        "tier",
        identified(1, tier="basic"),
        identified(5, tier="silver"),
        identified(9, tier="gold"),
        identified(13, tier="platinum"),
        day_2="basic",
        day_6="silver",
        day_10="gold",
        day_14="platinum",
    ),
]

STYLES = [
    told("buying-style", bought(1, "a"), bought(2, "a"), day_3="style-unknown"),
    told("buying-style", bought(1, "a"), bought(2, "a"), bought(3, "a"), day_4="habitual"),
    told("buying-style", bought(1, "a"), bought(2, "b"), bought(3, "c"), day_4="variety-seeking"),
    told(
        "buying-style",
        bought(1, "a", total=900),
        bought(2, "b", total=900),
        bought(3, "c", total=900),
        day_4="complex",
    ),
    told(
        "buying-style",
        viewed(*(1 + k * MINUTE for k in range(45))),
        bought(2, "a"),
        bought(3, "a"),
        bought(4, "a"),
        day_5="dissonance-reducing",
    ),
]

VALUE = [
    told("value", did("Page Viewed", 1), day_2="not-valued"),
    told("value", ordered(1, total=50), day_2="low-value"),
    told("value", ordered(1, total=150), did("Order Refunded", 5, total=100), day_2="mid-value", day_6="low-value"),
    told("value", ordered(1, total=500), day_2="high-value"),
    told(
        "value",
        ordered(1, total=150, order_id="a"),
        ordered(2, total=500, order_id="b"),
        did("Order Cancelled", 3, order_id="b"),
        did("Order Refunded", 4, order_id="a", total=100),
        did("Order Refunded", 5, order_id="a", total=50),
        day_2_5="high-value",
        day_3_5="mid-value",
        day_4_5="low-value",
        day_6="not-valued",
    ),
    told("value", ordered(1, total=50, margin=300), day_2="high-value"),
    told("value", ordered(1, total=5000), day_2="vip"),
    told(
        "value",
        ordered(1, 2, 3, total=500, margin=2),
        did("Order Refunded", 9, total=500, margin=20),
        day_8="vip",
        day_10="loss-making",
    ),
]

# Orders every 10 days make a usual gap of 10 days: late after 20, gone after 40.
CYCLE = ordered(1, 11, 21)
LIFE = [
    told("lifecycle", did("Page Viewed", 1), day_2="prospect"),
    told(
        "lifecycle",
        CYCLE,
        ordered(70),
        day_2="new",
        day_22="active",
        day_41="at-risk",
        day_61="lapsed",
        day_71="reactivated",
    ),
    told(
        "win-back",
        CYCLE,
        day_22="no-win-back",
        day_41="remind",
        day_55="offer",
        day_61="last-call",
        day_121="let-go",
    ),
    told("win-back", CYCLE, ordered(45, 60), day_46="won-back", day_76="no-win-back"),
]

LISTS = [
    told("wishlist", viewed(1), day_2="no-wishes"),
    told("wishlist", wished(1, "w1"), updated(5, "w1", price=15), day_2="wishing", day_6="wishlist-ready"),
    told("wish-signal", wished(1, "w2"), day_2="no-signal"),
    told("wish-signal", wished(1, "w3"), updated(5, "w3", price=15), day_2="no-signal", day_6="price-drop"),
    told(
        "wish-signal",
        wished(1, "w4"),
        updated(5, "w4", offer_ends="2026-01-09T00:00:00Z"),
        day_6="limited-offer",
        day_9="no-signal",
    ),
    told("wish-signal", wished(1, "w5"), viewed(2, 3, 4, product="w5"), day_5="often-visited"),
    told(
        "wish-signal",
        wished(2, "w6"),
        updated(3, "w6", in_stock=False),
        updated(5, "w6", in_stock=True),
        updated(9, "w6", in_stock=False),
        day_4="no-signal",
        day_6="back-in-stock",
        day_10="no-signal",
    ),
    told("cart", viewed(1), day_2="empty"),
    told(
        "cart",
        did("Product Added", 1, product_id="p1", price=20),
        ordered(9),
        day_1_02="open",
        day_1_2="abandoned",
        day_4_5="stale",
        day_10="empty",
    ),
    # A look into the cart does not take it up, and nobody is reminded twice within a week.
    told(
        "cart",
        did("Product Added", 1, product_id="p1", price=20),
        did("Cart Viewed", 1.5),
        did("Product Added", 2, product_id="p2", price=20),
        did("Cart Viewed", 6, 9.5),
        day_1_2="abandoned",
        day_1_51="abandoned",
        day_2_01="open",
        day_2_2="open",
        day_5_2="stale",
        day_6_2="stale",
        day_9_54="stale",
        day_9_55="abandoned",
    ),
    told("browse", viewed(1), day_1_2="no-open-browse"),
    told(
        "browse",
        viewed(1, 1 + MINUTE),
        viewed(5, 5 + MINUTE),
        day_1_01="no-open-browse",
        day_1_2="browse-abandoned",
        day_4_5="no-open-browse",
        day_5_2="no-open-browse",  # one mail a week
    ),
    told("browse", viewed(1, 1 + MINUTE), did("Product Added", 1.01, product_id="p1"), day_1_2="no-open-browse"),
]

TRAITS = [
    told("demographic", did("Page Viewed", 1), day_2="age-unknown"),
    # Eighteen on 1 March 2026, day 59; a year here is 365.25 days, so give it a day.
    told("demographic", identified(1, birthday="2008-03-01"), day_2="under-age", day_60="aged-18-to-29"),
    told("demographic", identified(1, birthday="1990-03-01"), day_2="aged-30-to-49"),
    told("demographic", identified(1, birthday="1970-03-01"), day_2="aged-50-to-64"),
    told("demographic", identified(1, birthday="1950-03-01"), day_2="aged-65-or-more"),
    told("geographic", did("Page Viewed", 1), day_2="country-unknown"),
    told(
        "geographic", identified(1, country="DE"), identified(5, country="AT"), day_2="home-market", day_6="neighbour"
    ),
    told("geographic", identified(1, country="SE"), day_2="european-union"),
    told("geographic", identified(1, country="NO"), day_2="rest-of-europe"),
    told("geographic", identified(1, country="US"), day_2="overseas"),
    told("city-size", did("Page Viewed", 1), day_2="place-unknown"),
    told("city-size", identified(1, city_size=3_700_000), day_2="metropolis"),
    told("city-size", identified(1, city_size=250_000), day_2="city"),
    told("city-size", identified(1, city_size=30_000), day_2="town"),
    told("city-size", identified(1, city_size=900), day_2="countryside"),
    told("psychographic", did("Page Viewed", 1), day_2="interests-unknown"),
    told("psychographic", identified(1, interests=["books", "phones"]), day_2="technology"),
    told("psychographic", identified(1, interests=["garden"]), day_2="outdoors-and-garden"),
    told("psychographic", identified(1, interests=["toys", "shoes"]), day_2="fashion-and-beauty"),
    told("psychographic", identified(1, interests=["kitchen"]), day_2="family-and-home"),
    told("psychographic", identified(1, interests=["games"]), day_2="culture-and-play"),
    told("firmographic", identified(1, country="DE"), day_2="private-customer"),
    told("firmographic", identified(1, industry="education", employees=5000), day_2="public-sector"),
    told("firmographic", identified(1, industry="retail", employees=5000), day_2="enterprise"),
    told("firmographic", identified(1, industry="retail", employees=100), day_2="mid-market"),
    told("firmographic", identified(1, industry="retail"), day_2="small-business"),
]

AFFINITY = [
    told("category-affinity", viewed(*range(1, 6)), day_6="category-unknown"),
    told("category-affinity", viewed(*range(1, 7)), day_7="devoted-to-category"),
    told("category-affinity", viewed(1, 2, 3, 4), viewed(5, 6, category="bags"), day_7="leans-to-category"),
    told(
        "category-affinity",
        *(viewed(k, category=name) for k, name in enumerate(("bags", "toys", "books") * 2, 1)),
        day_7="many-categories",
    ),
    told("brand-affinity", bought(1, "a", "a"), day_2="brand-unknown"),
    told("brand-affinity", bought(1, "a"), bought(2, "a"), bought(3, "a"), day_4="brand-loyal"),
    told("brand-affinity", bought(1, "a"), bought(2, "b"), bought(3, "a"), day_4="prefers-a-brand"),
    told("brand-affinity", bought(1, "a"), bought(2, "b"), bought(3, "c"), day_4="any-brand"),
    told("genre-affinity", played(1, "x"), day_2="genre-unknown"),
    told("genre-affinity", *(played(k, f"x{k}") for k in range(1, 4)), day_4="one-genre"),
    told(
        "genre-affinity",
        *(played(k, f"x{k}") for k in range(1, 3)),
        played(3, "y", genre="comedy"),
        day_4="leans-to-genre",
    ),
    told("genre-affinity", *(played(k, f"x{k}", genre=g) for k, g in enumerate("abc", 1)), day_4="many-genres"),
]

RELATION = [*OCCASIONS, *LOYALTY, *STYLES, *VALUE, *LIFE, *LISTS, *TRAITS, *AFFINITY]
