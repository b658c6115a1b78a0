import datetime as dt

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from ml.settings import load_settings
from ml.sources.simulator import Site
from ml.sources.simulator.personas import DAYPART_HOURS, DAYPARTS, persona_tables
from ml.sources.simulator.population import Engagement
from ml.sources.simulator.visits import hour_profiles, utc_offsets, visits


@pytest.fixture(scope="module")
def calendar(site):
    """(users, days) who comes when, by the planted users."""
    users = site.population(120)
    days = [visits(users, site.settings, site.seed, day, site.date_of(day).weekday()) for day in range(120)]
    return users, np.stack(days, axis=1)


def test_lapsed_users_are_silent_for_the_last_three_months(calendar):
    users, came = calendar
    lapsed = came[users.engagement == Engagement.LAPSED]
    assert len(lapsed) / len(users) == pytest.approx(0.15 / 1.17, abs=0.02)
    assert not lapsed[:, 120 - 90 :].any()
    assert lapsed[:, : 120 - 90].any(axis=1).all()


def test_occasional_users_are_never_away_for_three_months(calendar):
    users, came = calendar
    occasional = came[(users.engagement == Engagement.OCCASIONAL) & (users.from_day < 0)]
    gaps = [np.diff(np.r_[-1, np.flatnonzero(row), 120]).max() for row in occasional]
    assert max(gaps) <= 56  # two periods of at most 28 days
    assert 0.03 < occasional.mean() < 0.15


def test_frequent_users_come_on_most_days(calendar):
    users, came = calendar
    frequent = (users.engagement == Engagement.FREQUENT) & (users.from_day < 0)
    share = came[frequent].mean(axis=1)
    assert share.min() > 0.45
    assert share.mean() == pytest.approx(0.775 * (5 + 2 * 0.85) / 7, abs=0.02)


def test_new_users_come_every_week_and_not_before_their_day(calendar):
    users, came = calendar
    weeks = np.bincount(users.from_day[users.from_day >= 0] // 7)
    assert weeks[:17].tolist() == [15] * 17
    first = came.argmax(axis=1)
    assert (first[users.from_day >= 0] == users.from_day[users.from_day >= 0]).all()


def test_short_plans_have_no_lapsed_users(small_settings):
    users = Site(small_settings, 1, dt.date(2026, 3, 1)).population(30)
    assert not (users.engagement == Engagement.LAPSED).any()


def test_the_favourite_daypart_has_its_share_of_the_hours(settings):
    profiles = np.diff(hour_profiles(settings), axis=1, prepend=0.0)
    for row, (first, last) in enumerate(DAYPART_HOURS):
        hours = [hour % 24 for hour in range(first, last if first < last else last + 24)]
        assert profiles[row, hours].sum() == pytest.approx(0.78)
        assert profiles[row].sum() == pytest.approx(1.0)


def test_dayparts_are_those_of_the_warehouse():
    assert load_settings().warehouse.dayparts == dict(zip(DAYPARTS, DAYPART_HOURS, strict=True))


def test_offsets_follow_daylight_saving():
    winter, summer = utc_offsets(dt.date(2026, 1, 15)), utc_offsets(dt.date(2026, 7, 15))
    assert (winter[0], summer[0]) == (-5, -4)  # New York
    assert (winter[8], summer[8]) == (1, 2)  # Berlin
    assert (winter[13], summer[13]) == (11, 10)  # Sydney


def test_favourite_dayparts_show_in_the_hours_of_the_visits(events, truth):
    users = truth["users"].to_pandas()
    views = events.filter(pc.equal(events["event_type"], "page_view")).to_pandas()
    merged = views.merge(users, on="user_id", suffixes=("", "_truth"))
    local = pd.concat(
        [rows["occurred_at"].dt.tz_convert(zone).dt.hour for zone, rows in merged.groupby("timezone_truth")]
    ).reindex(merged.index)
    evening = local.between(17, 21)
    fans = merged["daypart"] == "evening"
    assert evening[fans].mean() == pytest.approx(0.78, abs=0.06)
    assert evening[~fans].mean() < 0.15


def test_personas_must_be_described():
    assert persona_tables(6).names[0] == "commuter"
    with pytest.raises(ValueError, match="1 is outside 2 to 8"):
        persona_tables(1)


def test_rows_of_persona_tables_are_shares():
    tables = persona_tables(8)
    for table in (tables.interest, tables.dayparts, tables.devices, tables.channels):
        assert table.sum(axis=1) == pytest.approx(np.ones(8))
