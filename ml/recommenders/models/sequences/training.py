"""Training of a sequence network by torch: sampled softmax, early stopping on the newest items, checkpoints.

The loss is the softmax over the next item. Where there are many items it is over a sample of them, drawn by
popularity, each drawn item standing for those that were not (importance sampling: Bengio, Senécal 2008), so that
scores stay calibrated logarithms of odds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ml.arrays import F32, F64, I64, Bools
from ml.recommenders.models.sequences.torch_networks import AttentionNetwork, RecurrentNetwork
from ml.recommenders.models.sequences.warm_start import start_vectors
from ml.recommenders.models.sequences.windows import GAP_CLASSES, Sequences, Windows

KINDS = {"attention": AttentionNetwork, "recurrent": RecurrentNetwork}
HELD_BACK = 0.1  # of the items, the newest: the number of passes is chosen by them
MOST_JUDGED = 4_000
FEWEST_JUDGED = 20  # fewer items choose at random; all passes are made then
HIDDEN_GAPS = 0.5  # share of the windows without time gaps, since the service does not always have them
DRAW_POWER = 0.75  # of an item's count, by which negatives are drawn
SCORED = 256  # windows that are scored at a time


@dataclass(frozen=True)
class NetworkPlan:
    """How a network is built and trained; `shared` names the fields that are parameters of the models."""

    kind: str
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
    seed: int

    @classmethod
    def shared(cls) -> list[str]:
        """Names of the fields that a model has under the same name, with the same value."""
        return [field.name for field in fields(cls) if field.name not in ("kind", "seed")]


@dataclass(frozen=True)
class Trained:
    """A trained network as arrays.

    Attributes:
        weights: arrays by name.
        vectors: float32 (n_items, d), of all items.
        biases: float32 (n_items,).
        epochs: passes that were made over all sequences.
    """

    weights: dict[str, F32]
    vectors: F32
    biases: F32
    epochs: int


class NetworkTraining:
    """Trains one network.

    Args:
        plan: how.
        sequences: what people took.
        confidences: float32 (n,), how much each item of the sequences says.
        times: float64 (n,), Unix seconds; None without.
        counts: float32 (n_items,), users of each item; items without any have no identity.
        features: CSR float32 (n_items, n_features), or None.
        checkpoints: folder in which the state is left after each pass, from which a training of the same data and
            plan goes on after a stop; None: nothing is left.
        progress: gets a line after each pass; None: nobody does.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        sequences: Sequences,
        confidences: F32,
        times: F64 | None,
        counts: F32,
        features: sparse.csr_matrix | None,
        checkpoints: Path | None,
        progress: Callable[[str], None] | None,
    ) -> None:
        self._plan, self._sequences, self._confidences = plan, sequences, torch.from_numpy(confidences)
        self._times, self._counts, self._features = times, counts, features
        self._say = progress or (lambda line: None)
        drawn = np.where(counts > 0, counts, 0).astype(np.float64) ** DRAW_POWER
        self._draw = torch.from_numpy(drawn / drawn.sum())
        self._is_sampled = int((counts > 0).sum()) > plan.negatives
        self._checkpoint = None if checkpoints is None else checkpoints / f"{plan.kind}-{self._fingerprint()}.pt"

    def run(self) -> tuple[Trained, Any]:
        """Choose the number of passes, train on everything, and return the arrays and the network."""
        with torch.random.fork_rng(devices=[]):
            state = self._resumed()
            epochs = int(state["epochs"]) if state.get("phase") == "all" else self._choose_epochs(state)
            every = np.ones(len(self._sequences.items), bool)
            network = self._train(every, epochs, state if state.get("phase") == "all" else {}, epochs, None)
        if self._checkpoint is not None:
            self._checkpoint.unlink(missing_ok=True)
        with torch.no_grad():
            vectors = network.vectors().numpy().copy()
        weights = {name: value.detach().numpy().copy() for name, value in network.named_parameters()}
        biases = weights.pop("biases")
        for name in ("items", "features"):
            weights.pop(name, None)
        return Trained(weights, vectors, biases, epochs), network

    def _choose_epochs(self, state: dict[str, Any]) -> int:
        """The number of passes after which the newest items were predicted best."""
        is_past, judged = self._held_back()
        if len(judged) < FEWEST_JUDGED:
            return self._plan.epochs
        windows = self._sequences.contexts(self._plan.length, judged)
        losses: list[float] = list(state.get("losses", []))

        def judge(network: Any) -> bool:
            losses.append(self._loss_of(network, windows))
            self._say(f"pass {len(losses)} of at most {self._plan.epochs}: loss {losses[-1]:.4f}")
            return len(losses) - 1 - int(np.argmin(losses)) >= self._plan.patience

        self._train(is_past, self._plan.epochs, state, 0, judge, losses)
        return int(np.argmin(losses)) + 1

    def _held_back(self) -> tuple[Bools, I64]:
        """Which items are trained on, bool (n,), and places of those that are judged by: the newest ones."""
        n = len(self._sequences.items)
        random = np.random.default_rng((self._plan.seed, 1))
        if self._times is not None and self._times.min() < self._times.max():
            is_past = self._times < np.quantile(self._times, 1 - HELD_BACK)
        else:
            lengths = np.diff(self._sequences.bounds)
            some = (random.random(len(lengths)) < HELD_BACK) & (lengths > 1)
            is_past = ~np.repeat(some, lengths)
        judged = np.flatnonzero(~is_past)
        if not is_past.any():
            return np.ones(n, bool), judged[:0]
        if len(judged) > MOST_JUDGED:
            judged = np.sort(random.choice(judged, MOST_JUDGED, replace=False))
        return is_past, judged

    def _network(self, is_past: Bools) -> Any:
        plan, sequences = self._plan, self._sequences
        torch.manual_seed(plan.seed)
        started = start_vectors(sequences, is_past, len(self._counts), plan.n_factors, plan.seed)
        return KINDS[plan.kind](
            plan.layers,
            plan.heads,
            plan.length,
            plan.dropout,
            items=torch.from_numpy(started),
            features=self._features,
            is_trained=torch.from_numpy(self._counts > 0),
            n_gaps=GAP_CLASSES,
        )

    def _train(
        self,
        is_target: Bools,
        epochs: int,
        state: dict[str, Any],
        chosen: int,
        judge: Callable[[Any], bool] | None,
        losses: list[float] | None = None,
    ) -> Any:
        plan, network = self._plan, self._network(is_target)
        optimizer = torch.optim.Adam(network.parameters(), plan.learning_rate, weight_decay=plan.penalty)
        start = int(state.get("done", 0))
        if start:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
        for epoch in range(start, epochs):
            if losses and len(losses) - 1 - int(np.argmin(losses)) >= plan.patience:
                break  # it was stopped after the last pass, before the next phase began
            random = np.random.default_rng((plan.seed, epoch))
            torch.manual_seed(plan.seed * 10_007 + epoch)
            network.train()
            windows = self._sequences.windows(plan.length, is_target, random)
            order = random.permutation(len(windows.items))
            for first in range(0, len(order), plan.batch):
                loss = self._batch_loss(network, windows, order[first : first + plan.batch], random)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
            network.eval()
            stops = judge is not None and judge(network)
            if judge is None:
                self._say(f"pass {epoch + 1} of {epochs} on everything")
            self._leave(network, optimizer, epoch + 1, chosen, losses)
            if stops:
                break
        network.eval()
        return network

    def _batch_loss(self, network: Any, windows: Windows, rows: I64, random: np.random.Generator | None) -> Any:
        """Mean loss of the targets of some windows, each weighing as much as it says."""
        part = Windows(windows.items[rows], windows.gaps[rows], windows.strengths[rows], windows.is_target[rows])
        vectors = network.vectors()
        outputs = outputs_of(network, vectors, part, random)
        is_target = torch.from_numpy(part.is_target)
        hidden, targets = outputs[is_target], torch.from_numpy(part.items)[is_target]
        weights = torch.from_numpy(np.exp(part.strengths))[is_target]
        if self._is_sampled and random is not None:
            drawn = torch.multinomial(self._draw, self._plan.negatives, replacement=True)
            correction = torch.log(self._draw.float() * self._plan.negatives)
            logits = hidden @ vectors[drawn].T + (network.biases[drawn] - correction[drawn])
            logits = logits.masked_fill(drawn[None, :] == targets[:, None], -torch.inf)
            hit = (hidden * vectors[targets]).sum(dim=1) + network.biases[targets]
            losses = torch.logsumexp(torch.cat([hit[:, None], logits], dim=1), dim=1) - hit
        else:
            logits = hidden @ vectors.T + network.biases
            logits = logits.masked_fill(self._draw[None, :] == 0, -torch.inf)
            losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return (losses * weights).sum() / weights.sum()

    def _loss_of(self, network: Any, windows: Windows) -> float:
        """Mean loss over windows of which each has one target; the softmax is over all items."""
        with torch.no_grad():
            parts = [
                (len(rows), float(self._batch_loss(network, windows, rows, None)))
                for rows in np.array_split(np.arange(len(windows.items)), len(windows.items) // SCORED + 1)
            ]
        return sum(n * loss for n, loss in parts) / len(windows.items)

    def _fingerprint(self) -> str:
        """Of the plan and the data: a training that differs in either does not go on from this one."""
        digest = hashlib.sha256(repr(sorted(asdict(self._plan).items())).encode())
        for values in (
            self._sequences.items,
            self._sequences.gaps,
            self._sequences.bounds,
            self._confidences.numpy(),
        ):
            digest.update(np.ascontiguousarray(values).tobytes())
        if self._features is not None:
            digest.update(self._features.indices.tobytes() + self._features.indptr.tobytes())
        return digest.hexdigest()[:16]

    def _resumed(self) -> dict[str, Any]:
        if self._checkpoint is None or not self._checkpoint.is_file():
            return {}
        state: dict[str, Any] = torch.load(self._checkpoint, weights_only=True)
        self._say(f"the training goes on after pass {state['done']}")
        return state

    def _leave(self, network: Any, optimizer: Any, done: int, chosen: int, losses: list[float] | None) -> None:
        """Write the state beside its place and move it there, so that a stop leaves the last one whole."""
        if self._checkpoint is None:
            return
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "done": done}
        state |= {"phase": "all" if losses is None else "choice", "epochs": chosen, "losses": losses or []}
        beside = self._checkpoint.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, self._checkpoint)


def outputs_of(network: Any, vectors: Any, windows: Windows, random: np.random.Generator | None) -> Any:
    """Outputs before each item of the windows, (n, length, d): what was predicted of it.

    Args:
        network: a network.
        vectors: of all its items.
        windows: what people took.
        random: hides the time gaps of some windows; None: none are hidden.
    """
    gaps = windows.gaps[:, :-1]
    if random is not None:
        gaps = gaps * (random.random(len(gaps)) >= HIDDEN_GAPS)[:, None]
    items, strengths = torch.from_numpy(windows.items[:, :-1]), torch.from_numpy(windows.strengths[:, :-1])
    tokens = network.tokens(vectors, items, torch.from_numpy(np.ascontiguousarray(gaps)), strengths)
    return network(tokens, strengths)


def last_outputs(network: Any, sequences: Sequences, length: int) -> F32:
    """Output after the last item of each sequence, float32 (n_sequences, d); after nothing where one is empty."""
    lengths = np.minimum(np.diff(sequences.bounds), length - 1)
    outputs = np.empty((len(lengths), network.d), np.float32)
    with torch.no_grad():
        vectors = network.vectors()
        for rows in np.array_split(np.arange(len(lengths)), len(lengths) // SCORED + 1):
            if not len(rows):
                continue
            sizes = lengths[rows]
            row = np.repeat(np.arange(len(rows)), sizes)
            column = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            order = np.repeat(sequences.bounds[rows + 1] - sizes, sizes) + column
            items, gaps = np.zeros((len(rows), length), np.int64), np.zeros((len(rows), length), np.int64)
            strengths = np.zeros((len(rows), length), np.float32)
            items[row, column], gaps[row, column] = sequences.items[order], sequences.gaps[order]
            strengths[row, column] = sequences.strengths[order]
            # The column after the last item is the place whose item would be predicted.
            part = Windows(items, gaps, strengths, np.zeros_like(items, dtype=bool))
            found_at = outputs_of(network, vectors, part, None)[torch.arange(len(rows)), torch.from_numpy(sizes)]
            outputs[rows] = found_at.numpy()
    return outputs
