"""A sparse matrix from the Globo pairs: Arrow columns against `lightfm.data.Dataset`, same process, same input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from figure import Figure
from lightfm.data import Dataset

from ml.dataset.interactions import Interactions

CLICKS = Path(__file__).resolve().parents[3] / "shared" / "data" / "globo" / "clicks.parquet"


def globo_pairs(size: float) -> pa.Table:
    """Distinct pairs of user and article with the log's own integer ids, the first `size` of them."""
    clicks = pq.read_table(CLICKS, columns=["user_id", "click_article_id"]).rename_columns(["user_id", "item_id"])
    pairs = clicks.group_by(["user_id", "item_id"], use_threads=False).aggregate([])
    pairs = pairs.slice(0, max(1, int(len(pairs) * size)))
    return pairs.combine_chunks()


def measure(size: float) -> Iterator[Figure]:
    pairs = globo_pairs(size)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        built = Interactions.from_table(pairs)
        times.append(time.perf_counter() - start)
    seconds = min(times)
    users, items = pairs["user_id"].to_pylist(), pairs["item_id"].to_pylist()
    start = time.perf_counter()
    dataset = Dataset()
    dataset.fit(users, items)
    theirs, _ = dataset.build_interactions(zip(users, items, strict=True))
    rival = time.perf_counter() - start
    if built.n_pairs != theirs.nnz:
        raise AssertionError(f"{built.n_pairs} pairs against {theirs.nnz}")
    yield Figure(
        "interaction_matrix", seconds, "s", "lightfm.data.Dataset", rival, rival / seconds, len(pairs), seconds
    )
