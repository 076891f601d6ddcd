"""How well clusters are found, by where the first centroids stand: `python -m tests.benchmarks.cluster_seeding`.

Prints for each data set, start and half-life, over several seeds: the adjusted Rand index against the truth, the
inertia over that of batch k-means (the best of 8 starts), and how many of the six clusters hold at least 1 % of the
vectors. The index alone misleads where groups are of unequal size: a centroid that is never used merges two groups, and
that can score above the batch result, which splits the largest. The skewed set stands for shoppers' raw features (gamma
within a persona), it is not the simulator's output; the third is its logarithm.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq

from stream.cluster import trainer as trainer_module
from stream.cluster.seeding import seed_centroids
from stream.cluster.trainer import Trainer, TrainerSettings

Matrix = NDArray[np.float64]
Labels = NDArray[np.intp]
Seeding = Callable[[Matrix, int, int], Matrix | None]
#: Groups, and their shares: unequal, as personas are.
SHARES = np.array([0.35, 0.25, 0.15, 0.12, 0.08, 0.05])
K, WIDTH = 6, 6


def separated(rng: np.random.Generator, count: int, spread: float = 4.0) -> tuple[Matrix, Labels]:
    centers = rng.normal(0, spread, (K, WIDTH))
    truth = rng.choice(K, count, p=SHARES)
    return centers[truth] + rng.normal(0, 1, (count, WIDTH)), truth


def overlapping(rng: np.random.Generator, count: int) -> tuple[Matrix, Labels]:
    return separated(rng, count, 2.0)


def skewed(rng: np.random.Generator, count: int) -> tuple[Matrix, Labels]:
    means = np.exp(rng.normal(0, 1, (K, WIDTH))) * np.array([10, 3, 80, 25, 1, 5])
    truth = rng.choice(K, count, p=SHARES)
    return rng.gamma(2.5, means[truth] / 2.5), truth


def skewed_log(rng: np.random.Generator, count: int) -> tuple[Matrix, Labels]:
    values, truth = skewed(rng, count)
    return np.log1p(values), truth


def river_random(points: Matrix, clusters: int, seed: int) -> Matrix:
    """What river does by itself: standard normal centroids."""
    return np.random.default_rng(seed).normal(0, 1, (clusters, points.shape[1]))


def some_points(points: Matrix, clusters: int, seed: int) -> Matrix:
    chosen = np.random.default_rng(seed).choice(len(points), clusters, replace=False)
    return np.asarray(points[chosen], np.float64)


def one_plus_plus(points: Matrix, clusters: int, seed: int) -> Matrix:
    """k-means++ once, and one step."""
    return np.asarray(kmeans2(points, clusters, iter=1, minit="++", rng=np.random.default_rng(seed))[0], np.float64)


STARTS: dict[str, Seeding] = {
    "river random": river_random,
    "points": some_points,
    "one k-means++": one_plus_plus,
    "as built": seed_centroids,
}


def adjusted_rand(a: Labels, b: Labels) -> float:
    """Hubert and Arabie's index of two labellings."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: Matrix) -> float:
        return float((counts * (counts - 1) / 2).sum())

    rows, columns = pairs(table.sum(0)), pairs(table.sum(1))
    expected = rows * columns / pairs(table.sum(keepdims=True))
    return (pairs(table) - expected) / ((rows + columns) / 2 - expected)


def inertia(points: Matrix, centroids: Matrix) -> float:
    return float(np.square(vq(points, centroids)[1]).sum())


def measure(start: Seeding, halflife: float, vectors: Matrix, truth: Labels, best: float) -> tuple[float, ...]:
    """ARI, inertia over batch, clusters in use, microseconds a learn."""
    settings = TrainerSettings(tuple("abcdef"), K, seed=3, halflife=halflife, warm_up=1_000)
    learner = Trainer(settings)
    with mock.patch.object(trainer_module, "seed_centroids", start):
        began = time.perf_counter()
        learner.learn(vectors)
        micros = (time.perf_counter() - began) / len(vectors) * 1e6
    model = learner.snapshot(1, {})
    if model is None:
        raise RuntimeError("still warming up: use more vectors")
    labels = model.assign(vectors)
    scaled = (vectors - np.array(model.mean)) / np.array(model.scale)
    used = int((np.bincount(labels, minlength=K) >= 0.01 * len(vectors)).sum())
    return adjusted_rand(labels, truth), inertia(scaled, np.array(model.centroids)) / best, used, micros


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=8_000)
    parser.add_argument("--seeds", type=int, default=12)
    options = parser.parse_args()
    print(f"{'data':12} {'start':14} {'h':>5} | {'ARI mean':>8} {'sd':>5} {'min':>5} | inertia mean   max | used | us")
    for data in (separated, overlapping, skewed, skewed_log):
        results: dict[tuple[str, float], list[tuple[float, ...]]] = defaultdict(list)
        for seed in range(100, 100 + options.seeds):
            vectors, truth = data(np.random.default_rng(seed), options.vectors)
            scaled = (vectors - vectors.mean(0)) / vectors.std(0)
            runs = [kmeans2(scaled, K, iter=50, minit="++", rng=np.random.default_rng(i)) for i in range(8)]
            centroids, labels = min(runs, key=lambda run: inertia(scaled, run[0]))
            best = inertia(scaled, centroids)
            results["batch", 0].append((adjusted_rand(labels, truth), 1.0, K, 0.0))
            for name, start in STARTS.items():
                for halflife in (0.05, 0.01):
                    results[name, halflife].append(measure(start, halflife, vectors, truth, best))
        for (name, halflife), rows in results.items():
            ari, ratio, used, micros = np.array(rows).T
            print(
                f"{data.__name__:12} {name:14} {halflife:5} | {ari.mean():8.3f} {ari.std():5.3f} {ari.min():5.3f} "
                f"| {ratio.mean():12.3f} {ratio.max():5.3f} | {used.mean():4.2f} | {micros.mean():.1f}"
            )


if __name__ == "__main__":
    main()
