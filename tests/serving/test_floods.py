"""What follows from the requests of more visitors than people: answers, and nothing else."""

import dataclasses

import pytest
from access_keys import BROWSER, KEYS, SECRET
from bundles import AS_OF, publish
from starlette.testclient import TestClient

from ml.events.log import EventLog
from serving.application import application
from serving.decide.decision_engine import PENDING_OF_ONE
from serving.tessera import Tessera

EXPERIMENTS = """\
version: 1
experiments:
  trial:
    hypothesis: It brings more clicks a user
    unit: anonymous
    variants: {control: {share: 0.5}, new: {share: 0.5}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2026-03-01T00:00:00Z
    ends_at: 2026-04-01T00:00:00Z
"""
VISITORS = ("a", "b", "c", "d", "a")


@pytest.fixture
def tessera(config, home):
    """A service with keys, to which a network may bring two visitors in an hour."""
    publish(home.published)
    (home.path / "experiments.yaml").write_text(EXPERIMENTS)
    collector = config.settings.collector.model_copy(update={"browser_visitors_per_hour": 2})
    settings = config.settings.model_copy(update={"collector": collector})
    evening = AS_OF.replace(hour=20)
    return Tessera(dataclasses.replace(config, keys=KEYS, settings=settings), clock=lambda: evening, seed=1)


def logged(home, event_type):
    rows = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    return [row["anonymous_id"] for row in rows if row["event_type"] == event_type]


def test_visitors_beyond_the_limit_are_answered_and_count_in_no_experiment(tessera, home):
    with TestClient(application(tessera)) as client:
        answers = [
            client.get(
                "/v1/experiments/trial/assignment", params={"anonymous_id": visitor}, headers=BROWSER
            ).json()
            for visitor in VISITORS
        ]
        of_server = client.get(
            "/v1/experiments/trial/assignment", params={"anonymous_id": "e"}, headers=SECRET
        ).json()
    assert all(answer["variant"] for answer in answers)
    assert [answer["exposed"] for answer in [*answers, of_server]] == [True, True, False, False, True, True]
    assert logged(home, "exposure") == ["a", "b", "e"]


@pytest.mark.parametrize("path", ["/v1/recommendations", "/v1/decisions"])
def test_answers_to_visitors_beyond_the_limit_are_not_logged(tessera, home, path):
    with TestClient(application(tessera)) as client:
        for visitor in VISITORS:
            assert client.post(path, json={"anonymous_id": visitor, "slot": "hero"}, headers=BROWSER).json()
    assert logged(home, "served") == ["a", "b", "a"]


def test_the_bandit_awaits_a_few_choices_of_one_person_and_none_of_a_flood(tessera):
    with TestClient(application(tessera)) as client:

        def decide(headers, **person):
            answer = client.post("/v1/decisions", json={"slot": "hero", **person}, headers=headers).json()
            return answer["decision_id"] in tessera.decision_engine._pending

        assert decide(BROWSER, anonymous_id="a")
        assert [decide(BROWSER, anonymous_id="b") for _ in range(PENDING_OF_ONE + 5)].count(True) == PENDING_OF_ONE
        assert not decide(BROWSER, anonymous_id="c")
        assert not decide(BROWSER)  # anybody may name nobody, any number of times
        assert all(decide(SECRET) for _ in range(PENDING_OF_ONE + 5))
        waiting = tessera.clock().timestamp() + tessera.config.settings.decisions.bandit.reward_window_seconds
        tessera.decision_engine.settle(waiting)
        assert decide(BROWSER, anonymous_id="b")
