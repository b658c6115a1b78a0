"""Factors by MLlib's alternating least squares, for the models of the zoo whose problem it solves.

MLlib weighs the penalty of a row by its number of ratings, as `als` and `rating_factors` do, so that their
parameters mean the same on both engines. What comes back is the model of the zoo itself, which is saved, measured
and served without Spark. The driver holds the interactions and the factors; the executors hold blocks of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import sparse

from ml.arrays import F32
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.rating_factors import RatingFactors
from ml.recommenders.training_data import TrainingData

if TYPE_CHECKING:
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import DataFrame, SparkSession

EXPLICIT_ITERATIONS = 10  # of both sides; the error on held-back ratings of ml-100k stands still after eight


def fit_implicit(session: SparkSession, model: ImplicitALS, data: TrainingData) -> ImplicitALS:
    """Fit `als`: weighted least squares on all cells, observed ones weighing more."""

    def factorize(liked: sparse.csr_matrix) -> tuple[F32, F32]:
        solver = _solver(session, model.n_factors, model.iterations, model.regularization, model.seed)
        return _factors(session, solver.setImplicitPrefs(True).setAlpha(model.confidence), liked)

    return model.fit_by(data, factorize)


def fit_explicit(session: SparkSession, model: RatingFactors, data: TrainingData) -> RatingFactors:
    """Fit `rating_factors`: least squares on what the biases leave of the ratings."""

    def factorize(left: sparse.csr_matrix) -> tuple[F32, F32]:
        solver = _solver(session, model.n_factors, EXPLICIT_ITERATIONS, model.regularization, model.seed)
        return _factors(session, solver, left)

    return model.fit_by(data, factorize)


def _solver(session: SparkSession, n_factors: int, iterations: int, regularization: float, seed: int) -> ALS:
    from pyspark.ml.recommendation import ALS  # noqa: PLC0415  (Spark is an extra)

    blocks = session.sparkContext.defaultParallelism
    solver = ALS(rank=n_factors, maxIter=iterations, regParam=regularization, seed=seed, ratingCol="value")
    return solver.setUserCol("row").setItemCol("column").setNumUserBlocks(blocks).setNumItemBlocks(blocks)


def _factors(session: SparkSession, solver: ALS, matrix: sparse.csr_matrix) -> tuple[F32, F32]:
    """Factors float32 (n_rows, d) and (n_columns, d), zeros for an empty row or column."""
    entries = matrix.tocoo()
    values = pa.table(
        {
            "row": pa.array(entries.row, pa.int32()),
            "column": pa.array(entries.col, pa.int32()),
            "value": pa.array(entries.data, pa.float32()),
        }
    )
    fitted = solver.fit(session.createDataFrame(values))
    n_rows, n_columns = matrix.shape
    return (
        _collected(fitted.userFactors, n_rows, fitted.rank),
        _collected(fitted.itemFactors, n_columns, fitted.rank),
    )


def _collected(factors: DataFrame, n_rows: int, rank: int) -> F32:
    table = factors.toArrow()
    rows = np.zeros((n_rows, rank), np.float32)
    vectors = table["features"].combine_chunks().flatten().to_numpy()
    rows[table["id"].to_numpy()] = vectors.reshape(-1, rank)
    return rows
