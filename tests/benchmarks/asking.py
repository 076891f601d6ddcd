"""Asks a worker for customers at a steady rate: ``python asking.py BASE RATE SECONDS < ids``; JSON on stdout.

A program of its own, so that what it measures is the worker and not what else the suite does.  Each question has the
instant at which it is due, and its time counts from then, however late the one before was answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle
from urllib.parse import quote

import aiohttp
from yarl import URL


async def ask(base: str, rate: float, seconds: float, customers: list[str]) -> dict[str, list[float]]:
    """Milliseconds from due to answered, by status, of the questions in their order."""
    waits: dict[str, list[float]] = {}

    async def one(session: aiohttp.ClientSession, url: URL, due: float) -> None:
        async with session.get(url) as answer:
            await answer.read()
            waits.setdefault(str(answer.status), []).append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        began = time.perf_counter()
        tasks = []
        for n, customer in zip(range(int(rate * seconds)), cycle(customers), strict=False):
            due = began + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            url = URL(f"{base}/customers/{quote(customer, '')}/segments", encoded=True)
            tasks.append(asyncio.create_task(one(session, url, due)))
        await asyncio.gather(*tasks)
    return waits


if __name__ == "__main__":
    names = [line.rstrip("\n") for line in sys.stdin]
    found = asyncio.run(ask(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), names))
    json.dump(found, sys.stdout)
