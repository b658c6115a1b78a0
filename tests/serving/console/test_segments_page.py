"""The builder of segments by rule: sizes, faults in place, and changes that are seen before they are written."""

import json
import re
from html import unescape

import numpy as np
import pyarrow as pa
import pytest
import yaml
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile
from ml.segmentation.audiences.rules import RuleSegment, assign_rules, load_rules
from serving.application import application
from serving.console.service_pages.rule_sizes import PublishedPeople
from serving.console.service_pages.segments import describe_size
from serving.tessera import Tessera
from tests.chromium import chromium, find_serious_faults, watched_page
from tests.serving.console.console_bundle import publish_with_console
from tests.serving.console.console_reader import ADDRESS, form_token, hidden_fields, send, sign_in_as
from tests.serving.served import served

RULES = "# Ours.\nown:\n  many: {when: 'sessions >= 10', strategy: Thank them.}\n"
PEOPLE = 40


def users():
    """Forty people, of whom the first thirty consent; person n came n times and bought n - 25 times."""
    numbers = range(PEOPLE)
    consents = [number < 30 for number in numbers]
    return pa.table(
        {
            "user_id": [f"u{number}" for number in numbers],
            "is_known": [True] * PEOPLE,
            "consents": [["personalization"] if consents[number] else [] for number in numbers],
            "has_personalization_consent": consents,
            "sessions": [number if consents[number] else None for number in numbers],
            "purchases": [max(0, number - 25) if consents[number] else None for number in numbers],
            "monetary": [10.0 * max(0, number - 25) if consents[number] else None for number in numbers],
            "country": ["DE" if number % 2 else "FR" for number in numbers],
        }
    )


@pytest.fixture
def reader(config, home, tmp_path):
    factors = np.ones((PEOPLE, 3), dtype=np.float32)
    publish_with_console(home, tmp_path / "tables", {"users": users(), "user_factors": factors})
    (home.path / "segments.yaml").write_text(RULES)
    with TestClient(application(Tessera(config, seed=1)), **ADDRESS) as client:
        KeyFile(home).create("secret")
        yield lambda role="editor": sign_in_as(client, home, role)


def size(client, when):
    return unescape(client.get("/console/segments/part/size", params={"when": when}).text)


def value(page):
    return re.search(r'<dd class="value">([^<]*)</dd>', page)[1]


def test_a_size_counts_who_consents_and_says_what_sets_them_apart(reader):
    page = size(reader("viewer"), "sessions >= 10")
    assert value(page) == "20"
    assert "66.7% of 30 who consent" in page
    averages = re.search(r"Visits</td>\s*<td>([\d.]+)</td><td>([\d.]+)</td>", page)
    assert averages.groups() == (f"{sum(range(10, 30)) / 20}", f"{sum(range(30)) / 30}")


def test_nobody_is_singled_out_by_a_size(reader):
    client = reader("viewer")
    for rule in ("purchases > 3", "sessions == 7", 'sessions == 7 && country == "DE"'):
        page = size(client, rule)
        assert value(page) == "fewer than 5"
        assert "sets them apart" not in page
    assert value(size(client, "sessions > 1")) == "nearly all of 30"
    assert value(size(client, "sessions > 100")) == "0"
    assert "unknown name 'user_id'" in size(client, 'user_id == "u7"')
    assert "unknown name 'segment'" in size(client, 'segment == "athletes"')


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("sessions >", "character"),
        ("sesions > 1", "unknown name 'sesions'"),
        ("sessions", "a boolean is expected"),
        ("</p><script>alert(1)</script>", "character"),
    ],
)
def test_a_fault_is_said_in_place(reader, when, said):
    text = reader("viewer").get("/console/segments/part/size", params={"when": when}).text
    assert 'role="alert"' in text
    assert said in unescape(text)
    assert "<script>" not in text


def test_a_segment_is_shown_then_written_and_counted(reader, home):
    client, file = reader(), home.path / "segments.yaml"
    fields = {"name": "buyers", "when": "purchases > 0 && sessions < 99", "strategy": "Ask: what was good?"}
    shown = send(client, "segments", "propose", **fields).text
    assert "fewer than 5" in shown
    assert "+  buyers:" in unescape(shown)
    assert file.read_text() == RULES
    assert send(client, "segments", "apply", **hidden_fields(shown)).headers["location"] == "/console/segments"
    assert file.read_text().startswith("# Ours.\nown:\n")
    written = yaml.safe_load(file.read_text())["own"]
    assert written["buyers"] == {"when": fields["when"], "strategy": fields["strategy"]}
    assert [rule.name for rule in load_rules(file)].count("many") == 1
    page = client.get("/console/segments").text
    assert re.search(r">many</td><td[^>]*>own</td><td[^>]*>20</td>", page)
    assert re.search(r">buyers</td><td[^>]*>own</td><td[^>]*>fewer than 5</td>", page)
    line = json.loads((home.path / "console" / "changes.jsonl").read_text())
    assert (line["reader"], line["name"], line["before"], line["after"]) == (
        "editor", "buyers", "", fields["when"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "Two Words"}, "a name has small letters"),
        ({"name": "a.b"}, "a name has small letters"),
        ({"when": "sesions > 1"}, "unknown name"),
        ({"strategy": ""}, "what to do for these people"),
    ],
)
def test_what_cannot_be_a_segment_is_refused(reader, home, changed, field):
    fields = {"name": "buyers", "when": "purchases > 0", "strategy": "Ask."} | changed
    refused = send(reader(), "segments", "propose", **fields)
    assert refused.status_code == 422
    assert field in unescape(refused.text)
    assert (home.path / "segments.yaml").read_text() == RULES


@pytest.mark.parametrize("role", ["viewer", "privacy-officer"])
def test_nobody_but_an_editor_writes_a_segment(reader, home, role):
    client = reader(role)
    page = client.get("/console/segments").text
    assert "Try a rule" in page
    fields = {"name": "buyers", "when": "purchases > 0", "strategy": "Ask."}
    for action in ("propose", "apply"):
        assert send(client, "segments", action, form_token(page), **fields).status_code == 403
    assert (home.path / "segments.yaml").read_text() == RULES


def test_a_size_is_that_of_a_count_by_hand():
    people = PublishedPeople.of_users(users())
    shown = describe_size(people, 'country == "FR" && (sessions > 20 || purchases == 0)')
    rows = users().to_pylist()[:30]
    by_hand = [row for row in rows if row["country"] == "FR" and (row["sessions"] > 20 or row["purchases"] == 0)]
    assert shown.cards[0].value == str(len(by_hand)) == "15"


def test_sizes_are_those_of_the_segments_that_the_pipeline_assigns():
    rules = [
        RuleSegment(family, name, when, "")
        for family, name, when in [
            ("first", "some", "sessions > 20"),
            ("first", "more", "sessions > 10"),
            ("own", "more", "sessions > 10"),
            ("own", "rich", "rfm_monetary >= 5 || purchases == 1"),
        ]
    ]
    consenting = users().slice(0, 30)
    assigned = assign_rules(consenting, rules).to_pylist()
    by_name = [
        sum(rule.name == row["first"] if rule.family == "first" else rule.name in row["own"] for row in assigned)
        for rule in rules
    ]
    assert PublishedPeople.of_users(users()).count(rules) == by_name
    assert by_name[:3] == [9, 10, 19]


def test_the_size_appears_as_one_writes(config, home, tmp_path):
    factors = np.ones((PEOPLE, 3), dtype=np.float32)
    publish_with_console(home, tmp_path / "tables", {"users": users(), "user_factors": factors})
    with (
        served(application(Tessera(config, seed=1))) as address,
        chromium() as browser,
        watched_page(browser) as (page, _, errors),
    ):
        page.goto(f"{address}/console/segments")
        field, live = page.locator("input[name=when]"), page.locator("#live-when")
        field.press_sequentially("sess")
        page.get_by_role("button", name="sessions", exact=True).click()
        assert field.input_value() == "sessions"
        field.press_sequentially(" >= 10")
        live.get_by_text("66.7% of 30 who consent").wait_for()
        field.press_sequentially(" &&")
        live.get_by_role("alert").wait_for()
        assert find_serious_faults(page) == []
        assert errors == []
