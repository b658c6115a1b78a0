"""What the marts say of a few people, worked out by hand."""

import datetime as dt
import json

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import START, Built


def at(minute: float) -> dt.datetime:
    return (START + dt.timedelta(minutes=minute)).replace(tzinfo=None)


def test_an_empty_log_builds_empty_marts(empty: Built) -> None:
    assert empty.rows("select count(*) from sessions") == [(0,)]
    assert empty.rows("select count(*) from interactions") == [(0,)]


def test_silence_of_more_than_thirty_minutes_ends_a_session(people: Built) -> None:
    assert people.rows(
        "select started_at, ended_at, page_views from sessions where user_id = 'silent' order by 1"
    ) == [(at(0), at(30), 2), (at(60 + 1 / 60), at(60 + 1 / 60), 1)]


def test_a_repeat_is_the_same_event(people: Built) -> None:
    assert people.rows("select events from users where user_id = 'twice'") == [(1,)]


def test_a_new_campaign_starts_a_new_session(people: Built) -> None:
    assert people.rows(
        "select started_at, page_views, campaign from sessions where user_id = 'lured' order by 1"
    ) == [(at(0), 1, None), (at(5), 2, "spring")]


def test_engaged_seconds_come_from_distinct_heartbeats(people: Built) -> None:
    assert people.rows(
        """select page_url, path_position, engaged_seconds, scroll_depth, is_entry, is_exit, next_page_key
        from page_views where user_id = 'ann' order by 2"""
    ) == [
        ("/long", 1, 20.0, 70.0, True, False, "/short"),
        ("/short", 2, 0.0, None, False, False, "/long"),
        ("/long", 3, 10.0, None, False, True, None),
    ]


def test_strength_is_weight_times_dwell(people: Built) -> None:
    # two views and a purchase: 1 + 1 + 8, attention 30 of 120 s
    query = "select strength, purchases, revenue from user_items where user_id = 'ann' and item_id = 'boots'"
    assert people.rows(query) == [
        (12.5, 1, 80.0)
    ]  # fmt: skip


def test_what_was_bought_and_given_back_is_a_plain_zero(people: Built) -> None:
    for revenue in ("revenue from sessions", "revenue from user_days", "monetary from users"):
        assert str(people.rows(f"select {revenue} where user_id = 'refunded'")) == "[(0.0,)]"


def test_affinities_are_shares_of_strength(people: Built) -> None:
    user = people.row("select * from users where user_id = 'ann'")
    # the scarf's one view, two minutes older than the purchase, has hardly decayed
    assert user["category_affinities"] == pytest.approx({"shoes": 12.5 / 13.5, "wool": 1 / 13.5}, abs=1e-4)
    assert user["category_shares"] == pytest.approx({"shoes": 2 / 3, "wool": 1 / 3}, abs=1e-6)
    assert user["mean_price_viewed"] == pytest.approx(60.0)
    assert user["top_category"] == "shoes"


def test_a_shared_device_does_not_merge_two_people(people: Built) -> None:
    # what came before the first login is the first one's
    events = "select user_id, events from users where user_id in ('kiosk', 'kim', 'lee') order by 1"
    assert people.rows(events) == [("kim", 2), ("lee", 1)]


def test_a_late_identify_moves_the_old_sessions(people: Built) -> None:
    assert people.rows("select user_id, sessions, devices from users where user_id in ('phone', 'mia')") == [
        ("mia", 2, 1)
    ]


def test_micro_interactions_are_counted(people: Built) -> None:
    session = people.row("select * from sessions where user_id = 'rage'")
    assert (session["rage_clicks"], session["dead_clicks"], session["scroll_reversals"]) == (2, 4, 2)
    assert session["signals_before_conversion"] == {
        "click:buy": 4, "scroll": 4, "rage_click": 2, "dead_click": 4, "scroll_reversal": 2,
    }  # fmt: skip


def test_dayparts_follow_the_local_clock_over_the_end_of_summer_time(people: Built) -> None:
    assert people.rows(
        "select local_started_at, daypart from sessions where user_id = 'owl' order by started_at"
    ) == [(dt.datetime(2026, 11, 1, 1, 30), "night"), (dt.datetime(2026, 11, 1, 1, 30), "night")]


def test_a_withdrawn_consent_takes_a_person_out_of_training(people: Built) -> None:
    assert people.rows("select has_personalization_consent from users where user_id = 'gone'") == [(False,)]
    assert people.rows("select count(*) from interactions where user_id = 'gone'") == [(0,)]


def test_of_what_people_set_the_last_statement_counts_also_where_it_takes_back(people: Built) -> None:
    assert people.row("select * from preferences") == {
        "user_id": "sleeper",
        "interests": ["b", "c"],
        "muted": None,
        "is_opted_out": True,
        "quiet_from_hour": 22.5,
        "quiet_until_hour": 7.0,
    }


def test_bots_are_flagged_and_counted_nowhere_else(people: Built) -> None:
    assert people.rows("select is_bot from sessions where user_id = 'robot'") == [(True,)]
    assert people.rows("select count(*) from users where user_id = 'robot'") == [(0,)]
    assert people.rows("select views, users from items where item_id = 'boots'") == [(4, 2)]


def test_a_channel_is_that_of_the_landing_page(people: Built) -> None:
    query = "select user_id, channel from sessions where user_id in ('fan', 'walker', 'back') order by 1"
    assert people.rows(query) == [("back", "internal"), ("fan", "search"), ("walker", "direct")]


def test_funnel_steps_count_in_order(people: Built) -> None:
    # nobody sends a cart or a checkout, and of those who bought ann alone had looked at a page in that visit
    assert people.rows(
        "select sum(entered), sum(converted) from funnels where funnel = 'purchase' and step_number = 1"
    ) == [(14, 1)]


def test_the_unit_tests_of_the_models_hold(people: Built, manifest: Manifest) -> None:
    outcome = people.run(["test", "--select", "test_type:unit"])
    ran = {result.node.name for result in outcome.results if result.node.resource_type == "unit_test"}
    assert ran == {test.name for test in manifest.unit_tests.values()}


def test_an_answer_knows_what_was_clicked_and_whose_pick_it_was(people: Built) -> None:
    answer = people.row("select * from answers")
    assert (answer["recommendation_id"], answer["user_id"], answer["slot"]) == ("answer-1", "reader", "home")
    assert (answer["role"], answer["model_version"]) == ("interleaved", "m1")
    assert json.loads(answer["items"]) == ["boots", "scarf"]
    assert json.loads(answer["teams"]) == ["champion", "challenger"]
    assert (answer["clicks"], answer["clicked_items"]) == (1, ["scarf"])
