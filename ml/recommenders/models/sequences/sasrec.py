"""SASRec: self-attention that reads what a person took before, to say what comes next."""

from __future__ import annotations

from ml.arrays import F32, Bools
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.models.sequences.forward import Weights, attention_state
from ml.recommenders.models.sequences.networks import SequenceNetwork
from ml.recommenders.models.sequences.ordered_histories import OrderedPairs, user_starts


class Sasrec(SequenceNetwork):
    """Self-attention over a person's history (Kang, McAuley 2018): what was taken, when, and how much of it.

    Args:
        n_factors: size of the vectors.
        layers, heads: of attention.
        length: so many of the latest items are read.
        dropout: share of inputs and hidden values that is left out in training.
        epochs, patience: most passes over the data; training ends after so many without a better prediction of
            the newest tenth of the data, and is then repeated on all of it.
        batch, learning_rate, penalty: of Adam.
        negatives: items of a sample that the softmax is over; all of them where there are no more.
        networks: so many, each with its own seed, are averaged.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: the same seed gives the same model.
    """

    KIND = "attention"

    def __init__(
        self,
        n_factors: int = 64,
        layers: int = 2,
        heads: int = 2,
        length: int = 50,
        dropout: float = 0.3,
        epochs: int = 60,
        patience: int = 4,
        batch: int = 32,
        learning_rate: float = 1e-3,
        penalty: float = 0.0,
        negatives: int = 2_000,
        networks: int = 1,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.layers = layers
        self.heads = heads
        self.length = length
        self.dropout = dropout
        self.epochs = epochs
        self.patience = patience
        self.batch = batch
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.negatives = negatives
        self.networks = networks
        self.weight_scaling = weight_scaling
        self.seed = seed

    def _sequence_starts(self, pairs: OrderedPairs) -> Bools:
        """A person's history is one sequence."""
        return user_starts(pairs.users)

    def _state(self, weights: Weights, tokens: F32, strengths: F32) -> F32:
        """Output of one network at the last token, float32 (d,), without torch."""
        return attention_state(weights, tokens, strengths, self.layers, self.heads)
