"""The chain of versions at rest: a head that says what is in force, and one record for each version.

A shard that was long away reads ahead of its events all versions that were published meanwhile.  So each is written
once under a key of its own, and deleted when it is over: the head stays small, however many are to come.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from stream.engine.models import Entry, Model, Version, Versions, kind_of
from stream.engine.versions import CutsVersion, DefinitionsVersion, PredictionVersion

HEAD, ENTRY = b"m", b"v"


class _Head(msgspec.Struct):
    """``clusters``, ``definitions`` and ``predictions`` name the versions in force."""

    ordinal: int
    effective: int
    newest: dict[str, tuple[int, int]]
    cuts: list[tuple[str, float, float]]
    clusters: str | None
    definitions: str | None
    predictions: list[str] = []


class _Kept(msgspec.Struct, array_like=True):
    """``waiting``: it is in the chain, in its place by effective instant, then by ``order``."""

    waiting: bool
    effective: int
    order: int
    ordinal: int
    concerns: list[str]
    version: msgspec.Raw


class _Type(msgspec.Struct):
    type: str


#: Reads the JSON of what a plan's layer does not know: clusters, and models that predict.
ReadModel = Callable[[bytes], Model | PredictionVersion]
#: What may change of a record that is there.
_State = tuple[bool, int, int, int, tuple[str, ...]]


class ChainAtRest:
    """Reads and writes the records of one shard's chain; ``read_model`` reads clusters and what predicts (None: these
    are passed over)."""

    def __init__(self, read_model: ReadModel | None = None) -> None:
        self._read_model = read_model
        self._head: bytes | None = None
        self._read: dict[bytes, bytes] = {}
        self._written: dict[bytes, _State] = {}

    def read(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog; None: that version is over.  An error where it is none of ours."""
        if value is not None and key == HEAD:
            msgspec.json.decode(value, type=_Head)
        elif value is not None:
            _version(bytes(msgspec.json.decode(value, type=_Kept).version), self._read_model)
        if key == HEAD:
            self._head = value
        elif value is None:
            self._read.pop(key, None)
        else:
            self._read[key] = value

    def known(self, key: bytes) -> bytes | None:
        """What was read under a key."""
        return self._head if key == HEAD else self._read.get(key)

    def lost(self) -> bytes | None:
        """A key without whose record nobody knows what is in force."""
        if self._head is None:
            return HEAD
        named = msgspec.json.decode(self._head, type=_Head).definitions
        return _key(named) if named is not None and _key(named) not in self._read else None

    def restore(self, versions: Versions) -> None:
        """Put what was read into ``versions``; once."""
        if self._head is None:
            return
        head = msgspec.json.decode(self._head, type=_Head)
        kept = {key: msgspec.json.decode(value, type=_Kept) for key, value in self._read.items()}
        known = {
            key: version for key, one in kept.items() if (version := _version(bytes(one.version), self._read_model))
        }
        versions.slots.version[0], versions.slots.effective[0] = head.ordinal, head.effective
        versions.newest = head.newest
        versions.cuts = {(measure, share): value for measure, share, value in head.cuts}
        clusters, definitions = (known.get(_key(name)) for name in (head.clusters, head.definitions))
        if clusters is not None and not isinstance(clusters, CutsVersion | DefinitionsVersion | PredictionVersion):
            versions.clusters = clusters
        for name in head.predictions:
            if isinstance(prediction := known.get(_key(name)), PredictionVersion):
                versions.predictions[prediction.kind] = prediction
        if isinstance(definitions, DefinitionsVersion):
            versions.definitions = definitions
        waiting = sorted(((one.effective, one.order, key) for key, one in kept.items() if one.waiting and key in known))
        for _, _, key in waiting:
            one = kept[key]
            versions.chain.append(Entry(one.effective, known[key], one.ordinal, tuple(one.concerns), one.order))
        self._written = {
            key: (one.waiting, one.effective, one.order, one.ordinal, tuple(one.concerns)) for key, one in kept.items()
        }
        self._head, self._read = None, {}

    def write(self, versions: Versions) -> list[tuple[bytes, bytes | None]]:
        """The records that differ from what is at rest."""
        state: dict[bytes, tuple[_State, Version]] = {}
        in_force: tuple[Version | None, ...] = (
            versions.clusters,
            versions.definitions,
            *versions.predictions.values(),
        )
        state |= {_key(name_of(one)): ((False, 0, 0, 0, ()), one) for one in in_force if one is not None}
        for e in versions.chain:
            state[_key(name_of(e.version))] = (True, e.effective, e.order, e.ordinal, e.concerns), e.version
        found: list[tuple[bytes, bytes | None]] = [(HEAD, msgspec.json.encode(_head(versions)))]
        for key, (now, version) in state.items():
            if self._written.get(key) != now:
                kept = _Kept(*now[:4], list(now[4]), msgspec.Raw(version.to_json()))
                found.append((key, msgspec.json.encode(kept)))
        found += [(key, None) for key in self._written if key not in state]
        self._written = {key: now for key, (now, _) in state.items()}
        return found


def name_of(version: Version) -> str:
    """What tells a version from all others of a shard: its kind and its number."""
    return f"{kind_of(version)}/{version.version}"


def _key(name: str | None) -> bytes:
    return ENTRY + (name or "").encode("utf-8", "surrogatepass")


def _head(versions: Versions) -> _Head:
    return _Head(
        int(versions.slots.version[0]),
        int(versions.slots.effective[0]),
        versions.newest,
        [(measure, share, value) for (measure, share), value in sorted(versions.cuts.items())],
        None if versions.clusters is None else name_of(versions.clusters),
        None if versions.definitions is None else name_of(versions.definitions),
        [name_of(prediction) for _, prediction in sorted(versions.predictions.items())],
    )


def _version(data: bytes, read_model: ReadModel | None) -> Version | None:
    kind = msgspec.json.decode(data, type=_Type).type
    if kind == "cuts":
        return CutsVersion.from_json(data)
    if kind == "definitions":
        return msgspec.json.decode(data, type=DefinitionsVersion)
    return read_model(data) if read_model is not None else None
