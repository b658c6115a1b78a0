"""`auto`: the recommender that validates best on the training data alone, refitted on all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.linalg import LinAlgError

from ml.arrays import F64
from ml.evaluation.bootstrap import Interval, mean_interval, paired_difference
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.base import Recommender, TrainingData
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.validation import ValidationWindow

MOST_VALIDATION_USERS = 3_000
FEWEST_JUDGES = 100  # users from whom on an interval says whether two models can be told apart
ONE_ERROR = 0.683  # confidence of an interval of one standard error to either side
STACK_MOST_PAIRS = (
    500_000  # the second stage fits its first stage once a fold: beyond this, minutes become an hour
)
STACK_MOST_CELLS = 300_000_000  # users × items; its first stage scores every item
DENSE_MOST_USERS = 30_000  # neighbourhoods of users compare everybody with everybody
DENSE_MOST_CELLS = 20_000_000  # users × items that an autoencoder passes again and again: half a minute a fit

PLAINEST = Configuration("popularity", {})
BEST_EASE = Configuration("ease", {"regularization": 800.0, "window": 10, "feature_weight": 20.0, "dropout": 0.2})
LARGE_ALS = Configuration("als", {"n_factors": 96})
SMALL_ALS = Configuration("als", {"n_factors": 32, "confidence": 10.0})
FIRST_STAGE = (
    BEST_EASE,
    LARGE_ALS,
    Configuration("als", {"n_factors": 64, "confidence": 6.0, "regularization": 1.0}),
    SMALL_ALS,
    Configuration("als", {"n_factors": 32, "confidence": 10.0, "seed": 1}),
    Configuration("item_neighbours", {"window": 10, "shrinkage": 5.0, "neighbours": 2_000}),
    Configuration("autoencoder", {}),
)
ALONE = (  # tried, but no part of the second stage: too much like others in it
    Configuration("ease", {"regularization": 100.0}),
    Configuration("ease", {"regularization": 400.0}),
    Configuration("ease", {"regularization": 2000.0}),
    Configuration("item_neighbours", {}),
    Configuration("user_neighbours", {"neighbours": 300}),
    Configuration("svd", {}),
)
COLD_FIRST_STAGE = (
    Configuration("content_tfidf", {}),
    Configuration("content_tfidf", {"half_life_days": 365.0}),
    Configuration("content_tfidf", {"half_life_days": 60.0}),
    Configuration("content_affinity", {"smoothing": 5.0}),
    Configuration("content_affinity", {"smoothing": 50.0}),
    Configuration("content_affinity", {"smoothing": 50.0, "summed": True}),
    Configuration("content_affinity", {"smoothing": 5.0, "half_life_days": 120.0}),
    Configuration("content_vectors", {}),
    Configuration("lightfm_warp", {"n_factors": 40, "epochs": 8, "item_identity_from": None}),
)


@dataclass(frozen=True)
class Trial:
    """A validated configuration."""

    configuration: Configuration
    per_user: F64
    interval: Interval
    seconds: float


@dataclass(frozen=True)
class Choice:
    """The chosen recommender, and the trials that it was chosen from.

    Attributes:
        recommender: fitted on all the data.
        configuration: of the recommender, see `settled`.
        trials: every configuration that was validated, best first; none where there was nothing to choose by.
        metric: what decided.
        cold_share: share of the held-out interactions on items without any in training.
        warnings: of the split.
    """

    recommender: Recommender
    configuration: Configuration
    trials: tuple[Trial, ...]
    metric: str
    cold_share: float
    warnings: tuple[str, ...]


def choose(
    data: TrainingData,
    validation: str = "time",
    *,
    seed: int = 0,
    minutes: float = 10.0,
    log: Callable[[str], None] = lambda line: None,
) -> Choice:
    """Validate what suits the data, and refit the best.

    Where most held-out interactions are on new items, only new items are ranked in the validation, by AUC;
    otherwise all items, by NDCG@10.

    Args:
        data: interactions and features to choose on and to refit with.
        validation: name of the split that holds interactions back.
        seed: seed of the held-back window.
        minutes: no further configuration is tried after half of them; the refit comes on top.
        log: Receives a line of progress for each trial.

    Where there is too little to hold anything back, it is popularity.

    Raises:
        ValueError: the split needs what the data does not have, or there is no interaction to learn from.
    """
    try:
        window = ValidationWindow.hold_back(data, validation, seed=seed, most_users=MOST_VALIDATION_USERS)
    except EmptySplitError as error:
        log(f"nothing to choose by ({error}): popularity")
        return Choice(PLAINEST.make().fit_aligned(data), PLAINEST, (), "", float("nan"), ())
    for warning in window.warnings:
        log(f"note: {warning}")
    plan = planned(data, window.columns is not None, validation)
    start = time.monotonic()
    trials: list[Trial] = []
    for number, configuration in enumerate(plan, start=1):
        if trials and time.monotonic() - start > minutes * 30:
            log(f"time is up: {len(plan) - number + 1} of {len(plan)} configurations were not tried")
            break
        try:
            trial = _trial(configuration, window, seed)
        except (ValueError, LinAlgError) as error:  # too few users, items, folds or features for this model
            log(f"{number} of {len(plan)}: {configuration.model} left out: {error}")
            continue
        trials.append(trial)
        log(
            f"{number} of {len(plan)}: {configuration.model} {window.metric} {trial.interval.mean:.4f} "
            f"[{trial.interval.low:.4f}, {trial.interval.high:.4f}] in {trial.seconds:.0f} s"
        )
    trials.sort(key=lambda trial: -trial.interval.mean)
    chosen = settled(trials)
    if chosen is not trials[0].configuration:
        both = " and ".join(part["model"] for part in chosen.params["models"])
        log(f"{both} cannot be told apart: both together")
    log(f"chosen: {chosen.model}; fitting it on all interactions")
    recommender = chosen.make().fit_aligned(data)
    return Choice(recommender, chosen, tuple(trials), window.metric, window.cold_share, window.warnings)


def settled(trials: Sequence[Trial]) -> Configuration:
    """The best configuration, or both, blended, where the next best of another kind is as good.

    As good is a mean difference over users that is not above its standard error. To choose between two such
    models is to toss a coin; their mean is seldom worse than either, since they err on different users.

    Args:
        trials: best first.
    """
    best = trials[0]
    rival = next((trial for trial in trials if trial.configuration.model != best.configuration.model), None)
    if rival is not None:
        gain = paired_difference(best.per_user, rival.per_user, ONE_ERROR)
        if len(best.per_user) >= FEWEST_JUDGES and gain.low <= 0:
            return _together([best.configuration, rival.configuration])
    return best.configuration


def planned(data: TrainingData, cold: bool, validation: str) -> list[Configuration]:
    """Configurations that suit the size and the kind of the data, quick ones first."""
    pairs = data.interactions
    n_users, n_items = len(pairs.users), len(pairs.items)
    small = pairs.n_pairs <= STACK_MOST_PAIRS and n_users * n_items <= STACK_MOST_CELLS
    plan = [PLAINEST]
    if pairs.timestamps is not None:
        plan += [Configuration("trending", {"half_life_days": days}) for days in (0.1, 2.0, 30.0)]
    if data.user_features is not None and n_users <= DENSE_MOST_USERS:
        plan.append(Configuration("segment_popularity", {}))
    folds_by = "time" if validation == "time" and pairs.timestamps is not None else "random"
    if cold:
        plan += COLD_FIRST_STAGE
        plan.append(
            _stack(
                COLD_FIRST_STAGE,
                folds_by="time",
                only_cold=True,
                rescored=None,
                sampled_negatives=300,
                from_blend=False,
            )
        )
        return plan
    left_out = {"user_neighbours"} if n_users > DENSE_MOST_USERS else set()
    left_out |= {"autoencoder"} if n_users * n_items > DENSE_MOST_CELLS else set()
    warm = [candidate for candidate in FIRST_STAGE if candidate.model not in left_out]
    alone = [candidate for candidate in ALONE if candidate.model not in left_out]
    if not small:
        warm = [
            Configuration("ease", {"most_items": 5_000}),
            Configuration("als", {"n_factors": 32, "iterations": 5}),
        ]
        alone = [Configuration("item_neighbours", {})]
    content = [Configuration("content_affinity", {"smoothing": 50.0})] if data.item_features is not None else []
    plan += [*warm, *alone, *content]
    if data.item_features is not None:
        plan.append(Configuration("lightfm_warp", {"n_factors": 32, "epochs": 10}))
    if small:
        plan.append(_together([BEST_EASE, SMALL_ALS]))
        plan.append(_together([BEST_EASE, SMALL_ALS, LARGE_ALS]))
        plan.append(_stack(warm, folds_by=folds_by, folds=5, objective="choice"))
    return plan


def _together(models: Sequence[Configuration]) -> Configuration:
    parts = [{"model": part.model, "params": dict(part.params), "weight": 1.0} for part in models]
    return Configuration("blend", {"models": parts})


def _stack(models: Sequence[Configuration], **params: object) -> Configuration:
    listed = [{"model": part.model, "params": dict(part.params)} for part in models]
    return Configuration("stacked", {"models": listed, **params})


def _trial(configuration: Configuration, window: ValidationWindow, seed: int) -> Trial:
    """Fit on the past and measure."""
    start = time.monotonic()
    per_user = window.judge(configuration.make().fit_aligned(window.past))
    return Trial(configuration, per_user, mean_interval(per_user, seed=seed), time.monotonic() - start)
