"""From what a step decided to what its transaction writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from stream.app.ports import Shard, Step
from stream.app.wiring import Wiring
from stream.engine.kinds import CAUSES
from stream.engine.records import AtRest, Pair, Records
from stream.events.decode import ORIGIN
from stream.kafka.framed import Picked
from stream.kafka.letter import records_of
from stream.kafka.transaction import Payload, Row
from stream.predict.questions import encode

#: output topic, and why a change was kept from it ("age" or "cause") -> how many
KeptBack = Counter[tuple[str, str]]


def payload(step: Step, wiring: Wiring, now_ms: int | None, shard: Shard | None = None) -> tuple[Payload, KeptBack]:
    """The records and offsets of one transaction of a shard, and what the rules of the outputs kept back.

    Committed are the offsets of the group's topics only: the cursors of the others are in the shard's own row.
    """
    out = Payload(offsets={source: at for source, at in step.offsets.items() if source[0] in wiring.group_topics})
    kept_back = _changes(step, wiring, now_ms, out)
    _add_many(out, wiring.customers, step.customers)
    _add(out, wiring.forgotten, ((one.key, one.data(), one.headers()) for one in step.forgotten))
    _add_many(out, wiring.changelog, step.rows)
    _add(out, wiring.dead_letters, (row for dead in step.dead for row in records_of(dead)))
    _add(out, wiring.vectors, _vectors(step, shard, wiring))
    _add(out, wiring.questions, (row for asked in step.asked for row in encode(asked)))
    for event in step.rekeyed:
        row = (event.key, event.value, [(ORIGIN, event.origin.encode())])
        out.placed.setdefault((wiring.rekeyed, event.partition), []).append(row)
    return out, kept_back


def _add(out: Payload, topic: str, rows: Iterable[Row]) -> None:
    rows = list(rows)
    if rows:
        out.add(topic, rows)


def _add_many(out: Payload, topic: str, found: Records | Sequence[Pair]) -> None:
    if not len(found):
        return
    if isinstance(found, AtRest):
        some = found.records()
    else:
        some = [found if isinstance(found, Records) else Records.of(found)]
    out.many[topic] = [Picked(records, np.arange(len(records))) for records in some]


def _changes(step: Step, wiring: Wiring, now_ms: int | None, out: Payload) -> KeptBack:
    """Who gets which changes; they are only written where somebody does."""
    kept_back: KeptBack = Counter()
    changes = step.changes
    if not len(changes):
        return kept_back
    causes, at_ms = changes.causes, changes.at_ms
    records: Records | None = None
    further = {wiring.output_prefix + name: picks for name, picks in changes.topics().items()}
    for topic, picks in {wiring.changes: np.arange(len(changes)), **further}.items():
        rule = wiring.rule_of(topic)
        allowed = np.array([cause in rule.causes for cause in CAUSES])[causes[picks]]
        old = np.zeros(len(picks), np.bool_)
        if rule.max_age_ms is not None and now_ms is not None:
            old = at_ms[picks] < now_ms - rule.max_age_ms
        for why, number in (("cause", np.count_nonzero(~allowed)), ("age", np.count_nonzero(allowed & old))):
            if number:
                kept_back[topic, why] += int(number)
        picks = picks[allowed & ~old]
        if len(picks):
            records = records or changes.records()
            out.many[topic] = [Picked(records, picks)]
    return kept_back


def _vectors(step: Step, shard: Shard | None, wiring: Wiring) -> Iterator[Row]:
    if step.vectors is not None:
        for key, instant, vector in zip(step.vector_keys, step.vector_instants, step.vectors, strict=True):
            yield key, *wiring.encode_vector(shard, instant, vector)
