"""The pipeline keeps the object store at what services need, and erases people from it."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from pyarrow import fs

from ml.bundle import Bundle, current_version, make_current, versions, write_bundle
from ml.bundle.object_store import ObjectStore, ObjectStoreError
from ml.erasure.person_ids import PersonIds
from ml.erasure.receipts import ErasureReceipts
from ml.events.log import EventLog
from ml.home import Home
from orchestration.defs.erasure import erasure_receipts
from orchestration.defs.publishing import shared_bundle
from orchestration.defs.resources import HomeResource, WarehouseResource
from tests.serving.bundles import publication, publish

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with a current bundle and a challenger, whose site shares them."""
    site = tmp_path / "site"
    site.mkdir()
    address = (tmp_path / "mount").as_uri()
    (site / "settings.yaml").write_text(
        f"storage: {{bundles: '{address}'}}\nserving: {{challenger: {{version: v2, canary_share: 0.1}}}}\n"
    )
    monkeypatch.setenv("TESSERA_SITE", str(site))
    home = Home(tmp_path / "home", site=site)
    publish(home.published, "v0")
    publish(home.published, "v1")
    write_bundle(home.published, publication(model_version="challenger"), "v2")
    make_current(home.published, "v1")
    return home


def store_of(home: Home) -> ObjectStore:
    return ObjectStore((home.path.parent / "mount").as_uri())


def materialize(home: Home, asset: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    resource = HomeResource(path=str(home.path))
    resources = {"home": resource, "warehouse": WarehouseResource(home=resource)}
    return dg.materialize([asset], resources=resources, raise_on_error=False)


def test_current_bundle_and_challenger_are_shared(home: Home) -> None:
    assert materialize(home, shared_bundle).success
    assert store_of(home).read_versions().names == ("v1", "v2")


def test_without_the_setting_nothing_is_shared(home: Home) -> None:
    (home.site / "settings.yaml").write_text("storage: {bundles: ''}\n")
    result = materialize(home, shared_bundle)
    (made,) = result.asset_materializations_for_node("shared_bundle")
    assert made.metadata["versions"].value == "not shared"
    assert not (home.path.parent / "mount").exists()


def test_who_is_erased_leaves_the_store_before_the_receipt_says_so(home: Home) -> None:
    materialize(home, shared_bundle)
    store_of(home).fetch(home.fetched, store_of(home).read_versions())
    receipts = ErasureReceipts(home)
    receipt = receipts.open(PersonIds(("ann",)), NOW)["receipt_id"]
    EventLog(home).erased.add(["ann"])
    mount, away = home.path.parent / "mount", home.path.parent / "away"
    mount.rename(away)
    mount.write_text("in the way")
    assert not materialize(home, erasure_receipts).success
    assert receipt in receipts.pending()
    mount.unlink()
    away.rename(mount)
    assert materialize(home, erasure_receipts).success
    statuses = {place["place"]: place["status"] for place in receipts.receipt(receipt)["places"]}
    assert statuses["published bundles"] == "verified"
    assert versions(home.fetched) == []
    shared = store_of(home).read_versions()
    assert shared.current == current_version(home.published)
    store_of(home).fetch(home.path.parent / "elsewhere", shared)
    for name in shared.names:
        assert Bundle.load(home.path.parent / "elsewhere" / name).users["user_id"].to_pylist() == ["bob"]
    files = fs.LocalFileSystem().get_file_info(fs.FileSelector(str(mount), recursive=True))
    assert all(b"ann" not in Path(file.path).read_bytes() for file in files if file.path.endswith("users.parquet"))


def test_a_store_that_cannot_be_used_is_named_by_its_setting(home: Home) -> None:
    (home.path.parent / "mount").write_text("in the way")
    with pytest.raises(ObjectStoreError, match=r"storage\.bundles: file://"):
        store_of(home).share(home.published, [])
