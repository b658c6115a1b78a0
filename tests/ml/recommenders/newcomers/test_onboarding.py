"""Questions for new users, and the prompt that helps most."""

import pytest

from ml.recommenders.models.als import ImplicitALS
from ml.recommenders.newcomers.onboarding import Question, onboarding_questions
from ml.recommenders.newcomers.profile_prompts import Prompt, next_prompt
from ml.recommenders.training_data import TrainingData


@pytest.fixture(scope="module")
def data(two_tastes, item_features):
    return TrainingData.align(two_tastes, None, item_features)


@pytest.fixture(scope="module")
def model(data):
    return ImplicitALS(n_factors=8).fit_aligned(data)


def test_the_topic_that_splits_the_tastes_is_asked_first(model, data):
    topics = onboarding_questions(model, data.interactions, data.item_features, 3, "topic")
    assert topics[0].id in {"taste:even", "taste:odd"}
    told = [question.information for question in topics]
    assert told == sorted(told, reverse=True)
    assert len({question.id for question in topics}) == len(topics)


def test_questions_about_items_do_not_repeat_what_is_known(model, data):
    questions = onboarding_questions(model, data.interactions, None, 6)
    told = [question.information for question in questions]
    assert told == sorted(told, reverse=True)
    assert all(question.rows == (model.item_ids_.to_list().index(question.id),) for question in questions)


def test_topics_need_features(model, data):
    with pytest.raises(ValueError, match="topics need item features"):
        onboarding_questions(model, data.interactions, None, 3, "topic")


CURVE = {0: 0.1, 1: 0.2, 2: 0.25, 10: 0.26}
QUESTIONS = [Question("topic", "genre:War", (1,), 0.4), Question("topic", "genre:Drama", (2,), 0.9)]


def test_the_question_that_tells_most_is_asked_with_what_it_brings():
    prompt = next_prompt(0, QUESTIONS, frozenset(), CURVE, {}, frozenset())
    assert prompt is not None
    assert (prompt.field, prompt.gain) == ("genre:Drama", pytest.approx(0.1))
    assert "Drama" in prompt.benefit


def test_answered_questions_are_not_asked_again_and_each_answer_helps_less():
    prompt = next_prompt(0, QUESTIONS, frozenset({"genre:Drama"}), CURVE, {}, frozenset())
    assert prompt is not None
    assert (prompt.field, prompt.gain) == ("genre:War", pytest.approx(0.05))


def test_data_is_asked_for_where_it_helps_more_with_benefit_and_incentive():
    prompt = next_prompt(2, QUESTIONS, frozenset(), CURVE, {"location": 0.03}, frozenset(), "early access")
    assert isinstance(prompt, Prompt)
    assert (prompt.field, prompt.incentive, prompt.gain) == ("location", "early access", 0.03)
    assert "you can take it back at any time" in prompt.benefit
    granted = next_prompt(2, QUESTIONS, frozenset(), CURVE, {"location": 0.03}, frozenset({"location"}))
    assert granted is None  # a further event brings .01/8, less than is worth a question
