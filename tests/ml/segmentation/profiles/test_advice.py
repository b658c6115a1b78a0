"""What the report of segments advises: each sentence only where its reason holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from ml.segmentation import Segmentation, fit_segmentation
from ml.segmentation.profiles.advice import advise
from ml.segmentation.profiles.report import format_probability
from ml.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from conftest import Planted


@pytest.fixture(scope="module")
def crowd(quick: SegmentationSettings) -> Segmentation:
    random = np.random.default_rng(3)
    columns = {f"column_{place}": random.normal(size=150) for place in range(2)}
    return fit_segmentation(pa.table({"user_id": np.arange(150), "always": np.ones(150), **columns}), quick)


def test_a_crowd_without_structure_is_told_what_is_missing(
    crowd: Segmentation, quick: SegmentationSettings
) -> None:
    assert not crowd.has_structure
    advice = " ".join(advise(crowd, quick))
    assert "Add columns that say how people behave" in advice
    assert "These columns took no part, and may say more in another form: always." in advice
    assert "ask for it by --k" in advice
    assert "With 150 users only groups that lie far apart" in advice
    assert "experiment" not in advice


def test_what_came_nearest_is_said_with_its_reason(crowd: Segmentation, quick: SegmentationSettings) -> None:
    clear = replace(
        crowd.candidates[0], description="k-means, 2 segments", segments=2, p_value=0.001, refused="so"
    )
    changed = replace(crowd, candidates=[clear])
    assert advise(changed, quick)[0] == "What came nearest is k-means, 2 segments, refused since: so."


def test_segments_are_to_be_checked_and_only_overlapping_ones_are_said_to_overlap(
    planted: Planted, quick: SegmentationSettings
) -> None:
    found = fit_segmentation(planted()[0], quick)
    assert found.has_structure

    def advice_at(share: float) -> list[str]:
        candidates = [replace(c, null_silhouette=share * c.silhouette) for c in found.candidates]
        return advise(replace(found, candidates=candidates), quick)

    last = "Check by an experiment whether the segments answer differently before you treat them so."
    assert advice_at(0.25) == [last]
    first, *rest = advice_at(0.75)
    assert first.startswith("The segments overlap: structureless data reach 75% of their silhouette.")
    assert rest == [last]


@pytest.mark.parametrize(
    ("value", "text"), [(float("nan"), "–"), (0.0004, "< .001"), (0.0123, ".012"), (0.5, ".5"), (1.0, "1")]
)
def test_a_probability_is_written_with_two_digits(value: float, text: str) -> None:
    assert format_probability(value) == text
