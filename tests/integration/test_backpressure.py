"""An output that takes less than comes in: the worker reads no more than it can hold, nothing is lost, nothing twice.

The real broker is slow by its own means: a quota on what this worker's producers may write.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

from stream.kafka import broker_jars
from stream.kafka.broker import EmbeddedBroker
from tests.conftest import JARS, PATIENCE
from tests.integration.chaos import Stage

#: What a shard may hold of each of its two sources, in bytes; and what waits in Kafka, which is much more.
HELD = 2 << 20
EVENTS, SIZE = 6_000, 20_000


def quota(broker: EmbeddedBroker, client: str, rate: int | None) -> None:
    """Let a client write so many bytes a second; None: as many as it likes."""
    change = ["--delete-config", "producer_byte_rate"]
    if rate is not None:
        change = ["--add-config", f"producer_byte_rate={rate}"]
    done = subprocess.run(
        [
            *(str(broker_jars.java()), "-XX:TieredStopAtLevel=1", "-cp", f"{next(JARS.glob('jars-*'))}/*"),
            *("kafka.admin.ConfigCommand", "--bootstrap-server", broker.address, "--alter", *change),
            *("--entity-type", "clients", "--entity-name", client),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def memory(pid: int) -> int:
    """Bytes of a process in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def metric(stage: Stage, name: str) -> float:
    """A metric of the worker; 0 where it is not there yet."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", stage.get("/metrics").decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_behind_a_slow_output_memory_stays_flat_and_nothing_is_lost(unique: str, tmp_path: Path) -> None:
    """120 MB wait to be read while the output takes 5 kB/s: the worker holds what it may and no more, its transactions
    shrink until they end in time, and when the output is quick again, every event has come once, in order."""
    applied = 'segstream_events_total{outcome="applied"}'
    with EmbeddedBroker(tmp_path / "kafka", port=0, jars=JARS, heap_mb=384) as broker:
        stage = Stage(broker.address, unique, tmp_path)

        async def run() -> None:
            await stage.create_topics()
            await asyncio.to_thread(quota, broker, "slow", 5_000)
            await stage.feed(EVENTS, 1e9, size=SIZE)
            options = {"max_waiting_bytes": HELD, "producer_options": {"client_id": "slow"}}
            stage.start("A", web_port=stage.free_port(), transaction_timeout=4.0, **options)
            await stage.until_logged("A", "all 4 shards ready")
            pid = stage.workers["A"].pid
            before, most = memory(pid), 0
            for _ in range(8):  # watched for as long as it takes to read all of it, if it did
                most = max(most, memory(pid))
                await asyncio.sleep(1)
            assert await asyncio.to_thread(metric, stage, applied) < EVENTS / 2, "the output is not slow"
            failed = await asyncio.to_thread(metric, stage, "segstream_transactions_failed_total")
            done = await asyncio.to_thread(metric, stage, applied)
            async with asyncio.timeout(PATIENCE):
                while await asyncio.to_thread(metric, stage, applied) <= done:  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.5)
            assert failed <= 8, "a few transactions of each shard at most are too large"
            most = max(most, memory(pid))
            # Without a bound it is twice of what waits: as it came, and as records. A shard that is read again after a
            # transaction that failed does not stay in memory beside its successor either.
            assert most - before < EVENTS * SIZE / 2, f"{(most - before) >> 20} MB more"
            await asyncio.to_thread(quota, broker, "slow", None)
            verdict = await stage.verdict(120)
            assert verdict.exact, verdict
            assert verdict.seen == EVENTS
            assert "never retrieved" not in stage.log("A").read_text(), "a failed transaction is told of once"

        try:
            asyncio.run(run())
        finally:
            stage.end()
