"""The plan of an experiment on the page Experiments: its figures, its curves, and what it refuses."""

import csv
import io
import json
import re
from html import unescape
from math import sqrt
from statistics import NormalDist

import pytest
from starlette.testclient import TestClient
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from serving.application import application
from serving.tessera import Tessera
from tests.serving.console.console_bundle import SCRIPT, publish_with_console
from tests.serving.console.console_reader import ADDRESS, sign_in_as

LOCAL = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50_000)}
NORMAL = NormalDist()
CLICKS = {"metric": "clicks_per_user", "lift": "5", "inference": "fixed", "cuped": "no"}


@pytest.fixture
def client(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with TestClient(application(Tessera(config, seed=1)), **LOCAL) as client:
        yield client


def rows(client, sheet, **query):
    answer = client.get(f"/console/experiments/{sheet}.csv", params=query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def answer_of(client, **query):
    return {row["What"]: row["Value"] for row in rows(client, "design", **query)}


def power_of(units, lift, mean, variance, alpha=0.05, treatment=0.5):
    """Power of the z-test of two means whose standard deviation grows with the mean, worked out by hand."""
    error = sqrt(variance / (units * (1 - treatment)) + variance * (1 + lift) ** 2 / (units * treatment))
    critical = NORMAL.inv_cdf(1 - alpha / 2)
    shift = abs(lift) * mean / error
    return NORMAL.cdf(shift - critical) + NORMAL.cdf(-shift - critical)


def test_people_and_days_of_a_mean_follow_the_textbook(client):
    answer = answer_of(client, **CLICKS)
    people = int(answer["People needed, all variants together"])
    # Two units make both arms one larger: the number is the smallest that reaches 80%, up to that.
    assert power_of(people, 0.05, 10, 25) >= 0.8 > power_of(people - 2, 0.05, 10, 25)
    assert answer["Days of intake, in whole weeks"] == str(7 * -(-people // (7 * 300)))
    assert answer["Days to watch the last people after it"] == "7"
    assert answer["New people a day, the last two weeks"] == "200"
    assert answer["Its standard deviation over people"] == "5.0"


def test_people_for_a_proportion_are_those_of_statsmodels(client):
    answer = answer_of(client, metric="conversion", lift="10", inference="fixed")
    per_arm = NormalIndPower().solve_power(proportion_effectsize(0.11, 0.1), alpha=0.05, power=0.8)
    assert int(answer["People needed, all variants together"]) == pytest.approx(2 * per_arm, rel=0.005)


def test_history_shares_traffic_power_and_confidence_count(client):
    people = int(answer_of(client, **CLICKS)["People needed, all variants together"])
    halved = answer_of(client, **CLICKS | {"cuped": "yes"})
    assert int(halved["People needed, all variants together"]) == pytest.approx(people / 2, abs=2)
    uneven = answer_of(client, **CLICKS, shares="80/20", confidence="99", power="90 %")
    needed = int(uneven["People needed, all variants together"])
    assert power_of(needed, 0.05, 10, 25, 0.01, 0.2) >= 0.9 > power_of(needed - 5, 0.05, 10, 25, 0.01, 0.2)
    three = answer_of(client, **CLICKS, shares="33.3 33.3 33.3", traffic="50")
    pair = int(three["Of them control and one variant: planned_units"])
    # Two variants share the level, and are compared with the control one by one.
    assert power_of(pair, 0.05, 10, 25, 0.025) >= 0.8 > power_of(pair - 2, 0.05, 10, 25, 0.025)
    assert int(three["People needed, all variants together"]) == pytest.approx(1.5 * pair, abs=1)
    assert three["Days of intake, in whole weeks"] == str(7 * -(-(3 * pair / 2) // (7 * 150)))[:-2]


def test_the_curves_are_the_power_of_every_day_and_the_effect_of_every_week(client):
    people = int(answer_of(client, **CLICKS)["People needed, all variants together"])
    days = rows(client, "power", **CLICKS)
    assert len(days) == 90
    for number, row in enumerate(days, start=1):
        units = 300 * min(number, 42) + 200 * max(number - 42, 0)
        assert int(row["People"]) == units
        assert float(row["Power %"]) == pytest.approx(100 * power_of(units, 0.05, 10, 25), abs=0.06)
    weeks = rows(client, "detectable", **CLICKS)
    assert [row["Weeks"] for row in weeks] == [str(week) for week in range(1, 13)]
    assert [float(row["Smallest effect %"]) for row in weeks[:3]] == [
        pytest.approx(5 * sqrt(people / (2_100 * week)), abs=0.011) for week in (1, 2, 3)
    ]
    page = client.get("/console/experiments", params=CLICKS).text
    charts = [json.loads(text) for text in re.findall(r"data-chart='([^']*)'", page)]
    power = next(chart for chart in charts if len(chart["x"]) == 90)
    assert [str(value) for value in power["series"][0]["values"]] == [row["Power %"] for row in days]
    assert set(power["series"][1]["values"]) == {80.0}


def test_the_form_keeps_what_the_address_says(client):
    page = client.get("/console/experiments", params=CLICKS | {"lift": '7.5"><script>'}).text
    form = re.search(r'<form [^>]*aria-labelledby="title-plan".*?</form>', page, re.DOTALL)[0]
    assert 'method="get"' in form
    assert '<option value="clicks_per_user" selected>' in form
    assert '<option value="fixed" selected>' in form
    assert "7.5&#34;&gt;&lt;script&gt;" in form
    assert SCRIPT not in page


@pytest.mark.parametrize(
    ("field", "text", "fault"),
    [
        ("lift", "0", "Smallest effect that matters, %: 0 is no number from 0.01 to 999."),
        ("lift", "nan", "nan is no number"),
        ("lift", "-5", "-5 is no number"),
        ("traffic", "120", "Share of the people who take part, %: 120 is no number from 0.1 to 100."),
        ("traffic", "much", "much is no number"),
        ("power", "100", "Power, %: 100 is no number from 51 to 99.9."),
        ("confidence", "<b>", "Confidence, %: <b> is no number"),
        ("shares", "50 60", "50 60 are not 2 to 10 numbers that make 100"),
        ("shares", "100", "100 are not 2 to 10"),
        ("shares", "120 -20", "120 -20 are not"),
        ("inference", "later", "inference is later; it may be always_valid, group_sequential, fixed."),
        ("cuped", "perhaps", "cuped is perhaps; it may be yes, no."),
        ("metric", "luck", "There is no metric luck; choose one of the list."),
        ("metric", SCRIPT, "cannot be planned: the metric never varied"),
    ],
)
def test_what_cannot_be_planned_is_said_above_the_form(client, field, text, fault):
    answer = client.get("/console/experiments", params=CLICKS | {field: text})
    assert answer.status_code == 200
    said = re.search(r'<p class="fault" role="alert">(.*?)</p>', answer.text)[1]
    assert fault in unescape(said)
    assert "<b>" not in said
    assert SCRIPT not in answer.text
    assert "title-plan" in answer.text
    assert "title-design" not in answer.text.replace("#title-design", "")


def test_an_effect_beyond_certainty_is_refused(client):
    answer = client.get("/console/experiments", params={"metric": "conversion", "lift": "950"})
    assert "takes the proportion 0.1 to 1.05" in answer.text


def test_a_plan_speaks_the_language_of_its_reader(client):
    page = unescape(client.get("/console/experiments", params=CLICKS | {"lift": "2,5", "lang": "de"}).text)
    assert "Nötige Menschen, alle Varianten zusammen" in page
    fault = unescape(client.get("/console/experiments", params=CLICKS | {"lift": "0", "lang": "de"}).text)
    assert "Kleinster Effekt, auf den es ankommt, %: 0 ist keine Zahl von 0,01 bis 999." in fault


def test_where_nothing_is_measured_the_page_says_what_to_do(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables", experiment_baselines=[])
    with TestClient(application(Tessera(config, seed=1)), **LOCAL) as client:
        page = client.get("/console/experiments").text
    assert "No metric can be planned yet." in page
    assert "title-plan" not in page


def test_the_first_reason_is_said_where_no_metric_can_be_planned(config, home, tmp_path):
    short = {"metric": "clicks", "definition": "{}", "fault": f"20 days of history {SCRIPT}"}
    publish_with_console(home, tmp_path / "tables", experiment_baselines=[short])
    with TestClient(application(Tessera(config, seed=1)), **LOCAL) as client:
        page = client.get("/console/experiments").text
    assert "No metric can be planned yet: 20 days of history" in page
    assert SCRIPT not in page


def test_a_viewer_may_plan(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        sign_in_as(client, home, "viewer")
        page = client.get("/console/experiments", params=CLICKS).text
    assert "title-design" in page
    assert 'name="csrf_token"' not in page.partition("title-plan")[2]
