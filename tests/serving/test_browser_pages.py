"""What a page with a browser key may call and read: across origins, and of nobody else's visit."""

import dataclasses

import pytest
from access_keys import KEYS, SECRET
from bundles import publish
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera

SHOP, OTHER = "https://shop.example", "https://other.example"
ALL = ["analytics", "personalization"]
EXPERIMENTS = """
version: 1
experiments:
  trial:
    hypothesis: It brings more clicks a user
    unit: {unit}
    variants:
      control: {{share: 0.5}}
      new: {{share: 0.5}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2020-01-01T00:00:00Z
    ends_at: 2040-01-01T00:00:00Z
"""
CALLS = {
    "recommendations": ("POST", "/v1/recommendations", {"anonymous_id": "phone"}),
    "decisions": ("POST", "/v1/decisions", {"anonymous_id": "phone", "slot": "hero"}),
    "assignment": ("GET", "/v1/experiments/trial/assignment?anonymous_id=phone", None),
    "onboarding": ("GET", "/v1/onboarding", None),
    "events": ("POST", "/v1/events", {"events": []}),
    "a failure": ("POST", "/v1/recommendations", {"k": 0}),
}


@pytest.fixture
def opened(config, home):
    """A service with a browser key of the shop, one of no site, and a secret key."""
    publish(home.published)
    (home.path / "experiments.yaml").write_text(EXPERIMENTS.format(unit="anonymous"))
    _, of_shop = KeyFile(home).create("browser", origins=(SHOP,))
    with TestClient(application(Tessera(dataclasses.replace(config, keys=KEYS), seed=1))) as client:
        yield client, {"Authorization": f"Bearer {of_shop}"}


@pytest.mark.parametrize("name", CALLS)
def test_pages_of_the_keys_origins_may_call_every_route_of_a_browser_key(opened, name):
    client, key = opened
    method, path, body = CALLS[name]
    asked = {"Origin": SHOP, "Access-Control-Request-Method": method}
    preflight = client.options(path, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert method in preflight.headers["access-control-allow-methods"]
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    answer = client.request(method, path, json=body, headers={**key, "Origin": SHOP})
    assert answer.status_code == (422 if name == "a failure" else 202 if name == "events" else 200)
    assert answer.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize("name", CALLS)
def test_pages_of_other_sites_may_not(opened, name):
    client, key = opened
    method, path, body = CALLS[name]
    preflight = client.options(path, headers={"Origin": OTHER, "Access-Control-Request-Method": method})
    assert "access-control-allow-origin" not in preflight.headers
    answer = client.request(method, path, json=body, headers={**key, "Origin": OTHER})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_what_needs_a_secret_key_answers_no_page(opened):
    client, key = opened
    for path in ("/v1/users/ann", "/v1/items/i1/similar"):
        answer = client.get(path, headers={**key, "Origin": SHOP})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_an_address_as_an_id_is_assigned_under_its_pseudonym(opened):
    client, _ = opened
    path, address = "/v1/experiments/trial/assignment", "ann@example.org"
    answer = client.get(path, params={"anonymous_id": address}, headers=SECRET).json()
    assert "@" not in answer["unit_id"]
    again = client.get(path, params={"anonymous_id": answer["unit_id"]}, headers=SECRET).json()
    assert (again["unit_id"], again["variant"]) == (answer["unit_id"], answer["variant"])


def visit(client, headers, person, *items, session="s1"):
    views = [
        {"event_type": "page_view", "session_id": session, "item_id": item, "consent": ALL, **person}
        for item in items
    ]
    reply = client.post("/v1/events", json={"events": views}, headers=headers).json()
    assert reply["rejected"] == []


def items(client, headers, **request):
    reply = client.post("/v1/recommendations", json={"k": 4, **request}, headers=headers).json()
    return [item["item_id"] for item in reply["items"]], reply["personalized"]


def test_a_session_alone_reveals_nobodys_visit_to_a_page(opened):
    client, key = opened
    stranger = items(client, key)
    visit(client, key, {"anonymous_id": "victim"}, "i7", "i8")
    popular = items(client, key)
    assert items(client, key, session_id="s1") == popular
    assert items(client, key, session_id="s1", anonymous_id="curious") == popular
    assert not stranger[1]
    assert items(client, SECRET, session_id="s1")[1]  # the site's own server may ask
    assert items(client, key, session_id="s1", anonymous_id="victim")[1]


def test_naming_somebody_elses_session_changes_nothing_of_their_visit(opened):
    client, key = opened
    visit(client, key, {"anonymous_id": "victim"}, "i7")
    first, _ = items(client, key, session_id="s1", anonymous_id="victim")
    visit(client, key, {"anonymous_id": "attacker"}, "i1", "i2", "i3")
    after, is_personal = items(client, key, session_id="s1", anonymous_id="victim")
    assert is_personal
    assert {"i5", "i6", "i8", "i9"} & set(first[:2])
    assert {"i5", "i6", "i8", "i9"} & set(after)


def test_who_signs_in_during_a_visit_keeps_it(config, home):
    publish(home.published)
    tessera = Tessera(config, seed=1)
    with TestClient(application(tessera)) as client:
        visit(client, None, {"anonymous_id": "phone"}, "i7")
        visit(client, None, {"anonymous_id": "phone", "user_id": "new"}, "i8")
        activity = tessera.state.activity
        running = activity.find_visit("s1", "new", 0.0)
        assert [activity.items[key] for key in running.items] == ["i7", "i8"]
        visit(client, None, {"user_id": "bob"}, "i1")
        assert [activity.items[key] for key in activity.find_visit("s1", "bob", 0.0).items] == ["i1"]
        assert [activity.items[key] for key in activity.find_visit("s1", "new", 0.0).items] == ["i7", "i8"]
