"""Caps hold for anything that a slot shows: contents, variants and banners, however the page reports them."""

import dataclasses

import pytest
from access_keys import BROWSER, KEYS
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.tessera import Tessera

RULES = """
rules:
  - {id: sale, slots: [hero], campaign: spring, then: {content: sale-hero}}
  - {id: strip, slots: [strip], campaign: spring, then: {banner: sale-strip}}
  - {id: plain, slots: [plain], then: {content: no-campaign}}
  - {id: learning, slots: [learning], then: {learn: [left, right]}}
"""
CAP, ITEM_CAP = 5, 20
# What the page sends with each impression, made of the decision; None: it reports none.
REPORTS = {
    "nothing at all": None,
    "the campaign": lambda decision: {"properties": {"slot": "hero", "campaign": decision["campaign"]}},
    "the content": lambda decision: {"properties": {"slot": "hero", "content": decision["content"]}},
    "the content as a variant": lambda decision: {"variant": decision["content"]},
    "the decision": lambda decision: {"recommendation_id": decision["decision_id"]},
    "the decision and its slot": lambda decision: {
        "recommendation_id": decision["decision_id"],
        "properties": {"slot": "hero"},
    },
    "everything": lambda decision: {
        "recommendation_id": decision["decision_id"],
        "item_id": decision["content"],
        "properties": {"slot": "hero", "campaign": decision["campaign"], "content": decision["content"]},
    },
}


@pytest.fixture
def client(config, home):
    publish(home.published)
    (home.path / "rules.yaml").write_text(RULES)
    with TestClient(application(Tessera(config, seed=1))) as client:
        yield client


def decide(client, slot="hero", headers=None, **ids):
    ids = ids or {"user_id": "new"}
    return client.post("/v1/decisions", json={"slot": slot, **ids}, headers=headers).json()


def report(client, event, headers=None, **ids):
    ids = ids or {"user_id": "new"}
    answer = client.post(
        "/v1/events", json={"events": [{"event_type": "impression", **ids, **event}]}, headers=headers
    )
    assert answer.json() == {"accepted": 1, "rejected": []}


@pytest.mark.parametrize("name", REPORTS)
def test_a_campaign_is_shown_as_often_as_its_cap_says(client, name):
    shown = 0
    for _ in range(8):
        decision = decide(client)
        if decision["content"] is None:
            assert decision["campaign"] is None
            continue
        assert (decision["content"], decision["campaign"]) == ("sale-hero", "spring")
        shown += 1
        if REPORTS[name] is not None:
            report(client, REPORTS[name](decision))
    assert shown == CAP


def test_the_slots_of_a_campaign_share_its_cap(client):
    for _ in range(3):
        assert decide(client)["campaign"] == "spring"
    strips = [decide(client, "strip") for _ in range(4)]
    assert [strip["actions"].get("banner") for strip in strips] == ["sale-strip"] * 2 + [None] * 2
    assert [strip["campaign"] for strip in strips] == ["spring"] * 2 + [None] * 2
    assert decide(client, user_id="somebody else")["campaign"] == "spring"


def test_content_without_a_campaign_has_the_cap_of_an_item(client):
    shown = [decide(client, "plain")["content"] for _ in range(ITEM_CAP + 3)]
    assert shown == ["no-campaign"] * ITEM_CAP + [None] * 3


def test_a_variant_that_was_shown_often_enough_leaves_the_others(client):
    shown = [decide(client, "learning")["content"] for _ in range(2 * ITEM_CAP + 3)]
    assert {name: shown.count(name) for name in ("left", "right", None)} == {"left": 20, "right": 20, None: 3}


def test_a_page_with_a_browser_key_is_capped_too(config, home):
    publish(home.published)
    (home.path / "rules.yaml").write_text(RULES)
    with TestClient(application(Tessera(dataclasses.replace(config, keys=KEYS), seed=1))) as client:
        shown = 0
        for _ in range(8):
            decision = decide(client, headers=BROWSER, anonymous_id="phone")
            if decision["content"] is not None:
                shown += 1
                event = {"consent": ["analytics"], "properties": {"campaign": decision["campaign"]}}
                report(client, event, headers=BROWSER, anonymous_id="phone")
        assert shown == CAP
