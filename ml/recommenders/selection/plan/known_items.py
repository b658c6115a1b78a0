"""Known items where new ones decide: whether the winner ranks them worse than popularity does."""

from __future__ import annotations

from dataclasses import replace

from ml.evaluation.bootstrap import paired_difference
from ml.evaluation.splits import EmptySplitError
from ml.recommenders.selection.plan.finalists import POPULARITY
from ml.recommenders.selection.plan.judges import held_back
from ml.recommenders.selection.plan.recipes import Recipe
from ml.recommenders.selection.plan.trials import TrialRunner, WorkBudget
from ml.recommenders.training_data import TrainingData


def known_items_warning(recipe: Recipe, data: TrainingData, split: str, runner: TrialRunner) -> tuple[str, ...]:
    """Judge a recipe that was chosen for new items by what people took of known ones, beside popularity.

    Args:
        recipe: what was chosen.
        data: interactions and features that the runner's window divides.
        split: name of the split of that window.
        runner: its past is what both are fitted on, its log receives a line; its budget and trials are left alone.

    Returns:
        A warning where popularity is better in the mean; nothing where it is not, or where there is nothing to
        judge by.
    """
    try:
        window = held_back(data, split, runner.seed, "known")
    except EmptySplitError:
        return ()
    judged = TrialRunner(replace(window, past=runner.window.past), WorkBudget(0.0), runner.seed)
    chosen, plain = judged.run(recipe), judged.run(POPULARITY)
    if chosen is None or plain is None:
        return ()
    gain = paired_difference(chosen[0].per_user, plain[0].per_user, seed=runner.seed)
    name, n_judges = chosen[0].configuration.model, len(window.users)
    figures = (
        f"{window.metric} of known items: {name} {chosen[0].value:.4f}, popularity {plain[0].value:.4f}, "
        f"for {n_judges:,} people"
    )
    if not gain.mean < 0:
        runner.log(figures)
        return ()
    chance = ", which may be chance" if gain.holds_zero else ""
    warning = (
        f"{figures}{chance}: {name} was chosen for new items. Have it rank these alone, or choose by known items "
        "(--ranked known)"
    )
    runner.log(f"note: {warning}")
    return (warning,)
