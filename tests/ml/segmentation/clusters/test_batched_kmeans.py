"""k-means of many tables at once is as good as scikit-learn's of one table after another."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from ml.segmentation.clusters import batched_kmeans
from ml.segmentation.clusters.algorithms import BATCH_ROWS, KMeansSegments, fit_models
from ml.segmentation.clusters.batched_kmeans import fit_tables


def inertia(Z: np.ndarray, centres: np.ndarray) -> float:
    return float(((Z[:, None] - centres) ** 2).sum(axis=2).min(axis=1).sum())


def draw_tables(kind: str, count: int, rows: int) -> np.ndarray:
    generator = np.random.default_rng(7)
    if kind == "flags":
        return (generator.random((count, rows, 6)) < 0.3).astype(float)
    noise = generator.normal(size=(count, rows, 6))
    if kind == "groups":
        centres = generator.normal(scale=3.0, size=(count, 5, 6))
        return noise + centres[:, generator.integers(5, size=rows)]
    return noise + 1e4 * (kind == "far from zero")


@pytest.mark.parametrize("kind", ["noise", "groups", "flags", "far from zero"])
@pytest.mark.parametrize("segments", [2, 5, 9])
def test_the_inertia_is_not_worse_than_scikit_learns(kind: str, segments: int) -> None:
    tables = draw_tables(kind, 30, 150)
    centres = fit_tables(tables, segments, 3, np.random.default_rng(0))
    found = [inertia(Z, c) for Z, c in zip(tables, centres, strict=True)]
    usual = [KMeans(segments, n_init=3, random_state=seed).fit(Z).inertia_ for seed, Z in enumerate(tables)]
    assert np.mean(found) <= 1.01 * np.mean(usual)


def test_every_centre_is_the_mean_of_its_users() -> None:
    tables = draw_tables("noise", 4, 200)
    for Z, centres in zip(tables, fit_tables(tables, 4, 2, np.random.default_rng(0)), strict=True):
        labels = ((Z[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        for segment, centre in enumerate(centres):
            np.testing.assert_allclose(centre, Z[labels == segment].mean(axis=0), atol=1e-9)


def test_tables_are_fitted_in_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = draw_tables("groups", 6, 100)
    monkeypatch.setattr(batched_kmeans, "BLOCK_VALUES", 1)
    centres = fit_tables(tables, 5, 10, np.random.default_rng(0))
    found = [inertia(Z, c) for Z, c in zip(tables, centres, strict=True)]
    usual = [KMeans(5, n_init=10, random_state=0).fit(Z).inertia_ for Z in tables]
    np.testing.assert_allclose(found, usual, rtol=1e-2)


def test_a_centre_without_users_moves_to_the_farthest_user() -> None:
    labels = np.array([[0, 0, 0, 2]])
    distances = np.array([[0.1, 4.0, 1.0, 0.0]])
    X = np.array([[[0.0], [3.0], [1.0], [9.0]]])
    assert batched_kmeans._mean_users(X, labels, distances, 3).tolist() == [[[4 / 3], [3.0], [9.0]]]


def test_fewer_different_users_than_segments_do_not_stop_the_fit() -> None:
    tables = np.repeat(np.array([[[0.0, 0.0]], [[1.0, 2.0]]]), 20, axis=1)
    tables[:, :5] += 1.0
    for Z, centres in zip(tables, fit_tables(tables, 4, 3, np.random.default_rng(0)), strict=True):
        assert inertia(Z, centres) == pytest.approx(0.0)


@pytest.mark.parametrize("rows", [120, BATCH_ROWS + 1])
def test_models_fitted_together_are_those_fitted_alone(rows: int) -> None:
    tables = draw_tables("groups", 3, rows)
    together = [KMeansSegments(5, starts=10, seed=seed) for seed in range(3)]
    fit_models(together, tables)
    for seed, (model, Z) in enumerate(zip(together, tables, strict=True)):
        alone = KMeansSegments(5, starts=10, seed=seed).fit(Z)
        assert inertia(Z, model.centres_) == pytest.approx(inertia(Z, alone.centres_), rel=1e-2)
        assert model.within_variance_ == pytest.approx(alone.within_variance_, rel=1e-2)
        assert model.n_segments_ == 5


def test_the_same_seeds_give_the_same_centres() -> None:
    tables = draw_tables("noise", 3, 150)
    first, second = (fit_tables(tables, 6, 2, np.random.default_rng(5)).tolist() for _ in range(2))
    assert first == second
