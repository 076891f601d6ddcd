"""What a worker answers about a customer: itself, or where to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stream.app.health import Health
from stream.app.runner import ShardRunner, State
from stream.app.web import add_views
from tests.integration.counting_worker import counting_app


class View:
    """Keeps the answer."""

    def json(self, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        """The answer: status, body, headers."""
        return status, value, headers or {}


class App:
    """An app of two workers: this one has ann and no other customer, the other one bo; nobody has cy yet."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[..., Any]] = {}
        self.shards = SimpleNamespace(
            wiring=SimpleNamespace(changelog="changelog"),
            partition_of=lambda name: name,
            describe=lambda name: self.found(name, "described"),
            explain=self.explain,
        )

    def page(self, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares a page."""

        def keep(handler: Callable[..., Any]) -> Callable[..., Any]:
            self.pages[path] = handler
            return handler

        return keep

    def owner_url(self, tp: Any) -> str | None:
        """The other worker, where it has the partition."""
        return None if tp.partition == "cy" else "http://other:6066"

    async def explain(self, name: str, horizon: int) -> Any:
        """What the shard says of why."""
        return self.found(name, f"explained for {horizon}")

    def found(self, name: str, what: str) -> Any:
        """What the shard says."""
        if name in ("b/o", "cy"):
            raise KeyError(name)
        return {"is": what} if name == "ann" else None

    def ask(self, path: str, customer: str, **query: str) -> tuple[int, Any, Any]:
        """The answer of a page."""
        answer: tuple[int, Any, Any] = asyncio.run(self.pages[path](View(), SimpleNamespace(query=query), customer))
        return answer


@pytest.fixture
def app() -> App:
    """The pages of a worker."""
    found = App()
    add_views(found, Health(found, 10.0))  # type: ignore[arg-type]
    return found


CUSTOMER, EXPLAIN = "/customers/{customer_id}", "/customers/{customer_id}/explain"


def test_a_customer_of_this_worker_is_described_and_explained(app: App) -> None:
    """Both pages answer at once; how far to look ahead can be asked for."""
    assert app.ask(CUSTOMER, "ann") == (200, {"is": "described"}, {})
    assert app.ask(EXPLAIN, "ann", ahead="5") == (200, {"is": "explained for 5"}, {})
    assert app.ask(EXPLAIN, "ann")[1] == {"is": f"explained for {400 * 86_400_000}"}


def test_a_customer_of_another_worker_is_found_there_under_the_same_question(app: App) -> None:
    """The redirection keeps the question, and an id with a slash stays one part of the path."""
    assert app.ask(CUSTOMER, "b/o")[2] == {"Location": "http://other:6066/customers/b%2Fo"}
    status, _, headers = app.ask(EXPLAIN, "b/o", ahead="5")
    assert (status, headers) == (307, {"Location": "http://other:6066/customers/b%2Fo/explain?ahead=5"})


@pytest.mark.parametrize(
    ("customer", "ahead", "status"),
    [
        ("cy", "5", 503),
        ("di", "5", 404),
        ("ann", "-5", 400),
        ("ann", "9" * 20, 400),
        ("ann", "9" * 9_999, 400),
        ("ann", "٣", 400),
        ("ann", "", 400),
    ],
    ids=str,
)
def test_what_cannot_be_answered_has_its_status(app: App, customer: str, ahead: str, status: int) -> None:
    """Not ready, unknown, or asked wrongly."""
    assert app.ask(EXPLAIN, customer, ahead=ahead)[0] == status


def test_a_long_answer_does_not_hold_the_loop() -> None:
    """Who asks far ahead waits; heartbeats and shards do not: the loop turns all the while, and one asks at a time."""

    class Slow:
        """A shard that takes ten thousand parts to say why."""

        asked = 0

        def explaining(self, customer: str, horizon: int) -> Iterator[Any]:
            self.asked += 1
            assert self.asked == 1, "two at a time"
            for _ in range(10_000):
                sum(range(50))
                yield None
            self.asked -= 1
            yield {"is": customer}

    async def run() -> None:
        host = counting_app("t", "127.0.0.1:1", 1).shards
        runner = host.runners[0] = ShardRunner(0, host)
        runner.shard, runner.state = cast(Any, Slow()), State.READY
        asked = [asyncio.create_task(host.explain(name, 1)) for name in ("ann", "bo")]
        turns = 0
        while not all(task.done() for task in asked):
            await asyncio.sleep(0)
            turns += 1
        assert [task.result() for task in asked] == [{"is": "ann"}, {"is": "bo"}]
        assert turns > 10
        leaving = asyncio.create_task(host.explain("ann", 1))
        await asyncio.sleep(0)
        runner.state = State.HELD
        with pytest.raises(KeyError):
            await leaving

    asyncio.run(run())
