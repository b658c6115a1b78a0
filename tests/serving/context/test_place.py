"""All of a request's context is used in that request: coordinates, the address, and words about the device."""

import dataclasses

import pytest
from access_keys import BROWSER as BROWSER_KEY
from access_keys import KEYS, SECRET
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera

RULES = """
rules:
  - {id: germany, slots: [hero], when: country == "DE", then: {content: german}}
  - {id: japan, slots: [hero], when: country == "JP", then: {content: japanese}}
  - {id: berlin, slots: [city], when: city == "Berlin" || region == "DE-BE", then: {content: berlin}}
  - {id: saving, slots: [phone], when: battery == "low", priority: 3, then: {content: light-page}}
  - {id: moving, slots: [phone], when: motion == "moving", priority: 2, then: {content: large-buttons}}
  - {id: wide, slots: [phone], when: orientation == "landscape", priority: 1, then: {content: wide-page}}
  - {id: morning, slots: [clock], when: local.hour >= 6 && local.hour < 12, then: {content: breakfast}}
"""
BROWSER = {**BROWSER_KEY, "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
BERLIN, TOKYO = {"latitude": 52.52, "longitude": 13.41}, {"latitude": 35.68, "longitude": 139.69}


@pytest.fixture
def client(config, home):
    publish(home.published)
    (home.path / "rules.yaml").write_text(RULES)
    collector = config.settings.collector.model_copy(update={"trusted_proxies": 1})
    settings = config.settings.model_copy(update={"collector": collector})
    with TestClient(
        application(Tessera(dataclasses.replace(config, keys=KEYS, settings=settings), seed=1))
    ) as client:
        yield client


def decide(client, slot="hero", headers=SECRET, context=None, **request):
    body = {"slot": slot, "context": context or {}, **request}
    answer = client.post("/v1/decisions", json=body, headers=headers)
    return answer.json()["content"] if answer.status_code == 200 else answer.json()["error"]["field"]


def test_coordinates_say_the_country_and_the_time(client):
    assert decide(client, context=BERLIN) == "german"
    assert decide(client, context=TOKYO) == "japanese"
    assert decide(client, context={**TOKYO, "country": "DE"}) == "german"  # what is said counts first
    eight_in_tokyo = {"at": "2026-03-01T23:00:00Z"}
    assert decide(client, "clock", context=TOKYO, **eight_in_tokyo) == "breakfast"
    assert decide(client, "clock", context=BERLIN, **eight_in_tokyo) is None


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"latitude": 91, "longitude": 0}, "context.latitude"),
        ({"latitude": 0, "longitude": 181}, "context.longitude"),
        ({"latitude": 1}, "context.longitude"),
        ({"longitude": 1}, "context.latitude"),
        ({"battery_level": "full"}, "context.battery_level"),
    ],
)
def test_coordinates_that_are_none_are_refused(client, context, field):
    assert decide(client, context=context) == field


def test_the_address_says_the_country_before_any_event(client):
    at_home = {**BROWSER, "X-Forwarded-For": "84.128.0.1"}  # delegated to Deutsche Telekom
    assert decide(client, headers=at_home, anonymous_id="phone") == "german"
    assert decide(client, headers=at_home) == "german"
    # A server that asks for somebody is not where they are.
    assert decide(client, headers={**SECRET, "X-Forwarded-For": "84.128.0.1"}, user_id="new") is None


@pytest.mark.parametrize(
    ("context", "content"),
    [
        ({"battery": "low"}, "light-page"),
        ({"battery_level": 0.1}, "light-page"),
        ({"battery_level": 0.9}, None),
        ({"device_context": {"battery_level": 0.05}}, "light-page"),
        ({"motion": "moving"}, "large-buttons"),
        ({"acceleration": 3.0}, "large-buttons"),
        ({"orientation": "landscape"}, "wide-page"),
        ({"orientation": 90}, "wide-page"),
        ({"orientation": "portrait", "motion": "still", "battery": "high"}, None),
    ],
)
def test_words_about_the_device_are_facts_of_rules(client, context, content):
    assert decide(client, "phone", context=context) == content


def test_a_place_finer_than_the_country_needs_consent(client):
    city = {"city": "Berlin", "region": "DE-BE"}
    person = {"anonymous_id": "phone"}

    def send(consent, **event):
        view = {"event_type": "page_view", "consent": consent, **person, **event}
        reply = client.post("/v1/events", json={"events": [view]}, headers=BROWSER).json()
        assert reply["rejected"] == []

    assert decide(client, "city", context=city, **person) == "berlin"  # the site's server vouches for it
    assert decide(client, "city", headers=BROWSER, context=city, **person) is None
    assert decide(client, headers=BROWSER, context={**city, "country": "DE"}, **person) == "german"
    send(["analytics", "location"])
    assert decide(client, "city", headers=BROWSER, context=city, **person) == "berlin"
    send(["analytics"])
    assert decide(client, "city", headers=BROWSER, context=city, **person) is None
    assert decide(client, "city", context=city, **person) is None  # the person's own word stands above the key's
