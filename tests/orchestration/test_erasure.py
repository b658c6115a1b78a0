"""Somebody asks to be erased: afterwards no file of the home, decoded or raw, names the person."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ml.bundle import Bundle, current_version
from ml.erasure.receipts import PLACES
from ml.events.log import EventLog
from ml.home import Home
from ml.recommenders.models.zoo import load_recommender
from ml.recommenders.user_removal import saved_recommenders
from ml.segmentation.audiences.audiences import ContactLog
from ml.settings import load_site_settings
from orchestration.cli import app
from orchestration.erasure.places import find_place
from orchestration.erasure.scan import scan_files
from orchestration.warehouse.warehouse import open_duckdb
from serving.application import application
from serving.start import ServiceConfig
from serving.tessera import Tessera


def somebody(home: Home) -> str:
    """A user whom the campaigns wrote to and whom the champion knows."""
    contacted = set(ContactLog(home.path / "contacts").read()["user_id"].to_pylist())
    published = Bundle.load(home.published / (current_version(home.published) or "")).user_rows
    return min(contacted & set(published))


def served(home: Home) -> TestClient:
    settings = load_site_settings(home).settings
    return TestClient(application(Tessera(ServiceConfig(home=home, settings=settings), seed=1)))


def places_with(home: Home, person: str) -> set[str]:
    return {
        find_place(hit.path)
        for hit in scan_files(home.path, [person], leave_out=(home.path / "erasures" / "pending",))
    }


def raw_files_with(home: Home, person: str) -> list[str]:
    return [str(file) for file in home.path.rglob("*") if file.is_file() and person.encode() in file.read_bytes()]


def test_an_erased_person_is_nowhere_in_the_home_and_stays_away(changing_home: Home, tmp_path: Path) -> None:
    home = changing_home
    written = CliRunner().invoke(app, ["materialize", "--job", "campaigns", "--home", str(home.path)])
    assert written.exit_code == 0, written.output
    person = somebody(home)
    with open_duckdb(home.warehouse, read_only=True) as warehouse:
        others = warehouse.sql("select count(*) from users").fetchall()[0][0] - 1
    pq.write_table(pa.table({"who": [person, "another"]}), home.truth / "people.parquet")
    with served(home) as client:
        view = {"event_type": "page_view", "user_id": person, "item_id": "item-1", "page_url": f"/people/{person}"}
        profile = {**view, "user_id": "somebody-else"}
        broken = {"event_type": "page_view", "user_id": person, "occurred_at": "never"}
        assert client.post("/v1/events", json={"events": [view, profile, broken]}).json()["accepted"] == 2
        assert client.post("/v1/recommendations", json={"user_id": person, "slot": "home"}).status_code == 200
        assert places_with(home, person) == set(PLACES)
        receipt_id = client.delete(f"/v1/users/{person}").json()["receipt_id"]
        assert client.get(f"/v1/users/{person}").status_code == 404
        stranger = client.post("/v1/recommendations", json={"user_id": person, "slot": "home"}).json()
        assert stranger["items"]
        assert stranger["personalized"] is False
        assert client.post("/v1/events", json={"events": [view]}).json()["accepted"] == 0
        done = CliRunner().invoke(app, ["materialize", "--job", "erasure", "--home", str(home.path)])
        assert done.exit_code == 0, done.output
        receipt = client.get(f"/v1/erasures/{receipt_id}").json()
    assert {entry["place"]: entry["status"] for entry in receipt["places"]} == dict.fromkeys(PLACES, "verified"), (
        receipt
    )
    removed = {entry["place"]: entry["removed"] for entry in receipt["places"]}
    assert min(removed.values()) >= 1, removed
    assert places_with(home, person) == set()
    assert raw_files_with(home, person) == []
    with open_duckdb(home.warehouse, read_only=True) as warehouse:
        named = ("somebody-else", receipt["subject"])  # the event `erased` carries the digest
        users = warehouse.sql(f"select count(*) from users where user_id not in {named}").fetchall()
        assert users == [(others,)]
        assert warehouse.sql("select count(*) from training_users(timestamp '2026-05-20')").fetchall()[0][0] > 0
    assert_models_stand(home)
    assert_an_old_file_brings_nobody_back(home, person, tmp_path)


def assert_models_stand(home: Home) -> None:
    """Every saved recommender still loads and ranks, and the service's bundle holds its checks."""
    models = saved_recommenders(home.artifacts)
    assert models
    for folder in models:
        recommender = load_recommender(folder)
        assert recommender.recommend(recommender.user_ids_.to_list()[:3], 5).rows.shape == (3, 5)
    assert Bundle.load(home.published / (current_version(home.published) or ""))
    (bento,) = (home.bentoml / "bentos" / "tessera").glob("*/bento.yaml")
    assert bento.parent.name == current_version(home.published)


def assert_an_old_file_brings_nobody_back(home: Home, person: str, folder: Path) -> None:
    """A file from before the erasure, good rows and bad ones, changes nothing for the person."""
    file, before = folder / "old.csv", sum(part.rows for part in EventLog(home).parts())
    rows = {
        "event_id": ["old-1", "old-2", "old-3"],
        "event_type": ["page_view", "page_view", "no such type"],
        "occurred_at": ["2026-05-01T10:00:00Z"] * 3,
        "user_id": [person, "another", person],
        "item_id": ["item-1"] * 3,
    }
    pyarrow.csv.write_csv(pa.table(rows), file)
    told = CliRunner().invoke(app, ["ingest", "files", "--path", str(file), "--home", str(home.path)])
    assert told.exit_code == 0, told.output
    assert "1 events of people who were erased were left out" in told.output
    assert sum(part.rows for part in EventLog(home).parts()) == before + 1
    assert raw_files_with(home, person) == []
