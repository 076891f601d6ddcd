"""Looking for a coordinator while the cluster names no broker at all, as one does that wakes from a long silence."""

from __future__ import annotations

from typing import Any

from aiokafka.errors import CoordinatorNotAvailableError


def look_patiently(client: Any) -> None:
    """Make an aiokafka client look again, after a pause, where it has been told of no broker yet.

    A broker that was silent for longer than its session with the controller is fenced until it has registered again.
    Meanwhile it answers, and its metadata name no broker.  A client that starts in that instant knows none to ask, and
    aiokafka raises AssertionError, which would end the worker; a coordinator that is away is what it waits for.
    """
    look_up = client.coordinator_lookup

    async def looked_up(*arguments: Any, **options: Any) -> Any:
        if client.get_random_node() is None:
            raise CoordinatorNotAvailableError("the cluster names no broker yet")
        return await look_up(*arguments, **options)

    client.coordinator_lookup = looked_up
