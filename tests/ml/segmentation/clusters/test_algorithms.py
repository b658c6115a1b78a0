"""Every clustering algorithm fulfils one contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import (
    COVARIANCES,
    NOISE,
    KMeansSegments,
    MixtureSegments,
    SegmentModel,
)
from ml.segmentation.clusters.density_methods import DBSCANSegments, HDBSCANSegments
from ml.segmentation.persistence import load_estimators, save_estimators

MODELS = [
    KMeansSegments(3, starts=3),
    KMeansSegments(3, starts=3, minibatch_rows=100),
    *[MixtureSegments(3, covariance, starts=1) for covariance in COVARIANCES],
    DBSCANSegments(),
    HDBSCANSegments(smallest=0.1),
]


def clusters(users: int = 600) -> tuple[F64, np.ndarray]:
    generator = np.random.default_rng(3)
    truth = generator.integers(3, size=users)
    centres = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 0.0], [0.0, 6.0, 0.0]])
    return centres[truth] + generator.normal(scale=0.7, size=(users, 3)), truth


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.describe())
class TestEveryAlgorithm:
    def test_finds_three_clusters(self, model: SegmentModel) -> None:
        Z, truth = clusters()
        labels = model.fit(Z).predict(Z)
        assert model.n_segments_ == 3
        assert adjusted_rand_score(truth[labels != NOISE], labels[labels != NOISE]) > 0.98
        assert (labels == NOISE).mean() < 0.15

    def test_memberships_are_shares_or_nothing(self, model: SegmentModel) -> None:
        Z, _ = clusters()
        shares = model.fit(Z).membership(Z)
        assert shares.shape == (600, 3)
        assert shares.min() >= 0
        total = shares.sum(axis=1)
        assert np.all(np.isclose(total, 1) | (total == 0))

    def test_a_single_user_gets_the_same_membership_as_in_a_table(self, model: SegmentModel) -> None:
        Z, _ = clusters()
        shares = model.fit(Z).membership(Z)
        np.testing.assert_allclose(model.membership(Z[7:8])[0], shares[7], atol=1e-12)

    def test_reordering_renumbers_and_changes_nothing_else(self, model: SegmentModel) -> None:
        Z, _ = clusters()
        before = model.fit(Z).membership(Z)
        model.reorder(np.array([2, 0, 1]))
        np.testing.assert_allclose(model.membership(Z), before[:, [2, 0, 1]])

    def test_saved_and_loaded_gives_the_same_memberships(self, model: SegmentModel, tmp_path: Path) -> None:
        Z, _ = clusters()
        shares = model.fit(Z).membership(Z)
        save_estimators({"model": model}, tmp_path)
        loaded = load_estimators(tmp_path)[0]["model"]
        np.testing.assert_array_equal(loaded.membership(Z), shares)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_a_mixture_agrees_with_scikit_learn(covariance: str) -> None:
    Z, _ = clusters()
    ours = MixtureSegments(3, covariance, starts=1, seed=5).fit(Z)
    theirs = GaussianMixture(3, covariance_type=covariance, random_state=5, reg_covar=1e-4).fit(Z)
    np.testing.assert_allclose(ours.membership(Z), theirs.predict_proba(Z), atol=1e-9)
    assert ours.bic(Z) == pytest.approx(theirs.bic(Z))


def test_density_methods_report_an_isolated_user_as_noise() -> None:
    Z, _ = clusters()
    for model in (DBSCANSegments(), HDBSCANSegments(smallest=0.1)):
        assert model.fit(Z).predict(np.array([[40.0, 40.0, 40.0]])).tolist() == [NOISE]


def test_a_file_with_an_unknown_class_is_refused(tmp_path: Path) -> None:
    save_estimators({"model": KMeansSegments(2).fit(clusters()[0])}, tmp_path)
    state = tmp_path / "state.json"
    state.write_text(state.read_text().replace('"KMeansSegments"', '"os.system"'))
    with pytest.raises(ValueError, match=r"unknown class 'os.system'; known: .*KMeansSegments"):
        load_estimators(tmp_path)
    state.write_text(state.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(ValueError, match="format 99 is not readable"):
        load_estimators(tmp_path)
