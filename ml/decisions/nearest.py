"""The items with the highest product or cosine: exact where that is fast, approximate above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from usearch.index import Index

from ml.recommenders.topk import select_top_k

Vector = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
CONNECTIVITY = 24
EXPANSION_ADD = 96
EXPANSION_SEARCH = (
    256  # of a million items around 2,000 centres, 160 finds .969 of the ten best, 256 more than .97
)
GRAPH_FILE = "nearest.usearch"


class Nearest:
    """Search over item factors, float32 (n_items, d); rows of NaN are never found.

    Args:
        factors: the items' factors.
        approximate_above: number of items above which a graph (HNSW) is searched instead of all items. The
            products are made cosines by one more dimension (Bachrach et al. 2014), so one graph serves both kinds.
        saved: the graph as `save` wrote it, read from disk as it is needed; without it the graph is built, which
            takes minutes a million items.

    Raises:
        ValueError: the saved graph is of other factors.
    """

    def __init__(self, factors: Vector, approximate_above: int, saved: Path | None = None) -> None:
        known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(factors).all(axis=1))
        self.factors = np.where(known[:, None], factors, np.float32(0))
        self.known = known
        self._unknown = np.flatnonzero(~known)
        lengths = np.linalg.norm(self.factors, axis=1)
        self._lengths = np.where(lengths > 0, lengths, np.float32(1))
        self._longest = float(lengths.max()) if len(lengths) else 0.0
        self.index: Index | None = None
        if len(factors) > approximate_above:
            self.index = self._graph(lengths) if saved is None else self._read(saved)

    def save(self, file: Path) -> None:
        """Write the graph, if there is one."""
        if self.index is not None:
            self.index.save(str(file))

    def by_product(self, vector: Vector, k: int) -> Rows:
        """Rows of the k items with the highest product with `vector` (d,), best first."""
        if self.index is not None:
            return self._searched(np.append(vector, np.float32(0)), k)
        return self.by_products(vector[None, :], k)[0]

    def by_products(self, vectors: Vector, k: int) -> list[Rows]:
        """`by_product` of many vectors, float32 (b, d), in one pass over the items."""
        if self.index is not None:
            return [self.by_product(vector, k) for vector in vectors]
        scores = vectors @ self.factors.T
        scores[:, self._unknown] = -np.inf
        best, values = select_top_k(scores, min(k, scores.shape[1]))
        return [row[np.isfinite(value)].astype(np.int64) for row, value in zip(best, values, strict=True)]

    def by_cosine(self, row: int, k: int) -> Rows:
        """Rows of the k items nearest to an item, without itself."""
        if self.index is not None:
            found = self._searched(np.append(self.factors[row], np.float32(0)), 4 * k + 1)
            found = found[found != row]
            return np.asarray(found[np.argsort(-self.cosines(row, found), kind="stable")][:k])
        scores = (self.factors @ self.factors[row]) / (self._lengths * self._lengths[row])
        scores[self._unknown] = -np.inf
        scores[row] = -np.inf
        best, values = select_top_k(scores[None, :], min(k, len(scores)))
        return np.asarray(best[0][np.isfinite(values[0])], dtype=np.int64)

    def cosines(self, row: int, rows: Rows) -> Vector:
        """Cosine of an item with others, float32 (n,)."""
        products = self.factors[rows] @ self.factors[row]
        return np.asarray(products / (self._lengths[rows] * self._lengths[row]), dtype=np.float32)

    def _read(self, file: Path) -> Index:
        index = Index.restore(str(file), view=True)
        if index is None or index.ndim != self.factors.shape[1] + 1 or len(index) != int(self.known.sum()):
            raise ValueError(f"{file} is no graph of these {int(self.known.sum())} items; publish again")
        index.expansion_search = EXPANSION_SEARCH
        return index

    def _graph(self, lengths: Vector) -> Index:
        """A graph over the items, lifted so that the nearest by angle is the one with the highest product."""
        rest = np.sqrt(np.maximum(self._longest**2 - lengths**2, 0.0)).astype(np.float32)
        index = Index(
            ndim=self.factors.shape[1] + 1,
            metric="ip",
            dtype="f32",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            expansion_search=EXPANSION_SEARCH,
        )
        rows = np.flatnonzero(self.known)
        index.add(rows.astype(np.uint64), np.column_stack([self.factors, rest])[rows])
        return index

    def _searched(self, lifted: Vector, k: int) -> Rows:
        assert self.index is not None
        matches = self.index.search(lifted.astype(np.float32), k)
        return np.asarray(matches.keys, dtype=np.int64)
