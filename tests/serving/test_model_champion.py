"""A champion without factors answers itself: the published model ranks, and an erased person leaves it too."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from bundles import publication
from calls import ask, ids, post, recommend

from ml.bundle import Bundle, write_bundle
from ml.bundle.user_removal import remove_users
from ml.dataset.interactions import Interactions
from ml.recommenders.models.zoo import make_recommender
from serving.routes.items import find_similar_items

NO_FACTORS = {"user_factors": None, "item_factors": None, "fold_in": None}


@pytest.fixture(scope="module")
def interactions():
    """Everybody takes items of one half of the catalogue; ann has not taken i4 of hers yet, nor bob i9."""
    rows = [(f"s{n}", f"i{item}") for n in range(12) for item in range(5) if item != n % 5]
    rows += [(f"f{n}", f"i{item}") for n in range(12) for item in range(5, 10) if item != 5 + n % 5]
    rows += [("ann", f"i{item}") for item in range(4)] + [("bob", f"i{item}") for item in range(5, 9)]
    users, items = zip(*rows, strict=True)
    return Interactions.from_table(pa.table({"user_id": users, "item_id": items}))


def publish_champion(home, interactions, name, **params):
    model = make_recommender(name, **params).fit(interactions)
    taken = {"ann": range(4), "bob": range(5, 9)}
    pairs = [(user, f"i{item}") for user, items in taken.items() for item in items]
    users, items = zip(*pairs, strict=True)
    seen = pa.table({"user_id": users, "item_id": items})
    write_bundle(home.published, publication(**NO_FACTORS, model=model, interactions=seen), "v1")
    return model


def calm(config):
    diversity = config.settings.decisions.diversity.model_copy(update={"exploration_share": 0.0})
    decisions = config.settings.decisions.model_copy(update={"diversity": diversity})
    serving = config.settings.serving.model_copy(update={"budget_ms": 10_000.0})
    settings = config.settings.model_copy(update={"decisions": decisions, "serving": serving})
    return dataclasses.replace(config, settings=settings)


@pytest.mark.parametrize(
    ("name", "params"),
    [("ease", {"regularization": 5.0}), ("item_neighbours", {"shrinkage": 1.0}), ("user_neighbours", {})],
)
def test_the_promoted_model_ranks_for_known_people_visits_and_items(config, home, interactions, name, params):
    publish_champion(home, interactions, name, **params)

    def run(tessera):
        known = recommend(user_id="bob", k=10)(tessera)
        assert known["personalized"]
        best = next(item for item in known["items"] if item["source"] == "personal")
        assert best["item_id"] == "i9"
        similar = find_similar_items(tessera, "i6", 4)["items"]
        assert {item["item_id"] for item in similar} == {"i5", "i7", "i8", "i9"}
        assert {item["source"] for item in similar} == {"similar"}

    ask(calm(config), run)
    visit = ask(calm(config), post({"user_id": "new", "item_id": "i7"}), recommend(user_id="new", k=4))
    assert visit["personalized"]
    assert {"recent", "similar"} & {item["source"] for item in visit["items"]}
    assert set(ids(visit)) & {"i5", "i6", "i8", "i9"}


def test_one_list_for_all_is_nothing_personal(config, home, interactions):
    publish_champion(home, interactions, "popularity")
    reply = ask(calm(config), recommend(user_id="stranger", k=10))
    assert not reply["personalized"]
    assert set(ids(reply)) >= {"i5", "i6", "i7", "i8"}  # of the model: the bundle's own lists lack i7 and i8


def test_an_erased_person_leaves_the_published_model(home, interactions):
    publish_champion(home, interactions, "ease")
    name = remove_users(home.published, "v1", ["ann"])
    model = Bundle.load(home.published / str(name)).model
    assert model is not None
    assert "ann" not in model.user_ids_.to_list()
    assert "bob" in model.user_ids_.to_list()
    assert not (home.published / "v1").exists()
    assert np.diff(model.histories_.indptr).min() == 0
