"""Shares are shares, totals agree, and clicks belong to what was shown; checks find where they do not."""

from __future__ import annotations

import re

import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.settings import load_settings
from orchestration.warehouse.expectations import SUITES, validate
from orchestration.warehouse.warehouse import Warehouse, open_duckdb
from tests.dbt_project.built import Built
from tests.dbt_project.people import VISITORS

SETTINGS = load_settings().warehouse
SHARE = re.compile(r"(^|_)(rate|share|shares|ctr|affinities|frequency|retention)(_low|_high)?$")


def test_a_click_belongs_to_what_was_shown(people: Built) -> None:
    rows = people.rows("select user_id, clicked_impressions, clicked_recommendations from sessions")
    assert {user: tuple(counts) for user, *counts in rows if user in VISITORS} == {
        user: (clicks, recommended) for user, (_, clicks, recommended) in VISITORS.items()
    }


def test_the_click_through_rate_is_a_share_of_what_was_shown(people: Built) -> None:
    # 7 of 13 impressions were clicked; of the 9 that answers brought, 6
    day = people.row("select * from daily_metrics where date = '2026-03-02'")
    assert (day["impressions"], day["clicked_impressions"]) == (13, 7)
    assert day["click_through_rate"] == pytest.approx(7 / 13, abs=1e-6)
    assert (day["recommendation_impressions"], day["clicked_recommendations"]) == (9, 6)
    assert day["recommendation_ctr"] == pytest.approx(6 / 9, abs=1e-6)
    assert people.rows(
        "select impressions, clicked_impressions from items where item_id in ('a', 'z') order by 1"
    ) == [
        (0, 0),
        (11, 6),
    ]


def test_an_item_that_is_bought_unseen_converts_by_less_than_one(people: Built) -> None:
    ((rate,),) = people.rows("select conversion_rate from items where item_id = 'unseen'")
    assert rate == pytest.approx((60 + 0.02 * 50) / (60 + 50), abs=1e-6)


def test_every_share_of_every_mart_is_checked_or_says_what_it_counts(manifest: Manifest) -> None:
    nodes = manifest.nodes.values()
    marts = [node for node in nodes if node.resource_type == "model" and node.fqn[1] in ("marts", "segmented")]
    shares = {
        mart.name
        for mart in marts
        for name, column in mart.columns.items()
        if SHARE.search(name) and column.data_type != "bigint" and not column.config.meta.get("per")
    }
    checked = {
        parent.split(".")[-1]
        for node in nodes
        if node.resource_type == "test" and "rates_are_shares" in node.name
        for parent in node.depends_on.nodes
    }
    assert {"users", "items", "daily_metrics", "retention"} <= shares
    assert shares <= checked


def test_the_data_tests_hold_and_find_what_does_not(people: Built) -> None:
    selected = (
        "rates_are_shares totals_agree_between_marts steps_add_up no_class_is_larger_than_its_evidence no_nulls"
    )
    names = [f"*{name}*" for name in selected.split()]
    excluded = ["--exclude", "tag:after_segmentation"]
    assert len(people.run(["test", "--select", *names, *excluded]).results) >= 7
    got = r"Got [1-9]"
    for change, fault, message in (
        ("update daily_metrics set click_through_rate = 1.44", "rates_are_shares", got),
        ("update daily_metrics set page_views = page_views + 1", "totals_agree_between_marts", got),
        ("update funnels set dropped = dropped + 1 where step = 'page_view'", "steps_add_up", got),
        ("update daily_metrics set active_users = null", "no_nulls", r"null: active_users in \d+ rows"),
    ):
        with open_duckdb(people.home.warehouse) as connection:
            table = change.split()[1]
            connection.execute(f"create table kept as from {table}")
            connection.execute(change)
        try:
            with pytest.raises(AssertionError, match=message):
                people.run(["test", "--select", *[name for name in names if fault in name], *excluded])
        finally:
            with open_duckdb(people.home.warehouse) as connection:
                connection.execute(f"delete from {table}")
                connection.execute(f"insert into {table} from kept")
                connection.execute("drop table kept")


@pytest.mark.parametrize(
    "name", ["users_are_plausible", "items_are_plausible", "totals_of_days_agree", "funnel_steps_add_up"]
)
def test_expectations_hold_on_the_marts(people: Built, name: str) -> None:
    suite = next(suite for suite in SUITES if suite.name == name)
    findings = validate(suite, Warehouse(people.home.warehouse).read(suite.figures), SETTINGS)
    assert [finding for finding in findings if not finding.passed] == []


def test_an_expectation_finds_an_impossible_share(people: Built) -> None:
    suite = next(suite for suite in SUITES if suite.name == "totals_of_days_agree")
    worse = suite.figures.replace("from daily_metrics)", "from (select *, 1.44 as new_rate from daily_metrics))")
    assert worse != suite.figures
    findings = validate(suite, Warehouse(people.home.warehouse).read(worse), SETTINGS)
    assert [finding.figure for finding in findings if not finding.passed] == ["impossible_shares"]
