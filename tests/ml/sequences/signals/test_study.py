import datetime as dt

import numpy as np
import pytest
import yaml

from ml.decisions.rules.rules_file import load_rules
from ml.sequences.signals.proposals import propose_triggers, report_signals
from ml.sequences.signals.study import SIGNALS, study_signals
from ml.sequences.signals.visit_signals import collect_signals
from tests.ml.sequences.intent.site_of_visits import table_of

PLAN, TERMS = ("click", "plan"), ("click", "terms")


def rows_of(visit, person, begin, *actions):
    return [
        (visit, person, begin + place, kind, element, "shoe" if kind == "page_view" else None, value)
        for place, (kind, element, *values) in enumerate(actions)
        for value in (values[0] if values else None,)
    ]


QUIET = [row for n in range(9) for row in rows_of(90 + n, f"zed{n}", 0, ("page_view", None))]


def collect(rows, minimum_people=1):
    return collect_signals(table_of(rows), frozenset({"shoe"}), {"ann": "fans"}, "purchase", minimum_people)


def test_only_what_came_before_the_conversion_counts():
    visits = collect(
        [
            *rows_of(1, "ann", 0, ("page_view", None), PLAN, ("purchase", None), TERMS),
            *rows_of(2, "bob", 0, ("page_view", None), TERMS, PLAN, PLAN),
            *QUIET,
        ]
    )
    assert set(visits.signals) == {"click:plan", "click:terms"}
    plan, terms = visits.signals.index("click:plan"), visits.signals.index("click:terms")
    assert visits.has[:2, [plan, terms]].tolist() == [[True, False], [True, True]]
    assert visits.converted[:2].tolist() == [True, False]
    assert visits.segments[:2].tolist() == ["fans", None]
    assert visits.first[1, terms] < visits.first[1, plan] < visits.last[1, plan]


def test_doses_are_means_and_a_signal_without_a_value_has_none():
    visits = collect(
        rows_of(1, "ann", 0, ("page_view", None), ("hover", "price", 200.0), ("hover", "price", 300.0), PLAN)
        + QUIET
    )
    doses = dict(zip(visits.signals, visits.doses[0].tolist(), strict=True))
    assert doses["hover:price"] == 250.0
    assert np.isnan(doses["click:plan"])


def test_what_most_visits_do_is_no_signal():
    rows = [row for n in range(5) for row in rows_of(n, f"u{n}", 0, ("page_view", None), TERMS, *[PLAN] * (n < 2))]
    assert collect(rows).signals == ("click:plan",)


def test_a_visit_without_an_item_is_not_compared():
    rows = [(1, "ann", 0, "page_view", None, None, None), (1, "ann", 1, "click", "plan", None, None)]
    assert len(collect(rows).converted) == 0


def test_of_no_visits_nothing_is_said():
    table = study_signals(collect(rows_of(1, "ann", 0, ("page_view", None), PLAN)), 20, 1)
    assert table.schema == SIGNALS
    assert table.num_rows == 0


@pytest.fixture(scope="module")
def studied():
    """The plan doubles conversion, terms do nothing alone, and once more double it where they follow the plan."""
    generator = np.random.default_rng(1)
    rows = []
    for visit in range(12_000):
        actions = [action for action in (PLAN, TERMS, ("click", "logo")) if generator.random() < 0.3]
        generator.shuffle(actions)
        actions = [tuple(action) for action in actions]
        in_order = PLAN in actions and TERMS in actions and actions.index(PLAN) < actions.index(TERMS)
        chance = 0.06 * (2 if PLAN in actions else 1) * (2 if in_order else 1)
        ends = [("purchase", None)] if generator.random() < chance else []
        rows += rows_of(visit, f"u{visit // 2:05d}", 100 * visit, ("page_view", None), *actions, *ends)
    return study_signals(collect(rows, 20), 20, 1)


def one(table, comparison, signal, then=None):
    rows = [
        row
        for row in table.to_pylist()
        if (row["comparison"], row["signal"], row["then_signal"], row["segment"])
        == (comparison, signal, then, "all")
    ]
    assert len(rows) == 1
    return rows[0]


def test_a_signal_that_raises_conversion_is_found_and_one_that_does_nothing_is_not(studied):
    plan, logo = one(studied, "happened", "click:plan"), one(studied, "happened", "click:logo")
    assert plan["is_discovery"]
    assert (
        plan["lift_low"] < 1.3 < plan["lift_high"]
    )  # of those with the plan, .15 have the order too: 2 × 1.15 - 1
    assert plan["e_value_of_bound"] > 2
    assert not logo["is_discovery"]
    assert logo["lift_low"] < 0 < logo["lift_high"]


def test_an_order_that_raises_conversion_is_found(studied):
    order = one(studied, "followed", "click:plan", "click:terms")
    assert order["is_discovery"]
    assert order["lift_low"] < 1.0 < order["lift_high"]
    assert not one(studied, "followed", "click:plan", "click:logo")["is_discovery"]


def test_a_report_lists_what_raises_conversion_the_surest_first(studied):
    reported = report_signals(studied)
    assert reported["everybody"][0]["signal"] == "click:plan"
    assert all(row["is_discovery"] and row["lift_low"] > 0 for rows in reported.values() for row in rows)
    assert "click:logo" not in [row["signal"] for row in reported["everybody"]]
    assert report_signals(studied.slice(0, 0)) == {}


def test_proposals_invite_those_who_lack_the_action(studied, tmp_path):

    proposals = propose_triggers(studied, "sidebar", dt.datetime(2026, 3, 1, 15, tzinfo=dt.UTC))
    by_id = {proposal.experiment_id: proposal for proposal in proposals}
    assert {"invite-click-plan", "invite-click-terms-after-click-plan"} <= by_id.keys()
    assert "invite-click-logo" not in by_id
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"rules": [proposal.rule for proposal in proposals]}))
    conditions = {compiled.rule.id: compiled.condition for compiled in load_rules(file).rules}
    holds = [
        conditions["invite-click-terms-after-click-plan"].matches({"visit.signals": counts})
        for counts in ({}, {"click:plan": 1}, {"click:plan": 1, "click:terms": 2})
    ]
    assert holds == [False, True, False]
    assert conditions["invite-click-plan"].matches({"visit.signals": {"click:terms": 1}})
    assert by_id["invite-click-plan"].experiment["starts_at"] == dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
