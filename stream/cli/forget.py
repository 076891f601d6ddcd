"""``segstream forget``: have the workers forget customers, and wait until they have."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.cli.instants import INSTANT
from stream.errors import UserError
from stream.events.instant import iso

if TYPE_CHECKING:
    from stream.kafka.forgetting import Receipt, Request
    from stream.settings import Settings

#: Longest id, in characters, as events have it.
LONGEST_ID = 1000


@click.command()
@click.argument("customers", nargs=-1, required=True, metavar="CUSTOMER...")
@click.option("--at", type=INSTANT, help="As of which instant of event time. [default: now]")
@click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds to wait for the receipts."
)
@click.option("--broker", metavar="HOST:PORT", help="Kafka there instead of the one in the settings.")
@click.option("--config", type=click.Path(path_type=Path, file_okay=False), help="Folder of stream.yaml.")
def command(
    customers: tuple[str, ...], at: int | None, timeout: float, broker: str | None, config: Path | None
) -> None:
    """Have all that is kept of these customers deleted: their state, and their latest segments in Kafka.

    CUSTOMER is the id that segment changes have: the userId, or anonymous: and the anonymousId. An event is sent that
    asks for it, the first of customers.forget_events, and each customer's worker answers with a receipt on the topic
    of receipts; what the customer does later is that of somebody new. Events that are in the input topics stay there
    until those topics' retention lets them go.

    Exit codes: 0 all are forgotten, 1 a receipt did not come in time, 2 a mistake in what was asked.
    """
    from stream.settings import load_settings

    settings = load_settings(config, brokers=broker)
    requests = made(settings, customers, at)
    left = asyncio.run(_ask(settings, requests, timeout))
    if left:
        some = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        raise UserError(
            f"no receipt for {some} within {timeout:g} s: is a worker running? The requests are in Kafka, and a worker "
            "carries them out as soon as it comes to them",
            exit_code=1,
        )


def made(settings: Settings, customers: tuple[str, ...], at: int | None) -> list[Request]:
    """The events to send; `UserError` where they would be rejected, or do harm."""
    from stream.events.customer import ids_of
    from stream.kafka.forgetting import Request

    names = settings.customers.forget_events
    if not names:
        raise UserError("customers.forget_events is empty: no event asks to forget a customer; name one there")
    now = int(time.time() * 1000)
    if at is None and settings.time.clock == "event":
        raise UserError(
            "with time.clock: event, time is what events say, so say with --at as of which instant of theirs"
        )
    if at is not None and settings.time.clock == "wall" and at > now + settings.time.future_tolerance:
        raise UserError(f"--at {iso(at)} is still to come: an event of that instant would be rejected")
    for customer in customers:
        try:
            ids_of(customer)
        except ValueError as error:
            raise UserError(f"{error}: expected a userId, or anonymous: and an anonymousId") from error
        if len(customer) > LONGEST_ID:
            raise UserError(f"a customer's id has at most {LONGEST_ID} characters, not {len(customer)}")
    return [Request(customer, names[0], now if at is None else at) for customer in dict.fromkeys(customers)]


async def _ask(settings: Settings, requests: list[Request], seconds: float) -> list[str]:
    from stream.events.routing import topic_of
    from stream.kafka.client import quiet_aiokafka
    from stream.kafka.forgetting import ask
    from stream.kafka.topics import ensure_topics

    await ensure_topics(settings)
    topic = getattr(settings.topics, topic_of(requests[0].event))
    with quiet_aiokafka():
        return await ask(settings, topic, settings.app.partitions, requests, seconds, _tell)


def _tell(receipt: Receipt) -> None:
    segments = ", ".join(f"{name}: {segment}" for name, segment in receipt.segments.items())
    click.echo(f"{receipt.customer} is forgotten as of {receipt.at}; {segments or 'nothing was known'}")
