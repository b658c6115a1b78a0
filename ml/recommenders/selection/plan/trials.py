"""Trials: recipes fitted on the past and judged by what is held back, within a budget of work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.linalg import LinAlgError

from ml.arrays import F64
from ml.evaluation.bootstrap import Interval, mean_interval
from ml.recommenders.base import Recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.recipes import Recipe
from ml.recommenders.selection.plan.shape import DataShape
from ml.recommenders.selection.plan.work import fit_work, judge_work
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

WITHOUT_WEIGHTS = "without weights"  # of a model that cannot use them, or is not to


@dataclass(frozen=True)
class Trial:
    """A validated configuration.

    Attributes:
        configuration: as it was fitted on the past.
        per_user: the metric for each judge.
        interval: mean over the judges, with its interval.
        work: units that it was estimated at, see `plan.work`.
        share: share of the past's interactions that it was fitted on.
        note: what it was tried for.
        seconds: time that it took; nothing is decided by it.
    """

    configuration: Configuration
    per_user: F64
    interval: Interval
    work: float = 0.0
    share: float = 1.0
    note: str = ""
    seconds: float = 0.0

    @property
    def value(self) -> float:
        """Mean over the judges."""
        return self.interval.mean


@dataclass
class WorkBudget:
    """Units of work that may be spent, and those that are."""

    total: float
    spent: float = 0.0


@dataclass
class TrialRunner:
    """Fits recipes on the past of a window, or on a sample of it, and judges them.

    Attributes:
        window: past and judges.
        budget: what trials are charged to.
        seed: seed of the intervals.
        log: Receives a line for each trial.
        share: share of the past's interactions that trials are fitted on.
        trials: all trials so far, in their order.
    """

    window: ValidationWindow
    budget: WorkBudget
    seed: int = 0
    log: Callable[[str], None] = lambda line: None
    share: float = 1.0
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shape = DataShape.of(self.window.past)

    def on_sample(self, n_pairs: int) -> TrialRunner:
        """A runner on the judges and so many of the other users that about `n_pairs` interactions are left.

        It shares budget and trials with this one. Where there are no more, it is this one.
        """
        past = self.window.past.interactions
        if past.n_pairs <= n_pairs:
            return self
        lengths = np.diff(past.matrix.indptr)
        kept = np.zeros(len(past.users), bool)
        kept[self.window.users] = True
        order = np.random.default_rng(self.seed).permutation(np.flatnonzero(~kept))
        kept[order[lengths[kept].sum() + np.cumsum(lengths[order]) <= n_pairs]] = True
        part = past.select(kept[past.rows])
        if not part.liked.nnz or part.n_pairs == past.n_pairs:
            return self
        data = TrainingData(part, self.window.past.user_features, self.window.past.item_features)
        window = replace(self.window, past=data)
        share = self.share * part.n_pairs / past.n_pairs
        return TrialRunner(window, self.budget, self.seed, self.log, share, self.trials)

    def work(self, recipe: Recipe) -> float:
        """Units that a trial of the recipe costs."""
        configuration = recipe.configuration(self.shape)
        columns = self.window.columns
        n_ranked = self.shape.n_all_items if columns is None else len(columns)
        judged = judge_work(configuration, self.shape, len(self.window.users), n_ranked)
        return fit_work(configuration, self.shape) + judged

    def run(self, recipe: Recipe, note: str = "") -> tuple[Trial, Recommender] | None:
        """Fit and judge; None, with a line that says why, where the model cannot be fitted on this data."""
        configuration = recipe.configuration(self.shape)
        work = self.work(recipe)
        self.budget.spent += work
        start = time.perf_counter()
        try:
            fitted = configuration.make().fit_aligned(self.window.past)
            per_user = self.window.judge(fitted)
        except (ValueError, LinAlgError) as error:  # too few users, items, folds or features for this model
            self.log(f"{configuration.model} left out: {error}")
            return None
        interval = mean_interval(per_user, seed=self.seed)
        if self.shape.has_weights and fitted.ignores_weights:
            note = f"{note}, {WITHOUT_WEIGHTS}" if note else WITHOUT_WEIGHTS
        trial = Trial(configuration, per_user, interval, work, self.share, note, time.perf_counter() - start)
        self.record(trial)
        return trial, fitted

    def record(self, trial: Trial) -> None:
        """Keep a trial and tell of it."""
        self.trials.append(trial)
        done = min(1.0, self.budget.spent / self.budget.total) if self.budget.total else 1.0
        self.log(
            f"{done:4.0%} {trial.configuration.model} {self.window.metric} {trial.interval.mean:.4f} "
            f"[{trial.interval.bounds.replace(' to', ',')}]{f' {trial.note}' if trial.note else ''}"
        )
