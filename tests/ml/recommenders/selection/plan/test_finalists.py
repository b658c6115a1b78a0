"""Which of the families' best become the first stage of a learned ranking."""

import numpy as np
import pytest

from ml.evaluation.bootstrap import mean_interval
from ml.recommenders.selection.plan import finalists
from ml.recommenders.selection.plan.judges import judged_window
from ml.recommenders.selection.plan.recipes import SingleRecipe
from ml.recommenders.selection.plan.trials import Trial, TrialRunner, WorkBudget
from ml.recommenders.training_data import TrainingData

NAMES = ("ease", "als", "svd", "popularity")
VALUES = (0.5, 0.45, 0.4, 0.2)


@pytest.fixture(scope="module")
def runner(two_tastes):
    window, _ = judged_window(TrainingData.align(two_tastes), "random", 0)
    return TrialRunner(window, WorkBudget(100.0))


def stacked(runner, chosen, total=100.0):
    """Models of the first stage, and the places of the parts that it is made of."""
    parts = []
    for name, value in zip(NAMES, VALUES, strict=True):
        recipe = SingleRecipe(name)
        per_user = np.full(30, value)
        trial = Trial(recipe.configuration(runner.shape), per_user, mean_interval(per_user))
        parts.append((trial, recipe, recipe.configuration(runner.shape).make()))
    stack, staged = finalists._affordable_stack(parts, chosen, runner, runner.shape, total, by_time=False)
    return ([] if stack is None else [part.model for part in stack.parts]), staged


def test_a_second_stage_ranks_by_the_parts_of_the_blend(runner):
    assert stacked(runner, [0, 2]) == (["ease", "svd"], [0, 2])


def test_where_the_blend_has_one_part_all_that_are_not_far_behind_are_staged(runner):
    assert stacked(runner, [1]) == (["ease", "als", "svd"], [0, 1, 2])


@pytest.mark.parametrize(("by_time", "rescored", "learned"), [(False, 60, 5), (True, 150, None)])
def test_a_second_stage_orders_more_candidates_where_the_future_judges(runner, by_time, rescored, learned):
    recipes = [SingleRecipe(name) for name in NAMES[:2]]
    made = [recipe.configuration(runner.shape) for recipe in recipes]
    trials = [Trial(one, np.ones(30), mean_interval(np.ones(30))) for one in made]
    parts = [(trial, recipe, one.make()) for trial, recipe, one in zip(trials, recipes, made, strict=True)]
    stack, _ = finalists._affordable_stack(parts, [0, 1], runner, runner.shape, 100.0, by_time=by_time)
    assert stack.options["rescored"] == rescored
    assert stack.options.get("learned_folds") == learned  # sixty people have few lists: all folds are needed
    stack.configuration(runner.shape).make()


def test_there_is_no_second_stage_that_the_work_does_not_allow(runner):
    names, staged = stacked(runner, [0, 1], total=0.0)
    assert names == []
    assert len(staged) == 1
