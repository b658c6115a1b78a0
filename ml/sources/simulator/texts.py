"""Ids, titles and bodies of items, and their rows for the catalogue."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ml.events.contract import TIMESTAMP
from ml.sources.catalogue import ITEM_SCHEMA
from ml.sources.simulator.items import Items
from ml.sources.simulator.topics import (
    CATEGORY_NAMES,
    LANGUAGES,
    MAKERS,
    PRODUCT_TITLES,
    SENTENCES,
    TITLES,
    TOPICS,
)

CURRENCY = "EUR"


def item_ids(items: Items) -> pa.Array:
    """`a000017` for articles, `p000018` for products."""
    prefix = np.where(items.is_product, "p", "a")
    return pa.array([f"{kind}{number:06d}" for kind, number in zip(prefix, items.number.tolist(), strict=True)])


def item_titles(items: Items) -> pa.Array:
    """One title an item, in its language."""
    return pa.array([_title(items, row) for row in range(len(items))], pa.string())


def catalogue_rows(items: Items) -> pa.Table:
    """(n) rows of ITEM_SCHEMA; an item's row is true from its publication."""
    n = range(len(items))
    minutes = items.minutes.tolist()
    features = [
        [
            f"kind:{'product' if items.is_product[row] else 'article'}",
            f"video:{'yes' if items.has_video[row] else 'no'}",
            f"length:{'short' if minutes[row] < 2 else 'long' if minutes[row] > 5 else 'medium'}",
            f"maker:{MAKERS[int(items.number[row]) % len(MAKERS)]}",
        ]
        for row in n
    ]
    tags = [
        list(dict.fromkeys([TOPICS[items.topic[row]].name, TOPICS[items.second_topic[row]].name])) for row in n
    ]
    published = pa.array(items.published_ms * 1000, pa.timestamp("us")).cast(TIMESTAMP)
    currency = pa.array([CURRENCY if is_product else None for is_product in items.is_product], pa.string())
    return pa.table(
        [
            item_ids(items),
            item_titles(items),
            pa.array([_body(items, row) for row in n], pa.string()),
            pa.array(CATEGORY_NAMES).take(pa.array(items.category)),
            pa.array(tags, pa.list_(pa.string())),
            pa.array(items.price, mask=np.isnan(items.price)),
            currency,
            pa.array(LANGUAGES).take(pa.array(items.language)),
            published,
            pa.array(features, pa.list_(pa.string())),
            published,
        ],
        schema=ITEM_SCHEMA,
    )


def _words(items: Items, row: int) -> list[str]:
    """Four words: three of the main topic, the last of the second one."""
    language = int(items.language[row])
    main, second = TOPICS[items.topic[row]].words[language], TOPICS[items.second_topic[row]].words[language]
    first = int(items.words[row, 0])
    return [main[first], main[(first + 1 + int(items.words[row, 1]) % 4) % 5], *_rest(items, row, main, second)]


def _rest(items: Items, row: int, main: tuple[str, ...], second: tuple[str, ...]) -> list[str]:
    return [second[int(items.words[row, 2])], main[int(items.words[row, 3])]]


def _title(items: Items, row: int) -> str:
    language = int(items.language[row])
    words = _words(items, row)
    if items.is_product[row]:
        maker = MAKERS[int(items.number[row]) % len(MAKERS)]
        return str(PRODUCT_TITLES[language]).format(maker, words[0], 10 + int(items.number[row]) % 90)
    form = TITLES[language][int(items.variant[row, 0])]
    title = form.format(*words)
    return title[0].upper() + title[1:]


def _body(items: Items, row: int) -> str:
    language = int(items.language[row])
    words = _words(items, row)
    return " ".join(SENTENCES[language][variant].format(*words) for variant in items.variant[row].tolist())
