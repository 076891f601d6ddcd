"""What is fuzzed: each target takes any bytes and fails where a rule is broken. They run as plain Python, so that the
fuzzer sees every branch; that machine code does the same is tested elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from stream.engine import rest
from stream.engine.layouts import shape_of
from stream.errors import UserError
from stream.events import scan, scan_properties
from stream.events.batch import IGNORED, REJECTED
from stream.events.decode import Decoder
from stream.events.quick import QuickReader
from stream.kafka.letter import Assembler
from stream.plan.plan import PLAIN
from tests.shards import Driver, Record, logs
from tests.shop import history
from tests.unit import test_engine_poison, test_events_scan, test_hostile_fold, test_hostile_input
from tests.unit.test_app_outputs import Stored

Target = Callable[[bytes], None]


def _by_hashlib(buffer: Any, start: int, stop: int, scratch: Any) -> int:
    """What the digest gives, which is slow as plain Python."""
    found = hashlib.blake2b(buffer[start:stop].tobytes(), digest_size=8).digest()
    return int.from_bytes(found, "little", signed=True) or 1


@cache
def _quick() -> QuickReader:
    scan.digest = scan_properties.digest = _by_hashlib  # type: ignore[attr-defined]
    of: Decoder = test_events_scan.DECODER
    return QuickReader(scan.scan, test_events_scan.SCHEMA, of.codes, of.product_names, of.rates)


@cache
def _whole() -> Driver:
    return Driver(test_engine_poison.PLAN, logs(history(1, customers=6), 400)).finish()


@cache
def _rows() -> tuple[Any, Any, list[bytes], Any]:
    held = _whole().shard.rows
    packed = [
        value or b"" for _, value in rest.encode_rows(held, np.arange(2), rest.fingerprint(test_engine_poison.PLAN))
    ]
    shape = shape_of(test_engine_poison.PLAN.layout)
    return shape, held.texts, packed, rest.unpack(PLAIN, packed, shape, held.texts)


def decoder(data: bytes) -> None:
    """Any bytes, as several records: each ends as an event, as ignored or as a dead letter with all its bytes."""
    values = data.split(b"\n\n")
    records = [Record(k, value, value[:3], test_events_scan.NOW) for k, value in enumerate(values)]
    batch = test_events_scan.DECODER.decode("t", 0, records, 0, len(records))
    for i, value in enumerate(values):
        code = int(batch.codes[i])
        assert (code == REJECTED) == (i in batch.dead), code
        assert code >= IGNORED or code == REJECTED, code
        assert code != REJECTED or batch.dead[i].value == value
    assert batch.first[-1] == len(batch.items)


def quick(data: bytes) -> None:
    """What the quick reading is sure of is what the decoder says."""
    test_events_scan.agree(_quick(), data.split(b"\n\n"))


def rows(data: bytes) -> None:
    """Any bytes in the place of a packed row: told apart or read, and the rows beside it are what they were."""
    shape, names, packed, good = _rows()
    read = rest.unpack(PLAIN, [packed[0], b"8 bytes." + data, packed[1]], shape, names)
    assert read.sound[0]
    assert read.sound[2]
    assert np.array_equal(read.ints[[0, 2]], good.ints)
    assert len(read.entries) == read.ints[read.sound][:, shape.bags + 1].sum()


def changelog(data: bytes) -> None:
    """Any record in a changelog is read or set aside, and the shard opens; but for one that says that a later release
    wrote it, which is told."""
    key, _, value = data.partition(b"\n\n")
    whole = _whole()
    try:
        driver = test_engine_poison.reopened(whole, [*whole.changelog, (key, value or None)])
    except UserError as error:
        if "later release" not in str(error):
            raise
    else:
        driver.step()


def letters(data: bytes) -> None:
    """Any record in the topic of the dead letters can be read."""
    reader = Assembler(0)
    for k, text in enumerate(data.split(b"\n\n")):
        headers = [(n.decode("latin-1"), v) for n, _, v in (x.partition(b"=") for x in text.split(b"\n"))]
        reader.take(Stored(k, None, text, tuple(headers)))


def fold(data: bytes) -> None:
    """Histories that hypothesis draws from the bytes: restarts and batches make no difference."""
    test_hostile_fold.test_any_events_fold_and_come_back.hypothesis.fuzz_one_input(data)  # type: ignore[attr-defined]


TARGETS: dict[str, Target] = {
    "decoder": decoder,
    "quick": quick,
    "rows": rows,
    "changelog": changelog,
    "letters": letters,
    "fold": fold,
}


def seeds(name: str) -> list[bytes]:
    """What fuzzing begins with."""
    if name in ("decoder", "quick"):
        usual = [test_events_scan.made(), test_events_scan.made(event="Product Viewed", type="page")]
        kinds = [value for value, _ in test_hostile_input.KINDS.values() if value is not None]
        return [*usual, *(value for value in kinds if len(value) < 4096), b"\n\n".join(usual)]
    if name == "rows":
        return [value[8:] for value in _rows()[2]]
    if name == "changelog":
        return [key + b"\n\n" + (value or b"") for key, value in [*_whole().changelog, *test_engine_poison.STRANGE]]
    if name == "letters":
        return [b"reason=not-json\ntopic=t\npartition=0\noffset=5\npart=1/2\nkey_size=-1\n\npart=2/2\nvalue_size=9"]
    return []
