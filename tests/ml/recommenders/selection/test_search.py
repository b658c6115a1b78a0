"""The search on a small world: it finds, prunes, ends, and goes on where a killed one was."""

import json

import numpy as np
import optuna
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from ml.recommenders.selection import search as searching
from ml.recommenders.selection.search import best_intervals, search, search_table
from ml.recommenders.selection.search_spaces import SPACES
from ml.recommenders.training_data import TrainingData
from ml.recommenders.validation import ValidationWindow


@pytest.fixture(scope="module")
def window(two_tastes, user_features, item_features):
    return ValidationWindow.hold_back(TrainingData.align(two_tastes, user_features, item_features), "random")


def run(tmp_path, window, models=("ease", "lightfm_warp"), **options):
    return search(models, window, file=tmp_path / "search.journal", name="study", **{"work": 1e6, **options})


@pytest.mark.parametrize("model", list(SPACES))
def test_every_space_fits_its_model_and_holds_its_defaults(model):
    study = optuna.create_study()
    trial = study.ask()
    make_recommender(model, **SPACES[model].suggest(model, trial))
    defaults = make_recommender(model).params()
    for name, value in SPACES[model].encoded(model, defaults).items():
        assert name in trial.params, name
        assert trial.distributions[name]._contains(trial.distributions[name].to_internal_repr(value)), (
            name,
            value,
        )


def test_each_model_is_tried_with_its_defaults_first_and_the_best_comes_first(tmp_path, window):
    seen = []
    found = run(tmp_path, window, most_trials=6, finished=seen.append)
    assert [trial.number for trial in seen] == list(range(6))
    assert [trial.configuration.model for trial in seen[:2]] == ["ease", "lightfm_warp"]
    assert seen[0].configuration.params["regularization"] == make_recommender("ease").params()["regularization"]
    means = [trial.interval.mean for trial in found if trial.state == "complete"]
    assert means == sorted(means, reverse=True)
    # The value is that of the configuration: fitted again, it is the same.
    again = window.ndcg(found[0].configuration.make().fit_aligned(window.past))
    assert np.nanmean(again) == pytest.approx(found[0].interval.mean)


def test_a_killed_search_goes_on_with_the_trial_that_was_under_way(tmp_path, window):
    run(tmp_path, window, models=["ease"], most_trials=1)
    # A process that dies leaves a trial in the journal that runs for ever.
    trial = searching._study(tmp_path / "search.journal", "study", 0).ask()
    trial.suggest_categorical("model", ["ease"])
    tried = SPACES["ease"].suggest("ease", trial)
    found = run(tmp_path, window, models=["ease"], most_trials=1)
    states = {trial.number: trial.state for trial in found}
    assert states == {0: "complete", 1: "failed", 2: "complete"}
    taken_up = next(trial for trial in found if trial.number == 2)
    assert taken_up.configuration.params["regularization"] == tried["regularization"]


def test_the_work_is_that_of_the_study_and_decides_how_many_trials_there_are(tmp_path, window):
    first = run(tmp_path, window, models=["ease"], most_trials=2)
    spent = sum(trial.work for trial in first)
    again = run(tmp_path, window, models=["ease"], work=spent)
    assert [trial.number for trial in again] == [trial.number for trial in first]
    assert len(run(tmp_path, window, models=["ease"], work=1.2 * spent)) == 3
    one, other = (
        search(["ease"], window, file=tmp_path / name, name="study", work=2 * spent) for name in ("one", "other")
    )
    assert [(trial.configuration, trial.interval.mean) for trial in one] == [
        (trial.configuration, trial.interval.mean) for trial in other
    ]


def test_hopeless_trials_are_pruned(tmp_path, window, monkeypatch):
    values = iter([0.5] * 6 + [0.1])
    monkeypatch.setattr(searching, "PREVIEW_USERS", 1.0)

    class Worse:
        """A window on which the seventh configuration is far worse than all before it."""

        past, users, columns = window.past, window.users, window.columns

        def judge(self, recommender):
            return np.full(4, next(values)) if next_is_preview() else np.full(4, 0.5)

    calls = iter(range(100))

    def next_is_preview():
        return next(calls) % 2 == 0

    found = run(tmp_path, Worse(), models=["trending"], most_trials=7)
    assert [trial.number for trial in found if trial.state == "pruned"] == [6]


def test_table_and_plot_tell_of_the_trials(tmp_path, window):
    found = run(tmp_path, window, models=["ease"], most_trials=2)
    rows = search_table(found, "ndcg_at_10").to_pylist()
    assert {json.loads(row["configuration"])["model"] for row in rows} == {"ease"}
    assert all(row["low"] <= row["ndcg_at_10"] <= row["high"] for row in rows)
    assert set(best_intervals(found)) == {"ease #0", "ease #1"}


def test_a_model_without_a_space_is_refused_with_those_that_have_one(tmp_path, window):
    with pytest.raises(ValueError, match="no space to search for stacked; there are lightfm_warp"):
        run(tmp_path, window, models=["stacked"])


def test_what_the_data_do_not_have_is_not_searched(tmp_path, two_tastes_table, window):
    """The window with features and times, and one without either."""
    bare = Interactions.from_table(two_tastes_table.select(["user_id", "item_id"]))
    plain = ValidationWindow.hold_back(TrainingData.align(bare), "random")
    searched = {}
    for name, judged in (("all", window), ("bare", plain)):
        run(tmp_path / name, judged, models=["ease"], most_trials=4)
        trials = searching._study(tmp_path / name / "search.journal", "study", 0).trials
        searched[name] = {key.removeprefix("ease.") for trial in trials for key in trial.params} - {"model"}
    assert searched["all"] - searched["bare"] == {"feature_weight", "window"}
    assert searched["bare"] == {"regularization", "dropout", "row_power"}
