from __future__ import annotations

import numpy as np
import pytest

from ml.arrays import F64, I64
from ml.segmentation.clusters.algorithms import KMeansSegments
from ml.segmentation.clusters.partial_membership import PartialMembership, fit_partial_membership
from tests.ml.segmentation.calibration import calibration_error

CENTRES = np.eye(4) * 8.0


def draw(people: int, exponent: float, noise: float, seed: int = 0) -> tuple[F64, I64]:
    """People of four segments, each with a share b of a second segment, of density exponent · b^(exponent-1)."""
    generator = np.random.default_rng(seed)
    main = generator.integers(4, size=people)
    other = (main + generator.integers(1, 4, size=people)) % 4
    share = generator.random(people)[:, None] ** (1 / exponent)
    places = (1 - share) * CENTRES[main] + share * CENTRES[other]
    return places + generator.normal(scale=noise, size=places.shape), main


@pytest.mark.parametrize(("exponent", "noise"), [(0.2, 0.5), (0.1, 1.0), (0.001, 2.5)])
def test_of_those_told_a_probability_that_share_is_right(exponent: float, noise: float) -> None:
    Z, main = draw(6_000, exponent, noise)
    model = KMeansSegments.from_centres(CENTRES.copy())
    model.calibrate(Z[:4_000])
    told, truth = model.membership(Z[4_000:]), main[4_000:]
    assert calibration_error(told.max(axis=1), told.argmax(axis=1) == truth) < 0.03
    for segment in range(4):
        assert calibration_error(told[:, segment], truth == segment) < 0.03


def test_a_softmax_of_distances_would_be_too_sure() -> None:
    Z, main = draw(4_000, 0.2, 0.5)
    told = KMeansSegments.from_centres(CENTRES.copy()).membership(Z)
    assert calibration_error(told.max(axis=1), told.argmax(axis=1) == main) > 0.1


def test_the_planted_exponent_and_noise_come_out() -> None:
    Z, _ = draw(5_000, 0.3, 0.5)
    model = fit_partial_membership(Z, CENTRES)
    assert model.exponent == pytest.approx(0.3, abs=0.03)
    noise = np.linalg.inv(model.precision_root @ model.precision_root.T)
    np.testing.assert_allclose(noise, 0.25 * np.eye(4), atol=0.06)
    np.testing.assert_allclose(model.weights, 0.25, atol=0.03)


def test_halfway_between_two_segments_is_even_and_the_order_of_segments_does_not_matter() -> None:
    model = PartialMembership(np.full(4, 0.25), 0.2, np.eye(4))
    middle = (CENTRES[0] + CENTRES[1])[None] / 2
    told = model.probabilities(middle, CENTRES)[0]
    np.testing.assert_allclose(told[:2], 0.5, atol=1e-4)
    order = np.array([2, 0, 3, 1])
    Z, _ = draw(50, 0.2, 0.5)
    np.testing.assert_allclose(
        model.reordered(order).probabilities(Z, CENTRES[order]), model.probabilities(Z, CENTRES)[:, order]
    )


def test_one_segment_is_certain() -> None:
    model = KMeansSegments.from_centres(np.zeros((1, 3)))
    Z = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(model.calibrate(Z).membership(Z), np.ones((20, 1)))
