import datetime as dt

import numpy as np
import pandas as pd
import pytest

from ml.sources.simulator import Site
from ml.sources.simulator.calibration import globo_marginals, marginals, plot_marginals, site_marginals
from tests.shared_data import SHARED, needs_shared_data

GLOBO = SHARED / "data/globo"


def test_marginals_of_a_hand_made_log():
    clicks = pd.DataFrame(
        {
            "user": [1, 1, 1, 2, 2, 3],
            "session": [10, 10, 10, 20, 20, 30],  # session 30 has one click and is left out
            "item": ["a", "b", "a", "a", "c", "z"],
            "day": [0, 0, 0, 0, 0, 0],
            "local_hour": [5, 5, 5, 23, 23, 0],
        }
    )
    found = marginals(clicks)
    assert found.session_lengths.tolist() == [0.5, 0.5]
    assert found.clicks_per_user.tolist() == [2, 3]
    assert found.popularity[:4].tolist() == pytest.approx([0.6, 0.8, 1.0, 1.0])
    assert found.hours[5] == pytest.approx(0.6)
    assert found.hours[23] == pytest.approx(0.4)


@needs_shared_data(GLOBO / "clicks.parquet")
def test_the_sites_marginals_are_near_those_of_globo(settings, tmp_path):
    theirs = globo_marginals(GLOBO)
    site = Site(settings.model_copy(update={"users": 4000}), 7, dt.date(2026, 3, 1))
    ours = site_marginals(site, since_day=52)
    assert ours.session_lengths[:5] == pytest.approx(theirs.session_lengths[:5], abs=0.02)
    # as many users with a bit more than a week of clicks; medians of 3 and 4
    for quantile, tolerance in ((0.5, 1), (0.9, 6), (0.95, 8)):
        here, there = (np.quantile(m.clicks_per_user, quantile) for m in (ours, theirs))
        assert abs(here - there) <= tolerance, quantile
    places = [0, 4, 9, 19, 49, 99]
    assert ours.popularity[places] == pytest.approx(theirs.popularity[places], abs=0.1)
    assert np.abs(ours.hours - theirs.hours).max() < 0.02
    plot_marginals(ours, theirs, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
