"""First depth: one call, no server."""

import asyncio
import datetime as dt
import threading

import httpx
import pyarrow as pa
import pytest
from bundles import AS_OF, publish
from calls import ask, ids, post, recommend

from ml.decisions.ranker.blend import RankingBlend
from serving.application import application
from serving.errors import ApiError
from serving.recommend.candidates import ScoredCandidates


def test_a_known_user_gets_what_fits_and_never_what_was_seen(config, home):
    publish(home.published)
    reply = ask(config, recommend(user_id="ann", k=3))
    assert ids(reply)[:2] == ["i1", "i2"]  # i0 scores highest, and ann has seen it
    assert ids(reply)[2] == "i5"  # sport may fill 60% of three places, and i5 is what trends beside it
    assert reply["personalized"] is True
    assert (reply["segment"], reply["model_version"]) == ("athletes", "champion-1")
    assert [item["rank"] for item in reply["items"]] == [1, 2, 3]
    assert all(item["reason"] for item in reply["items"])


def test_people_who_ask_at_once_are_all_answered(config, home):
    publish(home.published)
    people = ["ann", "bob", "ann", "bob"]

    async def together(tessera):
        inside = httpx.ASGITransport(application(tessera))
        async with httpx.AsyncClient(transport=inside, base_url="http://127.0.0.1") as client:
            requests = [client.post("/v1/recommendations", json={"user_id": person, "k": 3}) for person in people]
            return await asyncio.wait_for(asyncio.gather(*requests), 30)

    replies = ask(config, together)
    assert [reply.status_code for reply in replies] == [200] * len(people)
    alone = {person: ids(ask(config, recommend(user_id=person, k=3))) for person in set(people)}
    assert [ids(reply.json())[:2] for reply in replies] == [alone[person][:2] for person in people]


def test_the_rankers_trees_score_beside_the_event_loop(config, home, monkeypatch):
    publish(home.published)
    threads, score = [], ScoredCandidates.score

    def noted(self, rows):
        threads.append((threading.current_thread().name.split("_")[0], len(rows)))
        return score(self, rows)

    monkeypatch.setattr(ScoredCandidates, "score", noted)

    async def over_http(tessera):
        tessera.recommendation_engine.online_refit.fresh = (
            RankingBlend.prior()
        )  # any ranker learned since the bundle
        threads.clear()  # of the trial of the bundle, before it answered
        inside = httpx.ASGITransport(application(tessera))
        async with httpx.AsyncClient(transport=inside, base_url="http://127.0.0.1") as client:
            return await client.post("/v1/recommendations", json={"user_id": "ann", "k": 3})

    assert ask(config, over_http).status_code == 200
    assert threads[0] == ("score", 9)  # all that could be shown, i0 was seen
    assert "score" not in {name for name, _ in threads[1:]}


def test_a_stranger_gets_trending_items(config, home):
    publish(home.published)
    reply = ask(config, recommend(anonymous_id="stranger", k=3))
    assert ids(reply) == ["i0", "i5", "i1"]
    assert reply["personalized"] is False
    assert "segment" not in reply


def test_a_click_changes_the_next_answer(config, home):
    publish(home.published)
    reply = ask(config, post({"user_id": "new", "item_id": "i7"}), recommend(user_id="new", k=3))
    assert "i7" not in ids(reply)
    assert len(set(ids(reply)) & {"i5", "i6", "i8", "i9"}) == 2  # food, as i7; 60% of three places
    assert reply["personalized"] is True


def test_what_was_opened_before_the_service_started_counts(config, home):
    opened = ["i5", "i6", "i7"]
    at = [AS_OF - dt.timedelta(minutes=minutes) for minutes in (3, 2, 1)]
    interactions = pa.table(
        {"user_id": ["ann"] * 3, "item_id": opened, "last_at": pa.array(at, pa.timestamp("us", "UTC"))}
    )
    publish(home.published, interactions=interactions)
    knowing = ids(ask(config, recommend(user_id="ann", k=10)))
    publish(home.published, "v2", interactions=interactions.slice(0, 0))
    not_knowing = ids(ask(config, recommend(user_id="ann", k=10, exclude=opened)))
    # trained to like sport, ann has opened food since
    assert not_knowing[:5] == ["i0", "i1", "i2", "i3", "i4"]
    assert knowing.index("i8") < not_knowing.index("i8")
    assert not set(opened) & set(knowing)


def test_without_a_bundle_what_people_open_is_answered(config):
    views = [{"user_id": f"u{n}", "item_id": "hot"} for n in range(3)] + [{"user_id": "u8", "item_id": "cool"}]
    views += [{"user_id": "u9", "item_id": "cool"}, {"user_id": "u9", "item_id": "once"}]
    reply = ask(config, post(*views), recommend(user_id="other", k=5))
    assert ids(reply) == ["hot", "cool"]
    assert reply["model_version"] is None


def test_filter_and_exclude_hold(config, home):
    publish(home.published)
    reply = ask(
        config, recommend(user_id="ann", k=10, filter={"category": ["food"], "tags": ["a"]}, exclude=["i7"])
    )
    assert sorted(ids(reply)) == ["i5", "i9"]


def test_at_sets_the_clock_of_one_request(config, home):
    later = AS_OF + dt.timedelta(days=3)
    views = [{"user_id": "u", "item_id": "old"}, {"user_id": "w", "item_id": "old"}]
    assert ids(ask(config, post(*views), recommend(user_id="v", at=AS_OF))) == ["old"]
    assert ids(ask(config, post(*views), recommend(user_id="v", at=later))) == []


def test_too_many_items_are_refused_with_the_field(config):
    with pytest.raises(ApiError, match="at most 100") as refused:
        ask(config, recommend(user_id="ann", k=101))
    assert refused.value.field == "k"


def test_every_answer_is_written_as_a_served_event(config, home):
    from ml.events.log import EventLog

    publish(home.published)
    reply = ask(config, recommend(user_id="ann", k=2, slot="home"))
    events = [row for batch in EventLog(home).read() for row in batch.to_pylist()]
    (served,) = [row for row in events if row["event_type"] == "served"]
    assert (served["user_id"], served["recommendation_id"]) == ("ann", reply["recommendation_id"])
    assert '"home"' in served["properties"]
    assert '"i1"' in served["properties"]


def test_an_answer_that_is_too_short_says_why(config, home):
    publish(home.published)
    assert "notice" not in ask(config, recommend(user_id="ann", k=3))
    filtered = ask(config, recommend(user_id="ann", k=3, filter={"item_ids": ["i1"]}))
    assert ids(filtered) == ["i1"]
    assert filtered["notice"] == (
        "1 of 3 items: the site has 10, of which the person has already seen or rejected, or the request "
        "excludes, 1. The filter, muted topics, languages, limits or rules leave out others."
    )
    everything = [{"user_id": "ann", "item_id": f"i{number}"} for number in range(10)]
    reply = ask(config, post(*everything), recommend(user_id="ann", k=3))
    assert reply["items"] == []
    assert reply["notice"].startswith("0 of 3 items: the site has 10,")
    assert reply["notice"].endswith("excludes, 10.")
