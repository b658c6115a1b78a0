import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.models.popularity import Popularity
from ml.recommenders.newcomers.welcome import Welcome
from ml.recommenders.selection.cold_start import (
    cold_start_curves,
    curves_plot,
    curves_table,
    first_events,
    measured_curves,
    sure_curve,
)
from ml.recommenders.selection.compare import Configuration
from ml.recommenders.training_data import TrainingData


@pytest.fixture(scope="module")
def data(two_tastes, user_features, item_features):
    return TrainingData.align(two_tastes, user_features, item_features)


def test_first_events_are_the_earliest(data):
    history = first_events(data.interactions, 2)
    assert np.diff(history.indptr).max() == 2
    row = 0
    own = slice(data.interactions.matrix.indptr[row], data.interactions.matrix.indptr[row + 1])
    order = np.argsort(data.interactions.timestamps[own], kind="stable")[:2]
    assert set(history[row].indices) == set(data.interactions.columns[own][order])


def test_what_was_rejected_is_no_known_event_and_not_wanted_later(two_tastes_table):
    """The first event of each is a rejection: nobody's list may be judged by it."""
    times = two_tastes_table["timestamp"].to_numpy()
    users = two_tastes_table["user_id"].to_numpy(zero_copy_only=False)
    first = np.array([times[user == users].min() == time for user, time in zip(users, times, strict=True)])
    weights = pa.array(np.where(first, -1.0, 1.0), pa.float32())
    pairs = Interactions.from_table(two_tastes_table.append_column("weight", weights))
    history = first_events(pairs, 2)
    assert (pairs.matrix.multiply(history).data > 0).all()
    assert ((pairs.liked - first_events(pairs, 5)).data >= 0).all()


def test_curves_rise_for_what_learns_and_are_level_for_what_does_not(data):
    curves = measured_curves(Configuration("ease", {"regularization": 20.0}), data, 1_000, seed=1)
    assert set(curves) == {"popularity", "fold-in", "content", "segment"}
    assert list(curves["fold-in"]) == [0, 1, 2, 5]
    assert curves["fold-in"][5].mean() > curves["fold-in"][0].mean() + 0.1
    assert curves["segment"][0].mean() > curves["popularity"][0].mean() + 0.1
    assert len(curves_plot(curves, 10).axes[0].containers) == 4
    table = curves_table(curves).to_pylist()
    assert len(table) == 16
    assert all(row["low"] <= row["ndcg"] <= row["high"] for row in table)
    learned = sure_curve(curves["fold-in"])
    assert learned[0] == curves["fold-in"][0].mean()
    assert learned[5] > learned[0] + 0.1


def test_one_person_is_too_few_for_a_curve(two_tastes_table):
    users = two_tastes_table["user_id"].to_numpy(zero_copy_only=False)
    alone = TrainingData(Interactions.from_table(two_tastes_table.filter(pa.array(users == users[0]))), None, None)
    configuration = Configuration("popularity", {})
    assert measured_curves(configuration, alone, 1_000, seed=42) == {}
    recommender = configuration.make().fit_aligned(alone)
    welcome = Welcome.prepare(recommender, alone, sure_curve({}), {})
    assert welcome is not None
    assert (welcome.learning_curve, welcome.choices()) == ({}, [])


@pytest.mark.parametrize(("n_learned", "sure"), [(1, 0.0), (2, 0.0), (5, 0.5), (10, 1.0)])
def test_a_rise_among_a_few_newcomers_is_no_sure_one(n_learned, sure):
    """Of ten newcomers some go on with the taste of their first two items, which brings them from 0 to 1.

    The others go on with another taste and stay at 0. A resample has mean 0 where it leaves all learned ones out.
    That happens to 35% of the resamples for one (.9^10), to 11% for two (.8^10) and to .1% for five (.5^10):
    the lower end of a 95% interval, below which 2.5% lie, is 0 for one and for two and above it for five.
    """
    likes = {taste: [f"{taste}{number:02}" for number in range(12)] for taste in ("comedy", "opera", "western")}
    rows = [(f"{taste} fan {fan}", item) for taste in likes for fan in range(5) for item in likes[taste]]
    past = TrainingData.align(Interactions.from_table(table_of(rows)))
    new = [
        (f"newcomer {number}", item)
        for number in range(10)
        for item in [*likes["opera"][:2], *likes["opera" if number < n_learned else "western"][2:]]
    ]
    newcomers = Interactions.from_table(table_of(new))
    newcomers = newcomers.aligned(newcomers.users, past.interactions.items)
    ease = Configuration("ease", {"regularization": 1.0}).make().fit_aligned(past)
    curve = cold_start_curves({"fold-in": ease}, newcomers, (0, 2))["fold-in"]
    assert curve[0].tolist() == [0.0] * 10  # nothing is known: the list is the first ten comedies
    assert curve[2].tolist() == pytest.approx([1.0] * n_learned + [0.0] * (10 - n_learned))
    assert sure_curve(curve) == pytest.approx({0: 0.0, 2: sure})


def table_of(rows):
    users, items = zip(*rows, strict=True)
    return pa.table({"user_id": users, "item_id": items, "timestamp": list(range(len(rows)))})


def test_a_curve_moves_only_where_the_change_is_more_than_chance():
    random = np.random.default_rng(1)
    base = random.random(400)
    lucky = base + random.normal(0, 0.3, 400)
    curve = {0: base, 1: lucky - (lucky - base).mean() + 0.01, 2: base + 0.2, 5: base + 0.2}
    assert sure_curve(curve) == pytest.approx(
        {0: base.mean(), 1: base.mean(), 2: base.mean() + 0.2, 5: base.mean() + 0.2}
    )


def test_too_short_histories_are_an_error(data):
    with pytest.raises(ValueError, match="no user has more than 50 events"):
        cold_start_curves({"popularity": Popularity().fit_aligned(data)}, data.interactions, (0, 50))
