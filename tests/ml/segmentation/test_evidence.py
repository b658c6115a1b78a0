from __future__ import annotations

import numpy as np
import pytest

from ml.segmentation.evidence import EvidenceDiscount

HALF = EvidenceDiscount("page_views", prior=(0.5, 0.3, 0.2), chance_at_one=0.5, decay=1.0)


def test_chance_falls_with_the_evidence() -> None:
    # The odds of chance are 1 at one page, and a third at three pages.
    np.testing.assert_allclose(HALF.chance(np.array([1.0, 3.0, 99.0])), [0.5, 0.25, 0.01])


@pytest.mark.parametrize("evidence", [0.0, -1.0, np.nan])
def test_without_evidence_the_answer_is_the_size_of_each_segment(evidence: float) -> None:
    np.testing.assert_allclose(HALF.apply(np.array([[0.0, 0.0, 1.0]]), np.array([evidence])), [[0.5, 0.3, 0.2]])


def test_memberships_move_towards_the_sizes_and_noise_stays_noise() -> None:
    told = HALF.apply(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(told, [[0.25, 0.15, 0.6], [0.0, 0.0, 0.0]])


def test_the_discount_is_learned_from_what_people_turned_out_to_be() -> None:
    """With n pages, a person's early segment is drawn by chance with probability 1 / (1 + n), else it is right."""
    generator = np.random.default_rng(0)
    evidence = generator.integers(1, 8, size=8_000).astype(float)
    truth = generator.integers(2, size=8_000)
    by_chance = generator.random(8_000) < 1 / (1 + evidence)
    early = np.where(by_chance, generator.integers(2, size=8_000), truth)
    learned = EvidenceDiscount("n", (0.5, 0.5)).fitted(np.eye(2)[early], evidence, np.eye(2)[truth])
    np.testing.assert_allclose(learned.chance(np.array([1.0, 3.0, 7.0])), [1 / 2, 1 / 4, 1 / 8], atol=0.03)


def test_too_few_people_leave_the_discount_as_it_is() -> None:
    shares = np.eye(3)
    assert HALF.fitted(shares, np.ones(3), shares[::-1]) == HALF
