"""Bundles travel through an object store whole or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import fs

from ml.bundle import (
    Bundle,
    BundleError,
    canary_version,
    current_version,
    make_canary,
    make_current,
    remove_users,
    versions,
)
from ml.bundle.object_store import INDEX, ObjectStore, ObjectStoreError, SharedVersions
from ml.integrity.checked_json import encode_checked
from tests.s3_server import run_s3
from tests.serving.bundles import publication, publish, write_bundle


@pytest.fixture(scope="module")
def s3():
    with run_s3() as server:
        yield server


@pytest.fixture(params=["s3", "file"])
def address(request, s3, tmp_path):
    return f"s3://{s3.make_bucket()}/deep/site" if request.param == "s3" else (tmp_path / "mount").as_uri()


def names_in(address: str) -> set[str]:
    files, path = fs.FileSystem.from_uri(address)
    entries = files.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return {entry.path.removeprefix(f"{path}/") for entry in entries if entry.type == fs.FileType.File}


def write(address: str, name: str, content: bytes) -> None:
    files, path = fs.FileSystem.from_uri(address)
    with files.open_output_stream(f"{path}/{name}") as stream:
        stream.write(content)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_elsewhere_becomes_what_was_published(address: str, tmp_path: Path) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore(address)
    assert store.read_versions() is None
    publish(here, "v1")
    assert store.share(here, []) == store.read_versions() == SharedVersions("v1", ("v1",))
    store.fetch(there, store.read_versions())
    assert contents(there) == contents(here)
    assert Bundle.load(there / "v1").user_rows == Bundle.load(here / "v1").user_rows

    write_bundle(here, publication(model_version="challenger"), "v2")
    make_current(here, "v1")
    store.share(here, ["v2", "never-published"])
    store.fetch(there, store.read_versions())
    assert contents(there) == contents(here)

    make_current(here, "v2")  # the old version is needed no more, and leaves the store and the folder
    store.share(here, [""])
    assert store.read_versions() == SharedVersions("v2", ("v2",))
    assert {name.split("/")[0] for name in names_in(address)} == {"v2", INDEX}
    store.fetch(there, store.read_versions())
    assert (current_version(there), versions(there)) == ("v2", ["v2"])
    assert contents(there / "v2") == contents(here / "v2")


def test_who_is_removed_here_is_gone_from_the_store_and_the_folder(address: str, tmp_path: Path) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore(address)
    publish(here, "v1")
    store.fetch(there, store.share(here, []))
    remove_users(here, "v1", ["ann"])
    store.fetch(there, store.share(here, []))
    (name,) = versions(there)
    assert Bundle.load(there / name).users["user_id"].to_pylist() == ["bob"]
    assert {path.split("/")[0] for path in names_in(address)} == {name, INDEX}


def test_a_killed_upload_shows_nobody_a_part_and_goes_on(address: str, tmp_path: Path, monkeypatch) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore(address)
    publish(here, "v1")
    store.fetch(there, store.share(here, []))
    publish(here, "v2", model_version="champion-2")
    copy, copied = fs.copy_files, []

    def die_after_three(*arguments, **options):
        if len(copied) == 3:
            raise KeyboardInterrupt
        copied.append(copy(*arguments, **options))

    monkeypatch.setattr(fs, "copy_files", die_after_three)
    with pytest.raises(KeyboardInterrupt):
        store.share(here, [])
    monkeypatch.setattr(fs, "copy_files", copy)
    assert any(name.startswith("v2/") for name in names_in(address))
    assert store.read_versions() == SharedVersions("v1", ("v1",))
    store.fetch(there, store.read_versions())
    assert current_version(there) == "v1"
    store.share(here, [])
    store.fetch(there, store.read_versions())
    assert contents(there / "v2") == contents(here / "v2")


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_version_is_refused_and_the_one_before_stays(address: str, tmp_path: Path, damage: str) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore(address)
    publish(here, "v1")
    store.fetch(there, store.share(here, []))
    publish(here, "v2")
    store.share(here, [])
    file = "v2/item_factors.npy"
    content = (here / file).read_bytes()
    if damage == "missing":
        files, path = fs.FileSystem.from_uri(address)
        files.delete_file(f"{path}/{file}")
    else:
        write(address, file, content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises((BundleError, ObjectStoreError), match="item_factors"):
        store.fetch(there, store.read_versions())
    assert (current_version(there), versions(there)) == ("v1", ["v1"])
    assert [path.name for path in there.iterdir() if path.name.startswith(".")] == []
    write(address, file, content)
    store.fetch(there, store.read_versions())
    assert current_version(there) == "v2"


@pytest.mark.parametrize(
    ("index", "word"),
    [
        (b'{"current": "v1"', "unreadable"),
        (b'{"current": "v1", "versions": ["v1"], "check": "00000000"}', "checksum"),
        (encode_checked({"current": "../keys", "versions": ["../keys"]}).encode(), "not a version"),
        (encode_checked({"current": "v1", "versions": ["v2"]}).encode(), "not among"),
        (encode_checked({"current": "v1", "versions": "v1"}).encode(), "needs"),
        (encode_checked({"current": "v1", "canary": "../k", "versions": ["v1"]}).encode(), "canary ../k is not"),
        (encode_checked({"current": None, "versions": [None]}).encode(), "not a version"),
        (b"\xff\xfe", "unreadable"),
    ],
)
def test_an_index_that_nobody_wrote_is_refused(tmp_path: Path, index: bytes, word: str) -> None:
    address = (tmp_path / "mount").as_uri()
    (tmp_path / "mount").mkdir()
    write(address, INDEX, index)
    with pytest.raises(BundleError, match=word):
        ObjectStore(address).read_versions()


def test_no_file_of_a_bundle_leads_out_of_its_folder(tmp_path: Path) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore((tmp_path / "mount").as_uri())
    publish(here, "v1")
    shared = store.share(here, [])
    manifest = tmp_path / "mount" / "v1" / "manifest.json"
    text = manifest.read_text().replace('"items.parquet"', '"../../site.key"')
    manifest.write_text(text.split(', "check"')[0] + "}")
    with pytest.raises(BundleError, match=r"\.\./\.\./site.key"):
        store.fetch(there, shared)
    assert not (tmp_path / "site.key").exists()


@pytest.mark.parametrize("address", ["s3x://bucket/site", "nothing", "file:///proc/nowhere"])
def test_an_address_that_cannot_be_used_is_named(address: str, tmp_path: Path) -> None:
    publish(tmp_path / "published", "v1")
    with pytest.raises(ObjectStoreError, match=f"storage.bundles: {address}"):
        ObjectStore(address).share(tmp_path / "published", [])


def test_a_bucket_that_is_not_there_is_named(s3, tmp_path: Path) -> None:
    publish(tmp_path / "published", "v1")
    with pytest.raises(ObjectStoreError, match="s3://no-such-bucket/site"):
        ObjectStore("s3://no-such-bucket/site").share(tmp_path / "published", [])


def test_large_files_arrive_whole(address: str, tmp_path: Path) -> None:
    """Object stores take files beyond 5 to 10 MiB in parts."""
    here, store = tmp_path / "published", ObjectStore(address)
    large = tmp_path / "large.npy"
    np.save(large, np.random.default_rng(0).random((2_000_000,)))
    publish(here, "v1", files={"large.npy": large}, users=pa.table({"user_id": ["ann", "bob"]}))
    store.fetch(tmp_path / "fetched", store.share(here, []))
    assert contents(tmp_path / "fetched") == contents(here)


def test_the_canary_travels_with_the_current_version_and_ends_elsewhere_too(address: str, tmp_path: Path) -> None:
    here, there, store = tmp_path / "published", tmp_path / "fetched", ObjectStore(address)
    publish(here, "v1")
    write_bundle(here, publication(model_version="new"), "v2", is_canary=True)
    store.fetch(there, store.share(here, []))
    assert store.read_versions() == SharedVersions("v1", ("v1", "v2"), "v2")
    assert contents(there) == contents(here)
    make_canary(here, None)
    store.fetch(there, store.share(here, []))
    assert (current_version(there), canary_version(there), versions(there)) == ("v1", None, ["v1"])
