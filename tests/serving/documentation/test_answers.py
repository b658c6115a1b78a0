"""Real answers hold the fields that their models describe, and no others, and every example of a body works."""

import pytest
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.documentation import answers
from serving.documentation.operations import OPERATIONS
from serving.tessera import Tessera

EXPERIMENTS = """
version: 1
experiments:
  trial:
    hypothesis: It brings more clicks a user
    unit: user
    variants: {control: {share: 0.5}, new: {share: 0.5}}
    primary_metric: clicks_per_user
    minimum_detectable_effect: 0.05
    starts_at: 2020-01-01T00:00:00Z
    ends_at: 2040-01-01T00:00:00Z
"""
BODIES = {
    "recommend": {"user_id": "ann", "k": 3},
    "decide": {"user_id": "ann", "slot": "hero"},
    "send_events": {
        "events": [{"event_type": "page_view", "user_id": "ann", "item_id": "i1"}, {"event_type": "no such type"}]
    },
    "set_preferences": {"muted": ["food"]},
    "revert_online_learning": {"steps": 0},
}
IDS = {"user_id": "ann", "item_id": "i1", "experiment_id": "trial"}
QUERIES = {"assign_variant": {"user_id": "ann"}, "list_questions": {"user_id": "ann", "item_id": "i1"}}
ORDER = ("send_events",)  # first, since the others tell of it


@pytest.fixture
def client(config, home):
    publish(home.published)
    (home.path / "experiments.yaml").write_text(EXPERIMENTS)
    with TestClient(application(Tessera(config, seed=1))) as client:
        yield client


def test_answers_hold_the_described_fields_and_no_others(client):
    checked, receipt = set(), None
    json_operations = [operation for operation in OPERATIONS if not isinstance(operation.answer, str)]
    last = {"erase_person": 1, "read_erasure": 2}
    for operation in sorted(json_operations, key=lambda operation: last.get(operation.name, 0)):
        path = operation.path.format(**IDS, receipt_id=receipt)
        answer = client.request(
            operation.method, path, json=BODIES.get(operation.name), params=QUERIES.get(operation.name)
        )
        assert answer.status_code == operation.status, (operation.name, answer.text)
        operation.answer.model_validate_json(answer.content, extra="forbid", strict=True)
        receipt = answer.json().get("receipt_id", receipt)
        checked.add(operation.name)
    assert len(checked) >= 14


def test_every_example_of_a_body_works(client):
    description = client.get("/openapi.json").json()
    tried = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name, example in content.get("examples", {}).items():
                answer = client.request(method, path.format(**IDS), json=example["value"])
                assert answer.is_success, (path, name, answer.text)
                assert not answer.json().get("rejected"), (path, name, answer.text)
                tried += 1
    assert tried >= 15


def test_an_error_has_the_described_fields(client):
    for answer in (client.get("/v1/users/nobody"), client.post("/v1/recommendations", json={"k": 0})):
        answers.ErrorAnswer.model_validate_json(answer.content, extra="forbid")
