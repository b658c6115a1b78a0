"""Predicted ratings, whatever the unit of the scale is."""

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.rating_factors import RatingFactors
from ml.recommenders.models.zoo import make_recommender


@pytest.mark.parametrize("unit", [1.0, 0.02, 400.0])
def test_ratings_are_predicted_alike_on_any_scale(unit: float) -> None:
    random = np.random.default_rng(3)
    users, items = random.integers(0, 60, 2_000), random.integers(0, 40, 2_000)
    ratings = 3 + np.sin(users) + np.cos(items) + random.normal(0, 0.2, 2_000)
    errors = []
    for scale in (1.0, unit):
        table = pa.table({"user_id": users, "item_id": items, "rating": (ratings - 3) * scale - 9 * (scale > 1)})
        pairs = Interactions.from_table(table)
        model = make_recommender("rating_factors").fit(pairs)
        assert isinstance(model, RatingFactors)
        predicted = model.predict(pairs.rows, pairs.columns)
        assert pairs.ratings is not None
        errors.append(float(np.sqrt(np.mean((predicted - pairs.ratings) ** 2))) / scale)
    assert errors[1] == pytest.approx(errors[0], rel=0.02)
