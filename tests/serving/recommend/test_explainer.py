"""Reasons are true: each is checked against what the score is made of."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from bundles import publish
from calls import ask, post, recommend, without_exploration

from ml.decisions.rules.rules_file import load_rules
from serving.recommend.evidence import name_of_scope


def reasons(reply):
    return {item["item_id"]: item["reason"] for item in reply["items"]}


@pytest.fixture
def calm(config, home):
    publish(home.published)
    return without_exploration(config)


def test_a_taste_names_the_opened_item_that_carries_the_models_score(calm):
    def run(tessera):
        explained = reasons(recommend(user_id="new", k=8)(tessera))
        assert explained["i6"] == "Because you opened “Title i7”"
        assert explained["i1"] != explained["i6"]
        index, row_of = tessera.champion.index, tessera.champion.index.item_rows
        factors = index.bundle.item_factors
        for item, named, other in (("i6", "i7", "i3"), ("i1", "i3", "i7")):
            with_named = factors[row_of[item]] @ index.fold_in([row_of[named]], [1.0])
            with_other = factors[row_of[item]] @ index.fold_in([row_of[other]], [1.0])
            assert with_named > with_other
        return explained

    opened = [{"user_id": "new", "session_id": "s1", "item_id": "i3"}, {"user_id": "new", "item_id": "i7"}]
    ask(calm, post(*opened), run)


def test_what_others_opened_next_is_the_reason_where_it_carries_the_score(calm):
    pairs = [{"user_id": f"u{n}", "session_id": f"s{n}", "item_id": i} for n in range(9) for i in ("i0", "i8")]
    pairs += [{"user_id": f"w{n}{i}", "item_id": f"i{i}"} for n in range(9) for i in range(10) if i not in (0, 8)]
    opened = {"user_id": "new", "session_id": "mine", "item_id": "i0"}
    reply = ask(calm, post(*pairs), post(opened), recommend(user_id="new", session_id="mine", k=5))
    assert reasons(reply)["i8"] == "Often opened after “Title i0”"
    assert [reason for item, reason in reasons(reply).items() if "after" in reason and item != "i8"] == []


def test_popularity_is_told_with_its_number(calm):
    views = [{"user_id": f"u{n}", "item_id": "i9"} for n in range(12)]
    reply = ask(calm, post(*views), recommend(anonymous_id="stranger", k=3))
    assert reasons(reply)["i9"] == "Opened 12 times in the last hour"


def test_a_rule_that_lifted_an_item_is_the_reason(calm, home):
    home.path.mkdir(parents=True, exist_ok=True)
    rules = "rules:\n  - {id: push, then: {boost: [{item: i4, by: 4}]}}\n"
    (home.path / "rules.yaml").write_text(rules, encoding="utf-8")
    if not load_rules(home.path / "rules.yaml").rules:
        pytest.fail("the rule was not read")
    reply = ask(calm, recommend(user_id="ann", k=3))
    assert reply["items"][0]["item_id"] == "i4"
    assert reasons(reply)["i4"] == "Recommended by this site"


def test_stated_interests_are_named(calm):
    async def interested(tessera):
        tessera.state.put_profile("new", {"interests": ["food"]}, 0.0)

    explained = reasons(ask(calm, interested, recommend(user_id="new", k=5)))
    assert explained["i6"] == "You said that you are interested in food"
    assert all("interested" not in explained.get(item, "") for item in ("i0", "i1", "i2", "i3", "i4"))


def test_an_explored_item_says_so(config, home):
    publish(home.published)
    exploring = without_exploration(config)
    diversity = exploring.settings.decisions.diversity.model_copy(update={"exploration_share": 0.5})
    decisions = exploring.settings.decisions.model_copy(update={"diversity": diversity})
    exploring = dataclasses.replace(
        exploring, settings=exploring.settings.model_copy(update={"decisions": decisions})
    )
    for seed in range(1, 20):
        last = ask(exploring, recommend(user_id="ann", k=3), seed=seed)["items"][-1]
        if last["source"] == "exploration":
            break
    assert last["reason"].startswith("New or rarely shown in ")


def test_without_time_for_features_the_list_that_had_the_item_is_the_reason(config, home):
    publish(home.published)
    hurried = without_exploration(config, budget_ms=1e-6)
    items = ask(hurried, recommend(user_id="ann", k=3))["items"]
    assert {item["source"] for item in items} <= {"personal", "trending", "popular"}
    for item in items:
        kind = {"personal": "Fits what you opened", "popular": "Popular over a long time"}
        assert item["reason"] == kind.get(item["source"], "Opened by many people lately")


def test_nothing_is_popular_on_a_site_of_one_person(config, home):
    publish(
        home.published,
        users=pa.table({"user_id": ["ann"], "segment": ["athletes"], "persona": ["runner"], "country": ["DE"]}),
        interactions=pa.table({"user_id": ["ann"], "item_id": ["i0"]}),
        user_factors=np.array([[1, 0, 1]], dtype=np.float32),
    )
    calm = without_exploration(config)
    alone = reasons(ask(calm, recommend(anonymous_id="stranger", k=3)))
    assert alone
    assert not [reason for reason in alone.values() if "opular" in reason or "people" in reason]


def test_only_devices_that_people_have_are_named():
    assert name_of_scope("device", "mobile") == "phones"
    assert name_of_scope("country", "DE") == "Germany"
    assert name_of_scope("region", "DE-BY") == "DE-BY"
    assert [name_of_scope("device", kind) for kind in ("bot", "other")] == [None, None]
