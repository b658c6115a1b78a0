"""Confidences from weights, worked out by hand."""

import numpy as np
import pytest
from scipy import sparse

from ml.dataset.weight_scale import WEIGHT_SCALINGS, WeightScale

# Two users: the first has weights 1 and 4, the second 1, 1 and 16. The geometric mean of the five is 64 ** (1/5).
WEIGHTS = sparse.csr_matrix(np.array([[1, 4, 0, 0], [0, 1, 1, 16]], np.float32))
TYPICAL = 64 ** (1 / 5)


def scaled(kind, weights=WEIGHTS):
    return WeightScale.learn(weights, kind).confidences(weights)


def test_binary_counts_every_pair_the_same():
    assert scaled("binary").data.tolist() == [1, 1, 1, 1, 1]


def test_linear_divides_by_the_mean():
    np.testing.assert_allclose(scaled("linear").data, np.array([1, 4, 1, 1, 16]) / (23 / 5), rtol=1e-6)


def test_log_grows_with_the_logarithm_of_the_weight_over_the_geometric_mean():
    curve = np.log(1 + np.array([1, 4, 1, 1, 16]) / TYPICAL)
    np.testing.assert_allclose(scaled("log").data, curve / curve.mean(), rtol=1e-6)


def test_bm25_saturates_the_sooner_the_smaller_the_weights_of_the_user():
    means = np.array([2.5, 6.0])  # their mean is 4.25
    length = np.repeat(means / 4.25, [2, 3])
    relative = np.array([1, 4, 1, 1, 16]) / TYPICAL
    curve = relative * 3 / (relative + 2 * (0.25 + 0.75 * length))
    np.testing.assert_allclose(scaled("bm25").data, curve / curve.mean(), rtol=1e-6)


@pytest.mark.parametrize("kind", WEIGHT_SCALINGS)
@pytest.mark.parametrize("weight", [0.1, 1.0, 3.0, 7e20])
def test_equal_weights_are_exactly_one(kind, weight):
    equal = WEIGHTS.copy()
    equal.data[:] = weight
    assert (scaled(kind, equal).data == 1).all()


@pytest.mark.parametrize("kind", WEIGHT_SCALINGS)
def test_the_unit_of_the_weights_makes_no_difference(kind):
    np.testing.assert_allclose(scaled(kind).data, scaled(kind, WEIGHTS * 3_600).data, rtol=1e-5)
    assert scaled(kind).data.mean() == pytest.approx(1)


def test_weights_of_others_are_scaled_as_those_of_the_training():
    other = sparse.csr_matrix(np.array([[0, 0, 4, 0]], np.float32))
    assert WeightScale.learn(WEIGHTS, "linear").confidences(other).data.tolist() == pytest.approx([4 / (23 / 5)])


def test_a_scaling_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match="weight_scaling 'square'; there are binary, linear, log, bm25"):
        WeightScale.learn(WEIGHTS, "square")
