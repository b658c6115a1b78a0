"""Segments in the service: of people that training knew, and of those that came after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bundles import publish
from starlette.testclient import TestClient

from ml.segmentation import Segmentation, fit_segmentation
from ml.settings import load_settings
from serving.application import application
from serving.tessera import Tessera

SHARES = pa.map_(pa.string(), pa.float64())


def readers(users: int = 240) -> pa.Table:
    """Half of them read sport, half food, each with a little of the other."""
    generator = np.random.default_rng(0)
    sport = np.where(np.arange(users) % 2 == 0, 0.9, 0.1) + generator.uniform(-0.08, 0.08, users)
    maps = [[("sport", float(share)), ("food", float(1 - share))] for share in sport]
    ids = ["ann", "bob", *(f"u{number}" for number in range(2, users))]
    return pa.table(
        {
            "user_id": ids,
            "category_shares": pa.array(maps, SHARES),
            "hover_rate": generator.normal(size=users) + sport,
        }
    )


@pytest.fixture(scope="session")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Segmentation, Path]:
    settings = load_settings().segmentation
    quick = settings.choice.model_copy(
        update={"algorithms": ["kmeans"], "segments_max": 3, "starts": 2, "null_references": 3, "resamples": 2}
    )
    evidence = settings.evidence.model_copy(update={"column": ""})
    model = fit_segmentation(readers(), settings.model_copy(update={"choice": quick, "evidence": evidence}))
    folder = tmp_path_factory.mktemp("model") / "segmentation"
    model.save(folder)
    return model, folder


@pytest.fixture
def client(config, home, segmentation):
    model, folder = segmentation
    users = readers().slice(0, 2)
    users = users.append_column("segment", pa.array([*model.assign(users)["name"].to_pylist()[:1], None]))
    publish(home.published, users=users, files={"segmentation": folder})
    with TestClient(application(Tessera(config, seed=1)), raise_server_exceptions=False) as client:
        yield client


def test_somebody_whom_training_knew_gets_what_training_gave(client, segmentation):
    user = client.get("/v1/users/ann").json()
    expected = segmentation[0].assign(readers().slice(0, 1)).to_pylist()[0]
    profile = next(p for p in segmentation[0].profiles if p.segment == expected["segment"])
    assert (user["segment"], user["persona"]) == (expected["name"], profile.persona)
    assert user["memberships"][user["segment"]] == pytest.approx(expected[f"membership_{expected['segment']}"])
    assert sum(user["memberships"].values()) == pytest.approx(1.0)


def test_somebody_unknown_at_training_is_segmented_by_what_was_opened(client, segmentation):
    for user, items in (("fan", ("i1", "i2", "i3")), ("cook", ("i6", "i7", "i8"))):
        events = [{"event_type": "page_view", "user_id": user, "item_id": item} for item in items]
        assert client.post("/v1/events", json={"events": events}).status_code == 202
    fan, cook = (client.get(f"/v1/users/{user}").json() for user in ("fan", "cook"))
    assert fan["segment"] == client.get("/v1/users/ann").json()["segment"]
    assert {fan["segment"], cook["segment"]} == set(segmentation[0].names)
    assert cook["memberships"][cook["segment"]] > 0.9
    assert cook["persona"]


def test_who_has_no_segment_by_consent_or_by_choice_is_given_none(client):
    assert client.get("/v1/users/bob").json()["segment"] is None
    client.post("/v1/events", json={"events": [{"event_type": "page_view", "user_id": "eve", "item_id": "i1"}]})
    client.put("/v1/users/eve/preferences", json={"opt_out": True})
    user = client.get("/v1/users/eve").json()
    assert (user["segment"], user["memberships"], user["is_personalized"]) == (None, {}, False)
