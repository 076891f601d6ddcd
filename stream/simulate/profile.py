"""What is said of a shopper: the traits that an identify event brings, and the tiers of the loyalty programme."""

from __future__ import annotations

from random import Random
from typing import Any

from stream.events.instant import iso
from stream.simulate.personas import DAY_MS
from stream.simulate.shopper import Shopper

#: Countries, the home market more often; sizes of towns, and how many of the shoppers live in one of that size.
COUNTRIES = ("DE", "DE", "DE", "DE", "FR", "AT", "NL", "IT", "ES", "PL", "SE", "GB", "NO", "US")
TOWNS = ((2_000_000, 0.15), (250_000, 0.3), (30_000, 0.35), (3_000, 0.2))
_PLANS = ("basic", "basic", "basic", "plus", "premium")
_INDUSTRIES = ("retail", "manufacturing", "software", "education", "healthcare", "government")
_EMPLOYEES = (4, 12, 60, 300, 2500)

#: Orders with which a customer rises to a tier.
TIERS = {2: "basic", 4: "silver", 8: "gold", 16: "platinum"}
#: How many shoppers buy for a company.
COMPANIES = 0.06


def traits(at: int, shopper: Shopper, random: Random) -> dict[str, Any]:
    """What the shopper tells when introduced."""
    year, month, day = (int(random.random() * count) for count in (60, 12, 28))
    told: dict[str, Any] = {
        "country": random.choice(COUNTRIES),
        "city_size": _town(random),
        "birthday": f"{1945 + year}-{month + 1:02d}-{day + 1:02d}",
        "createdAt": iso(at - int(random.random() * 3 * 365 * DAY_MS)),
        "plan": random.choice(_PLANS),
        "interests": list(shopper.tastes),
    }
    if random.random() < COMPANIES:
        told["industry"] = random.choice(_INDUSTRIES)
        told["employees"] = int(random.choice(_EMPLOYEES) * (0.5 + random.random())) + 1
    return told


def _town(random: Random) -> int:
    """Inhabitants of the place where somebody lives."""
    [size] = random.choices([size for size, _ in TOWNS], [share for _, share in TOWNS])
    return int(size * random.lognormvariate(0, 0.5))
