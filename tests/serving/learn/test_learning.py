"""What is learned between two trainings: rewards of decisions, awaited for a while; and the way back."""

import pytest
from bundles import publish
from calls import ask
from starlette.testclient import TestClient

from serving.application import application
from serving.learn.learning import Learning
from serving.recommend.answering import decision
from serving.requests import DecisionRequest
from serving.tessera import Tessera

EVENING = {"anonymous_id": "a", "slot": "hero", "at": "2026-03-02T20:00:00Z"}


def decide(tessera):
    return decision(tessera, DecisionRequest(**EVENING))


def rewards(tessera):
    """Summed context weight and summed reward of the bandit's models, by variant."""
    models = tessera.deciding.bandit.snapshot()
    return {
        name.rsplit("/", 1)[1]: (model["precision"][0][0] - 1, model["weighted"][0])
        for name, model in models.items()
    }


def test_a_choice_that_nobody_reacted_to_earned_nothing(start):
    def run(tessera):
        chosen = decide(tessera)["content"]
        window = tessera.start.settings.decisions.bandit.reward_window_seconds
        now = tessera.clock().timestamp()
        assert tessera.deciding.settle(now + window - 1) == 0
        assert rewards(tessera) == {}
        assert tessera.deciding.settle(now + window) == 1
        assert rewards(tessera) == {chosen: (1, 0.0)}
        assert tessera.deciding.settle(now + 2 * window) == 0

    ask(start, run)


@pytest.mark.parametrize(("reaction", "reward"), [("click", 1.0), ("not_interested", 0.0)])
def test_a_reaction_is_the_reward_whichever_worker_hears_of_it(start, reaction, reward):
    async def run(tessera):
        chosen = decide(tessera)
        other = Tessera(start, clock=tessera.clock, seed=2)
        await other.open()  # a second worker over the same state takes the event
        event = {"event_type": reaction, "anonymous_id": "a", "item_id": "x"}
        await other.collector.record([{**event, "recommendation_id": chosen["decision_id"]}])
        await other.close()
        tessera.state.catch_up()
        assert rewards(tessera) == {chosen["content"]: (1, reward)}

    ask(start, run)


def test_workers_share_what_their_bandits_learned(start):
    async def run(tessera):
        other = Tessera(start, clock=tessera.clock, seed=2)
        await other.open()
        for worker, reward in ((tessera, 1.0), (other, 0.0), (other, 1.0)):
            decision_id = decide(worker)["decision_id"]
            worker.deciding._learn(decision_id, reward)
        for worker in (tessera, other, tessera):
            worker.deciding.exchange()
        assert rewards(tessera) == rewards(other)
        assert sum(shown for shown, _ in rewards(tessera).values()) == 3
        assert sum(earned for _, earned in rewards(tessera).values()) == 2
        await other.close()

    ask(start, run)


def test_learning_is_told_and_can_be_taken_back(start, home):
    publish(home.published)
    tessera = Tessera(start, seed=1)
    with TestClient(application(tessera)) as client:
        client.post("/v1/recommendations", json={"user_id": "ann"})
        view = {"event_type": "page_view", "user_id": "ann", "item_id": "i1"}
        client.post("/v1/events", json={"events": [view]})
        learned = client.get("/v1/online-learning").json()
        assert learned["updates"] == 1
        assert learned["biases"] > 0
        assert any(learned["weights"].values())
        other = Learning(tessera.state, start.settings.decisions.online_learning)  # as another worker has it
        other.learner.correction.updates = 7
        assert not other.follow()
        back = client.post("/v1/online-learning/revert", json={"steps": 1}).json()
        assert (back["updates"], back["biases"], set(back["weights"].values())) == (0, 0, {0.0})
        assert other.follow()
        assert (other.learner.correction.updates, other.follow()) == (0, False)
        assert client.post("/v1/online-learning/revert", json={"steps": -1}).status_code == 422
