"""Clustering algorithms behind one interface: fit on scores, then assign memberships and segments to any user.

k-means and Gaussian mixtures form a given number of segments; `density_methods` finds the number.

A segment is an index 0..k-1. Index -1 is noise: a user who belongs to no segment, which only density methods
report.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from ml.arrays import F64, I64
from ml.segmentation.clusters.batched_kmeans import fit_tables
from ml.segmentation.clusters.partial_membership import PartialMembership, fit_partial_membership
from ml.segmentation.persistence import persistable

NOISE = -1
COVARIANCES = ("full", "tied", "diag", "spherical")
LEAST_VARIANCE = 1e-4  # that is added to each direction of a Gaussian
BATCH_ROWS = 600  # users of a table up to which k-means of many tables at once is quicker than one after another


class SegmentModel(ClusterMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Base class of all clustering algorithms.

    Attributes:
        n_segments_: number of segments.
    """

    algorithm: str

    @abstractmethod
    def fit(self, Z: F64, y: Any = None) -> SegmentModel:
        """Learn segments from scores Z (n_users, n_components)."""

    @abstractmethod
    def membership(self, Z: F64) -> F64:
        """Return memberships (n_users, n_segments), whose rows sum to 1, or to 0 for noise."""

    def predict(self, Z: F64) -> I64:
        """Return the segment index of each user (n_users,)."""
        return label_users(self.membership(Z))

    @abstractmethod
    def reorder(self, order: I64) -> None:
        """Renumber the segments: the new segment i is the old segment `order[i]`."""

    def bic(self, Z: F64) -> float:
        """Return the Bayesian information criterion on Z (lower is better), or NaN without a likelihood."""
        return float("nan")

    def describe(self) -> str:
        """Describe the algorithm and its parameters in a few words."""
        return self.algorithm


@persistable
class KMeansSegments(SegmentModel):
    """k-means, by mini-batches above `minibatch_rows` users.

    Segments are the nearest centres until `calibrate` learns how people lie around the centres; from then on,
    memberships are the probabilities of `PartialMembership`, and the segment is the most probable one.

    Args:
        segments: number of segments.
        starts: random starts.
        minibatch_rows: users above which mini-batches are used.
        seed: seed of the starts.

    Attributes:
        centres_: centres, (k, d).
        within_variance_: mean squared distance to the nearest centre, per dimension.
        weights_: share of people of each segment, (k,); set by `calibrate`.
        exponent_: how people share in a second segment; set by `calibrate`.
        precision_root_: factor of the precision of the noise, (d, d); set by `calibrate`.
    """

    algorithm = "kmeans"

    def __init__(self, segments: int = 2, starts: int = 10, minibatch_rows: int = 200_000, seed: int = 0) -> None:
        self.segments = segments
        self.starts = starts
        self.minibatch_rows = minibatch_rows
        self.seed = seed

    def fit(self, Z: F64, y: Any = None) -> KMeansSegments:
        """Learn the centres from Z (n, d)."""
        method: Any
        if len(Z) > self.minibatch_rows:
            method = MiniBatchKMeans(self.segments, n_init=self.starts, batch_size=8192, random_state=self.seed)
        else:
            method = KMeans(self.segments, n_init=self.starts, random_state=self.seed)
        method.fit(Z)
        self.centres_ = np.asarray(method.cluster_centers_, dtype=np.float64)
        self._measure(Z)
        return self

    @classmethod
    def from_centres(cls, centres: F64) -> KMeansSegments:
        """Build a model with these centres (k, d) without fitting."""
        model = cls(len(centres))
        model.centres_, model.n_segments_, model.within_variance_ = centres, len(centres), 1.0
        return model

    def refit(self, Z: F64) -> KMeansSegments:
        """Continue from the present centres on more users Z (n, d), keeping the segments' numbers."""
        if len(Z) > self.minibatch_rows:
            method: Any = MiniBatchKMeans(
                self.n_segments_, init=self.centres_, n_init=1, batch_size=8192, random_state=self.seed
            )
        else:
            method = KMeans(self.n_segments_, init=self.centres_, n_init=1, random_state=self.seed)
        self.centres_ = np.asarray(method.fit(Z).cluster_centers_, dtype=np.float64)
        self._measure(Z)
        return self

    def take_centres(self, centres: F64, Z: F64) -> KMeansSegments:
        """Go on with centres (k, d) that were learned elsewhere, if users Z (n, d) lie nearer to them.

        Segments keep their numbers: each of the new centres continues a present one, so that they move least.
        """
        places = linear_sum_assignment(cdist(self.centres_, centres, "sqeuclidean"))[1]
        before = float(self._squared_distances(Z).min(axis=1).sum())
        present, self.centres_ = self.centres_, centres[places]
        if float(self._squared_distances(Z).min(axis=1).sum()) > before:
            self.centres_ = present
        self._measure(Z)
        return self

    def _measure(self, Z: F64) -> None:
        """Set the number of segments and the variance within them from Z (n, d)."""
        self.n_segments_ = len(self.centres_)
        nearest = self._squared_distances(Z).min(axis=1)
        self.within_variance_ = max(float(nearest.mean()) / Z.shape[1], 1e-12)

    def _squared_distances(self, Z: F64) -> F64:
        """Return the squared distance of each user to each centre (n, k)."""
        squares = (Z**2).sum(axis=1, keepdims=True) - 2 * Z @ self.centres_.T + (self.centres_**2).sum(axis=1)
        return np.asarray(np.maximum(squares, 0.0))

    def calibrate(self, Z: F64) -> KMeansSegments:
        """Learn from Z (n, d) how probable each segment is at a distance from the centres."""
        self._keep(fit_partial_membership(Z, self.centres_, self.seed))
        return self

    def _keep(self, density: PartialMembership) -> None:
        """Set the attributes of a calibrated model."""
        self.weights_, self.exponent_ = density.weights, density.exponent
        self.precision_root_ = density.precision_root

    def _density(self) -> PartialMembership | None:
        """Return the calibrated density, or None before `calibrate`."""
        if not hasattr(self, "weights_"):
            return None
        return PartialMembership(self.weights_, self.exponent_, self.precision_root_)

    def membership(self, Z: F64) -> F64:
        """Return memberships (n, k): probabilities once calibrated, before that closeness to the centres."""
        density = self._density()
        if density is not None:
            return density.probabilities(Z, self.centres_)
        return np.asarray(softmax(-self._squared_distances(Z) / (2 * self.within_variance_), axis=1))

    def reorder(self, order: I64) -> None:
        """Renumber the segments."""
        self.centres_ = self.centres_[order]
        density = self._density()
        if density is not None:
            self._keep(density.reordered(order))

    def describe(self) -> str:
        """Describe the algorithm and its parameters in a few words."""
        return f"k-means, {self.segments} segments"


@persistable
class MixtureSegments(SegmentModel):
    """Gaussian mixture.

    Args:
        segments: number of components.
        covariance: one of `COVARIANCES`.
        starts: random starts.
        seed: seed of the starts.

    Attributes:
        weights_: mixture weights, (k,).
        means_: means, (k, d).
        precision_roots_: Cholesky factors of the precision matrices, (k, d, d).
        parameters_: number of free parameters.
    """

    algorithm = "gaussian_mixture"

    def __init__(self, segments: int = 2, covariance: str = "diag", starts: int = 3, seed: int = 0) -> None:
        self.segments = segments
        self.covariance = covariance
        self.starts = starts
        self.seed = seed

    def fit(self, Z: F64, y: Any = None) -> MixtureSegments:
        """Learn the mixture from Z (n, d)."""
        with warnings.catch_warnings():
            # A run that stops at the iteration limit is still a usable candidate, if a slightly worse one.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture = GaussianMixture(
                self.segments,
                covariance_type=self.covariance,
                n_init=self.starts,
                random_state=self.seed,
                reg_covar=LEAST_VARIANCE,
            ).fit(Z)
        d = Z.shape[1]
        roots = mixture.precisions_cholesky_
        if self.covariance == "tied":
            roots = np.repeat(roots[None], self.segments, axis=0)
        elif self.covariance == "diag":
            roots = roots[:, :, None] * np.eye(d)
        elif self.covariance == "spherical":
            roots = roots[:, None, None] * np.eye(d)
        self.weights_, self.means_ = np.asarray(mixture.weights_), np.asarray(mixture.means_)
        self.precision_roots_ = np.ascontiguousarray(roots)
        self.n_segments_ = self.segments
        self.parameters_ = int(mixture._n_parameters())
        return self

    def take_moments(self, weights: F64, means: F64, covariances: F64, Z: F64) -> MixtureSegments:
        """Go on with components that were learned elsewhere, if users Z (n, d) are likelier under them.

        Segments keep their numbers: each of the new means continues a present one, so that they move least.

        Args:
            weights: mixture weights, (k,).
            means: means, (k, d).
            covariances: full covariances, (k, d, d).
            Z: scores of the users.
        """
        places = linear_sum_assignment(cdist(self.means_, means, "sqeuclidean"))[1]
        wide = covariances[places] + LEAST_VARIANCE * np.eye(means.shape[1])
        before, present = self._log_likelihood(Z), (self.weights_, self.means_, self.precision_roots_)
        self.weights_, self.means_ = weights[places], means[places]
        self.precision_roots_ = np.ascontiguousarray(np.linalg.inv(np.linalg.cholesky(wide)).transpose(0, 2, 1))
        if self._log_likelihood(Z) < before:
            self.weights_, self.means_, self.precision_roots_ = present
        return self

    def _log_likelihood(self, Z: F64) -> float:
        """Return the log-likelihood of users Z (n, d)."""
        return float(logsumexp(self._log_joint(Z), axis=1).sum())

    def _log_joint(self, Z: F64) -> F64:
        """Return log(weight · density) of each user under each segment (n, k)."""
        joint = np.empty((len(Z), self.n_segments_))
        for k in range(self.n_segments_):
            root = self.precision_roots_[k]
            standard = (Z - self.means_[k]) @ root
            joint[:, k] = (
                np.log(self.weights_[k])
                + np.log(np.diagonal(root)).sum()
                - 0.5 * ((standard**2).sum(axis=1) + Z.shape[1] * np.log(2 * np.pi))
            )
        return joint

    def membership(self, Z: F64) -> F64:
        """Return posterior probabilities (n, k)."""
        return np.asarray(softmax(self._log_joint(Z), axis=1))

    def bic(self, Z: F64) -> float:
        """Return -2 log-likelihood + parameters · log n."""
        return float(-2 * self._log_likelihood(Z) + self.parameters_ * np.log(len(Z)))

    def reorder(self, order: I64) -> None:
        """Renumber the segments."""
        self.weights_, self.means_ = self.weights_[order], self.means_[order]
        self.precision_roots_ = self.precision_roots_[order]

    def describe(self) -> str:
        """Describe the algorithm and its parameters in a few words."""
        return f"Gaussian mixture, {self.segments} segments, {self.covariance} covariance"


def label_users(shares: F64) -> I64:
    """Return the segment of the largest membership (n,) from memberships (n, k); rows of zeros are noise."""
    if not shares.shape[1]:
        return np.full(len(shares), NOISE, dtype=np.int64)
    return np.where(shares.sum(axis=1) > 0, shares.argmax(axis=1), NOISE).astype(np.int64)


def fit_models(models: Sequence[SegmentModel], tables: F64) -> None:
    """Fit each model to its table of scores (models, n, d); models of k-means of small tables are fitted together.

    Args:
        models: unfitted models that differ in their seeds only.
        tables: the scores for each model.
    """
    first = models[0]
    if isinstance(first, KMeansSegments) and first.segments <= tables.shape[1] <= BATCH_ROWS:
        generator = np.random.default_rng([getattr(model, "seed", 0) for model in models])
        for model, Z, centres in zip(
            models, tables, fit_tables(tables, first.segments, first.starts, generator), strict=True
        ):
            assert isinstance(model, KMeansSegments)
            model.centres_ = centres
            model._measure(Z)
        return
    for model, Z in zip(models, tables, strict=True):
        model.fit(Z)
