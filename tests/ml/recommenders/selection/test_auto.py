"""`auto` on the tables that people bring: small, without times, with ratings, of news; and what it compares."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.feature_matrix import FeatureMatrix
from ml.dataset.interactions import Interactions
from ml.evaluation.bootstrap import mean_interval
from ml.recommenders.data_split import DataSplit
from ml.recommenders.selection.auto import choose, settled
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.selection.plan import finalists, work
from ml.recommenders.selection.plan import trials as running
from ml.recommenders.selection.plan.families import warm_families
from ml.recommenders.selection.plan.finalists import Finalist, not_worse_than_popularity
from ml.recommenders.selection.plan.further_shares import judged_again
from ml.recommenders.selection.plan.judges import held_back, judged_window
from ml.recommenders.selection.plan.known_items import known_items_warning
from ml.recommenders.selection.plan.recipes import SingleRecipe
from ml.recommenders.selection.plan.trials import Trial, TrialRunner, WorkBudget
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow

QUICK = 2.0  # units of work: what is tested is the choosing, the models have tests of their own


def table(n_users, n_items, each, seed=0, **columns):
    random = np.random.default_rng(seed)
    rows = [(f"u{u}", f"i{i}") for u in range(n_users) for i in random.choice(n_items, each, replace=False)]
    users, items = zip(*rows, strict=True)
    return pa.table(
        {"user_id": users, "item_id": items, **{name: make(len(rows)) for name, make in columns.items()}}
    )


def aligned(found):
    return TrainingData.align(Interactions.from_table(found))


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (table(5, 6, 3), "random"),
        (table(5, 6, 3, timestamp=lambda n: np.arange(n) * 3600), "time"),
        (
            table(5, 6, 3, timestamp=lambda n: np.arange(n) * 3600, rating=lambda n: np.arange(n) % 5 + 1.0),
            "random",
        ),
        (table(30, 4, 1), "leave-last-out"),
        (table(1, 9, 8), "random"),
        (table(40, 1, 1, timestamp=np.arange), "time"),
        (table(30, 20, 6, weight=lambda n: np.where(np.arange(n) % 4, 1.0, -2.0)), "random"),
    ],
    ids=["five users", "with times", "with ratings", "one item each", "one user", "one item", "rejections"],
)
def test_small_tables_get_a_model_that_recommends(found, kind):
    chosen = choose(aligned(found), kind, work=QUICK)
    rows = chosen.recommender.recommend(["u0", "stranger"], 3).to_table().to_pylist()
    assert [row for row in rows if row["user_id"] == "stranger"]
    assert all(np.isfinite(row["score"]) for row in rows)


@pytest.fixture(scope="module")
def world(two_tastes, user_features, item_features):
    return TrainingData.align(two_tastes, user_features, item_features)


def test_what_validates_best_is_fitted_on_everything(world, two_tastes):
    lines = []
    chosen = choose(world, "random", work=QUICK, log=lines.append)
    means = [trial.value for trial in chosen.trials]
    assert means == sorted(means, reverse=True)
    assert (chosen.metric, chosen.split) == ("ndcg_at_10", "random")
    assert chosen.recommender.seen_.nnz == two_tastes.n_pairs
    assert means[0] > max(t.value for t in chosen.trials if t.configuration.model == "popularity") + 0.1
    assert any("happened after the first test interaction" in line for line in lines)
    assert any(line.startswith("chosen: ") and chosen.reason in line for line in lines)


def test_all_families_take_part_and_hybrids_too_where_there_are_tags(world):
    tried = {trial.configuration.model for trial in choose(world, "random", work=QUICK).trials}
    assert {"popularity", "ease", "als", "item_neighbours", "user_neighbours", "svd"} <= tried
    assert {"lightfm_warp", "content_affinity", "segment_popularity"} <= tried


def test_a_small_budget_ends_the_search_and_tells_what_was_not_tried(world):
    lines = []
    few = choose(world, "random", work=0.5, log=lines.append)
    assert len(few.trials) < len(choose(world, "random", work=QUICK).trials)
    assert any(line.startswith("not tried, since it is") for line in lines)


def test_a_slow_clock_changes_nothing(world, monkeypatch):
    quick = choose(world, "random", work=QUICK)
    ticks = iter(range(0, 10_000_000, 1_000))
    monkeypatch.setattr(running.time, "perf_counter", lambda: float(next(ticks)))
    slow = choose(world, "random", work=QUICK)
    assert all(trial.seconds == 1_000.0 for trial in slow.trials if trial.seconds)
    assert slow.configuration == quick.configuration
    assert [trial.configuration for trial in slow.trials] == [trial.configuration for trial in quick.trials]
    first = [chosen.recommender.recommend(["u0", "u1"], 5).to_table() for chosen in (quick, slow)]
    assert first[0].equals(first[1])


def test_large_data_is_searched_on_a_sample_and_chosen_on_all_of_it(monkeypatch):
    monkeypatch.setattr("ml.recommenders.selection.plan.finalists.LEAST_SAMPLE", 500)
    monkeypatch.setattr("ml.recommenders.selection.plan.finalists.STARTS_SHARE", 0.0)
    monkeypatch.setattr("ml.recommenders.selection.plan.judges.MOST_JUDGES", 100)
    monkeypatch.setattr("ml.recommenders.selection.plan.judges.FEWEST_JUDGES", 20)
    lines = []
    chosen = choose(aligned(table(400, 60, 8)), "random", work=4.0, log=lines.append)
    assert any(line.startswith("searching on ") for line in lines)
    shares = {trial.share for trial in chosen.trials}
    assert len(shares) == 2
    assert max(shares) == 1.0
    assert chosen.trials[0].share == 1.0


@pytest.mark.parametrize(
    ("units", "is_sampled"), [({}, False), ({"autoencoder": 3.0, "svd": 3.0}, True), ({"autoencoder": 1e6}, False)]
)
def test_one_model_that_is_too_dear_does_not_make_the_others_learn_from_less(monkeypatch, units, is_sampled):
    """An autoencoder of all items may cost more than the whole search, on a sample as well."""
    monkeypatch.setattr(finalists, "LEAST_SAMPLE", 500)
    for model, each in units.items():
        monkeypatch.setitem(work._ESTIMATES, model, lambda params, shape, each=each: each)
    window, _ = judged_window(aligned(table(400, 60, 8)), "random", 0)
    runner = TrialRunner(replace(window, users=window.users[:50]), WorkBudget(20.0))
    sample = finalists._sample_for(runner, 20.0, warm_families)
    assert (sample is not runner) is is_sampled


def test_forty_judges_choose_a_blend_and_no_second_stage(two_tastes):
    users = np.unique(two_tastes.rows)[:40]
    few = two_tastes.select(np.isin(two_tastes.rows, users)).compact()
    chosen = choose(TrainingData.align(few, None, None), "random", work=3.0)
    assert chosen.n_judges == 40
    assert any(trial.note == "blend" for trial in chosen.trials)
    assert not any(trial.note == "second stage" for trial in chosen.trials)


@pytest.mark.parametrize(
    ("ranked", "metric"), [("new", "new_items_auc"), ("known", "ndcg_at_10"), ("all", "ndcg_at_10")]
)
def test_new_or_known_items_are_ranked_as_the_caller_says(news, ranked, metric):
    interactions, features = news
    data = TrainingData.align(interactions, None, features)
    assert choose(data, "time", work=QUICK, ranked=ranked).metric == metric


def test_too_few_known_people_make_another_split_judge():
    """Of 300 people only five come back in the newest tenth: their last items judge in place of them."""
    random = np.random.default_rng(0)
    rows = [(f"u{user}", f"i{item}", user) for user in range(300) for item in random.choice(20, 3, replace=False)]
    rows += [(f"u{user}", f"i{20 + user}", 1_000) for user in range(5)]
    users, items, times = zip(*rows, strict=True)
    lines = []
    found = pa.table({"user_id": users, "item_id": items, "timestamp": times})
    chosen = choose(aligned(found), "time", work=QUICK, log=lines.append)
    assert (chosen.split, chosen.n_judges) == ("leave-last-out", 300)
    assert any(
        "people can judge by the split 'time': choosing by 'leave-last-out', with 300" in line for line in lines
    )


def finalist(model, per_user, users=None):
    per_user = np.asarray(per_user, dtype=float)
    trial = Trial(Configuration(model, {}), per_user, mean_interval(per_user))
    return Finalist(SingleRecipe(model), trial, np.arange(len(per_user)) if users is None else users)


def test_the_simpler_of_two_equals_wins_and_the_better_one_else():
    values = np.random.default_rng(0).random(400)
    single, blend = finalist("ease", values), finalist("blend", values)
    assert settled([single])[0] is single
    assert settled([single, blend])[0] is single
    winner, reason = settled([single, finalist("blend", values - 0.01), finalist("stacked", values + 0.02)])
    assert winner.trial.configuration.model == "stacked"
    assert reason == "it is better than ease by 0.0200 for the same people"


def test_a_combination_wins_unless_the_single_model_is_better_beyond_doubt():
    random = np.random.default_rng(0)
    values = random.random(400)
    noise = random.normal(0, 0.1, 400)
    noise -= noise.mean()  # so that one standard error of the difference is .005
    single = finalist("ease", values)
    winner, reason = settled([single, finalist("blend", values + noise - 0.003)])
    assert winner.trial.configuration.model == "blend"
    assert reason == "it combines more models, and ease is better by 0.0030, less than a standard error"
    assert settled([single, finalist("blend", values + noise - 0.007)])[0] is single
    wide = 3 * noise[:16] - 3 * noise[:16].mean()  # one standard error is .077: a loss of .03 is within it
    few = [finalist("ease", values[:16]), finalist("blend", values[:16] + wide - 0.03)]
    assert settled(few)[0] is few[0]


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [([0.5], "popularity"), ([0.5] * 40, "svd"), ([-0.1] * 40, "popularity"), ([0.3, -0.3] * 20, "svd")],
    ids=["one lucky hit", "better for forty", "worse for forty", "as good"],
)
def test_popularity_is_beaten_by_more_than_a_few_lucky_hits_and_never_beats_the_choice(gains, chosen):
    window, _ = judged_window(aligned(table(400, 60, 8)), "random", 0)
    runner = TrialRunner(window, WorkBudget(20.0))
    plain = window.judge(SingleRecipe("popularity").configuration(runner.shape).make().fit_aligned(window.past))
    per_user = plain.copy()
    per_user[: len(gains)] += gains
    winner = finalist("svd", per_user, window.users)
    assert not_worse_than_popularity(winner, runner)[0].trial.configuration.model == chosen


@pytest.fixture(scope="module")
def questions_and_classics():
    """New items that only their topics tell of, twenty a day, and classics that people come to by popularity."""
    random = np.random.default_rng(0)
    rows, features = [], {}
    chances = np.arange(1, 61) ** -1.5 / (np.arange(1, 61) ** -1.5).sum()
    for day in range(30):
        for place in range(20):
            name, topic = f"new{day:02}_{place:02}", place % 10
            features[name] = [f"topic:{topic}"]
            takers = topic + 10 * random.choice(40, 4, replace=False)
            rows += [(f"u{user}", name, 86_400 * day + place) for user in takers]
        for user in random.choice(400, 30, replace=False):
            classic = random.choice(60, p=chances)
            features[f"classic{classic:02}"] = [f"topic:{random.integers(10)}"]
            rows.append((f"u{user}", f"classic{classic:02}", 86_400 * day + 100))
    users, items, times = zip(*rows, strict=True)
    found = pa.table({"user_id": users, "item_id": items, "timestamp": times})
    described = pa.table({"item_id": list(features), "features": list(features.values())})
    return found, FeatureMatrix.from_table(described, "item_id")


def test_where_known_items_are_asked_for_the_choice_is_no_worse_than_popularity(questions_and_classics):
    """Most of what is held back is on new items, so that a ranking of all items is won by what ranks those."""
    found, features = questions_and_classics
    day = np.asarray(found["timestamp"]) // 86_400
    past = TrainingData.align(Interactions.from_table(found.filter(pa.array(day < 24))), None, features)
    split = DataSplit(past, Interactions.from_table(found.filter(pa.array(day >= 24))))
    later = ValidationWindow.of(split, ranked="known")
    assert (later.past.interactions.item_counts[later.columns] > 0).all()
    assert set(later.relevant.indices) <= set(later.columns)

    def ndcg(configuration):
        return np.nanmean(later.judge(configuration.make().fit_aligned(later.past)))

    popularity = ndcg(Configuration("popularity", {}))
    known, all_items = [choose(past, "time", work=QUICK, ranked=ranked) for ranked in ("known", "all")]
    assert ndcg(all_items.configuration) < 0.7 * popularity
    assert ndcg(known.configuration) >= 0.95 * popularity
    assert (known.ranked, all_items.ranked) == ("known", "all")
    assert not [line for line in (*known.warnings, *all_items.warnings) if "--ranked" in line]


def test_where_nothing_is_said_of_known_items_popularity_is_looked_at_too(questions_and_classics):
    found, features = questions_and_classics
    lines = []
    data = TrainingData.align(Interactions.from_table(found), None, features)
    chosen = choose(data, "time", work=0.3, log=lines.append)
    assert chosen.ranked == "new"
    [warning] = chosen.warnings
    assert f"note: {warning}" in lines
    name, chosen_value, plain, n_judges = re.match(
        r"ndcg_at_10 of known items: (\w+) ([.\d]+), popularity ([.\d]+), for (\d+) people", warning
    ).groups()
    window = ValidationWindow.hold_back(data, "time", ranked="known")
    assert (name, int(n_judges)) == (chosen.configuration.model, len(window.users))
    assert float(plain) == pytest.approx(
        np.nanmean(window.judge(Configuration("popularity", {}).make().fit_aligned(window.past))), abs=1e-4
    )
    assert float(chosen_value) < float(plain)


def test_a_choice_for_new_items_that_ranks_known_ones_as_well_has_no_warning(questions_and_classics):
    found, features = questions_and_classics
    data = TrainingData.align(Interactions.from_table(found), None, features)
    lines = []
    window, split = judged_window(data, "time", 0)
    assert window.ranked == "new"
    runner = TrialRunner(window, WorkBudget(20.0), log=lines.append)
    assert known_items_warning(finalists.POPULARITY, data, split, runner) == ()
    [line] = lines
    assert re.match(r"ndcg_at_10 of known items: popularity ([.\d]+), popularity \1, for \d+ people$", line)
    assert runner.trials == []


def test_finalists_are_judged_on_further_random_shares_as_far_as_the_work_goes():
    """Groups of ten people share ten items, so that neighbours are far better than popularity on every share."""
    rows = [(f"u{u}", f"i{10 * (u // 10) + n}") for u in range(120) for n in range(10) if (u + n) % 10 > 1]
    users, items = zip(*rows, strict=True)
    data = aligned(pa.table({"user_id": users, "item_id": items}))
    window = held_back(data, "random", 0, "all")
    runner = TrialRunner(window, WorkBudget(0.0))
    models = [finalist(name, np.zeros(120), window.users) for name in ("popularity", "item_neighbours")]
    cost = sum(runner.work(model.recipe) for model in models)

    def hold_back(seed):
        return held_back(data, "random", seed, "all")

    assert [len(model.again) for model in judged_again(models, hold_back, runner, 0.5 * cost)] == [0, 0]
    once, twice = (judged_again(models, hold_back, runner, n * cost) for n in (1.5, 99.0))
    assert len(twice[0].again) == 2 * len(once[0].again) > 0
    assert np.nanmean(twice[1].again) > np.nanmean(twice[0].again) + 0.3
    expected = hold_back(1).judge(
        models[1].recipe.configuration(runner.shape).make().fit_aligned(hold_back(1).past)
    )
    np.testing.assert_allclose(once[1].again, expected)
    assert settled(twice)[0].recipe.model == "item_neighbours"  # the first share saw no difference
