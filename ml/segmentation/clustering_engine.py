"""Where a chosen division is fitted to everybody: in this process, or by an engine that spreads the work."""

from __future__ import annotations

from typing import Protocol

from ml.arrays import F64
from ml.segmentation.clusters.algorithms import KMeansSegments, SegmentModel


class ClusteringEngine(Protocol):
    """What continues on all users with a model that was fitted to a sample of them."""

    def refit(self, model: SegmentModel, Z: F64) -> SegmentModel:
        """Learn from the scores of all users (n, d); segments keep their numbers."""
        ...


class LocalClustering:
    """The engine `local`: k-means continues in this process, other models stay as the sample made them."""

    def refit(self, model: SegmentModel, Z: F64) -> SegmentModel:
        """Learn from the scores of all users (n, d)."""
        return model.refit(Z) if isinstance(model, KMeansSegments) else model
