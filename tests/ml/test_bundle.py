import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from ml.bundle import (
    Bundle,
    BundleError,
    Publication,
    canary_version,
    current_version,
    find_canary,
    make_canary,
    make_current,
    remove_abandoned_versions,
    remove_users,
    remove_versions,
    versions,
    write_bundle,
)
from ml.bundle.versions import draft_version
from ml.integrity.checked_json import decode_checked, encode_checked

AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def publication(**changes):
    parts = {
        "model_version": "7",
        "as_of": AS_OF,
        "items": pa.table({"item_id": ["a", "b", "c"], "category": ["x", "y", "x"]}),
        "users": pa.table({"user_id": ["u", "v"], "segment": ["s", None]}),
        "trending": pa.table({"scope": ["all", "all"], "item_id": ["b", "a"], "score": [1.0, 2.0]}),
        "interactions": pa.table({"user_id": ["u", "u", "u", "?"], "item_id": ["c", "a", "c", "a"]}),
        "user_factors": np.ones((2, 4), dtype=np.float32),
        "item_factors": np.ones((3, 4), dtype=np.float32),
    }
    return Publication(**{**parts, **changes})


def test_a_bundle_is_read_as_it_was_written(tmp_path):
    bundle = Bundle.load(write_bundle(tmp_path, publication(), "v1"))
    assert (bundle.version, bundle.model_version, bundle.as_of) == ("v1", "7", AS_OF)
    assert bundle.item_rows == {"a": 0, "b": 1, "c": 2}
    assert bundle.history.seen(0).tolist() == [0, 2]  # twice seen counts once, unknown people not at all
    assert bundle.history.seen(1).tolist() == []
    assert bundle.user(0) == {"user_id": "u", "segment": "s"}
    assert bundle.trending["item_id"].to_pylist() == ["a", "b"]


def test_current_moves_to_the_newest_and_back_on_demand(tmp_path):
    assert current_version(tmp_path) is None
    write_bundle(tmp_path, publication(), "v1")
    write_bundle(tmp_path, publication(), "v2")
    assert current_version(tmp_path) == "v2"
    make_current(tmp_path, "v1")
    assert (current_version(tmp_path), versions(tmp_path)) == ("v1", ["v1", "v2"])
    with pytest.raises(BundleError, match=r"no version 'v3'; there are v1, v2"):
        make_current(tmp_path, "v3")


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(tmp_path):
    left = tmp_path / ".draft-of-a-dead-one"
    left.mkdir()
    (left / "users.parquet").write_bytes(b"people")
    with draft_version(tmp_path, "new") as draft:
        (draft / "file").write_text("content")
        assert remove_abandoned_versions(tmp_path) == 1
    assert not left.exists()
    assert (tmp_path / "new" / "file").read_text() == "content"


def test_a_published_version_never_changes(tmp_path):
    write_bundle(tmp_path, publication(), "v1")
    with pytest.raises(BundleError, match="never changes"):
        write_bundle(tmp_path, publication(), "v1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_factors": np.ones((3, 4), dtype=np.float32)}, r"user_factors.*not float32 \(2, d\)"),
        ({"item_factors": np.ones((3, 5), dtype=np.float32)}, "differ in width"),
        ({"item_factors": None}, "together or not at all"),
        ({"items": pa.table({"item_id": ["a", "a"]})}, "item_id must be set and different"),
        ({"users": pa.table({"user": ["a"]})}, "no column user_id"),
    ],
)
def test_parts_that_do_not_fit_are_refused_and_nothing_is_published(tmp_path, changes, reason):
    with pytest.raises(BundleError, match=reason):
        write_bundle(tmp_path, publication(**changes), "v1")
    assert list(tmp_path.iterdir()) == []


def _cut(folder):
    file = folder / "items.parquet"
    file.write_bytes(file.read_bytes()[:-5])


def _change(folder):
    file = folder / "item_factors.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _remove(folder):
    (folder / "users.parquet").unlink()


def _other_format(folder):
    manifest = decode_checked((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(encode_checked({**manifest, "format": 99}) + "\n")


def _no_manifest(folder):
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "items.parquet has .* cut or changed"),
        (_change, "item_factors.npy differs from its checksum"),
        (_remove, "users.parquet is missing"),
        (_other_format, "format 99; this version reads format 2"),
        (_no_manifest, "there is no manifest.json"),
    ],
)
def test_a_damaged_bundle_is_refused_with_the_reason(tmp_path, damage, reason):
    folder = write_bundle(tmp_path, publication(), "v1")
    damage(folder)
    with pytest.raises(BundleError, match=reason):
        Bundle.load(folder)


def test_a_canary_stands_beside_the_current_version_and_leaves_with_its_folder(tmp_path):
    write_bundle(tmp_path, publication(), "v1")
    write_bundle(tmp_path, publication(), "v2", is_canary=True)
    assert (current_version(tmp_path), canary_version(tmp_path)) == ("v1", "v2")
    assert find_canary([tmp_path / "nothing", tmp_path]) == tmp_path / "v2"
    renamed = remove_users(tmp_path, "v2", ["u"])
    assert (current_version(tmp_path), canary_version(tmp_path)) == ("v1", renamed)
    with pytest.raises(BundleError, match="no version 'v9'"):
        make_canary(tmp_path, "v9")
    remove_versions(tmp_path, [renamed])
    assert (canary_version(tmp_path), find_canary([tmp_path])) == (None, None)
    make_canary(tmp_path, None)  # there is none, and that is well
    (tmp_path / "CANARY").write_text("../v1")
    with pytest.raises(BundleError, match=r"CANARY names '\.\./v1', which is not a version"):
        find_canary([tmp_path])
