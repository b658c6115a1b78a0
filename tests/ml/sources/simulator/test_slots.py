"""What is logged of slots is what two rankers and a known policy really did."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml.experiments.rankers.answer_log import compare_rankers, evaluate_contents
from ml.sources.simulator.slots import SEEN_BY_RANK, is_drafted

COLUMNS = ["event_id", "event_type", "user_id", "anonymous_id", "device_type", "item_id", "recommendation_id"]


@pytest.fixture(scope="module")
def answers(sound):
    """Columns of the mart `answers`, and the device, from the raw events alone."""
    frame = sound.select([*COLUMNS, "properties"]).to_pandas().drop_duplicates("event_id")
    frame = frame[frame["recommendation_id"].notna()]
    served = frame[frame["event_type"] == "served"].drop(columns="item_id")
    clicks = frame[frame["event_type"] == "click"].groupby("recommendation_id")["item_id"]
    summary = pd.DataFrame(
        {"clicks": clicks.size(), "clicked_items": clicks.apply(lambda items: [*items.dropna()])}
    )
    answers = served.merge(summary, left_on="recommendation_id", right_index=True, how="left")
    answers["clicks"] = answers["clicks"].fillna(0).astype(int)
    answers["clicked_items"] = [items if isinstance(items, list) else None for items in answers["clicked_items"]]
    answers["person"] = answers["user_id"].fillna(answers["anonymous_id"])
    parsed = [json.loads(text) for text in answers["properties"]]
    for name in ("slot", "role"):
        answers[name] = [answer.get(name) for answer in parsed]
    for name in ("items", "propensities", "teams"):
        answers[name] = [json.dumps(answer[name]) if name in answer else None for answer in parsed]
    return answers


def mart(answers):
    columns = ["person", "slot", "items", "propensities", "teams", "clicks", "clicked_items"]
    return pa.Table.from_pandas(answers[columns].rename(columns={"person": "user_id"}), preserve_index=False)


def test_each_ranker_has_one_of_every_two_places_of_a_drafted_list_and_each_is_first_as_often(answers):
    drafted = answers[answers["role"] == "interleaved"]
    teams = np.array([json.loads(text) for text in drafted["teams"]])
    assert len(teams) > 500
    assert ((teams[:, :2] == "champion").sum(axis=1) == 1).all()
    assert ((teams[:, 2:] == "champion").sum(axis=1) == 1).all()
    # 1.96 standard errors of a fair coin are .98 / √n; three of them are 1.5 / √n
    assert (teams[:, 0] == "champion").mean() == pytest.approx(0.5, abs=1.5 / np.sqrt(len(teams)))
    assert all(len(set(json.loads(items))) == len(SEEN_BY_RANK) // 2 for items in drafted["items"])
    assert set(drafted["propensities"]) == {"[]"}


def test_people_prefer_picks_of_what_they_read_to_picks_of_the_front_page(answers):
    preference = compare_rankers(mart(answers))
    assert preference.low > 0
    assert preference.wins_b > preference.wins_a


def test_off_policy_estimates_hold_what_each_content_truly_earns_and_the_plain_share_does_not(answers, truth):
    hero = answers[answers["slot"] == "hero"]
    device = np.where(hero["device_type"] == "mobile", "mobile", "other")
    chances = truth["contents"].to_pandas().set_index(["content", "device_type"])["click_chance"]
    readings = evaluate_contents(mart(answers), "hero")
    assert [reading.content for reading in readings] == ["editors-choice", "most-read", "new-today"]
    for reading in readings:
        earned = chances[reading.content].loc[device].mean()
        for estimate in reading.estimates:
            assert estimate.low < earned < estimate.high, (reading.content, estimate)
    shown = hero["items"] == '["most-read"]'
    plain = (hero.loc[shown, "clicks"] > 0).mean()
    most_read = next(reading for reading in readings if reading.content == "most-read")
    assert plain > max(estimate.high for estimate in most_read.estimates)  # it was shown where it does best


def test_logged_chances_are_those_of_the_draws(answers, truth):
    hero = answers[answers["slot"] == "hero"]
    device = np.where(hero["device_type"] == "mobile", "mobile", "other")
    for row in truth["contents"].to_pylist():
        there = hero[device == row["device_type"]]
        shown = there["items"] == json.dumps([row["content"]])
        assert shown.mean() == pytest.approx(row["shown_chance"], abs=0.02)
        assert set(there.loc[shown, "propensities"]) == {json.dumps([row["shown_chance"]])}


def test_a_day_without_an_answer_has_no_drafted_list():
    pages = SimpleNamespace(shown=np.zeros((3, 4), np.int64), from_front=np.zeros((3, 4), bool))
    assert is_drafted(pages, np.array([], np.int64)).tolist() == []
