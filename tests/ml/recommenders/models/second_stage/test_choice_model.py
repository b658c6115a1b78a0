import numpy as np
import pytest

from ml.recommenders.models.second_stage import stacking
from ml.recommenders.models.second_stage.choice_model import ChoiceModel
from ml.recommenders.models.second_stage.stacking import Stacked
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.training_data import TrainingData

N_USERS, N_ITEMS = 800, 20


@pytest.fixture(scope="module")
def choices():
    """Users take by the first feature, active ones the more so; the second is noise, the third the user's."""
    random = np.random.default_rng(0)
    activity = random.normal(3, 1, N_USERS)
    x = random.normal(size=(N_USERS, N_ITEMS, 3)).astype(np.float32)
    x[:, :, 2] = activity[:, None]
    utility = x[:, :, 0] * (1 + 0.5 * (activity[:, None] - 3)) + random.gumbel(size=(N_USERS, N_ITEMS))
    taken = utility == utility.max(axis=1, keepdims=True)
    return x.reshape(-1, 3), taken.ravel(), np.full(N_USERS, N_ITEMS), activity


def test_slopes_are_found_also_those_that_grow_with_activity(choices):
    model = ChoiceModel.fit(*choices)
    mean, change = model.slopes[:, 0]
    assert mean == pytest.approx(1.0, abs=0.15)
    assert change == pytest.approx(0.5, abs=0.15)
    assert np.abs(model.slopes[:, 1]).max() < 0.15
    assert (model.slopes[:, 2] == 0).all()  # the same for all items of a user


def test_utilities_do_not_depend_on_what_all_items_of_a_user_share(choices):
    x, taken, sizes, activity = choices
    model = ChoiceModel.fit(x, taken, sizes, activity)
    shifted = x + np.repeat(np.arange(N_USERS) % 7, N_ITEMS)[:, None].astype(np.float32)
    np.testing.assert_allclose(
        model.utilities(shifted, sizes, activity), model.utilities(x, sizes, activity), atol=1e-4
    )


def test_a_second_stage_of_choices_finds_the_taste_and_survives_its_folder(
    two_tastes, user_features, item_features, tmp_path
):
    parts = [{"model": "ease", "params": {"regularization": 20.0}}, {"model": "als", "params": {"n_factors": 8}}]
    data = TrainingData.align(two_tastes, user_features, item_features)
    model = Stacked(parts, objective="choice").fit_aligned(data)
    users = [f"u{user}" for user in range(20)]
    rows = model.recommend(users, 3).to_table()
    fitting = [int(row["item_id"][1:]) % 2 == int(row["user_id"][1:]) % 2 for row in rows.to_pylist()]
    assert np.mean(fitting) > 0.9
    model.save(tmp_path / "model")
    assert load_recommender(tmp_path / "model").recommend(users, 3).to_table() == rows


@pytest.mark.parametrize("folds_by", ["random", "time"])
def test_a_choice_is_learned_from_so_many_users_of_all_folds_together(folds_by, two_tastes, monkeypatch):
    monkeypatch.setattr(stacking, "MOST_USERS", 40)
    learned = []
    fit = ChoiceModel.fit

    def counted(features, taken, sizes, activity):
        learned.append(len(sizes))
        return fit(features, taken, sizes, activity)

    monkeypatch.setattr(ChoiceModel, "fit", counted)
    parts = [{"model": "svd", "params": {"n_factors": 4}}]
    Stacked(parts, folds_by, 4, objective="choice").fit_aligned(TrainingData.align(two_tastes))
    assert learned == [40]
