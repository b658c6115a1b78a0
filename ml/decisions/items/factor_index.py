"""Finds the items with the highest product or cosine: exactly where that is fast, approximately above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa  # noqa: F401  before usearch: with the C++ runtime that this brings, LightGBM writes no numbers
from usearch.index import Index

from ml.arrays import F32, I64, Bools
from ml.errors import TesseraError
from ml.recommenders.topk import select_top_k

CONNECTIVITY = 24
EXPANSION_ADD = 96
EXPANSION_SEARCH = 256  # 160 found .969 of the ten best of a million items around 2,000 centres
GRAPH_FOLDER = "nearest"
PRODUCTS, COSINES = "products.usearch", "cosines.usearch"


class GraphMismatchError(TesseraError, ValueError):
    """A saved graph was built from other factors than those that it is used with."""


class FactorIndex:
    """Searches item factors, float32 (n_items, d). Rows of NaN are never returned.

    Above a number of items two HNSW graphs are searched instead of all items. One serves products, which an extra
    dimension turns into cosines (Bachrach et al. 2014). The other serves cosines: the first one, in which long
    vectors are near to everything, returns less than half of them.

    Args:
        factors: The items' factors.
        approximate_above: Number of items above which graphs are searched.
        saved: Folder of the graphs as `save` wrote them. They are read from disk as they are needed. Without a
            folder they are built, which takes minutes for a million items.

    Attributes:
        has_factors: bool (n_items,), whether an item has finite factors.
        index: Graph for products; None while the search is exact.
        cosine_index: Graph for cosines; None while the search is exact.

    Raises:
        GraphMismatchError: The saved graph was built from other factors.
    """

    def __init__(self, factors: F32, approximate_above: int, saved: Path | None = None) -> None:
        has_factors: Bools = np.asarray(np.isfinite(factors).all(axis=1))
        self.factors = np.where(has_factors[:, None], factors, np.float32(0))
        self.has_factors = has_factors
        self._without_factors = np.flatnonzero(~has_factors)
        lengths = np.linalg.norm(self.factors, axis=1)
        self._lengths = np.where(lengths > 0, lengths, np.float32(1))
        self._longest = float(lengths.max()) if len(lengths) else 0.0
        self.index: Index | None = None
        self.cosine_index: Index | None = None
        if len(factors) > approximate_above:
            if saved is None:
                self.index = self._build_graph(self._add_dimension(lengths), "ip")
                self.cosine_index = self._build_graph(self.factors, "cos")
            else:
                self.index = self._read_graph(saved / PRODUCTS, self.factors.shape[1] + 1)
                self.cosine_index = self._read_graph(saved / COSINES, self.factors.shape[1])

    def save(self, folder: Path) -> None:
        """Write the graphs, if there are any."""
        if self.index is not None and self.cosine_index is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.index.save(str(folder / PRODUCTS))
            self.cosine_index.save(str(folder / COSINES))

    def by_product(self, vector: F32, k: int) -> I64:
        """Return the rows of the k items with the highest product with `vector` (d,), best first."""
        if self.index is not None:
            return _search_graph(self.index, np.append(vector, np.float32(0)), k)
        return self.by_products(vector[None, :], k)[0]

    def by_products(self, vectors: F32, k: int) -> list[I64]:
        """Run `by_product` for many vectors, float32 (b, d), in one pass over the items."""
        if self.index is not None:
            return [self.by_product(vector, k) for vector in vectors]
        scores = vectors @ self.factors.T
        scores[:, self._without_factors] = -np.inf
        best, values = select_top_k(scores, min(k, scores.shape[1]))
        return [row[np.isfinite(value)].astype(np.int64) for row, value in zip(best, values, strict=True)]

    def by_cosine(self, row: int, k: int) -> I64:
        """Return the rows of the k items nearest to an item, without the item itself."""
        if self.cosine_index is not None:
            nearest = _search_graph(self.cosine_index, self.factors[row], k + 1)
            return np.asarray(nearest[nearest != row][:k])
        scores = (self.factors @ self.factors[row]) / (self._lengths * self._lengths[row])
        scores[self._without_factors] = -np.inf
        scores[row] = -np.inf
        best, values = select_top_k(scores[None, :], min(k, len(scores)))
        return np.asarray(best[0][np.isfinite(values[0])], dtype=np.int64)

    def cosines(self, row: int, rows: I64) -> F32:
        """Return the cosines of an item with others, float32 (n,)."""
        products = self.factors[rows] @ self.factors[row]
        return np.asarray(products / (self._lengths[rows] * self._lengths[row]), dtype=np.float32)

    def _read_graph(self, file: Path, width: int) -> Index:
        index = Index.restore(str(file), view=True)
        items = int(self.has_factors.sum())
        if index is None or index.ndim != width or len(index) != items:
            raise GraphMismatchError(f"{file} is not a graph of these {items} items; publish again")
        index.expansion_search = EXPANSION_SEARCH
        return index

    def _add_dimension(self, lengths: F32) -> F32:
        """Extend the factors so that the nearest item by angle is the one with the highest product."""
        rest = np.sqrt(np.maximum(self._longest**2 - lengths**2, 0.0)).astype(np.float32)
        return np.column_stack([self.factors, rest])

    def _build_graph(self, vectors: F32, metric: str) -> Index:
        """Build a graph over the items that have factors."""
        index = Index(
            ndim=vectors.shape[1],
            metric=metric,
            dtype="f32",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )
        rows = np.flatnonzero(self.has_factors)
        index.add(rows.astype(np.uint64), vectors[rows])
        return index


def _search_graph(index: Index, vector: F32, k: int) -> I64:
    """Return the rows of the k nearest items, best first."""
    return np.asarray(index.search(vector.astype(np.float32), k).keys, dtype=np.int64)
