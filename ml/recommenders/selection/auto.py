"""`auto`: the recommender that validates best on the training data alone, refitted on all of it.

The search is planned from the shape of the data and bounded by work, not by time: the same data and seed give the
same model on a fast and on a busy machine. Families of models are tried at their starts, the cheapest first; the
better half is searched further along its parameters, and again; on large data all of this happens on a sample, and
the best are fitted to the whole past. Then the families' best are blended, and where a cheap estimate says that a
learned second stage would help, they become its first stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.evaluation.bootstrap import paired_difference
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.base import Recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan.finalists import Finalist, find_finalists, not_worse_than_popularity
from ml.recommenders.selection.plan.further_shares import judged_again
from ml.recommenders.selection.plan.judges import describe_judges, held_back, judged_window
from ml.recommenders.selection.plan.known_items import known_items_warning
from ml.recommenders.selection.plan.learning_curve import CurvePoint, learning_curve
from ml.recommenders.selection.plan.readings import all_liked, has_two_readings, prefers_all_liked
from ml.recommenders.selection.plan.shape import DataShape
from ml.recommenders.selection.plan.trials import Trial, TrialRunner, WorkBudget
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import Ranked, ValidationWindow

WORK = 40.0  # units of the search, and as many for the last fit; see `plan.work`
WORK_OF_PAIR = 4e-5  # more units for each interaction
ONE_ERROR = 0.6827  # confidence of an interval of one standard error to each side
MOST_BEHIND = 0.01  # of the value, that a combination may be worse and still be taken: few judges doubt much
CURVE_SHARE = 0.1  # of the search's work that a fit may take, for a learning curve to be drawn

PLAINEST = Configuration("popularity", {})


@dataclass(frozen=True)
class Choice:
    """The chosen recommender, and the trials that it was chosen from.

    Attributes:
        recommender: fitted on all the data.
        configuration: of the recommender.
        trials: every configuration that was validated, best first; none where there was nothing to choose by.
        metric: what decided.
        split: how interactions were held back.
        n_judges: people by whom was judged.
        cold_share: share of the held-out interactions on items without any in training.
        warnings: of the split.
        reason: why the chosen one was chosen, a sentence.
        curve: what the best single model reaches on shares of the past, the whole of it last; empty where that
            would be too much work.
        ranked: the items that were ranked.
    """

    recommender: Recommender
    configuration: Configuration
    trials: tuple[Trial, ...]
    metric: str
    split: str
    n_judges: int
    cold_share: float
    warnings: tuple[str, ...]
    reason: str
    curve: tuple[CurvePoint, ...] = ()
    ranked: Ranked = "all"


def choose(
    data: TrainingData,
    validation: str = "time",
    *,
    seed: int = 0,
    work: float | None = None,
    ranked: Ranked | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Choice:
    """Validate what suits the data, and refit the best.

    Where most held-out interactions are on new items, only new items are ranked in the validation, by AUC;
    otherwise all items or the known ones, by NDCG@10. Where there is too little to hold anything back, or to
    tell a model from popularity by, it is popularity.

    Args:
        data: interactions and features to choose on and to refit with.
        validation: name of the split that holds interactions back.
        seed: seed of the held-back window.
        work: units of work for the search; None: by the size of the data.
        ranked: which items will be ranked; None: new ones, if most of what is held back is on them and items
            have features, else all. What is best of new items may be far behind popularity on known ones,
            which is then a warning.
        log: Receives a line of progress for each trial, with the share of the work that is done.

    Raises:
        ValueError: the split needs what the data does not have, or there is no interaction to learn from.
    """
    given = data
    try:
        window, split = judged_window(data, validation, seed, log, ranked)
    except EmptySplitError as error:
        reason = f"there is nothing to choose a model by ({error})"
        log(f"{reason}: popularity")
        plainest = PLAINEST.make().fit_aligned(data)
        return Choice(plainest, PLAINEST, (), "", validation, 0, float("nan"), (), reason)
    log(describe_judges(window, split))
    for warning in window.warnings:
        log(f"note: {warning}")
    total = WORK + WORK_OF_PAIR * window.past.interactions.n_pairs if work is None else work
    runner = TrialRunner(window, WorkBudget(total), seed, log)
    if has_two_readings(data):
        liked = prefers_all_liked(runner)
        log(f"ratings: models learn from {'all that was rated' if liked else 'liked items, low ratings reject'}")
        if liked:
            data = all_liked(data)
            runner = TrialRunner(replace(window, past=all_liked(window.past)), runner.budget, seed, log)
    shape = DataShape.of(data)
    finalists = find_finalists(runner, shape, total, split=split)
    if not finalists:
        raise ValueError("no model can be fitted on these interactions")
    if split == "random" and len(finalists) > 1:

        def hold_back(seed: int) -> ValidationWindow:
            further = held_back(given, split, seed, window.ranked)
            return further if data is given else replace(further, past=all_liked(further.past))

        finalists = judged_again(finalists, hold_back, runner, total)
    winner, reason = settled(finalists)
    winner, doubt = not_worse_than_popularity(winner, runner)
    reason = doubt or reason
    single = finalists[0]
    is_cheap = runner.work(single.recipe) <= CURVE_SHARE * total
    whole = next(trial for trial in runner.trials[::-1] if trial.configuration == single.trial.configuration)
    curve = learning_curve(runner, single.recipe, whole) if is_cheap else ()
    warnings = window.warnings
    if ranked is None and window.ranked == "new":
        warnings += known_items_warning(winner.recipe, data, split, runner)
    chosen = winner.recipe.configuration(shape)
    log(f"chosen: {_described(chosen)}, since {reason}; fitting it on all interactions")
    recommender = chosen.make().fit_aligned(data)
    trials = tuple(sorted(runner.trials, key=lambda trial: (-trial.share, -trial.value)))
    n_judges, cold = len(window.users), window.cold_share
    return Choice(
        recommender, chosen, trials, window.metric, split, n_judges, cold, warnings, reason, curve, window.ranked
    )


def settled(finalists: Sequence[Finalist]) -> tuple[Finalist, str]:
    """The finalist to take, and why.

    The larger one wins unless the smaller one is better by more than a standard error: an average of models that
    err on different people varies less than each of them, and a second stage gains more than the others from the
    interactions that are held back now. This is the one-standard-error rule (Breiman et al. 1984) in favour of
    combinations.

    Args:
        finalists: the best single recipe first, then, if they were tried, a blend and a second stage.
    """
    winner, reason = finalists[0], "it validates best"
    for rival in finalists[1:]:
        gain = paired_difference(rival.values, winner.values, ONE_ERROR)
        name = winner.trial.configuration.model
        if gain.mean > 0:
            winner, reason = rival, f"it is better than {name} by {gain.mean:.4f} for the same people"
        elif gain.high > 0 and -gain.mean <= MOST_BEHIND * np.nanmean(winner.values):
            behind = f"{name} is better by {-gain.mean:.4f}, less than a standard error"
            winner, reason = rival, f"it combines more models, and {behind}"
    return winner, reason


def _described(configuration: Configuration) -> str:
    parts = configuration.params.get("models")
    if parts is None:
        return configuration.model
    return f"{configuration.model} of {', '.join(part['model'] for part in parts)}"
