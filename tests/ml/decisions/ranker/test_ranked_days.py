"""What a ranker lets expect of a day against what came out, worked out again by hand and by drawing."""

import datetime as dt
from math import log2
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from ml.decisions.activity.state_change import StateChange
from ml.decisions.ranker.blend import PRIOR_WEIGHTS, RankingBlend
from ml.decisions.ranker.features import NAMES
from ml.decisions.ranker.ranked_days import DayJudge, judge_held, merge_days
from ml.decisions.ranker.ranking_examples import ReplayedOpening
from ml.decisions.ranker.training import train_blend
from ml.events.quarantine import Quarantine
from ml.home import Home

BERLIN = ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2026, 6, 1, 12, tzinfo=BERLIN)
CANDIDATES = 30


def ranker_of_scores():
    """A blend whose score of a candidate is its feature `personal`."""
    blend = RankingBlend.prior()
    blend.figures = {"learned_until": NOON.timestamp() - 86_400, "read_until": NOON.timestamp() - 3_600}
    return blend


def opening(scores, opened, at, user):
    features = np.zeros((len(scores), len(NAMES)), dtype=np.float32)
    features[:, NAMES.index("personal")] = np.array(scores) / PRIOR_WEIGHTS["personal"]
    return ReplayedOpening(at, user, opened, features)


def drawn(count, seed, day=0, habit=1.0, per_user=2):
    """Openings that follow the softmax of the scores; of another habit, that of the scores times a number."""
    generator = np.random.default_rng(seed)
    openings = []
    for number in range(count):
        scores = generator.normal(scale=2.0, size=CANDIDATES)
        chances = np.exp(habit * scores)
        opened = int(generator.choice(CANDIDATES, p=chances / chances.sum()))
        at = NOON.timestamp() + 86_400 * day + number % 3_600
        openings.append(opening(scores, opened, at, f"u{number // per_user}"))
    return openings


def judged(blend, openings):
    judge = DayJudge.of_published(blend, BERLIN)
    if judge is None:  # without trees it is no published ranker
        judge = DayJudge(blend, blend.figures["read_until"], BERLIN)
    for each in openings:
        judge.add(each)
    return judge.rows().to_pylist()


def test_a_day_has_the_figures_that_a_hand_works_out():
    blend = ranker_of_scores()
    openings = [opening([1.0, 0.0], 0, NOON.timestamp(), "ann"), opening([1.0, 0.0], 1, NOON.timestamp(), "ann")]
    openings += [opening([0.0, 0.0, 0.0], None, NOON.timestamp(), f"u{number}") for number in range(38)]
    (row,) = judge_held(blend, openings, BERLIN).to_pylist()
    assert row["date"] == NOON.date()
    assert row["openings"] == 40
    assert row["is_held_out"]
    assert row["candidate_share"] == pytest.approx(2 / 40)
    assert row["ndcg"] == pytest.approx((1 + 1 / log2(3)) / 40)
    assert row["hit_share"] == pytest.approx(2 / 40)
    assert row["expected_ndcg"] is None
    likely = np.e / (1 + np.e)
    expected = 2 * (likely + (1 - likely) / log2(3)) + 38 * (1 + 1 / log2(3) + 1 / log2(4)) / 3
    calibration = blend.figures["calibration"]
    assert calibration["ndcg_ratio"] == pytest.approx((1 + 1 / log2(3)) / expected, rel=1e-6)
    assert calibration["openings"] == 40


def test_what_ties_is_ordered_by_chance():
    openings = [opening([0.0] * 12, 3, NOON.timestamp(), f"u{number}") for number in range(30)]
    (row,) = judge_held(ranker_of_scores(), openings, BERLIN).to_pylist()
    assert row["ndcg"] == pytest.approx(sum(1 / log2(place + 1) for place in range(1, 11)) / 12)
    assert row["hit_share"] == pytest.approx(10 / 12)


def test_intervals_hold_what_comes_out_while_people_choose_as_before():
    covered = []
    for seed in range(200):
        blend = ranker_of_scores()
        judge_held(blend, drawn(400, seed), BERLIN)
        (row,) = judged(blend, drawn(150, 10_000 + seed))
        covered.append(row["expected_ndcg_low"] <= row["ndcg"] <= row["expected_ndcg_high"])
    assert 0.90 <= np.mean(covered) <= 0.99


def test_a_day_on_which_people_choose_otherwise_lies_below_what_was_expected():
    blend = ranker_of_scores()
    judge_held(blend, drawn(400, 1), BERLIN)
    same, other = judged(blend, [*drawn(300, 2), *drawn(300, 3, day=1, habit=0.3)])
    assert same["expected_ndcg_low"] < same["ndcg"] < same["expected_ndcg_high"]
    assert other["ndcg_high"] < other["expected_ndcg_low"]
    assert other["expected_ndcg"] == pytest.approx(same["expected_ndcg"], rel=0.1)  # it does not see the choices
    assert other["hit_share"] < other["expected_hit_share"] - 0.1


def test_dates_are_those_of_the_site_and_few_openings_are_no_day():
    late = dt.datetime(2026, 6, 1, 23, 30, tzinfo=dt.UTC).timestamp()
    openings = [opening([1.0, 0.0], 0, late, f"u{number}") for number in range(30)]
    openings += [opening([1.0, 0.0], 0, late + 86_400, f"u{number}") for number in range(29)]
    rows = judge_held(ranker_of_scores(), openings, BERLIN).to_pylist()
    assert [row["date"] for row in rows] == [dt.date(2026, 6, 2)]


def test_only_openings_that_the_ranker_did_not_know_are_judged():
    blend = ranker_of_scores()
    known = [opening([1.0, 0.0], 0, blend.figures["read_until"], f"u{number}") for number in range(40)]
    assert judged(blend, known) == []


def test_days_of_earlier_runs_stay_and_are_replaced_by_what_is_known_now():
    blend = ranker_of_scores()
    first = judge_held(blend, drawn(40, 1), BERLIN)
    again = judge_held(blend, drawn(80, 2), BERLIN)
    later = judge_held(blend, drawn(40, 3, day=500), BERLIN)
    assert merge_days(None, []).num_rows == 0
    assert merge_days(first, [again])["openings"].to_pylist() == [80]
    assert merge_days(first, [later])["date"].to_pylist() == [NOON.date() + dt.timedelta(days=500)]
    both = merge_days(first, [judge_held(blend, drawn(40, 3, day=5), BERLIN)])
    assert isinstance(both, pa.Table)
    assert len(both) == 2


def pairs(people, days, seed, *, is_habit=True):
    """Everybody opens one of twenty items and then the one after it, or without the habit any odd one."""
    generator = np.random.default_rng(seed)
    changes = []
    for day in days:
        for person in range(people):
            first = 2 * int(generator.integers(10))
            at = NOON.timestamp() + 86_400 * day + 3 * person
            name = f"u{day}-{person}"
            changes.append(StateChange(name, "page_view", at, f"i{first}", name))
            second = first + 1 if is_habit else 2 * int(generator.integers(10)) + 1
            changes.append(StateChange(name, "page_view", at + 1, f"i{second}", name))
    return changes


def test_the_published_ranker_is_judged_while_the_next_one_is_learned(tmp_path):
    rules = {"minimum_questions": 100, "seed": 1, "quarantine": Quarantine(Home(tmp_path))}
    before = pairs(400, range(3), 1)
    published = train_blend(before, None, questions=900, **rules)
    judge_held(published.blend, published.held, BERLIN)
    published.blend.save(tmp_path / "blend")
    loaded = RankingBlend.load(tmp_path / "blend")
    judge = DayJudge.of_published(loaded, BERLIN)
    after = [*before, *pairs(400, [3], 2), *pairs(400, [4], 3, is_habit=False)]
    train_blend(after, None, questions=1_500, judge=judge, **rules)
    same, other = judge.rows().to_pylist()
    assert [same["date"], other["date"]] == [NOON.date() + dt.timedelta(days=day) for day in (3, 4)]
    assert same["ndcg"] == pytest.approx(same["expected_ndcg"], abs=0.05)
    assert other["ndcg"] < other["expected_ndcg_low"] - 0.1
    assert same["learned_until"] <= dt.datetime.fromtimestamp(before[-1].at, dt.UTC).replace(tzinfo=None)


def test_a_ranker_of_an_earlier_version_or_without_trees_is_not_judged():
    assert DayJudge.of_published(RankingBlend.prior(), BERLIN) is None
    older = ranker_of_scores()
    del older.figures["read_until"]
    assert DayJudge.of_published(older, BERLIN) is None
