"""A second bundle beside the current one: some people get it, for others it only takes notes."""

import json

import pytest
from calls import ask, recommend

from ml.events.log import EventLog
from serving.learn.online_learning import OnlineLearning


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
