"""The engine `spark` of recommenders, and the choice between it and the local one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from ml.recommenders.base import Recommender
from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.models.rating_factors import RatingFactors
from ml.recommenders.training_data import TrainingData
from ml.recommenders.training_engine import LocalTraining, TrainingEngine
from ml.settings import Settings
from ml.settings.engines import Engine
from orchestration.spark.factorization import fit_explicit, fit_implicit
from orchestration.spark.ranked_lists import rank_on_spark
from orchestration.spark.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class SparkTraining:
    """Fits by MLlib what MLlib has, everything else in this process; every model ranks on the cluster.

    Args:
        session: The cluster.
    """

    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def fit(self, recommender: Recommender, data: TrainingData) -> Recommender:
        """Fit on aligned data; `als` and `rating_factors` by MLlib."""
        if type(recommender) is ImplicitALS:
            return fit_implicit(self.session, recommender, data)
        if type(recommender) is RatingFactors:
            return fit_explicit(self.session, recommender, data)
        return recommender.fit_aligned(data)

    def recommend(
        self,
        recommender: Recommender,
        users: pa.Array,
        k: int,
        candidates: pa.Array | None = None,
        exclusions: pa.Table | None = None,
    ) -> pa.Table:
        """Rank on the cluster, and collect the lists."""
        return rank_on_spark(self.session, recommender, users, k, candidates, exclusions).toArrow()


@contextmanager
def training_engine(settings: Settings, engine: Engine | None = None) -> Iterator[TrainingEngine]:
    """Lend the engine of the settings, or the one that is named.

    Args:
        settings: The settings of the site.
        engine: `local` or `spark`; None: as `recommenders.engine` says.

    Raises:
        MissingExtraError: Spark is not installed.
        SparkStartError: It did not start.
    """
    if (engine or settings.recommenders.engine) == "local":
        yield LocalTraining()
        return
    with spark_session(settings.spark) as session:
        yield SparkTraining(session)
