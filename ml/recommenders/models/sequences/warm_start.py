"""Vectors that a network starts from: what a few large directions of the counted steps between items say.

From random vectors most of a training goes into learning which items lie near each other, which counting knows at
once, and small data never gets there.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

from ml.arrays import F32, Bools
from ml.recommenders.models.neighbours import FADE
from ml.recommenders.models.sequences.windows import Sequences

WINDOW = 5  # steps between two items that count
DAMPING = 0.5  # exponent of the counts that a step is divided by, as in a cosine
FEWEST_ITEMS = 4


def start_vectors(sequences: Sequences, is_past: Bools, n_items: int, d: int, seed: int) -> F32:
    """Vectors of all items, float32 (n_items, d), about 1 long; random ones of items without a step.

    Args:
        sequences: what people took.
        is_past: bool (n,), the items of the sequences that may be counted.
        n_items: number of items.
        d: size of the vectors.
        seed: of the random ones.
    """
    random = np.random.default_rng((seed, 2))
    vectors = random.normal(0, 1 / np.sqrt(d), (n_items, d)).astype(np.float32)
    owners = np.repeat(np.arange(len(sequences.bounds) - 1), np.diff(sequences.bounds))
    order = np.arange(len(owners))
    if not sequences.has_order:
        order = np.lexsort((random.random(len(owners)), owners))
    order = order[is_past[order]]
    owners, items, roots = owners[order], sequences.items[order], np.exp(sequences.strengths[order] / 2)
    steps = sparse.csr_matrix((n_items, n_items))
    for apart in range(1, min(WINDOW, len(items) - 1) + 1):
        same = owners[apart:] == owners[:-apart]
        weights = (roots[:-apart] * roots[apart:])[same] * FADE ** (apart - 1)
        steps = steps + sparse.csr_matrix((weights, (items[:-apart][same], items[apart:][same])), steps.shape)
    steps = steps + steps.T
    counts = np.asarray(steps.sum(axis=1))[:, 0]
    used = np.flatnonzero(counts)
    if len(used) < FEWEST_ITEMS:
        return vectors
    scale = sparse.diags(counts[used] ** -DAMPING)
    kept = min(d, len(used) - 2)
    near = (scale @ steps[used][:, used] @ scale).tocsr()
    values, directions = eigsh(near, kept, which="LA", v0=np.ones(len(used)))
    rooted = directions * np.sqrt(np.maximum(values, 0))
    length = np.sqrt((rooted**2).sum(axis=1).mean())
    vectors[used] = 0
    vectors[used, :kept] = rooted / max(float(length), 1e-9)
    return vectors
