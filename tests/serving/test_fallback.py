"""The chain of fallbacks: each step answers where those before it have nothing to say."""

import pyarrow as pa
from bundles import AS_OF, publish
from calls import ask, post, recommend

from serving.observability.metrics import FALLBACKS

STRANGERS = {"user_factors": None, "item_factors": None, "fold_in": None}
SEGMENTED = pa.table(
    {"scope": ["segment:athletes", "country:DE", "all", "popular"], "item_id": ["i4", "i6", "i8", "i9"],
     "score": [1.0, 1.0, 1.0, 1.0]}
)  # fmt: skip
NOTHING_SEEN = pa.table({"user_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())})


def answered(config, *steps):
    """The answer, and the step of the chain that it was counted under."""
    before = counts()
    reply = ask(config, *steps)
    (step,) = [name for name, count in counts().items() if count > before.get(name, 0)]
    return reply, step


def counts():
    return {
        sample.labels["step"]: sample.value
        for sample in FALLBACKS.collect()[0].samples
        if sample.name.endswith("_total")
    }


def of_source(reply, source):
    return [item["item_id"] for item in reply["items"] if item["source"] == source]


def test_somebody_the_model_knows_gets_personal_items(config, home):
    publish(home.published)
    reply, step = answered(config, recommend(user_id="ann", k=5))
    assert (step, reply["personalized"]) == ("personal", True)


def test_somebody_new_is_folded_in_from_what_was_just_opened(config, home):
    publish(home.published)
    opened = {"user_id": "new", "item_id": "i7"}
    reply, step = answered(config, post(opened), recommend(user_id="new", k=5))
    assert (step, reply["personalized"]) == ("recent", True)


def test_somebody_who_only_said_what_interests_is_folded_in_from_that(config, home):
    publish(home.published)

    async def interested(tessera):
        tessera.state.put_profile("new", {"interests": ["food"]}, AS_OF.timestamp())

    reply, step = answered(config, interested, recommend(user_id="new", k=3))
    assert (step, reply["personalized"]) == ("interests", True)
    assert reply["items"][0]["item_id"] in {"i5", "i6", "i7", "i8", "i9"}


def test_without_a_model_the_segment_answers(config, home):
    publish(home.published, **STRANGERS, trending=SEGMENTED, interactions=NOTHING_SEEN)
    reply, step = answered(config, recommend(user_id="ann", k=5))
    assert (step, of_source(reply, "segment")) == ("segment", ["i4"])


def test_somebody_of_no_segment_gets_what_trends_here_and_now(config, home):
    publish(home.published, **STRANGERS, trending=SEGMENTED, interactions=NOTHING_SEEN)
    seen = {"user_id": "new", "event_type": "page_exit", "country": "DE"}
    reply, step = answered(config, post(seen), recommend(user_id="new", k=5))
    assert (step, of_source(reply, "here")) == ("here", ["i6"])


def test_somebody_of_whom_nothing_is_known_gets_what_trends_now(config, home):
    publish(home.published, **STRANGERS, trending=SEGMENTED, interactions=NOTHING_SEEN)
    views = [{"user_id": f"u{n}", "item_id": "i3"} for n in range(3)]
    reply, step = answered(config, post(*views), recommend(anonymous_id="stranger", k=5))
    assert (step, of_source(reply, "trending")) == ("trending", ["i3"])


def test_on_a_quiet_site_the_popular_items_answer(config, home):
    publish(home.published, **STRANGERS, trending=SEGMENTED, interactions=NOTHING_SEEN)
    reply, step = answered(config, recommend(k=5))
    assert (step, of_source(reply, "popular")) == ("popular", ["i8", "i9"])


def test_without_bundle_and_events_the_answer_is_empty_and_says_so(config):
    reply, step = answered(config, recommend(user_id="ann", k=5))
    assert (reply["items"], reply["personalized"], step) == ([], False, "none")
