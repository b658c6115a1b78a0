from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.home import Home
from ml.local_clock import is_within
from ml.segmentation.audiences.membership import UnknownSegmentError, select_members
from ml.segmentation.audiences.rules import (
    RuleSegment,
    SegmentRuleError,
    add_rfm_scores,
    assign_rules,
    load_rules,
    load_site_rules,
    score_quintiles,
)
from ml.settings import load_settings

USERS = pa.table(
    {
        "user_id": ["ann", "bob", "cem", "dia", "eve"],
        "engagement_class": ["frequent", "inactive", "new", "occasional", None],
        "visits": [9, 1, 1, 4, 2],
        "recency_days": [1.0, 120.0, 2.0, 20.0, None],
        "frequency": [0.9, 0.1, 0.2, 0.3, 0.1],
        "monetary": [50.0, 0.0, 0.0, 500.0, 5.0],
    }
)
RULES = [
    RuleSegment("engagement", "frequent", 'engagement_class == "frequent"', "reward"),
    RuleSegment("engagement", "inactive", 'engagement_class == "inactive"', "win back"),
    RuleSegment("size", "heavy", "visits > 3", "thank"),
    RuleSegment("size", "some", "visits > 1", "ask"),
    RuleSegment("own", "spenders", "monetary >= 50", "invoice"),
    RuleSegment("own", "regulars", "visits > 3", "call"),
]
LEARNED = pa.table(
    {"user_id": ["ann", "bob", "cem"], "segment": [1, 2, 1], "name": ["Readers", "Buyers", "Readers"]}
)


def test_the_first_rule_of_a_family_applies_and_all_rules_of_the_family_own() -> None:
    assignments = assign_rules(USERS, RULES)
    assert assignments.column_names == ["user_id", "engagement", "size", "own"]
    assert assignments["engagement"].to_pylist() == ["frequent", "inactive", None, None, None]
    assert assignments["size"].to_pylist() == ["heavy", None, None, "heavy", "some"]
    assert assignments["own"].to_pylist() == [["spenders", "regulars"], [], [], ["spenders", "regulars"], []]


def test_rfm_scores_are_quintiles_of_which_5_is_best() -> None:
    assert score_quintiles(np.arange(10.0)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert score_quintiles(np.array([1.0, 1.0, 1.0, 1.0])).tolist() == [3, 3, 3, 3]
    scored = add_rfm_scores(USERS)
    assert scored["rfm_recency"].to_pylist() == [5, 1, 4, 2, None]
    assert scored["rfm_monetary"].to_pylist() == [4, 1, 1, 5, 3]


def test_who_came_once_is_never_among_the_frequent_however_many_they_are() -> None:
    # 7 passers-by, and 5 people who came back ever more often
    shares = [0.0] * 7 + [0.01, 0.02, 0.1, 0.2, 0.3]
    table = pa.table(
        {
            "user_id": [str(number) for number in range(12)],
            "active_days": [1] * 7 + [2, 3, 8, 20, 30],
            "frequency": [1.0] * 7 + [0.5, *shares[8:]],  # two days of two are a larger share than 30 of 100
            "frequency_low": shares,
        }
    )
    assert add_rfm_scores(table)["rfm_frequency"].to_pylist() == [1] * 7 + [1, 2, 3, 4, 5]
    without_bounds = add_rfm_scores(table.drop_columns(["frequency_low"]))["rfm_frequency"].to_pylist()
    assert without_bounds == [1] * 7 + [5, 1, 2, 3, 4]


def test_equal_users_are_in_one_quintile() -> None:
    table = pa.table({"user_id": list("abcdefgh"), "frequency": [0.1] * 6 + [0.2] * 2})
    scores = add_rfm_scores(table)["rfm_frequency"].to_pylist()
    assert len(set(scores[:6])) == len(set(scores[6:])) == 1
    assert scores[0] < scores[6]


def test_quintiles_are_those_of_the_users_with_consent_wherever_they_are_computed() -> None:
    everybody = pa.table(
        {
            "user_id": list("abcdefghij"),
            "monetary": [1.0, 2.0, 3.0, 4.0, 5.0, 600.0, 700.0, 800.0, 900.0, 1000.0],
            "has_personalization_consent": [True] * 5 + [False] * 4 + [None],
        }
    )
    assert add_rfm_scores(everybody)["rfm_monetary"].to_pylist() == [1, 2, 3, 4, 5] + [None] * 5
    assert add_rfm_scores(everybody.slice(0, 5))["rfm_monetary"].to_pylist() == [1, 2, 3, 4, 5]
    rules = [RuleSegment("rfm", "big_spenders", "rfm_monetary >= 5", "thank")]
    assert select_members("big_spenders", everybody, None, rules).users["user_id"].to_pylist() == ["e"]


def test_a_passer_by_gets_no_word_about_loyalty() -> None:
    columns = {
        "user_id": ["once"], "engagement_class": ["one-time"], "daypart": ["none"], "active_days": [1],
        "recency_days": [30.0], "frequency": [1.0], "monetary": [900.0], "purchases": [1], "checkouts": [1],
        "add_to_carts": [2], "page_views": [9], "device_type": ["mobile"], "country": ["JP"],
        "mean_price_viewed": [10.0], "product_views": [8],
    }  # fmt: skip
    rules = load_site_rules(Home(Path("nowhere")), "segments.yaml")
    assigned = assign_rules(pa.table(columns), rules).to_pylist()[0]
    assert assigned["engagement"] == "one-time"
    strategies = [rule.strategy.lower() for rule in rules if assigned.get(rule.family) == rule.name]
    assert len(strategies) >= 4
    assert [text for text in strategies if "loyal" in text or "reward" in text or "early access" in text] == []


def test_the_shipped_rules_compile_on_the_columns_of_the_mart() -> None:
    columns = {
        "user_id": pa.array(["a"]), "engagement_class": pa.array(["inactive"]), "daypart": pa.array(["night"]),
        "recency_days": pa.array([100.0]), "frequency": pa.array([0.1]), "monetary": pa.array([0.0]),
        "purchases": pa.array([0]), "checkouts": pa.array([0]), "add_to_carts": pa.array([2]),
        "page_views": pa.array([9]), "device_type": pa.array(["mobile"]), "country": pa.array(["JP"]),
        "mean_price_viewed": pa.array([10.0]), "product_views": pa.array([8]),
    }  # fmt: skip
    assignment = assign_rules(
        pa.table(columns), load_site_rules(Home(Path("nowhere")), "segments.yaml")
    ).to_pylist()[0]
    assert assignment["engagement"] == "inactive"
    assert assignment["daypart"] == "night"
    assert assignment["funnel"] == "left_in_cart"
    assert assignment["device"] == "phone"
    assert assignment["place"] == "elsewhere"
    assert assignment["own"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "expected families"),
        ("engagement: 3", "family engagement: expected a mapping from segment names to rules"),
        ("own: {big: {when: 'a > 1'}}", "segment own/big: expected the texts `when` and `strategy`"),
        ("own: {big: {when: 3, strategy: x}}", "segment own/big: expected the texts"),
        ("own: [", "expected the node content"),
    ],
)
def test_a_file_that_is_no_set_of_rules_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "segments.yaml"
    file.write_text(text)
    with pytest.raises(SegmentRuleError, match=r"segments\.yaml") as raised:
        load_rules(file)
    assert message in str(raised.value)


def test_a_rule_on_an_unknown_column_names_the_segment_and_the_legal_names() -> None:
    with pytest.raises(
        SegmentRuleError, match=r"segment own/big: unknown name 'visit'; did you mean 'visits'\? Legal: engage"
    ):
        assign_rules(USERS, [RuleSegment("own", "big", "visit > 3", "x")])


@pytest.mark.parametrize(
    ("selector", "users", "strategies"),
    [
        ("Readers", ["ann", "cem"], ["reward", ""]),
        ("2", ["bob"], ["win back"]),
        ("heavy", ["ann", "dia"], ["thank", "thank"]),
        ("own:spenders", ["ann", "dia"], ["invoice", "invoice"]),
        ("segment == 1 && visits > 3", ["ann"], ["reward"]),
        ('"regulars" in own && size == "heavy" && rfm_monetary > 4', ["dia"], [""]),
    ],
)
def test_members_by_name_number_rule_and_expression(
    selector: str, users: list[str], strategies: list[str]
) -> None:
    members = select_members(selector, USERS, LEARNED, RULES)
    assert members.users["user_id"].to_pylist() == users
    assert members.strategies == strategies


def test_a_selector_that_is_neither_segment_nor_expression_is_refused_with_the_legal_names() -> None:
    with pytest.raises(
        UnknownSegmentError, match=r"'Raeders' is neither a segment \(engagement:frequent, .*Readers, Buyers\)"
    ):
        select_members("Raeders", USERS, LEARNED, RULES)


def test_a_name_in_two_families_needs_its_family() -> None:
    rules = [*RULES, RuleSegment("device", "heavy", "visits > 8", "x")]
    with pytest.raises(UnknownSegmentError, match="use one of: size:heavy, device:heavy"):
        select_members("heavy", USERS, None, rules)
    assert select_members("device:heavy", USERS, None, rules).users["user_id"].to_pylist() == ["ann"]


def test_a_name_of_a_rule_and_of_a_learned_segment_is_refused_with_both_ways_to_say_it() -> None:
    rules = [
        *RULES,
        RuleSegment("kind", "Readers", "visits > 8", "x"),
        RuleSegment("number", "2", "visits > 8", "x"),
    ]
    with pytest.raises(UnknownSegmentError, match="kind:Readers for the former, and for the latter '1'"):
        select_members("Readers", USERS, LEARNED, rules)
    with pytest.raises(UnknownSegmentError, match="number:2 for the former, and for the latter 'Buyers'"):
        select_members("2", USERS, LEARNED, rules)
    assert select_members("kind:Readers", USERS, LEARNED, rules).users["user_id"].to_pylist() == ["ann"]
    assert select_members("1", USERS, LEARNED, rules).users["user_id"].to_pylist() == ["ann", "cem"]


def test_a_misspelt_segment_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UnknownSegmentError, match="did you mean Readers"):
        select_members("Raeders", USERS, LEARNED, RULES)
    with pytest.raises(UnknownSegmentError, match="did you mean inactive"):
        select_members("inactve", USERS, None, RULES)


@pytest.mark.parametrize("field", ["user_id", "device_id", "email"])
def test_no_segment_depends_on_who_somebody_is(field: str) -> None:
    users = USERS if field == "user_id" else USERS.append_column(field, USERS["user_id"])
    for expression in (f'{field} == "ann"', f'{field} != "ann" && visits > 0'):
        with pytest.raises(UnknownSegmentError, match=field):
            select_members(expression, users, LEARNED, RULES)
        with pytest.raises(SegmentRuleError, match=field):
            assign_rules(users, [RuleSegment("own", "ann", expression, "")])


def test_a_rule_states_its_hours_of_sending(tmp_path: Path) -> None:
    file = tmp_path / "segments.yaml"
    file.write_text("size: {heavy: {when: visits > 3, strategy: thank, send: [8, 12.5]}}")
    (rule,) = load_rules(file)
    assert rule.send == (8.0, 12.5)
    assert select_members("heavy", USERS, None, [rule]).hours == [(8.0, 12.5), (8.0, 12.5)]
    for wrong in ("[8]", "[8, 25]", "[8, 8]", "noon"):
        file.write_text(f"size: {{heavy: {{when: visits > 3, strategy: thank, send: {wrong}}}}}")
        with pytest.raises(SegmentRuleError, match="size/heavy: `send` is"):
            load_rules(file)


def test_the_shipped_strategies_send_outside_the_quiet_hours() -> None:
    quiet = load_settings().segmentation.audiences
    for rule in load_site_rules(Home(Path("nowhere")), "segments.yaml"):
        if rule.send is not None:
            hours = [hour for hour in range(24) if is_within(hour, *rule.send)]
            assert any(not is_within(hour, quiet.quiet_from_hour, quiet.quiet_until_hour) for hour in hours), rule


def test_times_can_be_compared_in_rules() -> None:
    table = pa.table({"user_id": ["a", "b"], "first_seen_at": [dt.datetime(2026, 1, 1), dt.datetime(2026, 6, 1)]})
    rule = RuleSegment("own", "early", 'first_seen_at < timestamp("2026-03-01T00:00:00Z")', "x")
    assert assign_rules(table, [rule])["own"].to_pylist() == [["early"], []]


def test_the_segments_of_the_home_take_precedence(tmp_path: Path) -> None:
    (tmp_path / "segments.yaml").write_text("own:\n  regulars: {when: 'sessions > 9', strategy: Thank them. }\n")
    assert load_site_rules(Home(tmp_path), "segments.yaml") == [
        RuleSegment("own", "regulars", "sessions > 9", "Thank them.")
    ]
    with pytest.raises(SegmentRuleError, match=r"none\.yaml"):
        load_site_rules(Home(tmp_path), "none.yaml")
