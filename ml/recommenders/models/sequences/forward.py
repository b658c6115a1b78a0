"""The forward pass of trained sequence networks on NumPy arrays, so that they answer without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ml.arrays import F32

EPSILON = 1e-5  # of the normalization of layers, as in torch
Weights = Mapping[str, F32]


def attention_state(weights: Weights, tokens: F32, strengths: F32, layers: int, heads: int) -> F32:
    """Output of causal self-attention at the last token: float32 (d,).

    Args:
        weights: arrays by the names of `torch_networks.AttentionNetwork`.
        tokens: float32 (n, d), inputs in the order of time.
        strengths: float32 (n,), logarithm of the confidence of each.
        layers: number of layers.
        heads: number of heads.
    """
    x = tokens
    n, d = x.shape
    size = d // heads
    steps = np.arange(n)[:, None] - np.arange(n)[None, :]
    for layer in range(layers):
        part = f"layers.{layer}."
        normed = _normalized(x, weights[part + "norm_in.weight"], weights[part + "norm_in.bias"])
        first = n - 1 if layer == layers - 1 else 0  # of the last layer only the last token is read
        x = x[first:]
        query = (normed[first:] @ weights[part + "query"]).reshape(-1, heads, size).transpose(1, 0, 2)
        key = (normed @ weights[part + "key"]).reshape(n, heads, size).transpose(1, 2, 0)
        value = (normed @ weights[part + "value"]).reshape(n, heads, size).transpose(1, 0, 2)
        logits = query @ key / np.float32(math.sqrt(size))
        logits += weights[part + "distance"][:, np.maximum(steps[first:], 0)] + strengths
        logits[:, steps[first:] < 0] = -np.inf
        logits = np.exp(logits - logits.max(axis=2, keepdims=True))
        shares = logits / logits.sum(axis=2, keepdims=True)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(-1, d)
        x = x + mixed @ weights[part + "out"]
        normed = _normalized(x, weights[part + "norm_out.weight"], weights[part + "norm_out.bias"])
        hidden = np.maximum(normed @ weights[part + "widen"] + weights[part + "widen_bias"], 0)
        x = x + hidden @ weights[part + "narrow"] + weights[part + "narrow_bias"]
    return np.asarray(_normalized(x, weights["norm.weight"], weights["norm.bias"])[-1])


def recurrent_state(weights: Weights, tokens: F32, layers: int) -> F32:
    """Output of gated recurrent units at the last token: float32 (d,).

    Args:
        weights: arrays by the names of `torch_networks.RecurrentNetwork`.
        tokens: float32 (n, d), inputs in the order of time.
        layers: number of layers.
    """
    x = tokens
    d = x.shape[1]
    for layer in range(layers):
        recurrent = weights[f"units.weight_hh_l{layer}"].T
        given = x @ weights[f"units.weight_ih_l{layer}"].T + weights[f"units.bias_ih_l{layer}"]
        bias = weights[f"units.bias_hh_l{layer}"]
        state, outputs = np.zeros(d, np.float32), np.empty_like(x)
        for place, gates in enumerate(given):
            kept = state @ recurrent + bias
            both = 1 / (1 + np.exp(-(gates[: 2 * d] + kept[: 2 * d])))
            candidate = np.tanh(gates[2 * d :] + both[:d] * kept[2 * d :])
            state = (1 - both[d:]) * candidate + both[d:] * state
            outputs[place] = state
        x = outputs
    return np.asarray(_normalized(x[-1:], weights["norm.weight"], weights["norm.bias"])[0])


def _normalized(x: F32, weight: F32, bias: F32) -> F32:
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + EPSILON) * weight + bias, dtype=np.float32)
