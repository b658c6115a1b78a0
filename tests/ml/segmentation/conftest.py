"""Planted users and settings small enough for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from ml.segmentation.output import NO_EVIDENCE, NO_ROLES
from ml.settings import load_settings
from ml.settings.segmentation import SegmentationSettings

Planted = Callable[..., tuple[pa.Table, npt.NDArray[np.int64]]]


@pytest.fixture(scope="session")
def full_settings() -> SegmentationSettings:
    """settings.yaml, on every numeric column."""
    return load_settings().segmentation.model_copy(update={"roles": NO_ROLES, "evidence": NO_EVIDENCE})


@pytest.fixture(scope="session")
def quick(full_settings: SegmentationSettings) -> SegmentationSettings:
    """k-means only and few repetitions."""
    choice = full_settings.choice.model_copy(
        update={
            "algorithms": ["kmeans"],
            "segments_max": 6,
            "starts": 3,
            "null_references": 5,
            "resamples": 3,
            "silhouette_rows": 600,
            "stability_rows": 600,
        }
    )
    return full_settings.model_copy(update={"choice": choice})


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Users around `segments` centres of a cube's corners in 8 features, and the centre of each."""

    def make(
        users: int = 900, segments: int = 4, seed: int = 0, spread: float = 0.5
    ) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        generator = np.random.default_rng(seed)
        centres = np.random.default_rng(11).permutation(np.eye(8) * 3.0)[:segments]
        truth = generator.integers(segments, size=users)
        X = centres[truth] + generator.normal(scale=spread, size=(users, 8))
        columns = {f"f{j}": X[:, j] for j in range(8)}
        return pa.table({"user_id": [f"u{i}" for i in range(users)], **columns}), truth

    return make
