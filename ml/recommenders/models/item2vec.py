"""item2vec: word2vec on what each user took in order (Barkan, Koenigstein 2016), by gensim."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from gensim.models import Word2Vec
from scipy import sparse

from ml.arrays import F32, I32, I64
from ml.dataset.weight_scale import WeightScaling
from ml.recommenders.factors import FactorRecommender
from ml.recommenders.models.vectors import unit_rows
from ml.recommenders.training_data import TrainingData


class SampledSentences:
    """What each user took in order, drawn anew in each pass: a pair of confidence 1 or more is always there."""

    def __init__(self, items: I32, cuts: I64, confidences: F32, seed: int) -> None:
        self._words = [str(item) for item in items]
        self._bounds = [0, *cuts.tolist(), len(items)]
        self._confidences = confidences
        self._random = np.random.default_rng(seed)

    def whole(self) -> Iterator[list[str]]:
        """Every sentence with all its words."""
        for start, end in pairwise(self._bounds):
            yield self._words[start:end]

    def __iter__(self) -> Iterator[list[str]]:
        """One pass."""
        kept = self._random.random(len(self._words)) < self._confidences
        for start, end in pairwise(self._bounds):
            yield [self._words[place] for place in range(start, end) if kept[place]]


class Item2Vec(FactorRecommender):
    """Items that follow one another have similar vectors; a user is the mean of the latest items.

    `item_vectors_` float32 (n_items, d) are the input vectors, for similar items.

    Args:
        n_factors, window, epochs, negatives: of word2vec (skip-gram).
        latest: so many of the last items make the user; None takes all.
        weight_scaling: how weights become confidences, see `ml.dataset.weight_scale`; each pass leaves out pairs
            whose confidence is low, as word2vec leaves out frequent words.
        seed: the same seed and one worker give the same vectors.
    """

    item_vectors_: F32

    def __init__(
        self,
        n_factors: int = 64,
        window: int = 10,
        epochs: int = 10,
        negatives: int = 10,
        latest: int | None = 50,
        weight_scaling: WeightScaling = "bm25",
        seed: int = 1,
    ) -> None:
        self.n_factors = n_factors
        self.window = window
        self.epochs = epochs
        self.negatives = negatives
        self.latest = latest
        self.weight_scaling = weight_scaling
        self.seed = seed

    def _fit(self, data: TrainingData) -> None:
        pairs = data.interactions
        confidences = self._learn_confidences(pairs)
        rows, items, places = pairs.in_order()
        cuts = np.flatnonzero(np.diff(rows)) + 1
        weights = confidences.data[places]
        sentences = SampledSentences(items, cuts, weights, self.seed)
        model = Word2Vec(
            vector_size=self.n_factors,
            window=self.window,
            epochs=self.epochs,
            negative=self.negatives,
            sg=1,
            min_count=1,
            sample=0,  # dropping frequent items, as is done with words, drops what most people took
            seed=self.seed,
            workers=1,
        )
        model.build_vocab(sentences.whole())
        model.train(sentences, total_examples=len(cuts) + 1, epochs=self.epochs)
        vectors = np.zeros((len(pairs.items), self.n_factors), np.float32)
        words = np.array([int(word) for word in model.wv.index_to_key])
        vectors[words] = model.wv.vectors
        self.item_vectors_ = unit_rows(vectors)
        # word2vec predicts with its output vectors: they know how popular an item is, the input vectors don't.
        outputs = np.zeros_like(vectors)
        outputs[words] = model.syn1neg
        # The last column puts items that nobody took below all others, whose products are mostly negative.
        unseen = np.full((len(vectors), 1), -np.linalg.norm(outputs, axis=1).max() - 1, np.float32)
        unseen[words] = 0
        self.item_factors_ = np.hstack([outputs, unseen])
        place = (
            np.arange(len(rows))
            - np.concatenate([[0], cuts])[np.searchsorted(cuts, np.arange(len(rows)), "right")]
        )
        length = np.bincount(rows, minlength=len(pairs.users))[rows]
        recent = np.ones(len(rows), bool) if self.latest is None else length - place <= self.latest
        history = sparse.csr_matrix((weights[recent], (rows[recent], items[recent])), pairs.matrix.shape)
        self.user_factors_ = self._users(history)
        self.unknown_user_ = self.user_factors_.mean(axis=0)
        self.fold_in_weight_, self.fold_in_regularization_ = 0.0, 0.0

    def fold_in_histories(self, histories: sparse.csr_matrix) -> F32:
        """Vectors of new users: the mean of their items, as for the training's own."""
        vectors = self._users(histories)
        vectors[np.diff(histories.indptr) == 0] = self.unknown_user_
        return vectors

    def _users(self, histories: sparse.csr_matrix) -> F32:
        """Unit mean of the histories' items, and a one for the items' last column."""
        means = unit_rows(np.asarray(histories @ self.item_vectors_, dtype=np.float32))
        return np.hstack([means, np.ones((len(means), 1), np.float32)])
