"""Density methods: segments are dense regions, and users outside of all of them are noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from sklearn.cluster import DBSCAN, HDBSCAN

from ml.arrays import F64, I64, Bools
from ml.segmentation.clusters.algorithms import NOISE, SegmentModel
from ml.segmentation.persistence import persistable


class _DensitySegments(SegmentModel):
    """Base class of density methods, which represent each cluster by its sample points.

    A user belongs to the cluster of the nearest point if that point is within reach. Membership decreases with the
    distance to the nearest point of each cluster within reach.

    Attributes:
        points_: core points, (m, d).
        point_segments_: segment index of each core point, (m,).
        reach_: largest distance at which a user still belongs.
    """

    def _keep_core_points(self, Z: F64, labels: I64, is_core: Bools, reach: float) -> None:
        """Keep the core points of Z (n, d), their labels and the reach."""
        self.points_, self.point_segments_ = Z[is_core], labels[is_core].astype(np.int64)
        self.n_segments_ = int(labels.max(initial=NOISE)) + 1
        self.reach_ = reach

    def membership(self, Z: F64) -> F64:
        """Return memberships (n, k), with rows of zeros for noise."""
        closeness = np.zeros((len(Z), self.n_segments_))
        for k in range(self.n_segments_):
            distance, _ = cKDTree(self.points_[self.point_segments_ == k]).query(Z)
            inside = distance <= self.reach_
            closeness[inside, k] = 1.0 / (distance[inside] + 1e-3 * self.reach_)
        total = closeness.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(closeness, total, out=closeness, where=total > 0))

    def reorder(self, order: I64) -> None:
        """Renumber the segments."""
        self.point_segments_ = np.argsort(order)[self.point_segments_].astype(np.int64)


@persistable
class DBSCANSegments(_DensitySegments):
    """DBSCAN whose reach is a quantile of the users' distances to their `neighbours`-th neighbour.

    Args:
        neighbours: neighbours within reach that make a core point.
        reach_quantile: quantile of the distances.
    """

    algorithm = "dbscan"

    def __init__(self, neighbours: int = 10, reach_quantile: float = 0.9) -> None:
        self.neighbours = neighbours
        self.reach_quantile = reach_quantile

    def fit(self, Z: F64, y: Any = None) -> DBSCANSegments:
        """Learn the clusters from Z (n, d)."""
        neighbours = min(self.neighbours, len(Z))
        distance = cKDTree(Z).query(Z, k=[neighbours])[0][:, 0]
        reach = max(float(np.quantile(distance, self.reach_quantile)), 1e-9)
        clustering = DBSCAN(eps=reach, min_samples=neighbours).fit(Z)
        is_core = np.zeros(len(Z), dtype=bool)
        is_core[clustering.core_sample_indices_] = True
        self._keep_core_points(Z, clustering.labels_, is_core, reach)
        return self

    def describe(self) -> str:
        """Describe the algorithm and its parameters in a few words."""
        return f"DBSCAN, {self.neighbours} neighbours, reach at the {self.reach_quantile:.0%} quantile"


@persistable
class HDBSCANSegments(_DensitySegments):
    """HDBSCAN.

    Args:
        smallest: smallest share of the users that forms a cluster.
        neighbours: neighbours that define the density of a point.
    """

    algorithm = "hdbscan"

    def __init__(self, smallest: float = 0.02, neighbours: int = 10) -> None:
        self.smallest = smallest
        self.neighbours = neighbours

    def fit(self, Z: F64, y: Any = None) -> HDBSCANSegments:
        """Learn the clusters from Z (n, d)."""
        size = max(2, int(self.smallest * len(Z)))
        neighbours = min(self.neighbours, len(Z))
        clustering = HDBSCAN(min_cluster_size=size, min_samples=neighbours, copy=True).fit(Z)
        inside = clustering.labels_ >= 0
        reach = 1e-9
        if inside.any():
            distance = cKDTree(Z).query(Z[inside], k=[neighbours])[0][:, 0]
            reach = max(float(distance.max()), 1e-9)
        self._keep_core_points(Z, clustering.labels_, inside, reach)
        return self

    def describe(self) -> str:
        """Describe the algorithm and its parameters in a few words."""
        return f"HDBSCAN, segments of {self.smallest:.0%} or more"
