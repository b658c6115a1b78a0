"""A state file that is damaged or gone at the start is rebuilt from the log."""

import random

import pytest
from bundles import publish
from starlette.testclient import TestClient

from serving.application import application
from serving.state.store_engine import StateError
from serving.tessera import Tessera


def write_history(config):
    """Somebody opens two items, mutes a topic and sets quiet hours; the settings change once."""
    with TestClient(application(Tessera(config))) as client:
        views = [{"event_type": "page_view", "user_id": "zoe", "item_id": item} for item in ("i1", "i2")]
        assert client.post("/v1/events", json={"events": views}).json()["accepted"] == 2
        for settings in (
            {"muted": ["sport"], "quiet_hours": {"from": 22, "to": 6}, "item_impressions_per_day": 3},
            {"muted": ["food"], "item_impressions_per_day": None},
        ):
            assert client.put("/v1/users/zoe/preferences", json=settings).status_code == 200
        return client.get("/v1/users/zoe").json()


def restart(config):
    with TestClient(application(Tessera(config))) as client:
        assert client.post("/v1/recommendations", json={"user_id": "ann"}).status_code == 200
        return client.get("/v1/users/zoe").json()


def test_a_deleted_file_is_rebuilt_with_profiles(config, home):
    publish(home.published)
    before = write_history(config)
    for file in home.path.glob("state.db*"):
        file.unlink()
    after = restart(config)
    assert after["preferences"] == {"muted": ["food"], "quiet_hours": {"from": 22, "to": 6}}
    assert (after["preferences"], after["recent"]) == (before["preferences"], before["recent"])


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_set_aside_and_rebuilt(config, home, seed, caplog):
    publish(home.published)
    before = write_history(config)
    content, generator = bytearray(home.state_db.read_bytes()), random.Random(seed)
    match seed:
        case 0:
            content = bytearray(b"this is no database" * 100)
        case 1:
            content = content[: len(content) // 2]
        case 2:
            content = content[:1000]
        case _:  # bytes at random places of one page after the first
            page = 4096 * generator.randrange(1, len(content) // 4096)
            for place in generator.sample(range(4096), 400):
                content[page + place] ^= 255
    home.state_db.write_bytes(content)
    after = restart(config)
    assert (after["preferences"], after["recent"]) == (before["preferences"], before["recent"])
    aside = [file for file in home.path.glob("state.db.damaged-*") if not file.name.endswith(("-wal", "-shm"))]
    lines = [record.getMessage() for record in caplog.records if "is damaged" in record.getMessage()]
    assert len(aside) == len(lines) <= 1
    assert seed > 2 or len(aside) == 1
    if aside:
        assert aside[0].read_bytes() == bytes(content)
        assert aside[0].name in lines[0]


def test_a_file_that_cannot_be_opened_is_named_with_the_remedy(config, home):
    publish(home.published)
    home.state_db.mkdir(parents=True)
    with pytest.raises(StateError, match="check that the service may read and write it"):
        restart(config)
