"""Openings become examples that the blend is learned from again: those that follow an answer, and a sample."""

import pytest
from bundles import publish
from calls import ask, post, recommend


def examples(tessera):
    learned, judging = tessera.recommendation_engine.online_refit._log.split()
    return [*learned, *judging]


def with_refit(config, **changes):
    settings = config.settings
    learning = settings.decisions.online_learning
    refit = learning.refit.model_copy(update=changes)
    decisions = settings.decisions.model_copy(
        update={"online_learning": learning.model_copy(update={"refit": refit})}
    )
    return type(config)(config.home, settings.model_copy(update={"decisions": decisions}), bundled=config.bundled)


def test_an_opening_that_follows_an_answer_is_a_question(config, home):
    publish(home.published)
    (example,) = ask(
        config,
        recommend(user_id="ann", k=3),
        post({"user_id": "ann", "item_id": "i4"}, {"user_id": "ann", "item_id": "i3"}),
        examples,
    )
    assert len(example.features) == 9  # all but i0, which ann has seen
    assert example.opened == 3  # i1, i2, i3, i4
    # the second opening follows no answer, and one in ten of those becomes an example


def test_an_opening_of_what_was_no_candidate_is_none(config, home):
    publish(home.published)
    opened = post({"user_id": "ann", "item_id": "never heard of"})
    assert ask(config, recommend(user_id="ann", k=3), opened, examples) == []


def at_second(second):
    def turn(tessera):
        tessera.recommendation_engine.online_refit.clock = lambda: second

    return turn


@pytest.mark.parametrize(("second", "learned"), [(600.0, "ann"), (601.0, "bob")])
def test_a_crowd_is_sampled_whoever_waits_long_gives_way(config, home, second, learned):
    publish(home.published)
    crowded = with_refit(config, waiting_answers=1, waiting_seconds=600.0)
    requests = [at_second(0.0), recommend(user_id="ann"), at_second(second), recommend(user_id="bob")]
    for user in ("ann", "bob"):
        answer = ask(crowded, *requests, post({"user_id": user, "item_id": "i9"}), examples)
        assert bool(answer) is (user == learned)


def test_an_answer_of_long_ago_teaches_nothing(config, home):
    publish(home.published)
    opened = post({"user_id": "ann", "item_id": "i9"})
    assert ask(config, at_second(0.0), recommend(user_id="ann"), at_second(601.0), opened, examples) == []


def test_who_is_forgotten_waits_no_more(config, home):
    publish(home.published)

    def forget(tessera):
        tessera.recommendation_engine.online_refit.forget("ann")

    assert ask(config, recommend(user_id="ann"), forget, post({"user_id": "ann", "item_id": "i9"}), examples) == []


def test_the_place_of_a_question_is_the_requests_then_the_bundles(config, home):
    publish(home.published)

    def scopes(tessera):
        from serving.recommend.context_builder import build_context
        from serving.requests import RecommendationRequest

        seen = []
        for context in ({}, {"country": "AT"}):
            request = RecommendationRequest(user_id="ann", context=context)
            seen.append(build_context(tessera, request).scopes)
        return seen

    assert ask(config, scopes) == [("country:DE", None, None), ("country:AT", None, None)]
