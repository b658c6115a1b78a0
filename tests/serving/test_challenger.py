"""A second bundle beside the current one: some people get it, for others it only takes notes."""

import dataclasses
import json

import pytest
from calls import ask, recommend

from ml.bundle import make_canary, make_current
from ml.events.log import EventLog
from serving.learn.online_learning import OnlineLearning
from serving.routes.models import describe_models


def with_challenger(config, **shares):
    serving = config.settings.serving
    challenger = serving.challenger.model_copy(update={"version": "v2", **shares})
    settings = config.settings.model_copy(
        update={"serving": serving.model_copy(update={"challenger": challenger})}
    )
    return type(config)(home=config.home, settings=settings, bundled=config.bundled)


@pytest.mark.usefixtures("two_versions")
def test_the_canarys_share_is_answered_by_the_challenger(config):
    assert (
        ask(with_challenger(config, canary_share=1.0), recommend(user_id="ann"))["model_version"] == "challenger"
    )
    assert (
        ask(with_challenger(config, canary_share=0.0), recommend(user_id="ann"))["model_version"] == "champion-1"
    )


@pytest.mark.usefixtures("two_versions")
def test_a_shadow_is_logged_and_not_shown_and_nothing_is_learned_from_it(config, home, monkeypatch):
    remembered = []
    monkeypatch.setattr(OnlineLearning, "remember", lambda self, user, *ranked: remembered.append(user))
    reply = ask(with_challenger(config, shadow_share=1.0), recommend(user_id="ann"))
    assert remembered == ["ann"]
    assert reply["model_version"] == "champion-1"
    events = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    (served,) = [row["properties"] for row in events if row["event_type"] == "served"]
    assert json.loads(served)["shadow_model_version"] == "challenger"


def roles(home):
    events = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    answers = [json.loads(row["properties"]) for row in events if row["event_type"] == "served"]
    return [(answer["role"], answer["model_version"]) for answer in answers]


def with_share(config, share):
    canary = config.settings.canary.model_copy(update={"share": share})
    return dataclasses.replace(config, settings=config.settings.model_copy(update={"canary": canary}))


@pytest.mark.usefixtures("two_versions")
def test_a_canary_answers_its_share_until_it_is_let_go_or_becomes_the_champion(config, home):
    def canary(version):
        return lambda _: make_canary(home.published, version)

    def look(tessera):
        return tessera.load_newer_bundle()

    ann = recommend(user_id="ann")
    half = with_share(config, 0.5)
    people = [f"person-{number}" for number in range(60)]
    ask(half, canary("v2"), look, *(recommend(user_id=person) for person in people))
    shown = roles(home)
    assert set(shown) == {("champion", "champion-1"), ("canary", "challenger")}
    assert 15 <= shown.count(("canary", "challenger")) <= 45
    assert ask(with_share(config, 0.0), look, ann)["model_version"] == "champion-1"

    again = recommend(user_id=people[shown.index(("canary", "challenger"))])
    assert ask(half, look, again)["model_version"] == "challenger"
    assert ask(half, look, canary(None), look, again)["model_version"] == "champion-1"

    def promote(_):
        make_current(home.published, "v2")
        make_canary(home.published, None)

    reply = ask(half, canary("v2"), look, again, promote, look, again)
    assert reply["model_version"] == "challenger"
    assert roles(home)[-1] == ("champion", "challenger")


@pytest.mark.usefixtures("two_versions")
def test_a_canary_that_is_damaged_or_named_wrongly_leaves_the_champion_alone(config, home):
    half = with_share(config, 0.5)
    people = [recommend(user_id=f"person-{number}") for number in range(20)]
    make_canary(home.published, "v2")
    (home.published / "v2" / "item_factors.npy").write_bytes(b"")
    ask(half, *people)
    (home.published / "CANARY").write_text("../keys.json")
    ask(half, *people)
    assert set(roles(home)) == {("champion", "champion-1")}


@pytest.mark.usefixtures("two_versions")
def test_a_canary_is_no_challenger_of_interleaving_and_experiments(config, home):
    make_canary(home.published, "v2")
    serving = config.settings.serving
    shares = serving.challenger.model_copy(update={"interleaved_share": 1.0, "canary_share": 1.0})
    settings = config.settings.model_copy(update={"serving": serving.model_copy(update={"challenger": shares})})
    unnamed = dataclasses.replace(config, settings=settings)
    models = ask(unnamed, *(recommend(user_id=f"person-{number}") for number in range(40)), describe_models)
    assert (models["challenger"], models["canary"]["model_version"]) == (None, "challenger")
    assert {role for role, _ in roles(home)} == {"champion", "canary"}
    assert ask(with_challenger(config), lambda tessera: tessera.canary) is None  # the settings come first
