"""The blend learned again from what people open while the service runs."""

import numpy as np
import pytest

from ml.decisions.ranker.blend import RankingBlend, mix_scores
from ml.decisions.ranker.features import NAMES
from ml.decisions.ranker.ranking_examples import LEARNED_SHARE, ExampleLog, RankingExample
from ml.decisions.ranker.refit import RefitResult, refit_blend

CANDIDATES = 40


def questions(count, seed=3):
    """People open what is newest: `age` decides, and all that the prior weights look at is noise."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        rows = generator.normal(size=(CANDIDATES, len(NAMES))).astype(np.float32)
        yield RankingExample(rows, int(rows[:, NAMES.index("age")].argmin()))


def split(examples):
    log = ExampleLog(kept=1_000, judging=200, judging_share=0.2, seed=1)
    for question in examples:
        log.add(question)
    return log.split()


def test_what_decides_lately_is_learned_and_judged_on_questions_not_seen():
    result = refit_blend(*split(questions(300)), RankingBlend.prior(), seed=1)
    assert result.examples == 300
    assert result.hit_rate_at_5_before < 0.4  # five of forty by chance
    assert result.hit_rate_at_5 > 0.9
    assert result.is_sound


def test_what_held_until_a_moment_ago_is_not_loud():
    """The newest examples say how far a ranker can be trusted: example that errs on them is turned down."""
    opposite = [
        RankingExample(example.features, int(example.features[:, NAMES.index("age")].argmax()))
        for example in questions(200)
    ]
    good = refit_blend(*split(questions(300)), RankingBlend.prior(), seed=1).blend
    result = refit_blend(*split([*opposite, *questions(60, seed=5)]), good, seed=1)
    assert result.hit_rate_at_5_before > 0.9
    assert result.hit_rate_at_5 > 0.9


@pytest.mark.parametrize(("now", "is_sound"), [(0.55, True), (0.46, True), (0.44, False)])
def test_a_ranker_that_errs_by_more_than_noise_is_left(now, is_sound):
    # the standard error of a hit rate of .5 on 100 questions is .05
    assert RefitResult(RankingBlend.prior(), 500, 100, now, 0.5).is_sound is is_sound


def test_both_opinions_count_by_their_questions_and_one_alone_where_there_is_one():
    good = refit_blend(*split(questions(300)), RankingBlend.prior(), seed=1).blend
    rows = next(questions(1)).features
    np.testing.assert_allclose(mix_scores(RankingBlend.prior(), good, rows), good.base_scores(rows))
    np.testing.assert_allclose(mix_scores(good, None, rows), good.base_scores(rows))
    newer = refit_blend(*split(questions(150, seed=9)), RankingBlend.prior(), seed=2).blend
    np.testing.assert_allclose(
        mix_scores(good, newer, rows), (good.base_scores(rows) + newer.base_scores(rows)) / 2
    )


def test_memory_is_bounded_and_new_questions_are_counted():
    log = ExampleLog(kept=100, judging=10, judging_share=0.2, seed=1)
    for question in questions(130):
        log.add(question)
    assert (len(log), log.since_split) == (100, 130)
    learned, judging = log.split()
    assert (len(learned), len(judging), log.since_split) == (90, 10, 0)
    assert {len(question.features) for question in judging} == {CANDIDATES}
    assert np.mean([len(question.features) for question in learned]) == pytest.approx(
        1 + LEARNED_SHARE * (CANDIDATES - 1), abs=1.0
    )


def test_of_a_short_log_a_share_judges():
    log = ExampleLog(kept=100, judging=10, judging_share=0.2, seed=1)
    for question in questions(20):
        log.add(question)
    assert [len(part) for part in log.split()] == [16, 4]


def test_a_question_that_is_thinned_still_knows_what_was_opened():
    for question in questions(50):
        thinned = question.thin(np.random.default_rng(4))
        assert thinned.features[thinned.opened].tolist() == question.features[question.opened].tolist()
        assert 1 <= len(thinned.features) < CANDIDATES


def test_a_handful_is_too_little():
    with pytest.raises(ValueError, match="9 questions are too few"):
        refit_blend(list(questions(7)), list(questions(2)), RankingBlend.prior(), seed=1)
