"""A registered recommender as the server of MLflow loads it, from a frame of users to a frame of ranked items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.recommenders.base import Recommender
from ml.recommenders.models.zoo import load_recommender

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_K = 10


class ServedRecommender:
    """A recommender with the interface of an MLflow pyfunc."""

    def __init__(self, recommender: Recommender) -> None:
        self.recommender = recommender

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Top items of each `user_id` of the input.

        Args:
            model_input: one column `user_id` (string).
            params: `k`, items a user (default 10).

        Returns:
            Columns user_id, item_id, rank, score.
        """
        k = int((params or {}).get("k", DEFAULT_K))
        users = [str(user) for user in model_input["user_id"]]
        answer: pd.DataFrame = self.recommender.recommend(users, k).to_table().to_pandas()
        return answer


def _load_pyfunc(path: str) -> ServedRecommender:
    """Load the folder that `Recommender.save` wrote; MLflow calls this."""
    return ServedRecommender(load_recommender(Path(path)))
