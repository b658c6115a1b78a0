"""Shortlists, blends and the estimate of a second stage, on scores whose best combination is known."""

from dataclasses import replace

import numpy as np
import pytest

from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection.plan.combination import (
    LEAST_WEIGHT,
    blend_weights,
    judged_blend,
    judged_choice,
    judged_second_stage,
)
from ml.recommenders.selection.plan.shortlists import Shortlists
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow


@pytest.fixture(scope="module")
def window(two_tastes, user_features, item_features):
    return ValidationWindow.hold_back(TrainingData.align(two_tastes, user_features, item_features), "random")


def fitted(window, *names):
    return [make_recommender(name).fit_aligned(window.past) for name in names]


def test_a_model_alone_is_judged_as_the_window_judges_it(window):
    for model in fitted(window, "ease", "als"):
        lists = Shortlists.of([model], window)
        np.testing.assert_allclose(lists.judge(lists.scores[0]), window.judge(model))


@pytest.mark.parametrize("name", ["item_neighbours", "user_neighbours", "popularity"])
def test_short_lists_hold_the_first_places(window, monkeypatch, name):
    """Items of equal popularity stand at the end of the list and of the short list alike."""
    monkeypatch.setattr("ml.recommenders.selection.plan.shortlists.LENGTH", 15)
    (model,) = fitted(window, name)
    lists = Shortlists.of([model], window)
    assert lists.columns.shape == (len(window.users), 15)
    np.testing.assert_allclose(lists.judge(lists.scores[0]), window.judge(model))


def test_whole_rankings_are_judged_by_auc_where_only_new_items_are_ranked(news):
    interactions, features = news
    window = ValidationWindow.hold_back(TrainingData.align(interactions, None, features), "time")
    assert window.columns is not None
    (model,) = fitted(window, "content_affinity")
    lists = Shortlists.of([model], window)
    known = np.isin(window.users, lists.users)
    np.testing.assert_allclose(lists.judge(lists.scores[0]), window.judge(model)[known])


def test_drawn_items_stand_for_very_many_new_ones(news, monkeypatch):
    interactions, features = news
    window = ValidationWindow.hold_back(TrainingData.align(interactions, None, features), "time")
    (model,) = fitted(window, "content_affinity")
    n_new = len(window.columns)
    monkeypatch.setattr("ml.recommenders.selection.plan.shortlists.DRAWN_ITEMS", n_new // 2)
    lists = Shortlists.of([model], window)
    known = np.isin(window.users, lists.users)
    # Each judge keeps all that is relevant to them, among the same drawn items.
    np.testing.assert_array_equal((lists.gains > 0).sum(axis=1), np.diff(window.relevant[known].indptr))
    others = lists.is_allowed & (lists.gains == 0)
    assert others.sum(axis=1).max() <= n_new // 2
    assert abs(np.nanmean(lists.judge(lists.scores[0])) - np.nanmean(window.judge(model)[known])) < 0.05


def lists_of(scores, relevant):
    n, c = relevant.shape
    return Shortlists(
        np.arange(n, dtype=np.int32),
        np.repeat(np.arange(c)[None, :], n, axis=0),
        np.asarray(scores, np.float64),
        np.ones((n, c), bool),
        relevant.astype(np.float64),
        -np.sort(-relevant.astype(np.float64), axis=1)[:, :2],
        2,
    )


@pytest.fixture
def complementary():
    """Each of 400 people has items 0 and 1 of 30; two models know one of them each, a third knows nothing."""
    random = np.random.default_rng(0)
    relevant = np.zeros((400, 30), bool)
    relevant[:, :2] = True
    scores = random.normal(0, 0.1, (3, 400, 30))
    scores[0, :, 0] += 1
    scores[1, :, 1] += 1
    return lists_of(scores, relevant)


def test_a_blend_takes_the_models_that_complete_each_other(complementary):
    weights = blend_weights(complementary, np.arange(400))
    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(weights[1])
    assert weights[2] == 0
    assert np.mean(judged_blend(complementary, 0)) > np.mean(complementary.judge(complementary.scores[0])) + 0.2


def test_few_judges_choose_a_better_blend_by_halves_of_them(monkeypatch):
    """Six models err each in its own way, so that others are ranked best by all six: by luck a few are chosen."""
    values = {}
    for few in (0, 500):
        monkeypatch.setattr("ml.recommenders.selection.plan.combination.FEW_JUDGES", few)
        values[few] = np.mean([_value_for_others(seed) for seed in range(12)])
    assert values[500] > values[0] + 0.01


def _value_for_others(seed, n_judges=60):
    random = np.random.default_rng(seed)
    relevant = np.zeros((1_000, 40), bool)
    relevant[:, 0] = True
    scores = random.normal(size=(6, 1_000, 40))
    scores[:, :, 0] += 1
    lists = lists_of(scores, relevant)
    weights = blend_weights(lists, np.arange(n_judges))
    assert weights.sum() == pytest.approx(1.0)
    assert not ((weights > 0) & (weights < LEAST_WEIGHT)).any()
    others = np.arange(n_judges, 1_000)
    return lists.judge(np.tensordot(weights, scores[:, others], 1), others).mean()


def test_a_blend_of_noise_is_not_flattered():
    random = np.random.default_rng(1)
    relevant = random.random((120, 30)) < 0.1
    relevant[:, 0] = True
    lists = lists_of(random.normal(size=(12, 120, 30)), relevant)
    weights = blend_weights(lists, np.arange(120))
    chosen = np.nanmean(lists.judge(np.tensordot(weights, lists.scores, 1)))
    honest = np.nanmean(judged_blend(lists, 0))
    random_lists = np.nanmean(lists.judge(random.normal(size=(120, 30))))
    assert chosen > honest + 0.03
    assert honest == pytest.approx(random_lists, abs=0.06)


def test_the_luck_of_the_model_that_few_judges_chose_is_not_counted():
    random = np.random.default_rng(4)
    n, c, models = 40, 50, 30
    relevant = np.zeros((n, c), bool)
    relevant[:, 0] = True
    lists = lists_of(random.normal(size=(models, n, c)), relevant)
    means = [lists.judge(part).mean() for part in lists.scores]
    assert max(means) > np.mean(means) + 0.02  # one of thirty kinds of noise looks good to forty judges
    assert abs(judged_choice(lists, 0).mean() - np.mean(means)) < 0.02


def test_weights_for_whole_rankings_look_at_their_first_places():
    """One model has the relevant item in the middle for all, the other far up for some and last for the rest."""
    n, c = 60, 2_000
    relevant = np.zeros((n, c), bool)
    relevant[:, 0] = True
    steady, bold = np.tile(np.arange(c) * 1.0, (2, n, 1))
    steady[:, 0] = 0.7 * c
    bold[:, 0] = np.where(np.arange(n) % 2 == 0, c + 1, 0.3 * c)
    lists = replace(lists_of([steady, bold], relevant), k=None)
    assert lists.judge(lists.scores[0]).mean() > lists.judge(lists.scores[1]).mean()
    assert blend_weights(lists, np.arange(n)).argmax() == 1


def test_the_estimate_of_a_second_stage_sees_what_no_score_says(window):
    """A user's club is the taste of the items that they take: the context knows what noisy scores do not."""
    (model,) = fitted(window, "popularity")
    lists = Shortlists.of([model], window)
    noise = np.random.default_rng(0).normal(size=(2, *lists.scores.shape[1:])).astype(np.float32)
    alone = Shortlists(**{**vars(lists), "scores": noise})
    assert np.nanmean(judged_second_stage(alone, window.past, 0)) > np.nanmean(judged_blend(alone, 0)) + 0.1


def test_the_highest_of_the_lists_are_those_of_the_highest_mean(window):
    lists = Shortlists.of(fitted(window, "ease", "als"), window)
    short = lists.highest(12)
    assert short.columns.shape == (len(lists.users), 12)
    for row in range(5):
        mean = np.where(lists.is_allowed[row], lists.scores[:, row].mean(axis=0), -np.inf)
        assert set(short.columns[row]) == set(lists.columns[row, np.argsort(-mean, kind="stable")[:12]])
        place = int(np.flatnonzero(lists.columns[row] == short.columns[row, 3])[0])
        assert short.gains[row, 3] == lists.gains[row, place]
        np.testing.assert_array_equal(short.scores[:, row, 3], lists.scores[:, row, place])
    np.testing.assert_allclose(short.judge(short.scores.mean(axis=0)), lists.judge(lists.scores.mean(axis=0)))
    assert lists.highest(10_000) is lists
