"""GRU4Rec: recurrent units that read the running visit, to say what comes next."""

from __future__ import annotations

from ml.arrays import F32, Bools
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.models.sequences.forward import Weights, recurrent_state
from ml.recommenders.models.sequences.networks import SequenceNetwork
from ml.recommenders.models.sequences.ordered_histories import OrderedPairs, visit_starts


class Gru4Rec(SequenceNetwork):
    """Gated recurrent units over a visit (Hidasi et al. 2016): what was taken, when, and how much of it.

    Args:
        n_factors: size of the vectors.
        layers: of units.
        length: so many of the latest items are read.
        gap_minutes: silence that ends a visit. Where most visits would hold one item, whole histories are visits.
        dropout: share of inputs and hidden values that is left out in training.
        epochs, patience: most passes over the data; training ends after so many without a better prediction of
            the newest tenth of the data, and is then repeated on all of it.
        batch, learning_rate, penalty: of Adam.
        negatives: items of a sample that the softmax is over; all of them where there are no more.
        networks: so many, each with its own seed, are averaged.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: the same seed gives the same model.
    """

    KIND = "recurrent"
    heads = 1

    def __init__(
        self,
        n_factors: int = 64,
        layers: int = 1,
        length: int = 20,
        gap_minutes: float = 30.0,
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
        self.length = length
        self.gap_minutes = gap_minutes
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
        """A visit is a sequence."""
        return visit_starts(pairs.users, pairs.times, self.gap_minutes * 60)

    def _state(self, weights: Weights, tokens: F32, strengths: F32) -> F32:
        """Output of one network at the last token, float32 (d,), without torch."""
        return recurrent_state(weights, tokens, self.layers)
