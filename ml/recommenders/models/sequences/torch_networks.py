"""The networks of the sequence models in torch, with which they are trained; `forward` is the same in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn


class SequenceModule(nn.Module):  # type: ignore[misc]
    """Inputs and outputs that all networks share: items, their features, time gaps and weights.

    A sequence begins with a token of its own, so that an empty history has an output too.

    Args:
        items: float32 tensor (n_items, d), vectors that the items start from.
        features: CSR float32 (n_items, n_features) of the items, or None.
        is_trained: bool tensor (n_items,), whether an item has a vector beside that of its features.
        n_gaps: number of classes of time gaps; class 0 stands for a gap that is not known.
        dropout: share of the inputs and hidden values that is left out in training.
    """

    def __init__(
        self, items: Any, features: sparse.csr_matrix | None, is_trained: Any, n_gaps: int, dropout: float
    ) -> None:
        super().__init__()
        self.d = d = items.shape[1]
        self.items = nn.Parameter(items)
        self.biases = nn.Parameter(torch.zeros(len(items)))
        self.gaps = nn.Parameter(torch.zeros(n_gaps, d))
        self.start = nn.Parameter(torch.randn(d) / math.sqrt(d))
        self.strength = nn.Parameter(torch.zeros(d))
        self.drop = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(d)
        self._is_trained = is_trained[:, None].float()
        self._features = None
        if features is not None:
            self.features = nn.Parameter(torch.zeros(features.shape[1], d))
            entries = features.tocoo()
            places = torch.from_numpy(np.vstack([entries.row, entries.col]).astype(np.int64))
            values = torch.from_numpy(entries.data.astype(np.float32))
            self._features = torch.sparse_coo_tensor(
                places, values, features.shape, check_invariants=True
            ).coalesce()

    def vectors(self) -> Any:
        """Vectors of all items, (n_items, d): those of the identities and of the features, added."""
        identities = self.items * self._is_trained
        return (
            identities if self._features is None else identities + torch.sparse.mm(self._features, self.features)
        )

    def tokens(self, vectors: Any, items: Any, gaps: Any, strengths: Any) -> Any:
        """Inputs (b, n + 1, d) of sequences of n items, the token of the beginning first.

        Args:
            vectors: what `vectors` returned.
            items: int64 (b, n).
            gaps: int64 (b, n), class of the time since the item before.
            strengths: float32 (b, n), logarithm of the confidence.
        """
        given = nn.functional.embedding(items, vectors) * math.sqrt(self.d)
        given = given + nn.functional.embedding(gaps, self.gaps) + strengths[:, :, None] * self.strength
        start = self.start.expand(len(items), 1, self.d) * math.sqrt(self.d)
        return torch.cat([start, given], dim=1)


class AttentionLayer(nn.Module):  # type: ignore[misc]
    """Causal self-attention in which the distance of two items counts, then two dense layers."""

    def __init__(self, d: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_in, self.norm_out = nn.LayerNorm(d), nn.LayerNorm(d)
        scale = 1 / math.sqrt(d)
        self.query, self.key, self.value, self.out = (nn.Parameter(torch.randn(d, d) * scale) for _ in range(4))
        self.distance = nn.Parameter(torch.zeros(heads, length + 1))
        self.widen, self.widen_bias = nn.Parameter(torch.randn(d, d) * scale), nn.Parameter(torch.zeros(d))
        self.narrow, self.narrow_bias = nn.Parameter(torch.randn(d, d) * scale), nn.Parameter(torch.zeros(d))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Any, strengths: Any) -> Any:
        """(b, n, d) to (b, n, d); attention grows with the exponential of a token's strength (b, n)."""
        b, n, d = x.shape
        normed = self.norm_in(x)
        query, key, value = (
            (normed @ weight).view(b, n, self.heads, d // self.heads).transpose(1, 2)
            for weight in (self.query, self.key, self.value)
        )
        steps = torch.arange(n)[:, None] - torch.arange(n)[None, :]
        mask = self.distance[:, steps.clamp(min=0)].masked_fill(steps < 0, -torch.inf)
        mask = mask[None] + strengths[:, None, None, :]
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.drop(mixed.transpose(1, 2).reshape(b, n, d) @ self.out)
        hidden = torch.relu(self.norm_out(x) @ self.widen + self.widen_bias)
        return x + self.drop(self.drop(hidden) @ self.narrow + self.narrow_bias)


class AttentionNetwork(SequenceModule):
    """Layers of causal self-attention (SASRec: Kang, McAuley 2018)."""

    def __init__(self, layers: int, heads: int, length: int, dropout: float, **inputs: Any) -> None:
        super().__init__(dropout=dropout, **inputs)
        self.layers = nn.ModuleList(AttentionLayer(self.d, heads, length, dropout) for _ in range(layers))

    def forward(self, tokens: Any, strengths: Any) -> Any:
        """Outputs (b, n, d), one after each token, of which the first has the strength 0."""
        x = self.drop(tokens)
        strengths = nn.functional.pad(strengths, (1, 0))
        for layer in self.layers:
            x = layer(x, strengths)
        return self.norm(x)


class RecurrentNetwork(SequenceModule):
    """Gated recurrent units (GRU4Rec: Hidasi et al. 2016)."""

    def __init__(self, layers: int, heads: int, length: int, dropout: float, **inputs: Any) -> None:
        super().__init__(dropout=dropout, **inputs)
        self.units = nn.GRU(self.d, self.d, layers, batch_first=True)

    def forward(self, tokens: Any, strengths: Any) -> Any:
        """Outputs (b, n, d), one after each token; the tokens hold the strengths already."""
        outputs, _ = self.units(self.drop(tokens))
        return self.norm(self.drop(outputs))
