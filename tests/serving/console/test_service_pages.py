"""Pages of the console that ask the running service: people, privacy, recommendations, decisions."""

import csv
import io
import json
import re
from html import unescape

import httpx
import pytest
from starlette.testclient import TestClient

from ml.console.live import FEWEST_PEOPLE
from ml.erasure.receipts import PLACES
from ml.keys.key_file import KeyFile
from serving.application import application
from serving.console.application import console_application
from serving.console.page_kinds import PageKind
from serving.console.pages import PAGES
from serving.tessera import Tessera
from tests.serving.console.console_bundle import SCRIPT, publish_with_console
from tests.serving.served import served
from tests.waiting import wait_until

LOCAL = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50_000)}
PERSON = "somebody/42"
RULES = """
rules:
  - id: evening
    when: 'device_type == "mobile"'
    slots: [hero]
    priority: 5
    schedule: {hours: "18:00-23:00"}
    then: {content: cosy}
  - id: learned
    slots: [hero]
    then: {learn: [a, b]}
"""
EVENTS = [
    {"event_type": "page_view", "user_id": PERSON, "item_id": "i1", "page_title": SCRIPT, "page_url": "/i1"},
    {"event_type": "search", "user_id": PERSON, "page_title": SCRIPT},
    {"event_type": "consent_granted", "user_id": PERSON, "consent": ["analytics", "personalization"]},
]


@pytest.fixture
def service(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    (home.path / "rules.yaml").write_text(RULES)
    with TestClient(application(Tessera(config, seed=1)), **LOCAL) as client:
        assert client.post("/v1/events", json={"events": EVENTS}).json()["accepted"] == len(EVENTS)
        yield client


def token_of(page):
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def test_the_file_of_a_table_holds_what_the_page_shows(service):
    page = service.get("/console/recommendations?k=3").text
    address = unescape(re.search(r'href="([^"]*list-champion.csv[^"]*)"', page)[1])
    rows = list(csv.reader(io.StringIO(service.get(address).text)))
    assert len(rows) == 1 + 3
    assert len(list(csv.reader(io.StringIO(service.get("/console/recommendations/list-champion.csv").text)))) > 4


def send(client, page, action, **fields):
    token = token_of(client.get(f"/console/{page}").text)
    headers = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    return client.post(
        f"/console/{page}/{action}", data={"csrf_token": token, **fields}, headers=headers, follow_redirects=False
    )


def look_up(client, person=PERSON):
    answer = send(client, "people", "look-up", user_id=person)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def looks_of(home):
    return [json.loads(line) for line in (home.path / "console" / "looks.jsonl").read_text().splitlines()]


def test_a_person_is_shown_under_a_pseudonym_until_somebody_wants_the_id(service):
    address = look_up(service)
    page = service.get(address).text
    assert PERSON not in address + unescape(page)
    assert "i1" in page
    assert '<dd class="value">granted</dd>' in page
    assert f"user {PERSON}" in unescape(service.get(f"{address}&id=shown").text)


def test_every_look_at_a_person_is_logged_by_pseudonym(service, home):
    address = look_up(service)
    pseudonym = address.rpartition("=")[2]
    service.get(address)
    service.get(f"{address}&id=shown")
    service.get(f"/console/people/part/events?person={pseudonym}")
    service.get(f"/console/recommendations?person={pseudonym}")
    send(service, "people", "export", person=pseudonym)
    looks = looks_of(home)
    assert [look["what"] for look in looks] == [
        "looked", "saw the id", "read the events", "tried recommendations", "exported",
    ]  # fmt: skip
    assert {(look["reader"], look["person"]) for look in looks} == {("open", pseudonym)}
    assert PERSON not in (home.path / "console" / "looks.jsonl").read_text()


def test_the_time_line_shows_the_events_of_the_person_and_of_nobody_else(service):
    other = {"event_type": "page_view", "user_id": "other", "item_id": "i2"}
    service.post("/v1/events", json={"events": [other]})
    service.post("/v1/recommendations", json={"user_id": PERSON, "slot": "side"})
    pseudonym = look_up(service).rpartition("=")[2]
    address = f"/console/people/part/events?person={pseudonym}"
    wait_until(lambda: ">side<" in service.get(address).text)  # nobody waits for what the service itself records
    part = service.get(address).text
    assert part.count(">page_view<") == 1
    assert ">consent_granted<" in part
    assert "i2" not in re.search(r"Timeline.*?</table>", part, re.DOTALL)[0]
    assert SCRIPT not in part
    assert "&lt;script&gt;" in part


def test_the_export_is_that_of_the_api(service):
    pseudonym = look_up(service).rpartition("=")[2]
    exported = send(service, "people", "export", person=pseudonym)
    assert "attachment" in exported.headers["content-disposition"]
    expected = service.get("/v1/users/somebody%2F42/export").json()
    assert exported.json()["events"] == expected["events"]


def test_an_erasure_is_followed_by_its_receipt_and_leaves_nothing_of_the_id(service, home):
    address = look_up(service)
    pseudonym = address.rpartition("=")[2]
    assert send(service, "people", "erase", person=pseudonym).status_code == 422
    erased = send(service, "people", "erase", person=pseudonym, sure="yes")
    receipt = erased.headers["location"]
    assert receipt.startswith("/console/privacy?receipt=")
    assert 'hx-trigger="load, every 5s"' in service.get(receipt).text
    places = service.get(receipt.replace("?", "/part/receipt?")).text
    for place in PLACES:
        assert place in unescape(places)
    assert "online state" in places
    assert ">verified<" in places
    gone = service.get(address).text
    assert 'role="alert"' in gone
    assert "i1" not in gone
    for file in (home.path / "console").rglob("*"):
        assert PERSON.encode() not in file.read_bytes()


def test_a_pseudonym_that_nobody_has_says_what_to_do(service):
    page = service.get("/console/people?person=0123456789abcdef").text
    assert "find the person by their id" in page
    assert "Find a person" in page


def test_a_viewer_tries_strangers_and_segments_and_no_person(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    key = KeyFile(home).create("console", role="viewer")[1]
    with TestClient(application(Tessera(config, seed=1)), base_url="http://tessera.example") as client:
        token = token_of(client.get("/console/sign-in").text)
        client.post("/console/sign-in", data={"key": key, "csrf_token": token})
        page = client.get("/console/recommendations?device=mobile")
        assert page.status_code == 200
        assert "Find a person" not in page.text
        refused = client.get("/console/recommendations?person=0123456789abcdef")
        assert refused.status_code == 403


def test_recommendations_are_those_of_the_service_with_reason_and_parts(service):
    rows = csv_rows(service, "/console/recommendations/list-champion.csv?k=3&device=mobile&country=DE")
    answer = service.post(
        "/v1/recommendations",
        json={"k": 3, "context": {"device_type": "mobile", "country": "DE"}},
        headers={"User-Agent": "server", "Accept-Language": ""},
    ).json()
    assert [row[2] for row in rows[1:]] == [item["item_id"] for item in answer["items"]]
    assert [row[3] for row in rows[1:]] == [item["reason"] for item in answer["items"]]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("recommendations?k=0", "k is '0'"), ("recommendations?hour=25", "hour is"),
        ("recommendations?device=x", "device is"), ("recommendations?segment=x", "no segment"),
        ("recommendations?item=nothing", "no item"), ("decisions?slot=hero&at=soon", "write a time"),
        ("decisions?slot=hero&device=x", "device is"), ("privacy?receipt=nothing", "no such receipt"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_beside_the_form(service, address, message):
    page = service.get(f"/console/{address}")
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert message in unescape(page.text)


def csv_rows(client, address):
    return list(csv.reader(io.StringIO(client.get(address).text)))


def test_trying_recommendations_logs_nothing_as_shown(service):
    before = service.get("/metrics").text
    service.get("/console/recommendations?segment=&device=mobile")
    assert re.findall(r"tessera_answers\S* \S+", service.get("/metrics").text) == re.findall(
        r"tessera_answers\S* \S+", before
    )


def test_the_simulator_says_of_each_rule_why_it_acts_or_not(service):
    evening = csv_rows(service, "/console/decisions/verdicts.csv?slot=hero&device=mobile&at=2026-05-31 19:00")
    assert [row[:2] for row in evening[1:]] == [["evening", "acts"], ["learned", "acts"]]
    assert evening[1][2] == "decides content"
    morning = csv_rows(service, "/console/decisions/verdicts.csv?slot=hero&device=mobile&at=2026-05-31 09:00")
    assert "outside its schedule" in morning[1][2]
    assert morning[2][2] == "decides content"
    elsewhere = csv_rows(service, "/console/decisions/verdicts.csv?slot=footer&at=2026-05-31 19:00")
    assert {row[1] for row in elsewhere[1:]} == {"does not act"}


def test_the_bandit_shows_what_it_was_told(service):
    for _ in range(4):
        decided = service.post("/v1/decisions", json={"slot": "hero", "user_id": "u9"}).json()
        click = {"event_type": "click", "user_id": "u9", "recommendation_id": decided["decision_id"]}
        service.post("/v1/events", json={"events": [click]})
    rows = csv_rows(service, "/console/decisions/bandits.csv")
    assert sum(float(row[2]) for row in rows[1:]) == 4
    assert sum(float(row[3]) for row in rows[1:]) == 4
    assert all(float(row[5]) < float(row[4]) < float(row[6]) for row in rows[1:])


def test_every_page_stays_text_and_without_an_error(service):
    for name in PAGES:
        answer = service.get(f"/console/{name}")
        assert answer.status_code == 200
        assert SCRIPT not in answer.text
        assert 'role="alert"' not in answer.text


def test_pages_of_the_service_say_what_to_do_without_it(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    client = TestClient(console_application(config), **LOCAL)
    kinds: dict[str, PageKind] = {name: kind for name, kind in PAGES.items() if kind.ask is not None}
    assert kinds
    for name in kinds:
        assert "<code>tessera up</code>" in client.get(f"/console/{name}").text


def test_the_last_half_hour_is_sent_as_it_happens(config, home, tmp_path):
    publish_with_console(home, tmp_path / "tables")
    with served(application(Tessera(config, seed=1))) as url:
        seen = [
            {"event_type": "page_view", "anonymous_id": f"a{number}", "page_title": SCRIPT}
            for number in range(FEWEST_PEOPLE)
        ]
        httpx.post(
            f"{url}/v1/events", json={"events": [*seen, {**seen[0], "page_title": "Seen by a single person"}]}
        )
        with httpx.stream("GET", f"{url}/console/audience/live", timeout=60) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = []
            for line in stream.iter_lines():
                if not line:
                    break
                assert line.startswith("data: ")
                lines.append(line)
    message = "\n".join(lines)
    assert SCRIPT not in message
    assert "&lt;script&gt;" in message
    assert "Seen by a single person" not in message
    assert re.search(rf"People in the last 30 minutes</dt><dd class=\"value\">{FEWEST_PEOPLE}<", message)
