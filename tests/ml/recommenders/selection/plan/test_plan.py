"""What the plan of a search is made of: shapes, recipes, estimates of work, and the climbing along them."""

from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.evaluation.bootstrap import Interval
from ml.recommenders.model_names import MODELS
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan import families
from ml.recommenders.selection.plan.families import Family, Options, Steps, cold_families, warm_families
from ml.recommenders.selection.plan.hill_climb import climb_all, proposals
from ml.recommenders.selection.plan.recipes import BlendRecipe, SingleRecipe, StackRecipe
from ml.recommenders.selection.plan.shape import DataShape
from ml.recommenders.selection.plan.trials import Trial
from ml.recommenders.selection.plan.work import fit_work, judge_work
from ml.recommenders.training_data import TrainingData


def shape_of(rows, **columns):
    users, items = zip(*rows, strict=True)
    table = pa.table({"user_id": users, "item_id": items, **columns})
    return DataShape.of(TrainingData.align(Interactions.from_table(table)))


@pytest.fixture(scope="module")
def shape(two_tastes, user_features, item_features):
    return DataShape.of(TrainingData.align(two_tastes, user_features, item_features))


def test_a_shape_is_counted_by_hand():
    # Item a has three people, b one, c one that rejected it; users have 2, 1 and 1 liked items.
    rows = [("u1", "a"), ("u1", "b"), ("u2", "a"), ("u3", "a"), ("u3", "c")]
    shape = shape_of(rows, weight=[1.0, 2.0, 1.0, 1.0, -1.0], timestamp=[5, 5, 5, 5, 5])
    assert (shape.n_users, shape.n_items, shape.n_all_items, shape.n_pairs) == (3, 2, 3, 4)
    assert (shape.user_products, shape.item_products) == (4 + 1 + 1, 9 + 1)
    assert shape.item_mass == 10 / 4
    assert (shape.has_weights, shape.has_times) == (True, False)


def test_penalties_follow_the_mass_of_an_item(shape):
    recipe = SingleRecipe("ease", {"row_power": 0.5}, {"regularization": 4.0})
    made = recipe.configuration(shape)
    assert made.params == {"row_power": 0.5, "regularization": pytest.approx(4 * shape.item_mass, rel=0.005)}
    twice = shape_of([(f"u{user}", f"i{item}") for user in range(20) for item in range(3)])
    assert recipe.configuration(twice).params["regularization"] == 80.0
    assert recipe.with_value("regularization", 8.0).configuration(twice).params["regularization"] == 160.0
    assert recipe.with_value("row_power", 0.0).configuration(twice).params["row_power"] == 0.0


def test_blends_and_stacks_hold_the_configurations_of_their_parts(shape):
    parts = [SingleRecipe("ease", {}, {"regularization": 1.0}), SingleRecipe("als", {"n_factors": 8})]
    blend = BlendRecipe(parts, [0.25, 0.75]).configuration(shape)
    assert [part["weight"] for part in blend.params["models"]] == [0.25, 0.75]
    assert blend.params["models"][0]["params"] == dict(parts[0].configuration(shape).params)
    stack = StackRecipe(parts, {"folds": 3}).configuration(shape)
    assert (stack.model, stack.params["folds"]) == ("stacked", 3)
    blend.make(), stack.make()


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"two_tower", "item2vec", "rating_factors"}))
def test_every_model_has_a_finite_estimate_that_grows_with_the_data(model, shape):
    few = shape_of([(f"u{user}", f"i{item}") for user in range(9) for item in range(3)])
    configuration = Configuration(model, make_recommender(model).params())
    assert 0 < fit_work(configuration, few) < fit_work(configuration, shape) < 60
    assert 0 < judge_work(configuration, few, 5, 3) < judge_work(configuration, shape, 50, 40)


def test_estimates_follow_what_the_algorithms_do(shape):
    def of(model, **params):
        return fit_work(Configuration(model, params), shape)

    fixed = of("popularity")
    twice = of("lightfm_warp", epochs=20, item_identity_from=1) - fixed
    assert twice == pytest.approx(2 * (of("lightfm_warp", epochs=10, item_identity_from=1) - fixed))
    parts = [{"model": "ease", "weight": 1.0}, {"model": "svd", "weight": 1.0}]
    assert of("blend", models=parts) - fixed == pytest.approx(of("ease") + of("svd"))
    assert of("stacked", models=parts, folds=4) > 5 * (of("ease") + of("svd"))


@pytest.mark.parametrize("families_of", [warm_families, cold_families])
def test_all_that_the_families_may_try_can_be_made(families_of, shape):
    for family in families_of(shape):
        for start in family.starts:
            for axis in family.axes:
                if axis.name in {**start.params, **start.scaled}:
                    for value in chain.from_iterable(axis.neighbours(start.value(axis.name))):
                        start.with_value(axis.name, value).configuration(shape).make()
            start.configuration(shape).make()


@pytest.mark.parametrize("has_torch", [False, True])
def test_sequences_are_tried_only_where_the_order_says_something(shape, has_torch, monkeypatch):
    monkeypatch.setattr(families, "find_spec", lambda name: object() if has_torch else None)
    names = {family.name for family in warm_families(replace(shape, order_gain=1.0))}
    few, many, held_back_at_random = (
        {
            family.name
            for family in warm_families(replace(shape, order_gain=3.0, n_pairs=n_pairs), is_later=is_later)
        }
        - names
        for n_pairs, is_later in ((2_000, True), (30_000, True), (30_000, False))
    )
    assert few == held_back_at_random == {"neighbouring visits"}
    assert many == {"neighbouring visits", *(["self-attention", "recurrent units"] if has_torch else [])}


def test_steps_go_both_ways_within_their_bounds():
    assert Steps("a", 2.0, 1, 50).neighbours(8) == [[16, 32], [4, 2, 1]]
    assert Steps("a", 10.0, 0.01, 2.0).neighbours(0.1) == [[1.0], [0.01]]
    assert Options("a", (None, 10)).neighbours(None) == [[10]]


PEAK = {"regularization": 32.0, "dropout": 0.4}


def climbed(family, value_of):
    """All that is proposed when `value_of` says how good a recipe is."""
    walk, tried = proposals(family), []
    recipe = next(walk)
    while True:
        tried.append((value_of(recipe), recipe))
        try:
            recipe = walk.send(tried[-1][0])
        except StopIteration:
            return tried


def distance(recipe):
    """Higher the nearer to PEAK, on each axis apart."""
    return -abs(np.log2(recipe.scaled["regularization"] / 32.0)) - abs(recipe.params["dropout"] - 0.4)


def test_climbing_finds_the_best_of_two_axes_and_tries_nothing_twice():
    start = SingleRecipe("ease", {"dropout": 0.0}, {"regularization": 4.0})
    axes = (Steps("regularization", 2.0, 0.1, 1_000.0), Options("dropout", (0.0, 0.2, 0.4)))
    tried = climbed(Family("EASE", [start], axes), distance)
    best = max(tried, key=lambda entry: entry[0])[1]
    assert (best.scaled, best.params) == ({"regularization": 32.0}, {"dropout": 0.4})
    assert len({repr(recipe) for _, recipe in tried}) == len(tried)
    assert len(tried) < 12


def test_climbing_ends_where_nothing_can_be_tried():
    start = SingleRecipe("ease", {}, {"regularization": 4.0})
    axes = (Steps("regularization", 2.0, 0.1, 100.0),)
    assert len(climbed(Family("EASE", [start], axes), lambda recipe: float("-inf"))) == 1


@dataclass
class Tables:
    """A runner whose values and work stand in functions."""

    value: object
    cost: object
    shape: DataShape
    tried: list = field(default_factory=list)

    def work(self, recipe):
        return self.cost(recipe)

    def run(self, recipe, note):
        value = self.value(recipe)
        self.tried.append((note, recipe))
        trial = Trial(recipe.configuration(self.shape), np.array([value]), Interval(value, value, value, 0.95))
        return trial, object()


def ladder(name, quality):
    """A family whose value rises with its only parameter, from `quality` on."""
    start = SingleRecipe("als", {"n_factors": 8, "seed": quality})
    return Family(name, [start], (Steps("n_factors", 2.0, 8, 1_024),))


def test_every_family_is_tried_before_any_is_searched_and_the_better_half_goes_further(shape):
    runner = Tables(
        lambda recipe: recipe.params["seed"] + recipe.params["n_factors"] / 10_000, lambda _: 1.0, shape
    )
    names = [f"family {n}" for n in range(8)]
    found = climb_all([ladder(name, n) for n, name in enumerate(names)], runner, 30.0, lambda line: None)
    assert sorted(note for note, _ in runner.tried[:8]) == names
    searched = {note for note, _ in runner.tried[8:]}
    assert searched == {"family 4", "family 5", "family 6", "family 7"}, "0 to 3 are below half of the best"
    steps = {name: sum(note == name for note, _ in runner.tried) for name in names}
    assert steps["family 7"] > steps["family 4"]
    assert found[0].family.name == "family 7"
    assert found[0].best[1].params["n_factors"] == 1_024


def test_what_is_too_dear_is_not_tried_and_said(shape):
    lines = []
    runner = Tables(lambda recipe: 1.0, lambda recipe: 100.0 if recipe.params["seed"] else 1.0, shape)
    found = climb_all([ladder("cheap", 0), ladder("dear", 1)], runner, 50.0, lines.append)
    assert [climb.family.name for climb in found] == ["cheap"]
    assert any(line.startswith("not tried, since it is 100 of 50 units of work: als") for line in lines)


def test_the_work_stays_within_the_budget(shape):
    runner = Tables(lambda recipe: recipe.params["n_factors"], lambda _: 1.0, shape)
    climb_all([ladder(f"family {n}", n) for n in range(5)], runner, 12.0, lambda line: None)
    assert len(runner.tried) <= 12
