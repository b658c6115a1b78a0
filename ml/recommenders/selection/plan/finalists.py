"""Finalists: the best single recipe on the whole past, a blend of the families' best, and a second stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ml.arrays import F64, I32
from ml.evaluation.bootstrap import FEWEST_JUDGES, mean_interval, paired_difference
from ml.recommenders.base import Recommender
from ml.recommenders.selection.plan.combination import (
    blend_weights,
    judged_blend,
    judged_choice,
    judged_second_stage,
)
from ml.recommenders.selection.plan.families import Family, cold_families, warm_families
from ml.recommenders.selection.plan.hill_climb import DEAR, climb_all
from ml.recommenders.selection.plan.recipes import BlendRecipe, Recipe, SingleRecipe, StackRecipe
from ml.recommenders.selection.plan.shape import DataShape
from ml.recommenders.selection.plan.shortlists import Shortlists
from ml.recommenders.selection.plan.trials import Trial, TrialRunner
from ml.recommenders.selection.plan.work import fit_work

STARTS_SHARE = 0.3  # of the search for the starts of all families; where they are more, they run on a sample
LEAST_SAMPLE = 30_000  # interactions
SAMPLED_SHARE = 0.6  # of the search where it runs on a sample; the rest is for fits on the whole past
MOST_PARTS = 8  # of a blend; families beyond them are far behind
# Judges of a blend. Thirty choose weights that are better for other people than the single model that they would
# choose: on five sets by up to a quarter, and never worse by more than a hundredth.
FEWEST_TO_BLEND = 30
PART_LEAST = 0.5  # of the best value, for a family to be part of a blend
STACK_MOST_CELLS = 300_000_000  # users × items that the first stage scores
STACK_FOLDS = 5
# Lists that a second stage learns from: on five splits of films those of two folds were as good as those of five.
STACK_LISTS = 1_500
# Candidates that a second stage orders. What it learns should be about the first places: on five splits of films,
# each divided once more, NDCG@10 of EASE with ALS was .2795 with 50, .2800 with 70, .2771 with 150. A short list
# misses more of what comes later, which is harder to foresee: a shop's was .1226 with 60 and .1245 with 150.
RESCORED = {"random": 60, "time": 150}
# Of the best so far, for a second stage to be tried. It learns from several folds, the estimate from one window of
# what may be few items a person: it came out up to .028 above its estimate.
ESTIMATE_LEAST = 0.95
FEWEST_APART = 10  # people for whom a model and popularity differ; below, a difference has to be proved
POPULARITY = SingleRecipe("popularity", {})
STACK_PART_LEAST = 0.75  # of the best value, for a family to be part of a first stage

Fitted = tuple[Trial, SingleRecipe, Recommender]


@dataclass(frozen=True)
class Finalist:
    """A recipe that may win.

    Attributes:
        recipe: what may be fitted.
        trial: its trial.
        users: rows of the users whom the trial's values are of.
        again: values of the judges of further windows, in the same order for all finalists.
    """

    recipe: Recipe
    trial: Trial
    users: I32
    again: F64 = field(default_factory=lambda: np.empty(0))

    @property
    def values(self) -> F64:
        """The metric of every judge of every window."""
        return np.concatenate([self.trial.per_user, self.again])


def find_finalists(runner: TrialRunner, shape: DataShape, total: float, *, split: str) -> list[Finalist]:
    """Search the families, and combine their best where enough people judge.

    Args:
        runner: fits and judges.
        shape: of all the data, on which the winner will be fitted.
        total: units of work for the search, and as many for that fit.
        split: name of the split that the window holds back by.

    Returns:
        The best single recipe first, then, if they were tried, a blend and a second stage; none where no model
        could be fitted.
    """
    singles = _searched(runner, total, is_later=split != "random")
    if not singles:
        return []
    best = singles[0]
    finalists = [Finalist(best[1], best[0], runner.window.users)]
    parts = [single for single in singles if single[0].value >= PART_LEAST * best[0].value][:MOST_PARTS]
    if len(runner.window.users) < FEWEST_TO_BLEND or len(parts) < 2:
        return finalists
    lists = Shortlists.of([model for _, _, model in parts], runner.window)
    if len(lists.users) < FEWEST_TO_BLEND:
        return finalists
    finalists[0] = Finalist(best[1], _on_lists(best[0], runner, lists), lists.users)
    recipes = [recipe for _, recipe, _ in parts]
    weights = blend_weights(lists, np.arange(len(lists.users)))
    picked = [(recipe, float(weight)) for recipe, weight in zip(recipes, weights, strict=True) if weight > 0]
    if len(picked) > 1:
        blend = BlendRecipe([recipe for recipe, _ in picked], [round(weight, 4) for _, weight in picked])
        if fit_work(blend.configuration(shape), shape) <= total:
            finalists.append(_combined(runner, blend, judged_blend(lists, runner.seed), lists.users))
    if len(lists.users) < FEWEST_JUDGES:
        return finalists
    chosen = [n for n, weight in enumerate(weights) if weight > 0]
    stack, staged = _affordable_stack(parts, chosen, runner, shape, total, by_time=split == "time")
    highest = max((finalist.trial for finalist in finalists), key=lambda trial: trial.value)
    if stack is not None and _may_help(stack, lists.of_models(staged), highest, runner):
        tried = runner.run(stack, "second stage")
        if tried is not None:
            finalists.append(Finalist(stack, _of_judges(tried[0], runner, lists.users), lists.users))
    return finalists


def not_worse_than_popularity(winner: Finalist, runner: TrialRunner) -> tuple[Finalist, str | None]:
    """The winner, or popularity with a reason: where it is clearly better, or too few people tell the two apart.

    Where hits are rare, a handful of people choose, and the best of many trials is the one that they happened to
    hit. Unless these few prove it beyond chance, popularity is the safer answer.
    """
    if winner.trial.configuration.model == POPULARITY.model:
        return winner, None
    tried = runner.run(POPULARITY, "popularity, to compare with")
    if tried is None:
        return winner, None
    plain = _of_judges(tried[0], runner, winner.users)
    # With the confidence that is right for the luckiest of so many trials (Bonferroni).
    confidence = 1 - 0.05 / len(runner.trials)
    gain = paired_difference(winner.trial.per_user, plain.per_user, confidence, seed=runner.seed)
    apart = int((np.nan_to_num(winner.trial.per_user) != np.nan_to_num(plain.per_user)).sum())
    name = winner.trial.configuration.model
    if gain.high < 0:
        reason = f"it is better than {name} by {-gain.mean:.4f} for the same people"
    elif gain.holds_zero and apart < FEWEST_APART:
        reason = f"only {apart} of {len(winner.users):,} people tell {name} from it, which may be chance"
    else:
        return winner, None
    return Finalist(POPULARITY, plain, winner.users), reason


def _searched(runner: TrialRunner, total: float, *, is_later: bool) -> list[Fitted]:
    """The families' best on the whole past, best first."""
    families_of: Callable[[DataShape], list[Family]] = cold_families
    if runner.window.ranked != "new":
        families_of = partial(warm_families, is_later=is_later)
    sample = _sample_for(runner, total, families_of)
    is_sampled = sample is not runner
    budget = total * SAMPLED_SHARE if is_sampled else total
    if is_sampled:
        runner.log(f"searching on {sample.share:.0%} of the interactions, then on all of them")
    climbs = climb_all(families_of(sample.shape), sample, budget, runner.log)
    if not is_sampled:
        return [climb.best for climb in climbs if climb.best is not None]
    fitted: list[Fitted] = []
    left = total - budget
    for climb in climbs:
        assert climb.best is not None
        recipe = climb.best[1]
        work = runner.work(recipe)
        if fitted and (work > left or climb.value < PART_LEAST * climbs[0].value):
            continue
        left -= work
        result = runner.run(recipe, climb.family.name)
        if result is not None:
            fitted.append((result[0], recipe, result[1]))
    return sorted(fitted, key=lambda single: -single[0].value)


def _sample_for(
    runner: TrialRunner, total: float, families_of: Callable[[DataShape], Sequence[Family]]
) -> TrialRunner:
    """A runner on so large a sample that the starts of all families take no more than their share of the work."""
    sample, n_pairs = runner, runner.window.past.interactions.n_pairs
    while n_pairs > LEAST_SAMPLE:
        works = [sample.work(start) for family in families_of(sample.shape) for start in family.starts]
        # What is too dear to be tried even so is no reason to search the others on less.
        if sum(work for work in works if work <= DEAR * SAMPLED_SHARE * total) <= STARTS_SHARE * total:
            break
        n_pairs //= 2
        smaller = runner.on_sample(n_pairs)
        if smaller.shape.n_pairs >= sample.shape.n_pairs:
            break  # the judges alone are as many
        sample = smaller
    return sample


def _affordable_stack(
    parts: Sequence[Fitted],
    chosen: Sequence[int],
    runner: TrialRunner,
    shape: DataShape,
    total: float,
    *,
    by_time: bool,
) -> tuple[StackRecipe | None, list[int]]:
    """A second stage over the parts that the work allows, and their places; None where these are too few.

    Its parts are those `chosen` for the blend: on three splits of films a second stage over these two had an
    NDCG@10 of .5133, one over all six that are not far behind .5111. Where the blend has one part, or new items
    are ranked, they are all that are not far behind.

    The parts are fitted once for each fold, so that the dearest are left out where that would be too much work.
    """
    is_cold = runner.window.ranked == "new"
    staged = list(chosen)
    if is_cold or len(chosen) < 2:
        staged = [n for n, part in enumerate(parts) if part[0].value >= STACK_PART_LEAST * parts[0][0].value]
    if shape.n_users * shape.n_all_items > STACK_MOST_CELLS:
        return None, staged
    folds_by = "time" if is_cold or (by_time and shape.has_times) else "random"
    options: dict[str, object] = {"folds_by": folds_by, "folds": STACK_FOLDS, "objective": "choice"}
    options["rescored"] = RESCORED[folds_by]
    if folds_by == "random":
        options["learned_folds"] = int(np.clip(-(-STACK_LISTS // shape.n_users), 2, STACK_FOLDS))
    if is_cold:
        options |= {"only_cold": True, "rescored": None, "sampled_negatives": 300}
        options |= {"objective": "binary", "from_blend": False}
    while len(staged) > 1:
        recipes = [parts[n][1] for n in staged]
        stack = StackRecipe(recipes, options)
        if fit_work(stack.configuration(shape), shape) <= total:
            return stack, staged
        works = [fit_work(recipe.configuration(shape), shape) for recipe in recipes]
        staged = [n for place, n in enumerate(staged) if place != int(np.argmax(works))]
    return None, staged


def _may_help(stack: StackRecipe, lists: Shortlists, best: Trial, runner: TrialRunner) -> bool:
    """Whether a second stage that is learned from one window is about as good as the best so far.

    The second stage itself learns from several folds and takes as long as the whole search. On four sets it came
    out between 1.5% below the estimate and 2.8% above.
    """
    if (rescored := stack.options["rescored"]) is not None:
        lists = lists.highest(rescored)
    estimate = float(np.nanmean(judged_second_stage(lists, runner.window.past, runner.seed)))
    helps = estimate >= ESTIMATE_LEAST * best.value
    runner.log(
        f"a second stage over {len(lists.scores)} models is estimated at {estimate:.4f}, the best so far is "
        f"{best.value:.4f}: {'trying it' if helps else 'it is left out'}"
    )
    return helps


def _combined(runner: TrialRunner, recipe: Recipe, per_user: F64, users: I32) -> Finalist:
    configuration = recipe.configuration(runner.shape)
    interval = mean_interval(per_user, seed=runner.seed)
    trial = Trial(configuration, per_user, interval, runner.work(recipe), runner.share, "blend")
    runner.record(trial)
    return Finalist(recipe, trial, users)


def _on_lists(trial: Trial, runner: TrialRunner, lists: Shortlists) -> Trial:
    """The trial of the best single model with its values without the luck of having been chosen by its judges."""
    per_user = judged_choice(lists, runner.seed)
    return replace(trial, per_user=per_user, interval=mean_interval(per_user, seed=runner.seed))


def _of_judges(trial: Trial, runner: TrialRunner, users: I32) -> Trial:
    """The trial with its values for some of the judges alone."""
    per_user = trial.per_user[np.isin(runner.window.users, users)]
    return replace(trial, per_user=per_user, interval=mean_interval(per_user, seed=runner.seed))
