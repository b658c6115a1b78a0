"""Nearest items by product or cosine: exact below a size, approximate (usearch) above it, recall measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from usearch.index import Index

from ml.recommenders.topk import Rows, top_k_products

APPROXIMATE_FROM_ITEMS = 200_000  # an exact product is simpler and never wrong; above it costs too much a request
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NearestItems:
    """Search among item vectors, float32 (n_items, d).

    Attributes:
        index: None: exact.
    """

    vectors: Floats
    index: Index | None

    @classmethod
    def build(cls, vectors: Floats, approximate_from: int = APPROXIMATE_FROM_ITEMS) -> NearestItems:
        """Make the index if there are at least `approximate_from` items."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if len(vectors) < approximate_from:
            return cls(vectors, None)
        index = Index(
            ndim=vectors.shape[1] + 1, metric="ip", connectivity=32, expansion_add=128, expansion_search=256
        )
        index.add(np.arange(len(vectors)), _with_slack(vectors))
        return cls(vectors, index)

    def search(self, queries: Floats, k: int) -> tuple[Rows, Floats]:
        """The k items with the highest product, best first: rows int32 and products float32, (n, k) each."""
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if self.index is None:
            return top_k_products(queries, self.vectors, k)
        padded = np.hstack([queries, np.zeros((len(queries), 1), np.float32)])
        found = self.index.search(padded, min(k, len(self.vectors)))
        rows = np.atleast_2d(np.asarray(found.keys)).astype(np.int32)
        return rows, np.einsum("nd,nkd->nk", queries, self.vectors[rows]).astype(np.float32)

    def recall(self, queries: Floats, k: int) -> float:
        """Share of the exact top k that the search finds."""
        exact, _ = top_k_products(queries, self.vectors, k)
        found, _ = self.search(queries, k)
        return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(exact, found, strict=True)]))


def _with_slack(vectors: Floats) -> Floats:
    """One more column gives all vectors the same length: then the largest product is the nearest neighbour."""
    squares = (vectors**2).sum(axis=1)
    return np.hstack([vectors, np.sqrt(np.maximum(squares.max() - squares, 0))[:, None]]).astype(np.float32)
