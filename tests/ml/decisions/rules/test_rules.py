import datetime as dt

import pytest

from ml.decisions.rules.rule_tests import build_rule_context, run_rule_tests
from ml.decisions.rules.rules_file import RulesError, load_rules
from ml.site.definition_files import product_config

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)  # a Monday


def rules(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return load_rules(path)


def moment(slot="hero", at=NOON, zone=dt.UTC, **facts):
    return build_rule_context(facts, slot, at, zone)


def test_the_highest_priority_decides_and_says_so(tmp_path):
    rule_set = rules(
        tmp_path,
        """
rules:
  - {id: low, then: {content: a, banner: b}}
  - {id: high, priority: 5, when: country == "DE", then: {content: c}}
""",
    )
    applied = rule_set.evaluate(moment(country="DE"))
    assert applied.actions == {"content": ("c", "high"), "banner": ("b", "low")}
    assert applied.matched == ("high", "low")
    assert rule_set.evaluate(moment(country="FR")).actions["content"] == ("a", "low")


def test_schedules_follow_the_visitors_clock(tmp_path):
    rule_set = rules(
        tmp_path, 'rules: [{id: late, schedule: {hours: "22:00-06:00", weekdays: [monday]}, then: {offer: o}}]'
    )
    at_23 = dt.datetime(2026, 3, 2, 23, tzinfo=dt.UTC)
    assert rule_set.evaluate(moment(at=at_23)).matched == ("late",)
    assert rule_set.evaluate(moment(at=NOON)).matched == ()
    tokyo = dt.timezone(dt.timedelta(hours=9))  # 8:00 on Tuesday
    assert rule_set.evaluate(moment(at=at_23, zone=tokyo)).matched == ()


def test_validity_ends_on_the_second(tmp_path):
    rule_set = rules(tmp_path, "rules: [{id: sale, valid_until: 2026-03-02T12:00:00Z, then: {banner: sale}}]")
    assert rule_set.evaluate(moment(at=NOON - dt.timedelta(seconds=1))).matched == ("sale",)
    assert rule_set.evaluate(moment(at=NOON)).matched == ()


def test_a_share_takes_the_same_visitors_every_time(tmp_path):
    rule_set = rules(tmp_path, "rules: [{id: some, share: 0.3, then: {banner: b}}]")
    from dataclasses import replace

    assert rule_set.evaluate(replace(moment(), share_positions={"some": 0.29})).matched == ("some",)
    assert rule_set.evaluate(replace(moment(), share_positions={"some": 0.30})).matched == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules:\n  - id: a\n    then: {}\n", r"rules.yaml:3: rule a: then: a rule must do something"),
        ("rules:\n  - id: a\n    wen: x\n    then: {banner: b}\n", r"rules.yaml:3: rule a: wen: Extra inputs"),
        ("rules:\n  - id: a\n    when: contry == \"DE\"\n    then: {banner: b}\n", r":3: rule a: when: .*country"),
        (
            "rules:\n  - {id: a, then: {banner: b}}\n  - {id: a, then: {banner: c}}\n",
            r":3: rule a stands here again, first on line 2",
        ),
        (
            "rules:\n  - id: a\n    schedule: {hours: noon}\n    then: {banner: b}\n",
            r":3: rule a: schedule.hours: .*'noon' is not a span",
        ),
        ("rules:\n  - [\n", r"rules.yaml:\d+: no valid YAML"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(RulesError, match=message):
        rules(tmp_path, text)


def test_the_rules_that_come_with_the_product_pass_their_own_tests():
    results = run_rule_tests(product_config() / "rules.yaml")
    assert len(results) == 4
    assert [result.problem for result in results] == [None] * 4


def test_a_failing_rule_test_says_what_came_out(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{id: a, then: {banner: b}}]\ntests: [{name: t, expect: {banner: c}}]")
    assert run_rule_tests(path)[0].problem == "banner is 'b', not 'c'"
