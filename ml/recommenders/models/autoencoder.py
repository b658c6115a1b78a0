"""Denoising autoencoder with a multinomial likelihood (Liang et al. 2018): from a history with holes to the whole.

The only model of the zoo without torch whose scores are no product of vectors; what it finds differs enough from
EASE and ALS to be worth a part in a second stage. Written for catalogues that fit into a dense row a user.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.arrays import F32, Integers
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.base import Recommender
from ml.recommenders.models.blends import standardised
from ml.recommenders.models.vectors import unit_rows
from ml.recommenders.training_data import TrainingData

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma, Ba 2015), as everywhere


class Autoencoder(Recommender):
    """One hidden layer with tanh, softmax over all items; the mean of several such networks.

    Args:
        hidden: size of the layer.
        dropout: share of a history that is hidden in training.
        epochs: passes over the users. On films 25 to 40 were best, 100 far too many.
        learning_rate, penalty: of Adam; L2 penalty of the weights.
        batch: users of a step.
        networks: so many, each with its own seed; their standardised scores are added.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: of weights, order and holes.

    Learned:
        histories_: CSR float32 (n_users, n_items) of confidences.
        encoders_, decoders_: float32 (networks, n_items + 1, hidden) and (networks, hidden + 1, n_items), the bias
            in the last row.
    """

    histories_: sparse.csr_matrix
    encoders_: F32
    decoders_: F32

    def __init__(
        self,
        hidden: int = 200,
        dropout: float = 0.5,
        epochs: int = 35,
        learning_rate: float = 1e-3,
        penalty: float = 1e-4,
        batch: int = 64,
        networks: int = 2,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.batch = batch
        self.networks = networks
        self.weight_scaling = weight_scaling
        self.seed = seed

    def _fit(self, data: TrainingData) -> None:
        self.histories_ = self._learn_confidences(data.interactions)
        active = self.histories_[np.flatnonzero(np.diff(self.histories_.indptr))]
        trained = [
            self._train(active, np.random.default_rng((self.seed, number))) for number in range(self.networks)
        ]
        self.encoders_ = np.stack([encoder for encoder, _ in trained])
        self.decoders_ = np.stack([decoder for _, decoder in trained])

    def score(self, user_rows: Integers) -> F32:
        """Mean standardised log odds of the networks."""
        return self.score_histories(self.histories_[user_rows])

    def score_histories(self, histories: sparse.csr_matrix) -> F32:
        """Scores for users known only by their history."""
        x = unit_rows(np.asarray(histories.astype(np.float32).todense()))
        total = np.zeros(x.shape, np.float32)
        for encoder, decoder in zip(self.encoders_, self.decoders_, strict=True):
            hidden = np.tanh(x @ encoder[:-1] + encoder[-1])
            total += standardised(hidden @ decoder[:-1] + decoder[-1])
        return np.asarray(total / len(self.encoders_), dtype=np.float32)

    def _train(self, histories: sparse.csr_matrix, random: np.random.Generator) -> tuple[F32, F32]:
        n_users, n_items = histories.shape
        encoder, decoder = _glorot(random, n_items, self.hidden), _glorot(random, self.hidden, n_items)
        layers = (encoder, decoder)
        moments = [(np.zeros_like(layer), np.zeros_like(layer)) for layer in layers]
        step = 0
        for _ in range(self.epochs):
            order = random.permutation(n_users)
            for start in range(0, n_users, self.batch):
                whole = np.asarray(histories[order[start : start + self.batch]].todense())
                kept = whole * (random.random(whole.shape, dtype=np.float32) >= self.dropout)
                step += 1
                rate = np.float32(self.learning_rate * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step))
                slopes = _slopes(encoder, decoder, unit_rows(kept), whole)
                for layer, slope, (mean, square) in zip(layers, slopes, moments, strict=True):
                    slope[:-1] += self.penalty * layer[:-1]
                    mean[:] += (1 - BETA_1) * (slope - mean)
                    square[:] += (1 - BETA_2) * (slope * slope - square)
                    layer[:] -= rate * mean / (np.sqrt(square) + EPSILON)
        return layers


def _slopes(encoder: F32, decoder: F32, given: F32, target: F32) -> tuple[F32, F32]:
    """Slopes of the mean negative log likelihood of `target` (b, n_items), each user counting once."""
    hidden = np.tanh(given @ encoder[:-1] + encoder[-1])
    scores = hidden @ decoder[:-1] + decoder[-1]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    missed = odds / odds.sum(axis=1, keepdims=True) - target / target.sum(axis=1, keepdims=True)
    missed /= len(target)
    back = (missed @ decoder[:-1].T) * (1 - hidden * hidden)
    return _with_bias(given.T @ back, back), _with_bias(hidden.T @ missed, missed)


def _with_bias(weights: F32, errors: F32) -> F32:
    return np.vstack([weights, errors.sum(axis=0)])


def _glorot(random: np.random.Generator, n_in: int, n_out: int) -> F32:
    """Weights after Glorot and Bengio (2010), a row of zeros for the bias below them."""
    weights = random.normal(0, np.sqrt(2 / (n_in + n_out)), (n_in, n_out))
    return np.vstack([weights, np.zeros((1, n_out))]).astype(np.float32)
