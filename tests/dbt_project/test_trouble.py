"""Rage clicks, dead clicks and reversals: what the shipped tracker reports arrives in the marts, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from tests.dbt_project.built import Built, event, warehouse_in

TRACKER = Path(__file__).parents[2] / "serving/demo_site/static/micro-interactions.js"
COLUMNS = {
    "custom:rage_click": "rage_clicks",
    "custom:dead_click": "dead_clicks",
    "custom:scroll_reversal": "scroll_reversals",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    warehouse = warehouse_in(tmp_path_factory.mktemp("trouble") / "home", manifest)
    reported = [event(minute, kind, user_id="reported") for minute, kind in enumerate([*COLUMNS, *COLUMNS])]
    # Three clicks within a second, which the tracker reports beside them: one rage click.
    both = [event(i / 200, "click", user_id="both", properties={"element": "buy"}) for i in range(3)]
    both.append(event(2 / 200, "custom:rage_click", user_id="both"))
    dead = [
        event(0, "click", user_id="dead", properties={"element": "buy", "has_effect": False}),
        event(0, "custom:dead_click", user_id="dead"),
    ]
    warehouse.ingest(*reported, *both, *dead)
    warehouse.build()
    return warehouse


def test_the_tracker_reports_what_the_marts_count() -> None:
    reported = re.findall(r'report\("(custom:[a-z_]+)"', TRACKER.read_text(encoding="utf-8"))
    assert set(reported) == set(COLUMNS)


@pytest.mark.parametrize("column", COLUMNS.values())
def test_each_report_counts_once(built: Built, column: str) -> None:
    assert built.row("select * from sessions where user_id = 'reported'")[column] == 2


def test_reports_are_signals_by_the_name_of_what_is_recognized(built: Built) -> None:
    session = built.row("select * from sessions where user_id = 'reported'")
    assert session["signals_before_conversion"] == {"rage_click": 2, "dead_click": 2, "scroll_reversal": 2}


def test_a_dead_click_that_is_reported_twice_over_counts_once(built: Built) -> None:
    session = built.row("select * from sessions where user_id = 'dead'")
    assert session["dead_clicks"] == 1
    assert session["signals_before_conversion"] == {"click:buy": 1, "dead_click": 1}


def test_a_report_beside_its_clicks_is_one_rage_click(built: Built) -> None:
    session = built.row("select * from sessions where user_id = 'both'")
    assert (session["rage_clicks"], session["dead_clicks"]) == (1, 0)
    assert session["signals_before_conversion"] == {"click:buy": 3, "rage_click": 1}
    assert built.row("select rage_clicks from users where user_id = 'both'") == {"rage_clicks": 1}
