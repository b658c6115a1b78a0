import numpy as np
import pyarrow as pa
import pytest

from ml.dataset.interactions import Interactions
from ml.recommenders.base import TrainingData
from ml.recommenders.models.popularity import Popularity
from ml.recommenders.selection.cold_start import cold_start_curves, curves_plot, first_events, measured_curves
from ml.recommenders.selection.compare import Configuration


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
    assert curves["fold-in"][5] > curves["fold-in"][0] + 0.1
    assert curves["segment"][0] > curves["popularity"][0] + 0.1
    assert len(curves_plot(curves, 10).axes[0].lines) == 4


def test_too_short_histories_are_an_error(data):
    with pytest.raises(ValueError, match="no user has more than 50 events"):
        cold_start_curves({"popularity": Popularity().fit_aligned(data)}, data.interactions, (0, 50))
