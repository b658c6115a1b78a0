"""A small published bundle whose right answers are known."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.bundle import FoldIn, Publication, write_bundle

AS_OF = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
CATEGORIES = ("sport", "food")


def publication(**changes) -> Publication:
    """Ten items, i0-i4 sport and i5-i9 food; ann likes sport, bob likes food; trending is i0, i5, i1."""
    items = [f"i{number}" for number in range(10)]
    item_factors = np.array(
        [[1, 0, 0.1 * (5 - n % 5)] if n < 5 else [0, 1, 0.1 * (10 - n)] for n in range(10)], dtype=np.float32
    )
    parts = {
        "model_version": "champion-1",
        "as_of": AS_OF,
        "items": pa.table(
            {
                "item_id": items,
                "title": [f"Title {item}" for item in items],
                "category": [CATEGORIES[n // 5] for n in range(10)],
                "tags": [["a"] if n % 2 else ["b"] for n in range(10)],
                "price": [float(n) for n in range(10)],
                "language": ["en"] * 10,
                "published_at": pa.array(
                    [AS_OF - dt.timedelta(days=n) for n in range(10)], pa.timestamp("us", "UTC")
                ),
            }
        ),
        "users": pa.table(
            {
                "user_id": ["ann", "bob"],
                "segment": ["athletes", "cooks"],
                "persona": ["runner", "baker"],
                "country": ["DE", "FR"],
            }
        ),
        "trending": pa.table(
            {
                "scope": ["all"] * 3 + ["popular"] * 2,
                "item_id": ["i0", "i5", "i1", "i2", "i6"],
                "score": [3.0, 2.0, 1.0, 9.0, 8.0],
            }
        ),
        "interactions": pa.table({"user_id": ["ann", "bob"], "item_id": ["i0", "i5"]}),
        "user_factors": np.array([[1, 0, 1], [0, 1, 1]], dtype=np.float32),
        "item_factors": item_factors,
        "fold_in": FoldIn(np.array([0.1, 0.1, 1], dtype=np.float32), weight=10.0, regularization=1.0),
    }
    return Publication(**{**parts, **changes})


def publish(published: Path, version: str = "v1", **changes) -> Path:
    """Write that bundle and make it current."""
    return write_bundle(published, publication(**changes), version)
