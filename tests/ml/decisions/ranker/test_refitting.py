"""The blend learned again from what people open while the service runs."""

import numpy as np
import pytest

from ml.decisions.ranker.blend import Blend
from ml.decisions.ranker.features import NAMES
from ml.decisions.ranker.questions import LEARNED_SHARE, AskedQuestion, QuestionLog
from ml.decisions.ranker.refitting import Refit, mixed, refit

CANDIDATES = 40


def questions(count, seed=3):
    """People open what is newest: `age` decides, and all that the prior weights look at is noise."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        rows = generator.normal(size=(CANDIDATES, len(NAMES))).astype(np.float32)
        yield AskedQuestion(rows, int(rows[:, NAMES.index("age")].argmin()))


def split(asked):
    log = QuestionLog(kept=1_000, judging=200, judging_share=0.2, seed=1)
    for question in asked:
        log.add(question)
    return log.split()


def test_what_decides_lately_is_learned_and_judged_on_questions_not_seen():
    found = refit(*split(questions(300)), Blend.prior(), seed=1)
    assert found.questions == 300
    assert found.hit_rate_at_5_before < 0.4  # five of forty by chance
    assert found.hit_rate_at_5 > 0.9
    assert found.is_sound


def test_what_held_until_a_moment_ago_is_not_loud():
    """The newest questions say how far a ranker can be trusted: one that errs on them is turned down."""
    opposite = [AskedQuestion(one.rows, int(one.rows[:, NAMES.index("age")].argmax())) for one in questions(200)]
    good = refit(*split(questions(300)), Blend.prior(), seed=1).blend
    found = refit(*split([*opposite, *questions(60, seed=5)]), good, seed=1)
    assert found.hit_rate_at_5_before > 0.9
    assert found.hit_rate_at_5 > 0.9


@pytest.mark.parametrize(("now", "is_sound"), [(0.55, True), (0.46, True), (0.44, False)])
def test_a_ranker_that_errs_by_more_than_noise_is_left(now, is_sound):
    # the standard error of a hit rate of .5 on 100 questions is .05
    assert Refit(Blend.prior(), 500, 100, now, 0.5).is_sound is is_sound


def test_both_opinions_count_by_their_questions_and_one_alone_where_there_is_one():
    good = refit(*split(questions(300)), Blend.prior(), seed=1).blend
    rows = next(questions(1)).rows
    np.testing.assert_allclose(mixed(Blend.prior(), good, rows), good.base(rows))
    np.testing.assert_allclose(mixed(good, None, rows), good.base(rows))
    newer = refit(*split(questions(150, seed=9)), Blend.prior(), seed=2).blend
    np.testing.assert_allclose(mixed(good, newer, rows), (good.base(rows) + newer.base(rows)) / 2)


def test_memory_is_bounded_and_new_questions_are_counted():
    log = QuestionLog(kept=100, judging=10, judging_share=0.2, seed=1)
    for question in questions(130):
        log.add(question)
    assert (len(log), log.since_split) == (100, 130)
    learned, judging = log.split()
    assert (len(learned), len(judging), log.since_split) == (90, 10, 0)
    assert {len(question.rows) for question in judging} == {CANDIDATES}
    assert np.mean([len(question.rows) for question in learned]) == pytest.approx(
        1 + LEARNED_SHARE * (CANDIDATES - 1), abs=1.0
    )


def test_of_a_short_log_a_share_judges():
    log = QuestionLog(kept=100, judging=10, judging_share=0.2, seed=1)
    for question in questions(20):
        log.add(question)
    assert [len(part) for part in log.split()] == [16, 4]


def test_a_question_that_is_thinned_still_knows_what_was_opened():
    for question in questions(50):
        thinned = question.thinned(np.random.default_rng(4))
        assert thinned.rows[thinned.opened].tolist() == question.rows[question.opened].tolist()
        assert 1 <= len(thinned.rows) < CANDIDATES


def test_a_handful_is_too_little():
    with pytest.raises(ValueError, match="9 questions are too few"):
        refit(list(questions(7)), list(questions(2)), Blend.prior(), seed=1)
