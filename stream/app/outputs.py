"""From what a step decided to what its transaction writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from stream.app.ports import Shard, Step
from stream.app.wiring import Rule, Wiring
from stream.events.decode import ORIGIN
from stream.kafka.letter import records_of
from stream.kafka.transaction import Payload, Row

#: output topic, and why a change was kept from it ("age" or "cause") -> how many
KeptBack = Counter[tuple[str, str]]


def payload(step: Step, wiring: Wiring, now_ms: int | None, shard: Shard | None = None) -> tuple[Payload, KeptBack]:
    """The records and offsets of one transaction of a shard, and what the rules of the outputs kept back.

    Committed are the offsets of the group's topics only: the cursors of the others are in the shard's own row.
    """
    out = Payload(offsets={source: at for source, at in step.offsets.items() if source[0] in wiring.group_topics})
    kept_back = _changes(step, wiring, now_ms, out)
    _add(out, wiring.customers, ((key, value, []) for key, value in step.customers))
    _add(out, wiring.forgotten, ((one.key, one.data(), one.headers()) for one in step.forgotten))
    _add(out, wiring.changelog, ((key, value, []) for key, value in step.rows))
    _add(out, wiring.dead_letters, (row for dead in step.dead for row in records_of(dead)))
    _add(out, wiring.vectors, _vectors(step, shard, wiring))
    for event in step.rekeyed:
        row = (event.key, event.value, [(ORIGIN, event.origin.encode())])
        out.placed.setdefault((wiring.rekeyed, event.partition), []).append(row)
    return out, kept_back


def _add(out: Payload, topic: str, rows: Iterable[Row]) -> None:
    rows = list(rows)
    if rows:
        out.add(topic, rows)


def _changes(step: Step, wiring: Wiring, now_ms: int | None, out: Payload) -> KeptBack:
    kept_back: KeptBack = Counter()
    rules: dict[str, Rule] = {}
    for change in step.changes:
        row: Row | None = None
        for topic in (wiring.changes, *(wiring.output_prefix + name for name in change.topic_names())):
            rule = rules.get(topic) or rules.setdefault(topic, wiring.rule_of(topic))
            if change.cause not in rule.causes:
                kept_back[topic, "cause"] += 1
            elif rule.max_age_ms is not None and now_ms is not None and change.at_ms < now_ms - rule.max_age_ms:
                kept_back[topic, "age"] += 1
            else:
                row = row or (change.key, change.data(), change.headers())
                out.rows.setdefault(topic, []).append(row)
    return kept_back


def _vectors(step: Step, shard: Shard | None, wiring: Wiring) -> Iterator[Row]:
    if step.vectors is not None:
        for key, instant, vector in zip(step.vector_keys, step.vector_instants, step.vectors, strict=True):
            yield key, *wiring.encode_vector(shard, instant, vector)
