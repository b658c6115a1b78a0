"""The week of the page Decisions: which rules act when, as a chart and as a table."""

import csv
import dataclasses
import io
import json
import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import publish_with_console

RULES = """rules:
  - id: breakfast
    slots: [hero]
    campaign: spring
    schedule: {hours: "06:00-11:30"}
    valid_until: 2026-06-10T06:00:00Z
    then: {content: short}
  - id: weekend
    slots: [sidebar]
    schedule: {weekdays: [saturday, sunday]}
    then: {content: long}
  - id: over
    valid_until: 2026-06-01T00:00:00Z
    then: {banner: "<script>alert(1)</script>"}
"""
LOCAL = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50_000)}


@pytest.fixture
def client(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    (home.path / "rules.yaml").write_text(RULES)
    warehouse = config.settings.warehouse.model_copy(update={"site_timezone": "Europe/Berlin"})
    settings = config.settings.model_copy(update={"warehouse": warehouse})
    with TestClient(
        application(Tessera(dataclasses.replace(config, settings=settings), seed=1)), **LOCAL
    ) as client:
        yield client


def table(client, query):
    text = client.get(f"/console/decisions/week.csv?{query}").text
    return {row["Rule"]: row for row in csv.DictReader(io.StringIO(text))}


def test_each_day_of_a_rule_has_its_hours_until_it_is_over(client):
    rows = table(client, "week=2026-06-11")
    morning = "06:00–11:30"
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Saturday", "Sunday")
    assert [rows["breakfast"][day] for day in days] == [morning, morning, "06:00–08:00", "", "", ""]
    assert rows["breakfast"]["Until"] == "2026-06-10 08:00"  # in Berlin
    assert rows["breakfast"]["Campaign"] == "spring"
    assert [rows["weekend"][day] for day in days] == ["", "", "", "", "all day", "all day"]
    assert {rows["over"][day] for day in days} == {""}


def test_the_chart_draws_the_minutes_of_each_hour(client):
    page = client.get("/console/decisions?week=2026-06-08").text
    chart = next(json.loads(text) for text in re.findall(r"data-chart='([^']*)'", page) if '"week"' in text)
    assert chart["y"] == ["breakfast", "weekend", "over"]
    minutes = {(place, row): count for place, row, count in chart["cells"]}
    assert [minutes.get((hour, 0), 0) for hour in (5, 6, 10, 11, 12)] == [0, 60, 60, 30, 0]
    assert sum(count for (_, row), count in minutes.items() if row == 1) == 2 * 24 * 60
    assert (5 * 24, 1) in minutes
    assert chart["days"][5] == "Saturday 2026-06-13"


def test_a_slot_chooses_its_rules_and_those_of_any_slot(client):
    assert set(table(client, "week=2026-06-08&of=sidebar")) == {"weekend", "over"}


@pytest.mark.parametrize("week", ["soon", "1999-01-01", "<script>"])
def test_what_is_no_week_is_refused(client, week):
    answer = client.get("/console/decisions", params={"week": week})
    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert "week is" in unescape(answer.text)
