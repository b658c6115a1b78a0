"""What is learned between two trainings: rewards of decisions, awaited for a while; and the way back."""

import pytest
from bundles import publish
from calls import ask
from starlette.testclient import TestClient

from serving.application import application
from serving.decide.decision_answers import answer_decision
from serving.learn.online_learning import OnlineLearning
from serving.requests import DecisionRequest
from serving.tessera import Tessera

EVENING = {"anonymous_id": "a", "slot": "hero", "at": "2026-03-02T20:00:00Z"}


def decide(tessera):
    return answer_decision(tessera, DecisionRequest(**EVENING))


def rewards(tessera):
    """Summed context weight and summed reward of the bandit's models, by variant."""
    models = tessera.decision_engine.bandit.snapshot()
    return {
        name.rsplit("/", 1)[1]: (model["precision"][0][0] - 1, model["weighted"][0])
        for name, model in models.items()
    }


def test_a_choice_that_nobody_reacted_to_earned_nothing(config):
    def run(tessera):
        chosen = decide(tessera)["content"]
        window = tessera.config.settings.decisions.bandit.reward_window_seconds
        now = tessera.clock().timestamp()
        assert tessera.decision_engine.settle(now + window - 1) == 0
        assert rewards(tessera) == {}
        assert tessera.decision_engine.settle(now + window) == 1
        assert rewards(tessera) == {chosen: (1, 0.0)}
        assert tessera.decision_engine.settle(now + 2 * window) == 0

    ask(config, run)


@pytest.mark.parametrize(("reaction", "reward"), [("click", 1.0), ("not_interested", 0.0)])
def test_a_reaction_is_the_reward_whichever_worker_hears_of_it(config, reaction, reward):
    async def run(tessera):
        chosen = decide(tessera)
        other = Tessera(config, clock=tessera.clock, seed=2)
        await other.open()  # a second worker over the same state takes the event
        event = {"event_type": reaction, "anonymous_id": "a", "item_id": "x"}
        await other.collector.record([{**event, "recommendation_id": chosen["decision_id"]}])
        await other.close()
        tessera.state.catch_up()
        assert rewards(tessera) == {chosen["content"]: (1, reward)}

    ask(config, run)


def test_workers_share_what_their_bandits_learned(config):
    async def run(tessera):
        other = Tessera(config, clock=tessera.clock, seed=2)
        await other.open()
        for worker, reward in ((tessera, 1.0), (other, 0.0), (other, 1.0)):
            decision_id = decide(worker)["decision_id"]
            worker.decision_engine._learn(decision_id, reward)
        for worker in (tessera, other, tessera):
            worker.decision_engine.exchange()
        assert rewards(tessera) == rewards(other)
        assert sum(shown for shown, _ in rewards(tessera).values()) == 3
        assert sum(earned for _, earned in rewards(tessera).values()) == 2
        await other.close()

    ask(config, run)


def test_learning_is_told_and_can_be_taken_back(config, home):
    publish(home.published)
    tessera = Tessera(config, seed=1)
    with TestClient(application(tessera)) as client:
        client.post("/v1/recommendations", json={"user_id": "ann"})
        view = {"event_type": "page_view", "user_id": "ann", "item_id": "i1"}
        client.post("/v1/events", json={"events": [view]})
        learned = client.get("/v1/online-learning").json()
        assert learned["updates"] == 1
        assert learned["biases"] > 0
        assert any(learned["weights"].values())
        other = OnlineLearning(tessera.state, config.settings.decisions.online_learning)  # another worker's
        other.learner.correction.updates = 7
        assert not other.follow_revert()
        back = client.post("/v1/online-learning/revert", json={"steps": 1}).json()
        assert (back["updates"], back["biases"], set(back["weights"].values())) == (0, 0, {0.0})
        assert other.follow_revert()
        assert (other.learner.correction.updates, other.follow_revert()) == (0, False)
        assert client.post("/v1/online-learning/revert", json={"steps": -1}).status_code == 422
