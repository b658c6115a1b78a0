"""The articles and products of the site: one array a trait, drawn a day at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ml.arrays import F32, F64, I64, Bools
from ml.settings.simulator import SimulatorSettings
from ml.sources.simulator.randomness import Stream, generator
from ml.sources.simulator.topics import CATEGORIES, TOPICS

TOPIC_CATEGORY = np.array([topic.category for topic in TOPICS])
HALF_LIFE = np.array([category.half_life_hours for category in CATEGORIES])
IS_PRODUCT = np.array([category.median_price is not None for category in CATEGORIES])
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MAIN_TOPIC_WEIGHT = 0.8
APPEAL_CUT = 1.6  # standard deviations; without it one item takes a day


@dataclass
class Items:
    """(n, …) arrays. number: 0, 1, 2 … over the site's life. published_ms: Unix ms. price: NaN for articles.

    topic and second_topic are places in TOPICS; the topic vector has 0.8 at the first and 0.2 at the second.
    `words` (n, 4) choose the words of title and text; `variant` (n,) their form.
    """

    number: I64
    topic: I64
    second_topic: I64
    appeal: F64
    published_ms: I64
    price: F64
    language: I64
    minutes: F64
    has_video: Bools
    words: I64
    variant: I64

    def __len__(self) -> int:
        return len(self.number)

    @property
    def category(self) -> I64:
        """(n,) places in CATEGORIES."""
        return TOPIC_CATEGORY[self.topic]

    @property
    def is_product(self) -> Bools:
        """(n,) whether the item has a price."""
        return IS_PRODUCT[self.category]

    def head(self, count: int) -> Items:
        """The first `count` items."""
        return Items(**{f.name: getattr(self, f.name)[:count] for f in fields(self)})

    @staticmethod
    def concat(parts: Sequence[Items]) -> Items:
        """All items of the parts, one after the other."""
        return Items(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Items)})


def topic_vectors(items: Items) -> F32:
    """(n, topics) float32, rows add up to 1."""
    vectors = np.zeros((len(items), len(TOPICS)), dtype=np.float32)
    rows = np.arange(len(items))
    vectors[rows, items.topic] += MAIN_TOPIC_WEIGHT
    vectors[rows, items.second_topic] += 1 - MAIN_TOPIC_WEIGHT
    return vectors


def founding_items(settings: SimulatorSettings, seed: int, start_ms: int) -> Items:
    """Items that are there on the first day: every topic has some; published over up to ten half-lives before."""
    rng = generator(seed, Stream.ITEMS, 0)
    n = settings.items
    items = _draw(settings, rng, np.arange(n), np.full(n, start_ms))
    items.topic[: len(TOPICS)] = np.arange(len(TOPICS))
    items.price = _prices(rng, items.topic)
    age_hours = rng.random(n) * np.minimum(10 * HALF_LIFE[items.category], 24 * 365)
    items.published_ms = start_ms - (age_hours * HOUR_MS).astype(np.int64) - 1
    return items


def daily_items(settings: SimulatorSettings, seed: int, start_ms: int, day: int) -> Items:
    """Items published on one day, mostly in the newsroom's hours."""
    rng = generator(seed, Stream.ITEMS, day + 1)
    n = settings.new_items_per_day
    weights = np.array(settings.engagement.hour_weights)
    hour = rng.choice(24, n, p=weights / weights.sum())
    published = start_ms + day * DAY_MS + ((hour + rng.random(n)) * HOUR_MS).astype(np.int64)
    return _draw(settings, rng, settings.items + day * n + np.arange(n), published)


def hourly_weights(items: Items, settings: SimulatorSettings, day_ms: int) -> F64:
    """(24, n) weight of every item in every hour of a day: appeal × recency; 0 where it is not yet out."""
    hours = day_ms + np.arange(24)[:, None] * HOUR_MS
    age_hours = (hours - items.published_ms[None, :]) / HOUR_MS
    recency = np.exp2(-np.maximum(age_hours, 0) / HALF_LIFE[items.category][None, :])
    floor = settings.browsing.recency_floor
    weights = items.appeal[None, :] * (floor + (1 - floor) * recency)
    return np.where(age_hours >= 0, weights, 0.0)


def _draw(settings: SimulatorSettings, rng: np.random.Generator, number: I64, published_ms: I64) -> Items:
    n = len(number)
    shares = np.array([category.share for category in CATEGORIES])[TOPIC_CATEGORY]
    topic = rng.choice(len(TOPICS), n, p=shares / shares.sum())
    second = np.where(rng.random(n) < 0.5, topic ^ 1, rng.integers(0, len(TOPICS), n))
    video_share = np.array([category.video_share for category in CATEGORIES])
    return Items(
        number=number,
        topic=topic,
        second_topic=second,
        appeal=np.exp(settings.browsing.appeal_sigma * np.minimum(rng.normal(size=n), APPEAL_CUT)),
        published_ms=published_ms,
        price=_prices(rng, topic),
        language=rng.choice(3, n, p=np.array(settings.language_shares) / sum(settings.language_shares)),
        minutes=np.clip(np.exp(rng.normal(np.log(3.0), 0.5, n)), 1, 20),
        has_video=rng.random(n) < video_share[TOPIC_CATEGORY[topic]],
        words=rng.integers(0, 5, (n, 4)),
        variant=rng.integers(0, 4, (n, 4)),
    )


def _prices(rng: np.random.Generator, topic: I64) -> F64:
    medians = np.array([category.median_price or np.nan for category in CATEGORIES])
    return np.asarray(medians[TOPIC_CATEGORY[topic]] * np.exp(rng.normal(0, 0.5, len(topic)))).round(2)
