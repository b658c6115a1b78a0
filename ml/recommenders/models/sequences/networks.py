"""Sequence networks: trained by torch on what people took in order, answered from plain arrays without it.

The score of an item is the product of its vector with the network's output after the last item, so that people and
items are vectors as in any model with factors, and somebody new is folded in by one forward pass over their items.
Needs the extra `torch` to be fitted, and nothing but NumPy afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse

from ml.arrays import F32, Bools, Integers
from ml.errors import MissingExtraError
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.models.sequences.forward import Weights
from ml.recommenders.models.sequences.ordered_histories import OrderedPairs, user_starts
from ml.recommenders.models.sequences.windows import Sequences, gap_classes
from ml.recommenders.training_data import TrainingData

RARE = 0.1  # quantile of the items' biases that an item gets which nobody took
LEAST_STRENGTH = -5.0  # logarithm of the smallest confidence that an input can have


class SequenceNetwork(FactorRecommender):
    """What the models `sasrec` and `gru4rec` have in common.

    The inputs of a network are the items, with their features, the time gaps between them, and their confidences,
    which hold what was done with an item and for how long.

    Attributes:
        checkpoints: folder in which a training leaves its state after each pass, and from which it goes on after a
            stop; None: it leaves nothing. It is no parameter, since what is learned does not depend on it.
        progress: gets a line after each pass.

    Learned:
        item_inputs_: float32 (networks, n_items, d), vectors of the items as inputs.
        network_weights_: float32 (networks, n), all other weights, one array after the other.
        network_layout_: name and shape of each of these arrays.
        passes_: passes over the data that each network took.
        has_order_: whether the training had timestamps; without them the order of items says nothing.
    """

    KIND: ClassVar[Literal["attention", "recurrent"]]

    item_inputs_: F32
    network_weights_: F32
    network_layout_: list[list[Any]]
    passes_: list[int]
    has_order_: bool

    n_factors: int
    layers: int
    heads: int
    length: int
    dropout: float
    epochs: int
    patience: int
    batch: int
    learning_rate: float
    penalty: float
    negatives: int
    networks: int
    seed: int

    checkpoints: Path | None = None
    progress: Callable[[str], None] | None = None

    @property
    def uses_item_features(self) -> bool:
        """They are inputs, and the vector of an item that nobody took."""
        return True

    @property
    def reads_order(self) -> bool:
        """The latest item says most."""
        return True

    def _sequence_starts(self, pairs: OrderedPairs) -> Bools:
        """Whether each pair begins a sequence: bool (n,)."""
        raise NotImplementedError

    def _state(self, weights: Weights, tokens: F32, strengths: F32) -> F32:
        """Output of one network at the last token, float32 (d,), without torch."""
        raise NotImplementedError

    def _fit(self, data: TrainingData) -> None:
        try:
            from ml.recommenders.models.sequences import training  # noqa: PLC0415  needs an extra
        except ImportError:
            name = type(self).__name__.lower()
            raise MissingExtraError(f"{name} needs PyTorch: pip install 'tessera[torch]'") from None

        pairs = OrderedPairs(data.interactions, self._learn_confidences(data.interactions))
        starts = self._sequence_starts(pairs)
        times = pairs.times
        self.has_order_ = times is not None and bool(times.min() < times.max())
        strengths = np.log(np.maximum(pairs.confidences, np.exp(LEAST_STRENGTH))).astype(np.float32)
        gaps = gap_classes(times, user_starts(pairs.users))
        bounds = np.append(np.flatnonzero(starts), len(starts)).astype(np.int64)
        sequences = Sequences(pairs.items.astype(np.int64), gaps, strengths, bounds, self.has_order_)
        latest = Sequences(
            sequences.items, gaps, strengths, np.asarray(pairs.bounds, dtype=np.int64), self.has_order_
        )
        features = _scaled_features(data)
        counts = data.interactions.item_counts
        users, items, inputs, weights, self.passes_ = [], [], [], [], []
        for number in range(self.networks):
            plan = training.NetworkPlan(
                **{name: getattr(self, name) for name in training.NetworkPlan.shared()},
                kind=self.KIND,
                seed=self.seed + 1_000 * number,
            )
            trained, network = training.NetworkTraining(
                plan, sequences, pairs.confidences, times, counts, features, self.checkpoints, self.progress
            ).run()
            users.append(training.last_outputs(network, latest, self.length))
            inputs.append(trained.vectors)
            biases = np.where(counts > 0, trained.biases, np.quantile(trained.biases[counts > 0], RARE))
            both = np.hstack([trained.vectors, biases[:, None].astype(np.float32)])
            items.append(both / np.float32(self.networks))
            weights.append(np.concatenate([value.ravel() for value in trained.weights.values()]))
            self.network_layout_ = [[name, list(value.shape)] for name, value in trained.weights.items()]
            self.passes_.append(trained.epochs)
        self.item_inputs_, self.network_weights_ = np.stack(inputs), np.stack(weights)
        self.user_factors_ = _with_ones(users)
        has_features = np.zeros(len(counts), bool) if features is None else np.diff(features.indptr) > 0
        self.item_factors_ = _below_all_others(np.hstack(items), self.user_factors_, (counts == 0) & ~has_features)
        self.unknown_user_ = self._outputs(np.zeros(0, np.int64), np.zeros(0, np.float32))
        self.fold_in_weight_, self.fold_in_regularization_ = 0.0, 0.0

    def fold_in_histories(self, histories: sparse.csr_matrix) -> F32:
        """Vectors of new users, float32 (b, d): the output after the last of their items, whose order counts."""
        vectors = np.empty((histories.shape[0], self.item_factors_.shape[1]), np.float32)
        for row in range(histories.shape[0]):
            entries = slice(histories.indptr[row], histories.indptr[row + 1])
            vectors[row] = self._outputs(histories.indices[entries], histories.data[entries])
        return vectors

    def _outputs(self, rows: Integers, confidences: F32) -> F32:
        """Outputs of all networks after a history, a one behind each, for the items' biases: float32 (d,)."""
        items, d = np.asarray(rows)[-(self.length - 1) :], self.n_factors
        least = np.exp(LEAST_STRENGTH)
        strengths = np.log(np.maximum(confidences[-(self.length - 1) :], least)).astype(np.float32)
        scale, begun = np.float32(np.sqrt(d)), np.append(np.float32(0), strengths)
        outputs = []
        for inputs, weights in zip(self.item_inputs_, self._weights(), strict=True):
            given = inputs[items] * scale + weights["gaps"][0]
            given = given + strengths[:, None] * weights["strength"]
            tokens = np.vstack([weights["start"][None, :] * scale, given]).astype(np.float32)
            outputs.append(self._state(weights, tokens, begun)[None, :])
        return np.asarray(_with_ones(outputs)[0])

    def _weights(self) -> list[dict[str, F32]]:
        """Views of the arrays of each network, by name."""
        sizes = [int(np.prod(shape)) for _, shape in self.network_layout_]
        ends = np.cumsum(sizes)
        return [
            {
                name: flat[end - size : end].reshape(shape)
                for (name, shape), size, end in zip(self.network_layout_, sizes, ends, strict=True)
            }
            for flat in self.network_weights_
        ]


def _with_ones(outputs: list[F32]) -> F32:
    """Outputs of the networks side by side, each with a one behind it."""
    return np.hstack([np.hstack([part, np.ones((len(part), 1), np.float32)]) for part in outputs])


def _scaled_features(data: TrainingData) -> sparse.csr_matrix | None:
    """Features of the items, each row divided by the root of their number; None without any."""
    if data.item_features is None or not data.item_features.matrix.nnz:
        return None
    matrix = data.item_features.matrix.tocsr()
    return (sparse.diags(np.maximum(np.diff(matrix.indptr), 1) ** -0.5) @ matrix).tocsr().astype(np.float32)


def _below_all_others(items: F32, users: F32, is_empty: Bools) -> F32:
    """Factors in which items that nobody took, and that have no features, score below all others.

    Args:
        items: float32 (n_items, d), factors with the bias in the last column.
        users: float32 (n_users, d), of which some are compared.
        is_empty: bool (n_items,), items of which nothing was learned.
    """
    if not is_empty.any() or is_empty.all():
        return items
    some = users[np.linspace(0, len(users) - 1, min(len(users), 256)).astype(np.int64)]
    lowest = float((some @ items[~is_empty].T).min())
    changed = items.copy()
    changed[is_empty] = 0
    changed[is_empty, -1] = lowest - abs(lowest) - 1
    return changed
