"""Learns clusters from a stream of feature vectors: several clusterers side by side, the best of them published.

Pure: no I/O, no clock. Who does what: `window` keeps the sample of the recent past and its scale, `candidates` learn,
`scoring` and `drawing` compare them, `identity` says which new cluster is which old one, `portrait` and `making` make a
version of it, `drifting` looks for changes of the world, `kept` stays from version to version, `state` is that at
rest: what a restart needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.cluster import candidates, making
from stream.cluster.drawing import Drawing, draw
from stream.cluster.drifting import INERTIA, Drifted, Watch, series
from stream.cluster.identity import Drawn, Identity, begin, carry_on
from stream.cluster.kept import Kept
from stream.cluster.model import ClusterModel, ClusterName, usable
from stream.cluster.seeding import seed_centroids
from stream.cluster.settings import TrainerSettings
from stream.cluster.state import Mark, TrainerState
from stream.cluster.window import CAPACITY, FAR, Space, Window

__all__ = ["Trainer", "TrainerSettings", "TrainerState"]

Matrix = NDArray[np.float64]

#: A candidate whose inertia is higher than the best one's by this share is placed anew where the best one stands.
LAGGING = 0.1
#: Places in the stream of vectors that are remembered for one span of the sample.
MARKS = 8
#: While the world moves clusters are drawn anew for this part of the gain that is asked for otherwise.
RESTLESS = 1 / 3
#: While the sample has never been full, a series that moved is told of only if it stayed for so many versions before.
STAYED = 2


@dataclass
class _Following:
    """What learns between two versions, all of it in the space of the last one."""

    space: Space
    candidates: dict[str, candidates.Candidate]
    watch: Watch


class Trainer:
    """Learns, keeps a sample of the recent past, and makes a version when one is due.

    At each version the candidates are scored on the sample, and the clusters that are published already too. They stay
    as they are, to the last bit, unless a candidate is clearly better: so customers are not moved by the noise of
    learning, and what moves them is a change of the world.

    Parameters
    ----------
    settings
        How to learn.
    cursor
        Where in the vectors topic it begins.
    """

    def __init__(self, settings: TrainerSettings, *, cursor: Mapping[int, int] | None = None) -> None:
        self.settings = settings
        self.learned = 0
        #: Drift seen and not yet told of; whoever tells of it empties the list.
        self.drifts: list[Drifted] = []
        #: Series that moved since the newest version, and those of them that are told.
        self._moved: set[str] = set()
        self._drifted: set[str] = set()
        self._version, self._effective = 0, 0
        self._newest: ClusterModel | None = None
        self._published_at: int | None = None
        self._seeded = False
        self._given: dict[int, str] = {}
        self._kept = Kept(marks=[Mark(0, dict(cursor or {0: 0}))])
        self._window = Window(len(settings.features))
        self._following: _Following | None = None

    @classmethod
    def after(cls, settings: TrainerSettings, newest: ClusterModel) -> Trainer:
        """The trainer that wrote that version, but for the sample: see `recall`.

        Where it learned from other features, a new one that counts on from it, in versions and in ids.
        """
        state = TrainerState.of(newest)
        trainer = cls(settings, cursor=newest.cursor)
        trainer._version, trainer._effective = newest.version, newest.effective
        kept = trainer._kept
        kept.next_id = max(*newest.numbers, -1, state.next_id - 1 if state else -1) + 1
        kept.resting = dict(state.resting) if state else {}
        if newest.features != settings.features:
            kept.resting |= dict.fromkeys(newest.places, newest.version + 1)
            return trainer
        trainer._newest = newest
        trainer.learned = trainer._published_at = newest.learned
        names = dict(zip(newest.numbers, newest.names, strict=True))
        trainer._given = {number: names[number] for number in newest.given if number in names}
        kept.marks = [Mark(newest.learned, dict(newest.cursor))]
        if state is not None:
            trainer._take_up(state)
        return trainer

    def _take_up(self, state: TrainerState) -> None:
        self._kept.take_up(state)
        floor = CAPACITY / (8 * self._span)
        self._window = Window(len(self.settings.features), state.oldest, max(state.share, min(1.0, floor)))

    @property
    def newest(self) -> ClusterModel | None:
        """The newest version, None before the first of these features."""
        return self._newest

    @property
    def recall(self) -> Mapping[int, int]:
        """From where on in the vectors topic, up to where the newest version stands, `remember` wants the vectors."""
        return self._kept.marks[0].cursor

    def remember(self, vectors: Matrix) -> None:
        """Take the vectors from `recall` on (n, d), all at once and before any new one, back into the sample.

        Where some are not there any more, or all, the sample fills again as it goes; the clusters stay meanwhile.
        """
        vectors = usable(vectors[max(0, len(vectors) - self.learned) :])
        self._window.add(self.learned - len(vectors), vectors)

    def begin_again(self, cursor: Mapping[int, int]) -> None:
        """What it learned from is not there any more; what comes next is at ``cursor``.

        The clusters stay, and the sample fills again.
        """
        self._kept.marks = [Mark(self.learned, dict(cursor))]

    @property
    def warming_up(self) -> bool:
        """No clusters yet, so nothing to publish."""
        return self._newest is None and not self._seeded

    def until_due(self) -> int:
        """How many more vectors make the next snapshot due; 0: due now. While warming up: until that may end."""
        if self.warming_up:
            return self.settings.warm_up - self.learned % self.settings.warm_up
        if self._published_at is None:
            return 0
        return max(0, self._published_at + self.settings.publish_every - self.learned)

    def learn(self, vectors: Matrix) -> None:
        """Learn the rows of ``vectors`` (n, d) in order; values that are not finite are missing."""
        vectors = usable(vectors)
        at = 0
        while at < len(vectors):
            size = self.until_due() if self.warming_up else len(vectors) - at
            part = vectors[at : at + size]
            self.prepare()
            numbers, kept = self._window.add(self.learned, part)
            self.learned += len(part)
            at += len(part)
            if self._newest is not None and self._following is not None:
                self._follow(self._newest, self._following, part, numbers, kept)
            elif self.learned % self.settings.warm_up == 0:
                self._end_warm_up()

    def prepare(self) -> None:
        """Begin what learns until the next version, as `learn` does where nobody has: it takes longer than a vector."""
        if self._newest is not None and self._following is None:
            self._following = self._begin_following(self._newest)

    def _end_warm_up(self) -> None:
        """Unless there are fewer different customers so far than clusters."""
        self._window.forget(self.learned - self._span)
        samples = self._window.samples()
        points = Space.of(samples).scaled(samples)
        self._seeded = seed_centroids(points, self.settings.fewest, self.settings.seed) is not None

    def _begin_following(self, newest: ClusterModel) -> _Following:
        """Everything that learns until the next version, made of what a version leaves, and of the sample."""
        kept, settings = self._kept, self.settings
        own = Space(np.array(newest.mean), np.array(newest.scale))
        space = Space(np.array(kept.mean), np.array(kept.scale)) if kept.mean else own
        centroids = space.from_other(np.array(newest.centroids), own)
        samples, numbers = self._window.samples(), self._window.numbers
        recent = space.scaled(samples)
        made = {
            name: candidates.make(name, settings, kept.placed.get(name, centroids), recent)
            for name in settings.candidates
        }
        watch = Watch((*settings.features, INERTIA), kept.levels)
        values = _watched(newest, samples)
        watch.seen({name: values[numbers > kept.told.get(name, -1), i] for i, name in enumerate(watch.names)})
        if self._starting:
            watch.level()
            kept.levels |= watch.levels
        return _Following(space, {name: each for name, each in made.items() if each is not None}, watch)

    def _follow(
        self, newest: ClusterModel, following: _Following, vectors: Matrix, numbers: NDArray[np.int64], kept: Matrix
    ) -> None:
        for point in candidates.points(following.space.scaled(vectors)):
            for candidate in following.candidates.values():
                candidate.learn_one(point)
        # By rows: how vectors are cut into batches says nothing about which of two changes was seen first.
        for row, drifted in sorted(following.watch.look(_watched(newest, kept)), key=lambda seen: seen[0]):
            self._kept.levels[drifted.what] = drifted.after
            self._kept.told[drifted.what] = int(numbers[row])
            self._moved.add(drifted.what)
            told = not self._starting or self._kept.stayed.get(drifted.what, 0) >= STAYED
            if told and drifted.what not in self._drifted:  # what goes on changing is told once a version
                self._drifted.add(drifted.what)
                self.drifts.append(drifted)

    @property
    def _span(self) -> int:
        return max(self.settings.window, self.settings.publish_every)

    @property
    def _starting(self) -> bool:
        """Fewer vectors were learned so far than the sample reaches back once it is full."""
        return self.learned < self._span

    # Versions

    def snapshot(self, effective_ms: int, cursor: dict[int, int]) -> ClusterModel | None:
        """The next version, or None while warming up.

        It is effective at ``effective_ms``, or 1 ms after the version before if that is later: versions never overtake
        one another. ``cursor`` is where in the vectors topic this trainer stands.
        """
        if self.warming_up:
            return None
        before, version = self._newest, self._version + 1
        self._settle()
        samples = self._window.samples()
        enough = before is None or len(samples) >= min(self.settings.warm_up, CAPACITY // 4)
        drawing = draw(self._asking(), samples, before, self._online()) if enough else None
        identity = None
        if drawing is not None and drawing.redrawn:
            identity = self._identify(before, drawing, version)
            if identity is None:
                drawing = drawing.postponed()
            else:
                order = np.argsort(identity.ids)
                drawing, identity = replace(drawing, best=drawing.best.ordered(order)), identity.ordered(order.tolist())
        if drawing is None and before is None:
            self._seeded = False  # too few differ among those that clusters are found on: warm up for longer
            return None
        stamp = self._stamp(effective_ms) | {
            "learned": self.learned,
            "cursor": dict(cursor),
            # In one order, however the vectors were cut into batches.
            "drifted": tuple(what for what in (*self.settings.features, INERTIA) if what in self._drifted),
        }
        if drawing is not None and identity is not None:
            model = making.first_or_redrawn(self.settings, before, drawing, identity, self._given, stamp)
            self._kept.next_id, self._kept.resting = identity.next_id, dict(identity.resting)
            self._given = {number: name for number, name in self._given.items() if number in identity.ids}
        elif before is not None:
            model = making.as_before(self.settings, before, drawing, self._given, stamp)
        else:
            return None
        self._leave(model, samples, drawing, cursor)
        self._published_at = self.learned
        self._newest = msgspec.structs.replace(model, trainer=self._kept.state(self._window))
        self._following, self._moved, self._drifted = None, set(), set()
        return self._newest

    def _settle(self) -> None:
        """Note what moved since the version before, and let go of the sample before that: it shows customers as they
        no longer are. At least a quarter of a full sample stays."""
        kept, since = self._kept, self._published_at
        if since is None:
            return
        kept.stayed = {name: 0 if name in self._moved else kept.stayed.get(name, 0) + 1 for name in kept.levels}
        if self._moved:
            kept.unrest = self.learned + self._span // MARKS
            numbers = self._window.numbers
            if len(numbers) > CAPACITY // 4:
                least = min(int(numbers[-(CAPACITY // 4)]), self.learned - self._span // 4)
                self._window.forget(min(since, least))

    def _asking(self) -> TrainerSettings:
        """While the world moves, or the sample has never been full, a smaller gain is enough to draw clusters anew."""
        if not self._starting and self.learned > self._kept.unrest:
            return self.settings
        return replace(self.settings, redraw_gain=self.settings.redraw_gain * RESTLESS)

    def name(self, request: ClusterName) -> bool:
        """Call a cluster as a person wishes from now on; False where there is no such cluster here."""
        if self._newest is None or request.dimension != self.settings.dimension:
            return False
        if request.id not in self._newest.numbers:
            return False
        self._given.pop(request.id, None)
        if request.name:
            self._given[request.id] = request.name
        return True

    def renamed(self, effective_ms: int) -> ClusterModel | None:
        """A version that differs from the newest in names only; None where all are called as they should be.

        It stands where the newest does: what was learned since is not in it.
        """
        newest = self._newest
        if newest is None:
            return None
        names = making.renamed(self.settings, newest, self._given)
        given = tuple(number for number in newest.numbers if number in self._given)
        if (names, given) == (newest.names, newest.given):
            return None
        told: dict[str, Any] = {"names": names, "given": given, "story": (), "drifted": ()}
        self._newest = msgspec.structs.replace(newest, **self._stamp(effective_ms), **told)
        return self._newest

    def _stamp(self, effective_ms: int) -> dict[str, Any]:
        self._version += 1
        self._effective = max(effective_ms, self._effective + 1)
        return {"version": self._version, "effective": self._effective}

    def _identify(self, before: ClusterModel | None, drawing: Drawing, version: int) -> Identity | None:
        kept, places = self._kept, 2 * self.settings.most
        present = drawing.present
        if before is None or present is None:
            count = drawing.best.clusters
            return begin(count, next_id=kept.next_id, version=version, resting=kept.resting, places=places)
        return carry_on(
            before.numbers,
            before.places,
            Drawn(present.labels, present.centroids),
            Drawn(drawing.best.labels, drawing.best.centroids),
            version=version,
            next_id=kept.next_id,
            resting=kept.resting,
            places=places,
            # Shards pass over clusters that the definition has no room for: then nobody is in their places.
            held=len(before.centroids) <= self.settings.most and max(before.places) < places,
        )

    def _online(self) -> dict[str, Matrix]:
        """The centroids of what learns online, as plain vectors."""
        following, width = self._following, len(self.settings.features)
        if following is None:
            return {}
        found = {name: each.centroids(width) for name, each in following.candidates.items()}
        return {name: following.space.raw(rows) for name, rows in found.items()}

    def _leave(self, model: ClusterModel, samples: Matrix, drawing: Drawing | None, cursor: Mapping[int, int]) -> None:
        """Keep what the next version will need; all else is made anew from it, here as after a restart."""
        kept = self._kept
        if drawing is not None:
            kept.placed = self._placed(drawing)
            kept.mean, kept.scale = tuple(drawing.space.mean.tolist()), tuple(drawing.space.scale.tolist())
            values = _watched(model, samples)
            means = dict(zip((*self.settings.features, INERTIA), values.mean(axis=0).tolist(), strict=True))
            kept.levels = means if drawing.redrawn else means | kept.levels
        elif self._following is not None:
            width, space = len(self.settings.features), self._following.space
            kept.mean, kept.scale = tuple(space.mean.tolist()), tuple(space.scale.tolist())
            following = {n: c for n, c in self._following.candidates.items() if candidates.goes_on(n)}
            kept.placed |= {name: each.centroids(width) for name, each in following.items()}
        if self.learned - kept.marks[-1].learned >= self._span // MARKS:
            kept.marks.append(Mark(self.learned, dict(cursor)))
        while len(kept.marks) > 1 and kept.marks[1].learned <= self.learned - self._span:
            kept.marks.pop(0)
        self._window.forget(max(self._window.oldest, kept.marks[0].learned))

    def _placed(self, drawing: Drawing) -> dict[str, Matrix]:
        """Where the candidates go on: where they are, unless they lag behind the best."""
        best, space = drawing.best, drawing.space
        placed = {name: best.centroids for name in self.settings.candidates if candidates.goes_on(name)}
        lagging = {each.candidate for each in drawing.scores if each.inertia > best.inertia * (1 + LAGGING)}
        for name, rows in self._online().items():
            used = {each.candidate: each.clusters for each in drawing.scores}.get(name)
            if name in placed and name not in lagging and len(rows) == used == best.clusters:
                placed[name] = space.scaled(rows)
        return placed


def _watched(model: ClusterModel, samples: Matrix) -> Matrix:
    """The numbers in which drift is looked for (n, d + 1): features in the scale of the published clusters, and fit."""
    own = Space(np.array(model.mean), np.array(model.scale))
    points = own.scaled(samples)
    centroids = np.array(model.centroids)[model.assign(samples)]
    return series(points, np.square(points - np.clip(centroids, -FAR, FAR)).sum(axis=1))
