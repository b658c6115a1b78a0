"""Two towers: neural embeddings of users and items from ids and features, trained with in-batch negatives.

Needs the extra `torch`. The loss corrects for popular items being frequent negatives (Yi et al. 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ml.arrays import I64
from ml.dataset.feature_matrix import combined_features
from ml.dataset.weight_scale import WeightScaling
from ml.errors import MissingExtraError
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.training_data import TrainingData


class TwoTower(FactorRecommender):
    """Score is the product of the outputs of two small networks.

    Args:
        n_factors: size of embeddings and outputs.
        epochs, batch, learning_rate: of Adam.
        temperature: of the softmax over the batch.
        weight_decay: L2 penalty.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`.
        seed: the same seed gives the same model.
    """

    def __init__(
        self,
        n_factors: int = 64,
        epochs: int = 30,
        batch: int = 1024,
        learning_rate: float = 3e-3,
        temperature: float = 0.2,
        weight_decay: float = 1e-5,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.temperature = temperature
        self.weight_decay = weight_decay
        self.weight_scaling = weight_scaling
        self.seed = seed

    @property
    def uses_user_features(self) -> bool:
        """A user's features say what they are shown."""
        return True

    @property
    def uses_item_features(self) -> bool:
        """An item's features say to whom it is shown."""
        return True

    def _fit(self, data: TrainingData) -> None:
        try:
            import torch  # noqa: PLC0415  an extra
        except ImportError:
            raise MissingExtraError("two_tower needs PyTorch: pip install 'tessera[torch]'") from None

        generator = torch.Generator().manual_seed(self.seed)
        pairs = data.interactions
        user_bags, _ = combined_features(data.user_features, np.diff(pairs.liked.indptr), 1, pairs.users)
        item_bags, _ = combined_features(data.item_features, pairs.item_counts, 1, pairs.items)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            towers = [self._tower(torch, bags.shape[1]) for bags in (user_bags, item_bags)]
        parameters = [parameter for tower in towers for parameter in tower.parameters()]
        optimizer = torch.optim.Adam(parameters, self.learning_rate, weight_decay=self.weight_decay)
        liked = self._learn_confidences(pairs).tocoo()
        confidences = torch.from_numpy(liked.data)
        rows, columns = torch.from_numpy(liked.row.astype(np.int64)), torch.from_numpy(liked.col.astype(np.int64))
        correction = torch.from_numpy(np.log(np.maximum(pairs.item_counts, 1) / pairs.item_counts.sum()))
        for _ in range(self.epochs):
            order = torch.randperm(len(rows), generator=generator)
            for chosen in order.split(self.batch):
                u, i = rows[chosen], columns[chosen]
                users = towers[0](*_bag(torch, user_bags, u.numpy()))
                items = towers[1](*_bag(torch, item_bags, i.numpy()))
                logits = users @ items.T / self.temperature - correction[i][None, :]
                same = (i[:, None] == i[None, :]) & ~torch.eye(len(i), dtype=torch.bool)
                losses = torch.nn.functional.cross_entropy(
                    logits.masked_fill(same, -torch.inf), torch.arange(len(i)), reduction="none"
                )
                loss = (losses * confidences[chosen]).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            self.user_factors_ = towers[0](*_bag(torch, user_bags, np.arange(user_bags.shape[0]))).numpy()
            self.item_factors_ = towers[1](*_bag(torch, item_bags, np.arange(item_bags.shape[0]))).numpy()
        self.unknown_user_ = self.user_factors_.mean(axis=0)
        self.fold_in_weight_, self.fold_in_regularization_ = 10.0, 1.0

    def _tower(self, torch: Any, n_features: int) -> Any:
        """Mean of feature embeddings, then two layers with a shortcut, then length 1."""
        d = self.n_factors

        class Tower(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.embeddings = torch.nn.EmbeddingBag(n_features, d, mode="sum")
                torch.nn.init.normal_(self.embeddings.weight, std=0.1)
                self.layers = torch.nn.Sequential(torch.nn.Linear(d, d), torch.nn.ReLU(), torch.nn.Linear(d, d))

            def forward(self, indices: Any, offsets: Any, weights: Any) -> Any:
                start = self.embeddings(indices, offsets, per_sample_weights=weights)
                return torch.nn.functional.normalize(start + self.layers(start), dim=1)

        return Tower()


def _bag(torch: Any, features: sparse.csr_matrix, rows: I64) -> tuple[Any, Any, Any]:
    """Rows of CSR features as indices, offsets and weights of an EmbeddingBag."""
    part = features[rows]
    return (
        torch.from_numpy(part.indices.astype(np.int64)),
        torch.from_numpy(part.indptr[:-1].astype(np.int64)),
        torch.from_numpy(part.data.astype(np.float32)),
    )
