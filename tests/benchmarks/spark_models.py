"""Models that Spark's MLlib fits against those of this process: NDCG of ALS, tightness and truth of k-means.

Size 1 is MovieLens 100k (one seed) and all of Globo's clicks, and k-means of five million users with 40 scores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from figure import Figure, in_own_process
from interaction_matrix import globo_pairs
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from ml.arrays import F64, I64
from ml.dataset.interactions import Interactions
from ml.evaluation.ranking_metrics import measure as measure_lists
from ml.evaluation.splits import split
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.training_data import TrainingData
from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.settings.engines import SparkSettings

sys.path.append(str(Path(__file__).resolve().parent / "accuracy"))
MACHINE = SparkSettings(options={"spark.driver.memory": "6g"})
PEOPLE, SCORES, GROUPS, SAMPLE = 5_000_000, 40, 8, 50_000
K = 10


def measure(size: float) -> Iterator[Figure]:
    for name in ("ml-100k", "Globo"):
        figures = in_own_process(ndcg_of, name, size).result
        for rival in ("implicit_als", "als here"):
            yield Figure(
                f"spark_models: NDCG@10 of ALS, {name}", figures["als on Spark"], "", rival, figures[rival],
                figures["als on Spark"] / figures[rival],
            )  # fmt: skip
    people = int(PEOPLE * size)
    done = in_own_process(cluster, people)
    inertia, rival, agreement, seconds = done.result
    yield Figure(
        f"spark_models: k-means, {people:,} x {SCORES}, inertia", inertia, "",
        "scikit-learn's centres of a sample", rival, inertia / rival, people, seconds, done.peak_mib,
    )  # fmt: skip
    yield Figure(f"spark_models: k-means, {people:,} x {SCORES}, ARI with the planted groups", agreement, "")


def ndcg_of(name: str, size: float) -> dict[str, float]:
    """NDCG@10 of implicit's ALS, of `als` in this process, and of `als` by MLlib, by name."""
    from orchestration.spark.session import spark_session
    from orchestration.spark.training import SparkTraining

    train, test = films() if name == "ml-100k" else clicks(size)
    models = {"implicit_als": "implicit_als", "als here": "als", "als on Spark": "als"}
    figures = {}
    with spark_session(MACHINE) as session:
        for label, model in models.items():
            recommender = make_recommender(model)
            fitted = (
                SparkTraining(session).fit(recommender, train)
                if "Spark" in label
                else recommender.fit_aligned(train)
            )
            lists = fitted.recommend(test.users.values, K).to_table()
            figures[label] = measure_lists(lists, test, train.interactions, K, train.interactions.items).metrics[
                "ndcg"
            ]
    return figures


def films() -> tuple[TrainingData, Interactions]:
    """The split of the accuracy benchmark, seed 42."""
    from data_sets import films as of_seed

    drawn = of_seed(42)
    return drawn.train, drawn.test.only_liked()


def clicks(size: float) -> tuple[TrainingData, Interactions]:
    """Distinct pairs of user and article, a fifth of each user's held back at random."""
    parts = split(Interactions.from_table(globo_pairs(size)), "random", 0, share=0.2)
    return TrainingData.align(parts.train), parts.test


def planted(people: int) -> tuple[F64, I64]:
    """Scores (people, SCORES) of eight groups of unlike sizes, and the group of each."""
    random = np.random.default_rng(0)
    labels = random.choice(GROUPS, people, p=np.arange(1, GROUPS + 1) / sum(range(1, GROUPS + 1)))
    Z = random.standard_normal((people, SCORES))
    Z += random.normal(0, 1.2, (GROUPS, SCORES))[labels]
    return Z, labels


def cluster(people: int) -> tuple[float, float, float, float]:
    """Inertia on Spark and of scikit-learn's centres of a sample, ARI of Spark's groups, seconds of the fit."""
    from orchestration.spark.segment_models import SparkClustering
    from orchestration.spark.session import spark_session

    Z, labels = planted(people)
    sample = Z[:: max(1, people // SAMPLE)]
    rival = KMeans(GROUPS, n_init=5, random_state=0).fit(sample)
    model = KMeansSegments(GROUPS, starts=2, seed=0).fit(sample[:5_000])
    with spark_session(MACHINE) as session:
        start = time.perf_counter()
        SparkClustering(session).refit(model, Z)
        seconds = time.perf_counter() - start
    distances = np.concatenate(
        [
            ((block[:, None] - rival.cluster_centers_[None]) ** 2).sum(2).min(1)
            for block in np.array_split(Z, people // 20_000 + 1)
        ]
    )
    inertia = model.within_variance_ * Z.size
    return inertia, float(distances.sum()), adjusted_rand_score(labels, model.predict(Z)), seconds
