"""Divisions that MLlib fits are those of scikit-learn, in models that assign people without Spark."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from ml.arrays import F64, I64
from ml.segmentation import load_segmentation
from ml.segmentation.clusters.algorithms import KMeansSegments, MixtureSegments
from ml.segmentation.clusters.density_methods import HDBSCANSegments
from ml.segmentation.training import fit_segmentation
from ml.settings.segmentation import SegmentationSettings
from orchestration.spark.segment_models import SparkClustering
from tests.ml.segmentation.conftest import Planted, full_settings, planted, quick  # noqa: F401  fixtures

K, DIMENSIONS = 5, 4


@pytest.fixture(scope="module")
def groups() -> tuple[F64, I64]:
    """5,000 users in five groups of unlike sizes and shapes."""
    random = np.random.default_rng(5)
    sizes = [2_000, 1_200, 900, 600, 300]
    labels = np.repeat(np.arange(K), sizes)
    centres = random.normal(0, 5, (K, DIMENSIONS))
    shapes = random.normal(0, 0.25, (K, DIMENSIONS, DIMENSIONS)) + np.eye(DIMENSIONS)
    points = np.einsum("nij,nj->ni", shapes[labels], random.normal(0, 1, (len(labels), DIMENSIONS)))
    order = random.permutation(len(labels))
    return (centres[labels] + points)[order], labels[order]


def inertia(Z: F64, centres: F64) -> float:
    return float(((Z[:, None, :] - centres[None]) ** 2).sum(2).min(1).sum())


def test_kmeans_on_spark_is_as_tight_as_that_of_scikit_learn(cluster: Any, groups: tuple[F64, I64]) -> None:
    Z, labels = groups
    model = KMeansSegments(K, starts=3, seed=1).fit(Z[:400])
    before, numbers = inertia(Z, model.centres_), model.predict(Z)
    model = SparkClustering(cluster).refit(model, Z)
    rival = KMeans(K, n_init=5, random_state=0).fit(Z)
    assert isinstance(model, KMeansSegments)
    assert inertia(Z, model.centres_) == pytest.approx(rival.inertia_, rel=0.01)
    assert inertia(Z, model.centres_) < before
    assert adjusted_rand_score(labels, model.predict(Z)) > 0.95
    assert (model.predict(Z) == numbers).mean() > 0.95  # the segments of the sample keep their numbers
    assert model.within_variance_ == pytest.approx(inertia(Z, model.centres_) / Z.size)


def test_a_mixture_on_spark_is_as_likely_as_that_of_scikit_learn(cluster: Any, groups: tuple[F64, I64]) -> None:
    Z, labels = groups
    model = MixtureSegments(K, "full", starts=3, seed=1).fit(Z[:400])
    model = SparkClustering(cluster).refit(model, Z)
    rival = GaussianMixture(K, n_init=3, random_state=0, reg_covar=1e-4).fit(Z)
    assert model.bic(Z) == pytest.approx(rival.bic(Z), rel=0.01)
    assert adjusted_rand_score(labels, model.predict(Z)) > 0.95
    np.testing.assert_allclose(model.membership(Z[:50]).sum(axis=1), 1)


def test_a_worse_division_is_not_taken_and_other_models_stay(cluster: Any, groups: tuple[F64, I64]) -> None:
    Z, _ = groups
    model = KMeansSegments(K, seed=1).fit(Z)
    centres = model.centres_.copy()
    np.testing.assert_array_equal(model.take_centres(centres[::-1] + 1, Z).centres_, centres)
    np.testing.assert_allclose(model.take_centres(centres[::-1], Z).centres_, centres)
    mixture = MixtureSegments(K, "full", seed=1).fit(Z)
    means = mixture.means_.copy()
    mixture.take_moments(mixture.weights_, means + 1, np.repeat(np.eye(DIMENSIONS)[None], K, 0), Z)
    np.testing.assert_array_equal(mixture.means_, means)
    density = HDBSCANSegments()
    assert SparkClustering(cluster).refit(density, Z) is density


def test_a_segmentation_on_spark_is_that_of_one_process(
    cluster: Any,
    planted: Planted,  # noqa: F811
    quick: SegmentationSettings,  # noqa: F811
    tmp_path: Path,
) -> None:
    table, truth = planted(2_000)
    settings = quick.model_copy(update={"choice": quick.choice.model_copy(update={"sample_rows": 700})})
    fitted = fit_segmentation(table, settings, seed=3, engine=SparkClustering(cluster))
    here = fit_segmentation(table, settings, seed=3).assign(table)
    fitted.save(tmp_path / "segmentation")
    assigned = load_segmentation(tmp_path / "segmentation").assign(table)
    assert adjusted_rand_score(truth, assigned["segment"].to_numpy()) > 0.97
    assert np.mean(np.equal(assigned["segment"], here["segment"])) > 0.99
