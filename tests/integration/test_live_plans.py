"""Published definitions in a worker's process: compiled beside it, refused where they have mistakes, one at a time."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from stream.app import bootstrap, compiling, live_plans
from stream.app.live_plans import LivePlans
from stream.app.metrics import Metrics
from stream.engine.versions import DefinitionsVersion
from stream.errors import UserError
from stream.features.base import NEVER
from stream.plan.definitions import Definitions
from stream.plan.plan import Plan
from stream.settings import Settings, load_settings
from tests.conftest import PATIENCE

TEXT = """
dimension: buying
features:
  orders: {count: Order Completed}
segments:
  - {segment: buys, when: orders >= NUMBER}
"""


def version(number: int, orders: int) -> DefinitionsVersion:
    return DefinitionsVersion(number, 1_000 * number, {"buying.yaml": TEXT.replace("NUMBER", str(orders))})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose cache is empty; the child process finds them by the environment."""
    monkeypatch.setenv("SEGSTREAM_APP__DATA_DIR", str(tmp_path))
    return load_settings()


def running(settings: Settings, what: Callable[[LivePlans], Awaitable[None]]) -> None:
    """Run something with plans, and end them."""

    async def run() -> None:
        plans = LivePlans(settings, Metrics())
        try:
            async with asyncio.timeout(PATIENCE):
                await what(plans)
        finally:
            await plans.stop()

    asyncio.run(run())


async def ready(plans: LivePlans, of: DefinitionsVersion) -> Plan:
    """The plan, once it is there."""
    came = asyncio.Event()
    plans.on_ready.append(came.set)
    while (plan := plans.plan_of(of)) is None:
        await came.wait()
        came.clear()
    return plan


def test_a_plan_is_compiled_in_a_child_while_the_loop_goes_on(settings: Settings, tmp_path: Path) -> None:
    """The event loop is never held up for long: shards commit, and the group hears from the worker."""

    async def what(plans: LivePlans) -> None:
        held_up = 0.0
        assert plans.plan_of(version(1, 2)) is None
        waiting = asyncio.create_task(ready(plans, version(1, 2)))
        while not waiting.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            held_up = max(held_up, time.monotonic() - before)
        plan = await waiting
        assert plan.definitions.dimensions[0].segment_names == ("buys",)
        assert list((tmp_path / "plans").glob("plan_*.py"))
        assert held_up < 5.0
        assert plans.plan_of(version(7, 2)) is plan, "the same texts are the same plan"
        assert plans.decoder_of(plan) is plans.decoder_of(plan)

    running(settings, what)


def test_what_is_published_is_compiled_before_a_shard_asks(settings: Settings) -> None:
    """The newest only: of older ones a new shard may need none."""

    async def what(plans: LivePlans) -> None:
        came = asyncio.Event()
        plans.on_ready.append(came.set)
        for number in (1, 2):
            instant, read = plans.read_control(version(number, number).to_json())
            assert (instant, read) == (NEVER, version(number, number))
        await came.wait()
        assert plans.plan_of(version(2, 2)) is not None
        assert plans.plan_of(version(1, 1)) is None

    running(settings, what)


def test_definitions_with_mistakes_are_refused_and_counted_once(settings: Settings) -> None:
    """They are read as often as a shard opens, and told of once."""

    async def what(plans: LivePlans) -> None:
        broken = DefinitionsVersion(3, 1_000, {"buying.yaml": TEXT.replace("orders >= NUMBER", "ordrs >= 1")})
        for _ in range(2):
            with pytest.raises(ValueError, match=r"version 3 .*mistakes.*buying.yaml:6:.*did you mean 'orders'"):
                plans.read_control(broken.to_json())
        assert plans._metrics.definitions_refused._value.get() == 1.0
        with pytest.raises(UserError):
            plans.plan_of(broken)

    running(settings, what)


#: What stands in a version that no machine compiles: the compiler is made to fail on it.
UNLUCKY = 4711


@pytest.fixture
def unlucky(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that fails on definitions with the unlucky number, by the definitions' fault."""
    compiles = bootstrap._warm_plan

    def fails(definitions: Definitions, *more: Any) -> Plan:
        if str(UNLUCKY) in str(definitions):
            raise OverflowError("int too big to convert")
        return compiles(definitions, *more)

    monkeypatch.setattr(bootstrap, "_warm_plan", fails)


def test_a_child_says_by_its_exit_code_that_definitions_are_at_fault(
    settings: Settings, unlucky: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not as Python ends by an error, nor as a process that is killed."""
    monkeypatch.setattr("sys.argv", ["compiling", str(settings.config_dir)])
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(version(1, UNLUCKY).to_json())))
    with pytest.raises(SystemExit) as ended:
        compiling.main()
    assert ended.value.code == compiling.REFUSED
    assert "cannot be compiled, though no mistake was found in them: OverflowError" in capsys.readouterr().err


def test_definitions_that_cannot_be_compiled_are_refused_like_those_with_mistakes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the child's word, once, and those after them are compiled; nothing ends the worker."""
    child = tmp_path / "child"
    child.write_text(
        f'#!/bin/sh\nread=$(cat)\ncase "$read" in *{UNLUCKY}*) echo too much >&2; exit {compiling.REFUSED};; esac\n'
        f'printf %s "$read" | {sys.executable} "$@"\n'
    )
    child.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(child))

    async def what(plans: LivePlans) -> None:
        crashes: list[BaseException] = []
        plans.crashed = crashes.append
        bad = version(1, UNLUCKY)
        assert plans.plan_of(bad) is None
        for _ in range(2):
            with pytest.raises(UserError, match="cannot be compiled, though no mistake was found in them: too much"):
                await ready(plans, bad)
        assert plans._metrics.definitions_refused._value.get() == 1.0
        assert await ready(plans, version(2, 2)) is not None
        assert crashes == []

    running(settings, what)


def test_definitions_that_cannot_be_compiled_are_refused_at_the_start_too(settings: Settings, unlucky: None) -> None:
    """They are the newest that were published: the worker starts, and its shards go by those before."""

    async def what(plans: LivePlans) -> None:
        bad = version(1, UNLUCKY)
        plans.load(bad)
        with pytest.raises(UserError, match="cannot be compiled"):
            plans.plan_of(bad)
        assert plans._metrics.definitions_refused._value.get() == 1.0

    running(settings, what)


def test_a_compiler_that_is_killed_says_nothing_about_the_definitions(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where memory is short: tried again, and in the end the worker ends and counts nothing as refused."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(live_plans, "PAUSE", 0.0)
    monkeypatch.setattr("sys.executable", str(killed))

    async def what(plans: LivePlans) -> None:
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        plans.crashed = failed.set_result
        assert plans.plan_of(version(1, 2)) is None
        assert "cannot be compiled on this machine" in str(await failed)
        assert plans._metrics.definitions_refused._value.get() == 0.0

    running(settings, what)


def test_a_machine_that_cannot_compile_ends_the_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shards would wait for ever, and nobody would know why."""
    monkeypatch.setattr(live_plans, "PAUSE", 0.0)
    monkeypatch.setenv("SEGSTREAM_APP__DATA_DIR", "/proc/nowhere")

    async def what(plans: LivePlans) -> None:
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        plans.crashed = failed.set_result
        assert plans.plan_of(version(1, 2)) is None
        assert "cannot be compiled on this machine" in str(await failed)

    running(settings, what)
