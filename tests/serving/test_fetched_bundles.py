"""A service that shares no disk with the pipeline takes its bundles from an object store."""

from dataclasses import replace

import pytest
from bundles import publication, publish
from starlette.testclient import TestClient

from ml.bundle import make_current, remove_users, versions, write_bundle
from ml.bundle.object_store import ObjectStore
from ml.home import Home
from serving.application import application
from serving.bundles.bundle_fetcher import BundleFetcher
from serving.start import ServiceConfig
from serving.tessera import Tessera
from tests.s3_server import S3Server, run_s3
from tests.waiting import wait_until

CHECK_SECONDS = 0.1


@pytest.fixture(scope="module")
def s3():
    with run_s3() as server:
        yield server


@pytest.fixture
def address(s3: S3Server) -> str:
    return f"s3://{s3.make_bucket()}/site"


@pytest.fixture
def pipeline(tmp_path) -> Home:
    """The home of the pipeline, on another machine."""
    return Home(tmp_path / "pipeline")


def fetching(config: ServiceConfig, address: str, **serving) -> ServiceConfig:
    settings = config.settings
    changed = settings.serving.model_copy(update={"bundle_check_seconds": CHECK_SECONDS, **serving})
    storage = settings.storage.model_copy(update={"bundles": address})
    return replace(config, settings=settings.model_copy(update={"serving": changed, "storage": storage}))


def model_of(client: TestClient) -> str | None:
    answer = client.post("/v1/recommendations", json={"user_id": "ann", "k": 3})
    return answer.json()["model_version"] if answer.status_code == 200 else None


def test_a_service_takes_each_bundle_that_is_shared(config, address: str, pipeline: Home) -> None:
    home, store = config.home, ObjectStore(address)
    with TestClient(application(Tessera(fetching(config, address)))) as client:
        wait_until(lambda: "nothing is shared" in client.get("/readyz").text)
        assert address in client.get("/readyz").text
        publish(pipeline.published, "v1")
        store.share(pipeline.published, [])
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert model_of(client) == "champion-1"
        write_bundle(pipeline.published, publication(model_version="champion-2"), "v2")
        store.share(pipeline.published, [])
        wait_until(lambda: model_of(client) == "champion-2")
        wait_until(lambda: versions(home.fetched) == ["v2"])
        make_current(pipeline.published, "v1")  # a rollback
        store.share(pipeline.published, [])
        wait_until(lambda: model_of(client) == "champion-1")
        name = remove_users(pipeline.published, "v1", ["ann"])
        store.share(pipeline.published, [])
        wait_until(lambda: versions(home.fetched) == [name])
        wait_until(lambda: client.get("/v1/users/ann").json().get("segment") is None)
    assert not home.published.exists()


def test_the_challenger_is_fetched_too(config, address: str, pipeline: Home) -> None:
    publish(pipeline.published, "v1")
    write_bundle(pipeline.published, publication(model_version="challenger"), "v2")
    make_current(pipeline.published, "v1")
    ObjectStore(address).share(pipeline.published, ["v2"])
    challenger = config.settings.serving.challenger.model_copy(update={"version": "v2", "canary_share": 1.0})
    with TestClient(application(Tessera(fetching(config, address, challenger=challenger)))) as client:
        wait_until(lambda: model_of(client) == "challenger")


def test_a_store_that_is_away_stops_no_answer(config, pipeline: Home, tmp_path, caplog) -> None:
    mount, address = tmp_path / "mount", (tmp_path / "mount").as_uri()
    publish(pipeline.published, "v1")
    ObjectStore(address).share(pipeline.published, [])
    tessera = Tessera(fetching(config, address))
    with TestClient(application(tessera)) as client:
        wait_until(lambda: model_of(client) == "champion-1")
        mount.rename(tmp_path / "away")
        mount.write_text("in the way")
        wait_until(lambda: tessera.bundle_fetcher.fault is not None)
        assert model_of(client) == "champion-1"
        assert client.get("/readyz").status_code == 200
        assert address in str(tessera.bundle_fetcher.fault)
    with TestClient(application(Tessera(fetching(config, address)))) as again:
        wait_until(lambda: model_of(again) == "champion-1")  # from what was fetched before
        mount.unlink()
        (tmp_path / "away").rename(mount)
        publish(pipeline.published, "v2", model_version="champion-2")
        ObjectStore(address).share(pipeline.published, [])
        wait_until(lambda: model_of(again) == "champion-2")
    faults = [record.message for record in caplog.records if "no bundle can be fetched" in record.message]
    assert len(faults) == 2  # one for each service, however often it looked


def test_a_home_that_publishes_fetches_nothing(config, address: str, pipeline: Home) -> None:
    publish(pipeline.published, "v9")
    ObjectStore(address).share(pipeline.published, [])
    publish(config.home.published, "v1")
    fetcher = BundleFetcher(address, config.home)
    fetcher.fetch()
    assert (fetcher.fault, versions(config.home.fetched)) == (None, [])


def test_one_of_several_workers_fetches(config, address: str, pipeline: Home) -> None:
    publish(pipeline.published, "v1")
    ObjectStore(address).share(pipeline.published, [])
    workers = [Tessera(fetching(config, address)) for _ in range(2)]
    with TestClient(application(workers[0])) as first, TestClient(application(workers[1])) as second:
        for client in (first, second):
            wait_until(lambda client=client: model_of(client) == "champion-1")
    assert [worker.bundle_fetcher.fault for worker in workers] == [None, None]
