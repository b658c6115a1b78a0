"""Who came, how often, and what they are called for it."""

from __future__ import annotations

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from ml.settings import load_settings

SETTINGS = load_settings().warehouse


@pytest.fixture(scope="module")
def days(certain: pd.DataFrame) -> pd.DataFrame:
    """First and last event of each person, and the number of UTC days on which visits began."""
    people = certain.groupby("person")
    return pd.DataFrame(
        {
            "first_seen_at": people["at"].min(),
            "last_seen_at": people["at"].max(),
            "active_days": certain.groupby("person")["started_at"].agg(lambda at: at.dt.floor("D").nunique()),
        }
    )


def test_days_and_times_of_every_certain_person_are_those_of_the_events(days: pd.DataFrame, mart) -> None:
    users = mart("select user_id, first_seen_at, last_seen_at, active_days from users").set_index("user_id")
    both = days.join(users.add_suffix("_mart"), how="left")
    assert len(both) > 300
    assert both["active_days_mart"].notna().all()
    for name in ("first_seen_at", "last_seen_at", "active_days"):
        assert (both[name] == both[f"{name}_mart"]).all(), both[both[name] != both[f"{name}_mart"]].head()


def test_a_class_of_engagement_is_no_larger_than_its_evidence(
    days: pd.DataFrame, events: pd.DataFrame, mart
) -> None:
    """One-time is who came on one day; frequent is who surely comes back on so many of the days."""
    as_of = mart("select max(last_seen_at) as at from users")["at"][0]

    def judge(row: pd.Series) -> str:
        if as_of - row["first_seen_at"] < pd.Timedelta(days=SETTINGS.new_days):
            return "new"
        returns = row["active_days"] - 1
        if returns == 0:
            return "one-time"
        if as_of - row["last_seen_at"] >= pd.Timedelta(days=SETTINGS.inactive_days):
            return "inactive"
        observed = max((as_of.floor("D") - row["first_seen_at"].floor("D")).days, returns, 1)
        low, _ = proportion_confint(returns, observed, alpha=0.1, method="wilson")
        return "frequent" if low >= SETTINGS.frequent_active_share else "occasional"

    expected = days.apply(judge, axis=1)
    found = mart("select user_id, engagement_class from users").set_index("user_id")["engagement_class"]
    wrong = expected[expected != found.reindex(expected.index)]
    assert wrong.empty, wrong.head()
    assert set(expected) >= {"new", "one-time", "frequent", "occasional"}


def test_passers_by_of_a_single_day_are_never_called_frequent(truth, mart) -> None:
    passers_by = set(truth("passers_by")["user_id"])
    users = mart("select user_id, engagement_class from users")
    classes = users.loc[users["user_id"].isin(passers_by), "engagement_class"]
    assert len(classes) > 100
    assert set(classes) <= {"new", "one-time"}


def test_bots_are_counted_nowhere_and_people_everywhere(truth, mart) -> None:
    people = truth("users")
    bots = set(people.loc[people["is_bot"], "user_id"])
    counted = set(mart("select user_id from users")["user_id"])
    assert bots
    assert not bots & counted
    sessions = mart("select user_id, is_bot from sessions")
    humans = sessions[sessions["user_id"].isin(set(people.loc[~people["is_bot"], "user_id"]))]
    assert humans["is_bot"].mean() < 0.001


def test_local_dayparts_are_the_planted_ones(truth, mart) -> None:
    planted = truth("users").set_index("user_id")
    users = mart("select user_id, daypart, sessions from users where sessions >= 6").set_index("user_id")
    both = users.join(planted["daypart"].rename("daypart_planted"), how="inner").dropna()
    assert len(both) >= 40
    assert (both["daypart"] == both["daypart_planted"]).mean() >= 0.9


def test_sessions_by_local_hour_are_counted_in_the_persons_own_zone(certain: pd.DataFrame, truth, mart) -> None:
    zones = truth("users").set_index("user_id")["timezone"]
    visits = certain.groupby("visit").agg(person=("person", "first"), started_at=("started_at", "first"))
    visits = visits[visits["person"].isin(zones.index)]
    local = [
        pd.Timestamp(at).tz_localize("UTC").tz_convert(zones[person]).hour
        for person, at in zip(visits["person"], visits["started_at"], strict=True)
    ]
    plain = visits.assign(hour=local).groupby(["person", "hour"]).size()
    sessions = mart("select user_id, device_id, local_hour from sessions where not is_bot")
    counted = sessions[sessions["user_id"].isin(set(visits["person"]))].groupby(["user_id", "local_hour"]).size()
    together = pd.concat(
        [plain.rename("plain"), counted.rename("counted").rename_axis(["person", "hour"])], axis=1
    )
    # Visits that a campaign link cuts in two, and journeys abroad, are few.
    assert (together["plain"] == together["counted"]).mean() > 0.95
