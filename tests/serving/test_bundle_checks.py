"""A bundle that cannot answer is refused with its reason, and the one before it answers on."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundles import publication, publish
from starlette.testclient import TestClient

from ml.bundle import Bundle, BundleError, FoldIn, make_current, write_bundle
from ml.bundle.files import read_manifest, write_manifest
from ml.decisions.ranker.blend import RankingBlend
from serving.application import application
from serving.tessera import Tessera


@pytest.fixture
def blend(tmp_path):
    RankingBlend.prior().save(tmp_path / "blend")
    return tmp_path / "blend"


def set_number(file, place, value):
    array = np.load(file)
    array[place] = value
    np.save(file, array)


def set_column(file, column, value):
    table = pq.read_table(file)
    values = table[column].to_pylist()
    values[0] = value
    place = table.schema.get_field_index(column)
    pq.write_table(table.set_column(place, column, pa.array(values, table.schema.field(column).type)), file)


def set_in_json(file, *path, value):
    document = json.loads(file.read_text())
    target = document
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    file.write_text(json.dumps(document))


NAN, INFINITE = float("nan"), float("inf")
DAMAGES = {
    "item_factors.npy holds 1 rows": lambda path: set_number(path / "item_factors.npy", (3, 1), NAN),
    "user_factors.npy holds 1 rows": lambda path: set_number(path / "user_factors.npy", (0, 2), INFINITE),
    "user_covariance.npy holds 1": lambda path: set_number(path / "user_covariance.npy", (0, 1), NAN),
    "unknown_user.npy holds 1": lambda path: set_number(path / "unknown_user.npy", 1, NAN),
    "history_at.npy holds times": lambda path: set_number(path / "history_at.npy", 0, 2**62),
    "trending.parquet holds 1": lambda path: set_column(path / "trending.parquet", "score", NAN),
    "items.parquet: column price holds 1": lambda path: set_column(path / "items.parquet", "price", INFINITE),
    "blend.json holds 1": lambda path: set_in_json(path / "blend/blend.json", "means", 0, value=NAN),
    "blend.json divides by zero": lambda path: set_in_json(path / "blend/blend.json", "deviations", 0, value=0.0),
    "welcome.json holds 1": lambda path: set_in_json(path / "welcome.json", "learning_curve", "1", value=NAN),
}


def write_whole_bundle(home, blend, version):
    """A bundle with every kind of file that holds numbers."""
    rule = FoldIn(np.ones(3, np.float32), 10.0, 1.0, np.eye(3, dtype=np.float32))
    welcome = blend.with_name("welcome.json")
    document = {"topics": [], "learning_curve": {"0": 0.1, "1": 0.2}, "consent_gains": {}}
    welcome.write_text(json.dumps(document))
    return write_bundle(
        home.published, publication(fold_in=rule, files={"blend": blend, "welcome.json": welcome}), version
    )


def rewrite(path, damage):
    """Damage a file of a bundle and write a manifest that is right about it."""
    damage(path)
    facts = {name: value for name, value in read_manifest(path).items() if name not in {"files", "format"}}
    write_manifest(path, facts)


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_number_that_is_not_finite_is_named_whatever_the_manifest_says(home, blend, reason):
    path = write_whole_bundle(home, blend, "v1")
    Bundle.load(path)
    rewrite(path, DAMAGES[reason])
    with pytest.raises(BundleError, match=reason.replace(".", r"\.")):
        tessera_bundle(path)


def tessera_bundle(path):
    from ml.decisions.items.bundle_index import BundleIndex
    from serving.bundles.served_bundle import ServedBundle

    ServedBundle(BundleIndex(Bundle.load(path)), 100, 1000).check()


def test_rows_without_factors_are_sound(home, blend):
    path = write_whole_bundle(home, blend, "v1")
    rewrite(path, lambda folder: set_number(folder / "item_factors.npy", 3, NAN))
    tessera_bundle(path)


def swap_to(client, home, version):
    make_current(home.published, version)
    client.portal.call(client.app_state.load_newer_bundle)


@pytest.fixture
def client(config, home, blend):
    write_whole_bundle(home, blend, "v1")
    tessera = Tessera(config, seed=1)
    with TestClient(application(tessera), raise_server_exceptions=False) as client:
        client.app_state = tessera
        yield client


def assert_old_one_answers(client, reason):
    for body in ({"user_id": "ann"}, {"user_id": "bob"}, {"anonymous_id": "x"}):
        assert client.post("/v1/recommendations", json={**body, "k": 3}).status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["bundle"]) == (200, "v1")
    entry = client.get("/v1/models").json()["log"][0]
    assert (entry["event"], entry["bundle"]) == ("refused", "v2")
    assert reason in entry["why"]["reasons"][0]


def test_a_bundle_with_nan_and_a_right_manifest_is_refused_and_the_old_one_answers(client, home, blend):
    rewrite(write_whole_bundle(home, blend, "v2"), DAMAGES["item_factors.npy holds 1 rows"])
    swap_to(client, home, "v2")
    assert_old_one_answers(client, "item_factors.npy holds 1 rows that are finite in part; the first is row 3")


def test_a_bundle_whose_scores_overflow_fails_the_smoke_test_and_the_old_one_answers(client, home, blend):
    """Each number is finite; the products of factors are not."""
    path = write_whole_bundle(home, blend, "v2")
    rewrite(path, lambda folder: set_number(folder / "item_factors.npy", (slice(None), slice(None)), 3e38))
    swap_to(client, home, "v2")
    assert_old_one_answers(client, "smoke test, ")


def test_a_bundle_with_a_column_of_another_type_is_refused_and_the_old_one_answers(client, home, blend):
    def change_tags(folder):
        table = pq.read_table(folder / "items.parquet")
        place = table.schema.get_field_index("tags")
        pq.write_table(table.set_column(place, "tags", pa.array([1] * len(table))), folder / "items.parquet")

    rewrite(write_whole_bundle(home, blend, "v2"), change_tags)
    swap_to(client, home, "v2")
    assert_old_one_answers(client, "smoke test, ")


def test_the_smoke_test_leaves_no_trace(config, home):
    """Answers with a seed are the same whether a probe came between them or not."""

    def answers(probes):
        publish(home.published, version=f"v-{probes}")
        replies = []
        tessera = Tessera(config, seed=7)
        with TestClient(application(tessera)) as client:
            for _ in range(4):
                for _ in range(probes):
                    assert client.get("/readyz").status_code == 200
                body = {"anonymous_id": "x", "k": 5}
                reply = client.post("/v1/recommendations", json=body).json()
                replies.append([item["item_id"] for item in reply["items"]])
            assert tessera.state.activity.visitors == {}
        return replies

    assert answers(0) == answers(2)
