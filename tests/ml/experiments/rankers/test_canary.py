"""A canary is judged by people: its interval against a bootstrap, its errors by simulation, its words by hand."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from ml.experiments.rankers.canary import CanaryComparison, compare_canary, judge_canary
from ml.settings.evaluation import CanarySettings

SETTINGS = CanarySettings()
PLANNED = 4_000


def people_of(rng: np.random.Generator, people: int, rate: float, role: str) -> pa.Table:
    """People with 1 to 20 answers, who click more or less often than `rate`."""
    answers = rng.integers(1, 21, people)
    clicked = rng.binomial(answers, rng.beta(8 * rate, 8 * (1 - rate), people))
    return pa.table({"role": [role] * people, "answers": answers, "clicked_answers": clicked})


def compare(rng: np.random.Generator, canary: tuple[int, float], champion: tuple[int, float]) -> CanaryComparison:
    tables = [people_of(rng, *canary, "canary"), people_of(rng, *champion, "champion")]
    return compare_canary(pa.concat_tables(tables), PLANNED, SETTINGS)


def test_the_variance_is_that_of_a_bootstrap_over_people():
    rng = np.random.default_rng(1)
    table = people_of(rng, 800, 0.2, "canary")
    arm = compare_canary(table, PLANNED, SETTINGS).canary
    answers, clicked = (np.asarray(table[name]) for name in ("answers", "clicked_answers"))
    draws = rng.integers(0, 800, (4_000, 800))
    shares = clicked[draws].sum(axis=1) / answers[draws].sum(axis=1)
    assert arm.share == clicked.sum() / answers.sum()
    assert arm.variance == pytest.approx(shares.var(), rel=0.1)
    assert arm.variance > 1.5 * arm.share * (1 - arm.share) / answers.sum()  # as if answers were people


def test_looking_every_day_finds_no_loss_where_there_is_none_and_finds_a_large_one():
    decisions = {0.2: [], 0.12: []}
    for rate, ends in decisions.items():
        for seed in range(60):
            rng = np.random.default_rng(seed)
            canary, champion = people_of(rng, 700, rate, "canary"), people_of(rng, 6_300, 0.2, "champion")
            verdicts = (
                judge_canary(
                    compare_canary(
                        pa.concat_tables([canary[: 50 * day], champion[: 450 * day]]), PLANNED, SETTINGS
                    ),
                    day,
                    SETTINGS,
                )
                for day in range(1, 15)
            )
            ends.append(next((v.decision, day) for day, v in enumerate(verdicts, 1) if v.decision != "go_on"))
    certain = [decision for decision, day in decisions[0.2] if day < 14]
    assert certain.count("roll_back") <= 0.05 * 60
    assert [decision for decision, _ in decisions[0.12]].count("roll_back") >= 59
    assert np.median([day for _, day in decisions[0.12]]) <= 7


def test_what_is_certain_ends_a_trial_and_time_ends_one_that_is_not():
    rng = np.random.default_rng(0)
    worse, better = compare(rng, (900, 0.1), (9_000, 0.2)), compare(rng, (900, 0.3), (9_000, 0.2))
    alike, few = compare(rng, (300, 0.2), (2_700, 0.2)), compare(rng, (20, 0.1), (180, 0.2))
    assert [judge_canary(each, 1, SETTINGS).decision for each in (worse, better, alike, few)] == [
        "roll_back",
        "promote",
        "go_on",
        "go_on",
    ]
    uncertain = compare(rng, (300, 0.17), (2_700, 0.2))
    assert uncertain.change.value < -SETTINGS.tolerated_loss
    assert uncertain.change.low < 0 < uncertain.change.high
    late = judge_canary(uncertain, SETTINGS.most_days, SETTINGS)
    assert late.decision == "roll_back"
    assert late.text.startswith("After 14 days nothing is certain, and the measured change decides: ")
    unheard = judge_canary(few, SETTINGS.most_days, SETTINGS)
    assert (unheard.decision, "too few people" in unheard.text) == ("promote", True)


def test_a_model_that_answers_nobody_is_rolled_back_once_services_had_the_time_to_take_it():
    champion = people_of(np.random.default_rng(0), 2_000, 0.2, "champion")
    comparison = compare_canary(champion, PLANNED, SETTINGS)
    assert judge_canary(comparison, 0.5, SETTINGS).decision == "go_on"
    verdict = judge_canary(comparison, 3, SETTINGS)
    assert (verdict.decision, "answered nobody" in verdict.text) == ("roll_back", True)
    quiet = compare_canary(champion[:100], PLANNED, SETTINGS)  # eleven people should have been answered
    assert judge_canary(quiet, 3, SETTINGS).decision == "go_on"


def test_a_site_without_a_click_or_an_answer_ends_with_the_test_before():
    nothing = pa.table({"role": ["canary", "champion"] * 200, "answers": [3] * 400, "clicked_answers": [0] * 400})
    for table in (nothing, nothing[:0]):
        comparison = compare_canary(table, PLANNED, SETTINGS)
        assert judge_canary(comparison, 1, SETTINGS).decision == "go_on"
        assert judge_canary(comparison, 20, SETTINGS).decision == "promote"
        assert all(isinstance(value, float | int) for value in comparison.figures().values())


def test_the_words_hold_the_numbers():
    comparison = compare(np.random.default_rng(0), (900, 0.1), (9_000, 0.2))
    arms = [dataclasses.astuple(arm) for arm in (comparison.canary, comparison.champion)]
    text = judge_canary(comparison, 1, SETTINGS).text
    assert text == (
        f"It is worse: {arms[0][2] / arms[0][1]:.1%} of the new model's answers were clicked, "
        f"{arms[1][2] / arms[1][1]:.1%} of the former one's "
        f"({arms[0][2] / arms[0][1] / (arms[1][2] / arms[1][1]) - 1:+.1%}, "
        f"{comparison.change.low:+.1%} to {comparison.change.high:+.1%})."
    )
