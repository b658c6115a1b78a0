"""Structureless data keep what columns and pairs of columns look like, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from ml.segmentation.clusters.copula import GaussianCopula
from ml.segmentation.clusters.feature_space import FeatureSpace
from ml.segmentation.clusters.margins import PROBABILITIES, fit_margin, unimodal_quantiles
from ml.segmentation.clusters.null_reference import NullReference


def draw(X: np.ndarray, rows: int = 20_000, categories: list[list[int]] | None = None) -> np.ndarray:
    """Draws of the reference of X, in the features themselves."""
    space = FeatureSpace(X, np.eye(X.shape[1]), categories or [])
    return NullReference(space).draw(rows, np.random.default_rng(9))


def test_the_unimodal_density_nearest_to_two_modes_has_a_single_mode() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(-3, 1, 3000), generator.normal(3, 1, 2000)])
    _, cumulative = unimodal_quantiles(values)
    density = np.diff(cumulative)
    mode = int(density.argmax())
    assert np.all(np.diff(density[: mode + 1]) >= -1e-12)
    assert np.all(np.diff(density[mode:]) <= 1e-12)
    assert cumulative[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[0.0, 1.0], [1.0, 2.0, 3.0, 7.0]])
def test_the_levels_of_a_discrete_column_keep_their_shares(values: list[float]) -> None:
    column = np.random.default_rng(0).choice(values, size=1000)
    margin = fit_margin(column)
    for value in values:
        assert (margin == value).mean() == pytest.approx((column == value).mean(), abs=0.001)


def test_a_value_that_many_users_share_keeps_its_share_within_a_continuous_column() -> None:
    generator = np.random.default_rng(1)
    spent = np.where(generator.random(2000) < 0.6, 0.0, generator.lognormal(3, 0.5, 2000))
    margin = fit_margin(spent)
    assert (margin == 0).mean() == pytest.approx((spent == 0).mean(), abs=0.001)
    above = np.quantile(spent[spent > 0], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(np.quantile(margin[margin > 0], [0.1, 0.5, 0.9]), above, rtol=0.1)


def test_normal_columns_need_the_correlation_that_they_show_and_flags_a_larger_one() -> None:
    normal = np.random.default_rng(2).standard_normal(100_000)
    quantiles = np.quantile(normal, PROBABILITIES)
    wanted = np.array([[1.0, 0.6], [0.6, 1.0]])
    assert GaussianCopula(np.stack([quantiles, quantiles]), wanted).latent[0, 1] == pytest.approx(0.6, abs=0.002)
    # Two even flags that are cut from normal variables of correlation r have the correlation 2·asin(r)/π.
    flag = (PROBABILITIES > 0.5).astype(float)
    latent = GaussianCopula(np.stack([flag, flag]), wanted).latent[0, 1]
    assert 2 * np.arcsin(latent) / np.pi == pytest.approx(0.6, abs=0.01)


def test_draws_have_the_means_the_spread_and_the_correlations_of_the_users() -> None:
    generator = np.random.default_rng(3)
    latent = generator.normal(size=(4000, 4)) @ generator.normal(size=(4, 4))
    X = np.column_stack([latent[:, 0], np.exp(latent[:, 1] / 3), latent[:, 2] > 0.5, np.round(latent[:, 3])])
    drawn = draw(X)
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(drawn.std(axis=0), X.std(axis=0), rtol=1e-9)
    off = np.corrcoef(drawn, rowvar=False) - np.corrcoef(X, rowvar=False)
    assert np.abs(off).max() < 0.03


def test_the_levels_of_a_category_exclude_each_other_in_draws() -> None:
    generator = np.random.default_rng(4)
    level = generator.choice(4, size=1000, p=[0.4, 0.3, 0.2, 0.1])
    X = np.column_stack([np.eye(4)[level], generator.normal(size=1000)])
    drawn = draw(X, categories=[[0, 1, 2, 3]])
    high = drawn[:, :4] > 0.5
    assert np.all(high.sum(axis=1) == 1)
    np.testing.assert_allclose(high.mean(axis=0), X[:, :4].mean(axis=0), atol=0.01)


def test_a_constant_column_stays_constant() -> None:
    X = np.column_stack([np.random.default_rng(5).normal(size=100), np.full(100, 2.0)])
    assert set(draw(X, rows=50)[:, 1]) == {2.0}


def test_a_constant_column_changes_nothing_of_the_others() -> None:
    generator = np.random.default_rng(8)
    first = generator.normal(size=400)
    X = np.column_stack([first, 0.8 * first + 0.6 * generator.normal(size=400), np.full(400, 0.1) * 3])
    drawn = draw(X - X.mean(axis=0))
    assert np.corrcoef(drawn[:, :2].T)[0, 1] == pytest.approx(np.corrcoef(X[:, :2].T)[0, 1], abs=0.03)
    assert np.ptp(drawn[:, 2]) == 0
