import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml.sources.simulator.browsing import build_item_sampler
from ml.sources.simulator.items import DAY_MS, hourly_weights
from ml.sources.simulator.topics import TOPICS


@pytest.fixture(scope="module")
def sampler(site):
    items = site.items(40)
    return build_item_sampler(items, hourly_weights(items, site.settings, site.start_ms + 39 * DAY_MS))


@pytest.fixture(scope="module")
def views(events):
    """Page views of items by people, in order of session and time."""
    columns = ["session_id", "occurred_at", "item_id", "device_type", "event_type", "event_id"]
    frame = events.select(columns).to_pandas()
    frame = frame[
        (frame["event_type"] == "page_view") & frame["item_id"].notna() & (frame["device_type"] != "bot")
    ]
    frame = frame.drop_duplicates("event_id").sort_values(["session_id", "occurred_at"])
    return frame[frame.groupby("session_id")["item_id"].transform("size") <= 50]


def test_session_lengths_follow_the_fit_of_the_globo_log(views):
    lengths = views.groupby("session_id").size()
    assert (lengths == 1).mean() == pytest.approx(0.22, abs=0.015)
    longer = lengths[lengths > 1].value_counts(normalize=True)
    # beta-geometric with alpha 4.85, beta 3.22: P(2) = α/(α+β), P(3) = P(2) β/(α+β+1), P(4) = P(3) (β+1)/(α+β+2)
    assert [longer[k] for k in (2, 3, 4)] == pytest.approx([0.601, 0.213, 0.089], abs=0.012)


def test_a_page_hardly_ever_follows_itself(views):
    previous = views.groupby("session_id")["item_id"].shift()
    assert (views["item_id"] == previous).mean() < 0.004  # only where all shown items are one


def test_chances_of_the_items_of_a_topic_add_up_to_one(sampler):
    everything = np.arange(len(sampler.items))
    for hour in (0, 13, 23):
        chances = sampler.probability(np.full(len(everything), hour), everything)
        assert np.bincount(sampler.items.topic, chances) == pytest.approx(np.ones(len(TOPICS)))
        topics = np.arange(len(TOPICS))
        assert sampler.front_probability(np.full(len(TOPICS), hour), topics).sum() == pytest.approx(1.0)


def test_items_are_drawn_by_their_chance(sampler):
    rng = np.random.default_rng(0)
    hour, topic = np.full(200_000, 10), np.full(200_000, 3)
    drawn = sampler.draw(hour, topic, rng.random(200_000))
    assert (sampler.items.topic[drawn] == 3).all()
    shelf = np.flatnonzero(sampler.items.topic == 3)
    chances = sampler.probability(np.full(len(shelf), 10), shelf)
    assert np.bincount(drawn, minlength=len(sampler.items))[shelf] / 200_000 == pytest.approx(chances, abs=0.005)


def test_the_first_place_of_a_slot_is_clicked_most(events):
    clicks = events.filter(
        pc.and_(pc.equal(events["event_type"], "click"), pc.is_valid(events["recommendation_id"]))
    )
    places = [json.loads(text) for text in clicks["properties"].to_pylist()]
    ranks = [place["rank"] for place in places if place["slot"] != "hero"]
    shares = np.bincount(ranks, minlength=5)[1:] / len(ranks)
    assert (np.diff(shares) < 0).all()
    assert shares[0] / shares[3] == pytest.approx(4**0.6, rel=0.25)


def test_answers_name_what_was_seen_and_clicked_and_its_chance(events):
    served = events.filter(pc.equal(events["event_type"], "served")).slice(0, 1_000)
    answers = {
        row["recommendation_id"]: json.loads(row["properties"])
        for row in served.to_pylist()
        if row["recommendation_id"] and json.loads(row["properties"])["slot"] != "hero"
    }
    reactions = events.filter(pc.is_in(events["recommendation_id"], pa.array(answers)))
    seen = [row for row in reactions.to_pylist() if row["event_type"] in ("impression", "click")]
    assert len(seen) > 500
    for row in seen:
        answer, place = answers[row["recommendation_id"]], json.loads(row["properties"])
        assert answer["items"][place["rank"] - 1] == row["item_id"]
        assert answer["slot"] == place["slot"]
    chances = [chance for answer in answers.values() for chance in answer["propensities"]]
    assert 0 < min(chances) <= max(chances) < 1
