"""Rage clicks, dead clicks and reversals: what the shipped tracker reports arrives in the marts, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dbt_project.built import Built
from tests.dbt_project.people import REPORTS

TRACKER = Path(__file__).parents[2] / "serving/demo_site/static/micro-interactions.js"


def test_the_tracker_reports_what_the_marts_count() -> None:
    reported = re.findall(r'report\("(custom:[a-z_]+)"', TRACKER.read_text(encoding="utf-8"))
    assert set(reported) == set(REPORTS)


@pytest.mark.parametrize("column", REPORTS.values())
def test_each_report_counts_once(people: Built, column: str) -> None:
    assert people.row("select * from sessions where user_id = 'reported'")[column] == 2


def test_reports_are_signals_by_the_name_of_what_is_recognized(people: Built) -> None:
    session = people.row("select * from sessions where user_id = 'reported'")
    assert session["signals_before_conversion"] == {"rage_click": 2, "dead_click": 2, "scroll_reversal": 2}


def test_a_dead_click_that_is_reported_twice_over_counts_once(people: Built) -> None:
    session = people.row("select * from sessions where user_id = 'dead'")
    assert session["dead_clicks"] == 1
    assert session["signals_before_conversion"] == {"click:buy": 1, "dead_click": 1}


def test_a_report_beside_its_clicks_is_one_rage_click(people: Built) -> None:
    session = people.row("select * from sessions where user_id = 'both'")
    assert (session["rage_clicks"], session["dead_clicks"]) == (1, 0)
    assert session["signals_before_conversion"] == {"click:buy": 3, "rage_click": 1}
    assert people.row("select rage_clicks from users where user_id = 'both'") == {"rage_clicks": 1}
