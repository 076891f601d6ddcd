"""Histories of a few customers: bursts, gaps, ties, retries, names that nobody reads, events that come late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from tests.drawn.features import EVENTS
from tests.oracle import PRODUCT_UPDATED, Happened
from tests.shards import event, wire_time

#: What happens lies within this from the start of a history (ms); time goes on until the second.
LENGTH, UNTIL = 120, 240
CUSTOMERS = ("ann", "bo")
#: The zones that customers tell of.
ZONES = ("Europe/Copenhagen", "America/St_Johns", "Asia/Kolkata")
#: A name that no feature reads.
UNHEARD = "Unheard Of"


@dataclass(frozen=True)
class Turn:
    """An instant around which a history stands, and the zone in which the calendar turns there."""

    zone: str
    at: str

    @property
    def start(self) -> int:
        """When histories around it begin (ms)."""
        return round(datetime.fromisoformat(self.at).timestamp() * 1000) - LENGTH // 2


#: Any day; local midnights of leap days, of new months and years; clocks set forward and back, also at midnight.
TURNS = (
    Turn("UTC", "2023-11-14T22:13:20+00:00"),
    Turn("UTC", "2024-02-29T00:00+00:00"),
    Turn("UTC", "2024-03-01T00:00+00:00"),
    Turn("Europe/Copenhagen", "2023-03-01T00:00+01:00"),
    Turn("Europe/Copenhagen", "2026-03-29T03:00+02:00"),
    Turn("Europe/Copenhagen", "2026-10-25T02:00+01:00"),
    Turn("Europe/Copenhagen", "2026-05-14T00:00+02:00"),
    Turn("America/New_York", "2026-01-01T00:00-05:00"),
    Turn("America/New_York", "2026-11-01T01:00-05:00"),
    Turn("Australia/Lord_Howe", "2026-04-05T01:30+10:30"),
    Turn("Asia/Kolkata", "2026-04-01T00:00+05:30"),
    Turn("Africa/Cairo", "2026-04-24T01:00+03:00"),
    Turn("America/Sao_Paulo", "2018-02-17T23:00-03:00"),
    Turn("America/Sao_Paulo", "2018-02-18T00:00-03:00"),
    Turn("America/St_Johns", "2010-11-06T23:01-03:30"),
    Turn("America/St_Johns", "2010-11-07T00:00-03:30"),
    Turn("Pacific/Apia", "2011-12-31T00:00+14:00"),
)  # fmt: skip


@st.composite
def histories(
    draw: st.DrawFn, start: int, late: bool = False, most: int = 12, customers: tuple[str, ...] = CUSTOMERS
) -> list[Happened]:
    """What happened from an instant on, in the order in which it was told; with ``late`` not in that of time."""
    instants = draw(st.lists(st.integers(0, LENGTH), min_size=draw(st.sampled_from([1, most // 2])), max_size=most))
    if not late:
        instants.sort()
    found: list[Happened] = []
    for k, t in enumerate(instants):
        if any(e.customer for e in found) and draw(st.integers(0, 9)) == 0:
            again = draw(st.sampled_from([e for e in found if e.customer]))
            found.append(Happened(start + t, again.name, again.customer, again.message, again.properties))
            continue
        name = draw(st.sampled_from([*EVENTS, *EVENTS, PRODUCT_UPDATED, UNHEARD]))
        customer = "" if name == PRODUCT_UPDATED else draw(st.sampled_from(customers))
        found.append(Happened(start + t, name, customer, f"m{k}", properties(draw, name, start + t)))
    return found


def some(draw: st.DrawFn, **found: tuple[Any, ...]) -> dict[str, Any]:
    """Properties that may be there, each with one of its values."""
    drawn = {name: draw(st.sampled_from([None, *values])) for name, values in found.items()}
    return {name: value for name, value in drawn.items() if value is not None}


def properties(draw: st.DrawFn, name: str, t: int) -> dict[str, Any]:
    """What an event of that name says."""
    if name == "Order Refunded":
        return {"total": draw(st.sampled_from([5.0, 12.5]))}
    if name == "Identify":
        joined = {"joined": t + draw(st.integers(-90, 90))} if draw(st.booleans()) else {}
        lists = st.lists(st.sampled_from(["books", "games", "shoes"]), unique=True, max_size=3)
        interests = {"interests": draw(lists)} if draw(st.booleans()) else {}
        birthdays = ("1984-02-29", "1990-03-01", "1991-12-31", "2000-02-28", "1980-11-07", "1970-01-01")
        told = {"country": ("DK", "DE-BY", "SE"), "age": (17.0, 18.0, 41.0), "limit": (18.0, 50.0)}
        return some(draw, **told, birthday=birthdays, timezone=(*ZONES, "Nowhere/Land")) | joined | interests
    if name == UNHEARD:
        return {}
    product = {"product_id": draw(st.sampled_from(["p", "q", "r"])), **some(draw, price=(5.0, 10.0, 17.5))}
    if name == "Order Completed":
        products = [
            {**product, **some(draw, brand=("x", "y"), size=(1.0, 2.5))} for _ in range(draw(st.integers(0, 2)))
        ]
        return {"total": draw(st.sampled_from([0.0, 5.0, 12.5, 20.0])), "products": products}
    product |= some(draw, in_stock=(True, False))
    if name == PRODUCT_UPDATED:
        ends = draw(st.one_of(st.none(), st.integers(-10, 80)))
        return product | ({} if ends is None else {"offer_ends": t + ends})
    own = some(
        draw, kind=("a", "b"), brand=("x", "y"), weight=(1.0, 2.5, 4.0), size=(1.0, 2.5), tags=(["new"], ["old"])
    )
    return product | own


def on_wire(happened: Happened) -> dict[str, Any]:
    """The event as JSON."""
    properties = dict(happened.properties)
    for name in ("offer_ends", "joined"):
        if name in properties:
            properties[name] = wire_time(properties[name])
    made = event(happened.customer, happened.name, happened.t, **properties)
    made["messageId"] = happened.message
    if happened.name == "Identify":
        made["type"], made["traits"] = "identify", made.pop("properties")
    return made


def topic(name: str) -> str:
    """The topic of an event."""
    if name.startswith("Order"):
        return "purchases"
    return {"Identify": "profiles", PRODUCT_UPDATED: "products"}.get(name, "clickstream")


def by_topic(history: Iterable[Happened]) -> dict[str, list[Happened]]:
    """A history as the logs of the topics."""
    found: dict[str, list[Happened]] = {}
    for happened in history:
        found.setdefault(topic(happened.name), []).append(happened)
    return found
