"""The engine `spark` of segmentation: MLlib fits the division that was chosen on a sample to everybody.

The scores come from the project's own preparation, scaled and on principal components. What comes back is the
model of `ml.segmentation`, which assigns people without Spark.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ml.arrays import F64
from ml.segmentation.clustering_engine import ClusteringEngine, LocalClustering
from ml.segmentation.clusters.algorithms import KMeansSegments, MixtureSegments, SegmentModel
from ml.settings import Settings
from orchestration.spark.session import spark_session

if TYPE_CHECKING:
    from pyspark.mllib.linalg import DenseVector
    from pyspark.sql import DataFrame, SparkSession

TASK_USERS = 100_000  # users whose scores travel together, 32 MB of 40 scores
PASSES = 100  # of k-means and of mixtures at most; both stop earlier where nothing moves


class SparkClustering:
    """Fits by MLlib: k-means from the centres of the sample, full Gaussian mixtures from several random starts.

    Args:
        session: The cluster.
    """

    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def refit(self, model: SegmentModel, Z: F64) -> SegmentModel:
        """Learn from the scores of all users (n, d).

        A division that MLlib does not improve stays, and so does a model that it does not have.
        """
        if isinstance(model, KMeansSegments):
            return model.take_centres(self._centres(model, Z), Z)
        if isinstance(model, MixtureSegments) and model.covariance == "full":
            frame = self._frame(Z).persist()
            weights, means, covariances = self._moments(frame, model)
            frame.unpersist()
            return model.take_moments(weights, means, covariances, Z)
        return model

    def _frame(self, Z: F64) -> DataFrame:
        """One row a user, with the scores as the vector `features`."""
        from pyspark.ml.functions import array_to_vector  # noqa: PLC0415  (Spark is an extra)

        bounds = pa.array(np.arange(0, Z.size + 1, Z.shape[1]), pa.int32())
        scores = pa.ListArray.from_arrays(bounds, pa.array(np.ascontiguousarray(Z).ravel()))
        frame = self.session.createDataFrame(pa.table({"scores": scores}))
        return frame.select(array_to_vector("scores").alias("features"))

    def _centres(self, model: KMeansSegments, Z: F64) -> F64:
        """Centres (k, d) on which k-means ends that begins with the present ones."""
        # The newer interface of MLlib cannot begin with given centres.
        from pyspark.mllib.clustering import KMeans, KMeansModel  # noqa: PLC0415  (Spark is an extra)

        context = self.session.sparkContext
        tasks = min(len(Z), max(context.defaultParallelism, len(Z) // TASK_USERS))
        vectors = context.parallelize(np.array_split(Z, tasks), tasks).flatMap(_to_vectors)
        present = KMeansModel(list(model.centres_))
        return np.asarray(KMeans.train(vectors, len(model.centres_), PASSES, initialModel=present).clusterCenters)

    def _moments(self, frame: DataFrame, model: MixtureSegments) -> tuple[F64, F64, F64]:
        """Weights (k,), means (k, d) and covariances (k, d, d) of the likeliest start."""
        from pyspark.ml.clustering import GaussianMixture  # noqa: PLC0415  (Spark is an extra)

        starts = [
            GaussianMixture(k=model.n_segments_, seed=model.seed + start, maxIter=PASSES, tol=1e-3).fit(frame)
            for start in range(model.starts)
        ]
        best = max(starts, key=lambda fitted: fitted.summary.logLikelihood)
        components = best.gaussiansDF.collect()
        return (
            np.asarray(best.weights),
            np.array([component["mean"].toArray() for component in components]),
            np.array([component["cov"].toArray() for component in components]),
        )


def _to_vectors(block: F64) -> Iterator[DenseVector]:
    """The rows of a block (n, d), in the executors."""
    from pyspark.mllib.linalg import DenseVector  # noqa: PLC0415  (Spark is an extra)

    return map(DenseVector, block)


@contextmanager
def clustering_engine(settings: Settings) -> Iterator[ClusteringEngine]:
    """Lend the engine that `segmentation.engine` names.

    Args:
        settings: The settings of the site.

    Raises:
        MissingExtraError: Spark is not installed.
        SparkStartError: It did not start.
    """
    if settings.segmentation.engine == "local":
        yield LocalClustering()
        return
    with spark_session(settings.spark) as session:
        yield SparkClustering(session)
