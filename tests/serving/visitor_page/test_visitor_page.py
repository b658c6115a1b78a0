"""What visitors see of themselves, what they change there, and who gets in."""

import dataclasses
import re

import pytest
from bundles import publish
from starlette.testclient import TestClient

from ml.keys.key_file import KeyFile
from serving.application import application
from serving.tessera import Tessera
from serving.visitor_page.session import COOKIE, make_visitor_sessions
from tests.serving.identities import SECRET, sign

ADDRESS = {"base_url": "https://tessera.example"}
PAGE = "tessera:me"


@pytest.fixture
def service(config, home):
    """A service with keys, and its own secret key."""
    publish(home.published)
    key = KeyFile(home).create("secret")[1]
    tessera = Tessera(dataclasses.replace(config, identity_secrets=(SECRET,)), seed=1)
    with TestClient(application(tessera), **ADDRESS) as client:
        yield Service(client, key, tessera)


class Service:
    def __init__(self, client, key, tessera):
        self.client, self.tessera = client, tessera
        self.headers = {"Authorization": f"Bearer {key}"}

    def enter(self, user="ann", **claims):
        return self.client.get(f"/me?token={sign(user, **{'aud': PAGE, **claims})}", follow_redirects=False)

    def page(self, path="/me", **headers):
        return self.client.get(path, headers=headers)

    def send(self, path, token=None, **fields):
        token = form_token(self.page().text) if token is None else token
        return self.client.post(path, data={"csrf_token": token, **fields}, follow_redirects=False)

    def api(self, path="", user="ann"):
        return self.client.get(f"/v1/users/{user}{path}", headers=self.headers)

    def recommend(self, user="ann"):
        body = {"user_id": user, "k": 10}
        answer = self.client.post("/v1/recommendations", json=body, headers=self.headers).json()
        return {item["item_id"] for item in answer["items"]}, answer["personalized"]


def form_token(text):
    return re.search(r'name="csrf_token" value="([^"]+)"', text)[1]


def test_a_token_of_the_site_opens_the_page_and_leaves_the_address(service):
    assert service.page().status_code == 401
    entered = service.enter()
    assert (entered.status_code, entered.headers["location"]) == (303, "/me")
    cookie = entered.headers["set-cookie"]
    assert {"HttpOnly", "Path=/me", "SameSite=lax", "Max-Age=3600", "Secure"} <= set(cookie.split("; "))
    page = service.page()
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "athletes" in page.text
    assert "runner" in page.text


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "tessera"},  # what pages of the site hold, and every script in them can read
        {"minutes": -1},
        {"secret": "f" * 32},
        {"minutes": 60 * 24 * 30},
    ],
)
def test_any_other_token_opens_nothing(service, claims):
    refused = service.enter(**claims)
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert service.page().status_code == 401


def test_neither_an_id_nor_a_public_key_opens_the_page(service, home):
    assert service.page("/me?user_id=ann").status_code == 403
    assert service.page("/me?anonymous_id=b").status_code == 403
    _, browser = KeyFile(home).create("browser")
    assert service.page(Authorization=f"Bearer {browser}").status_code == 401
    for text in ("", "x", "e30.e30.", sign("ann", aud=PAGE)):
        service.client.cookies.set(COOKIE, text, path="/me")
        assert service.page().status_code == 401


def test_the_page_says_what_the_service_says(service):
    event = {"event_type": "page_view", "user_id": "ann", "item_id": "i3"}
    service.client.post("/v1/events", json={"events": [event]}, headers=service.headers)
    service.enter()
    text, described = service.page().text, service.api().json()
    for item in described["items"]:
        assert f"<td>Title {item['item_id']}</td>" in text
        assert item["reason"].replace("'", "&#39;") in text
    assert [item["item_id"] for item in described["recent"]] == ["i3"]
    assert '<th scope="row">Title i3</th>' in text
    assert "<td>Germany</td>" in text
    history = service.page("/me/history").text
    assert "page view" in history
    assert ">i3<" in history


def test_what_is_set_counts_at_once(service):
    service.enter()
    fields = {
        "personalization": "on",
        "interests": "food",
        "muted": "sport",
        "quiet_from": "22",
        "quiet_to": "6.5",
    }
    assert service.send("/me/preferences", **fields, item_impressions_per_day="3").status_code == 303
    assert service.api().json()["preferences"] == {
        "interests": ["food"],
        "muted": ["sport"],
        "opt_out": False,
        "item_impressions_per_day": 3,
        "quiet_hours": {"from": 22, "to": 6.5},
    }
    items, _ = service.recommend()
    assert items
    assert items <= {"i5", "i6", "i7", "i8", "i9"}
    text = service.page().text
    assert re.search(r'name="muted" value="sport" checked', text)
    assert re.search(r'<option value="6.5" selected>6:30', text)
    service.send("/me/preferences", personalization="on")  # what is not ticked any more is taken back
    kept = service.api().json()["preferences"]
    assert (kept["interests"], kept["muted"]) == ([], [])
    assert kept.keys().isdisjoint({"quiet_hours", "item_impressions_per_day"})


def test_a_wrong_field_is_named_and_nothing_is_changed(service):
    service.enter()
    for fields in ({"interests": "chess"}, {"item_impressions_per_day": "0"}, {"quiet_from": "22"}):
        refused = service.send("/me/preferences", personalization="on", **fields)
        assert refused.status_code == 422
        assert next(iter(fields)).removesuffix("_from") in re.search(r'role="alert"[^>]*>([^<]+)', refused.text)[1]
    assert service.api().json()["preferences"] == {}


def test_personalization_is_turned_off_and_on_again(service):
    service.enter()
    service.send("/me/preferences")
    assert service.recommend()[1] is False
    off = service.page().text
    assert "because you turned off personal choices" in off
    assert "athletes" not in off
    service.send("/me/preferences", personalization="on")
    assert service.recommend()[1] is True
    refusal = {
        "event_type": "consent_withdrawn",
        "user_id": "ann",
        "properties": {"purposes": ["personalization"]},
    }
    service.client.post("/v1/events", json={"events": [refusal]}, headers=service.headers)
    assert service.recommend()[1] is False
    service.send("/me/preferences", personalization="on")
    assert service.recommend()[1] is True


def test_a_form_without_the_token_of_its_page_changes_nothing(service):
    service.enter()
    for path in ("preferences", "segment", "export", "erase", "close"):
        for token in ("", "x" * 24, "é"):
            assert service.send(f"/me/{path}", token, sure="yes", muted="sport").status_code == 403
    assert service.api().json()["preferences"] == {}
    assert service.api().status_code == 200


def test_a_word_on_the_segment_is_an_event(service):
    service.enter()
    assert service.send("/me/segment", agrees="no").status_code == 303
    events = service.api("/export").json()["events"]
    feedback = [event for event in events if event["event_type"] == "segment_feedback"]
    assert [(each["user_id"], '"agrees":false' in each["properties"]) for each in feedback] == [("ann", True)]


def test_the_download_is_what_the_site_would_hand_over(service):
    event = {"event_type": "page_view", "user_id": "ann", "item_id": "i3"}
    service.client.post("/v1/events", json={"events": [event]}, headers=service.headers)
    service.enter()
    download = service.send("/me/export")
    assert "attachment" in download.headers["content-disposition"]
    assert download.json()["events"] == service.api("/export").json()["events"] != []


def test_who_asks_to_be_forgotten_is_forgotten_and_follows_the_receipt(service):
    service.enter()
    assert service.send("/me/erase").status_code == 422
    assert service.api().status_code == 200
    erased = service.send("/me/erase", sure="yes")
    assert erased.headers["location"] == "/me/erased"
    page = service.page("/me").text
    receipt = re.search(r"receipt: ([0-9a-f]{32})", page)[1]
    places = service.client.get(f"/v1/erasures/{receipt}", headers=service.headers).json()["places"]
    assert page.count('<th scope="row">') == len(places)
    assert page.count("nothing about you is left") == sum(place["status"] == "verified" for place in places) > 0
    assert service.api().status_code == 404
    assert service.page("/me/history").url.path == "/me/erased"
    token = form_token(page)
    for path, fields in (
        ("erase", {"sure": "yes"}),
        ("export", {}),
        ("preferences", {"muted": "sport"}),
        ("segment", {}),
    ):
        assert service.send(f"/me/{path}", token, **fields).headers["location"] == "/me/erased"
    assert len(list((service.tessera.config.home.path / "erasures").glob("*.json"))) == 1
    assert 'lang="de"' in service.page("/me/language/de").text
    service.enter()  # a link that is still valid
    assert "Nothing is known about you yet." in service.page().text


def test_a_closed_page_stays_closed(service):
    service.enter()
    assert "closed" in service.send("/me/close").text
    assert service.page().status_code == 401


def test_the_language_is_that_of_the_browser_or_the_one_that_is_chosen(service):
    service.enter()
    german = "Was diese Website über mich weiß"
    assert german in service.page(**{"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}).text
    assert german not in service.page(**{"Accept-Language": "fr, *;q=0.1"}).text
    assert service.page("/me/language/xx").status_code == 404
    assert german in service.page("/me/language/de").text
    assert 'lang="de"' in service.page().text


def test_texts_of_a_site_stay_texts(service):
    user = "<script>alert(1)</script>&"
    service.enter(user)
    view = {"event_type": "page_view", "user_id": user, "item_id": "<i>x", "page_title": "<b>y"}
    service.client.post("/v1/events", json={"events": [view]}, headers=service.headers)
    for path in ("/me", "/me/history"):
        text = service.page(path).text
        assert "<script" not in text
        assert "<i>x" not in text
        assert "<b>y" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in service.page().text


def test_a_link_of_the_console_opens_the_page_of_a_browser_too(service):
    view = {"event_type": "page_view", "anonymous_id": "b-1", "item_id": "i7"}
    service.client.post("/v1/events", json={"events": [view]}, headers=service.headers)
    link = make_visitor_sessions(service.tessera).make_link("anonymous:b-1")
    assert service.client.get(link).status_code == 200
    text = service.page().text
    assert "b-1" in text
    assert '<th scope="row">Title i7</th>' in text


def test_a_service_without_keys_shows_anybody_to_its_own_machine_alone(config, home):
    publish(home.published)
    with TestClient(application(Tessera(config, seed=1))) as client:
        assert "athletes" in client.get("/me?user_id=ann").text
    with TestClient(application(Tessera(config, seed=1)), client=("203.0.113.9", 1)) as client:
        assert client.get("/me?user_id=ann").status_code == 403
