import pandas as pd
import pyarrow.compute as pc
import pytest


@pytest.fixture(scope="module")
def frame(sound):
    columns = ["event_id", "event_type", "user_id", "anonymous_id", "consent", "city", "occurred_at"]
    return sound.select(columns).to_pandas().drop_duplicates("event_id")


def test_every_user_of_the_truth_can_be_found_in_the_events(frame, truth):
    seen = set(frame["user_id"].dropna()) | set(frame["anonymous_id"].dropna())
    missing = set(truth["users"]["user_id"].to_pylist()) - seen
    assert len(missing) / len(truth["users"]) < 0.002


def test_known_users_were_identified_on_their_devices(frame, truth):
    owners = truth["devices"].to_pandas()
    links = frame[frame["event_type"] == "identify"].dropna(subset=["user_id", "anonymous_id"])
    pairs = set(zip(links["user_id"], links["anonymous_id"], strict=True))
    assert pairs <= set(zip(owners["user_id"], owners["anonymous_id"], strict=True))


def test_visitors_who_identify_later_were_anonymous_before(frame, truth):
    links = frame[frame["event_type"] == "signup"].set_index("user_id")["occurred_at"]
    known = frame[frame["user_id"].isin(links.index)]
    assert (known["occurred_at"] >= known["user_id"].map(links) - pd.Timedelta(seconds=1)).all()
    devices = frame[frame["event_type"] == "signup"].set_index("anonymous_id")["occurred_at"]
    before = frame[frame["anonymous_id"].isin(devices.index)]
    before = before[before["occurred_at"] < before["anonymous_id"].map(devices.groupby(level=0).min())]
    assert len(before) > 1000
    assert before["user_id"].isna().mean() > 0.95  # the others share the device with somebody known


def test_shared_devices_carry_two_people(frame, truth):
    devices = truth["devices"].to_pandas()
    shared = devices[devices["is_shared"]].groupby("anonymous_id")["user_id"].nunique()
    assert set(shared) == {2}
    seen = frame[frame["anonymous_id"].isin(shared.index) & frame["user_id"].notna()]
    assert (seen.groupby("anonymous_id")["user_id"].nunique() == 2).mean() > 0.5


def test_some_people_are_never_known(truth):
    anonymous = pc.starts_with(truth["users"].filter(pc.invert(truth["users"]["is_bot"]))["user_id"], "d")
    assert pc.mean(pc.cast(anonymous, "int8")).as_py() == pytest.approx(0.12, abs=0.05)


def test_a_withdrawal_takes_the_purposes_away_from_then_on(frame):
    withdrawn = frame[(frame["event_type"] == "consent_withdrawn") & frame["user_id"].notna()]
    assert len(withdrawn) > 5
    for row in withdrawn.itertuples():
        own = frame[frame["user_id"] == row.user_id]
        after = own[own["occurred_at"] > row.occurred_at]
        assert not any("personalization" in consent for consent in after["consent"])
        before = own[own["occurred_at"] < row.occurred_at - pd.Timedelta(days=1)]
        assert all("personalization" in consent for consent in before["consent"])


def test_cities_are_known_only_with_consent_to_the_location(frame):
    granted = frame["consent"].map(lambda purposes: "location" in purposes)
    assert frame.loc[~granted, "city"].isna().all()
    assert frame.loc[granted, "city"].notna().all()
    assert granted.mean() == pytest.approx(0.62, abs=0.06)
