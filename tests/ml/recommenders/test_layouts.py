"""Saved recommenders of other versions, written here by hand: the older layout loads, a newer one says so."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.recommenders.layouts import FORMAT, ModelFileError
from ml.recommenders.model_names import MODELS, UnknownModelError, model_name
from ml.recommenders.models.zoo import load_recommender, make_recommender
from ml.recommenders.persistence import saved_models
from ml.recommenders.user_removal import forget_users

# Two users and three items; ann took x, bob took x and z.
SHARED_ARRAYS = {
    "item_counts_": np.array([2, 0, 1], np.float32),
    "known_users_": np.array([True, True]),
    "seen_#data": np.ones(3, np.int8),
    "seen_#indices": np.array([0, 0, 2], np.int32),
    "seen_#indptr": np.array([0, 1, 3], np.int32),
    "seen_#shape": np.array([2, 3]),
}
ALS_ARRAYS = {
    "user_factors_": np.array([[1, 0], [0, 1]], np.float32),
    "item_factors_": np.array([[2, 0], [1, 5], [0, 3]], np.float32),
    "unknown_user_": np.array([0.5, 0.5], np.float32),
}
ALS_PARAMS = {"n_factors": 2, "confidence": 4.0, "regularization": 0.5, "iterations": 8, "seed": 0}
PARTS = [
    {"model": "als", "weight": 2.0, "params": {"n_factors": 2}},
    {"model": "popularity", "weight": 1.0},
]


def write_folder(folder: Path, document: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
    """The three files as format 1 laid them out; `document` goes over the usual one."""
    folder.mkdir()
    usual = {"format": 1, "params": {}, "parts": [], "state": {}}
    (folder / "recommender.json").write_text(json.dumps({**usual, **document}))
    np.savez(folder / "arrays.npz", **SHARED_ARRAYS, **arrays)
    ids = pa.table({"name": ["user_ids_"] * 2 + ["item_ids_"] * 3, "id": ["ann", "bob", "x", "y", "z"]})
    schema = ids.schema.with_metadata({"empty": "[]"})
    with pa.OSFile(str(folder / "ids.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(ids.replace_schema_metadata(schema.metadata))


def write_als(folder: Path, class_path: str = "ml.recommenders.als.ImplicitALS") -> None:
    state = {"fold_in_weight_": 4.0, "fold_in_regularization_": 0.0}
    write_folder(folder, {"class": class_path, "params": ALS_PARAMS, "state": state}, ALS_ARRAYS)


def write_blend(folder: Path) -> None:
    blend = {"class": "ml.recommenders.blends.Blend", "params": {"models": PARTS}, "parts": ["0", "1"]}
    write_folder(folder, blend, {})
    write_als(folder / "0")
    counts = {"scores_": SHARED_ARRAYS["item_counts_"]}
    write_folder(folder / "1", {"class": "ml.recommenders.popularity.Popularity"}, counts)


def ranked(folder: Path, user: str) -> list[tuple[str, float]]:
    rows = load_recommender(folder).recommend([user], 2).to_table().to_pylist()
    return [(row["item_id"], round(row["score"], 4)) for row in rows]


@pytest.mark.parametrize(
    "class_path", ["ml.recommenders.als.ImplicitALS", "ml.recommenders.models.als.ImplicitALS"]
)
def test_a_model_that_names_its_module_loads_wherever_the_module_has_gone(tmp_path: Path, class_path: str) -> None:
    write_als(tmp_path / "model", class_path)
    assert ranked(tmp_path / "model", "ann") == [("y", 1.0), ("z", 0.0)]
    assert ranked(tmp_path / "model", "stranger") == [("y", 3.0), ("z", 1.5)]


def test_the_parts_of_an_older_model_load_too(tmp_path: Path) -> None:
    write_blend(tmp_path / "blend")
    # The factors give 2, 1, 0 and popularity 2, 0, 1; each less its mean, over its deviation of sqrt(2/3).
    unit = 1.5**0.5
    assert ranked(tmp_path / "blend", "ann") == [("y", round(-unit, 4)), ("z", round(-2 * unit, 4))]
    assert saved_models(tmp_path / "blend") == {"blend", "als", "popularity"}


def test_an_older_model_is_written_in_the_present_layout_when_a_user_is_erased(tmp_path: Path) -> None:
    write_blend(tmp_path / "blend")
    assert forget_users(tmp_path / "blend", ["ann"]) == 3
    for part, name in ((".", "blend"), ("0", "als"), ("1", "popularity")):
        document = json.loads((tmp_path / "blend" / part / "recommender.json").read_text())
        assert (document["format"], document["model"]) == (FORMAT, name)
        assert "class" not in document
    assert load_recommender(tmp_path / "blend").user_ids_.rows(["ann", "bob"]).tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("class_name", "params", "name"),
    [
        ("LightFMHybrid", {"loss": "bpr"}, "lightfm_bpr"),
        ("LightFMHybrid", {"loss": "warp"}, "lightfm_warp"),
        ("ImplicitLibrary", {"kind": "bpr", "iterations": 7}, "implicit_bpr"),
        ("ImplicitLibrary", {"kind": "als", "iterations": 100}, "implicit_als"),
    ],
)
def test_variants_of_one_class_keep_their_names(
    tmp_path: Path, class_name: str, params: dict[str, object], name: str
) -> None:
    write_folder(tmp_path / "model", {"class": f"ml.recommenders.gone.{class_name}", "params": params}, {})
    assert saved_models(tmp_path / "model") == {name}
    assert model_name(class_name, params) == name


def test_every_class_of_the_zoo_is_saved_under_a_name_that_makes_it_again() -> None:
    for name in MODELS:
        recommender = make_recommender(name)
        saved = model_name(type(recommender).__name__, recommender.params())
        assert saved == name
        assert type(make_recommender(saved)) is type(recommender)
    with pytest.raises(UnknownModelError, match=r"Invented is not a class of the zoo, which holds popularity, .*"):
        model_name("Invented", {})


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFileError) as refused:
        load_recommender(folder)
    return str(refused.value)


def test_a_model_of_a_newer_version_says_that_tessera_has_to_be_upgraded(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", {"format": FORMAT + 1, "model": "als"}, ALS_ARRAYS)
    assert refusal(tmp_path / "model") == (
        f"{tmp_path / 'model'} is not a readable model: format {FORMAT + 1} was made by a newer Tessera; "
        f"this one reads up to {FORMAT}: upgrade Tessera"
    )


def test_a_newer_part_of_a_readable_model_is_refused_by_its_folder(tmp_path: Path) -> None:
    write_blend(tmp_path / "blend")
    document = tmp_path / "blend" / "0" / "recommender.json"
    document.write_text(document.read_text().replace('"format": 1', '"format": 9'))
    assert refusal(tmp_path / "blend").startswith(f"{tmp_path / 'blend' / '0'} is not a readable model: format 9 ")


def test_an_older_class_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    write_als(tmp_path / "model", "ml.recommenders.slope_one.SlopeOne")
    assert re.search(
        r"'ml.recommenders.slope_one.SlopeOne' is a model that this version does not have; "
        r"it reads Popularity, .*tessera materialize --job training",
        refusal(tmp_path / "model"),
    )


def test_no_code_outside_the_zoo_is_named_by_a_folder(tmp_path: Path) -> None:
    write_als(tmp_path / "model", "subprocess.ImplicitALS")
    assert "'subprocess.ImplicitALS' is not a recommender of ml.recommenders" in refusal(tmp_path / "model")


def test_parameters_that_a_model_no_longer_has_are_refused_with_what_to_do(tmp_path: Path) -> None:
    write_folder(tmp_path / "model", {"format": FORMAT, "model": "als", "params": {"depth": 3}}, ALS_ARRAYS)
    assert re.search(r"unexpected keyword argument 'depth'.*Train again", refusal(tmp_path / "model"))


def test_a_document_that_is_cut_or_empty_is_refused(tmp_path: Path) -> None:
    write_als(tmp_path / "model")
    for text, reason in (
        ('{"format": 1, "cla', "Unterminated string"),
        ("[]", "holds a list instead of an object"),
        ("{}", "format None is not a number from 1 to 2"),
        ('{"format": 2, "params": {}, "parts": [], "state": {}}', "'model' is missing in it"),
    ):
        (tmp_path / "model" / "recommender.json").write_text(text)
        assert reason in refusal(tmp_path / "model")
