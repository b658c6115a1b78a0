"""Openings become questions that the blend is learned from again: those that follow an answer, and a sample."""

import pytest
from bundles import publish
from calls import ask, post, recommend


def questions(tessera):
    learned, judging = tessera.recommending.refitting._log.split()
    return [*learned, *judging]


def with_refit(start, **changes):
    settings = start.settings
    learning = settings.decisions.online_learning
    refit = learning.refit.model_copy(update=changes)
    decisions = settings.decisions.model_copy(
        update={"online_learning": learning.model_copy(update={"refit": refit})}
    )
    return type(start)(start.home, settings.model_copy(update={"decisions": decisions}), bundled=start.bundled)


def test_an_opening_that_follows_an_answer_is_a_question(start, home):
    publish(home.published)
    (one,) = ask(
        start,
        recommend(user_id="ann", k=3),
        post({"user_id": "ann", "item_id": "i4"}, {"user_id": "ann", "item_id": "i3"}),
        questions,
    )
    assert len(one.rows) == 9  # all but i0, which ann has seen
    assert one.opened == 3  # i1, i2, i3, i4
    # the second opening follows no answer, and one in ten of those is asked about


def test_an_opening_of_what_was_no_candidate_is_none(start, home):
    publish(home.published)
    opened = post({"user_id": "ann", "item_id": "never heard of"})
    assert ask(start, recommend(user_id="ann", k=3), opened, questions) == []


def at_second(second):
    def turn(tessera):
        tessera.recommending.refitting.clock = lambda: second

    return turn


@pytest.mark.parametrize(("second", "learned"), [(600.0, "ann"), (601.0, "bob")])
def test_a_crowd_is_sampled_whoever_waits_long_gives_way(start, home, second, learned):
    publish(home.published)
    one_place = with_refit(start, waiting_answers=1, waiting_seconds=600.0)
    asked = [at_second(0.0), recommend(user_id="ann"), at_second(second), recommend(user_id="bob")]
    for user in ("ann", "bob"):
        found = ask(one_place, *asked, post({"user_id": user, "item_id": "i9"}), questions)
        assert bool(found) is (user == learned)


def test_an_answer_of_long_ago_teaches_nothing(start, home):
    publish(home.published)
    opened = post({"user_id": "ann", "item_id": "i9"})
    assert ask(start, at_second(0.0), recommend(user_id="ann"), at_second(601.0), opened, questions) == []


def test_who_is_forgotten_waits_no_more(start, home):
    publish(home.published)

    def forget(tessera):
        tessera.recommending.refitting.forget("ann")

    assert ask(start, recommend(user_id="ann"), forget, post({"user_id": "ann", "item_id": "i9"}), questions) == []


def test_the_place_of_a_question_is_the_requests_then_the_bundles(start, home):
    publish(home.published)

    def scopes(tessera):
        from serving.recommend.answering import asked_by
        from serving.requests import RecommendationRequest

        seen = []
        for context in ({}, {"country": "AT"}):
            wanted = RecommendationRequest(user_id="ann", context=context)
            seen.append(asked_by(tessera, wanted, {}).asking.question.scopes)
        return seen

    assert ask(start, scopes) == [("country:DE", None, None), ("country:AT", None, None)]
