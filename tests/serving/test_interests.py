"""Interests name topics of the catalogue, and nothing that is stored of a person breaks an answer."""

import dataclasses
import datetime as dt

import pytest
from bundles import AS_OF, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ml.recommenders.newcomers.onboarding import Question
from ml.recommenders.newcomers.welcome import Welcome
from serving.application import application
from serving.tessera import Tessera

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
TOPIC = st.sampled_from(["sport", "food", "Sport", "gone topic", "a", "category:sport", ""]) | JSON
HOURS = st.dictionaries(st.sampled_from(["from", "to"]), JSON | st.floats(0, 24), max_size=2)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "interests": st.lists(TOPIC, max_size=4) | JSON,
        "muted": st.lists(TOPIC, max_size=4) | JSON,
        "opt_out": st.booleans() | JSON,
        "item_impressions_per_day": st.integers(-5, 2000) | JSON,
        "quiet_hours": HOURS | JSON,
        "of an older version": JSON,
    },
)


@pytest.fixture
def tessera(config, home):
    welcome = home.path / "welcome.json"
    questions = tuple(
        Question("topic", f"{family}:{name}", (0,), 1.0) for family, name in (("category", "sport"), ("tags", "a"))
    )
    Welcome(questions, {0: 0.1, 5: 0.4}, {}).save(welcome)
    publish(home.published, files={"welcome.json": welcome})
    return Tessera(config, clock=lambda: AS_OF, seed=1)


@pytest.fixture
def client(tessera):
    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        yield client


def prefer(client, **fields):
    return client.put("/v1/users/new/preferences", json=fields)


@pytest.mark.parametrize(
    ("interest", "named"),
    [
        ("Sport", "'sport'"),
        ("fod", "'food'"),
        ("FOOD", "'food'"),
        ("tags:sprt", "'sport'"),
        ("x" * 200, "for example"),
    ],
)
def test_an_unknown_interest_is_refused_with_the_nearest_topics(client, interest, named):
    refused = prefer(client, interests=["food", interest])
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "interests")
    assert named in refused.json()["error"]["message"]
    assert client.get("/v1/users/new").status_code == 404  # nothing was kept


def test_what_onboarding_names_next_can_be_answered(client):
    answered = client.get("/v1/onboarding?user_id=new").json()["next"]["field"]
    assert answered in {"category:sport", "tags:a"}
    assert prefer(client, interests=[answered]).json()["preferences"] == {"interests": [answered.split(":")[1]]}
    reply = client.post("/v1/recommendations", json={"user_id": "new"}).json()
    assert reply["personalized"]
    following = client.get("/v1/onboarding?user_id=new").json()["next"]
    assert following is None or following["field"] != answered


def test_categories_and_tags_are_interests_and_each_counts_once(client):
    stored = prefer(client, interests=["food", "a", "food", "tags:a"]).json()["preferences"]
    assert stored == {"interests": ["food", "a"]}


def test_an_interest_that_no_item_has_any_more_may_stay(client, tessera):
    tessera.state.put_profile("new", {"interests": ["gone topic"]}, AS_OF.timestamp())
    assert prefer(client, interests=["gone topic", "food"]).status_code == 200
    assert client.post("/v1/recommendations", json={"user_id": "new"}).json()["items"]
    assert prefer(client, interests=["another"]).status_code == 422


@pytest.mark.parametrize("person", ["ann", "new"])
def test_nothing_that_is_stored_of_a_person_breaks_a_route(config, home, person):
    publish(home.published)
    # No caps, which would refuse the hundredth answer.
    caps = config.settings.decisions.caps.model_copy(update={"slot_impressions_per_hour": 10**6})
    decisions = config.settings.decisions.model_copy(update={"caps": caps})
    config = dataclasses.replace(config, settings=config.settings.model_copy(update={"decisions": decisions}))
    tessera = Tessera(config, clock=lambda: AS_OF + dt.timedelta(hours=11), seed=1)
    body = {"user_id": person, "slot": "home"}

    @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(PROFILES)
    def check(profile):
        tessera.state.put_profile(person, profile, AS_OF.timestamp())
        answers = [
            client.post("/v1/recommendations", json=body),
            client.post("/v1/decisions", json=body),
            client.get(f"/v1/users/{person}"),
            client.get(f"/v1/onboarding?user_id={person}"),
            client.put(f"/v1/users/{person}/preferences?preview=true", json={"muted": ["food"]}),
            client.put(f"/v1/users/{person}/preferences", json={"item_impressions_per_day": 3}),
            client.post("/v1/recommendations", json=body),
        ]
        assert [answer.status_code for answer in answers if answer.status_code not in (200, 404)] == []

    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        check()
