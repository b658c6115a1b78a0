"""The items with the highest product or cosine: exact where that is fast, approximate above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from usearch.index import Index

from ml.arrays import F32, I64, Bools
from ml.recommenders.topk import select_top_k

CONNECTIVITY = 24
EXPANSION_ADD = 96
EXPANSION_SEARCH = 256  # 160 found .969 of the ten best of a million items around 2,000 centres
GRAPH_FOLDER = "nearest"
PRODUCTS, COSINES = "products.usearch", "cosines.usearch"


class Nearest:
    """Search over item factors, float32 (n_items, d); rows of NaN are never found.

    Args:
        factors: the items' factors.
        approximate_above: number of items above which graphs (HNSW) are searched instead of all items: one for
            products, which one more dimension makes cosines (Bachrach et al. 2014), and one for cosines, of which
            the first, where long vectors are near to everything, finds less than half.
        saved: folder of the graphs as `save` wrote them, read from disk as they are needed; without it they are
            built, which takes minutes a million items.

    Raises:
        ValueError: the saved graph is of other factors.
    """

    def __init__(self, factors: F32, approximate_above: int, saved: Path | None = None) -> None:
        known: Bools = np.asarray(np.isfinite(factors).all(axis=1))
        self.factors = np.where(known[:, None], factors, np.float32(0))
        self.known = known
        self._unknown = np.flatnonzero(~known)
        lengths = np.linalg.norm(self.factors, axis=1)
        self._lengths = np.where(lengths > 0, lengths, np.float32(1))
        self._longest = float(lengths.max()) if len(lengths) else 0.0
        self.index: Index | None = None
        self.cosine_index: Index | None = None
        if len(factors) > approximate_above:
            if saved is None:
                self.index = self._graph(self._lifted(lengths), "ip")
                self.cosine_index = self._graph(self.factors, "cos")
            else:
                self.index = self._read(saved / PRODUCTS, self.factors.shape[1] + 1)
                self.cosine_index = self._read(saved / COSINES, self.factors.shape[1])

    def save(self, folder: Path) -> None:
        """Write the graphs, if there are any."""
        if self.index is not None and self.cosine_index is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.index.save(str(folder / PRODUCTS))
            self.cosine_index.save(str(folder / COSINES))

    def by_product(self, vector: F32, k: int) -> I64:
        """Rows of the k items with the highest product with `vector` (d,), best first."""
        if self.index is not None:
            return _searched(self.index, np.append(vector, np.float32(0)), k)
        return self.by_products(vector[None, :], k)[0]

    def by_products(self, vectors: F32, k: int) -> list[I64]:
        """`by_product` of many vectors, float32 (b, d), in one pass over the items."""
        if self.index is not None:
            return [self.by_product(vector, k) for vector in vectors]
        scores = vectors @ self.factors.T
        scores[:, self._unknown] = -np.inf
        best, values = select_top_k(scores, min(k, scores.shape[1]))
        return [row[np.isfinite(value)].astype(np.int64) for row, value in zip(best, values, strict=True)]

    def by_cosine(self, row: int, k: int) -> I64:
        """Rows of the k items nearest to an item, without itself."""
        if self.cosine_index is not None:
            found = _searched(self.cosine_index, self.factors[row], k + 1)
            return np.asarray(found[found != row][:k])
        scores = (self.factors @ self.factors[row]) / (self._lengths * self._lengths[row])
        scores[self._unknown] = -np.inf
        scores[row] = -np.inf
        best, values = select_top_k(scores[None, :], min(k, len(scores)))
        return np.asarray(best[0][np.isfinite(values[0])], dtype=np.int64)

    def cosines(self, row: int, rows: I64) -> F32:
        """Cosine of an item with others, float32 (n,)."""
        products = self.factors[rows] @ self.factors[row]
        return np.asarray(products / (self._lengths[rows] * self._lengths[row]), dtype=np.float32)

    def _read(self, file: Path, width: int) -> Index:
        index = Index.restore(str(file), view=True)
        if index is None or index.ndim != width or len(index) != int(self.known.sum()):
            raise ValueError(f"{file} is no graph of these {int(self.known.sum())} items; publish again")
        index.expansion_search = EXPANSION_SEARCH
        return index

    def _lifted(self, lengths: F32) -> F32:
        """Factors with one more dimension, so that the nearest by angle is the one with the highest product."""
        rest = np.sqrt(np.maximum(self._longest**2 - lengths**2, 0.0)).astype(np.float32)
        return np.column_stack([self.factors, rest])

    def _graph(self, vectors: F32, metric: str) -> Index:
        """A graph over the items that are known."""
        index = Index(
            ndim=vectors.shape[1],
            metric=metric,
            dtype="f32",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )
        rows = np.flatnonzero(self.known)
        index.add(rows.astype(np.uint64), vectors[rows])
        return index


def _searched(index: Index, vector: F32, k: int) -> I64:
    """Rows of the k nearest, best first."""
    return np.asarray(index.search(vector.astype(np.float32), k).keys, dtype=np.int64)
