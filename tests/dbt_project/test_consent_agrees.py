"""Consent decides alike in the marts, the training frames, the online state and the answers."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dbt.contracts.graph.manifest import Manifest

from ml.decisions.activity.activity import Activity
from ml.decisions.activity.event_log_changes import read_newest_changes
from ml.events.log import EventLog
from ml.events.quarantine import Quarantine
from ml.privacy.person_key import mart_person_key
from ml.segmentation.site_segmentation import select_consenting_users
from ml.settings import load_settings
from serving.decide.decision_answers import answer_decision
from serving.privacy.person_description import describe_user
from serving.recommend.answers import answer
from serving.requests import DecisionRequest, RecommendationRequest
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.dbt_project.built import START, Built, event, warehouse_in
from tests.serving.bundles import publish

PEOPLE = 1_000
LISTS = (None, [], ["analytics"], ["analytics", "location"], ["analytics", "personalization"])
PERSONAL_SOURCES = {"personal", "recent", "follows", "similar", "segment", "interests"}
RULES = """
rules:
  - {id: sporty, slots: [hero], when: '"sport" in recent.categories', then: {content: personal}}
  - {id: inside, slots: [hero], when: visit.opened > 0, then: {content: personal}}
  - {id: liked, slots: [hero], when: '"sport" in user.interests', then: {content: personal}}
"""


def statements_of(person: str, generator: random.Random) -> list[dict[str, Any]]:
    """A few events of one person, each at a minute of its own: views, grants, refusals and opt-outs."""
    minutes = generator.sample(range(1, 600), generator.randint(1, 5))
    events = []
    for minute in minutes:
        who: dict[str, Any] = {"user_id": person, "anonymous_id": None}
        authority = generator.choice(["server", "server", "signed", None])
        kind = generator.choice(["page_view"] * 4 + ["consent_granted", "consent_withdrawn", "preference"])
        fields: dict[str, Any] = {"consent": generator.choice(LISTS), "authority": authority}
        if kind == "page_view":
            fields["item_id"] = f"i{generator.randrange(10)}"
        if kind == "consent_withdrawn":
            purposes = generator.choice([None, ["personalization"], ["location"]])
            fields["properties"] = None if purposes is None else {"purposes": purposes}
        if kind == "preference":
            fields["properties"] = {"opt_out": generator.random() < 0.5, "interests": ["sport"]}
        if generator.random() < 0.3:  # on the person's own phone, which the browser names alone
            who = {"anonymous_id": f"{person} phone"}
            if kind != "preference":
                fields["authority"] = "browser"
        events.append(event(minute, kind, **who, **fields))
    return [event(0, "identify", user_id=person, anonymous_id=f"{person} phone", consent=None), *events]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Built:
    """A warehouse of a thousand people, most of whom never consent or take it back."""
    warehouse = warehouse_in(tmp_path_factory.mktemp("consent") / "home", manifest)
    generator = random.Random(15)
    events = [row for number in range(PEOPLE) for row in statements_of(f"p{number}", generator)]
    generator.shuffle(events)
    warehouse.ingest(*events)
    warehouse.build()
    return warehouse


def mart_consents(built: Built) -> dict[str, bool]:
    return {
        mart_person_key(user, is_known): granted
        for user, is_known, granted in built.rows(
            "select user_id, is_known, has_personalization_consent from users"
        )
    }


def test_the_online_state_agrees_with_the_marts_the_training_and_the_audiences(built: Built) -> None:
    activity = Activity()
    for change in read_newest_changes(EventLog(built.home), 10**6, Quarantine(built.home), "test"):
        activity.observe(change)
    marts = mart_consents(built)
    online = {person: activity.find_consent(person).is_granted for person in marts}
    assert online == marts
    assert 100 < sum(marts.values()) < PEOPLE - 100
    moment = START + dt.timedelta(days=1)
    trained = {user for (user,) in built.rows(f"select user_id from training_users(timestamp '{moment:%F %T}')")}
    assert trained == {user for user, granted in marts.items() if granted}
    users = pa.table({"user_id": list(marts), "has_personalization_consent": list(marts.values())})
    assert set(select_consenting_users(users)["user_id"].to_pylist()) == trained


def test_nobody_without_consent_is_personalized_in_any_way(built: Built) -> None:
    """Each of them is answered as a stranger is, by user, by device, and by both."""
    marts = mart_consents(built)
    refused = [person for person, granted in marts.items() if not granted]
    users = pa.table(
        {
            "user_id": list(marts),
            "is_known": [True] * len(marts),
            "segment": ["athletes"] * len(marts),
            "persona": ["runner"] * len(marts),
            "country": ["DE"] * len(marts),
            "has_personalization_consent": list(marts.values()),
        }
    )
    publish(
        built.home.published,
        users=users,
        interactions=pa.table({"user_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())}),
        user_factors=None,
        item_factors=None,
        fold_in=None,
    )
    (built.home.path / "rules.yaml").write_text(RULES)
    settings = load_settings()
    diversity = settings.decisions.diversity.model_copy(update={"exploration_share": 0.0})
    decisions = settings.decisions.model_copy(update={"diversity": diversity})
    serving = settings.serving.model_copy(update={"budget_ms": 10_000.0})
    settings = settings.model_copy(update={"decisions": decisions, "serving": serving})
    config = ServiceConfig(home=built.home, settings=settings, bundled=Path("no-bento"))
    moment = START + dt.timedelta(hours=10, minutes=10)
    faults = asyncio.run(_personalized(config, moment, refused))
    assert faults == []


async def _personalized(config: ServiceConfig, moment: dt.datetime, refused: list[str]) -> list[Any]:
    """Answer for each person in every way; returns what differs from the answer of a stranger."""
    tessera = Tessera(config, clock=lambda: moment, seed=1)
    await tessera.open()
    try:
        stranger = answer(tessera, RecommendationRequest(k=5))
        listed = [item["item_id"] for item in stranger["items"]]
        faults: list[Any] = []
        for person in refused:
            for ids in ({"user_id": person}, {"anonymous_id": f"{person} phone"}, {
                "user_id": person, "anonymous_id": f"{person} phone"
            }):  # fmt: skip
                reply = answer(tessera, RecommendationRequest(k=5, **ids))
                # Whoever turned personalization off is still shown nothing twice.
                keys = RecommendationRequest(**ids).keys
                has_opted_out = any(key and tessera.state.profile(key).get("opt_out") for key in keys)
                decision = answer_decision(tessera, DecisionRequest(slot="hero", **ids))
                described = describe_user(tessera, person)
                is_personal = (
                    reply["personalized"]
                    or "segment" in reply
                    or not (has_opted_out or [item["item_id"] for item in reply["items"]] == listed)
                    or any(item["source"] in PERSONAL_SOURCES for item in reply["items"])
                    or any("you" in item["reason"].split() for item in reply["items"])
                    or decision["content"] == "personal"
                    or (described is not None and (described["is_personalized"] or described["segment"]))
                )
                if is_personal:
                    faults.append((ids, reply, decision["content"]))
        return faults
    finally:
        await tessera.close()
