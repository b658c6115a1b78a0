import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info

from ml.sequences.actions import find_signals
from ml.sequences.intent.boosting import BoostingShape, Trees, fit_trees
from ml.sequences.intent.examples import build_examples
from ml.sequences.intent.measures import calibration_error, measure
from ml.sequences.intent.model import IntentFileError, IntentModel, calibrate, split_in_time, study_intent
from ml.sequences.intent.running_visit import RunningVisit
from tests.ml.sequences.intent.site_of_visits import draw_visits

SHAPE = BoostingShape(trees=30)


def study(visits, seed, **how):
    actions, clicks = draw_visits(visits, seed, **how)
    examples = build_examples(actions, find_signals(actions, 5), lambda item: True, "purchase")
    return study_intent(examples, "purchase", 1, SHAPE), clicks


@pytest.fixture(scope="module")
def studied():
    return study(3000, 1)[0]


def test_trees_tell_what_scikit_learn_tells():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2000, 5)).astype(np.float32)
    x[generator.random(x.shape) < 0.1] = np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) ** 2 + generator.normal(size=2000) > 1
    models = [HistGradientBoostingClassifier(max_iter=20, random_state=seed).fit(x, y) for seed in (1, 2)]
    expected = np.mean([model.decision_function(x) for model in models], axis=0)
    np.testing.assert_allclose(Trees.of(models).log_odds(x), expected, rtol=1e-9, atol=1e-9)


def test_trees_are_grown_by_one_thread(monkeypatch):
    threads = []

    def recording_fit(self, *data, fit=HistGradientBoostingClassifier.fit):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
        return fit(self, *data)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", recording_fit)
    features = np.random.default_rng(3).normal(size=(12_000, 2))
    fit_trees(features, features[:, 0] > 0, BoostingShape(trees=2), 1)
    assert set(threads) == {1}  # more would spin while they wait


def test_the_chances_are_those_of_the_visits(studied):
    is_three = studied.tested.lengths == 3
    clicked = studied.tested.features[:, studied.tested.names.index("click:plan")] > 0
    convert = studied.chances[:, 0]
    assert convert[is_three & clicked].mean() == pytest.approx(0.6, abs=0.08)
    assert convert[is_three & ~clicked].mean() == pytest.approx(0.05, abs=0.04)


def test_what_follows_the_purchase_tells_nothing_of_it():
    leaking = study(3000, 1, leaks=True)[0]
    names = leaking.tested.names
    assert "click:receipt" in names  # the signal is there, and would tell every purchase
    rows = [row for row in leaking.measures.to_pylist() if row["target"] == "convert"]
    is_three = leaking.tested.lengths == 3
    clicked = leaking.tested.features[is_three, names.index("click:plan")]
    best = roc_auc_score(
        leaking.tested.labels[is_three, 0], clicked
    )  # nothing but the click goes before a purchase
    assert [row["actions"] for row in rows] == [3, 5, 10]
    assert all(row["auc"] == pytest.approx(best, abs=0.04) for row in rows)
    receipt = leaking.tested.features[:, names.index("click:receipt")]
    assert not receipt[~np.isnan(leaking.tested.labels[:, 0])].any()


def test_a_split_in_time_cuts_no_visit():
    actions, _ = draw_visits(400, 2)
    examples = build_examples(actions, (), lambda item: True, "purchase")
    fitted, calibrated, tested = split_in_time(examples)
    assert (fitted.astype(int) + calibrated + tested == 1).all()
    for earlier, later in ((fitted, calibrated), (calibrated, tested)):
        assert examples.started_at[earlier].max() < examples.started_at[later].min()
        assert not set(examples.visits[earlier]) & set(examples.visits[later])


def test_a_model_that_was_saved_tells_the_same(studied, tmp_path):
    studied.model.save(tmp_path / "intent")
    loaded = IntentModel.load(tmp_path / "intent")
    np.testing.assert_array_equal(loaded.tell_all(studied.tested.features), studied.chances)
    running = RunningVisit()
    running.fold("page_view", 0.0)
    assert loaded.tell(running, lambda item: True) == studied.model.tell(running, lambda item: True)
    running.fold("purchase", 1.0)
    assert "convert" not in loaded.tell(running, lambda item: True)


def test_a_damaged_model_is_refused(studied, tmp_path):
    studied.model.save(tmp_path / "intent")
    (tmp_path / "intent" / "trees.npz").write_bytes(b"PK cut")
    with pytest.raises(IntentFileError, match="unreadable"):
        IntentModel.load(tmp_path / "intent")


def test_of_too_few_visits_nothing_is_told():
    actions, _ = draw_visits(60, 3)
    examples = build_examples(actions, (), lambda item: True, "purchase")
    few = study_intent(examples, "purchase", 1, SHAPE)
    assert "convert" not in few.model.chances
    assert [row for row in few.measures.to_pylist() if row["target"] == "convert"] == []


def test_the_calibration_error_is_the_distance_by_hand():
    labels = np.array([0.0, 1.0] * 50)
    assert calibration_error(labels, np.full(100, 0.5)) == pytest.approx(0.0)
    assert calibration_error(labels, np.full(100, 0.8)) == pytest.approx(0.3)
    assert measure(np.ones(3), np.full(3, 0.9))["auc"] is None


@pytest.mark.parametrize("rows", [1000, 20_000])  # too few for steps, and enough
def test_calibration_turns_scores_into_the_chances_that_were_drawn(rows):
    generator = np.random.default_rng(4)
    true = generator.normal(-1, 1, rows)
    labels = (generator.random(rows) < 1 / (1 + np.exp(-true))).astype(float)
    curve = calibrate(2 * true + 1, labels)  # too sure, and too high
    told = np.interp(2 * np.array([-2.0, 0.0]) + 1, *curve)
    assert told == pytest.approx(1 / (1 + np.exp([2.0, 0.0])), abs=0.06)


def test_no_chance_is_certain():
    log_odds = np.linspace(-4, 4, 4000)
    curve = calibrate(log_odds, (log_odds > 0).astype(float))  # each of 2,000 at either side alike
    assert curve[1].min() == pytest.approx(1 / 2001)
    assert curve[1].max() == pytest.approx(2000 / 2001)
